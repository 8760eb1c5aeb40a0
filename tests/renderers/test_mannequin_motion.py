"""Made people move as people do: joints within their limits, nothing jumps, feet stand, hands pass through
nothing, and each kind of motion is what it says."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from renderers.mannequin.errors import MannequinError
from renderers.mannequin.keep_out import (
    ARM_RADII,
    arm_points,
    body_capsules,
    hand_points,
    off_capsules,
)
from renderers.mannequin.limits import LIMITS, joint_angles, limited
from renderers.mannequin.motion import MOTIONS, Motion, make_motion
from renderers.mannequin.person import BODY_VERTICES, Person, draw_shape, make_person, skin
from renderers.mannequin.pose import (
    FACE_ACTIONS,
    SIDES,
    Arm,
    Face,
    Foot,
    Place,
    Pose,
    Turn,
    numbered_pose,
    part,
    pose_numbers,
    posed_bones,
    posed_many,
    rig_of,
)
from renderers.mannequin.pose_file import read_poses, write_poses
from renderers.mannequin.signs import RELAXED, SIGNS, hand_numbers
from renderers.mannequin.surface import part_of
from renderers.mannequin.walking import walk

SECONDS, FPS = 4.0, 100
START = Place(0.3, -0.2, 0.7)

ANGLE_EXCESS = math.radians(3.0)
"""What angles may be over their limits: wrists are smoothed after they have been held, and ankles follow from
where feet and knees are."""
FASTEST, HARDEST = 9.0, 300.0
"""Metres per second (a walker's toes go at three times the pace) and per second squared of any joint; a
joint that leaps by 4 cm from one hundredth of a second to the next has 400 m/s2."""
TRUNK_FASTEST, TRUNK_HARDEST = 3.0, 40.0
ON_FLOOR = 0.001
SINK, SLIDE, LIFTED = 0.001, 0.015, 0.005
"""In metres: how far a sole may be below the floor, how far a place of it moves while it is within ON_FLOOR
of it, and how far both soles are above it at once."""
BODY_DEPTH, HANDS_DEPTH = 0.015, 0.045
"""How deep the skin of a hand or forearm may be in trunk, head or thighs, and in the other hand: flesh gives
where hands are clasped and arms folded."""
RESTING = 0.15
"""Metres per second below which a hand is at rest."""

CASES = [
    pytest.param(kind, seed, id=f"{kind}-{seed}", marks=[pytest.mark.slow] if seed >= 2 else [])
    for kind in MOTIONS
    for seed in range(3)
]
per_case = pytest.mark.parametrize(("kind", "seed"), CASES)


@functools.cache
def drawn_person(seed: int) -> Person:
    return make_person(draw_shape(np.random.default_rng(seed)))


@dataclass(frozen=True)
class Performed:
    """Poses of a motion at FPS, and where they take the bones."""

    person: Person
    times: Float[np.ndarray, "poses"]
    numbers: Float[np.ndarray, "poses numbers"]
    bones: Float[np.ndarray, "poses bones 3 4"]
    joints: Float[np.ndarray, "poses bones 3"]

    def joint(self, name: str) -> Float[np.ndarray, "poses 3"]:
        return self.joints[:, self.person.bone(name)]

    def speeds(self, name: str) -> Float[np.ndarray, "poses"]:
        return np.linalg.norm(np.diff(self.joint(name), axis=0), axis=1) * FPS


def played(person: Person, motion: Motion, seconds: float = SECONDS) -> Performed:
    times = np.arange(round(seconds * FPS) + 1) / FPS
    numbers = np.stack([pose_numbers(motion.pose(time)) for time in times.tolist()])
    bones = posed_many(person, numbers)
    joints = np.einsum("tbij,bj->tbi", bones[..., :3], person.heads) + bones[..., 3]
    return Performed(person, times, numbers, bones, joints)


@functools.cache
def performed(kind: str, seed: int, seconds: float = SECONDS) -> Performed:
    """A kind of motion, by a body that is drawn by the same seed."""
    person = drawn_person(seed % 3)
    return played(person, make_motion(kind, person, np.random.default_rng(seed), seconds, START), seconds)


def angle_excess(person: Person, bones: Float[np.ndarray, "poses bones 3 4"]) -> dict[str, float]:
    """By how much angles are over their limits, in radians, at most."""
    excess = {}
    for name, angles in joint_angles(person, bones).items():
        known = angles[np.isfinite(angles)]
        over = np.maximum(LIMITS[name].least - known, known - LIMITS[name].greatest)
        excess[name] = float(over.max(initial=-np.inf))
    return excess


@per_case
def test_joints_stay_within_their_limits(kind: str, seed: int) -> None:
    shown = performed(kind, seed)
    over = {
        name: round(math.degrees(excess), 2)
        for name, excess in angle_excess(shown.person, shown.bones).items()
        if excess > ANGLE_EXCESS
    }
    assert not over


@per_case
def test_nothing_jumps(kind: str, seed: int) -> None:
    shown = performed(kind, seed)
    speed = np.linalg.norm(np.diff(shown.joints, axis=0), axis=2) * FPS
    change = np.linalg.norm(np.diff(shown.joints, 2, axis=0), axis=2) * FPS**2
    assert speed.max() < FASTEST
    assert change.max() < HARDEST
    trunk = [shown.person.bone(name) for name in ("root", "spine03", "spine01", "head")]
    assert speed[:, trunk].max() < TRUNK_FASTEST
    assert change[:, trunk].max() < TRUNK_HARDEST


@per_case
def test_nobody_is_frozen(kind: str, seed: int) -> None:
    """Something moves all the time: they breathe, sway, look about; and they blink."""
    shown = performed(kind, seed)
    steps = np.linalg.norm(np.diff(shown.joint("head"), axis=0), axis=1)
    assert np.median(steps) * FPS > 0.001
    face = part(shown.numbers, "face")
    strengths = face[:, : len(FACE_ACTIONS)]
    assert strengths.min() >= -0.02 and strengths.max() <= 1.02
    assert np.ptp(strengths, axis=0).max() > 0.3


def soles(shown: Performed) -> Float[np.ndarray, "poses points 3"]:
    """The skin under both feet."""
    person = shown.person
    follows = np.array(person.bones)[person.weights[:BODY_VERTICES].toarray().argmax(axis=1)]
    of_feet = np.char.startswith(follows, "foot") | np.char.startswith(follows, "toe")
    under = np.flatnonzero(of_feet & (person.vertices[:BODY_VERTICES, 2] < 0.03))
    blend = person.weights[under] @ shown.bones.transpose(1, 0, 2, 3).reshape(len(person.bones), -1)
    blend = blend.reshape(len(under), len(shown.times), 3, 4)
    points = np.einsum("ptij,pj->pti", blend[..., :3], person.vertices[under]) + blend[..., 3]
    return points.swapaxes(0, 1)


def slid(points: Float[np.ndarray, "poses points 3"]) -> float:
    """How far a point is, at most, from where it touched the floor, while it does."""
    farthest, touched = 0.0, points[0, :, :2]
    down = points[..., 2] < ON_FLOOR
    for before, now, place in zip(down[:-1], down[1:], points[1:, :, :2], strict=True):
        touched = np.where((before & now)[:, None], touched, place)
        farthest = max(farthest, float(np.linalg.norm(place - touched, axis=1).max()))
    return farthest


@per_case
def test_feet_stand_on_the_floor_and_do_not_slide(kind: str, seed: int) -> None:
    points = soles(performed(kind, seed))
    assert points[..., 2].min() > -SINK
    assert points[..., 2].min(axis=1).max() < LIFTED
    assert slid(points) < SLIDE


def arms_of(shown: Performed) -> list[Float[np.ndarray, "poses points 3"]]:
    """The points of both arms that are kept off things."""
    rig = rig_of(shown.person)
    points = []
    for side, name in enumerate(SIDES):
        axes = shown.bones[:, rig.number[f"wrist.{name}"], :, :3] @ rig.arm_frames[side, 2]
        elbow, wrist = shown.joint(f"lowerarm01.{name}"), shown.joint(f"wrist.{name}")
        points.append(arm_points(elbow, wrist, axes, hand_points(rig, side, shown.bones)))
    return points


@dataclass(frozen=True)
class Skin:
    """Skin of the body by its parts, as numbers of vertices."""

    points: Float[np.ndarray, "points 3"]
    normals: Float[np.ndarray, "points 3"]
    hands: tuple[Int[np.ndarray, "left"], Int[np.ndarray, "right"]]
    trunk: Int[np.ndarray, "trunk"]
    """Trunk, head and thighs."""


@functools.cache
def skin_parts(seed: int) -> Skin:
    person = drawn_person(seed)
    surface = part_of(person, "body")
    follows = np.array(person.bones)[surface.weights.toarray().argmax(axis=1)]

    def on(*names: str) -> Bool[np.ndarray, "points"]:
        return np.any([np.char.startswith(follows, name) for name in names], axis=0)

    arm = on("wrist", "finger", "metacarpal", "lowerarm02")
    left, right = (np.flatnonzero(arm & np.char.endswith(follows, f".{side}")) for side in SIDES)
    far_from_arms = on("root", "pelvis", "spine", "breast", "neck", "head", "upperleg", "jaw", "oris")
    return Skin(surface.points, surface.normals, (left, right), np.flatnonzero(far_from_arms))


def depth_in(
    points: Float[np.ndarray, "points 3"],
    surface: Float[np.ndarray, "others 3"],
    normals: Float[np.ndarray, "others 3"],
) -> float:
    """How deep the deepest of points near a surface is behind it."""
    distance, nearest = cKDTree(surface).query(points, distance_upper_bound=0.12)
    near = np.isfinite(distance)
    offset = points[near] - surface[nearest[near]]
    behind = -np.einsum("pi,pi->p", offset, normals[nearest[near]])
    # Of points off the edge of the surface the nearest normal says nothing.
    return float(behind[behind > 0.5 * distance[near]].max(initial=0.0))


def depths(seed: int, bones: Float[np.ndarray, "bones 3 4"]) -> tuple[float, float]:
    """How deep the hands and wrists of the drawn body are in its trunk, and in each other."""
    parts, person = skin_parts(seed), drawn_person(seed)
    surface = part_of(person, "body")
    points, rotations = skin(parts.points, surface.weights, bones)
    normals = np.einsum("pij,pj->pi", rotations, parts.normals)
    left, right = parts.hands
    in_trunk = [depth_in(points[hand], points[parts.trunk], normals[parts.trunk]) for hand in parts.hands]
    return max(in_trunk), depth_in(points[left], points[right], normals[right])


@per_case
def test_hands_and_forearms_pass_through_nothing(kind: str, seed: int) -> None:
    """By the capsules they are kept off at all times, and by the skin itself at some."""
    shown = performed(kind, seed)
    arms = arms_of(shown)
    capsules = body_capsules(shown.person)
    ends = capsules.posed(shown.bones)
    for points in arms:
        outside, _ = off_capsules(points, *ends, capsules.radii)
        assert (ARM_RADII[:, None] - outside).max() < BODY_DEPTH
    apart = np.linalg.norm(arms[0][:, :, None] - arms[1][:, None], axis=-1)
    assert (ARM_RADII[:, None] + ARM_RADII - apart).max() < 0.05
    found = np.array([depths(seed % 3, bones) for bones in shown.bones[::40]])
    assert found[:, 0].max() < BODY_DEPTH
    assert found[:, 1].max() < HANDS_DEPTH


def test_a_hand_in_the_chest_would_be_noticed() -> None:
    """What `depths` is worth: a hand that points into the belly, and hands held in one place."""
    person = drawn_person(0)
    into = Arm((0.2, -0.3, -1.0), (-0.65, 0.45, 0.1), (-0.65, 0.45, 0.1), (0.0, -0.2, -1.0))
    mirrored = Arm(*((-x, y, z) for x, y, z in (into.upper, into.fore, into.hand, into.palm)))
    in_body, in_each_other = depths(0, posed_bones(person, Pose((into, mirrored), (RELAXED, RELAXED))))
    assert in_body > 3 * BODY_DEPTH
    crossed = Arm((0.2, -0.9, -0.5), (-0.65, -0.6, 0.1), (-0.9, -0.4, 0.1), (0.0, -0.2, -1.0))
    mirrored = Arm(*((-x, y, z) for x, y, z in (crossed.upper, crossed.fore, crossed.hand, crossed.palm)))
    _, in_each_other = depths(0, posed_bones(person, Pose((crossed, mirrored), (RELAXED, RELAXED))))
    assert in_each_other > 0


@pytest.mark.parametrize("kind", MOTIONS)
def test_the_same_seed_gives_the_same_motion_and_another_seed_another(kind: str) -> None:
    person = drawn_person(0)

    def numbers(seed: int) -> Float[np.ndarray, "poses numbers"]:
        motion = make_motion(kind, person, np.random.default_rng(seed), 1.5, START)
        return np.stack([pose_numbers(motion.pose(time)) for time in (1.5, 0.0, 0.301, 0.9)])

    assert numbers(1).tobytes() == numbers(1).tobytes()
    assert np.abs(numbers(1) - numbers(2)).max() > 0.05


@pytest.mark.parametrize("kind", MOTIONS)
@pytest.mark.parametrize("seconds", [0.04, 0.5])
def test_what_is_too_short_to_do_anything_in_is_still_begun(kind: str, seconds: float) -> None:
    person = drawn_person(0)
    shown = played(person, make_motion(kind, person, np.random.default_rng(3), seconds, START), seconds)
    assert np.isfinite(shown.numbers).all()
    speed = np.linalg.norm(np.diff(shown.joints, axis=0), axis=2) * FPS
    assert speed.max() < FASTEST
    assert soles(shown)[..., 2].min() > -SINK


@pytest.mark.parametrize("kind", MOTIONS)
def test_everybody_begins_at_their_place(kind: str) -> None:
    shown = performed(kind, 0)
    assert math.dist(shown.joint("root")[0, :2], (START.x, START.y)) < 0.2
    x, y = shown.joint("head")[0, :2] - [START.x, START.y]
    assert math.hypot(x, y) < 0.4


def wrist_speeds(shown: Performed) -> Float[np.ndarray, "sides poses"]:
    return np.stack([shown.speeds(f"wrist.{side}") for side in SIDES])


def speeds_by_the_chest(shown: Performed) -> Float[np.ndarray, "poses"]:
    """How fast the faster wrist moves if the chest is held still."""
    chest = shown.bones[:, shown.person.bone("spine01")]
    speeds = []
    for side in SIDES:
        seen = np.einsum("tji,tj->ti", chest[..., :3], shown.joint(f"wrist.{side}") - chest[..., 3])
        speeds.append(np.linalg.norm(np.diff(seen, axis=0), axis=1) * FPS)
    return np.maximum(*speeds)


def named_shapes(shown: Performed) -> set[str]:
    """Which of the named shapes the hands have, at one time or another."""
    hands = part(shown.numbers, "hands").reshape(-1, 13)
    shapes = {name: hand_numbers((hand, hand))[0] for name, hand in SIGNS.items()}
    return {name for name, shape in shapes.items() if np.abs(hands - shape).max(axis=1).min() < 0.09}


def test_signing_shows_shape_after_shape_before_chest_and_face() -> None:
    for seed in (0, 1):
        shown = performed("signing", seed)
        assert len(named_shapes(shown)) >= 7
        assert len(named_shapes(performed("standing", seed))) <= 3
        waist = shown.joint("spine05")[:, 2]
        higher = np.maximum(shown.joint("wrist.L")[:, 2], shown.joint("wrist.R")[:, 2])
        assert (higher > waist).mean() > 0.9


def test_signing_goes_through_the_alphabet_before_it_repeats_a_shape() -> None:
    assert len(named_shapes(performed("signing", 1, 14.0))) >= 20


def test_fast_hands_are_faster_than_any_others() -> None:
    """In the mean over the time, as seen from the chest."""
    means = {
        kind: np.mean([speeds_by_the_chest(performed(kind, seed)).mean() for seed in (0, 1)])
        for kind in MOTIONS
    }
    assert means["fast_hands"] == max(means.values())
    assert means["fast_hands"] > 1.3 * sorted(means.values())[-2]
    for seed in (0, 1):
        shown = performed("fast_hands", seed)
        fastest = [part_of_time.max() for part_of_time in np.array_split(wrist_speeds(shown).max(axis=0), 4)]
        assert np.median(fastest) > 1.5


def test_who_stands_stays_and_rests_their_hands() -> None:
    for seed in (0, 1):
        shown = performed("standing", seed)
        for side in SIDES:
            foot = shown.joint(f"foot.{side}")
            assert np.ptp(foot, axis=0).max() < 1e-9
        assert np.ptp(shown.joint("root"), axis=0).max() < 0.2
        assert (wrist_speeds(shown) < RESTING).mean() > 0.5
        assert (part(shown.numbers, "place") == [START.x, START.y, START.heading]).all()


@pytest.mark.parametrize("kind", ["gestures", "signing", "fast_hands"])
def test_who_moves_only_their_hands_keeps_their_feet_still(kind: str) -> None:
    shown = performed(kind, 0)
    assert np.ptp(shown.joint("foot.L"), axis=0).max() < 1e-9
    assert np.ptp(shown.joint("foot.R"), axis=0).max() < 1e-9
    assert (wrist_speeds(shown).max(axis=0) > RESTING).mean() > 0.4


def test_who_dances_lifts_both_feet_in_turn_and_raises_their_arms() -> None:
    for seed in (0, 1):
        shown = performed("dance", seed)
        lifted = [shown.joint(f"foot.{side}")[:, 2] for side in SIDES]
        off = [height > height.min() + 0.02 for height in lifted]
        assert min(off[0].mean(), off[1].mean()) > 0.1
        assert not (off[0] & off[1]).any()
        highest = np.maximum(shown.joint("wrist.L")[:, 2], shown.joint("wrist.R")[:, 2]).max()
        assert highest > shown.joint("upperarm01.L")[:, 2].min()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("seconds", [2.5, 4.0])
def test_who_turns_goes_through_a_full_circle_on_the_spot(seed: int, seconds: float) -> None:
    person = drawn_person(seed % 3)
    motion = make_motion("turning", person, np.random.default_rng(seed), seconds, START)
    places = [motion.pose(time).place for time in np.linspace(0, seconds, 40).tolist()]
    assert abs(places[-1].heading - places[0].heading) > 2 * math.pi
    assert {(round(place.x, 9), round(place.y, 9)) for place in places} == {(START.x, START.y)}
    steps = np.diff([place.heading for place in places])
    assert (steps > 0).all() or (steps < 0).all()


def test_who_walks_goes_where_they_look() -> None:
    for seed in (0, 1):
        shown = performed("walking", seed)
        place = part(shown.numbers, "place")
        assert math.dist(place[-1, :2], place[0, :2]) > 1.5
        assert place[0] == pytest.approx([START.x, START.y, START.heading], abs=0.15)
        step = np.diff(place[:, :2], axis=0)
        ahead = np.stack([np.sin(place[:-1, 2]), -np.cos(place[:-1, 2])], axis=1)
        along = np.einsum("ti,ti->t", step, ahead) / np.linalg.norm(step, axis=1)
        assert along.min() > 0.95


WAYPOINTS = ((0.0, 0.0), (0.3, -1.2), (1.2, -1.9), (2.3, -1.6))


@pytest.mark.parametrize("seconds", [2.5, 4.0, 9.0])
def test_who_walks_passes_every_waypoint_in_turn(seconds: float) -> None:
    person = drawn_person(1)
    shown = played(person, walk(person, np.random.default_rng(4), WAYPOINTS, seconds), seconds)
    place = part(shown.numbers, "place")
    passed = []
    for waypoint in WAYPOINTS:
        distance = np.linalg.norm(place[:, :2] - waypoint, axis=1)
        assert distance.min() < 0.03
        passed.append(int(distance.argmin()))
    assert passed == sorted(passed) and passed[0] == 0
    assert math.dist(place[-1, :2], WAYPOINTS[-1]) < 0.03
    points = soles(shown)
    assert points[..., 2].min() > -SINK and points[..., 2].min(axis=1).max() < LIFTED
    assert slid(points) < SLIDE
    assert max(angle_excess(person, shown.bones).values()) < ANGLE_EXCESS


def test_who_has_walked_a_short_way_in_a_long_time_stands() -> None:
    person = drawn_person(0)
    shown = played(person, walk(person, np.random.default_rng(0), [(0.0, 0.0), (0.0, -1.0)], 6.0), 6.0)
    late = shown.times > 4.5
    assert np.ptp(shown.joint("foot.L")[late], axis=0).max() < 0.005
    assert np.ptp(shown.joint("foot.R")[late], axis=0).max() < 0.005
    assert shown.joint("foot.L")[-1, 1] == pytest.approx(shown.joint("foot.R")[-1, 1], abs=0.12)


@pytest.mark.parametrize(
    ("waypoints", "seconds", "named"),
    [
        ([(0.0, 0.0)], 2.0, "waypoints.*two or more"),
        ([], 2.0, "waypoints.*two or more"),
        ([(0.0, 0.0), (0.0, 0.01)], 2.0, "0.05 m apart"),
        ([(0.0, 0.0), (float("nan"), 1.0)], 2.0, "waypoints"),
        ([(0.0, 0.0), (0.0, -9.0)], 2.0, "4.5 m/s.*more time"),
    ],
)
def test_a_way_that_nobody_walks_is_refused(
    waypoints: list[tuple[float, float]], seconds: float, named: str
) -> None:
    with pytest.raises(MannequinError, match=named):
        walk(drawn_person(0), np.random.default_rng(0), waypoints, seconds)


@pytest.mark.parametrize(
    ("kind", "seconds", "named"),
    [
        ("flying", 2.0, "flying.*standing.*fast_hands"),
        ("", 2.0, "motion is ''"),
        ("dance", 0.0, "seconds is 0"),
        ("dance", -1.0, "seconds is -1"),
        ("dance", float("nan"), "seconds is nan"),
        ("dance", float("inf"), "seconds is inf"),
        ("dance", 1e5, "3600"),
    ],
)
def test_a_motion_that_is_none_is_refused(kind: str, seconds: float, named: str) -> None:
    with pytest.raises(MannequinError, match=named):
        make_motion(kind, drawn_person(0), np.random.default_rng(0), seconds, START)


def wild_pose(seed: int) -> Pose:
    """Anything, possible or not."""
    rng = np.random.default_rng(seed)
    size = rng.uniform(0.05, 3)
    pattern = Pose(upright().arms, (RELAXED, RELAXED))
    numbers = rng.normal(0, size, len(pose_numbers(pattern)))
    return replace(numbered_pose(numbers), place=Place())


_SEEDS = st.integers(0, 2**32 - 1)
_OF_LEGS = ("hip", "knee", "ankle", "foot")
"""How far legs bend depends on the build, which a pose alone does not know."""


_HELD = math.radians(2.5)
"""What held angles may be over as posed bones show them: the elbow is a little off the axis about which half
of the upper arm twists."""
_HELD_BY_HINGE = math.radians(15.0)
"""What turns about the elbow's hinge may be over, which an all but straight arm shows dimly."""


def within_held_limits(person: Person, bones: Float[np.ndarray, "poses bones 3 4"]) -> bool:
    """Whether all above the hips is within the limits."""
    return all(
        excess < (_HELD_BY_HINGE if name in ("shoulder_outward", "forearm_inward") else _HELD)
        for name, excess in angle_excess(person, bones).items()
        if not name.startswith(_OF_LEGS)
    )


@settings(derandomize=True, deadline=None, max_examples=300)
@given(_SEEDS)
def test_any_pose_is_brought_within_the_limits_and_then_left_alone(seed: int) -> None:
    held = limited(wild_pose(seed))
    numbers = pose_numbers(held)
    assert np.isfinite(numbers).all()
    assert within_held_limits(make_person(), posed_many(make_person(), numbers[None]))
    assert np.abs(pose_numbers(limited(held)) - numbers).max() < 1e-6
    strengths = [getattr(held.face, action) for action in FACE_ACTIONS]
    assert min(strengths) >= 0 and max(strengths) <= 1


def upright(**changes: object) -> Pose:
    """Somebody with bent arms, well within all limits; directions have length 1, as held ones do."""

    def arm(*ways: tuple[float, float, float], sign: float) -> Arm:
        units = [np.array([sign * x, y, z]) / math.hypot(x, y, z) for x, y, z in ways]
        hand, palm = units[2:]
        across = palm - hand * (hand @ palm)
        units[3] = across / np.linalg.norm(across)
        return Arm(*((float(x), float(y), float(z)) for x, y, z in units))

    ways = ((0.3, -0.2, -1.0), (-0.1, -0.9, 0.3), (-0.1, -0.9, 0.4), (-1.0, 0.1, 0.0))
    pose = Pose(
        (arm(*ways, sign=1.0), arm(*ways, sign=-1.0)),
        (SIGNS["V"], RELAXED),
        (Foot(forward=0.1, up=0.02, outward=0.1), Foot(toe_down=0.2)),
        pelvis=Turn(0.1, 0.05, -0.02),
        chest=Turn(-0.2, 0.3, 0.1),
        head=Turn(0.5, -0.2, 0.1),
        face=Face(smile=0.5, look_left=0.2),
        place=Place(1.0, 2.0, 3.0),
    )
    return replace(pose, **changes)  # type: ignore[arg-type]


def test_a_pose_within_the_limits_is_left_as_it_is() -> None:
    pose = upright()
    assert pose_numbers(limited(pose)) == pytest.approx(pose_numbers(pose), abs=1e-9)


@pytest.mark.parametrize("name", SIGNS)
def test_every_named_shape_is_one_that_a_hand_can_take(name: str) -> None:
    pose = upright(hands=(SIGNS[name], SIGNS[name]))
    assert pose_numbers(limited(pose)) == pytest.approx(pose_numbers(pose), abs=1e-9)
    bones = posed_bones(drawn_person(0), pose)[None]
    excess = angle_excess(drawn_person(0), bones)
    assert max(value for joint, value in excess.items() if joint.startswith(("finger", "thumb"))) < 1e-9


def test_named_shapes_differ_from_each_other() -> None:
    shapes = [hand_numbers((hand, hand))[0] for hand in SIGNS.values()]
    for number, shape in enumerate(shapes):
        for other in shapes[:number]:
            assert np.abs(shape - other).max() > 0.08


def bent(**changes: object) -> Pose:
    return limited(upright(**changes))


def test_limits_hold_what_goes_too_far_and_nothing_else() -> None:
    pose = bent(head=Turn(3.0, 0.1, 0.0))
    assert pose.head.left == pytest.approx(LIMITS["neck_left"].greatest)
    assert pose.head.forward == 0.1
    assert pose_numbers(replace(pose, head=upright().head)) == pytest.approx(pose_numbers(upright()))


def test_elbows_do_not_bend_backward_nor_wrists_round() -> None:
    person = drawn_person(0)
    backward = Arm((0.0, 0.0, -1.0), (0.0, 0.9, -0.4), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0))
    before = posed_bones(person, upright(arms=(backward, upright().arms[1])))[None]
    after = posed_bones(person, bent(arms=(backward, upright().arms[1])))[None]
    assert not within_held_limits(person, before)
    assert within_held_limits(person, after)


