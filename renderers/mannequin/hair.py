"""Hair, beards and headwear: the scalp let out, curtains, tails and buns of hair, caps and scarves; by seed.

The face stays free: hair ends at the hairline, a fringe at the brows.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, UInt8
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.sparse import csr_array

from renderers.mannequin.drape import (
    bone_weights,
    folded,
    hang_from,
    let_out,
    smoothstep,
    tinted,
)
from renderers.mannequin.fabric import CLOTH_COLOURS, Colour, draw_colour
from renderers.mannequin.person import BODY_VERTICES, Person, Shape
from renderers.mannequin.surface import Surface, cut, part_of, refined, smoothed

STYLES = ("bald", "shaved", "crop", "short", "bob", "long", "bun", "ponytail")
HEADWEAR = ("none", "cap", "beanie", "headscarf")

_COLOURS: tuple[tuple[Colour, float], ...] = (
    ((0.07, 0.06, 0.06), 3.0),
    ((0.14, 0.10, 0.08), 3.0),
    ((0.26, 0.17, 0.11), 2.5),
    ((0.40, 0.27, 0.17), 2.0),
    ((0.58, 0.43, 0.26), 1.2),
    ((0.77, 0.63, 0.40), 1.0),
    ((0.50, 0.22, 0.12), 0.6),
)
_DYED: tuple[tuple[Colour, float], ...] = (
    ((0.55, 0.13, 0.20), 1.0),
    ((0.85, 0.50, 0.62), 0.7),
    ((0.25, 0.35, 0.62), 0.7),
    ((0.20, 0.48, 0.42), 0.4),
    ((0.86, 0.84, 0.78), 0.8),
)
_GREY = (0.66, 0.65, 0.64)


@dataclass(frozen=True)
class Hair:
    """A head of hair and what is on it; lengths in metres.

    `thickness` is how far hair stands off the crown; `length` how far a bob, long hair or a ponytail hangs
    below the ears; `receding` how far the hairline has gone back over the brow; `beard` how thick it is.
    """

    style: str = "short"
    colour: Colour = (0.20, 0.13, 0.09)
    thickness: float = 0.018
    length: float = 0.0
    receding: float = 0.0
    fringe: bool = False
    beard: float = 0.0
    headwear: str = "none"
    headwear_colour: Colour = (0.2, 0.2, 0.25)


def draw_hair(rng: np.random.Generator, shape: Shape) -> Hair:
    """Hair that goes with a body's sex and age."""
    woman = shape.gender > 0.5
    of_women = (0.0, 0.01, 0.04, 0.14, 0.24, 0.28, 0.14, 0.15)
    of_men = (0.06, 0.12, 0.28, 0.42, 0.05, 0.03, 0.02, 0.02)
    style = str(rng.choice(STYLES, p=of_women if woman else of_men))
    natural = np.array(draw_colour(rng, _COLOURS))
    grey = smoothstep(0.72, 0.90, np.array(shape.age)) * rng.uniform(0.3, 1.0)
    colour = natural * (1 - grey) + np.array(_GREY) * rng.uniform(0.8, 1.2) * grey
    if rng.random() < (0.07 if woman else 0.03):
        colour = np.array(draw_colour(rng, _DYED))
    thickness = {"bald": 0.0, "shaved": 0.0015, "crop": 0.006, "bun": 0.011, "ponytail": 0.011}.get(
        style, rng.uniform(0.013, 0.026)
    )
    lengths = {"bob": (0.06, 0.13), "long": (0.20, 0.42), "ponytail": (0.10, 0.30)}
    length = rng.uniform(*lengths.get(style, (0.0, 0.0)))
    headwear = str(rng.choice(HEADWEAR, p=(0.87, 0.05, 0.04, 0.04) if woman else (0.87, 0.08, 0.05, 0.0)))
    receding = 0.0 if woman else max(rng.normal(0.0, 0.012) + 0.06 * (shape.age - 0.66), 0.0)
    beard = 0.0 if woman or rng.random() < 0.62 else rng.uniform(0.002, 0.011)
    red, green, blue = (round(float(value), 3) for value in np.clip(colour, 0.04, 0.92))
    return Hair(
        style=style,
        colour=(red, green, blue),
        thickness=round(float(thickness), 4),
        length=round(float(length), 3),
        receding=round(float(receding), 3),
        fringe=bool(style not in ("bald", "shaved", "crop") and rng.random() < (0.35 if woman else 0.15)),
        beard=round(float(beard), 4),
        headwear=headwear,
        headwear_colour=draw_colour(rng, CLOTH_COLOURS),
    )


