"""What a made person stands in: which place, how it is lit, and how the camera exposes it, drawn by seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

INDOOR = ("room", "studio", "office", "kitchen", "dance_studio", "stage", "gym", "classroom")
OUTDOOR = ("street", "park", "beach", "square", "brick_wall", "car_park")
BACKGROUNDS: tuple[str, ...] = INDOOR + OUTDOOR

LIGHTINGS = ("bright", "soft", "hard", "backlit", "low")
"""Well lit from the front, evenly lit, lit from one side with deep shadows, lit from behind, and a dark place
with a noisy camera."""

SIDE_WALL = 5.0
"""How far the side walls of an indoor place are from its middle, in metres; the camera stays between them."""


@dataclass(frozen=True)
class Light:
    """Light from far away: the direction in which it travels (of unit length), its colour (sRGB in [0, 1])
    and pyrender's intensity, of which about pi makes a white surface white."""

    direction: tuple[float, float, float]
    colour: tuple[float, float, float]
    intensity: float


@dataclass(frozen=True)
class Scene:
    """A place and its light. The first light is the key light: it throws the shadows.

    `ambient` lights every surface alike (linear, per colour). `gain` and `noise` belong to the camera: the
    finished picture is multiplied by the one, and gets noise of the other's standard deviation in grey
    levels. `shadow_strength` in [0, 1] is how much of the light a shadow takes away, `shadow_softness` the
    width of its edge in metres on the floor. `wall` is how far behind the origin the back wall (outdoors: the
    first things that stand there) begins, in metres; `ceiling` is how high the place is, or infinity.
    `brightness` and `tint` are how light and in what colour the empty place is seen; `defocus` is how much of
    a metre the lens's opening is wide, which blurs what is far behind the people.
    """

    background: str
    lighting: str
    seed: int
    lights: tuple[Light, ...]
    ambient: tuple[float, float, float]
    gain: float
    noise: float
    shadow_strength: float
    shadow_softness: float
    wall: float
    ceiling: float
    brightness: float
    tint: tuple[float, float, float]
    defocus: float

    @property
    def outdoor(self) -> bool:
        """Whether the sky is above."""
        return self.background in OUTDOOR


@dataclass(frozen=True)
class _Style:
    """Ranges of what a kind of lighting draws. `side` and `rise` say from where the key light comes: degrees
    from straight before the people, and above the floor."""

    side: tuple[float, float]
    rise: tuple[float, float]
    key: tuple[float, float]
    fill: tuple[float, float]
    rim: tuple[float, float]
    ambient: tuple[float, float]
    gain: tuple[float, float]
    noise: tuple[float, float]
    shadow: tuple[float, float]
    softness: tuple[float, float]
    brightness: tuple[float, float]


_STYLES = {
    "bright": _Style(
        side=(15, 50), rise=(38, 58), key=(2.6, 3.2), fill=(1.0, 1.4), rim=(0.6, 1.2), ambient=(0.22, 0.28),
        gain=(0.95, 1.08), noise=(0.5, 2.0), shadow=(0.35, 0.5), softness=(0.03, 0.08),
        brightness=(0.92, 1.05),
    ),
    "soft": _Style(
        side=(5, 35), rise=(45, 65), key=(1.7, 2.2), fill=(1.3, 1.8), rim=(0.4, 0.9), ambient=(0.32, 0.42),
        gain=(0.9, 1.05), noise=(0.5, 2.5), shadow=(0.15, 0.26), softness=(0.12, 0.25),
        brightness=(0.85, 1.0),
    ),
    "hard": _Style(
        side=(55, 80), rise=(28, 45), key=(3.6, 4.4), fill=(0.25, 0.5), rim=(0.0, 0.4), ambient=(0.08, 0.13),
        gain=(0.92, 1.08), noise=(0.8, 3.0), shadow=(0.55, 0.7), softness=(0.008, 0.02),
        brightness=(0.7, 0.9),
    ),
    "backlit": _Style(
        side=(140, 170), rise=(30, 50), key=(3.0, 3.8), fill=(0.8, 1.2), rim=(0.5, 1.0), ambient=(0.16, 0.22),
        gain=(0.9, 1.05), noise=(1.0, 3.5), shadow=(0.4, 0.55), softness=(0.03, 0.08),
        brightness=(0.95, 1.12),
    ),
    "low": _Style(
        side=(25, 65), rise=(35, 60), key=(1.1, 1.6), fill=(0.2, 0.45), rim=(0.1, 0.5), ambient=(0.07, 0.12),
        gain=(0.65, 0.85), noise=(5.0, 11.0), shadow=(0.3, 0.5), softness=(0.06, 0.15),
        brightness=(0.5, 0.65),
    ),
}  # fmt: skip

