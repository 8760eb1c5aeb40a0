"""A pose, described as a choreographer would (where an arm points, how far a finger is curled), and the
rotations of the bones that take it.

Arms follow directions, legs reach for their feet by two-bone inverse kinematics, fingers curl about axes read
off the body at rest. Angles in radians, lengths in metres. Directions are the person's own: x to the left, -y
forward, z up; `Place` then turns and moves the whole body in the world.

A pose is also a row of numbers (`pose_numbers`), so that many are interpolated, solved and posed at once.

Dimension names: poses, numbers (of one pose), bones 104, sides 2 (the person's left, right), fingers 5 (thumb
to little), joints 3 (of a finger, from the palm).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

from renderers.mannequin.person import FACIAL_ACTIONS, Person

SIDES = ("L", "R")
FORWARD = np.array([0.0, -1.0, 0.0])
UP = np.array([0.0, 0.0, 1.0])

FINGER_CURL = np.radians([[0, 40, 65], [80, 100, 60], [80, 100, 60], [80, 100, 60], [80, 100, 60]])
"""The angle of each finger's three joints (thumb: carpometacarpal, metacarpophalangeal, interphalangeal) at
curl 1."""

_SPREAD = np.array([0.0, 1.0, 0.07, -0.5, -1.05])
_NECK_SHARE = {"neck01": 0.2, "neck02": 0.4, "neck03": 0.6, "head": 1.0}
_SPINE_SHARE = {"spine05": 0.15, "spine04": 0.35, "spine03": 0.55, "spine02": 0.8, "spine01": 1.0}
KNEE_BEND = np.radians(135.0)
"""As far as a knee bends: a foot put nearer to its hip stops there."""


@dataclass(frozen=True)
class Hand:
    """Curls in [0, 1] from straight to closed, thumb to little; by how much more the middle and end joints
    are curled than that (-1 to 1: a hook has curls 0 and tips 1); how far the index finger is spread from the
    middle one (the others as goes with it; at 0 the fingers lie side by side), and how far the
    thumb stands off the palm (out, beside the index finger) and comes round in front of it, in radians."""

    curls: tuple[float, float, float, float, float]
    spread: float = 0.1
    thumb_out: float = 0.0
    thumb_round: float = 0.0
    tips: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Arm:
    """Directions, of any length: upper arm, forearm, hand (wrist to middle finger), and out of the palm."""

    upper: tuple[float, float, float]
    fore: tuple[float, float, float]
    hand: tuple[float, float, float]
    palm: tuple[float, float, float]


@dataclass(frozen=True)
class Foot:
    """How far an ankle is from its place at rest (to the left, forward, up), and how far the foot turns
    outward and its toes point down; the toes themselves bend up by `toes_up`."""

    left: float = 0.0
    forward: float = 0.0
    up: float = 0.0
    outward: float = 0.0
    toe_down: float = 0.0
    toes_up: float = 0.0


@dataclass(frozen=True)
class Turn:
    """Angles: to the person's left about the vertical, forward bend, and lean to the person's left."""

    left: float = 0.0
    forward: float = 0.0
    lean: float = 0.0


@dataclass(frozen=True)
class Place:
    """Where the body stands in the world, in metres, and how far it is turned to its left about the vertical
    (0: it faces -y)."""

    x: float = 0.0
    y: float = 0.0
    heading: float = 0.0


@dataclass(frozen=True)
class Face:
    """Strengths of facial actions in [0, 1], and where the eyes look: to the person's left and up, in
    radians."""

    blink_left: float = 0.0
    blink_right: float = 0.0
    jaw_open: float = 0.0
    smile: float = 0.0
    frown: float = 0.0
    pucker: float = 0.0
    brows_up: float = 0.0
    brows_down: float = 0.0
    look_left: float = 0.0
    look_up: float = 0.0


FACE_ACTIONS = tuple(FACIAL_ACTIONS)
"""The fields of `Face` that move the skin, in the order of `Surface.actions` and `Person.actions`."""


@dataclass(frozen=True)
class Pose:
    """One pose of the whole body; arms, hands and feet are the person's left, then right."""

    arms: tuple[Arm, Arm]
    hands: tuple[Hand, Hand]
    feet: tuple[Foot, Foot] = (Foot(), Foot())
    pelvis: Turn = field(default_factory=Turn)
    chest: Turn = field(default_factory=Turn)
    head: Turn = field(default_factory=Turn)
    shift: tuple[float, float, float] = (0.0, 0.0, -0.012)
    """How far the pelvis is moved from where it is at rest."""
    face: Face = field(default_factory=Face)
    place: Place = field(default_factory=Place)


