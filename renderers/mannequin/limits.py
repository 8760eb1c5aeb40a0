"""How far a person's joints go: the limits, their measure on posed bones, and a pose held within them.

Ranges are the American Academy of Orthopaedic Surgeons' (Joint Motion, 1965; Greene and Heckman 1994), which
clinics use as the norm for adults, measured from the anatomical position. Where everyday movement is known to
go on, because more joints take part or the body's weight helps, the comment says so.

Dimension names: poses, numbers, sides, fingers, joints as in `pose`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from renderers.mannequin.person import Person
from renderers.mannequin.pose import (
    SIDES,
    Pose,
    about,
    bend_between,
    cross,
    dot,
    frame,
    numbered_pose,
    part,
    pose_numbers,
    rig_of,
    rotation_vector,
    swing,
    trunk_rotations,
    unit,
)


class Range(NamedTuple):
    """The least and the greatest angle of a joint, in radians."""

    least: float
    greatest: float


def _degrees(least: float, greatest: float) -> Range:
    return Range(float(np.radians(least)), float(np.radians(greatest)))


LIMITS: dict[str, Range] = {
    # The head against the chest: rotation 80, flexion 45, extension 45 (to 75 by some), lateral 45.
    "neck_left": _degrees(-80, 80),
    "neck_forward": _degrees(-60, 45),
    "neck_lean": _degrees(-45, 45),
    # The chest against the pelvis: rotation 45, flexion 80, extension 25, lateral 35.
    "spine_left": _degrees(-45, 45),
    "spine_forward": _degrees(-25, 80),
    "spine_lean": _degrees(-35, 35),
    # The upper arm against the chest, shoulder blade included. Extension 60: how far behind the frontal
    # plane; horizontal flexion 135: how far past straight ahead, across the body. It may be raised all the
    # way, 180.
    "shoulder_behind": _degrees(-90, 60),
    "shoulder_across": _degrees(-90, 45),
    # Rotation about the upper arm, from the forearm straight ahead with the arm hanging: 70 in and 90 out;
    # with the shoulder blade's part 90 and 110.
    "shoulder_outward": _degrees(-90, 110),
    # No elbow is bent backward: hyperextension is 0.
    "elbow": _degrees(0, 150),
    # From the thumb up, elbow bent: pronation 80, supination 80; the play of the carpus adds about 10.
    "forearm_inward": _degrees(-90, 90),
    "wrist_flexion": _degrees(-70, 80),
    # To the little finger's side 30, to the thumb's side 20.
    "wrist_ulnar": _degrees(-20, 30),
    # Knuckles (MCP) 45 back and 90 closed, middle joints (PIP) 0 to 100, end joints (DIP) 0 to 90.
    "finger_base": _degrees(-45, 90),
    "finger_middle": _degrees(-5, 100),
    "finger_end": _degrees(-10, 90),
    "finger_aside": _degrees(-25, 25),
    # The thumb: its first bone (CMC) 70 from the palm; MCP 0 to 50, to 60 by some; IP 20 back to 80.
    "thumb_first": _degrees(0, 70),
    "thumb_base": _degrees(-10, 60),
    "thumb_end": _degrees(-20, 80),
    # The thigh against the pelvis: flexion 120, extension 30, abduction 45, adduction 30, rotation 45.
    "hip_forward": _degrees(-30, 120),
    "hip_outward": _degrees(-30, 45),
    "hip_rotation": _degrees(-45, 45),
    "knee": _degrees(0, 135),
    # Plantar flexion 50; dorsiflexion 20, and 38 with the body's weight on the bent leg (the lunge test).
    "ankle_down": _degrees(-38, 50),
    # Inversion 35 and eversion 15 to 20; and how the foot turns below the knee.
    "ankle_side": _degrees(-20, 35),
    "foot_turn": _degrees(-35, 35),
}
"""The range of each angle that `joint_angles` measures."""


def joint_angles(
    person: Person, transforms: Float[np.ndarray, "poses bones 3 4"]
) -> dict[str, Float[np.ndarray, "poses measures"]]:
    """The angles named in LIMITS, in radians, read off posed bones; both sides and all fingers of one kind
    stand beside each other. NaN where an angle has no meaning (how a straight arm turns about itself)."""
    rig = rig_of(person)
    turns = transforms[..., :3]
    heads = np.einsum("tbij,bj->tbi", turns, rig.heads) + transforms[..., 3]
    measured: dict[str, list[np.ndarray]] = {name: [] for name in LIMITS}

    def turn(bone: str) -> np.ndarray:
        return turns[:, rig.number[bone]]

    def between(start: str, end: str) -> np.ndarray:
        return unit(heads[:, rig.number[end]] - heads[:, rig.number[start]])

    pelvis, chest = turn("root"), turn("spine01")
    for joint, below, above in (("spine", pelvis, chest), ("neck", chest, turn("head"))):
        relative = below.swapaxes(1, 2) @ above
        measured[f"{joint}_left"].append(np.arctan2(-relative[:, 0, 1], relative[:, 1, 1]))
        measured[f"{joint}_forward"].append(np.arcsin(np.clip(relative[:, 2, 1], -1, 1)))
        measured[f"{joint}_lean"].append(np.arctan2(-relative[:, 2, 0], relative[:, 2, 2]))
    for side, name in enumerate(SIDES):
        upper = between(f"upperarm01.{name}", f"lowerarm01.{name}")
        fore = between(f"lowerarm01.{name}", f"wrist.{name}")
        hand = turn(f"wrist.{name}") @ rig.arm_frames[side, 2]
        arm = _arm_angles(side, chest, upper, fore, hand)
        # How a straight arm turns is of the shoulder's doing and the forearm's; an upright one's has no zero.
        upright = dot(chest[..., 2], upper) > 0.75
        arm["shoulder_outward"][(arm["elbow"] < 0.35) | upright] = np.nan
        arm["forearm_inward"][arm["elbow"] < 0.2] = np.nan
        for joint, angles in arm.items():
            measured[joint].append(angles)
        _measure_fingers(person, side, turn, measured)

        sign = 1.0 if side == 0 else -1.0
        thigh = between(f"upperleg01.{name}", f"lowerleg01.{name}")
        shin = between(f"lowerleg01.{name}", f"foot.{name}")
        inside = np.einsum("tji,tj->ti", pelvis, thigh)
        measured["hip_forward"].append(np.arctan2(-inside[:, 1], -inside[:, 2]))
        measured["hip_outward"].append(np.arcsin(np.clip(sign * inside[:, 0], -1, 1)))
        at_rest = unit(rig.head(f"lowerleg01.{name}") - rig.head(f"upperleg01.{name}"))
        swung = swing(np.broadcast_to(at_rest, inside.shape), inside)
        twist = swung.swapaxes(1, 2) @ pelvis.swapaxes(1, 2) @ turn(f"upperleg01.{name}")
        measured["hip_rotation"].append(-sign * dot(rotation_vector(twist), at_rest))
        measured["knee"].append(np.arccos(np.clip(dot(thigh, shin), -1, 1)))
        ankle = rotation_vector(turn(f"lowerleg01.{name}").swapaxes(1, 2) @ turn(f"foot.{name}"))
        measured["ankle_down"].append(ankle[:, 0])
        measured["ankle_side"].append(sign * ankle[:, 1])
        measured["foot_turn"].append(sign * ankle[:, 2])
    return {joint: np.stack(angles, axis=1) for joint, angles in measured.items()}


def _measure_fingers(person: Person, side: int, turn: object, measured: dict[str, list[np.ndarray]]) -> None:
    rig, name = rig_of(person), SIDES[side]
    assert callable(turn)
    for finger in range(1, 6):
        axis, straight = rig.finger_axes[side, finger - 1], rig.straight[side, finger - 1]
        before = turn(f"wrist.{name}")
        for joint, place in enumerate(("base", "middle", "end")):
            after = turn(f"finger{finger}-{joint + 1}.{name}")
            relative = before.swapaxes(1, 2) @ after
            if joint == 0 and finger > 1:
                aside = bend_between(axis, relative @ axis, rig.palms[side])
                measured["finger_aside"].append(aside + rig.splay[side, finger - 1])
                relative = about(rig.palms[side], -aside) @ relative
            vector = rotation_vector(relative)
            bend = dot(vector, axis) + straight[joint]
            if finger > 1:
                measured[f"finger_{place}"].append(bend)
            elif joint == 0:
                measured["thumb_first"].append(np.sqrt(dot(vector, vector)))
            else:
                measured["thumb_base" if joint == 1 else "thumb_end"].append(bend)
            before = after


def _arm_angles(
    side: int,
    chest: Float[np.ndarray, "poses 3 3"],
    upper: Float[np.ndarray, "poses 3"],
    fore: Float[np.ndarray, "poses 3"],
    hand: Float[np.ndarray, "poses 3 3"],
) -> dict[str, Float[np.ndarray, "poses"]]:
    """Of directions of length 1; the hand's axes are along, palm and their cross product."""
    sign = 1.0 if side == 0 else -1.0
    inside = np.einsum("tji,tj->ti", chest, upper)
    hanging = swing(inside, np.broadcast_to([0.0, 0.0, -1.0], inside.shape))
    ahead = np.einsum("tij,tkj,tk->ti", hanging, chest, fore)
    elbow = np.arctan2(np.sqrt(dot(cross(upper, fore), cross(upper, fore))), dot(upper, fore))
    outward = np.arctan2(sign * ahead[:, 0], -ahead[:, 1])
    inward, flexion, ulnar = _hand_angles(side, upper, fore, hand)
    return {
        "shoulder_behind": np.arcsin(np.clip(inside[:, 1], -1, 1)),
        "shoulder_across": np.arcsin(np.clip(-sign * inside[:, 0], -1, 1)),
        "shoulder_outward": np.where((elbow > 0.3) & (inside[:, 2] < 0.8), outward, np.nan),
        "elbow": elbow,
        "forearm_inward": inward,
        "wrist_flexion": flexion,
        "wrist_ulnar": ulnar,
    }


