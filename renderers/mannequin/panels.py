"""Flat pictures that stand or lie in the world, and how a camera sees them: each is projected by its own
homography out of a pyramid of sizes, so that a floor neither flickers nor smears towards the horizon.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from renderers.mannequin.camera import Camera

_NEAR = 0.05
_FAR = 500.0
_FINEST_BLOCK = 6
_CHANGE = 0.9
"""By how much, as a logarithm, the size of a pixel on a panel may differ between a block's two sides."""
_MANY = 4096.0


class Panel:
    """A painted rectangle. Its picture is sRGB, with a fourth channel of opacity (colours multiplied by it)
    where one sees past it.

    `corner` is the world place of the picture's upper left corner; `across` and `down` are unit vectors along
    its rows and columns; `scale` is texels a metre. Where the panel is `endless` (left, top, right, bottom)
    it goes on as mirrored copies. It is seen from its front only. `anchor` is where it stands, for drawing
    what is farther first: panels that belong to one thing share it.
    """

    def __init__(
        self,
        picture: UInt8[np.ndarray, "height width channels"],
        corner: tuple[float, float, float],
        across: tuple[float, float, float],
        down: tuple[float, float, float],
        scale: float,
        *,
        endless: tuple[bool, bool, bool, bool] = (False, False, False, False),
        anchor: tuple[float, float, float] | None = None,
    ) -> None:
        self.picture = picture
        self.corner, self.across, self.down = np.array(corner), np.array(across), np.array(down)
        self.scale = scale
        self.endless = endless
        self.normal = np.cross(self.down, self.across)
        width, height = picture.shape[1] / scale, picture.shape[0] / scale
        middle = self.corner + 0.5 * width * self.across + 0.5 * height * self.down
        self.anchor = middle if anchor is None else np.array(anchor)
        self._size = (width, height)
        self._levels: dict[tuple[int, int], np.ndarray] = {(0, 0): picture}

    def homography(self, camera: Camera) -> Float[np.ndarray, "3 3"]:
        """From places on the panel (metres across and down from its corner, and 1) to pixels."""
        rotation, translation = camera.world_to_camera[:3, :3], camera.world_to_camera[:3, 3]
        columns = [rotation @ self.across, rotation @ self.down, rotation @ self.corner + translation]
        return camera.K @ np.stack(columns, axis=1)

    def outline(self, camera: Camera) -> Float[np.ndarray, "corners 2"]:
        """The pixels of the corners of what the camera sees of the panel; empty where it sees none."""
        eye = -camera.world_to_camera[:3, :3].T @ camera.world_to_camera[:3, 3]
        if (eye - self.corner) @ self.normal <= 0:
            return np.zeros((0, 2))
        foot = [(eye - self.corner) @ self.across, (eye - self.corner) @ self.down]
        edges = (0.0, 0.0, *self._size)
        far = (foot[0] - _FAR, foot[1] - _FAR, foot[0] + _FAR, foot[1] + _FAR)
        left, top, right, bottom = np.where(self.endless, far, edges)
        places = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        corners = self.corner + places[:, :1] * self.across + places[:, 1:] * self.down
        K, width, height = camera.K, camera.width, camera.height
        sides = np.array(
            [
                [0.0, 0.0, 1.0, -_NEAR],
                [K[0, 0], 0.0, K[0, 2] + 2, 0.0],
                [-K[0, 0], 0.0, width + 2 - K[0, 2], 0.0],
                [0.0, K[1, 1], K[1, 2] + 2, 0.0],
                [0.0, -K[1, 1], height + 2 - K[1, 2], 0.0],
            ]
        )
        seen = _clipped(camera.view(corners), sides)
        if len(seen) < 3:
            return np.zeros((0, 2))
        return seen[:, :2] / seen[:, 2:] * K[[0, 1], [0, 1]] + K[:2, 2]

    def level(self, across: int, down: int) -> UInt8[np.ndarray, "height width channels"]:
        """The picture made smaller 2 ** across times along its rows and 2 ** down times along its columns."""
        height, width = self.picture.shape[:2]
        key = (min(across, int(math.log2(width))), min(down, int(math.log2(height))))
        if key not in self._levels:
            size = (max(1, width >> key[0]), max(1, height >> key[1]))
            self._levels[key] = cv2.resize(self.picture, size, interpolation=cv2.INTER_AREA)
        return self._levels[key]