_STRAIGHT = (0.0, 0.0, -1.0)
_PATTERN = Pose(
    arms=(Arm(*[_STRAIGHT] * 4), Arm(*[_STRAIGHT] * 4)), hands=(Hand((0.0,) * 5), Hand((0.0,) * 5))
)
_Value = TypeVar("_Value")


def _parts(value: Any) -> Iterator[Any]:
    return (
        iter(value) if isinstance(value, tuple) else (getattr(value, field.name) for field in fields(value))
    )


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, tuple) or hasattr(value, "__dataclass_fields__"):
        for part in _parts(value):
            yield from _numbers(part)
    else:
        yield float(value)


def _rebuilt(pattern: _Value, numbers: Iterator[float]) -> _Value:
    """A pose, or a part of one, made like the pattern out of other numbers."""
    if isinstance(pattern, float):
        return type(pattern)(next(numbers))
    parts = [_rebuilt(part, numbers) for part in _parts(pattern)]
    return type(pattern)(parts) if isinstance(pattern, tuple) else type(pattern)(*parts)


def pose_numbers(pose: Pose) -> Float[np.ndarray, "numbers"]:
    """The numbers in a pose, in the order of its fields."""
    return np.array(list(_numbers(pose)))


def numbered_pose(numbers: Float[np.ndarray, "numbers"]) -> Pose:
    """The pose made of such numbers."""
    return _rebuilt(_PATTERN, iter(numbers.tolist()))


def _columns() -> dict[str, tuple[slice, tuple[int, ...]]]:
    columns, start = {}, 0
    shapes = {"arms": (2, 4, 3), "hands": (2, 13), "feet": (2, 6)}
    for part in fields(Pose):
        count = len(list(_numbers(getattr(_PATTERN, part.name))))
        columns[part.name] = (slice(start, start + count), shapes.get(part.name, (count,)))
        start += count
    return columns


_COLUMNS = _columns()
NUMBER_COUNT = len(list(_numbers(_PATTERN)))


def part(numbers: Float[np.ndarray, "poses numbers"], name: str) -> Float[np.ndarray, "poses ..."]:
    """A view of one field of `Pose` in rows of numbers: arms (poses, sides, 4, 3), hands (poses, sides, 13),
    feet (poses, sides, 6), others (poses, count)."""
    columns, shape = _COLUMNS[name]
    return numbers[:, columns].reshape(len(numbers), *shape)


def posed_bones(person: Person, pose: Pose) -> Float[np.ndarray, "bones 3 4"]:
    """What takes each bone from rest to its pose in the world."""
    return posed_many(person, pose_numbers(pose)[None])[0]


def posed_many(
    person: Person, numbers: Float[np.ndarray, "poses numbers"]
) -> Float[np.ndarray, "poses bones 3 4"]:
    """`posed_bones` for rows of pose numbers."""
    rig = rig_of(person)
    rotations = _rotations(rig, numbers)
    x, y, heading = part(numbers, "place").T
    turned = about(UP, heading)[:, None] @ rotations
    start = rig.heads[0] + part(numbers, "shift")
    start = np.einsum("tij,tj->ti", about(UP, heading), start)
    start[:, 0] += x
    start[:, 1] += y
    heads = _heads(rig, turned, start)
    transforms = np.empty((*turned.shape[:3], 4))
    transforms[..., :3] = turned
    transforms[..., 3] = heads - np.einsum("tbij,bj->tbi", turned, rig.heads)
    return transforms


def unit(vectors: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, "... 3"]:
    """Vectors of length 1."""
    return vectors / np.sqrt(np.einsum("...i,...i->...", vectors, vectors))[..., None]


def cross(
    first: Float[np.ndarray, "... 3"], second: Float[np.ndarray, "... 3"]
) -> Float[np.ndarray, "... 3"]:
    """The cross product; for few vectors `np.cross` is many times slower."""
    ax, ay, az = first[..., 0], first[..., 1], first[..., 2]
    bx, by, bz = second[..., 0], second[..., 1], second[..., 2]
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


def dot(first: Float[np.ndarray, "... 3"], second: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, "..."]:
    """The scalar product."""
    return np.einsum("...i,...i->...", first, second)


