"""A pose, described as a choreographer would (where an arm points, how far a finger is curled), and the
rotations of the bones that take it.

Arms follow directions, legs reach for their feet by two-bone inverse kinematics, fingers curl about axes read
off the body at rest. Angles in radians, lengths in metres, world axes as in `person`.

Dimension names: bones 104, sides 2 (the person's left, right), fingers 5 (thumb to little).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from renderers.mannequin.person import Person

SIDES = ("L", "R")
FORWARD = np.array([0.0, -1.0, 0.0])
UP = np.array([0.0, 0.0, 1.0])

FINGER_CURL = np.radians([[0, 40, 65], [80, 100, 60], [80, 100, 60], [80, 100, 60], [80, 100, 60]])
"""The angle of each finger's three joints (thumb: carpometacarpal, metacarpophalangeal, interphalangeal) at
curl 1."""

_SPREAD = np.array([0.0, 1.0, 0.15, -0.5, -1.0])
_NECK_SHARE = {"neck01": 0.2, "neck02": 0.4, "neck03": 0.6, "head": 1.0}
_SPINE_SHARE = {"spine05": 0.15, "spine04": 0.35, "spine03": 0.55, "spine02": 0.8, "spine01": 1.0}


@dataclass(frozen=True)
class Hand:
    """Curls in [0, 1] from straight to closed, thumb to little; the spread of the fingers, and how far the
    thumb stands off the palm (out, beside the index finger) and comes round in front of it, in radians."""

    curls: tuple[float, float, float, float, float]
    spread: float = 0.08
    thumb_out: float = 0.0
    thumb_round: float = 0.0


@dataclass(frozen=True)
class Arm:
    """World directions, of any length: upper arm, forearm, hand (wrist to middle finger), and out of the
    palm."""

    upper: tuple[float, float, float]
    fore: tuple[float, float, float]
    hand: tuple[float, float, float]
    palm: tuple[float, float, float]


@dataclass(frozen=True)
class Foot:
    """How far a foot is from its place at rest (to the left, forward, up), and how far it turns outward.

    A foot whose `up` is negative stands too: so a step from foot to foot passes through a moment on both.
    """

    left: float = 0.0
    forward: float = 0.0
    up: float = 0.0
    outward: float = 0.0


@dataclass(frozen=True)
class Turn:
    """Angles: to the person's left about the vertical, forward bend, and lean to the person's left."""

    left: float = 0.0
    forward: float = 0.0
    lean: float = 0.0


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


def bone_rotations(person: Person, pose: Pose) -> Float[np.ndarray, "bones 3 3"]:
    """The rotation of every bone from rest, in world axes."""
    rotations: dict[str, np.ndarray] = {}
    pelvis = _turn(pose.pelvis)
    chest = _turn(pose.chest)
    rotations["root"] = rotations["pelvis.L"] = rotations["pelvis.R"] = pelvis
    for bone, share in _SPINE_SHARE.items():
        rotations[bone] = pelvis @ _part(chest, share)
    neck = _turn(pose.head)
    for bone, share in _NECK_SHARE.items():
        rotations[bone] = rotations["spine01"] @ _part(neck, share)
    for side, name in enumerate(SIDES):
        _pose_arm(person, name, pose.arms[side], rotations)
        _pose_hand(person, name, pose.hands[side], rotations)
        _pose_leg(person, name, pose, rotations)
    # A bone that no rule turns (eyes, toes) goes along with its parent; parents come first.
    for bone, parent in zip(person.bones, person.parents, strict=True):
        if bone not in rotations:
            rotations[bone] = rotations[person.bones[parent]]
    return np.stack([rotations[bone] for bone in person.bones])


def _turn(turn: Turn) -> np.ndarray:
    return Rotation.from_euler("ZXY", [turn.left, turn.forward, turn.lean]).as_matrix()


def _part(rotation: np.ndarray, share: float) -> np.ndarray:
    return Rotation.from_rotvec(share * Rotation.from_matrix(rotation).as_rotvec()).as_matrix()


def _about(axis: np.ndarray, angle: float) -> np.ndarray:
    return Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle).as_matrix()


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _frame(along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Orthonormal axes: along, then across made perpendicular to it, then their cross product."""
    first = _unit(along)
    second = _unit(across - first * (first @ across))
    return np.stack([first, second, np.cross(first, second)], axis=1)


