"""Painting by seed: a canvas measured in metres, and the materials, furniture and skies of which places are
made."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float

Colour = tuple[float, float, float]
"""sRGB, 0 to 255."""

_SHIFT = 4


class Canvas:
    """A picture of a rectangle of the world: x to the right, y up, in metres. A clear canvas starts with
    nothing on it and has an opacity, by which its colours are multiplied."""

    def __init__(
        self,
        left: float,
        bottom: float,
        right: float,
        top: float,
        scale: float,
        colour: Colour | None = (255, 255, 255),
    ) -> None:
        self.left, self.bottom, self.right, self.top = left, bottom, right, top
        width, height = max(2, round((right - left) * scale)), max(2, round((top - bottom) * scale))
        self.scale = scale
        self.clear = colour is None
        self.picture = np.zeros((height, width, 4 if colour is None else 3), np.uint8)
        if colour is not None:
            self.picture[:] = np.clip(np.rint(colour), 0, 255)

    def _ink(self, colour: Colour) -> tuple[int, ...]:
        ink = tuple(min(max(round(value), 0), 255) for value in colour)
        return (*ink, 255) if self.clear else ink

    def _pixels(self, points: Sequence[tuple[float, float]] | np.ndarray) -> np.ndarray:
        places = np.asarray(points, float)
        pixels = np.stack([places[:, 0] - self.left, self.top - places[:, 1]], axis=1) * self.scale
        return np.rint((pixels - 0.5) * 2**_SHIFT).astype(np.int32)

    def polygon(self, points: Sequence[tuple[float, float]] | np.ndarray, colour: Colour) -> None:
        """Fill a polygon."""
        cv2.fillPoly(self.picture, [self._pixels(points)], self._ink(colour), cv2.LINE_AA, _SHIFT)

    def rectangle(self, left: float, bottom: float, right: float, top: float, colour: Colour) -> None:
        """Fill a rectangle."""
        rows, columns = self._window(left, bottom, right, top)
        self.picture[rows, columns] = self._ink(colour)

    def line(self, points: Sequence[tuple[float, float]] | np.ndarray, width: float, colour: Colour) -> None:
        """Draw a line of the given width through points."""
        thickness = max(1, round(width * self.scale))
        cv2.polylines(
            self.picture, [self._pixels(points)], False, self._ink(colour), thickness, cv2.LINE_AA, _SHIFT
        )

    def strokes(self, ends: Float[np.ndarray, "strokes 2 2"], width: float, colour: Colour) -> None:
        """Draw many straight lines at once, each from its first end to its second."""
        thickness = max(1, round(width * self.scale))
        lines = self._pixels(ends.reshape(-1, 2)).reshape(-1, 2, 2)
        cv2.polylines(self.picture, list(lines), False, self._ink(colour), thickness, cv2.LINE_AA, _SHIFT)

    def disc(self, x: float, y: float, radius: float, colour: Colour, high: float | None = None) -> None:
        """Fill a circle, or an ellipse of the given half height."""
        middle = [(x - self.left) * self.scale - 0.5, (self.top - y) * self.scale - 0.5]
        centre = [round(value * 2**_SHIFT) for value in middle]
        wide, tall = (round(size * self.scale * 2**_SHIFT) for size in (radius, high or radius))
        ink = self._ink(colour)
        if wide == tall:
            cv2.circle(self.picture, centre, wide, ink, -1, cv2.LINE_AA, _SHIFT)
        else:
            cv2.ellipse(self.picture, centre, (wide, tall), 0, 0, 360, ink, -1, cv2.LINE_AA, _SHIFT)

    def _window(self, left: float, bottom: float, right: float, top: float) -> tuple[slice, slice]:
        height, width = self.picture.shape[:2]
        columns = [round((x - self.left) * self.scale) for x in (left, right)]
        rows = [round((self.top - y) * self.scale) for y in (top, bottom)]
        c0, c1 = (min(max(column, 0), width) for column in columns)
        r0, r1 = (min(max(row, 0), height) for row in rows)
        return slice(r0, r1), slice(c0, c1)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        height, width = self.picture.shape[:2]
        return int(height), int(width)

    def places(self) -> tuple[Float[np.ndarray, "1 width"], Float[np.ndarray, "height 1"]]:
        """x of each column and y of each row, in metres."""
        height, width = self.picture.shape[:2]
        x = self.left + (np.arange(width, dtype=np.float32) + 0.5) / self.scale
        y = self.top - (np.arange(height, dtype=np.float32) + 0.5) / self.scale
        return x[None], y[:, None]

    def multiply(
        self,
        factor: np.ndarray | float,
        window: tuple[float, float, float, float] | None = None,
    ) -> None:
        """Multiply the colours by one factor, or by one per pixel, or per pixel and colour; in a window
        (left, bottom, right, top) or everywhere."""
        part = self.picture if window is None else self.picture[self._window(*window)]
        factor = np.asarray(factor, np.float32)
        factor = factor[..., None] if factor.ndim == 2 else factor
        colours = part[..., :3] * factor
        part[..., :3] = np.clip(colours, 0, part[..., 3:] if self.clear else 255, out=colours)

    def mix(self, share: np.ndarray, colour: Colour) -> None:
        """Blend a colour in, by a share of each pixel."""
        share = np.clip(np.asarray(share, np.float32), 0, 1)[..., None]
        opaque = self.picture[..., 3:].astype(np.float32) / 255 if self.clear else np.float32(1)
        colours = self.picture[..., :3].astype(np.float32)
        self.picture[..., :3] = np.rint(colours + share * (np.array(colour, np.float32) * opaque - colours))

    def size_of(self, window: tuple[float, float, float, float]) -> tuple[int, int]:
        """Rows and columns of a window."""
        rows, columns = self._window(*window)
        return rows.stop - rows.start, columns.stop - columns.start

    def grain(
        self,
        rng: np.random.Generator,
        cell: tuple[float, float],
        strength: float,
        octaves: int = 3,
        window: tuple[float, float, float, float] | None = None,
    ) -> None:
        """Multiply by noise about 1 whose coarsest spots are `cell` metres wide and high."""
        height, width = self.picture.shape[:2] if window is None else self.size_of(window)
        if min(height, width) < 1:
            return
        spots = noise(rng, height, width, cell[0] * self.scale, cell[1] * self.scale, octaves)
        self.multiply(1 + strength * spots, window)


def noise(
    rng: np.random.Generator, height: int, width: int, across: float, down: float, octaves: int = 3
) -> Float[np.ndarray, "height width"]:
    """Smooth noise in about [-1, 1] whose coarsest spots are `across` by `down` pixels; each octave is half
    as large and 0.6 times as strong."""
    total = np.zeros((height, width), np.float32)
    strength, strengths = 1.0, 0.0
    for octave in range(octaves):
        columns = max(2, min(width, round(width / max(across / 2**octave, 1.0)) + 1))
        rows = max(2, min(height, round(height / max(down / 2**octave, 1.0)) + 1))
        coarse = rng.uniform(-1, 1, (rows, columns)).astype(np.float32)
        total += strength * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        strengths += strength
        strength *= 0.6
    return total / np.float32(0.75 * strengths)


def varied(rng: np.random.Generator, colour: Colour, amount: float, hue: float = 0.0) -> Colour:
    """The colour, lighter or darker by up to a share, and each channel by another."""
    whole, *each = rng.uniform(-1, 1, 4).tolist()
    red, green, blue = (
        min(max(value * (1 + amount * whole + hue * own), 0.0), 255.0)
        for value, own in zip(colour, each, strict=True)
    )
    return (red, green, blue)


def pick(rng: np.random.Generator, colours: Sequence[Colour], amount: float = 0.1) -> Colour:
    """One of the colours, a little varied."""
    return varied(rng, colours[int(rng.integers(len(colours)))], amount, 0.04)


PAINTS: tuple[Colour, ...] = (
    (214, 208, 196), (198, 204, 206), (206, 190, 164), (176, 190, 180), (186, 176, 188), (222, 216, 208),
    (160, 178, 192), (196, 170, 150), (152, 160, 150),
)  # fmt: skip
STRONG: tuple[Colour, ...] = (
    (170, 60, 50), (52, 92, 140), (60, 120, 84), (214, 160, 50), (84, 66, 110), (40, 110, 120),
    (190, 110, 60), (70, 74, 82), (150, 48, 84),
)  # fmt: skip
WOODS: tuple[Colour, ...] = ((164, 124, 84), (128, 88, 58), (188, 152, 112), (98, 68, 50), (176, 134, 98))
FACADES: tuple[Colour, ...] = (
    (196, 178, 150), (172, 110, 84), (206, 196, 180), (150, 146, 140), (186, 150, 110), (164, 172, 176),
    (212, 204, 190), (150, 96, 78),
)  # fmt: skip


def planks(canvas: Canvas, rng: np.random.Generator, colour: Colour, wide: float, long: float) -> None:
    """Boards that run away from the viewer."""
    for x in np.arange(canvas.left, canvas.right, wide):
        start = canvas.bottom - long * rng.random()
        for y in np.arange(start, canvas.top, long):
            canvas.rectangle(x, y, x + wide, y + long, varied(rng, colour, 0.13, 0.02))
            canvas.rectangle(x, y, x + wide, y + 0.006, darker(colour))
        canvas.rectangle(x, canvas.bottom, x + 0.006, canvas.top, darker(colour))
    canvas.grain(rng, (0.03, 0.8), 0.09, 3)
    canvas.grain(rng, (1.5, 1.5), 0.06, 2)


def darker(colour: Colour, share: float = 0.62) -> Colour:
    """The colour times a share."""
    return (colour[0] * share, colour[1] * share, colour[2] * share)


def tiles(
    canvas: Canvas,
    rng: np.random.Generator,
    colour: Colour,
    size: tuple[float, float],
    joint: float,
    *,
    window: tuple[float, float, float, float] | None = None,
    variation: float = 0.06,
    shifted: bool = False,
    second: Colour | None = None,
) -> None:
    """Tiles, slabs or (shifted by half a tile in every second row) bricks, with joints between them; of two
    colours as a chessboard, if a second one is given."""
    left, bottom, right, top = window or (canvas.left, canvas.bottom, canvas.right, canvas.top)
    canvas.rectangle(left, bottom, right, top, darker(colour, 0.72))
    for row, y in enumerate(np.arange(bottom, top, size[1])):
        start = left - (0.5 * size[0] if shifted and row % 2 else 0.0)
        for column, x in enumerate(np.arange(start, right, size[0])):
            chosen = second if second is not None and (row + column) % 2 else colour
            canvas.rectangle(
                max(x, left), y, min(x + size[0] - joint, right), min(y + size[1] - joint, top),
                varied(rng, chosen, variation, 0.3 * variation),
            )  # fmt: skip


def grass(canvas: Canvas, rng: np.random.Generator, colour: Colour) -> None:
    """A lawn."""
    canvas.rectangle(canvas.left, canvas.bottom, canvas.right, canvas.top, colour)
    canvas.grain(rng, (2.5, 2.5), 0.16, 3)
    area = (canvas.right - canvas.left) * (canvas.top - canvas.bottom)
    for tone in np.linspace(0.65, 1.3, 14):
        count = round(20 * area)
        roots = rng.uniform((canvas.left, canvas.bottom), (canvas.right, canvas.top), (count, 2))
        tips = roots + rng.uniform((-0.03, 0.02), (0.03, 0.07), (count, 2))
        ink = (colour[0] * tone * 1.02, colour[1] * tone, colour[2] * tone * 0.9)
        canvas.strokes(np.stack([roots, tips], axis=1), 0.006, ink)
    canvas.grain(rng, (0.06, 0.06), 0.14, 2)


def speckles(canvas: Canvas, rng: np.random.Generator, strength: float, coarse: float = 0.08) -> None:
    """Asphalt, concrete, carpet or sand: fine grains and large stains."""
    height, width = canvas.picture.shape[:2]
    fine = rng.normal(0.0, 1.0, (height, width)).astype(np.float32)
    canvas.multiply(1 + strength * cv2.GaussianBlur(fine, (0, 0), 0.7))
    canvas.grain(rng, (1.6, 1.6), coarse, 4)


def folds(
    canvas: Canvas, rng: np.random.Generator, window: tuple[float, float, float, float], wide: float
) -> None:
    """Shade a window as a curtain that hangs in folds."""
    rows, columns = canvas.size_of(window)
    if min(rows, columns) < 1:
        return
    x = np.linspace(window[0], window[2], columns, dtype=np.float32)[None]
    drop = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    sway = noise(rng, 1, columns, 0.7 * canvas.scale, 1.0, 3)
    wave = np.sin(2 * np.pi * x / wide + 5 * sway + 0.5 * drop * noise(rng, 1, columns, canvas.scale, 1.0, 1))
    canvas.multiply(0.84 + 0.22 * wave - 0.10 * (wave < -0.6) + 0.05 * (1 - drop), window)


def poster(canvas: Canvas, rng: np.random.Generator, x: float, y: float, wide: float, high: float) -> None:
    """A framed picture with shapes or a landscape, by its lower left corner."""
    canvas.rectangle(x + 0.015, y - 0.02, x + wide + 0.02, y + high, (110, 106, 100))
    canvas.rectangle(x, y, x + wide, y + high, pick(rng, [(60, 48, 40), (230, 228, 222), (30, 30, 32)], 0.05))
    edge = 0.06 * min(wide, high)
    left, bottom, right, top = x + edge, y + edge, x + wide - edge, y + high - edge
    canvas.rectangle(left, bottom, right, top, pick(rng, PAINTS))
    if rng.random() < 0.5:
        for _ in range(int(rng.integers(3, 8))):
            size = rng.uniform(0.08, 0.22) * min(wide, high)
            canvas.disc(
                rng.uniform(left + size, right - size), rng.uniform(bottom + size, top - size), size,
                pick(rng, STRONG),
            )  # fmt: skip
        return
    for share, colour in ((0.62, (150, 170, 160)), (0.45, (110, 136, 104)), (0.25, (86, 104, 72))):
        steps = np.linspace(left, right, 24)
        ridge = bottom + (top - bottom) * (share + 0.07 * np.sin(rng.uniform(0, 6) + 9 * steps / wide))
        points = [(left, bottom), *zip(steps, ridge, strict=True), (right, bottom)]
        canvas.polygon(points, varied(rng, colour, 0.1, 0.05))


def window_pane(
    canvas: Canvas,
    rng: np.random.Generator,
    box: tuple[float, float, float, float],
    frame: Colour,
    outside: Colour,
    columns: int = 2,
    rows: int = 1,
) -> None:
    """A window with a bright (or, by night, dark) outside behind its bars."""
    left, bottom, right, top = box
    canvas.rectangle(left - 0.06, bottom - 0.06, right + 0.06, top + 0.06, frame)
    canvas.rectangle(left, bottom, right, top, outside)
    steps = np.linspace(left, right, 30)
    height = top - bottom
    for share, tone in ((0.5, 0.86), (0.3, 0.72)):
        ridge = bottom + height * (share + 0.06 * rng.normal(0, 1, 30).cumsum() / 3)
        ridge = np.clip(ridge, bottom, top)
        canvas.polygon(
            [(left, bottom), *zip(steps, ridge, strict=True), (right, bottom)],
            (outside[0] * tone * 0.93, outside[1] * tone, outside[2] * tone * 0.9),
        )
    for x in np.linspace(left, right, columns + 1):
        canvas.rectangle(x - 0.025, bottom, x + 0.025, top, frame)
    for y in np.linspace(bottom, top, rows + 1):
        canvas.rectangle(left, y - 0.025, right, y + 0.025, frame)
    canvas.rectangle(left - 0.12, bottom - 0.10, right + 0.12, bottom - 0.05, darker(frame, 0.92))


def door(canvas: Canvas, x: float, colour: Colour, wide: float = 0.9, high: float = 2.05) -> None:
    """A door with two panels and a handle, by its left edge, standing on the canvas's zero."""
    canvas.rectangle(x - 0.08, 0, x + wide + 0.08, high + 0.08, darker(colour, 0.85))
    canvas.rectangle(x, 0, x + wide, high, colour)
    for bottom, top in ((0.2, 0.95), (1.12, high - 0.18)):
        canvas.rectangle(x + 0.15, bottom, x + wide - 0.15, top, darker(colour, 0.8))
        canvas.rectangle(x + 0.17, bottom, x + wide - 0.15, top - 0.02, darker(colour, 0.95))
    canvas.rectangle(x + wide - 0.13, 1.0, x + wide - 0.03, 1.03, (150, 146, 138))


