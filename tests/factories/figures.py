"""Made meshes of the sizes of SMPL-X and MANO: bodies and hands put together of capsules, in another pose in
each frame, and cameras that see them as RealisDance's estimators do: from far away, through a long lens.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int

from renderers.hands import Hand
from renderers.lit_meshes import PosedMesh

SIZE = (768, 512)
"""Height and width of the picture that the cameras are for."""


def camera(focal: float) -> Float[np.ndarray, "3 3"]:
    """K, in pixels of a picture of SIZE."""
    return np.array([[focal, 0, SIZE[1] / 2], [0, focal, SIZE[0] / 2], [0, 0, 1.0]])


BODY_CAMERA = camera(10_700.0)
"""A body 28 m away is 650 pixels high."""
HAND_CAMERA = camera(5000 / 256 * SIZE[0])
"""A hand 13 m away is about 200 pixels long."""

_LIMBS = (
    *(((0.0, -0.72, 0.0), (0.0, -0.62, 0.0), 0.10), ((0.0, -0.35, 0.0), (0.0, 0.05, 0.0), 0.17)),
    *(((0.2, -0.4, 0.0), (0.55, 0.05, -0.1), 0.05), ((-0.2, -0.4, 0.0), (-0.5, -0.85, -0.1), 0.05)),
    *(((0.1, 0.1, 0.0), (0.2, 0.78, 0.0), 0.08), ((-0.1, 0.1, 0.0), (-0.15, 0.78, 0.1), 0.08)),
)
"""Head, trunk, arms and legs: from, to, radius, in metres."""

_FINGERS = (
    ((0.0, -0.02, 0.0), (0.0, 0.03, 0.0), 0.035),
    *(((x, -0.04, 0.0), (1.6 * x, -0.11, -0.02), 0.009) for x in (-0.03, -0.01, 0.01, 0.03)),
    ((0.03, 0.02, 0.0), (0.075, -0.03, -0.01), 0.011),
)
"""Palm, four fingers and thumb."""


def made_body(frame: int = 0, *, distance: float = 28.0, rings: int = 26, sectors: int = 67) -> PosedMesh:
    """10,464 vertices and 20,904 triangles with so many rings and sectors (SMPL-X: 10,475 and 20,908)."""
    vertices, triangles = capsules(_LIMBS, rings, sectors)
    height = vertices[:, 1]
    place = waved(vertices, frame) + np.array([0.0, 0.0, distance])
    hues = np.stack([np.cos(2 * math.pi * (height + third / 3)) for third in range(3)], axis=1)
    return PosedMesh(place, triangles, np.round(127.5 * (1 + hues)).astype(np.uint8))


def made_hand(frame: int = 0, *, is_right: bool = True, distance: float = 13.0) -> Hand:
    """780 vertices and 1,536 triangles (MANO with its wrist closed: 778 and 1,552)."""
    vertices, triangles = capsules(_FINGERS, 8, 16)
    place = waved(vertices, frame)
    if not is_right:
        place, triangles = place * (-1.0, 1.0, 1.0), triangles[:, [0, 2, 1]]
    return Hand(place + np.array([0.0, 0.0, distance]), triangles, is_right)


def waved(vertices: Float[np.ndarray, "vertices 3"], frame: int) -> Float[np.ndarray, "vertices 3"]:
    """A turn that differs from frame to frame and along the body."""
    angle = 0.5 * np.sin(0.3 * frame + 2 * vertices[:, 1])
    x, y, z = vertices.T
    return np.stack([np.cos(angle) * x + np.sin(angle) * z, y, np.cos(angle) * z - np.sin(angle) * x], axis=1)


def capsules(
    bones: tuple[tuple[tuple[float, float, float], tuple[float, float, float], float], ...],
    rings: int,
    sectors: int,
) -> tuple[Float[np.ndarray, "vertices 3"], Int[np.ndarray, "triangles 3"]]:
    """One closed surface around each bone, its triangles anticlockwise as seen from outside."""
    around = 2 * math.pi * np.arange(sectors) / sectors
    along = math.pi * (np.arange(rings) + 0.5) / rings
    here = np.arange(rings * sectors).reshape(rings, sectors)
    right = np.roll(here, -1, axis=1)
    first_pole, last_pole = rings * sectors, rings * sectors + 1
    triangles = np.concatenate(
        [
            np.stack([here[:-1], right[:-1], here[1:]], -1).reshape(-1, 3),
            np.stack([right[:-1], right[1:], here[1:]], -1).reshape(-1, 3),
            np.stack([np.full(sectors, first_pole), right[0], here[0]], -1),
            np.stack([np.full(sectors, last_pole), here[-1], right[-1]], -1),
        ]
    )
    all_vertices: list[np.ndarray] = []
    all_triangles: list[np.ndarray] = []
    for start, end, radius in bones:
        axis = np.subtract(end, start)
        length = float(np.linalg.norm(axis))
        axis = axis / length
        side = np.cross(axis, (0.0, 0.0, 1.0) if abs(axis[2]) < 0.9 else (1.0, 0.0, 0.0))
        side /= np.linalg.norm(side)
        forward = np.cross(axis, side)
        out = side * np.cos(around)[:, None] + forward * np.sin(around)[:, None]
        middle = np.asarray(start) + axis * (length * (1 - np.cos(along)) / 2)[:, None]
        tip = -radius * np.cos(along)
        ring = middle + axis * tip[:, None]
        surface = ring[:, None] + radius * np.sin(along)[:, None, None] * out
        poles = np.stack([np.asarray(start) - axis * radius, np.asarray(end) + axis * radius])
        all_triangles.append(triangles + (rings * sectors + 2) * len(all_vertices))
        all_vertices.append(np.concatenate([surface.reshape(-1, 3), poles]))
    return np.concatenate(all_vertices), np.concatenate(all_triangles)
