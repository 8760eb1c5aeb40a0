"""The SMPL-CS condition: posed bodies in the colours of their surface, drawn as RealisDance's released
scripts draw SMPLer-X's meshes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8

from renderers.lit_meshes import Look, PosedMesh, draw_meshes

LOOK = Look(smooth=False, ambient=0.4, directions=((0.0, 0.0, 1.0),) * 3)
"""Three lights from three places, which all shine along the camera's axis, and so alike."""


def draw_smpl_cs(
    people: Sequence[PosedMesh], K: Float[np.ndarray, "3 3"], size: tuple[int, int]
) -> tuple[UInt8[np.ndarray, "height width 3"], Bool[np.ndarray, "height width"]]:
    """All people in one picture of `size` (height, width), RGB on black, the nearer before the farther, and
    where a person is.

    Nobody is a black picture and a mask without True. K is in pixels of the picture; nothing is drawn nearer
    than 0.05 m or farther than 100 m. Raises ValueError and OffscreenError as `draw_meshes` does.
    """
    return draw_meshes(people, LOOK, K, size)