def _forearm_frame(side: int, upper: np.ndarray, fore: np.ndarray) -> Float[np.ndarray, "poses 3 3"]:
    """Along the forearm, and to where the palm looks when the thumb is up."""
    return frame(fore, cross(upper, fore) * (1.0 if side == 0 else -1.0))


def _hand_angles(
    side: int,
    upper: Float[np.ndarray, "poses 3"],
    fore: Float[np.ndarray, "poses 3"],
    hand: Float[np.ndarray, "poses 3 3"],
) -> tuple[Float[np.ndarray, "poses"], Float[np.ndarray, "poses"], Float[np.ndarray, "poses"]]:
    """Pronation, flexion, and deviation to the little finger's side."""
    sign = 1.0 if side == 0 else -1.0
    relative = _forearm_frame(side, upper, fore).swapaxes(1, 2) @ hand
    along = np.broadcast_to([1.0, 0.0, 0.0], relative[..., 0].shape)
    twist = swing(relative[..., 0], along) @ relative
    inward = np.arctan2(twist[:, 2, 1], twist[:, 1, 1])
    bent = np.einsum("tji,tj->ti", twist, relative[..., 0])
    sine = np.sqrt(bent[:, 1] ** 2 + bent[:, 2] ** 2)
    angle = np.arctan2(sine, bent[:, 0]) / np.maximum(sine, 1e-9)
    return sign * inward, angle * bent[:, 1], sign * angle * bent[:, 2]