@pytest.mark.parametrize("seed", [0, 1])
def test_bones_keep_their_lengths_and_place_moves_the_whole_body(seed: int) -> None:
    person = drawn_person(seed)
    pose = upright()
    bones = posed_bones(person, pose)
    joints = np.einsum("bij,bj->bi", bones[:, :, :3], person.heads) + bones[:, :, 3]
    for bone, parent in enumerate(person.parents):
        if parent >= 0:
            rest = math.dist(person.heads[bone], person.heads[parent])
            assert math.dist(joints[bone], joints[parent]) == pytest.approx(rest, abs=1e-9)
    assert np.abs(bones[..., :3] @ bones[..., :3].swapaxes(1, 2) - np.eye(3)).max() < 1e-9
    assert (np.linalg.det(bones[..., :3]) > 0).all()

    here = posed_bones(person, replace(pose, place=Place()))
    cosine, sine = math.cos(3.0), math.sin(3.0)
    turn = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    assert turn @ here[..., :3] == pytest.approx(bones[..., :3], abs=1e-12)
    assert here[..., 3] @ turn.T + [1.0, 2.0, 0.0] == pytest.approx(bones[..., 3], abs=1e-12)


def test_arms_point_and_feet_stand_where_the_pose_says() -> None:
    person, pose = drawn_person(1), upright()
    bones = posed_bones(person, replace(pose, place=Place()))
    joints = np.einsum("bij,bj->bi", bones[:, :, :3], person.heads) + bones[:, :, 3]
    for side, arm, foot in zip(SIDES, pose.arms, pose.feet, strict=True):
        shoulder, elbow, wrist, ankle = (
            joints[person.bone(f"{bone}.{side}")] for bone in ("upperarm01", "lowerarm01", "wrist", "foot")
        )
        assert (elbow - shoulder) / math.dist(elbow, shoulder) == pytest.approx(arm.upper, abs=0.01)
        assert (wrist - elbow) / math.dist(wrist, elbow) == pytest.approx(arm.fore, abs=0.01)
        # To half a degree: the elbow is a little off the axis about which half of the arm twists.
        moved = ankle - person.head(f"foot.{side}")
        assert moved == pytest.approx([foot.left, -foot.forward, foot.up], abs=1e-6)


