"""Things that made people hold or that stand about them, and so hide hands and legs: their meshes, and where
they are.

A held thing is placed in its hand's frame: the origin at the palm's centre, x along the fingers, y out of the
palm, z the cross product of the two, along which a closed hand's grip runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from renderers.mannequin.fabric import Colour
from renderers.mannequin.person import Person
from renderers.mannequin.pose import SIDES, Place, rig_of

HELD = ("ball", "mug", "book", "phone", "stick", "umbrella", "bottle", "microphone")
STANDING = ("box", "plant_pot", "chair", "table", "microphone_stand", "music_stand")
PROPS = HELD + STANDING

_ALONG_PALM = 0.75
"""Where the palm's centre is, from the wrist (0) to the middle finger's knuckle (1)."""
_FLESH = 0.016
"""How far the skin of the palm is from the bones' line, in metres."""

_SIZES = {
    "ball": (0.045, 0.11), "mug": (0.09, 0.11), "book": (0.18, 0.26), "phone": (0.14, 0.165),
    "stick": (0.6, 1.2), "umbrella": (0.75, 0.9), "bottle": (0.2, 0.3), "microphone": (0.18, 0.24),
    "box": (0.3, 0.6), "plant_pot": (0.6, 1.1), "chair": (0.82, 0.95), "table": (0.7, 0.78),
    "microphone_stand": (1.2, 1.5), "music_stand": (0.95, 1.2),
}  # fmt: skip
"""The range of each thing's size in metres: the ball's radius, otherwise its longest side or its height."""

_COLOURS: tuple[Colour, ...] = (
    (0.75, 0.20, 0.16), (0.18, 0.36, 0.62), (0.22, 0.52, 0.32), (0.88, 0.68, 0.22), (0.90, 0.89, 0.86),
    (0.12, 0.12, 0.14), (0.55, 0.38, 0.26), (0.50, 0.30, 0.55), (0.86, 0.48, 0.24),
)  # fmt: skip


@dataclass(frozen=True)
class Prop:
    """A thing. `held_by` is the number of the person who holds it in `hand` (0 left, 1 right); or else both
    are None and it stands at `place`, turned by `heading` about the vertical. `size` is in metres."""

    kind: str
    held_by: int | None
    hand: int | None
    place: tuple[float, float, float]
    heading: float
    size: float
    colour: Colour


Mesh = tuple[
    Float[np.ndarray, "points 3"], Int[np.ndarray, "triangles 3"], Float[np.ndarray, "points 3"], float
]
"""Points, triangles with their corners counter-clockwise seen from outside, sRGB colours of the points in
[0, 1], roughness."""


def draw_props(rng: np.random.Generator, count: int, people: Sequence[Place]) -> tuple[Prop, ...]:
    """Things about people who stand at the given places, about half of them held; no hand holds two."""
    hands = [(person, hand) for person in range(len(people)) for hand in (0, 1)]
    free = [hands[number] for number in rng.permutation(len(hands))]
    props: list[Prop] = []
    for _ in range(count):
        held = bool(free) and rng.random() < 0.5
        kind = str(rng.choice(HELD if held else STANDING))
        size = float(rng.uniform(*_SIZES[kind]))
        red, green, blue = np.clip(
            np.array(_COLOURS[int(rng.integers(len(_COLOURS)))]) * rng.uniform(0.8, 1.1), 0, 1
        ).tolist()
        colour = (red, green, blue)
        if held:
            person, hand = free.pop()
            props.append(Prop(kind, person, hand, (0.0, 0.0, 0.0), 0.0, size, colour))
            continue
        place = _beside(rng, people, [prop.place for prop in props if prop.held_by is None])
        props.append(Prop(kind, None, None, place, float(rng.uniform(-0.6, 0.6)), size, colour))
    return tuple(props)


def _beside(
    rng: np.random.Generator, people: Sequence[Place], taken: Sequence[tuple[float, float, float]]
) -> tuple[float, float, float]:
    """A place on the floor before or beside one of the people, where nobody and nothing else stands."""
    place = (0.0, 0.0, 0.0)
    for _ in range(30):
        near = people[int(rng.integers(len(people)))] if people else Place()
        angle = rng.uniform(-1.7, 1.7)
        away = rng.uniform(0.75, 1.2)
        place = (float(near.x + away * np.sin(angle)), float(near.y - away * np.cos(angle)), 0.0)
        others = [(person.x, person.y) for person in people] + [(x, y) for x, y, _ in taken]
        if all(np.hypot(place[0] - x, place[1] - y) > 0.7 for x, y in others):
            break
    return place