def hand_frame(
    side: int,
    upper: Float[np.ndarray, "poses 3"],
    fore: Float[np.ndarray, "poses 3"],
    inward: Float[np.ndarray, "poses"],
    flexion: Float[np.ndarray, "poses"],
    ulnar: Float[np.ndarray, "poses"],
) -> Float[np.ndarray, "poses 3 3"]:
    """The hand's axes (along, palm, their cross product) at these angles of forearm and wrist."""
    sign = 1.0 if side == 0 else -1.0
    bend = np.stack([np.zeros_like(flexion), -sign * ulnar, flexion], axis=1)
    angle = np.sqrt(dot(bend, bend))
    bent = about(bend / np.maximum(angle, 1e-9)[:, None], angle)
    return _forearm_frame(side, upper, fore) @ about(np.array([1.0, 0.0, 0.0]), sign * inward) @ bent


def limited_hand(
    side: int,
    upper: Float[np.ndarray, "poses 3"],
    fore: Float[np.ndarray, "poses 3"],
    hand: Float[np.ndarray, "poses 3 3"],
    soft: bool = False,
) -> Float[np.ndarray, "poses 3 3"]:
    """The hand's axes with forearm and wrist held within their limits.

    `soft` is for a row of poses that follow each other: they come up to the limits gently, and a forearm that
    is asked to turn on past its limit stays there.
    """
    if soft:
        # A hand asked to point back along its forearm could bend there either way.
        hand = frame(hand[..., 0] + 0.3 * fore, hand[..., 1])
    inward, flexion, ulnar = _hand_angles(side, upper, fore, hand)
    if soft:
        inward = np.unwrap(inward)
        # The first pose's turn is the nearest of those that look alike.
        inward = inward - 2 * np.pi * np.round(np.median(inward) / (2 * np.pi))
    wrist = {"forearm_inward": inward, "wrist_flexion": flexion, "wrist_ulnar": ulnar}
    if soft:
        held = [
            gaussian_filter1d(soft_clip(values, LIMITS[joint]), _SOFTNESS, mode="nearest")
            for joint, values in wrist.items()
        ]
    else:
        held = [np.clip(values, *LIMITS[joint]) for joint, values in wrist.items()]
    return hand_frame(side, upper, fore, *held)