def books(
    canvas: Canvas, rng: np.random.Generator, left: float, bottom: float, right: float, high: float
) -> None:
    """A row of books on a shelf."""
    x = left
    while x < right - 0.05:
        wide, tall = rng.uniform(0.02, 0.05), high * rng.uniform(0.6, 0.95)
        if rng.random() < 0.08:
            x += rng.uniform(0.05, 0.2)
            continue
        colour = pick(rng, (*STRONG, *PAINTS), 0.2)
        canvas.rectangle(x, bottom, min(x + wide, right), bottom + tall, colour)
        canvas.rectangle(
            x, bottom + 0.7 * tall, min(x + wide, right), bottom + 0.76 * tall, darker(colour, 1.25)
        )
        canvas.rectangle(x + wide - 0.004, bottom, min(x + wide, right), bottom + tall, darker(colour))
        x += wide


def foliage(
    canvas: Canvas,
    rng: np.random.Generator,
    middle: tuple[float, float],
    radii: tuple[float, float],
    colour: Colour,
    leaves: int,
    leaf: float,
) -> None:
    """A crown of leaves: spots from dark (below, behind) to light (above, in front)."""
    angle = rng.uniform(0, 2 * np.pi, leaves)
    lobes = 1 + 0.16 * np.sin(5 * angle + rng.uniform(0, 6)) + 0.10 * np.sin(9 * angle + rng.uniform(0, 6))
    out = np.sqrt(rng.random(leaves)) * lobes
    x, y = middle[0] + radii[0] * out * np.cos(angle), middle[1] + radii[1] * out * np.sin(angle)
    for spot in range(leaves):
        done = spot / leaves
        tone = 0.45 + 0.45 * done + 0.22 * (y[spot] - middle[1]) / radii[1] + 0.12 * rng.uniform(-1, 1)
        size = leaf * (1.6 - done) * rng.uniform(0.7, 1.3)
        ink = (colour[0] * tone, colour[1] * tone, colour[2] * tone)
        canvas.disc(float(x[spot]), float(y[spot]), size, ink)