def turned_by(vectors: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, "... 3 3"]:
    """The rotations of rotation vectors."""
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    angle = np.sqrt(x * x + y * y + z * z)
    # numpy's sinc is sin(pi x) / (pi x), smooth through 0.
    first, second = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    rotation = np.empty((*angle.shape, 3, 3))
    rotation[..., 0, 0] = 1 - second * (y * y + z * z)
    rotation[..., 1, 1] = 1 - second * (x * x + z * z)
    rotation[..., 2, 2] = 1 - second * (x * x + y * y)
    rotation[..., 0, 1], rotation[..., 1, 0] = second * x * y - first * z, second * x * y + first * z
    rotation[..., 0, 2], rotation[..., 2, 0] = second * x * z + first * y, second * x * z - first * y
    rotation[..., 1, 2], rotation[..., 2, 1] = second * y * z - first * x, second * y * z + first * x
    return rotation


def about(axis: Float[np.ndarray, "... 3"], angle: Float[np.ndarray, "..."]) -> Float[np.ndarray, "... 3 3"]:
    """The rotations by angles about axes of length 1."""
    return turned_by(axis * np.asarray(angle)[..., None])


def rotation_vector(rotation: Float[np.ndarray, "... 3 3"]) -> Float[np.ndarray, "... 3"]:
    """The rotation vectors of rotations by less than 180 degrees."""
    axis = np.stack(
        [
            rotation[..., 2, 1] - rotation[..., 1, 2],
            rotation[..., 0, 2] - rotation[..., 2, 0],
            rotation[..., 1, 0] - rotation[..., 0, 1],
        ],
        axis=-1,
    )
    twice_sine = np.sqrt(dot(axis, axis))
    angle = np.arctan2(twice_sine, np.trace(rotation, axis1=-2, axis2=-1) - 1)
    scale = np.where(twice_sine < 1e-9, 0.5, angle / np.maximum(twice_sine, 1e-9))
    return axis * scale[..., None]


def turn_rotation(turns: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, "... 3 3"]:
    """The rotations of turns (left, forward, lean): about the vertical last."""
    (a, b, c), (p, q, r) = np.cos(turns).T, np.sin(turns).T
    rotation = np.array(
        [
            [a * c - p * q * r, -p * b, a * r + p * q * c],
            [p * c + a * q * r, a * b, p * r - a * q * c],
            [-b * r, q, b * c],
        ]
    )
    return rotation.transpose(*range(rotation.ndim - 1, 1, -1), 0, 1)


def frame(
    along: Float[np.ndarray, "... 3"], across: Float[np.ndarray, "... 3"]
) -> Float[np.ndarray, "... 3 3"]:
    """Orthonormal axes as columns: along, then across made perpendicular to it, then their cross product."""
    first = unit(along)
    second = unit(across - first * dot(first, across)[..., None])
    return np.stack(np.broadcast_arrays(first, second, cross(first, second)), axis=-1)


def swing(start: Float[np.ndarray, "... 3"], end: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, "... 3 3"]:
    """The smallest rotation that takes one direction of length 1 to another."""
    axis = cross(start, end)
    sine = np.sqrt(dot(axis, axis))
    angle = np.arctan2(sine, dot(start, end))
    return turned_by(axis * np.where(sine < 1e-9, 1.0, angle / np.maximum(sine, 1e-9))[..., None])


@dataclass(frozen=True)
class Rig:
    """What of a body at rest decides how its bones move. Arms, hands and legs are left, then right."""

    number: dict[str, int]
    heads: Float[np.ndarray, "bones 3"]
    parents: Float[np.ndarray, "bones"]
    from_parent: Float[np.ndarray, "bones 3"]
    ancestors: Float[np.ndarray, "bones bones"]
    """1 where the second bone is the first or comes before it."""
    followers: tuple[tuple[int, int], ...]
    """Bones that no rule turns, and their parents."""
    palms: Float[np.ndarray, "sides 3"]
    """Out of the palm at rest."""
    finger_axes: Float[np.ndarray, "sides fingers 3"]
    """About which the fingers curl at rest."""
    straight: Float[np.ndarray, "sides fingers joints"]
    """How far a finger at rest is bent, by its joints: the thumb's count as straight."""
    splay: Float[np.ndarray, "sides fingers"]
    """How far a finger at rest points aside of the middle finger, about the palm."""
    arm_frames: Float[np.ndarray, "sides 3 3 3"]
    """Of upper arm and forearm (along, elbow's hinge) and of the hand (along, palm)."""
    leg_frames: Float[np.ndarray, "sides 2 3 3"]
    """Of thigh and shin (along, knee's hinge)."""

    def head(self, bone: str) -> Float[np.ndarray, "3"]:
        """Where a bone begins at rest."""
        return self.heads[self.number[bone]]

    def length(self, start: str, end: str) -> float:
        """The distance between the beginnings of two bones at rest."""
        return float(np.linalg.norm(self.head(end) - self.head(start)))