def _clipped(polygon: Float[np.ndarray, "corners 3"], sides: Float[np.ndarray, "sides 4"]) -> np.ndarray:
    """What of a convex polygon lies on the positive side of every plane."""
    for side in sides:
        if len(polygon) == 0:
            break
        level = polygon @ side[:3] + side[3]
        if (level >= 0).all():
            continue
        kept = []
        for start, end, here, there in zip(
            polygon, np.roll(polygon, -1, axis=0), level, np.roll(level, -1), strict=True
        ):
            if here >= 0:
                kept.append(start)
            if (here >= 0) != (there >= 0):
                kept.append(start + here / (here - there) * (end - start))
        polygon = np.array(kept).reshape(-1, 3)
    return polygon


def draw_panel(
    image: UInt8[np.ndarray, "height width 3"],
    panel: Panel,
    camera: Camera,
    defocus: float = 0.0,
    focus: float = 1.0,
) -> Cover | None:
    """Draw a panel over the image, and return what it covers, or None where it is not seen.

    A lens `defocus` metres wide, focused on what is `focus` metres away, blurs what is farther.
    """
    outline = panel.outline(camera)
    if len(outline) < 3:
        return None
    left, top = np.maximum(np.floor(outline.min(axis=0)).astype(int), 0)
    right, bottom = np.minimum(
        np.ceil(outline.max(axis=0)).astype(int) + 1, [camera.width, camera.height]
    ).tolist()
    if right - left < 1 or bottom - top < 1:
        return None
    # OpenCV draws with the first pixel's centre at 0, in sixteenths of a pixel.
    cover = np.zeros((bottom - top, right - left), np.uint8)
    drawn = np.rint((outline - 0.5 - [left, top]) * 16).astype(np.int32)
    cv2.fillConvexPoly(cover, drawn, 255, cv2.LINE_AA, 4)
    to_pixels = panel.homography(camera)
    blur = defocus * camera.K[0, 0] / focus
    border = cv2.BORDER_REFLECT if any(panel.endless) else cv2.BORDER_REPLICATE
    for block in _blocks(to_pixels, panel.scale, cover, left, top):
        x0, y0, x1, y1 = block.edges
        share = cover[y0 - top : y1 - top, x0 - left : x1 - left]
        circle = max(1.0, 0.5 * blur * max(0.0, 1 - focus / block.depth))
        levels = [max(0, round(math.log2(max(size * circle, 1e-6)) - 0.2)) for size in block.texels]
        texture = panel.level(*levels)
        size = np.array(texture.shape[1::-1]) / panel.picture.shape[1::-1] * panel.scale
        from_texels = np.array(
            [[1 / size[0], 0, 0.5 / size[0]], [0, 1 / size[1], 0.5 / size[1]], [0, 0, 1.0]]
        )
        to_block = np.array([[1.0, 0, -x0 - 0.5], [0, 1.0, -y0 - 0.5], [0, 0, 1.0]])
        seen = cv2.warpPerspective(
            texture,
            to_block @ to_pixels @ from_texels,
            (x1 - x0, y1 - y0),
            flags=cv2.INTER_LINEAR,
            borderMode=border,
        )
        _lay(image[y0:y1, x0:x1], seen, share)
    return Cover(left, top, cover)


@dataclass(frozen=True)
class Cover:
    """How much of each pixel something covers (255: all), in the part of the picture that begins at (left,
    top)."""

    left: int
    top: int
    share: UInt8[np.ndarray, "rows columns"]

    def within(self, mask: UInt8[np.ndarray, "height width"]) -> UInt8[np.ndarray, "rows columns"]:
        """The same part of a mask of the whole picture."""
        rows, columns = self.share.shape
        return mask[self.top : self.top + rows, self.left : self.left + columns]