def tree(rng: np.random.Generator, high: float, scale: float) -> Canvas:
    """A leafy tree on a clear canvas; its trunk stands at (0, 0)."""
    wide = high * rng.uniform(0.62, 0.85)
    canvas = Canvas(-0.62 * wide, 0.0, 0.62 * wide, 1.06 * high, scale, None)
    bark = varied(rng, (92, 76, 60), 0.2)
    fork = 0.42 * high
    canvas.polygon([(-0.028 * high, 0), (0.028 * high, 0), (0.014 * high, fork), (-0.014 * high, fork)], bark)
    for _ in range(7):
        canvas.line(
            [(0, 0.8 * fork), (rng.uniform(-0.35, 0.35) * wide, rng.uniform(1.2, 1.8) * fork)],
            0.02 * high,
            bark,
        )
    canvas.grain(rng, (0.05, 0.6), 0.2, 2)
    green = pick(rng, [(104, 132, 62), (84, 116, 58), (126, 140, 70), (96, 122, 76)], 0.15)
    foliage(canvas, rng, (0, 0.66 * high), (0.48 * wide, 0.34 * high), green, 2600, 0.016 * high)
    return canvas


def bush(rng: np.random.Generator, wide: float, high: float, scale: float) -> Canvas:
    """A bush or a plant without a pot on a clear canvas; it stands at (0, 0)."""
    canvas = Canvas(-0.6 * wide, 0.0, 0.6 * wide, 1.15 * high, scale, None)
    green = pick(rng, [(92, 120, 58), (72, 104, 60), (112, 128, 66)], 0.15)
    foliage(canvas, rng, (0, 0.45 * high), (0.44 * wide, 0.5 * high), green, 1300, 0.028 * high)
    return canvas