def rig_of(person: Person) -> Rig:
    """The body's rig, made once."""
    return _make_rig(person.bones, person.parents, np.asarray(person.heads, float).tobytes())


@functools.lru_cache(maxsize=32)
def _make_rig(bones: tuple[str, ...], parents: tuple[int, ...], heads_bytes: bytes) -> Rig:
    heads = np.frombuffer(heads_bytes).reshape(-1, 3)
    number = {bone: place for place, bone in enumerate(bones)}
    ancestors = np.eye(len(bones))
    for bone, parent in enumerate(parents):
        if parent >= 0:
            ancestors[bone] += ancestors[parent]
    palms, axes, arm_frames, leg_frames = [], [], [], []
    straight, splay = np.zeros((2, 5, 3)), np.zeros((2, 5))
    for side, name in enumerate(SIDES):

        def head(bone: str, name: str = name) -> np.ndarray:
            return heads[number[f"{bone}.{name}"]]

        sign = 1.0 if name == "L" else -1.0
        wrist, hand = head("wrist"), unit(head("finger3-1") - head("wrist"))
        palm = -sign * unit(cross(head("finger2-1") - wrist, head("finger5-1") - wrist))
        palms.append(palm)
        side_axes = []
        for finger in range(1, 6):
            joints = [head(f"finger{finger}-{joint}") for joint in (1, 2, 3)]
            if finger == 1:
                # The thumb is bent a little at rest, and so shows the axis of its curl.
                axis = unit(cross(joints[1] - joints[0], joints[2] - joints[1]))
            else:
                axis = unit(cross(joints[2] - joints[0], palm))
                before = joints[0] - head(f"metacarpal{finger - 1}")
                middle = head("finger3-2") - head("finger3-1")
                splay[side, finger - 1] = bend_between(middle, joints[1] - joints[0], palm)
                straight[side, finger - 1, 0] = bend_between(before, joints[1] - joints[0], axis)
                straight[side, finger - 1, 1] = bend_between(
                    joints[1] - joints[0], joints[2] - joints[1], axis
                )
            side_axes.append(axis)
        axes.append(side_axes)
        upper, fore = head("lowerarm01") - head("upperarm01"), wrist - head("lowerarm01")
        hinge = cross(upper, fore)
        arm_frames.append([frame(upper, hinge), frame(fore, hinge), frame(hand, palm)])
        hip, knee, ankle = head("upperleg01"), head("lowerleg01"), head("foot")
        hinge = frame(ankle - hip, FORWARD)[:, 2]
        leg_frames.append([frame(knee - hip, hinge), frame(ankle - knee, hinge)])
    return Rig(
        number=number,
        heads=heads,
        parents=np.array(parents),
        from_parent=heads - heads[np.maximum(parents, 0)],
        ancestors=ancestors,
        followers=tuple(
            (bone, parents[bone]) for name, bone in number.items() if not name.startswith(_RULED)
        ),
        palms=np.array(palms),
        finger_axes=np.array(axes),
        straight=straight,
        splay=splay,
        arm_frames=np.array(arm_frames),
        leg_frames=np.array(leg_frames),
    )


_RULED = (
    *("root", "pelvis", "spine", "neck", "head", "eye", "clavicle", "shoulder01", "upperarm", "lowerarm"),
    *("wrist", "finger", "upperleg", "lowerleg", "foot", "toe"),
)


def bend_between(
    before: Float[np.ndarray, "... 3"], after: Float[np.ndarray, "... 3"], axis: Float[np.ndarray, "... 3"]
) -> Float[np.ndarray, "..."]:
    """The signed angle from one direction to another about an axis of length 1."""
    return np.arctan2(
        dot(cross(before, after), axis), dot(before, after) - dot(before, axis) * dot(after, axis)
    )


def _heads(
    rig: Rig, rotations: Float[np.ndarray, "poses bones 3 3"], root: Float[np.ndarray, "poses 3"]
) -> Float[np.ndarray, "poses bones 3"]:
    """Where the bones begin: a bone begins where its parent's end has gone to."""
    steps = np.einsum("tbij,bj->tbi", rotations[:, rig.parents], rig.from_parent)
    steps[:, 0] = root
    return rig.ancestors @ steps


