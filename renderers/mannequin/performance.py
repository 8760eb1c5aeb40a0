"""From a score (where wrists, feet and trunk are at regular times) to poses a body can take: arms reach by
inverse kinematics, are kept off the body and each other and within their limits, and legs reach the floor.

Dimension names: poses, numbers, sides (left, right) as in `pose`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.ndimage import gaussian_filter1d, minimum_filter1d

from renderers.mannequin.keep_out import (
    ARM_RADII,
    HAND_START,
    Capsules,
    arm_points,
    body_capsules,
    hand_points,
    off_capsules,
)
from renderers.mannequin.limits import limited_hand, limited_numbers
from renderers.mannequin.person import Person
from renderers.mannequin.pose import (
    NUMBER_COUNT,
    SIDES,
    Pose,
    Rig,
    clavicle_rotation,
    dot,
    frame,
    hip_places,
    numbered_pose,
    part,
    posed_many,
    rig_of,
    trunk_rotations,
    unit,
)

RATE = 60
"""Poses per second that are worked out; between them every number follows a cubic spline."""

_REACH, _LEG_REACH = 0.992, 0.994
"""What share of its length an arm, and a leg, stretches to: no joint locks."""

_ROUNDS = 24
"""How often arms are pushed; every fourth time the pushes are smoothed."""

_NEAREST = float(np.radians(142))
_GAP = 0.012
"""Metres that arms are kept off the body, for its clothes."""


@dataclass
class Score:
    """What a body is to do, at regular times.

    arms: the wrist's place from between the shoulders (out, forward, up, in lengths of the arm), the
    directions of hand and palm (out, forward, up), all by the chest, and how far the elbow is lifted outward.
    hands: as in `Hand`. feet: the ankle's x and y in the world, its height above that of rest, the foot's
    heading, toe_down, toes_up. sway: how far the pelvis is to the left of its place, and forward. drop: how
    far it is lowered, in metres. The rest as in `Pose`.
    """

    times: Float[np.ndarray, "poses"]
    arms: Float[np.ndarray, "poses sides 10"]
    hands: Float[np.ndarray, "poses sides 13"]
    feet: Float[np.ndarray, "poses sides 6"]
    place: Float[np.ndarray, "poses 3"]
    pelvis: Float[np.ndarray, "poses 3"]
    chest: Float[np.ndarray, "poses 3"]
    head: Float[np.ndarray, "poses 3"]
    sway: Float[np.ndarray, "poses 2"]
    drop: Float[np.ndarray, "poses"]
    face: Float[np.ndarray, "poses 10"]


class Performance:
    """A motion through poses at times; before the first and after the last it holds still."""

    def __init__(
        self, times: Float[np.ndarray, "poses"], numbers: Float[np.ndarray, "poses numbers"]
    ) -> None:
        self._first, self._last = float(times[0]), float(times[-1])
        self._spline = CubicSpline(times, numbers)

    def pose(self, time: float) -> Pose:
        """The pose at a time in seconds."""
        return numbered_pose(self._spline(min(max(time, self._first), self._last)))


def sampled_times(seconds: float) -> Float[np.ndarray, "poses"]:
    """The times of a score, from 0 to past the end, as an exposure may last beyond it."""
    return np.arange(int(np.ceil((seconds + 0.25) * RATE)) + 1) / RATE


def keyed(
    times: Float[np.ndarray, "poses"],
    key_times: list[float] | Float[np.ndarray, "keys"],
    values: object,
) -> Float[np.ndarray, "poses ..."]:
    """Values at key times and the monotone way between them (PCHIP), which never overshoots; the first and
    the last hold before and after."""
    keys = np.asarray(values, float)
    key_times = np.asarray(key_times, float)
    if len(keys) == 1:
        return np.repeat(keys, len(times), axis=0)
    return PchipInterpolator(key_times, keys)(np.clip(times, key_times[0], key_times[-1]))


def perform(person: Person, score: Score) -> Performance:
    """The score as the body can do it."""
    rig = rig_of(person)
    numbers = np.zeros((len(score.times), NUMBER_COUNT))
    for name in ("pelvis", "chest", "head", "face", "place", "hands"):
        part(numbers, name)[:] = getattr(score, name)
    part(numbers, "arms")[..., 2] = -1.0
    part(numbers, "arms")[:, :, 1] = part(numbers, "arms")[:, :, 2] = [0.0, -0.2, -1.0]
    part(numbers, "arms")[:, :, 3] = [0.0, 1.0, 0.0]
    limited_numbers(numbers)
    part(numbers, "place")[:] = 0
    _plant_feet(rig, score, numbers)
    part(numbers, "arms")[:] = _arms(person, rig, score, numbers)
    part(numbers, "place")[:] = score.place
    limited_numbers(numbers)
    return Performance(score.times, numbers)


def _plant_feet(rig: Rig, score: Score, numbers: Float[np.ndarray, "poses numbers"]) -> None:
    """Feet where the score has them in the world, and the pelvis as high as both legs allow."""
    x, y, heading = score.place.T
    cosine, sine = np.cos(heading), np.sin(heading)
    shift = part(numbers, "shift")
    shift[:, 0], shift[:, 1] = score.sway[:, 0], -score.sway[:, 1]
    pelvis = trunk_rotations(numbers)[0]
    heights = [np.full(len(x), 0.006)]
    for side, name in enumerate(SIDES):
        foot = part(numbers, "feet")[:, side]
        ankle = rig.head(f"foot.{name}")
        world_x, world_y, up, foot_heading, toe_down, toes_up = score.feet[:, side].T
        across = cosine * (world_x - x) + sine * (world_y - y)
        back = -sine * (world_x - x) + cosine * (world_y - y)
        foot[:, 0], foot[:, 1], foot[:, 2] = across - ankle[0], ankle[1] - back, up
        foot[:, 3] = (foot_heading - heading) * (1 if side == 0 else -1)
        foot[:, 4], foot[:, 5] = toe_down, toes_up
        hip = hip_places(rig, side, pelvis, shift)
        leg = _LEG_REACH * (
            rig.length(f"upperleg01.{name}", f"lowerleg01.{name}")
            + rig.length(f"lowerleg01.{name}", f"foot.{name}")
        )
        aside = (across - hip[:, 0]) ** 2 + (back - hip[:, 1]) ** 2
        heights.append(ankle[2] + up + np.sqrt(np.maximum(leg**2 - aside, 0.01)) - hip[:, 2])
    # As smooth as can be below them: no mean over as long as the least is taken over is above the least.
    reach = round(0.085 * RATE)
    lowest = minimum_filter1d(np.min(heights, axis=0), 2 * reach + 1, mode="nearest")
    shift[:, 2] = gaussian_filter1d(lowest, 0.5 * reach, radius=reach, mode="nearest") - score.drop


def _arms(
    person: Person, rig: Rig, score: Score, numbers: Float[np.ndarray, "poses numbers"]
) -> Float[np.ndarray, "poses sides 4 3"]:
    """Arms that reach for the score's wrists without passing through anything."""
    transforms = posed_many(person, numbers)
    capsules = body_capsules(person)
    capsule_ends = capsules.posed(transforms)
    chest = transforms[:, rig.number["spine01"]]
    scale = rig.length("upperarm01.L", "lowerarm01.L") + rig.length("lowerarm01.L", "wrist.L")
    middle = 0.5 * (rig.head("upperarm01.L") + rig.head("upperarm01.R"))
    in_hands = [hand_points(rig, side, transforms) for side in range(2)]

    def outward(values: np.ndarray, side: int) -> np.ndarray:
        """From (out, forward, up) to the chest's axes at rest."""
        return values * [1.0 if side == 0 else -1.0, -1.0, 1.0]

    wrists, hands, hints = [], [], []
    for side in range(2):
        target, along, palm, lift = np.split(score.arms[:, side], [3, 6, 9], axis=1)
        place = middle + scale * outward(target, side)
        wrists.append(np.einsum("tij,tj->ti", chest[..., :3], place) + chest[..., 3])
        directions = [np.einsum("tij,tj->ti", chest[..., :3], outward(way, side)) for way in (along, palm)]
        hands.append(frame(*directions))
        # Elbows point down and outward, backward where the hand is low and forward where it is high.
        low = -target[:, 2] / np.sqrt(0.15 + dot(target, target))
        hint = np.stack([0.45 + lift[:, 0], -0.2 - 0.4 * low, -0.75 + 0.5 * lift[:, 0]], axis=1)
        hints.append(np.einsum("tij,tj->ti", chest[..., :3], outward(hint, side)))

    solved = [(wrists[0], wrists[0], hands[0])] * 2
    offsets, hint_offsets = np.zeros((2, len(numbers), 3)), np.zeros((2, len(numbers), 3))
    for turn in range(_ROUNDS + 1):
        points = []
        for side in range(2):
            upper, fore, elbow, wrist = _reach(
                rig, side, chest, wrists[side] + offsets[side], hints[side] + hint_offsets[side]
            )
            hand = limited_hand(side, upper, fore, hands[side], soft=True)
            solved[side] = (upper, fore, hand)
            # What cannot be reached is not asked for again.
            offsets[side] = wrist - wrists[side]
            points.append(arm_points(elbow, wrist, hand, in_hands[side]))
        if turn == _ROUNDS:
            break
        pushes = _pushes(np.stack(points, axis=1), capsule_ends, capsules)
        for side in range(2):
            offsets[side] += _gathered(pushes[:, side, 1:])
            hint_offsets[side] += 4 * pushes[:, side, 0] + pushes[:, side, 1]
        if turn % 4 == 3:
            # Where the nearest obstacle changes, the way out turns: smoothed over a few hundredths of a
            # second.
            width = (0.06 if turn < _ROUNDS - 1 else 0.03) * RATE
            offsets = gaussian_filter1d(offsets, width, axis=1, mode="nearest")
            hint_offsets = gaussian_filter1d(hint_offsets, width, axis=1, mode="nearest")
    return np.stack(
        [np.stack([upper, fore, hand[..., 0], hand[..., 1]], axis=1) for upper, fore, hand in solved], axis=1
    )