_SOFTNESS = 1.2
"""Over how many poses a wrist is smoothed that is asked to go from one limit to another at once."""


def soft_clip(values: Float[np.ndarray, "..."], limits: Range) -> Float[np.ndarray, "..."]:
    """Values held within limits, with no jump in their rate: they slow down over the last fifth."""
    centre, half = (limits.greatest + limits.least) / 2, (limits.greatest - limits.least) / 2
    size = np.abs(values - centre) / half
    over = np.maximum(size - 0.8, 0.0)
    return centre + np.sign(values - centre) * half * np.where(
        over > 0, 0.8 + 0.19 * (1 - np.exp(-over / 0.19)), size
    )


def limited(pose: Pose) -> Pose:
    """The pose with trunk, arms, hands and feet held within the limits of their joints.

    How far hips and knees bend depends on the body's build too: the knee stops as `pose` says.
    """
    numbers = pose_numbers(pose)[None]
    limited_numbers(numbers)
    return numbered_pose(numbers[0])


def limited_numbers(numbers: Float[np.ndarray, "poses numbers"]) -> None:
    """Hold rows of pose numbers within the limits, in place."""
    for name, joint in (("chest", "spine"), ("head", "neck")):
        for column, way in enumerate(("left", "forward", "lean")):
            values = part(numbers, name)[:, column]
            values[:] = np.clip(values, *LIMITS[f"{joint}_{way}"])
    pelvis = part(numbers, "pelvis")
    pelvis[:] = np.clip(pelvis, np.radians([-45, -20, -20]), np.radians([45, 45, 20]))
    _limit_hands(part(numbers, "hands"))
    chest = trunk_rotations(numbers)[1][:, -1]
    for side in range(2):
        _limit_arm(side, chest, part(numbers, "arms")[:, side])
    feet = part(numbers, "feet")
    feet[..., 3] = np.clip(feet[..., 3], -np.pi / 6, np.pi / 3)
    feet[..., 4] = np.clip(feet[..., 4], LIMITS["ankle_down"].least, np.radians(75))
    feet[..., 5] = np.clip(feet[..., 5], 0.0, np.radians(70))
    face = part(numbers, "face")
    face[:, :8] = np.clip(face[:, :8], 0, 1)
    face[:, 8] = np.clip(face[:, 8], *_EYES[0])
    face[:, 9] = np.clip(face[:, 9], *_EYES[1])


