"""The hands condition: posed hands, the right in red and the left in green, drawn as RealisDance's released
scripts draw HaMeR's meshes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from renderers.lit_meshes import Look, PosedMesh, Vector, draw_meshes

RIGHT_COLOUR, LEFT_COLOUR = (255, 128, 128), (128, 255, 128)
"""(1, .5, .5) and (.5, 1, .5) in whole numbers, as the meshes that are drawn there hold them."""

MANO_WRIST: Int[np.ndarray, "14 3"] = np.array(
    [
        *([92, 38, 234], [234, 38, 239], [38, 122, 239], [239, 122, 279], [122, 118, 279]),
        *([279, 118, 215], [118, 117, 215], [215, 117, 214], [117, 119, 214], [214, 119, 121]),
        *([119, 120, 121], [121, 120, 78], [120, 108, 78], [78, 108, 79]),
    ]
)
"""The triangles that close the wrist of MANO's right hand, as HaMeR's renderer (MIT) adds them; a left hand's
are `MANO_WRIST[:, [0, 2, 1]]`."""
MANO_WRIST.flags.writeable = False


@dataclass(frozen=True)
class Hand:
    """A hand in metres in OpenCV's camera axes (x right, y down, z ahead).

    The wrist is closed, and a triangle's corners run anticlockwise as seen from outside, for a mirrored hand
    too.
    """

    vertices: Float[np.ndarray, "vertices 3"]
    triangles: Int[np.ndarray, "triangles 3"]
    is_right: bool


def draw_hands(
    hands: Sequence[Hand], K: Float[np.ndarray, "3 3"], size: tuple[int, int]
) -> tuple[UInt8[np.ndarray, "height width 3"], Bool[np.ndarray, "height width"]]:
    """All hands in one picture of `size` (height, width), RGB on black, the nearer before the farther, and
    where a hand is.

    No hand is a black picture and a mask without True. K is in pixels of the picture; nothing is drawn nearer
    than 0.05 m. Raises ValueError and OffscreenError as `draw_meshes` does.
    """
    colours = [np.array(RIGHT_COLOUR if hand.is_right else LEFT_COLOUR, np.uint8) for hand in hands]
    meshes = [
        PosedMesh(hand.vertices, hand.triangles, np.broadcast_to(colour, hand.vertices.shape))
        for hand, colour in zip(hands, colours, strict=True)
    ]
    return draw_meshes(meshes, LOOK, K, size)


def _raymond() -> tuple[Vector, ...]:
    """Towards three lights 30 degrees off the camera's axis, evenly around it."""
    off, around = math.pi / 6, (0.0, 2 * math.pi / 3, 4 * math.pi / 3)
    return tuple(
        (math.sin(off) * math.cos(angle), math.sin(off) * math.sin(angle), math.cos(off)) for angle in around
    )


def _circle_point(number: int) -> Vector:
    """The place of one of five lights on a circle, 0.5 m from the camera and 60 degrees above it."""
    angle, above, distance = 2 * math.pi * number / 5, math.pi / 3, 0.5
    level = distance * math.cos(above)
    return level * math.sin(angle), distance * math.sin(above), level * math.cos(angle)


LOOK = Look(
    smooth=True,
    ambient=0.3,
    directions=(*_raymond(), (0.0, 0.0, 1.0)),
    points=((0.0, 0.0, 0.0), *(_circle_point(number) for number in (0, 2, 3))),
    far=1e12,
)
"""The scripts set nine directional and six point lights; of each kind pyrender takes the four nearest to the
origin: the directional lights whose poses are not moved, the point light at the camera, and those three of
the five on the circle that single precision puts nearest."""