def _rotations(rig: Rig, numbers: Float[np.ndarray, "poses numbers"]) -> Float[np.ndarray, "poses bones 3 3"]:
    rotations = np.empty((len(numbers), len(rig.heads), 3, 3))
    number = rig.number
    pelvis, spine, necks = trunk_rotations(numbers)
    rotations[:, [number["root"], number["pelvis.L"], number["pelvis.R"]]] = pelvis[:, None]
    rotations[:, [number[bone] for bone in _SPINE_SHARE]] = spine
    rotations[:, [number[bone] for bone in _NECK_SHARE]] = necks
    face = part(numbers, "face")
    gaze = turn_rotation(np.stack([face[:, -2], -face[:, -1], np.zeros(len(face))], axis=1))
    rotations[:, [number["eye.L"], number["eye.R"]]] = (necks[:, -1] @ gaze)[:, None]
    for side, name in enumerate(SIDES):
        _pose_arm(rig, side, name, part(numbers, "arms")[:, side], spine[:, -1], rotations)
        _pose_hand(rig, side, name, part(numbers, "hands")[:, side], rotations)
        _pose_leg(rig, side, name, numbers, rotations)
    # Parents come first.
    for bone, parent in rig.followers:
        rotations[:, bone] = rotations[:, parent]
    return rotations


def trunk_rotations(
    numbers: Float[np.ndarray, "poses numbers"],
) -> tuple[
    Float[np.ndarray, "poses 3 3"], Float[np.ndarray, "poses 5 3 3"], Float[np.ndarray, "poses 4 3 3"]
]:
    """The rotations of pelvis, spine (upwards, to the chest) and neck (upwards, to the head)."""
    turns = np.stack([part(numbers, name) for name in ("pelvis", "chest", "head")])
    pelvis, chest, head = turn_rotation(turns)
    shares = np.array(list(_SPINE_SHARE.values()))
    spine = pelvis[:, None] @ turned_by(rotation_vector(chest)[:, None] * shares[:, None])
    shares = np.array(list(_NECK_SHARE.values()))
    return pelvis, spine, spine[:, -1:] @ turned_by(rotation_vector(head)[:, None] * shares[:, None])


def clavicle_rotation(
    spine: Float[np.ndarray, "poses 3 3"], upper: Float[np.ndarray, "poses 3"], side: int
) -> Float[np.ndarray, "poses 3 3"]:
    """The collar bone rises with the arm: about a quarter of what the arm rises above the shoulder."""
    raised = np.arcsin(np.clip(dot(spine[..., 2], unit(upper)), -1, 1)) + 0.35
    # Smooth where it begins to rise.
    lift = 0.14 * (raised + np.sqrt(raised * raised + 0.02))
    return spine @ about(FORWARD, lift if side == 0 else -lift)


def _pose_arm(
    rig: Rig,
    side: int,
    name: str,
    arm: Float[np.ndarray, "poses 4 3"],
    spine: Float[np.ndarray, "poses 3 3"],
    rotations: Float[np.ndarray, "poses bones 3 3"],
) -> None:
    upper, fore, hand, palm = unit(arm).swapaxes(0, 1)
    number = rig.number
    upper_rest, fore_rest, hand_rest = rig.arm_frames[side]
    clavicle = clavicle_rotation(spine, upper, side)
    rotations[:, number[f"clavicle.{name}"]] = rotations[:, number[f"shoulder01.{name}"]] = clavicle

    hinge = cross(upper, fore)
    upper_rotation = frame(upper, hinge) @ upper_rest.T
    # The upper half of the bone takes half of the twist, relative to the collar bone.
    swung = swing(clavicle @ upper_rest[:, 0], upper) @ clavicle
    twist = 0.5 * rotation_vector(upper_rotation @ swung.swapaxes(1, 2))
    rotations[:, number[f"upperarm01.{name}"]] = turned_by(twist) @ swung
    rotations[:, number[f"upperarm02.{name}"]] = upper_rotation

    hand_rotation = frame(hand, palm) @ hand_rest.T
    # The forearm points where it should; how the hand turns about it is spread along it.
    fore_rotation = frame(fore, hinge) @ fore_rest.T
    turned = swing(hand_rotation @ fore_rest[:, 0], fore) @ hand_rotation
    twist = rotation_vector(turned @ fore_rotation.swapaxes(1, 2))
    rotations[:, number[f"lowerarm01.{name}"]] = turned_by(0.3 * twist) @ fore_rotation
    rotations[:, number[f"lowerarm02.{name}"]] = turned_by(0.75 * twist) @ fore_rotation
    rotations[:, number[f"wrist.{name}"]] = hand_rotation