def hair_surface(person: Person, hair: Hair, off_back: float = 0.032) -> tuple[Surface, ...]:
    """Hair, beard and headwear as surfaces; long hair hangs so many metres behind the bare back."""
    head = _head(person)
    pieces: list[Surface] = []
    if hair.style != "bald" and hair.headwear != "headscarf":
        pieces += [_combed(person, piece, hair.colour) for piece in _hair(person, head, hair, off_back)]
    if hair.beard > 0:
        pieces.append(_combed(person, _beard(person, head, hair.beard), tuple(0.92 * np.array(hair.colour))))
    if hair.headwear != "none":
        for piece in _headwear(person, head, hair):
            pieces.append(replace(tinted(piece, hair.headwear_colour), roughness=0.95))
    return tuple(pieces)


def _head(person: Person) -> Surface:
    """The skin of head and neck, finely divided."""
    body = part_of(person, "body")
    return refined(cut(body, body.points[:, 2] - person.head("neck01")[2] + 0.03))


def _hair(person: Person, head: Surface, hair: Hair, off_back: float) -> list[Surface]:
    pieces = [_scalp_hair(person, head, hair)]
    if hair.style in ("bob", "long"):
        pieces.append(_curtain(person, head, hair, off_back))
    elif hair.style == "bun":
        pieces.append(_bun(person))
    elif hair.style == "ponytail":
        pieces.append(_tail(person, hair, off_back))
    return pieces


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


def _inside_hair(person: Person, points: np.ndarray, receding: float = 0.0) -> np.ndarray:
    """About how many metres inside the hairline each point of the head is."""
    _, behind, above = (points - person.landmarks["left_ear"]).T
    line = np.interp(behind, *_HAIRLINE.T)
    slope = np.interp(behind, _HAIRLINE[1:, 0], np.diff(_HAIRLINE[:, 1]) / np.diff(_HAIRLINE[:, 0]))
    level = (above - line) / np.sqrt(1 + slope**2) - receding * smoothstep(-0.01, -0.05, behind)
    from_ear = np.hypot((behind - 0.010) / 0.030, above / 0.042)
    beside_ear = np.abs(points[:, 0]) > 0.055
    return np.where(beside_ear, np.minimum(level, 0.036 * (from_ear - 1)), level)


def _inside_fringe(person: Person, points: np.ndarray) -> np.ndarray:
    """About how many metres inside a fringe, which ends above the brows, each point is."""
    eye = person.landmarks["left_eye"]
    x, y, z = points.T
    edge = eye[2] + 0.034 + 0.10 * np.maximum(np.abs(x) - 0.03, 0)
    return np.minimum.reduce([z - edge, 0.066 - np.abs(x), eye[1] + 0.045 - y])


def _scalp_hair(person: Person, head: Surface, hair: Hair) -> Surface:
    """The scalp, let out."""
    level = _inside_hair(person, head.points, hair.receding)
    level += (
        0.002 * np.sin(150 * head.points[:, 0]) * np.sin(110 * head.points[:, 1] + 60 * head.points[:, 2])
    )
    if hair.fringe:
        level = np.maximum(level, _inside_fringe(person, head.points))
    piece = cut(replace(head, texture_coordinates=np.column_stack([level, level])), level)
    depth = piece.texture_coordinates[:, 0]
    thickness = min(hair.thickness, 0.006) if hair.headwear != "none" else hair.thickness
    if hair.style in ("shaved", "crop"):
        return smoothed(let_out(piece, 0.0008 + thickness * smoothstep(0.0, 0.012, depth)), 1, depth > 0.004)
    up = smoothstep(0.0, 0.10, piece.points[:, 2] - person.landmarks["left_ear"][2])
    at_sides = {"short": 0.35, "bob": 0.5, "long": 0.5}.get(hair.style, 0.75)
    distance = 0.0015 + thickness * (at_sides + (1 - at_sides) * up) * smoothstep(0.0, 0.035, depth)
    x, y, z = piece.points.T
    locks = np.sin(90 * x + 40 * y + 4 * np.sin(50 * y)) * np.sin(70 * z + 45 * y) * up
    return smoothed(let_out(piece, distance * (1 + 0.28 * locks)), 2, depth > 0.004)


