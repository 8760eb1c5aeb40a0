"""Feet that are set down and stay: steps on the spot and along paths, rolled from heel to toe, and walking.

Dimension names: poses, sides (left, right) as in `pose`, points (of a path).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from renderers.mannequin.errors import MannequinError
from renderers.mannequin.life import bring_to_life
from renderers.mannequin.performance import RATE, Performance, Score, perform, sampled_times
from renderers.mannequin.person import Person
from renderers.mannequin.pose import SIDES, Rig, rig_of
from renderers.mannequin.signs import RELAXED, hand_numbers

PlaceAt = Callable[[Float[np.ndarray, "poses"]], Float[np.ndarray, "poses 3"]]
"""Where the body is (x, y, heading) at times, also before the beginning and after the end."""

_STANCE_SHARE = 0.6
"""What share of a stride a walker's foot is on the ground."""

_WALK_RATIO = 0.40
"""Length of a step over steps per second, in metre-seconds, about which people keep at every speed."""

_FASTEST, _SLOWEST = 2.1, 0.55
_ON_HEEL, _ON_TOES = np.radians(-17.0), np.radians(46.0)
_PASSING = 0.45
"""After what share of its stance the body is over a foot: it stays behind for longer than it was ahead."""


SHORTEST_WALK = 1.0
"""Seconds: who is seen for less has begun a walk of at least that."""


@dataclass(frozen=True)
class Step:
    """A foot (0: left, 1: right) leaves the ground and comes down at x, y, turned to a heading.

    It leaves over its toes and lands on its heel, as far as `roll` (1: a brisk walk) says.
    """

    side: int
    lift: float
    land: float
    x: float
    y: float
    heading: float
    height: float = 0.03
    roll: float = 1.0


def stance(rig: Rig, place: Float[np.ndarray, "3"], side: int, width: float = 1.0) -> Float[np.ndarray, "3"]:
    """Where a foot (ankle's x and y, heading) stands by nature when the body is at a place."""
    sign = 1.0 if side == 0 else -1.0
    x, y, heading = place
    aside = sign * width * 0.85 * abs(rig.head("upperleg01.L")[0])
    ahead = -rig.head("foot.L")[1]
    return np.array(
        [
            x + np.cos(heading) * aside + np.sin(heading) * ahead,
            y + np.sin(heading) * aside - np.cos(heading) * ahead,
            heading + sign * 0.12,
        ]
    )


def stepped_feet(
    rig: Rig,
    times: Float[np.ndarray, "poses"],
    start: Float[np.ndarray, "sides 3"],
    steps: Sequence[Step],
) -> Float[np.ndarray, "poses sides 6"]:
    """The feet of a `Score`: from where they stand (x, y, heading) through steps in the order of time."""
    feet = np.zeros((len(times), 2, 6))
    for side, name in enumerate(SIDES):
        ankle = rig.head(f"foot.{name}")
        ball = (rig.head(f"toe2-1.{name}") - ankle)[1:]
        heel = np.array([0.045, -ankle[2]])
        flat = np.repeat(start[side][None], len(times), axis=0)
        height, swinging, to_heel = np.zeros(len(times)), np.zeros(len(times)), np.zeros(len(times))
        pitch_keys: list[tuple[float, float]] = [(times[0] - 10, 0.0)]
        planted, flat_since = start[side], times[0] - 9
        for step in (step for step in steps if step.side == side):
            share = np.clip((times - step.lift) / (step.land - step.lift), 0, 1)
            eased = share**3 * (10 - 15 * share + 6 * share**2)
            goal = np.array([step.x, step.y, step.heading])
            flat = flat + (goal - planted) * eased[:, None]
            height += step.height * 64 * (share * (1 - share)) ** 3
            swing = step.land - step.lift
            rising = max(flat_since + 0.01, step.lift - 0.75 * swing)
            pitch_keys += [
                (rising, 0.0),
                (step.lift, _ON_TOES * step.roll),
                (step.lift + 0.12 * swing, 1.12 * _ON_TOES * step.roll),
                (step.land - 0.12 * swing, 1.1 * _ON_HEEL * step.roll),
                (step.land, _ON_HEEL * step.roll),
                (step.land + 0.3 * swing, 0.0),
            ]
            swinging += np.where((share > 0) & (share < 1), eased, 0)
            planted, flat_since = goal, step.land + 0.3 * swing
            to_heel = np.where(times >= step.lift, eased, to_heel)
        pitch_times, pitches = np.array([*pitch_keys, (max(times[-1], flat_since) + 10, 0.0)]).T
        pitch = PchipInterpolator(pitch_times, pitches)(times)
        cosine, sine = np.cos(pitch), np.sin(pitch)

        def pivoted(pivot: np.ndarray, cosine: np.ndarray = cosine, sine: np.ndarray = sine) -> np.ndarray:
            """How far the ankle goes (back, up) when the foot turns about a point of its sole."""
            back, up = pivot
            return np.stack([back - (back * cosine - up * sine), up - (back * sine + up * cosine)], axis=1)

        grounded = swinging == 0
        share = np.where(grounded, (pitch < 0).astype(float), to_heel)[:, None]
        moved = pivoted(ball) * (1 - share) + pivoted(heel) * share
        feet[:, side, 0] = flat[:, 0] - np.sin(flat[:, 2]) * moved[:, 0]
        feet[:, side, 1] = flat[:, 1] + np.cos(flat[:, 2]) * moved[:, 0]
        feet[:, side, 2] = height + moved[:, 1]
        feet[:, side, 3] = flat[:, 2]
        feet[:, side, 4] = pitch
        # The toes stay on the ground while the heel rises, and follow soon after they leave it.
        feet[:, side, 5] = np.maximum(pitch, 0) * np.where(
            grounded, 1.0, np.clip(1.15 - swinging / 0.6, 0, 1)
        )
    return feet