def hand_frame(
    person: Person, transforms: Float[np.ndarray, "bones 3 4"], side: int
) -> Float[np.ndarray, "4 4"]:
    """What takes the hand's frame to the world, for a posed person's left (0) or right (1) hand."""
    name = SIDES[side]
    wrist, knuckle = person.head(f"wrist.{name}"), person.head(f"finger3-1.{name}")
    along = (knuckle - wrist) / np.linalg.norm(knuckle - wrist)
    palm = rig_of(person).palms[side]
    out = palm - (palm @ along) * along
    out /= np.linalg.norm(out)
    rest = np.eye(4)
    rest[:3, :3] = np.stack([along, out, np.cross(along, out)], axis=1)
    rest[:3, 3] = wrist + _ALONG_PALM * (knuckle - wrist) + _FLESH * out
    moved = np.eye(4)
    moved[:3] = transforms[person.bone(f"wrist.{name}")]
    return moved @ rest


def prop_transform(prop: Prop, hand: Float[np.ndarray, "4 4"] | None) -> Float[np.ndarray, "4 4"]:
    """What takes the thing's own frame to the world. `hand` is the holding hand's frame; None for a thing
    that stands."""
    if hand is not None:
        return hand
    sine, cosine = np.sin(prop.heading), np.cos(prop.heading)
    matrix = np.eye(4)
    matrix[:2, :2] = [[cosine, -sine], [sine, cosine]]
    matrix[:3, 3] = prop.place
    return matrix


def prop_mesh(prop: Prop) -> Mesh:
    """The thing in its own frame: the hand's, or, standing, on the floor with its front towards -y."""
    points, triangles, colours, roughness = _MESHES[prop.kind](prop)
    if prop.hand == 0:
        # The thumb is on z's other side in a left hand: there everything is the mirror image.
        points, triangles = points * [1, 1, -1], triangles[:, ::-1]
    return points, triangles, colours, roughness


def _block(low: Sequence[float], high: Sequence[float], colour: Colour, roughness: float = 0.8) -> Mesh:
    """A box between two corners. Each face has its own points, and so its own normal."""
    corners = np.array([low, high], float)
    points: list[np.ndarray] = []
    triangles: list[np.ndarray] = []
    for axis in range(3):
        for end in (0, 1):
            first, second = (axis + 1) % 3, (axis + 2) % 3
            face = np.empty((4, 3))
            face[:, axis] = corners[end, axis]
            face[:, first] = corners[[0, 1, 1, 0], first]
            face[:, second] = corners[[0, 0, 1, 1], second]
            triangles.append(np.array([[0, 1, 2], [0, 2, 3]])[:, :: 1 if end else -1] + 4 * len(points))
            points.append(face)
    return np.concatenate(points), np.concatenate(triangles), np.tile(colour, (24, 1)), roughness


def _turned(
    profile: Sequence[tuple[float, float]],
    colours: Sequence[Colour],
    *,
    axis: int = 2,
    centre: Sequence[float] = (0.0, 0.0, 0.0),
    smooth: bool = False,
    sides: int = 28,
    roughness: float = 0.6,
) -> Mesh:
    """A solid of revolution about a line through the centre. The profile is (radius, height) from its bottom
    on the axis to its top on the axis; each step of it has a colour, and an edge at both ends unless it is
    smooth."""
    angles = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points: list[np.ndarray] = []
    triangles: list[np.ndarray] = []
    inks: list[np.ndarray] = []

    def add_ring(step: int, colour: Colour) -> int:
        radius, height = profile[step]
        begin = sum(map(len, points))
        points.append(np.column_stack([radius * ring, np.full(sides, height)]))
        inks.append(np.tile(colour, (sides, 1)))
        return begin

    here, after = np.arange(sides), np.roll(np.arange(sides), -1)
    upper = add_ring(0, colours[0])
    for step, colour in enumerate(colours):
        lower = upper if smooth or step == 0 else add_ring(step, colour)
        upper = add_ring(step + 1, colour)
        if profile[step + 1][0] > 0:
            triangles.append(np.stack([lower + here, upper + after, upper + here], axis=1))
        if profile[step][0] > 0:
            triangles.append(np.stack([lower + here, lower + after, upper + after], axis=1))
    turned = np.roll(np.concatenate(points), axis - 2, axis=1) + np.asarray(centre, float)
    return turned, np.concatenate(triangles), np.concatenate(inks), roughness