def _curtain(person: Person, head: Surface, hair: Hair, off_back: float) -> Surface:
    """Hair that hangs from the sides and the back of the head, behind the shoulders."""
    ear = person.landmarks["left_ear"]
    middle = np.array([0.0, ear[1] + 0.012])

    def axis(heights: np.ndarray) -> np.ndarray:
        return np.broadcast_to(middle, (len(heights), 2))

    # Under a hat it begins at the rim.
    top, bottom = ear[2] + (0.09 if hair.headwear == "none" else 0.02), ear[2] - hair.length
    skull = head.points[head.points[:, 2] > ear[2] - 0.03]
    hang = hang_from(skull, axis, skull[:, 2].max(), bottom, flare=-0.03, wrap=1.0)
    columns, rows = 49, int(np.ceil((top - bottom) / 0.012)) + 1
    from_back, down = np.meshgrid(np.linspace(-1, 1, columns), np.linspace(0, 1, rows))
    # A row starts and ends where the ear begins; further down the ends are uneven.
    reach = np.interp(down, (0, 0.25, 1), np.radians((98, 96, 84)))
    ends = 0.012 * np.sin(9 * from_back) * np.sin(4 * from_back + 1) - 0.02 * np.abs(from_back)
    height = (top - down * (top - bottom + ends)).ravel()
    angle = (np.pi + from_back * reach).ravel()
    radius = hang.radius(angle, height)
    lower = smoothstep(top, ear[2] - 0.01, height)
    radius += 0.002 + 0.75 * hair.thickness
    radius += (0.0035 * np.sin(23 * angle + 8 * height) + 0.002 * np.sin(51 * angle)) * lower
    curl = 0.03 * smoothstep(0.6, 1.0, down).ravel() * (hair.style == "bob")
    x = middle[0] + (radius - curl) * np.sin(angle)
    y = middle[1] - (radius - curl) * np.cos(angle)
    if hair.style == "long":
        x *= 1 - 0.22 * smoothstep(ear[2] - 0.08, ear[2] - 0.30, height)
    # A bob ends above the shoulders.
    y = _behind_back(person, off_back if hair.style == "long" else 0.01, x, y, height, rows)
    points = np.column_stack([x, y, height])
    return _hanging(person, points, _grid_triangles(rows, columns))