def paced_feet(
    rig: Rig,
    times: Float[np.ndarray, "poses"],
    place_at: PlaceAt,
    period: float,
    first: float,
    roll: float,
    share: float = _STANCE_SHARE,
) -> Float[np.ndarray, "poses sides 6"]:
    """Feet that go along with a moving body in even steps, `period` seconds each; the left foot lands at
    `first`. Each stands where the body passes over it, and where that is no step away it stays."""
    count = int(np.ceil((times[-1] - times[0]) / period)) + 5
    landings = first + period * (np.arange(count) - 2 * np.ceil((first - times[0]) / (2 * period)) - 2)
    stand = share * 2 * period
    places = place_at(landings + _PASSING * stand)
    stands: list[list[np.ndarray]] = [[], []]
    steps = []
    for number, (land, place) in enumerate(zip(landings, places, strict=True)):
        goal = stance(rig, place, number % 2, width=0.8)
        before = stands[number % 2]
        if before:
            moved = float(np.hypot(*(goal - before[-1])[:2])) + 0.3 * abs(goal[2] - before[-1][2])
            if moved < 0.04:
                continue
            strength = min(moved / 1.2, 1.0) ** 0.5 * roll
            # The toes still point down after they have left the ground, and are not to drag through it.
            height = 0.042 + 0.015 * strength
            x, y, heading = goal.tolist()
            steps.append(Step(number % 2, land - (2 * period - stand), land, x, y, heading, height, strength))
        before.append(goal)
    return stepped_feet(rig, times, np.array([stands[0][0], stands[1][0]]), steps)


def walk(
    person: Person, rng: np.random.Generator, waypoints: Sequence[tuple[float, float]], seconds: float
) -> Performance:
    """Somebody walks smoothly through points (x, y in metres) from time 0 to `seconds`, already walking at
    the beginning and still at the end; a short way is walked at an easy pace, and then they stand.

    Raises MannequinError for fewer than two points, or if that would be more than 2.1 m/s.
    """
    points = np.array(waypoints, float).reshape(-1, 2)
    hops = np.hypot(*np.diff(points, axis=0).T) if len(points) > 1 else np.zeros(0)
    if not len(hops) or not np.isfinite(points).all() or hops.min() < 0.05:
        raise MannequinError(f"waypoints are {list(waypoints)}: give two or more, at least 0.05 m apart.")
    path, length = _path(points)
    speed = length / seconds
    if speed > _FASTEST:
        raise MannequinError(
            f"{length:.2f} m in {seconds:g} s is {speed:.1f} m/s: walking goes to {_FASTEST} m/s; "
            "give more time or a shorter way."
        )
    rig = rig_of(person)
    times = sampled_times(seconds)
    pace = speed
    travelled: Callable[[np.ndarray], np.ndarray] = lambda moments: speed * moments  # noqa: E731
    if speed < _SLOWEST:
        pace = min(float(rng.uniform(0.8, 1.1)), 0.5 * length + 0.4)
        travelled = _coming_to_rest(pace, length)

    def place_at(moments: np.ndarray) -> np.ndarray:
        return path(travelled(moments))

    leg = (rig.head("upperleg01.L")[2] - rig.head("foot.L")[2]) / 0.88
    step_length = np.sqrt(pace * _WALK_RATIO) * leg * rng.uniform(0.94, 1.05)
    period = step_length / pace
    first = float(rng.uniform(0, 2 * period))
    score = _walker(rig, rng, times, place_at, travelled, pace, period, first)
    bring_to_life(score, rng, looking_about=0.6)
    return perform(person, score)