def _reach(
    rig: Rig,
    side: int,
    chest: Float[np.ndarray, "poses 3 4"],
    target: Float[np.ndarray, "poses 3"],
    hint: Float[np.ndarray, "poses 3"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Directions of upper arm and forearm, and the places of elbow and wrist, for a wrist that is to be at
    the target with the elbow to the side of the hint."""
    name = SIDES[side]
    first = rig.length(f"upperarm01.{name}", f"lowerarm01.{name}")
    second = rig.length(f"lowerarm01.{name}", f"wrist.{name}")
    longest = _REACH * (first + second)
    nearest = np.sqrt(first**2 + second**2 + 2 * first * second * np.cos(_NEAREST))
    collar = chest[..., :3] @ rig.head(f"clavicle.{name}") + chest[..., 3]
    along_collar = rig.head(f"upperarm01.{name}") - rig.head(f"clavicle.{name}")
    upper = target - (collar + chest[..., :3] @ along_collar)
    for _ in range(3):
        shoulder = collar + clavicle_rotation(chest[..., :3], upper, side) @ along_collar
        reach = target - shoulder
        far = np.sqrt(dot(reach, reach))
        # Gently up to the arm's length, and not nearer than a folded elbow allows.
        far_enough = nearest + np.logaddexp(0, (far - nearest) / 0.015) * 0.015
        distance = longest - np.logaddexp(0, (longest - far_enough) / 0.012) * 0.012
        along = reach / far[:, None]
        aside = unit(hint - along * dot(hint, along)[:, None])
        cosine = np.clip((first**2 + distance**2 - second**2) / (2 * first * distance), -1, 1)
        upper = along * cosine[:, None] + aside * np.sqrt(1 - cosine**2)[:, None]
    fore = unit(along * distance[:, None] - upper * first)
    elbow = shoulder + upper * first
    return upper, fore, elbow, elbow + fore * second


def _pushes(
    points: Float[np.ndarray, "poses sides points 3"],
    capsule_ends: tuple[np.ndarray, np.ndarray],
    capsules: Capsules,
) -> Float[np.ndarray, "poses sides points 3"]:
    """How far, and where to, each point of the arms is to move to be clear of the body and the other arm."""
    flat = points.reshape(len(points), -1, 3)
    distance, away = off_capsules(flat, *capsule_ends, capsules.radii)
    deep = np.maximum(np.tile(ARM_RADII, 2)[:, None] + _GAP - distance, 0.0)
    # The elbow is by the ribs by nature.
    deep = deep.reshape(len(points), 2, len(ARM_RADII), -1)
    deep[:, :, 0] *= 0.5
    pushes = _gathered(deep[..., None] * away.reshape(*deep.shape, 3))

    between = points[:, 0][:, :, None] - points[:, 1][:, None]
    apart = np.sqrt(dot(between, between))
    deep = np.maximum(_ARM_GAPS - apart, 0.0) * 0.7
    way = between / np.maximum(apart, 1e-6)[..., None]
    # Fingers between fingers would be pushed to and fro: hands as a whole go apart.
    centres = points[:, :, HAND_START:].mean(axis=2)
    way[:, HAND_START:, HAND_START:] += unit(centres[:, 0] - centres[:, 1] + 1e-9)[:, None, None]
    push = deep[..., None] * way
    pushes[:, 0] += _gathered(push)
    pushes[:, 1] -= _gathered(push.swapaxes(1, 2))
    return pushes


_ARM_GAPS = ARM_RADII[:, None] + ARM_RADII + 0.010


def _gathered(pushes: Float[np.ndarray, "... pushes 3"]) -> Float[np.ndarray, "... 3"]:
    """One push for many: their mean, weighted by their lengths, so that the deepest counts most."""
    lengths = np.sqrt(dot(pushes, pushes))
    return np.einsum("...pi,...p->...i", pushes, lengths) / (lengths.sum(axis=-1) + 1e-4)[..., None]