def _behind_back(
    person: Person, off_back: float, x: np.ndarray, y: np.ndarray, height: np.ndarray, rows: int
) -> np.ndarray:
    """Where hair hangs, moved out behind the clothed back."""
    step = 0.02
    body = person.vertices[:BODY_VERTICES]
    arm_bones = [
        number for number, bone in enumerate(person.bones) if bone.startswith(("lowerarm", "wrist", "finger"))
    ]
    torso = np.asarray(person.weights[:BODY_VERTICES][:, arm_bones].sum(axis=1)).ravel() < 0.1
    body = body[torso & (body[:, 2] < person.head("neck01")[2] + 0.02)]
    size = (40, 120)

    def place(across: np.ndarray, up: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        column = np.clip((across / step).astype(int) + size[0] // 2, 0, size[0] - 1)
        return column, np.clip((up / step).astype(int), 0, size[1] - 1)

    back = np.full(size, -1.0)
    np.maximum.at(back, place(body[:, 0], body[:, 2]), body[:, 1])
    back = maximum_filter(back, 3)
    moved = np.maximum(y, back[place(x, height)] + off_back).reshape(rows, -1)
    # What is pushed back below has begun to lean back above.
    for row in range(rows - 2, -1, -1):
        moved[row] = np.maximum(moved[row], moved[row + 1] - 0.008)
    return gaussian_filter(moved, (2, 1), mode="nearest").ravel()


def _grid_triangles(rows: int, columns: int) -> np.ndarray:
    """The triangles of a grid of points, row by row."""
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    return np.concatenate(
        [
            np.column_stack([corner, corner + columns, corner + 1]),
            np.column_stack([corner + 1, corner + columns, corner + columns + 1]),
        ]
    )


def _hanging(person: Person, points: np.ndarray, triangles: np.ndarray) -> Surface:
    """Loose hair: it goes with the head above, with the neck and the back below."""
    height = points[:, 2]
    neck, chest = float(person.head("neck02")[2]), float(person.head("spine01")[2])
    with_head = smoothstep(neck - 0.06, neck + 0.05, height)
    with_back = smoothstep(neck - 0.01, chest, height)
    weights = bone_weights(
        person,
        {
            "head": with_head,
            "neck01": (1 - with_head) * (1 - with_back),
            "spine01": (1 - with_head) * with_back,
        },
    )
    return _white(points, triangles, weights)


def _white(points: np.ndarray, triangles: np.ndarray, weights: csr_array) -> Surface:
    return Surface(points, triangles, weights, np.ones_like(points), np.zeros((len(points), 2)))


def _tube(path: np.ndarray, radii: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A closed tube about a path in the plane x = 0."""
    around = 17
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = np.array([1.0, 0.0, 0.0])
    up = np.cross(along, across)
    angle = np.linspace(0, 2 * np.pi, around)
    ring = np.cos(angle)[:, None, None] * across + np.sin(angle)[:, None, None] * up
    points = path + radii[:, None] * ring
    return points.transpose(1, 0, 2).reshape(-1, 3), _grid_triangles(len(path), around)[:, ::-1]


def _bun(person: Person) -> Surface:
    start = _back_of_head(person, 0.055)
    along = np.linspace(-1, 1, 13)
    path = start + np.array([0.0, 0.75, 0.45]) * (0.045 * (along[:, None] + 0.6))
    radii = 0.048 * np.sqrt(np.maximum(1 - along**2, 0)) * (1 + 0.06 * np.sin(9 * along))
    points, triangles = _tube(path, radii)
    return _white(points, triangles, bone_weights(person, {"head": np.ones(len(points))}))


def _tail(person: Person, hair: Hair, off_back: float) -> Surface:
    start = _back_of_head(person, 0.06)
    rows = 24
    down = np.linspace(0, 1, rows)
    height = start[2] + 0.025 * np.sin(np.pi * np.minimum(3 * down, 1)) - (hair.length + 0.10) * down**1.3
    back = start[1] - 0.02 + 0.075 * np.sin(0.5 * np.pi * np.minimum(3.0 * down, 1))
    back = _behind_back(person, off_back, np.zeros(rows), back, height, rows)
    radii = 0.03 * np.minimum(0.55 + 2.5 * down, 1) * np.sqrt(np.maximum(1 - down**3, 0))
    points, triangles = _tube(np.column_stack([np.zeros(rows), back, height]), radii)
    return _hanging(person, points, triangles)


def _back_of_head(person: Person, above_ear: float) -> Float[np.ndarray, "3"]:
    head = person.vertices[:BODY_VERTICES]
    height = person.landmarks["left_ear"][2] + above_ear
    level = head[np.abs(head[:, 2] - height) < 0.012]
    return np.array([0.0, level[:, 1].max(), height])


def _beard(person: Person, head: Surface, thickness: float) -> Surface:
    """The lower face and the jaw, let out, without the lips."""
    nose, ear = person.landmarks["nose"], person.landmarks["left_ear"]
    mouth = person.vertices[[3737, 10405]].mean(axis=0)
    half = abs(float(person.vertices[3737, 0]))
    x, y, z = head.points.T
    behind = (y - nose[1]) / (ear[1] - nose[1])
    upper = np.interp(
        behind, (0.1, 0.3, 0.5, 0.8, 1.0), mouth[2] + np.array([0.017, 0.008, -0.012, -0.005, 0.03])
    )
    chin = head.points[(np.abs(x) < 0.01) & (y < nose[1] + 0.05), 2]
    chin_height = float(np.sort(chin[chin > mouth[2] - 0.075])[0])
    lower = np.interp(behind, (0.3, 0.6, 1.0), (chin_height - 0.004, chin_height + 0.005, mouth[2] - 0.02))
    lips = np.hypot(x / (half + 0.002), (z - mouth[2]) / 0.0125) - 1
    level = np.minimum.reduce([upper - z, z - lower, 0.012 * lips, 0.08 * (0.98 - behind)])
    inside_mouth = (z > chin_height + 0.02) & (behind > 0.3 + 10 * np.abs(x))
    level = np.where(inside_mouth, -1.0, level)
    piece = cut(replace(head, texture_coordinates=np.column_stack([level, level])), level)
    depth = piece.texture_coordinates[:, 0]
    return let_out(piece, 0.0006 + thickness * smoothstep(0.0, 0.012, depth))


def _headwear(person: Person, head: Surface, hair: Hair) -> list[Surface]:
    eye, ear = person.landmarks["left_eye"], person.landmarks["left_ear"]
    x, y, z = head.points.T
    if hair.headwear == "headscarf":
        knot = 0.012 * np.exp(-(x**2 + (z - ear[2] + 0.02) ** 2) / 0.025**2) * (y > ear[1])
        scarf = let_out(smoothed(head, 4), 0.013 + knot + 0.0012 * np.sin(70 * z + 40 * np.abs(x)))
        return [cut(scarf, _inside_hair(person, head.points) - 0.004)]
    beanie = hair.headwear == "beanie"
    front, back = (0.050, 0.0) if beanie else (0.055, 0.045)
    rim = np.interp(y, (eye[1], ear[1] + 0.09), (eye[2] + front, ear[2] + back))
    smooth = smoothed(head, 10)
    high = smoothstep(ear[2] + 0.05, ear[2] + 0.13, z)
    crown = let_out(smooth, 0.014 + (0.018 if beanie else 0.010) * high)
    pieces = [cut(crown, z - rim)]
    if beanie:
        pieces.append(let_out(cut(crown, np.minimum(z - rim + 0.003, rim + 0.04 - z)), 0.004))
    else:
        pieces.append(_visor(person, pieces[0]))
    return pieces


def _visor(person: Person, cap: Surface) -> Surface:
    """A peak, from the front of a cap's rim."""
    eye = person.landmarks["left_eye"]
    across = np.linspace(-1, 1, 25)
    rim = cap.points[(cap.points[:, 1] < eye[1] + 0.05) & (cap.points[:, 2] < eye[2] + 0.075)]
    side = across * 0.07
    order = np.argsort(rim[:, 0])
    start_y = np.interp(side, rim[order, 0], gaussian_filter(rim[order, 1], 3))
    out = np.linspace(0, 1, 7)[:, None]
    reach = 0.075 * np.sqrt(np.maximum(1 - across**4, 0))
    y = start_y + 0.004 - out * reach
    z = eye[2] + 0.060 - 0.012 * across**2 - 0.018 * out * np.ones_like(across)
    points = np.stack([np.broadcast_to(side, y.shape), y, z], axis=-1).reshape(-1, 3)
    weights = bone_weights(person, {"head": np.ones(len(points))})
    return _white(points, _grid_triangles(len(out), len(across)), weights)


def _combed(person: Person, surface: Surface, colour: Colour | tuple[float, ...]) -> Surface:
    """A surface of hair whose strands run from the crown."""
    x, y, z = (surface.points - person.landmarks["left_ear"] * [0, 1, 1]).T
    angle = np.arctan2(x, -(y - 0.012))
    where = np.column_stack([folded(angle, 0.8), 0.8 * z])
    return replace(
        tinted(surface, np.broadcast_to(np.array(colour), surface.points.shape)),
        texture_coordinates=where,
        texture=_strands(),
        roughness=0.6,
    )


@functools.cache
def _strands() -> UInt8[np.ndarray, "height width 3"]:
    """Fine stripes down, grey, that repeat."""
    rng = np.random.default_rng(3)
    fine = gaussian_filter(rng.normal(size=(256, 256)), (14, 1.0), mode="wrap")
    broad = gaussian_filter(rng.normal(size=(256, 256)), (30, 5.0), mode="wrap")
    shade = 0.86 + 0.07 * fine / fine.std() + 0.05 * broad / broad.std()
    picture = np.repeat(np.rint(np.clip(shade, 0.5, 1) * 255).astype(np.uint8)[..., None], 3, axis=2)
    picture.flags.writeable = False
    return picture