_EYES = (_degrees(-40, 40), _degrees(-30, 30))
_THUMB_OUT, _THUMB_ROUND = Range(-0.5, 0.5), Range(-0.2, 1.0)
_SPREAD = Range(-0.09, 0.4)


def _limit_hands(hands: Float[np.ndarray, "poses sides 13"]) -> None:
    curls, tips = hands[..., :5], hands[..., 8:]
    curls[:] = np.clip(curls, 0, 1)
    tips[:] = np.clip(curls + tips, 0, 1) - curls
    for column, limits in ((5, _SPREAD), (6, _THUMB_OUT), (7, _THUMB_ROUND)):
        hands[..., column] = np.clip(hands[..., column], *limits)


def _limit_arm(side: int, chest: Float[np.ndarray, "poses 3 3"], arm: Float[np.ndarray, "poses 4 3"]) -> None:
    sign = 1.0 if side == 0 else -1.0
    upper, fore, hand, palm = unit(arm).swapaxes(0, 1)
    inside = np.einsum("tji,tj->ti", chest, upper)
    inside = _held(inside, 1, -1.0, np.sin(LIMITS["shoulder_behind"].greatest))
    across = np.sin(LIMITS["shoulder_across"].greatest)
    inside = _held(inside, 0, *((-across, 1.0) if sign > 0 else (-1.0, across)))
    moved = np.einsum("tij,tj->ti", chest, inside)
    # What hangs on the upper arm goes along when it is held back.
    carried = swing(upper, moved)
    fore, upper = np.einsum("tij,tj->ti", carried, fore), moved
    bent = _arm_angles(side, chest, upper, fore, frame(hand, palm))
    hinge = cross(upper, fore)
    # A straight arm's hinge is where the palm is: the elbow's inside looks about where the palm does.
    aside = np.where((np.abs(dot(upper, palm)) > 0.99)[:, None], hand, palm)
    fallback = -sign * frame(upper, aside)[..., 1]
    hinge = np.where((dot(hinge, hinge) < 1e-8)[:, None], fallback, hinge)
    elbow = np.clip(bent["elbow"], _LEAST_ELBOW, LIMITS["elbow"].greatest)
    fore = np.einsum("tij,tj->ti", about(unit(hinge), elbow), upper)
    outward = _arm_angles(side, chest, upper, fore, frame(hand, palm))["shoulder_outward"]
    excess = np.nan_to_num(np.clip(outward, *LIMITS["shoulder_outward"]) - outward)
    fore = np.einsum("tij,tj->ti", about(upper, -sign * excess), fore)
    axes = limited_hand(side, upper, fore, frame(hand, palm))
    arm[:] = np.stack([upper, fore, axes[..., 0], axes[..., 1]], axis=1)


_LEAST_ELBOW = float(np.radians(2.0))
"""A little bend, so that the elbow's hinge is known."""


def _held(directions: np.ndarray, axis: int, least: float, greatest: float) -> np.ndarray:
    """Directions of length 1 with one component held in a range, and the others made longer or shorter."""
    held = np.clip(directions[:, axis], least, greatest)
    others = directions.copy()
    others[:, axis] = 0
    length = np.sqrt(dot(others, others))
    result = others * (np.sqrt(1 - held**2) / np.maximum(length, 1e-9))[:, None]
    result[:, axis] = held
    return result
