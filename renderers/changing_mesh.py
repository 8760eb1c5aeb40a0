"""A mesh of pyrender whose points, normals and colours can be replaced while it stays on the card.

pyrender's own way to change a mesh is to make it anew: its buffers are then freed, made and bound for every
frame. Import this module after `renderers.offscreen.choose_platform`, as it imports pyrender.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from OpenGL import GL
from pyrender.constants import GLTF
from pyrender.primitive import Primitive


class ChangingMesh(Primitive):  # type: ignore[misc]
    """Triangles between `point_count` points, which are all at the origin and white until `change` is called.

    Without `triangles` each three points are one. A mesh has normals, or texture coordinates, from the
    beginning or never.
    """

    _positions: Any
    _normals: Any
    _texcoord_0: Any
    _color_0: Any

    def __init__(
        self,
        point_count: int,
        triangles: Int[np.ndarray, "triangles 3"] | None = None,
        *,
        has_normals: bool = False,
        texture_coordinates: Float[np.ndarray, "points 2"] | None = None,
        material: Any = None,
    ) -> None:
        super().__init__(
            positions=np.zeros((point_count, 3)),
            normals=np.zeros((point_count, 3)) if has_normals else None,
            texcoord_0=texture_coordinates,
            color_0=np.ones((point_count, 4)),
            indices=triangles,
            material=material,
            mode=GLTF.TRIANGLES,
        )
        # pyrender's attributes become parts of the one array that is copied to the card as it is.
        parts = [self._positions, self._normals, self._texcoord_0, self._color_0]
        self._numbers = np.hstack([part for part in parts if part is not None], dtype=np.float32)
        after_normals = 6 if has_normals else 3
        self._positions = self._numbers[:, :3]
        self._normals = self._numbers[:, 3:6] if has_normals else None
        self._texcoord_0 = self._numbers[:, after_normals:-4] if texture_coordinates is not None else None
        self._color_0 = self._numbers[:, -4:]

    def change(
        self,
        positions: Float[np.ndarray, "points 3"],
        normals: Float[np.ndarray, "points 3"] | None = None,
        colours: Float[np.ndarray, "points 3"] | None = None,
    ) -> None:
        """Where the points are now, in metres, their normals, and their colours in [0, 1]; what is not given
        stays. On the card the change is made at once, so the context must be current."""
        changes = ((self._positions, positions), (self._normals, normals), (self._color_0, colours))
        for part, numbers in changes:
            if numbers is not None:
                # NumPy is several times as fast at long columns as at rows of three.
                for axis in range(3):
                    part[:, axis] = numbers[:, axis]
        self._bounds = None
        if self._in_context():
            GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self._buffers[0])
            GL.glBufferSubData(GL.GL_ARRAY_BUFFER, 0, self._numbers.nbytes, self._numbers)