def test_many_poses_are_posed_as_each_is_alone() -> None:
    shown = performed("dance", 1)
    for number in (0, 57, 400):
        pose = numbered_pose(shown.numbers[number])
        assert (pose_numbers(pose) == shown.numbers[number]).all()
        assert posed_bones(shown.person, pose) == pytest.approx(shown.bones[number], abs=1e-12)


def test_distances_from_capsules_are_those_of_geometry() -> None:
    starts, ends = np.array([[[0.0, 0, 0]]]), np.array([[[0.0, 0, 2.0]]])
    points = np.array([[[1.0, 0, 1.0], [0.0, 0, 3.0], [0.3, 0.4, -1.2], [0.1, 0, 0.5]]])
    outside, away = off_capsules(points, starts, ends, np.array([0.25]))
    assert outside[0, :, 0] == pytest.approx([0.75, 0.75, 1.3 - 0.25, -0.15])
    assert away[0, :, 0] == pytest.approx(
        np.array([[1.0, 0, 0], [0, 0, 1.0], [0.3 / 1.3, 0.4 / 1.3, -1.2 / 1.3], [1.0, 0, 0]])
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_capsules_cover_trunk_and_head(seed: int) -> None:
    person = drawn_person(seed)
    capsules = body_capsules(person)
    at_rest = np.broadcast_to(np.eye(3, 4), (1, len(person.bones), 3, 4))
    ends = capsules.posed(at_rest)
    parts = skin_parts(seed)
    points = parts.points[parts.trunk]
    knee = person.head("lowerleg01.L")[2]
    outside, _ = off_capsules(points[points[:, 2] > knee + 0.3][None], *ends, capsules.radii)
    nearest = outside[0].min(axis=1)
    # All but the tip of the nose and the points of the shoulders.
    assert (nearest < 0.035).mean() > 0.9 and nearest.max() < 0.06
    # Nor are they so wide that hands could not come near.
    assert np.median(nearest) > -0.06


HANGING = """
[[pose]]
time = 0.0
"""


def motion_of(tmp_path: Path, text: str) -> Motion:
    path = tmp_path / "poses.toml"
    path.write_text(text, encoding="utf-8")
    return read_poses(path)


def test_poses_that_are_written_are_read_back_at_their_times(tmp_path: Path) -> None:
    person = drawn_person(0)
    made = make_motion("dance", person, np.random.default_rng(2), 2.0, START)
    times = [0.0, 0.4, 0.5, 1.25, 2.0]
    poses = [limited(made.pose(time)) for time in times]
    write_poses(tmp_path / "poses.toml", times, poses)
    read = read_poses(tmp_path / "poses.toml")
    for time, pose in zip(times, poses, strict=True):
        assert pose_numbers(read.pose(time)) == pytest.approx(pose_numbers(pose), abs=1e-9)
    # Between them the way is smooth, and within the limits; beyond them they hold still.
    shown = played(person, read, 2.0)
    assert max(angle_excess(person, shown.bones).values()) < ANGLE_EXCESS
    assert np.linalg.norm(np.diff(shown.joints, axis=0), axis=2).max() * FPS < 2 * FASTEST
    assert read.pose(99.0) == read.pose(2.0) and read.pose(-1.0) == read.pose(0.0)


def test_what_a_pose_does_not_say_stays_as_in_the_pose_before(tmp_path: Path) -> None:
    read = motion_of(
        tmp_path,
        """
        [[pose]]
        time = 0.5
        right_hand = "V"
        head = { left = 30 }
        face = { smile = 0.7, look_left = 10 }
        [[pose]]
        time = 1.5
        head = { forward = 20 }
        left_hand = { spread = 10 }
        place = { x = 1, heading = 90 }
        """,
    )
    first, last = read.pose(0.5), read.pose(1.5)
    assert first.arms == last.arms and first.arms[0].upper[2] < -0.9
    assert first.hands[1] == last.hands[1]
    assert hand_numbers(first.hands)[1] == pytest.approx(hand_numbers((SIGNS["V"],) * 2)[1])
    assert hand_numbers(first.hands)[0] == pytest.approx(hand_numbers((RELAXED,) * 2)[0])
    assert (first.head.left, first.head.forward) == pytest.approx((math.radians(30), 0.0))
    assert (last.head.left, last.head.forward) == pytest.approx((math.radians(30), math.radians(20)))
    assert last.hands[0].spread == pytest.approx(math.radians(10))
    assert (last.face.smile, last.face.look_left) == pytest.approx((0.7, math.radians(10)))
    assert (last.place.x, last.place.heading) == pytest.approx((1.0, math.pi / 2))


def test_one_pose_alone_is_held(tmp_path: Path) -> None:
    read = motion_of(tmp_path, HANGING)
    assert read.pose(0.0) == read.pose(5.0)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.lists(_SEEDS, min_size=2, max_size=4))