def _together(*meshes: Mesh) -> Mesh:
    starts = np.cumsum([0, *(len(mesh[0]) for mesh in meshes[:-1])])
    return (
        np.concatenate([mesh[0] for mesh in meshes]),
        np.concatenate([mesh[1] + start for mesh, start in zip(meshes, starts, strict=True)]),
        np.concatenate([mesh[2] for mesh in meshes]),
        meshes[0][3],
    )


def _tone(colour: Colour, share: float) -> Colour:
    red, green, blue = np.clip(np.array(colour) * share, 0, 1).tolist()
    return (red, green, blue)


def _sphere(
    radius: float, centre: Sequence[float], colours: Sequence[Colour], roughness: float = 0.5
) -> Mesh:
    angles = np.linspace(-0.5 * np.pi, 0.5 * np.pi, len(colours) + 1)
    profile = [(radius * max(float(np.cos(angle)), 0.0), radius * float(np.sin(angle))) for angle in angles]
    profile[0], profile[-1] = (0.0, -radius), (0.0, radius)
    return _turned(profile, colours, centre=centre, smooth=True, roughness=roughness)


def _rod(
    radius: float,
    low: float,
    high: float,
    colour: Colour,
    axis: int = 2,
    centre: Sequence[float] = (0.0, 0.0, 0.0),
) -> Mesh:
    profile = [(0.0, low), (radius, low), (radius, high), (0.0, high)]
    return _turned(profile, [colour] * 3, axis=axis, centre=centre, sides=16)


_BLACK: Colour = (0.09, 0.09, 0.10)
_STEEL: Colour = (0.62, 0.63, 0.65)
_WHITE: Colour = (0.92, 0.91, 0.88)


def _ball(prop: Prop) -> Mesh:
    stripe = _tone(prop.colour, 0.6) if prop.colour[0] > 0.5 else _WHITE
    colours = [stripe if 7 <= step <= 8 else prop.colour for step in range(16)]
    return _sphere(prop.size, (0.02, prop.size, 0.0), colours)


def _mug(prop: Prop) -> Mesh:
    radius, high, thick = 0.04, prop.size, 0.004
    bottom, centre = -0.5 * high, (0.01, 0.04, 0.0)
    profile = [
        (0.0, bottom), (radius, bottom), (radius, bottom + high), (radius - thick, bottom + high),
        (radius - thick, bottom + 0.02), (0.0, bottom + 0.02),
    ]  # fmt: skip
    inside = _tone(_WHITE, 0.9)
    body = _turned(
        profile, [prop.colour, prop.colour, prop.colour, inside, (0.25, 0.15, 0.08)], centre=centre
    )
    handle = [
        _block((-0.005, 0.075, z - 0.005), (0.005, 0.105, z + 0.005), prop.colour) for z in (-0.025, 0.025)
    ]
    grip = _block((-0.005, 0.1, -0.0301), (0.005, 0.1101, 0.0301), prop.colour)
    return _together(body, *handle, grip)


def _book(prop: Prop) -> Mesh:
    long, wide, thick = prop.size, 0.7 * prop.size, 0.025
    x0, x1, z0, z1 = -0.35 * long, 0.65 * long, -0.5 * wide, 0.5 * wide
    pages = _block((x0 + 0.004, 0.003, z0 + 0.004), (x1 - 0.004, thick - 0.003, z1 - 0.004), _WHITE)
    covers = [_block((x0, y, z0), (x1, y + 0.003, z1), prop.colour) for y in (0.0, thick - 0.003)]
    spine = _block((x0, 0.0032, z0), (x1, thick - 0.0032, z0 + 0.0035), _tone(prop.colour, 0.85))
    label = _block(
        (x0 + 0.25 * long, thick, z0 + 0.2 * wide),
        (x1 - 0.25 * long, thick + 0.0006, z1 - 0.2 * wide),
        _WHITE,
    )
    return _together(pages, *covers, spine, label)


def _phone(prop: Prop) -> Mesh:
    long, wide = prop.size, 0.48 * prop.size
    case = _block((-0.4 * long, 0.002, -0.5 * wide), (0.6 * long, 0.010, 0.5 * wide), prop.colour, 0.4)
    screen = _block(
        (-0.4 * long + 0.003, 0.010, -0.5 * wide + 0.003), (0.6 * long - 0.003, 0.0106, 0.5 * wide - 0.003),
        (0.10, 0.13, 0.18), 0.3,
    )  # fmt: skip
    return _together(case, screen)


