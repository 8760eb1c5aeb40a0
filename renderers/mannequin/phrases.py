"""What people do in one place, drawn by chance: standing, gestures, signing, dance, fast hands."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from renderers.mannequin.life import bring_to_life, wander
from renderers.mannequin.performance import Performance, keyed, perform
from renderers.mannequin.person import Person
from renderers.mannequin.pose import Hand, Place, rig_of
from renderers.mannequin.reaches import (
    ACROSS,
    AHEAD,
    BACK,
    BENT,
    CHEST,
    CHIN,
    CLASP_OVER,
    CLASP_UNDER,
    CROWN,
    DIAGONAL,
    FOLD_OVER,
    FOLD_UNDER,
    HIP,
    OVERHEAD,
    READY,
    SHOULDER,
    SIDE,
    TALK_UP,
    WAVE,
    WIDE,
    Keys,
    Reach,
    Triple,
    follow_hands,
    set_arms,
    shift_weight,
    standing_score,
)
from renderers.mannequin.signs import (
    CLAW,
    COUNTING,
    FIST,
    FLAT,
    OPEN,
    POINT,
    RELAXED,
    SIGNS,
    SOFT,
    THUMB_UP,
)
from renderers.mannequin.walking import Step, paced_feet, stance, stepped_feet


def standing(person: Person, rng: np.random.Generator, seconds: float, start: Place) -> Performance:
    """Somebody who waits: hands at their sides, on hips, clasped, or arms folded."""
    score = standing_score(person, rng, seconds, start)
    under = int(rng.integers(2))

    def over_and_under(over: Reach, below: Reach) -> tuple[Reach, Reach]:
        return (below, over) if under == 0 else (over, below)

    ways: list[tuple[tuple[Reach, Reach], tuple[Hand, Hand]]] = [
        ((SIDE, SIDE), (RELAXED, RELAXED)),
        ((HIP, HIP), (FLAT, FLAT)),
        (over_and_under(HIP, SIDE), (RELAXED, RELAXED)),
        (over_and_under(CLASP_OVER, CLASP_UNDER), (SOFT, SOFT)),
        (over_and_under(FOLD_OVER, FOLD_UNDER), (FLAT, SOFT)),
        (over_and_under(CHIN, CLASP_UNDER), (SOFT, RELAXED)),
    ]
    keys = Keys()
    way = int(rng.integers(len(ways)))
    while True:
        reaches, hands = ways[way]
        reaches = reaches[0].varied(rng, 0.5), reaches[1].varied(rng, 0.5)
        keys.add(rng.uniform(0.8, 1.2) if keys.times else 0.0, reaches, hands)
        keys.hold(rng.uniform(0.9, 2.6))
        if keys.end > score.times[-1]:
            break
        way = int((way + rng.integers(1, len(ways))) % len(ways))
    set_arms(score, keys)
    shift_weight(score, rng, often=2.2, size=1.0)
    bring_to_life(score, rng, looking_about=1.3)
    return perform(person, score)


def _sided(one: Reach, other: Reach, side: int) -> tuple[Reach, Reach]:
    return (one, other) if side == 0 else (other, one)


def _handed(one: Hand, other: Hand, side: int) -> tuple[Hand, Hand]:
    return (one, other) if side == 0 else (other, one)


def _talk(keys: Keys, rng: np.random.Generator) -> None:
    both, side = rng.random() < 0.6, int(rng.integers(2))
    way = (READY, TALK_UP, CHEST)[rng.integers(3)]
    rest = SIDE if rng.random() < 0.5 else READY.moved(up=-0.2)
    shape = (SOFT, OPEN, FLAT, SIGNS["O"])[rng.integers(4)]
    for _ in range(rng.integers(3, 6)):
        out, forward, up = rng.normal(0, [0.07, 0.06, 0.09])
        beat = way.varied(rng).moved(out, forward, up)
        other = beat.varied(rng, 0.6) if both else rest.varied(rng, 0.5)
        keys.add(
            rng.uniform(0.28, 0.5),
            _sided(beat, other, side),
            _handed(shape, shape if both else RELAXED, side),
        )


def _point(keys: Keys, rng: np.random.Generator) -> None:
    side = int(rng.integers(2))
    aim = (AHEAD, DIAGONAL, WIDE, replace(AHEAD, wrist=(0.62, 0.75, 0.12), hand=(0.35, 0.85, 0.15)))[
        rng.integers(4)
    ].varied(rng)
    rest = (SIDE, HIP, READY.moved(up=-0.2))[rng.integers(3)].varied(rng, 0.5)
    keys.add(rng.uniform(0.5, 0.7), _sided(aim, rest, side), _handed(POINT, RELAXED, side))
    for _ in range(rng.integers(1, 4)):
        keys.add(0.22, _sided(aim.moved(up=0.04, forward=-0.05), rest, side), _handed(POINT, RELAXED, side))
        keys.add(0.2, _sided(aim, rest, side), _handed(POINT, RELAXED, side))
    keys.hold(rng.uniform(0.2, 0.5))


def _wave(keys: Keys, rng: np.random.Generator) -> None:
    side, both = int(rng.integers(2)), rng.random() < 0.25
    way = (WAVE, WAVE.moved(up=0.25), SHOULDER)[rng.integers(3)].varied(rng)
    rest = SIDE.varied(rng, 0.5)
    beat = rng.uniform(0.16, 0.24)
    out = replace(way.moved(out=0.10), hand=(0.38, 0.1, 0.9))
    inward = replace(way.moved(out=-0.08), hand=(-0.22, 0.1, 0.95))
    for number in range(rng.integers(5, 9)):
        arm = out if number % 2 else inward
        keys.add(
            beat if number else 0.55,
            _sided(arm, arm if both else rest, side),
            _handed(OPEN, OPEN if both else RELAXED, side),
        )


def _count(keys: Keys, rng: np.random.Generator) -> None:
    side = int(rng.integers(2))
    way, rest = (SHOULDER, CHEST)[rng.integers(2)].varied(rng), (SIDE, HIP)[rng.integers(2)].varied(rng, 0.5)
    for number, shape in enumerate(COUNTING[: rng.integers(3, 6)]):
        keys.add(
            0.2 if number else 0.55, _sided(way.moved(up=0.03), rest, side), _handed(shape, RELAXED, side)
        )
        keys.hold(0.06)
        keys.add(0.14, _sided(way, rest, side), _handed(shape, RELAXED, side))
        keys.hold(rng.uniform(0.08, 0.2))


def _thumbs_up(keys: Keys, rng: np.random.Generator) -> None:
    both, side = rng.random() < 0.5, int(rng.integers(2))
    way = replace(BENT, wrist=(0.40, 0.62, -0.25), hand=(-0.35, 0.85, 0.1), palm=(-0.9, -0.35, 0.0)).varied(
        rng
    )
    rest = SIDE.varied(rng, 0.5)
    reaches = _sided(way, way.varied(rng, 0.5) if both else rest, side)
    keys.add(0.55, reaches, _handed(THUMB_UP, THUMB_UP if both else RELAXED, side))
    keys.hold(rng.uniform(0.5, 1.1))


def _clap(keys: Keys, rng: np.random.Generator) -> None:
    height = rng.uniform(-0.45, 0.1)
    apart = Reach((0.30, 0.60, height), (-0.1, 0.55, 0.8), (-0.95, 0.1, 0.0), lift=0.15)
    together = replace(apart.moved(out=-0.22), hand=(-0.05, 0.55, 0.8), palm=(-1.0, 0.0, 0.0))
    beat = rng.uniform(0.15, 0.24)
    for number in range(2 * int(rng.integers(3, 6))):
        way = together if number % 2 else apart
        keys.add(beat if number else 0.55, (way, way), (FLAT, FLAT))


def _shrug(keys: Keys, rng: np.random.Generator) -> None:
    way = Reach((0.68, 0.36, -0.36), (0.55, 0.70, 0.25), (0.1, -0.2, 1.0)).varied(rng)
    keys.add(0.4, (way, way), (OPEN, OPEN))
    keys.hold(rng.uniform(0.3, 0.6))


_GESTURES: tuple[Callable[[Keys, np.random.Generator], None], ...] = (
    *(_talk, _talk, _talk, _point, _wave, _count, _thumbs_up, _clap, _shrug),
)


def gestures(person: Person, rng: np.random.Generator, seconds: float, start: Place) -> Performance:
    """Somebody who talks with their hands, points, waves, counts, claps."""
    score = standing_score(person, rng, seconds, start)
    keys = Keys()
    first = READY.varied(rng) if rng.random() < 0.6 else SIDE
    keys.add(0.0, (first, first), (SOFT, SOFT))
    while keys.end < score.times[-1]:
        _GESTURES[rng.integers(len(_GESTURES))](keys, rng)
        if rng.random() < 0.3:
            keys.add(0.6, (SIDE.varied(rng, 0.5), SIDE.varied(rng, 0.5)), (RELAXED, RELAXED))
            keys.hold(rng.uniform(0.2, 0.6))
    set_arms(score, keys)
    follow_hands(score, 1.0)
    shift_weight(score, rng, often=1.6, size=0.8)
    nods = wander(score.times, rng, 1, 0.7)[:, 0] * np.maximum(wander(score.times, rng, 1, 0.2)[:, 0], 0)
    score.head[:, 1] += 0.05 * nods
    bring_to_life(score, rng, looking_about=0.7, talking=0.8)
    return perform(person, score)


_SIGN_FACINGS: tuple[tuple[Triple, Triple], ...] = (
    ((-0.05, 0.20, 1.0), (0.0, 1.0, -0.15)),
    ((-0.10, 0.25, 0.97), (0.1, 0.95, -0.2)),
    ((-0.55, 0.25, 0.75), (-0.2, -0.95, 0.2)),
    ((-0.80, 0.55, 0.15), (-0.1, -0.25, -0.95)),
    ((-0.15, 0.70, 0.65), (-0.98, 0.1, -0.1)),
    ((-0.35, 0.88, 0.20), (-0.1, -0.2, 0.97)),
    ((-0.90, 0.25, 0.20), (-0.2, -0.95, 0.0)),
)
"""Directions of hand and palm: to the one addressed (twice), to oneself, down, to the side, up, across."""


def signing(person: Person, rng: np.random.Generator, seconds: float, start: Place) -> Performance:
    """Somebody who signs before chest and face: a new shape of the hand every 0.3 to 0.6 s."""
    score = standing_score(person, rng, seconds, start)
    shapes = list(SIGNS.values())
    main = 1 if rng.random() < 0.85 else 0
    keys = Keys()
    order: list[int] = []
    mode = 0
    while keys.end < score.times[-1]:
        if len(order) < 2:
            order += [int(number) for number in rng.permutation(len(shapes)) if number not in order]
        if rng.random() < 0.4 or not keys.times:
            mode = int(rng.integers(3))
        facing, palm = _SIGN_FACINGS[rng.integers(len(_SIGN_FACINGS))]
        wrist = (
            float(rng.uniform(0.10, 0.44)),
            float(rng.uniform(0.46, 0.62)),
            float(rng.choice([rng.uniform(-0.48, -0.2), rng.uniform(-0.2, 0.08)])),
        )
        reach = Reach(wrist, facing, palm, lift=float(rng.uniform(-0.05, 0.2))).varied(rng, 0.6)
        shape, other_shape = shapes[order.pop()], SOFT
        rest = Reach((0.22, 0.50, -0.56), (-0.85, 0.35, 0.1), (0.0, -0.1, -1.0)).varied(rng, 0.4)
        if mode == 1:
            # Both hands the same, mirrored, far enough apart.
            reach = reach.moved(out=0.08)
            rest, other_shape = reach.varied(rng, 0.2), shape
        elif mode == 2:
            # The other hand is the ground for this one.
            rest = Reach((0.16, 0.52, -0.46), (-0.80, 0.55, 0.15), (-0.1, -0.2, 0.95)).varied(rng, 0.4)
            other_shape = FLAT if rng.random() < 0.6 else shapes[order[-1]]
            reach = reach.moved(up=0.1)
        period = float(rng.uniform(0.3, 0.6))
        arriving = min(0.65 * period, 0.3)
        keys.add(arriving, _sided(reach, rest, main), _handed(shape, other_shape, main))
        drift = reach.moved(*rng.normal(0, 0.035, 3)) if rng.random() < 0.6 else reach
        keys.add(period - arriving, _sided(drift, rest, main), _handed(shape, other_shape, main))
    set_arms(score, keys)
    follow_hands(score, 0.7)
    shift_weight(score, rng, often=2.0, size=0.6)
    bring_to_life(score, rng, looking_about=0.35, talking=0.7)
    return perform(person, score)


_DANCE_PAIRS: tuple[tuple[Reach, Reach], ...] = (
    (OVERHEAD, OVERHEAD),
    (CROWN, CROWN),
    (WIDE, WIDE),
    (DIAGONAL, WIDE),
    (OVERHEAD, HIP),
    (DIAGONAL, DIAGONAL),
    (BENT, BENT),
    (ACROSS, WIDE),
    (CHEST, CHEST),
    (SHOULDER, SHOULDER),
    (AHEAD, BENT),
    (BACK, AHEAD),
    (ACROSS, OVERHEAD),
    (HIP, HIP),
)


def dance(person: Person, rng: np.random.Generator, seconds: float, start: Place) -> Performance:
    """Somebody who dances to a beat: side steps, bounces, knee bends, raised arms and half turns."""
    score = standing_score(person, rng, seconds, start)
    times, rig = score.times, rig_of(person)
    beat = 60 / rng.uniform(92, 126)
    offset = -rng.uniform(0, beat)
    count = int(np.ceil((times[-1] - offset) / beat)) + 2
    beats = offset + beat * np.arange(count)

    # Where the body is at each beat: two steps to one side and back, sometimes turned by half a circle.
    places, headings = [np.zeros(2)], [0.0]
    way, turning, still = float(rng.choice([-1, 1])), 0.0, 0
    for number in range(1, count):
        if number % 4 == 1:
            still = int(rng.random() < 0.25)
            turning = float(rng.choice([0, 0, 1, -1]) * np.pi / 4) if number > 1 else 0.0
            way = -way
        size = 0.0 if still or turning else 0.11 * rng.uniform(0.8, 1.2)
        heading = headings[-1] + turning
        sideways = np.array([np.cos(start.heading + heading), np.sin(start.heading + heading)])
        # In the second half of a bar back to where it began.
        back = way if number % 4 in (1, 2) else -way
        places.append(places[-1] + back * size * sideways)
        headings.append(heading)
    keyed_places = np.column_stack(
        [np.array([start.x, start.y]) + places, start.heading + np.array(headings)]
    )
    score.place[:] = keyed(times, beats, keyed_places)

    steps = []
    first = np.array([stance(rig, keyed_places[0], side, 1.15) for side in range(2)])
    lead = int(rng.integers(2))
    for number in range(1, count):
        side = (number + lead) % 2
        # The foot comes down for where the body will be when the next one lifts.
        there = keyed_places[number].copy()
        # It stands until the beat after that, and half of what the body turns by then is ahead of it.
        there[2] += 0.65 * (keyed_places[min(number + 1, count - 1), 2] - there[2])
        x, y, heading = stance(rig, there, side, 1.1 * rng.uniform(0.9, 1.2)).tolist()
        steps.append(
            Step(side, beats[number] - 0.62 * beat, beats[number] - 0.08 * beat, x, y, heading, 0.05, 0.0)
        )
    score.feet[:] = stepped_feet(rig, times, first, steps)

    keys = Keys()
    pair = _DANCE_PAIRS[rng.integers(len(_DANCE_PAIRS))]
    shapes = (OPEN, SOFT, FIST, FLAT, SIGNS["V"], CLAW)
    shape = shapes[rng.integers(len(shapes))]
    while keys.end < times[-1]:
        beats_held = int(rng.choice([1, 2, 2]))
        repeated = int(rng.integers(1, 3))
        other = _DANCE_PAIRS[rng.integers(len(_DANCE_PAIRS))]
        for _ in range(repeated):
            for one in (pair, other):
                ways = one[0].varied(rng), one[1].varied(rng)
                if rng.random() < 0.5:
                    ways = ways[1], ways[0]
                hands = (shape, shape if rng.random() < 0.7 else SOFT)
                if keys.times:
                    far = max(
                        math.dist(way.wrist, before[:3])
                        for way, before in zip(ways, keys.arms[-1], strict=True)
                    )
                    # What is far away takes longer.
                    lasts = beat * max(beats_held, 2 if far > 0.8 else 1)
                    keys.add(0.75 * lasts, ways, hands)
                    keys.hold(0.25 * lasts)
                else:
                    keys.add(0.0, ways, hands)
        pair = _DANCE_PAIRS[rng.integers(len(_DANCE_PAIRS))]
        shape = shapes[rng.integers(len(shapes))]
    set_arms(score, keys)
    follow_hands(score, 0.8)

    phase = 2 * np.pi * (times - offset) / beat
    size = rng.uniform(0.5, 1.0)
    bars = keyed(times, beats[::4], rng.uniform(0, 1, len(beats[::4])) ** 2)
    score.drop += 0.022 * size * (1 + np.cos(phase)) + 0.075 * bars * (0.5 - 0.5 * np.cos(phase / 2))
    # The weight is over the foot that stands while the other is in the air.
    over = np.sin(0.5 * phase - (0.5 * np.pi if lead == 0 else -0.5 * np.pi))
    score.sway[:, 0] += 0.028 * over
    score.pelvis[:, 2] -= 0.09 * size * over
    score.pelvis[:, 0] += 0.10 * size * wander(times, rng, 1, 0.25 / beat)[:, 0]
    score.chest[:, 2] += 0.10 * size * over
    score.chest[:, 0] += 0.12 * size * np.sin(0.5 * phase + rng.uniform(0, 6))
    score.chest[:, 1] += 0.04 * size * np.cos(phase) + 0.25 * 0.5 * bars
    score.head[:, 1] += 0.07 * size * np.cos(phase - 0.5)
    score.head[:, 0] -= 0.10 * size * np.sin(0.5 * phase)
    bring_to_life(score, rng, looking_about=0.6)
    score.face[:, 3] = np.clip(score.face[:, 3] + 0.25, 0, 1)
    return perform(person, score)


_FASTEST_TURN = 3.3
"""In radians per second: faster, feet would have to fly."""


def turning(person: Person, rng: np.random.Generator, seconds: float, start: Place) -> Performance:
    """Somebody who turns on the spot in small steps, through a full circle and more where there are 2.5 s for
    it."""
    score = standing_score(person, rng, seconds, start)
    times = score.times
    drawn = float(rng.uniform(0.8, 2.9))
    way = float(rng.choice([-1, 1]))
    uneven, phase = rng.uniform(0, 0.25), rng.uniform(0, 2 * np.pi)

    def unevenly(moments: float | np.ndarray) -> float | np.ndarray:
        return moments + uneven * (np.sin(1.3 * moments + phase) - np.sin(phase)) / 1.3

    pace = min(max(drawn, 1.05 * 2 * np.pi / float(unevenly(seconds))), _FASTEST_TURN)

    def place_at(moments: np.ndarray) -> np.ndarray:
        turned = way * pace * unevenly(moments)
        here = np.array([start.x, start.y, start.heading])
        return here + np.stack([0 * turned, 0 * turned, turned], axis=1)

    period = min(float(rng.uniform(0.36, 0.55)), 0.62 / pace)
    first = float(rng.uniform(0, 2 * period))
    score.place[:] = place_at(times)
    score.feet[:] = paced_feet(rig_of(person), times, place_at, period, first, roll=0.5, share=0.66)
    over_left = np.sin(np.pi * (times - first) / period - 0.2)
    score.sway[:, 0] += 0.03 * over_left
    score.pelvis[:, 2] -= 0.04 * over_left
    score.chest[:, 2] += 0.04 * over_left
    # The head leads, the chest follows it.
    score.head[:, 0] += way * min(0.2 + 0.1 * pace, 0.5)
    score.chest[:, 0] += way * 0.05 * pace
    ways: tuple[tuple[tuple[Reach, Reach], tuple[Hand, Hand]], ...] = (
        ((SIDE, SIDE), (RELAXED, RELAXED)),
        ((SIDE.moved(out=0.12, up=0.03),) * 2, (SOFT, SOFT)),
        ((WIDE, WIDE), (OPEN, OPEN)),
        ((HIP, HIP), (FLAT, FLAT)),
        ((BENT, BENT), (SOFT, SOFT)),
        ((SHOULDER, SHOULDER), (OPEN, OPEN)),
        ((OVERHEAD, SIDE), (OPEN, RELAXED)),
    )
    keys = Keys()
    while keys.end < times[-1] or not keys.times:
        reaches, hands = ways[rng.integers(len(ways))]
        keys.add(
            rng.uniform(0.8, 1.2) if keys.times else 0.0,
            (reaches[0].varied(rng, 0.5), reaches[1].varied(rng, 0.5)),
            hands,
        )
        keys.hold(rng.uniform(1.2, 3.0))
    set_arms(score, keys)
    score.arms[:, :, 1] += 0.05 * over_left[:, None] * [-1, 1]
    follow_hands(score, 0.5)
    bring_to_life(score, rng, looking_about=0.4)
    return perform(person, score)


@dataclass(frozen=True)
class Shaking:
    """A fast movement to and fro about a reach: by how much the wrist moves, and how much the directions of
    hand and palm change (out, forward, up)."""

    reach: Reach
    hand: Hand
    wrist: Triple
    turn: Triple
    palm: Triple = (0.0, 0.0, 0.0)
    alternate: bool = False
    """The hands go against each other, as in drumming."""
    fastest: float = 4.5


_SHAKINGS = (
    # Shaking off water, waving high, drumming, flapping, chopping, jazz hands.
    Shaking(
        Reach((0.42, 0.55, -0.42), (-0.05, 0.9, -0.2), (0.0, -0.25, -1.0)),
        SOFT,
        (0.05, 0.02, 0.10),
        (0.0, 0.0, 0.55),
    ),
    Shaking(WAVE.moved(up=0.15), OPEN, (0.15, 0.0, 0.02), (0.42, 0.0, 0.0), fastest=3.6),
    Shaking(
        Reach((0.34, 0.58, -0.48), (-0.15, 0.9, 0.0), (-0.2, -0.1, -1.0)),
        FIST,
        (0.0, 0.0, 0.15),
        (0.0, 0.0, 0.45),
        alternate=True,
    ),
    Shaking(
        Reach((0.92, 0.20, -0.30), (0.75, 0.35, 0.0), (0.0, -0.1, -1.0), lift=0.2),
        FLAT,
        (0.0, 0.0, 0.22),
        (0.0, 0.0, 0.45),
        fastest=3.2,
    ),
    Shaking(
        Reach((0.34, 0.58, -0.30), (-0.1, 0.85, 0.45), (-1.0, 0.1, 0.0)),
        FLAT,
        (0.0, 0.05, 0.19),
        (0.0, 0.1, 0.35),
        alternate=True,
        fastest=3.6,
    ),
    Shaking(
        SHOULDER.moved(out=0.08),
        OPEN,
        (0.12, 0.0, 0.05),
        (0.28, 0.0, 0.0),
        palm=(0.55, 0.0, 0.0),
        fastest=4.0,
    ),
)


def fast_hands(person: Person, rng: np.random.Generator, seconds: float, start: Place) -> Performance:
    """Somebody whose hands shake, wave, drum, flap and chop two to five times a second."""
    score = standing_score(person, rng, seconds, start)
    times = score.times
    keys = Keys()
    offsets = np.zeros((len(times), 2, 10))
    since, order = 0.0, list(rng.permutation(len(_SHAKINGS)))
    while since < times[-1]:
        shaking = _SHAKINGS[order.pop() if order else rng.integers(len(_SHAKINGS))]
        lasts = float(rng.uniform(1.4, 2.4))
        alone = int(rng.integers(2)) if rng.random() < 0.25 and not shaking.alternate else None
        rate = rng.uniform(max(2.0, shaking.fastest - 1.6), shaking.fastest)
        phase = 2 * np.pi * rate * (times - since) + rng.uniform(0, 2 * np.pi)
        # It swells and dies down within the held reach.
        arriving = 0.0 if since == 0 else 0.45
        edges = [since + arriving - 0.15, since + arriving + 0.2, since + lasts - 0.15, since + lasts + 0.1]
        envelope = keyed(times, edges, [0.0, 1.0, 1.0, 0.0]) * rng.uniform(0.9, 1.15)
        # The hand lags behind the wrist, as it is thrown.
        size = np.array([*shaking.wrist, *shaking.turn, *shaking.palm, 0.0])
        lag = np.array([0.0] * 3 + [0.5] * 6 + [0.0])
        reaches, hands = [], []
        for side in range(2):
            idle = alone is not None and alone != side
            reaches.append(SIDE.varied(rng, 0.5) if idle else shaking.reach.varied(rng, 0.5))
            hands.append(RELAXED if idle else shaking.hand)
            if not idle:
                against = np.pi * side if shaking.alternate else 0.3 * side
                waves = np.sin(phase[:, None] - lag + against)
                offsets[:, side] += envelope[:, None] * size * waves
        keys.add(arriving, (reaches[0], reaches[1]), (hands[0], hands[1]))
        keys.hold(lasts - arriving)
        since += lasts
    set_arms(score, keys)
    follow_hands(score, 0.6)
    score.arms += offsets
    # The trunk feels it.
    score.chest[:, 1] += 0.10 * offsets[:, :, 2].mean(axis=1)
    score.chest[:, 0] += 0.12 * (offsets[:, 0, 2] - offsets[:, 1, 2])
    shift_weight(score, rng, often=1.5, size=0.7)
    bring_to_life(score, rng, looking_about=0.6, talking=0.3)
    return perform(person, score)