def test_any_poses_in_a_file_are_within_the_limits_at_all_times(
    tmp_path_factory: pytest.TempPathFactory, seeds: list[int]
) -> None:
    path = tmp_path_factory.mktemp("poses") / "poses.toml"
    write_poses(path, [0.5 * number for number in range(len(seeds))], [wild_pose(seed) for seed in seeds])
    read = read_poses(path)
    numbers = np.stack([pose_numbers(read.pose(time)) for time in np.linspace(0, 1.5, 31).tolist()])
    assert np.isfinite(numbers).all()
    person = make_person()
    assert within_held_limits(person, posed_many(person, numbers))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("pose = [", "no TOML"),
        ("", r"\[\[pose\]\]"),
        ("pose = 3", r"\[\[pose\]\]"),
        ("fps = 25\n" + HANGING, "nothing else"),
        ("[[pose]]\nhead = { left = 1 }", "pose 1 has no time"),
        ("[[pose]]\ntime = -1", "pose 1: time is -1"),
        ("[[pose]]\ntime = nan", "pose 1: time is nan"),
        ("[[pose]]\ntime = true", "pose 1: time is True"),
        ("[[pose]]\ntime = '1'", "pose 1: time is '1'"),
        ("[[pose]]\ntime = 1e9", "pose 1: time.*3600"),
        (HANGING + "[[pose]]\ntime = 0", "pose 2: time is 0.*later"),
        (HANGING + "tail = 3", "pose 1 has 'tail'.*left_arm"),
        (HANGING + "head = { nod = 3 }", "pose 1: head has 'nod'.*forward"),
        (HANGING + "head = 3", "pose 1: head is 3"),
        (HANGING + "head = { left = nan }", "pose 1: head.left is nan"),
        (HANGING + "head = { left = inf }", "pose 1: head.left is inf"),
        (HANGING + "head = { left = 1e300 }", "pose 1: head.left is 1e.300.*1000"),
        (HANGING + "head = { left = '3' }", "pose 1: head.left is '3'"),
        (HANGING + "shift = [0, 0]", r"pose 1: shift is \[0, 0\].*3 numbers"),
        (HANGING + "shift = [0, 0, nan]", "pose 1: shift is nan"),
        (HANGING + "shift = 'low'", "pose 1: shift is 'low'.*3 numbers"),
        (HANGING + "left_hand = 'Q'", "pose 1: left_hand is 'Q'.*claw"),
        (HANGING + "left_hand = { curls = [0, 0, 0, 0] }", "pose 1: left_hand.curls.*5 numbers"),
        (HANGING + "right_arm = { upper = [0, 0, 0] }", "pose 1: right_arm.upper is no direction"),
        (
            HANGING + "left_arm = { hand = [0, 0, -1], palm = [0, 0, 2] }",
            "pose 1: left_arm: hand and palm are in line",
        ),
        (HANGING + "left_arm = { upper = [0, 1] }", "pose 1: left_arm.upper.*3 numbers"),
        ("[[pose]]\ntime = 0\n[[pose]]\ntime = 1\nface = { smirk = 1 }", "pose 2: face has 'smirk'.*smile"),
        ("[" * 5000, "no TOML"),
    ],
)
def test_a_mistake_in_a_file_of_poses_is_named_with_its_place(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(MannequinError, match=named) as raised:
        motion_of(tmp_path, text)
    assert str(raised.value).startswith(str(tmp_path / "poses.toml"))
    assert "\n" not in str(raised.value)


def test_a_file_of_poses_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.toml", tmp_path):
        with pytest.raises(MannequinError, match="cannot be read") as raised:
            read_poses(path)
        assert str(raised.value).startswith(str(path))
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MannequinError, match="no TOML"):
        read_poses(binary)