_WALLS = {
    "room": (2.9, 4.2), "studio": (3.2, 4.5), "office": (3.2, 5.0), "kitchen": (3.3, 4.2),
    "dance_studio": (3.2, 5.0), "stage": (3.2, 5.0), "gym": (4.0, 7.0), "classroom": (3.2, 4.8),
    "street": (9.0, 16.0), "park": (7.0, 12.0), "beach": (9.0, 16.0), "square": (12.0, 24.0),
    "brick_wall": (2.8, 3.6), "car_park": (7.0, 10.0),
}  # fmt: skip

_CEILINGS = {
    "studio": (4.5, 6.0), "dance_studio": (3.2, 4.2), "stage": (5.5, 7.0), "gym": (6.5, 8.5),
    "office": (2.7, 3.1), "classroom": (2.9, 3.4),
}  # fmt: skip


def draw_scene(rng: np.random.Generator, background: str, lighting: str) -> Scene:
    """A scene of the given kinds. Raises KeyError for a kind that there is not."""
    style, walls = _STYLES[lighting], _WALLS[background]
    indoor = background in INDOOR

    def drawn(bounds: tuple[float, float]) -> float:
        return float(rng.uniform(*bounds))

    warm = drawn((-1.0, 1.0)) + {"low": 0.9 if indoor else -1.2}.get(lighting, 0.0)
    sign = 1.0 if rng.random() < 0.5 else -1.0
    side, rise = sign * np.radians(drawn(style.side)), np.radians(drawn(style.rise))
    lights = (
        Light(_travelling(side, rise), _white(warm + 0.3), drawn(style.key)),
        Light(_travelling(-sign * np.radians(drawn((30, 60))), 0.5), _white(warm - 0.8), drawn(style.fill)),
        Light(_travelling(-sign * np.radians(drawn((140, 165))), 0.8), _white(warm), drawn(style.rim)),
    )
    level = drawn(style.ambient)
    tint = _white(0.5 * warm)
    ambient = _white(0.5 * warm - (0.0 if indoor else 0.6))
    ceiling = drawn(_CEILINGS.get(background, (2.55, 2.95))) if indoor else np.inf
    return Scene(
        background=background,
        lighting=lighting,
        seed=int(rng.integers(2**31)),
        lights=lights,
        ambient=(level * ambient[0], level * ambient[1], level * ambient[2]),
        gain=drawn(style.gain),
        noise=drawn(style.noise),
        shadow_strength=drawn(style.shadow),
        shadow_softness=drawn(style.softness),
        wall=drawn(walls),
        ceiling=ceiling,
        brightness=drawn(style.brightness),
        tint=tint,
        defocus=drawn((0.0, 0.012)),
    )


def _travelling(side: float, rise: float) -> tuple[float, float, float]:
    """The direction of light that comes from an angle beside straight before the people, and from above."""
    return (
        float(-np.sin(side) * np.cos(rise)),
        float(np.cos(side) * np.cos(rise)),
        float(-np.sin(rise)),
    )


def _white(warm: float) -> tuple[float, float, float]:
    """White light, from bluish (-2) to yellowish (2)."""
    return (min(1.0, 1.0 + 0.05 * warm), 1.0 - 0.015 * abs(warm), min(1.0, 1.0 - 0.09 * warm))