def _walker(
    rig: Rig,
    rng: np.random.Generator,
    times: Float[np.ndarray, "poses"],
    place_at: PlaceAt,
    travelled: Callable[[np.ndarray], np.ndarray],
    pace: float,
    period: float,
    first: float,
) -> Score:
    """Trunk and arms that swing with the steps."""
    going = np.clip((travelled(times + 0.02) - travelled(times - 0.02)) / (0.04 * pace), 0, 1)
    going = gaussian_filter1d(going, 0.1 * RATE, mode="nearest")
    phase = np.pi * (times - first) / period
    # At phase 0 the left foot lands, so the left leg and the right arm are in front.
    ahead, over_left = np.cos(phase) * going, np.sin(phase - 0.3) * going
    none = np.zeros(len(times))
    brisk = min(pace / 1.3, 1.4)
    place = place_at(times)
    curving = np.gradient(place[:, 2], times)
    amplitude = rng.uniform(0.24, 0.42) * brisk
    carried = rng.uniform(0.0, 0.08)
    arms = np.empty((len(times), 2, 10))
    for side, sign in enumerate((1.0, -1.0)):
        angle = -sign * ahead * amplitude * rng.uniform(0.85, 1.1) + 0.06 + carried
        fold = 0.985 - 0.10 * np.maximum(angle, 0) - 0.4 * carried
        along = 1.35 * angle + 0.16
        arms[:, side] = np.stack(
            [
                *(0.43 + none - 0.04 * np.sin(angle), fold * np.sin(angle), -fold * np.cos(angle)),
                *(0.02 + none, np.sin(along), -np.cos(along)),
                *(none - 1, none - 0.35, none + 0.05),
                none,
            ],
            axis=1,
        )
    hip_swing = rng.uniform(0.03, 0.06)
    return Score(
        times=times,
        arms=arms,
        hands=np.broadcast_to(hand_numbers((RELAXED, RELAXED)), (len(times), 2, 13)).copy(),
        feet=paced_feet(rig, times, place_at, period, first, roll=min(0.75 + 0.25 * brisk, 1.0)),
        place=place,
        pelvis=np.stack([-0.09 * brisk * ahead, none + 0.03, -hip_swing * over_left], axis=1),
        chest=np.stack(
            [0.16 * brisk * ahead, none + rng.uniform(0.0, 0.05), 0.8 * hip_swing * over_left], axis=1
        ),
        head=np.stack(
            [-0.05 * brisk * ahead + np.clip(0.25 * curving, -0.3, 0.3), none - 0.03, none], axis=1
        ),
        sway=np.stack([0.022 * over_left, none + 0.015], axis=1),
        drop=none.copy(),
        face=np.zeros((len(times), 10)),
    )


def _path(points: Float[np.ndarray, "points 2"]) -> tuple[PlaceAt, float]:
    """The place at a distance along a smooth path through points, straight on beyond its ends, and its
    length."""
    chords = np.concatenate([[0], np.cumsum(np.sqrt(np.hypot(*np.diff(points, axis=0).T)))])
    shares = np.linspace(0, chords[-1], 60 * len(points))
    if len(points) == 2:
        fine = points[0] + (points[1] - points[0]) * (shares / chords[-1])[:, None]
    else:
        fine = CubicSpline(chords, points, bc_type="natural")(shares)
    distance = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(fine, axis=0).T))])
    length = float(distance[-1])
    even = np.linspace(0, length, max(int(length / 0.02), 8))
    fine = np.stack([np.interp(even, distance, fine[:, axis]) for axis in range(2)], axis=1)
    step = even[1]
    ways = np.gradient(fine, step, axis=0)
    more = int(np.ceil(3.0 / step))
    before = fine[0] - ways[0] * step * np.arange(more, 0, -1)[:, None]
    after = fine[-1] + ways[-1] * step * np.arange(1, more + 1)[:, None]
    fine = np.concatenate([before, fine, after])
    along = step * (np.arange(len(fine)) - more)
    ways = np.gradient(fine, step, axis=0)
    heading = np.unwrap(np.arctan2(ways[:, 0], -ways[:, 1]))
    heading = gaussian_filter1d(heading, 0.15 / step, mode="nearest")
    return CubicSpline(along, np.column_stack([fine, heading])), length


def _coming_to_rest(pace: float, length: float) -> Callable[[np.ndarray], np.ndarray]:
    """The distance gone at times: at a pace, and slowing down over the last of the way."""
    slowing = min(0.7, length / pace)
    from_when = (length - 0.5 * slowing * pace) / pace

    def travelled(moments: np.ndarray) -> np.ndarray:
        late = np.clip((moments - from_when) / slowing, 0, 1)
        # The integral of a speed that falls as 1 - (3 late^2 - 2 late^3).
        return pace * (np.minimum(moments, from_when) + slowing * (late - late**3 + 0.5 * late**4))

    return travelled
