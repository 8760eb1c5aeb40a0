"""Cloth by colour and pattern: what a fabric looks like, as a picture that repeats; fabrics drawn by seed.

Dimension names: height 256, width 256 (pixels of the picture).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from scipy.ndimage import gaussian_filter

Colour = tuple[float, float, float]

PATTERNS = ("plain", "melange", "denim", "across", "along", "checks", "dots", "emblem")
"""`across` and `along` are stripes round the body and down it; `emblem` is a print on the chest."""

_SIZE = 256
_EMBLEM_REPEAT = 1.0

CLOTH_COLOURS: tuple[tuple[Colour, float], ...] = (
    ((0.09, 0.09, 0.10), 3.0),
    ((0.93, 0.92, 0.89), 3.0),
    ((0.45, 0.46, 0.48), 2.0),
    ((0.68, 0.68, 0.68), 1.5),
    ((0.12, 0.16, 0.28), 2.5),
    ((0.25, 0.38, 0.58), 2.0),
    ((0.56, 0.69, 0.82), 1.2),
    ((0.60, 0.12, 0.14), 1.3),
    ((0.36, 0.10, 0.16), 1.0),
    ((0.80, 0.34, 0.26), 0.7),
    ((0.89, 0.66, 0.22), 0.7),
    ((0.90, 0.83, 0.60), 0.6),
    ((0.20, 0.33, 0.24), 1.0),
    ((0.42, 0.46, 0.30), 1.0),
    ((0.30, 0.55, 0.50), 0.8),
    ((0.77, 0.68, 0.55), 1.2),
    ((0.40, 0.29, 0.21), 0.9),
    ((0.85, 0.65, 0.66), 0.8),
    ((0.50, 0.35, 0.52), 0.6),
)
"""Everyday colours of clothes, sRGB, and how common each is."""

TROUSER_COLOURS: tuple[tuple[Colour, float], ...] = (
    ((0.10, 0.10, 0.11), 3.0),
    ((0.14, 0.18, 0.30), 2.5),
    ((0.24, 0.31, 0.43), 2.5),
    ((0.42, 0.51, 0.62), 1.2),
    ((0.32, 0.33, 0.35), 2.0),
    ((0.60, 0.60, 0.60), 0.8),
    ((0.72, 0.63, 0.49), 1.5),
    ((0.38, 0.37, 0.28), 1.0),
    ((0.36, 0.27, 0.21), 0.8),
    ((0.88, 0.87, 0.83), 0.8),
    ((0.42, 0.14, 0.17), 0.4),
)

LEATHER_COLOURS: tuple[tuple[Colour, float], ...] = (
    ((0.08, 0.08, 0.08), 2.0),
    ((0.30, 0.19, 0.12), 1.5),
    ((0.45, 0.33, 0.22), 0.7),
)
SOLE_COLOURS: tuple[tuple[Colour, float], ...] = (
    ((0.92, 0.91, 0.88), 3.0),
    ((0.12, 0.12, 0.12), 1.0),
    ((0.60, 0.45, 0.30), 0.5),
)
SOCK_COLOURS: tuple[tuple[Colour, float], ...] = (
    ((0.92, 0.92, 0.90), 2.0),
    ((0.10, 0.10, 0.11), 2.0),
    ((0.40, 0.40, 0.45), 1.0),
)


@dataclass(frozen=True)
class Fabric:
    """A pattern of PATTERNS, its ground and second colour (sRGB in [0, 1]), how many metres a picture covers,
    and the seed of its irregularities."""

    pattern: str = "plain"
    colour: Colour = (0.45, 0.46, 0.48)
    second: Colour = (0.93, 0.92, 0.89)
    repeat: float = 0.2
    grain: int = 0


def draw_colour(rng: np.random.Generator, colours: tuple[tuple[Colour, float], ...]) -> Colour:
    """One of some weighted colours, a little off."""
    shares = np.array([share for _, share in colours])
    colour = np.array(colours[rng.choice(len(colours), p=shares / shares.sum())][0])
    red, green, blue = np.clip(colour * rng.uniform(0.88, 1.1) + rng.normal(0, 0.02, 3), 0.04, 0.96)
    return (round(float(red), 3), round(float(green), 3), round(float(blue), 3))


def draw_fabric(
    rng: np.random.Generator,
    patterns: dict[str, float],
    colours: tuple[tuple[Colour, float], ...] = CLOTH_COLOURS,
) -> Fabric:
    """A fabric in one of the weighted patterns, whose two colours can be told apart."""
    shares = np.array(list(patterns.values()))
    pattern = list(patterns)[rng.choice(len(patterns), p=shares / shares.sum())]
    colour = draw_colour(rng, colours)
    others = [draw_colour(rng, CLOTH_COLOURS) for _ in range(3)]
    second = max(others, key=lambda other: float(np.abs(np.subtract(colour, other)).sum()))
    repeat = {
        "across": rng.uniform(0.10, 0.40),
        "along": rng.uniform(0.08, 0.24),
        "checks": rng.uniform(0.10, 0.32),
        "dots": rng.uniform(0.08, 0.24),
        "emblem": _EMBLEM_REPEAT,
    }.get(pattern, 0.2)
    return Fabric(pattern, colour, second, round(float(repeat), 3), int(rng.integers(1 << 31)))


def pattern_picture(fabric: Fabric) -> UInt8[np.ndarray, "height width 3"] | None:
    """The picture of a fabric, whose opposite edges meet; None if it is plain."""
    if fabric.pattern == "plain":
        return None
    rng = np.random.default_rng(fabric.grain)
    share = _share_of_second(fabric.pattern, rng)
    picture = np.array(fabric.colour) * (1 - share[..., None]) + np.array(fabric.second) * share[..., None]
    if fabric.pattern in ("melange", "denim"):
        picture = picture * (1 + _grain(fabric.pattern, rng)[..., None])
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def _share_of_second(pattern: str, rng: np.random.Generator) -> Float[np.ndarray, "height width"]:
    """How much of the second colour each pixel has."""
    down, right = (np.mgrid[:_SIZE, :_SIZE] + 0.5) / _SIZE
    count = int(rng.integers(2, 5))
    thickness = rng.uniform(0.2, 0.5)
    if pattern == "across":
        return _band(down * count, thickness)
    if pattern == "along":
        return _band(right * 2 * count, 0.3 * thickness + 0.05)
    if pattern == "checks":
        both = _band(down * count, thickness) + _band(right * count, thickness)
        return 0.45 * both
    if pattern == "dots":
        row = np.floor(down * 2 * count)
        x, y = (right * count + 0.5 * (row % 2)) % 1 - 0.5, (down * 2 * count) % 1 - 0.5
        return _edge(0.55 * thickness - np.hypot(x, 0.5 * y))
    if pattern == "emblem":
        return _emblem(_EMBLEM_REPEAT * (right - 0.5), _EMBLEM_REPEAT * (0.5 - down), rng)
    return np.zeros((_SIZE, _SIZE))


def _edge(inside: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    """1 inside, 0 outside, with an edge of some pixels that does not flicker."""
    return np.clip(0.5 + 20 * inside, 0, 1)


def _band(phase: Float[np.ndarray, "height width"], thickness: float) -> Float[np.ndarray, "height width"]:
    return _edge(thickness / 2 - np.abs(phase % 1 - 0.5))


def _emblem(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Float[np.ndarray, "height width"]:
    """A print, the same on the left and on the right; x and y in metres from its middle."""
    size = rng.uniform(0.06, 0.12)
    x, y = np.abs(x) / size, y / size
    kind = rng.integers(5)
    if kind == 0:
        inside = np.minimum(1 - np.hypot(x, y), np.abs(np.hypot(x, y) - 0.72) - 0.08)
    elif kind == 1:
        inside = 1 - x - np.abs(y)
    elif kind == 2:
        angle = np.arctan2(x, y) % (2 * np.pi / 5)
        inside = 0.38 - np.hypot(x, y) * np.cos(2 * np.pi / 5 - np.abs(angle - np.pi / 5))
    elif kind == 3:
        inside = np.minimum(1.2 - x, 0.11 - np.abs((y + 0.1) % 0.5 - 0.25))
        inside = np.minimum(inside, 0.5 - np.abs(y))
    else:
        inside = np.minimum(1 - x, 0.6 - np.abs(y))
        inside = np.minimum(inside, np.maximum(np.hypot(x - 0.4, y) - 0.3, 0.16 - np.hypot(x - 0.4, y)))
    return np.clip(0.5 + 15 * inside, 0, 1)


def _grain(pattern: str, rng: np.random.Generator) -> Float[np.ndarray, "height width"]:
    spread = (0.8, 3.0) if pattern == "melange" else (2.5, 0.6)
    grain = gaussian_filter(rng.normal(size=(_SIZE, _SIZE)), spread, mode="wrap")
    return 0.05 * grain / grain.std()