def house_plant(rng: np.random.Generator, high: float, scale: float) -> Canvas:
    """A potted plant on a clear canvas; it stands at (0, 0)."""
    canvas = Canvas(-0.5 * high, 0.0, 0.5 * high, 1.02 * high, scale, None)
    green = pick(rng, [(76, 116, 66), (96, 128, 74), (60, 98, 62)], 0.15)
    pot = pick(rng, [(176, 104, 72), (226, 222, 214), (84, 86, 90)], 0.1)
    for leaf in range(26):
        lean, long = rng.uniform(-1.1, 1.1), rng.uniform(0.45, 0.78) * high
        along = np.linspace(0, 1, 9)
        x = long * np.sin(lean) * along**1.4
        y = 0.26 * high + long * np.cos(lean) * along - 0.15 * long * abs(lean) * along**2
        wide = 0.05 * high * np.sin(np.pi * np.clip(along, 0.04, 0.97)) ** 0.7
        tone = 0.6 + 0.5 * leaf / 26
        edge = [*zip(x - wide, y, strict=True), *zip((x + wide)[::-1], y[::-1], strict=True)]
        canvas.polygon(edge, (green[0] * tone, green[1] * tone, green[2] * tone))
    half, low = 0.15 * high, 0.11 * high
    canvas.polygon([(-half, 0.28 * high), (half, 0.28 * high), (low, 0.0), (-low, 0.0)], pot)
    canvas.rectangle(-1.1 * half, 0.25 * high, 1.1 * half, 0.30 * high, darker(pot, 0.85))
    return canvas