def _swing(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The smallest rotation that takes one direction to another."""
    start, end = _unit(start), _unit(end)
    axis = np.cross(start, end)
    sine = np.linalg.norm(axis)
    return np.eye(3) if sine < 1e-9 else _about(axis, np.arctan2(sine, start @ end))


def _untwisted(rotation: np.ndarray, parent: np.ndarray, along: np.ndarray, share: float) -> np.ndarray:
    """The rotation with only a share of its twist about the bone, `along` at rest, relative to its parent."""
    swing = _swing(parent @ along, rotation @ along) @ parent
    return _part(rotation @ swing.T, share) @ swing


def _pose_arm(person: Person, side: str, arm: Arm, rotations: dict[str, np.ndarray]) -> None:
    shoulder, elbow, wrist = (person.head(f"{bone}.{side}") for bone in ("upperarm01", "lowerarm01", "wrist"))
    upper, fore, hand, palm = (np.array(direction) for direction in (arm.upper, arm.fore, arm.hand, arm.palm))
    spine = rotations["spine01"]

    # The collar bone rises with the arm: about a quarter of what the arm rises above the shoulder.
    raised = np.arcsin(np.clip(_unit(spine.T @ upper)[2], -1, 1))
    lift = 0.28 * max(raised + 0.35, 0.0)
    clavicle = spine @ _about(FORWARD, lift if side == "L" else -lift)
    rotations[f"clavicle.{side}"] = rotations[f"shoulder01.{side}"] = clavicle

    hinge_at_rest = np.cross(elbow - shoulder, wrist - elbow)
    hinge = np.cross(upper, fore)
    upper_rotation = _frame(upper, hinge) @ _frame(elbow - shoulder, hinge_at_rest).T
    along = _unit(elbow - shoulder)
    rotations[f"upperarm01.{side}"] = _untwisted(upper_rotation, clavicle, along, 0.5)
    rotations[f"upperarm02.{side}"] = upper_rotation

    along = _unit(wrist - elbow)
    middle = _unit(person.head(f"finger3-1.{side}") - wrist)
    hand_rotation = _frame(hand, palm) @ _frame(middle, palm_at_rest(person, side)).T
    # The forearm points where it should; how the hand turns about it is spread along it.
    fore_rotation = _frame(fore, hinge) @ _frame(wrist - elbow, hinge_at_rest).T
    turned = _swing(hand_rotation @ along, fore) @ hand_rotation
    rotations[f"lowerarm01.{side}"] = _part(turned @ fore_rotation.T, 0.3) @ fore_rotation
    rotations[f"lowerarm02.{side}"] = _part(turned @ fore_rotation.T, 0.75) @ fore_rotation
    rotations[f"wrist.{side}"] = hand_rotation


def palm_at_rest(person: Person, side: str) -> Float[np.ndarray, "3"]:
    """The direction out of the palm of the body at rest."""
    wrist, index, little = (person.head(f"{bone}.{side}") for bone in ("wrist", "finger2-1", "finger5-1"))
    across = np.cross(index - wrist, little - wrist)
    return _unit(-across if side == "L" else across)


def _finger_axis(person: Person, side: str, finger: int) -> np.ndarray:
    """The axis about which a finger curls: it is bent a little at rest, and so shows it."""
    joints = [person.head(f"finger{finger}-{joint}.{side}") for joint in (1, 2, 3)]
    palm, along = palm_at_rest(person, side), joints[2] - joints[0]
    if finger == 1:
        bend = np.cross(joints[1] - joints[0], joints[2] - joints[1])
        return _unit(bend)
    return _unit(np.cross(along, palm))


def _pose_hand(person: Person, side: str, hand: Hand, rotations: dict[str, np.ndarray]) -> None:
    wrist = rotations[f"wrist.{side}"]
    palm = palm_at_rest(person, side)
    sign = 1.0 if side == "L" else -1.0
    middle = _unit(person.head(f"finger3-1.{side}") - person.head(f"wrist.{side}"))
    for finger in range(1, 6):
        axis = _finger_axis(person, side, finger)
        joints = [person.head(f"finger{finger}-{joint}.{side}") for joint in (1, 2, 3)]
        bends = hand.curls[finger - 1] * FINGER_CURL[finger - 1]
        if finger == 1:
            base = _about(middle, sign * hand.thumb_round) @ _about(palm, sign * hand.thumb_out)
            parent = wrist @ base
        else:
            bone = f"metacarpal{finger - 1}.{side}"
            rotations[bone] = wrist
            before = joints[0] - person.head(bone)
            parent = wrist @ _about(palm, sign * hand.spread * _SPREAD[finger - 1])
            # Straight means in line with the metacarpal, as seen across the curl's axis.
            bends = bends - [_bend(before, joints[1] - joints[0], axis), 0.0, 0.0]
            bends[1] -= _bend(joints[1] - joints[0], joints[2] - joints[1], axis)
        for joint, bend in enumerate(bends, start=1):
            parent = parent @ _about(axis, bend)
            rotations[f"finger{finger}-{joint}.{side}"] = parent


def _bend(before: np.ndarray, after: np.ndarray, axis: np.ndarray) -> float:
    """The signed angle from one direction to another about an axis."""
    return float(
        np.arctan2(np.cross(before, after) @ axis, before @ after - (before @ axis) * (after @ axis))
    )


def _pose_leg(person: Person, side: str, pose: Pose, rotations: dict[str, np.ndarray]) -> None:
    foot = pose.feet[SIDES.index(side)]
    sign = 1.0 if side == "L" else -1.0
    root, hip, knee, ankle = (
        person.head(bone) for bone in ("root", f"upperleg01.{side}", f"lowerleg01.{side}", f"foot.{side}")
    )
    pelvis = rotations["root"]
    hip_now = root + np.array(pose.shift) + pelvis @ (hip - root)
    raised = max(foot.up, 0.0)
    # A raised foot hangs a little toe-down.
    foot_rotation = _turn(Turn(left=sign * foot.outward, forward=1.8 * raised))
    ankle_now = ankle + np.array([foot.left, -foot.forward, raised])

    thigh, shin = np.linalg.norm(knee - hip), np.linalg.norm(ankle - knee)
    reach = ankle_now - hip_now
    distance = np.clip(np.linalg.norm(reach), 0.4, 0.9995 * (thigh + shin))
    knee_forward = _part(pelvis, 0.5) @ _part(foot_rotation, 0.5) @ FORWARD
    axes = _frame(reach, knee_forward)
    angle = np.arccos(np.clip((thigh**2 + distance**2 - shin**2) / (2 * thigh * distance), -1, 1))
    thigh_now = axes @ np.array([np.cos(angle), np.sin(angle), 0.0]) * thigh
    shin_now = _unit(reach) * distance - thigh_now

    hinge, hinge_at_rest = axes[:, 2], _frame(ankle - hip, FORWARD)[:, 2]
    rotations[f"upperleg01.{side}"] = _frame(thigh_now, hinge) @ _frame(knee - hip, hinge_at_rest).T
    rotations[f"upperleg02.{side}"] = rotations[f"upperleg01.{side}"]
    rotations[f"lowerleg01.{side}"] = _frame(shin_now, hinge) @ _frame(ankle - knee, hinge_at_rest).T
    rotations[f"lowerleg02.{side}"] = rotations[f"lowerleg01.{side}"]
    rotations[f"foot.{side}"] = foot_rotation