def _stick(prop: Prop) -> Mesh:
    return _rod(0.014, -0.35 * prop.size, 0.65 * prop.size, prop.colour, centre=(0.02, 0.016, 0.0))


def _umbrella(prop: Prop) -> Mesh:
    centre = (0.02, 0.016, 0.0)
    roll = [(0.0, 0.0), (0.018, 0.02), (0.042, 0.32), (0.036, 0.36), (0.0, 0.37)]
    share = prop.size / 0.8
    profile = [(radius, 0.08 + share * height) for radius, height in roll]
    cloth = _turned(
        profile, [prop.colour, prop.colour, _tone(prop.colour, 0.8), _tone(prop.colour, 0.7)], centre=centre
    )
    handle = _rod(0.015, -0.12, 0.08, (0.36, 0.24, 0.15), centre=centre)
    return _together(cloth, handle, _rod(0.005, 0.079 + 0.36 * share, prop.size - 0.2, _STEEL, centre=centre))


def _bottle(prop: Prop) -> Mesh:
    high, radius = prop.size, 0.034
    profile = [
        (0.0, 0.0), (radius, 0.0), (radius, 0.62 * high), (0.4 * radius, 0.82 * high),
        (0.4 * radius, 0.9 * high), (0.48 * radius, 0.9 * high), (0.48 * radius, high), (0.0, high),
    ]  # fmt: skip
    lowered = [(around, height - 0.35 * high) for around, height in profile]
    colours = [prop.colour] * 4 + [_WHITE] * 3
    return _turned(lowered, colours, centre=(0.01, radius, 0.0), roughness=0.35)


def _microphone(prop: Prop) -> Mesh:
    centre = (0.02, 0.018, 0.0)
    low, high = -0.4 * prop.size, 0.6 * prop.size - 0.05
    profile = [(0.0, low), (0.012, low), (0.018, high), (0.0, high)]
    handle = _turned(profile, [_BLACK] * 3, centre=centre)
    return _together(handle, _sphere(0.027, (centre[0], centre[1], high + 0.02), [_STEEL] * 12))


def _box(prop: Prop) -> Mesh:
    half, high = 0.5 * prop.size, 0.8 * prop.size
    carton = _block((-half, -0.7 * half, 0.0), (half, 0.7 * half, high), prop.colour, 0.95)
    tape = _block(
        (-0.04, -0.7 * half - 0.001, 0.0), (0.04, 0.7 * half + 0.001, high + 0.001), _tone(prop.colour, 1.2)
    )
    return _together(carton, tape)


def _plant_pot(prop: Prop) -> Mesh:
    high = prop.size
    pot_high, radius = 0.3 * high, 0.14 * high + 0.04
    profile = [
        (0.0, 0.0), (0.72 * radius, 0.0), (radius, pot_high), (0.85 * radius, pot_high),
        (0.85 * radius, 0.9 * pot_high), (0.0, 0.9 * pot_high),
    ]  # fmt: skip
    earth: Colour = (0.22, 0.15, 0.10)
    pot = _turned(profile, [prop.colour] * 4 + [earth], roughness=0.85)
    rng = np.random.default_rng(round(1e6 * prop.size))
    leaves = []
    for number in range(22):
        turn, lean = 2.4 * number, rng.uniform(0.15, 1.0)
        tone = rng.uniform(0.75, 1.1)
        green = (0.20 * tone, 0.42 * tone, 0.18 * tone)
        leaves.append(_leaf(0.9 * pot_high, (high - pot_high) * rng.uniform(0.75, 1.0), turn, lean, green))
    return _together(pot, *leaves)