def facade(
    rng: np.random.Generator, wide: float, high: float, scale: float, *, night: bool, shop: bool
) -> Canvas:
    """The front of a house, from the ground up."""
    wall = pick(rng, FACADES, 0.12)
    canvas = Canvas(0.0, 0.0, wide, high, scale, wall)
    if rng.random() < 0.35:
        tiles(canvas, rng, wall, (0.25, 0.085), 0.014, shifted=True, variation=0.14)
    canvas.grain(rng, (2.0, 3.0), 0.06, 4)
    storey, bay = rng.uniform(2.9, 3.6), rng.uniform(1.9, 2.8)
    bays = max(1, round(wide / bay))
    glass, lit = (92.0, 108.0, 120.0), (236.0, 196.0, 120.0)
    frame = pick(rng, [(226, 222, 212), (86, 74, 62), (60, 66, 70)], 0.05)
    tall = rng.uniform(1.4, 1.9)
    half = 0.5 * rng.uniform(0.9, 1.3)
    for floor, ground in enumerate(np.arange(0.0 if not shop else storey, high - 0.8 * storey, storey)):
        canvas.rectangle(0, ground - 0.06, wide, ground + 0.06, darker(wall, 0.86))
        for number in range(bays):
            x, y = (number + 0.5) * wide / bays, ground + 0.9
            if floor == 0 and not shop and number == bays // 2:
                door(canvas, x - 0.5, pick(rng, STRONG), 1.0, 2.2)
                continue
            shown = (
                lit
                if night and rng.random() < 0.4
                else darker(glass, 0.35)
                if night
                else varied(rng, glass, 0.25)
            )
            canvas.rectangle(x - half - 0.1, y - 0.12, x + half + 0.1, y + tall + 0.1, darker(wall, 1.12))
            canvas.rectangle(x - half, y, x + half, y + tall, frame)
            canvas.rectangle(x - half + 0.06, y + 0.06, x + half - 0.06, y + tall - 0.06, shown)
            if rng.random() < 0.5:
                curtain = rng.uniform(0.15, 0.4) * half * 2
                canvas.rectangle(
                    x - half + 0.06, y + 0.06, x - half + curtain, y + tall - 0.06, darker(shown, 1.25)
                )
            canvas.rectangle(x - 0.03, y, x + 0.03, y + tall, frame)
            canvas.rectangle(x - half - 0.15, y - 0.18, x + half + 0.15, y - 0.1, darker(wall, 0.75))
    if shop:
        awning = pick(rng, STRONG)
        canvas.rectangle(0.2, 0.0, wide - 0.2, storey - 0.5, (58, 56, 54))
        for x in np.arange(0.4, wide - 1.6, 2.1):
            shown = lit if night else varied(rng, (120, 130, 132), 0.2)
            canvas.rectangle(x, 0.35, x + 1.9, storey - 0.9, shown)
            books(canvas, rng, x + 0.1, 0.38, x + 1.8, 0.9)
        for number, x in enumerate(np.arange(0.2, wide - 0.2, 0.3)):
            colour = awning if number % 2 else (232.0, 228.0, 220.0)
            canvas.rectangle(x, storey - 1.0, x + 0.3, storey - 0.45, colour)
        canvas.rectangle(0.2, storey - 0.45, wide - 0.2, storey, darker(awning, 0.7))
        for x in np.arange(0.5 * wide - 1.0, 0.5 * wide + 1.0, 0.22):
            canvas.rectangle(x, storey - 0.33, x + 0.13, storey - 0.12, (236, 230, 214))
    canvas.rectangle(0, high - 0.4, wide, high, darker(wall, 0.78))
    canvas.rectangle(0, high - 0.45, wide, high - 0.4, darker(wall, 0.5))
    canvas.rectangle(0, 0, wide, 0.45, darker(wall, 0.7))
    return canvas


