"""The room behind a made person, drawn once for a camera: a wall with a skirting board and a picture, a
wooden floor, and where on that floor a shadow falls.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float

from renderers.mannequin.camera import Camera

WALL = 1.5
"""How far behind the person the wall is, in metres."""

_PLANK = (0.14, 1.1)


def paint_room(camera: Camera) -> Float[np.ndarray, "height width 3"]:
    """The empty room as the camera sees it; sRGB in [0, 255]. Every pixel's ray is followed to the wall or
    floor."""
    columns, rows = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    pixels = np.stack([columns, rows, np.ones_like(rows)], axis=-1)
    rotation, translation = camera.world_to_camera[:3, :3], camera.world_to_camera[:3, 3]
    rays = pixels @ np.linalg.inv(camera.K).T @ rotation
    eye = -rotation.T @ translation
    to_wall = (WALL - eye[1]) / rays[..., 1]
    at_wall = eye + to_wall[..., None] * rays
    with np.errstate(divide="ignore"):
        to_floor = np.where(rays[..., 2] < 0, -eye[2] / rays[..., 2], np.inf)
    on_floor = to_floor < to_wall
    at_floor = eye + np.where(on_floor, to_floor, 0.0)[..., None] * rays
    image = np.where(on_floor[..., None], _floor(at_floor), _wall(at_wall))
    return cv2.GaussianBlur(image, (0, 0), 0.7)


def _wall(points: np.ndarray) -> np.ndarray:
    x, z = points[..., 0], points[..., 2]
    light = 1.06 - 0.05 * (x + 1.2) ** 2 - 0.035 * (z - 1.9) ** 2
    colour = np.array([196.0, 190.0, 180.0]) * light[..., None]
    colour += 2.5 * (_noise(x * 40, z * 40) - 0.5)[..., None]
    lower = z < 0.12
    colour = np.where(lower[..., None], np.array([222.0, 219.0, 212.0]) * light[..., None], colour)
    colour = np.where((np.abs(z - 0.12) < 0.006)[..., None], 0.82 * colour, colour)
    across, up = np.abs(x - 0.78), np.abs(z - 1.75)
    frame = (across < 0.24) & (up < 0.32)
    picture = (across < 0.20) & (up < 0.28)
    hill = z < 1.68 + 0.05 * np.sin(9 * x) + 0.03 * np.sin(23 * x + 1)
    colour = np.where(frame[..., None], [92.0, 70.0, 54.0], colour)
    landscape = np.where(hill[..., None], [118.0, 138.0, 104.0], [190.0, 205.0, 210.0])
    return np.where(picture[..., None], landscape, colour)


def _floor(points: np.ndarray) -> np.ndarray:
    x, y = points[..., 0], points[..., 1]
    row = np.floor(x / _PLANK[0])
    along = y / _PLANK[1] + 0.37 * row
    plank = _noise(row * 7.3, np.floor(along) * 3.1, smooth=False)
    grain = _noise(x * 160, y * 9 + plank * 50)
    colour = np.array([158.0, 124.0, 92.0]) * (0.86 + 0.16 * plank + 0.10 * grain)[..., None]
    across_gap = np.abs(x / _PLANK[0] - np.round(x / _PLANK[0])) * _PLANK[0] < 0.003
    along_gap = np.abs(along - np.round(along)) * _PLANK[1] < 0.004
    gap = (across_gap | along_gap)[..., None]
    return np.where(gap, 0.72 * colour, colour) * (1.0 - 0.05 * np.clip(y, 0, 2))[..., None]


def _noise(x: np.ndarray, y: np.ndarray, *, smooth: bool = True) -> np.ndarray:
    """Value noise in [0, 1]: a hash of the lattice, and between lattice points a blend."""

    def hashed(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return np.modf(np.abs(np.sin(i * 12.9898 + j * 78.233) * 43758.5453))[0]

    i, j = np.floor(x), np.floor(y)
    if not smooth:
        return hashed(i, j)
    u, v = x - i, y - j
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    top = hashed(i, j) * (1 - u) + hashed(i + 1, j) * u
    bottom = hashed(i, j + 1) * (1 - u) + hashed(i + 1, j + 1) * u
    return top * (1 - v) + bottom * v


def floor_shadow(
    camera: Camera, parts: list[Float[np.ndarray, "points 3"]], light: Float[np.ndarray, "3"], blur: float
) -> Float[np.ndarray, "height width"]:
    """How much of the light each pixel of the floor loses, in [0, 1]: the hulls of the parts, thrown along
    the light.

    `light` points from the light to the person; `blur` is the softness of the shadow's edge in pixels.
    """
    shadow = np.zeros((camera.height, camera.width), np.float32)
    for points in parts:
        thrown = points - (points[:, 2:] / light[2]) * light
        thrown = thrown[thrown[:, 1] < WALL]
        if len(thrown) > 2:
            hull = cv2.convexHull(np.round(camera.project(thrown)).astype(np.int32))
            cv2.fillConvexPoly(shadow, hull, 1.0)
    return cv2.GaussianBlur(shadow, (0, 0), blur)