def _pose_hand(
    rig: Rig,
    side: int,
    name: str,
    hand: Float[np.ndarray, "poses 13"],
    rotations: Float[np.ndarray, "poses bones 3 3"],
) -> None:
    curls, spread, thumb_out, thumb_round, tips = np.split(hand, [5, 6, 7, 8], axis=1)
    wrist = rotations[:, rig.number[f"wrist.{name}"]]
    sign = 1.0 if side == 0 else -1.0
    ends = np.clip(curls + tips, 0.0, 1.0)
    bends = np.stack([curls, ends, ends], axis=2) * FINGER_CURL - rig.straight[side]
    aside = about(rig.palms[side], sign * spread * _SPREAD - rig.splay[side])
    middle = rig.arm_frames[side, 2][:, 0]
    aside[:, 0] = (about(middle, sign * thumb_round) @ about(rig.palms[side], sign * thumb_out))[:, 0]
    # All joints of a finger curl about one axis, so their angles add up.
    curled = turned_by(np.cumsum(bends, axis=2)[..., None] * rig.finger_axes[side][:, None])
    start = rig.number[f"finger1-1.{name}"]
    posed = wrist[:, None, None] @ aside[:, :, None] @ curled
    rotations[:, start : start + 3] = posed[:, 0]
    for finger in range(2, 6):
        start = rig.number[f"finger{finger}-1.{name}"]
        rotations[:, start : start + 3] = posed[:, finger - 1]


def _pose_leg(
    rig: Rig,
    side: int,
    name: str,
    numbers: Float[np.ndarray, "poses numbers"],
    rotations: Float[np.ndarray, "poses bones 3 3"],
) -> None:
    left, forward, up, outward, toe_down, toes_up = part(numbers, "feet")[:, side].T
    sign = 1.0 if side == 0 else -1.0
    pelvis = rotations[:, rig.number["root"]]
    foot_turn = np.stack([sign * outward, toe_down, np.zeros(len(numbers))], axis=1)
    foot = turn_rotation(foot_turn)
    hip_now = hip_places(rig, side, pelvis, part(numbers, "shift"))
    ankle_now = rig.head(f"foot.{name}") + np.stack([left, -forward, up], axis=1)

    thigh = rig.length(f"upperleg01.{name}", f"lowerleg01.{name}")
    shin = rig.length(f"lowerleg01.{name}", f"foot.{name}")
    nearest = np.sqrt(thigh**2 + shin**2 + 2 * thigh * shin * np.cos(KNEE_BEND))
    reach = ankle_now - hip_now
    distance = np.clip(np.sqrt(dot(reach, reach)), nearest, 0.9995 * (thigh + shin))
    knee_forward = turned_by(0.5 * rotation_vector(pelvis)) @ turned_by(0.5 * rotation_vector(foot)) @ FORWARD
    axes = frame(reach, knee_forward)
    angle = np.arccos(np.clip((thigh**2 + distance**2 - shin**2) / (2 * thigh * distance), -1, 1))
    in_plane = np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=1)
    thigh_now = np.einsum("tij,tj->ti", axes, in_plane) * thigh
    shin_now = unit(reach) * distance[:, None] - thigh_now

    thigh_rest, shin_rest = rig.leg_frames[side]
    first, last = rig.number[f"upperleg01.{name}"], rig.number[f"lowerleg01.{name}"]
    rotations[:, first : first + 2] = (frame(thigh_now, axes[..., 2]) @ thigh_rest.T)[:, None]
    rotations[:, last : last + 2] = (frame(shin_now, axes[..., 2]) @ shin_rest.T)[:, None]
    ankle = rig.number[f"foot.{name}"]
    rotations[:, ankle] = foot
    toes = foot @ turn_rotation(np.stack([np.zeros_like(toes_up), -toes_up, np.zeros_like(toes_up)], axis=1))
    rotations[:, ankle + 1 : ankle + 15] = toes[:, None]


def hip_places(
    rig: Rig, side: int, pelvis: Float[np.ndarray, "poses 3 3"], shift: Float[np.ndarray, "poses 3"]
) -> Float[np.ndarray, "poses 3"]:
    """Where a hip joint is, in the person's own axes."""
    root = rig.head("root")
    return root + shift + pelvis @ (rig.head(f"upperleg01.{SIDES[side]}") - root)