def _lay(below: np.ndarray, seen: np.ndarray, share: np.ndarray) -> None:
    """Lay what is seen of a panel over a part of the picture; `share` becomes what it covers."""
    if seen.shape[2] == 3:
        if share.min() == 255:
            below[:] = seen
        else:
            weight = share.astype(np.float32) / 255
            below[:] = cv2.blendLinear(seen, np.ascontiguousarray(below), weight, 1 - weight)
        return
    if not seen[..., 3].any():
        share[:] = 0
        return
    if share.min() < 255:
        seen = cv2.multiply(seen, cv2.merge([share] * 4), scale=1 / 255)
    share[:] = seen[..., 3]
    rest = cv2.bitwise_not(seen[..., 3])
    behind = cv2.multiply(np.ascontiguousarray(below), cv2.merge([rest] * 3), scale=1 / 255)
    below[:] = cv2.add(behind, cv2.cvtColor(seen, cv2.COLOR_RGBA2RGB))


@dataclass(frozen=True)
class _Block:
    """A part of the picture (left, top, right, bottom): how many texels a pixel covers there along the
    panel's rows and columns, and how far away it is in metres."""

    edges: tuple[int, int, int, int]
    texels: tuple[float, float]
    depth: float


def _blocks(to_pixels: np.ndarray, scale: float, cover: np.ndarray, left: int, top: int) -> Iterator[_Block]:
    """What is covered, cut into blocks in each of which a pixel covers about equally many texels."""
    to_panel = np.linalg.inv(to_pixels)
    to_panel /= np.abs(to_panel).max()
    waiting = [(0, 0, cover.shape[1], cover.shape[0])]
    while waiting:
        x0, y0, x1, y1 = waiting.pop()
        if not cv2.hasNonZero(cover[y0:y1, x0:x1]):
            continue
        # The four corners, then the middle.
        x = left + np.array([x0, x1, x0, x1, 0.5 * (x0 + x1)])
        y = top + np.array([y0, y0, y1, y1, 0.5 * (y0 + y1)])
        at = np.stack([x, y, np.ones(5)], axis=1) @ to_panel.T
        beyond = np.where(np.abs(at[:, 2]) < 1e-12, 1e-12, at[:, 2])
        places = at / beyond[:, None]
        depths = places @ to_pixels[2]
        ahead = depths > _NEAR
        steps = (to_panel[None, :2, :2] - places[:, :2, None] * to_panel[None, 2:, :2]) / beyond[
            :, None, None
        ]
        # Beyond the horizon a pixel covers more than any.
        texels = np.where(ahead[:, None], np.sqrt((steps * steps).sum(axis=2)) * scale, _MANY)
        texels = np.clip(texels, 0.5, _MANY)
        upper, lower, before, after = (texels[pair].sum(axis=0) for pair in ([0, 1], [2, 3], [0, 2], [1, 3]))
        by_rows = float(np.abs(np.log(upper / lower)).max())
        by_columns = float(np.abs(np.log(before / after)).max())
        if by_rows >= by_columns:
            if by_rows > _CHANGE and y1 - y0 > _FINEST_BLOCK:
                middle = (y0 + y1) // 2
                waiting += [(x0, y0, x1, middle), (x0, middle, x1, y1)]
                continue
        elif by_columns > _CHANGE and x1 - x0 > _FINEST_BLOCK:
            middle = (x0 + x1) // 2
            waiting += [(x0, y0, middle, y1), (middle, y0, x1, y1)]
            continue
        best = 4 if ahead[4] else int(np.argmin(texels.sum(axis=1)))
        yield _Block(
            (left + x0, top + y0, left + x1, top + y1),
            (float(texels[best, 0]), float(texels[best, 1])),
            max(float(depths[best]), _NEAR) if ahead[best] else _FAR,
        )
