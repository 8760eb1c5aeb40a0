"""The empty place behind made people: rooms, streets and fields of painted panels, seen by a camera that may
move, and the shadows that people throw in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from renderers.mannequin.camera import Camera
from renderers.mannequin.indoors import INDOORS
from renderers.mannequin.outdoors import OUTDOORS
from renderers.mannequin.panels import Panel, draw_panel
from renderers.mannequin.scene import Scene
from renderers.mannequin.site import Site

_SHADOW_SCALE = 2
"""Shadows are drawn at this many pixels of the picture to one."""


class Backdrop:
    """A scene's place, painted once for pictures of a size."""

    def __init__(self, scene: Scene, width: int, height: int) -> None:
        self._scene = scene
        site = Site(scene, detail=float(np.clip(max(width, height) / 960, 0.5, 1.6)))
        (INDOORS | OUTDOORS)[scene.background](site)
        self._skies, self._grounds = site.skies, site.grounds
        self._walls, self._things = site.walls, site.things
        self._last: tuple[bytes, _View] | None = None

    def picture(self, camera: Camera) -> Float[np.ndarray, "height width 3"]:
        """The empty place as the camera sees it; sRGB in [0, 255], before the camera's gain and noise."""
        return self._view(camera).picture.copy()

    def shadowed(
        self,
        picture: Float[np.ndarray, "height width 3"],
        camera: Camera,
        parts: Sequence[Float[np.ndarray, "points 3"]],
    ) -> Float[np.ndarray, "height width 3"]:
        """The picture, darker where people's parts keep the key light off the floor and the wall, and where
        they stand. Each part is the points of something about convex: an upper arm, a foot, a prop."""
        view, scene = self._view(camera), self._scene
        shape = (-(-camera.height // _SHADOW_SCALE), -(-camera.width // _SHADOW_SCALE))
        key = np.array(scene.lights[0].direction)
        low = [part[part[:, 2] < 0.06] for part in parts]
        feet = [part for part in low if len(part) > 2]
        where = np.concatenate(list(parts)).mean(axis=0) if parts else np.zeros(3)
        metre = camera.K[1, 1] / max(float(camera.view(where)[2]), 0.5)
        soft = scene.shadow_softness * metre
        floor = np.array([0.0, 0.0, 1.0, 0.0])
        thrown = _thrown(camera, parts, key, floor, shape, soft)
        contact = _thrown(camera, feet, np.array([0.0, 0.0, -1.0]), floor, shape, 0.02 * metre)
        around = _softened(contact, max(0.07 * metre / _SHADOW_SCALE, 0.6))
        lit = 1 - scene.shadow_strength * thrown
        lit *= (1 - 0.35 * contact) * (1 - 0.45 * np.minimum(1.6 * around, 1))
        lost = view.floor * (1 - _enlarged(lit, camera))
        # A shadow on a wall is softer the farther the wall is from who throws it.
        reach = scene.wall - float(where[1])
        if key[1] > 0.05 and reach < 8 and view.wall.any():
            wall = np.array([0.0, -1.0, 0.0, scene.wall])
            spread = soft * (1 + 2 * max(reach, 0.0))
            on_wall = _thrown(camera, parts, key, wall, shape, spread)
            lost += view.wall * _enlarged(scene.shadow_strength * on_wall, camera)
        return picture * (1 - lost[..., None])

    def _view(self, camera: Camera) -> _View:
        size = np.array([camera.width, camera.height])
        key = size.tobytes() + camera.K.tobytes() + camera.world_to_camera.tobytes()
        if self._last is None or self._last[0] != key:
            self._last = (key, self._drawn(camera))
        return self._last[1]

    def _drawn(self, camera: Camera) -> _View:
        image = np.zeros((camera.height, camera.width, 3), np.uint8)
        eye = -camera.world_to_camera[:3, :3].T @ camera.world_to_camera[:3, 3]
        focus = max(0.5, float(camera.view(np.zeros(3))[2]))
        floor = np.zeros(image.shape[:2], np.uint8)
        wall = np.zeros(image.shape[:2], np.uint8)

        def draw(panel: Panel, over: np.ndarray | None, *hidden: np.ndarray) -> None:
            cover = draw_panel(image, panel, camera, self._scene.defocus, focus)
            if cover is None:
                return
            if over is not None:
                part = cover.within(over)
                np.maximum(part, cover.share, out=part)
            for mask in hidden:
                part = cover.within(mask)
                part[:] = cv2.subtract(np.ascontiguousarray(part), cover.share)

        for panel in self._skies:
            draw(panel, None)
        for panel in self._grounds:
            draw(panel, floor)
        for panel in self._walls:
            if panel.normal[1] < -0.5:
                draw(panel, wall, floor)
            else:
                draw(panel, None, wall, floor)
        for panel in sorted(self._things, key=lambda thing: -float(np.linalg.norm(thing.anchor - eye))):
            draw(panel, None, wall, floor)
        return _View(image.astype(np.float32), floor / np.float32(255), wall / np.float32(255))


@dataclass(frozen=True)
class _View:
    """What one camera sees: the picture, and how much of each pixel is floor and back wall."""

    picture: Float[np.ndarray, "height width 3"]
    floor: Float[np.ndarray, "height width"]
    wall: Float[np.ndarray, "height width"]


def _thrown(
    camera: Camera,
    parts: Sequence[Float[np.ndarray, "points 3"]],
    light: Float[np.ndarray, "3"],
    plane: Float[np.ndarray, "4"],
    shape: tuple[int, int],
    soft: float,
) -> Float[np.ndarray, "rows columns"]:
    """Where the parts' shadows fall on a plane (normal and offset), seen by the camera in a smaller picture:
    0 to 1, with an edge `soft` pixels of the full picture wide."""
    shadow = np.zeros(shape, np.uint8)
    normal, offset = plane[:3], plane[3]
    for points in parts:
        above = points @ normal + offset
        fallen = points[above > -0.02] - np.outer(above[above > -0.02] / (normal @ light), light)
        fallen = fallen[camera.view(fallen)[:, 2] > 0.3]
        if normal[2] == 0:
            fallen = fallen[fallen[:, 2] > -0.5]
        if len(fallen) > 2:
            pixels = (camera.project(fallen) / _SHADOW_SCALE - 0.5) * 16
            hull = cv2.convexHull(np.rint(np.clip(pixels, -30000, 30000)).astype(np.int32))
            cv2.fillConvexPoly(shadow, hull, 255, cv2.LINE_AA, 4)
    return _softened(shadow.astype(np.float32) / 255, max(soft / _SHADOW_SCALE, 0.6))


def _softened(share: Float[np.ndarray, "rows columns"], edge: float) -> Float[np.ndarray, "rows columns"]:
    """The shares blurred; by much, in a smaller picture."""
    rows, columns = share.shape
    smaller = int(edge / 2.5)
    if smaller < 2:
        return cv2.GaussianBlur(share, (0, 0), edge)
    size = (max(1, columns // smaller), max(1, rows // smaller))
    small = cv2.resize(share, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), edge / smaller)
    return cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR)


def _enlarged(share: np.ndarray, camera: Camera) -> Float[np.ndarray, "height width"]:
    size = (share.shape[1] * _SHADOW_SCALE, share.shape[0] * _SHADOW_SCALE)
    large = cv2.resize(share, size, interpolation=cv2.INTER_LINEAR)
    return large[: camera.height, : camera.width]