def _leaf(bottom: float, long: float, turn: float, lean: float, colour: Colour) -> Mesh:
    """A flat leaf that bends outward as it rises, closed: a chain of rings of four points."""
    along = np.linspace(0, 1, 7)
    out = long * np.sin(lean) * along**1.5
    up = bottom + long * np.cos(lean) * along - 0.2 * long * lean * along**3
    wide = 0.09 * long * np.sin(np.pi * np.clip(along, 0.05, 0.97)) ** 0.8
    rings = np.zeros((7, 4, 3))
    rings[:, :, 0] = out[:, None] + np.array([0.0, -0.003, 0.0, 0.003])
    rings[:, :, 1] = wide[:, None] * np.array([-1.0, 0.0, 1.0, 0.0])
    rings[:, :, 2] = up[:, None] + np.array([0.0, 0.003, 0.0, -0.003])
    triangles = [[0, 1, 2], [0, 2, 3], [24, 26, 25], [24, 27, 26]]
    for ring in range(6):
        for corner in range(4):
            a, b = 4 * ring + corner, 4 * ring + (corner + 1) % 4
            triangles += [[a, b + 4, b], [a, a + 4, b + 4]]
    sine, cosine = np.sin(turn), np.cos(turn)
    points = rings.reshape(-1, 3) @ np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1.0]])
    return points, np.array(triangles), np.tile(colour, (28, 1)), 0.7


def _chair(prop: Prop) -> Mesh:
    high, seat, half = prop.size, 0.45, 0.21
    dark = _tone(prop.colour, 0.8)
    parts = [_block((-half, -half, seat - 0.035), (half, half, seat), prop.colour)]
    for x in (-half, half - 0.035):
        parts.append(_block((x, -half, 0.0), (x + 0.035, -half + 0.035, seat - 0.035), dark))
        parts.append(_block((x, half, 0.0), (x + 0.035, half + 0.035, high), dark))
    for low in (0.6, 0.8):
        top = low + 0.09 * high
        parts.append(
            _block(
                (-half + 0.035, half + 0.008, low * high),
                (half - 0.035, half + 0.028, top * high),
                prop.colour,
            )
        )
    return _together(*parts)


def _table(prop: Prop) -> Mesh:
    high, wide, deep = prop.size, 0.75 * prop.size, 0.4 * prop.size
    dark = _tone(prop.colour, 0.75)
    parts = [_block((-wide, -deep, high - 0.03), (wide, deep, high), prop.colour, 0.6)]
    for x in (-wide + 0.02, wide - 0.07):
        for y in (-deep + 0.02, deep - 0.07):
            parts.append(_block((x, y, 0.0), (x + 0.05, y + 0.05, high - 0.03), dark))
    parts.append(
        _block((-wide + 0.07, deep - 0.05, high - 0.13), (wide - 0.07, deep - 0.03, high - 0.03), dark)
    )
    return _together(*parts)


def _microphone_stand(prop: Prop) -> Mesh:
    profile = [(0.0, 0.0), (0.14, 0.0), (0.14, 0.012), (0.02, 0.025), (0.0, 0.025)]
    foot = _turned(profile, [_BLACK] * 4)
    pole = _rod(0.011, 0.02, prop.size, _STEEL)
    head = _turned(
        [(0.0, prop.size - 0.02), (0.014, prop.size - 0.02), (0.02, prop.size + 0.1), (0.0, prop.size + 0.1)],
        [_BLACK] * 3,
    )
    return _together(foot, pole, head, _sphere(0.028, (0.0, 0.0, prop.size + 0.12), [_STEEL] * 12))


def _music_stand(prop: Prop) -> Mesh:
    pole = _rod(0.011, 0.02, prop.size, _BLACK)
    feet = [
        _block((-0.22, -0.012, 0.0), (0.22, 0.012, 0.02), _BLACK),
        _block((-0.012, -0.22, 0.0), (0.012, 0.22, 0.02), _BLACK),
    ]
    desk = _block((-0.25, -0.006, 0.0), (0.25, 0.006, 0.34), prop.colour)
    # Its reader stands behind it: seen from the front, the desk leans towards the viewer.
    lean = np.array([[1, 0, 0], [0, np.cos(0.35), -np.sin(0.35)], [0, np.sin(0.35), np.cos(0.35)]])
    leaning = desk[0] @ lean.T + [0.0, 0.0, prop.size - 0.08]
    return _together(pole, *feet, (leaning, *desk[1:]))


_MESHES: dict[str, Callable[[Prop], Mesh]] = {
    "ball": _ball,
    "mug": _mug,
    "book": _book,
    "phone": _phone,
    "stick": _stick,
    "umbrella": _umbrella,
    "bottle": _bottle,
    "microphone": _microphone,
    "box": _box,
    "plant_pot": _plant_pot,
    "chair": _chair,
    "table": _table,
    "microphone_stand": _microphone_stand,
    "music_stand": _music_stand,
}
