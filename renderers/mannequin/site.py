"""What a place is put together from while it is painted: floor, walls, sky, and things that stand there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

from renderers.mannequin.paint import (
    Canvas,
    Colour,
    sky,
    varied,
)
from renderers.mannequin.panels import Panel
from renderers.mannequin.scene import SIDE_WALL, Scene

_BEHIND = -18.0
"""How far behind the camera the side walls go on (y in metres)."""


class Site:
    """What a place is put together from, while it is painted."""

    def __init__(self, scene: Scene, detail: float) -> None:
        self.scene = scene
        self.rng = np.random.default_rng(scene.seed)
        self.fine = 190 * detail
        self.medium = 90 * detail
        self.coarse = 34 * detail
        self.night = scene.lighting == "low"
        self.wall = scene.wall
        self.ceiling = scene.ceiling
        self.skies: list[Panel] = []
        self.grounds: list[Panel] = []
        self.walls: list[Panel] = []
        self.things: list[Panel] = []
        self.key = scene.lights[0].direction
        self._walled = not scene.outdoor or scene.background == "brick_wall"

    def outside(self) -> Colour:
        """What shines through a window."""
        return (26.0, 32.0, 50.0) if self.night else varied(self.rng, (226, 236, 244), 0.05)

    def toned(self, canvas: Canvas, share: float = 1.0) -> UInt8[np.ndarray, "rows columns channels"]:
        """The canvas's picture in the place's light, times a share."""
        tone = np.array(self.scene.tint, np.float32) * np.float32(self.scene.brightness * share)
        canvas.multiply(np.broadcast_to(tone, (1, 1, 3)))
        return canvas.picture

    def _pool(self, canvas: Canvas, middle: tuple[float, float], radius: tuple[float, float]) -> None:
        """Light that is strongest about a place, and falls off around it: more in a dark place."""
        depth = {"bright": 0.14, "soft": 0.10, "hard": 0.34, "backlit": 0.2, "low": 0.55}[self.scene.lighting]
        x, y = canvas.places()
        away = ((x - middle[0]) / radius[0]) ** 2 + ((y - middle[1]) / radius[1]) ** 2
        canvas.multiply(1.05 - depth * (1 - 1 / (1 + away)))

    # Planes

    def floor(self, canvas: Canvas) -> None:
        """The ground everywhere, mirrored on where the canvas ends."""
        if not self.scene.outdoor:
            self._pool(canvas, (0.4 * self.key[0], -0.5), (5.0, 4.0))
        corner = (canvas.left, canvas.top, 0.0)
        picture = self.toned(canvas)
        endless = (True, not self._walled, True, True)
        self.grounds.append(Panel(picture, corner, (1, 0, 0), (0, -1, 0), canvas.scale, endless=endless))

    def floor_canvas(self, colour: Colour) -> Canvas:
        """Where a floor is painted, up to the wall or, outdoors, about the people."""
        far = self.wall if self._walled else 7.0
        return Canvas(-5.5, far - 11.0, 5.5, far, self.fine * 0.85, colour)

    def lie(self, canvas: Canvas) -> None:
        """Something flat on the ground."""
        corner = (canvas.left, canvas.top, 0.0)
        self.grounds.append(Panel(self.toned(canvas), corner, (1, 0, 0), (0, -1, 0), canvas.scale))

    def back_canvas(self, colour: Colour, top: float | None = None) -> Canvas:
        """Where the back wall is painted: x and height."""
        top = min(self.ceiling, 12.0) if top is None else top
        return Canvas(-SIDE_WALL, 0.0, SIDE_WALL, top, self.fine, colour)

    def back(self, canvas: Canvas) -> None:
        """The back wall; outdoors it goes on to the sides and up."""
        self._pool(canvas, (-1.2 * self.key[0], 1.7), (4.5, 2.4))
        if not self.scene.outdoor:
            x, y = canvas.places()
            corner = (
                np.exp(-y / 0.25) + np.exp(-(canvas.top - y) / 0.3) + np.exp(-(SIDE_WALL - np.abs(x)) / 0.35)
            )
            canvas.multiply(1 - 0.16 * corner)
        place = (canvas.left, self.wall, canvas.top)
        picture = self.toned(canvas)
        outdoor = self.scene.outdoor
        endless = (outdoor, outdoor, outdoor, False)
        self.walls.append(Panel(picture, place, (1, 0, 0), (0, 0, -1), canvas.scale, endless=endless))

    def side_canvas(self, colour: Colour) -> Canvas:
        """Where a side wall is painted: metres from its far end, negative, and height."""
        return Canvas(_BEHIND - self.wall, 0.0, 0.0, min(self.ceiling, 12.0), self.medium, colour)

    def sides(self, paint: Callable[[Canvas], None], colour: Colour) -> None:
        """Both side walls. The canvas's x is 0 at the back wall's corner."""
        for sign in (-1.0, 1.0):
            canvas = self.side_canvas(colour)
            paint(canvas)
            # Light from the left falls on the right wall.
            canvas.multiply(0.86 + 0.12 * sign * self.key[0])
            x, y = canvas.places()
            canvas.multiply(1 - 0.16 * (np.exp(-y / 0.25) + np.exp(x / 0.35)))
            picture = self.toned(canvas)
            corner = (-SIDE_WALL, _BEHIND, canvas.top) if sign < 0 else (SIDE_WALL, self.wall, canvas.top)
            if sign > 0:
                picture = np.ascontiguousarray(picture[:, ::-1])
            across = (0, -sign, 0)
            self.walls.append(Panel(picture, corner, across, (0, 0, -1), canvas.scale))

    def roof(self, paint: Callable[[Canvas], None], colour: Colour) -> None:
        """The ceiling; the canvas's y is the world's."""
        canvas = Canvas(-SIDE_WALL, self.wall - 12.0, SIDE_WALL, self.wall, self.coarse * 1.6, colour)
        paint(canvas)
        picture = np.ascontiguousarray(self.toned(canvas)[::-1])
        corner = (-SIDE_WALL, canvas.bottom, self.ceiling)
        endless = (True, True, True, False)
        self.skies.append(Panel(picture, corner, (1, 0, 0), (0, 1, 0), canvas.scale, endless=endless))

    def open_sky(self, paint: Callable[[Canvas], None]) -> None:
        """The sky far away, with what `paint` adds along its horizon."""
        glow = None
        if self.scene.lighting == "backlit":
            glow = -110 * self.key[0] / max(-self.key[1], 0.3)
        canvas = sky(self.rng, 460.0, 120.0, 5.0 * self.fine / 190, night=self.night, glow=glow)
        paint(canvas)
        if not self.night:
            _, y = canvas.places()
            haze = 0.45 * np.exp(-np.clip(y, 0, None) / 7) * np.ones((1, canvas.picture.shape[1]))
            canvas.mix(haze, (206, 214, 222))
        canvas.multiply(np.broadcast_to(np.array(self.scene.tint, np.float32), (1, 1, 3)))
        if not self.night:
            canvas.multiply(min(1.0, 0.25 + 0.75 * self.scene.brightness))
        picture = cv2.GaussianBlur(canvas.picture, (0, 0), 0.8)
        place = (canvas.left, 120.0, canvas.top)
        endless = (True, True, True, False)
        self.skies.append(Panel(picture, place, (1, 0, 0), (0, 0, -1), canvas.scale, endless=endless))

    # Things

    def shade(self, left: float, right: float, near: float, far: float, strength: float = 0.5) -> None:
        """The dark under a thing that stands on the ground."""
        edge = 0.25
        canvas = Canvas(left - edge, near - edge, right + edge, far + edge, self.coarse, None)
        canvas.rectangle(left - 0.04, near - 0.08, right + 0.04, far + 0.04, (0, 0, 0))
        dark = cv2.GaussianBlur(canvas.picture, (0, 0), 0.09 * canvas.scale)
        dark[..., 3] = (dark[..., 3] * strength).astype(np.uint8)
        corner = (canvas.left, canvas.top, 0.0)
        self.grounds.append(Panel(dark, corner, (1, 0, 0), (0, -1, 0), canvas.scale))

    def stand(self, canvas: Canvas, x: float, y: float, z: float = 0.0, *, lit: bool = True) -> None:
        """A flat thing that faces the camera; its canvas's (0, 0) comes to (x, y, z)."""
        corner = (x + canvas.left, y, z + canvas.top)
        picture = self.toned(canvas) if lit else canvas.picture
        self.things.append(Panel(picture, corner, (1, 0, 0), (0, 0, -1), canvas.scale))

    def in_light(self, canvas: Canvas) -> Canvas:
        """The canvas in the place's light, for several copies."""
        self.toned(canvas)
        return canvas

    def stand_copy(self, kinds: Sequence[Canvas], x: float, y: float, size: float) -> None:
        """One of several things already in the place's light, perhaps mirrored, enlarged by a factor."""
        canvas = kinds[int(self.rng.integers(len(kinds)))]
        picture = canvas.picture[:, ::-1] if self.rng.random() < 0.5 else canvas.picture
        wide = 0.5 * (canvas.right - canvas.left) * size
        corner = (x - wide, y, size * canvas.top)
        scale = canvas.scale / size
        self.things.append(Panel(np.ascontiguousarray(picture), corner, (1, 0, 0), (0, 0, -1), scale))

    def box(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        z: tuple[float, float],
        colour: Colour,
        paint: Callable[[Canvas], None] | None = None,
        *,
        scale: float | None = None,
        paint_side: Callable[[Canvas], None] | None = None,
        shade: bool = True,
    ) -> None:
        """A block. `paint` paints its front over the colour (the canvas begins at 0 in its lower left
        corner)."""
        scale = self.medium if scale is None else scale
        wide, deep, high = x[1] - x[0], y[1] - y[0], z[1] - z[0]
        anchor = (0.5 * (x[0] + x[1]), 0.5 * (y[0] + y[1]), 0.5 * (z[0] + z[1]))
        down = (0.0, 0.0, -1.0)
        turned = self.key[0]
        faces = [
            (wide, (x[0], y[0], z[1]), (1.0, 0.0, 0.0), 1.0),
            (deep, (x[0], y[1], z[1]), (0.0, -1.0, 0.0), 0.78 + 0.12 * turned),
            (deep, (x[1], y[0], z[1]), (0.0, 1.0, 0.0), 0.78 - 0.12 * turned),
        ]
        for number, (size, corner, across, light) in enumerate(faces):
            canvas = Canvas(0.0, 0.0, size, high, scale, colour)
            canvas.grain(self.rng, (0.4, 0.4), 0.05, 3)
            painter = paint if number == 0 else paint_side
            if painter is not None:
                painter(canvas)
            picture = self.toned(canvas, light)
            self.things.append(Panel(picture, corner, across, down, canvas.scale, anchor=anchor))
        lid = Canvas(0.0, 0.0, wide, deep, scale, colour)
        lid.grain(self.rng, (0.4, 0.4), 0.05, 3)
        picture = self.toned(lid, 1.12)
        corner = (x[0], y[1], z[1])
        self.things.append(Panel(picture, corner, (1, 0, 0), (0, -1, 0), lid.scale, anchor=anchor))
        if shade and z[0] < 0.3:
            self.shade(x[0], x[1], y[0], y[1])

    def somewhere(self, low: float, high: float) -> float:
        """A number between two."""
        return float(self.rng.uniform(low, high))