@pytest.mark.parametrize(
    ("times", "count", "named"),
    [
        ([], 0, "0 times"),
        ([0.0], 2, "1 times and 2 poses"),
        ([0.0, 0.0], 2, "later"),
        ([1.0, 0.5], 2, "later"),
        ([-1.0, 0.5], 2, "0 or more"),
        ([0.0, float("nan")], 2, "later"),
    ],
)
def test_times_that_do_not_go_with_poses_are_not_written(
    tmp_path: Path, times: list[float], count: int, named: str
) -> None:
    with pytest.raises(MannequinError, match=named):
        write_poses(tmp_path / "poses.toml", times, [upright()] * count)
    assert not list(tmp_path.iterdir())


def test_a_straight_arm_whose_palm_looks_along_it_is_posed_too(tmp_path: Path) -> None:
    path = tmp_path / "down.toml"
    down = "[0, 0, -1]"
    path.write_text(
        "[[pose]]\ntime = 0\n"
        f"left_arm = {{ upper = {down}, fore = {down}, hand = [0, -1, 0], palm = {down} }}\n"
    )
    assert np.isfinite(posed_bones(make_person(), read_poses(path).pose(0.0))).all()


@pytest.mark.parametrize("way", [(0.0, 0.0, -1.0), (0.2, -0.3, -1.0), (1.0, 0.0, 0.1)])
def test_a_filed_arm_swings_to_the_opposite_way_without_a_jump(
    tmp_path: Path, way: tuple[float, float, float]
) -> None:
    back = ", ".join(str(-number) for number in way)
    path = tmp_path / "swing.toml"
    path.write_text(
        f"[[pose]]\ntime = 0.0\nleft_arm = {{ upper = {list(way)}, fore = {list(way)} }}\n"
        f"[[pose]]\ntime = 1.0\nleft_arm = {{ upper = [{back}], fore = [{back}] }}\n"
    )
    motion, person = read_poses(path), make_person()
    wrist = person.bone("wrist.L")
    places = []
    for time in np.linspace(0, 1, 121).tolist():
        bones = posed_bones(person, motion.pose(time))
        assert np.isfinite(bones).all()
        places.append(bones[wrist, :, :3] @ person.heads[wrist] + bones[wrist, :, 3])
    assert np.linalg.norm(np.diff(places, axis=0), axis=1).max() < 0.08