def sky(
    rng: np.random.Generator, width: float, high: float, scale: float, *, night: bool, glow: float | None
) -> Canvas:
    """The sky with clouds, from a little below the horizon up; `glow` is where the sun stands low."""
    canvas = Canvas(-0.5 * width, -4.0, 0.5 * width, high, scale)
    x, y = canvas.places()
    up = np.clip(y / high, 0, 1)
    low: Colour = (46, 50, 66) if night else (206, 222, 234)
    top: Colour = (10, 14, 28) if night else varied(rng, (96, 146, 204), 0.12)
    share = (up**0.7)[..., None]
    colours = np.broadcast_to(
        np.array(low, np.float32) * (1 - share) + np.array(top, np.float32) * share, canvas.picture.shape
    )
    canvas.picture[:] = colours.astype(np.uint8)
    rows, columns = canvas.picture.shape[:2]
    cover = rng.uniform(-0.15, 0.5)
    clouds = noise(rng, rows, columns, 36 * scale, 11 * scale, 6) + 0.4 * noise(
        rng, rows, columns, 90 * scale, 25 * scale, 2
    )
    white = (60.0, 62.0, 74.0) if night else (244.0, 244.0, 244.0)
    canvas.mix(0.9 * np.clip(1.3 * (clouds - 0.35 + cover), 0, 1) ** 1.2, white)
    canvas.mix(
        0.35 * np.clip(1.3 * (clouds - 0.75 + cover), 0, 1),
        (40.0, 42.0, 50.0) if night else (190.0, 196.0, 206.0),
    )
    if glow is not None:
        away = np.hypot(x - glow, 1.4 * (y - 22)) / 60
        canvas.mix(0.85 * np.exp(-((away / 0.7) ** 2)) * np.ones_like(x), (255, 246, 222))
    return canvas


def ridge(
    canvas: Canvas, rng: np.random.Generator, low: float, high: float, colour: Colour, rough: float
) -> None:
    """Hills (rough 0) or a far wood (rough 1) along the horizon of a sky."""
    count = 700
    x = np.linspace(canvas.left, canvas.right, count)
    shape = noise(rng, 1, count, 120, 1, 2)[0] + rough * 0.5 * noise(rng, 1, count, 14, 1, 4)[0]
    y = low + (high - low) * np.clip(0.5 + 0.4 * shape, 0, 1.2)
    canvas.polygon(
        [(canvas.left, canvas.bottom), *zip(x, y, strict=True), (canvas.right, canvas.bottom)], colour
    )
