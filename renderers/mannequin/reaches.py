"""How arms are held and led from one way to the next, and a body that stands: what the phrases are made of.

Arms are keys (`Reach`) for the named ways to hold them, with x outward, so that the same do for either side.
Dimension names: poses, sides (left, right) as in `pose`, keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from renderers.mannequin.performance import Score, keyed, sampled_times
from renderers.mannequin.person import Person
from renderers.mannequin.pose import Hand, Place, frame, rig_of, rotation_vector, turned_by
from renderers.mannequin.signs import hand_numbers
from renderers.mannequin.walking import stance, stepped_feet

Triple = tuple[float, float, float]
_SHOULDER_JOINT = np.array([0.32, 0.0, 0.0])
"""About where a shoulder is, in a score's out, forward, up."""


@dataclass(frozen=True)
class Reach:
    """One arm of a `Score`: the wrist's place, the directions of hand and palm (out, forward, up), and how
    far the elbow is lifted outward."""

    wrist: Triple
    hand: Triple
    palm: Triple
    lift: float = 0.0

    def varied(self, rng: np.random.Generator, size: float = 1.0) -> Reach:
        """About the same, as no two times are."""

        def moved(values: Triple, by: float) -> Triple:
            first, second, third = (float(value) for value in np.array(values) + rng.normal(0, by * size, 3))
            return first, second, third

        return Reach(
            moved(self.wrist, 0.03),
            moved(self.hand, 0.07),
            moved(self.palm, 0.07),
            self.lift + rng.normal(0, 0.05),
        )

    def moved(self, out: float = 0.0, forward: float = 0.0, up: float = 0.0) -> Reach:
        """The same with the wrist elsewhere."""
        x, y, z = self.wrist
        return replace(self, wrist=(x + out, y + forward, z + up))


SIDE = Reach((0.42, 0.08, -0.972), (0.0, 0.16, -1.0), (-1.0, -0.35, 0.05))
HIP = Reach((0.47, -0.02, -0.66), (-0.62, 0.50, -0.40), (-0.55, -0.25, -0.75), lift=0.35)
CLASP_UNDER = Reach((0.19, 0.42, -0.74), (-0.85, 0.22, -0.55), (-0.25, -0.95, 0.0))
CLASP_OVER = Reach((0.16, 0.52, -0.70), (-0.85, 0.15, -0.60), (-0.25, -0.95, 0.0))
FOLD_UNDER = Reach((0.08, 0.38, -0.46), (-0.97, -0.05, 0.05), (0.0, -0.98, 0.15), lift=0.1)
FOLD_OVER = Reach((0.07, 0.52, -0.40), (-0.97, -0.15, 0.10), (0.0, -0.98, -0.15), lift=0.1)
READY = Reach((0.34, 0.50, -0.46), (-0.12, 0.75, 0.55), (-0.75, 0.15, 0.55))
TALK_UP = Reach((0.46, 0.52, -0.40), (0.22, 0.85, 0.45), (-0.35, 0.05, 0.95))
CHEST = Reach((0.24, 0.52, -0.32), (-0.15, 0.25, 0.95), (0.0, 0.98, -0.2))
SHOULDER = Reach((0.55, 0.36, -0.02), (0.08, 0.10, 1.0), (-0.1, 1.0, 0.0), lift=0.05)
WAVE = Reach((0.66, 0.30, 0.10), (0.12, 0.10, 1.0), (-0.1, 1.0, 0.0), lift=0.1)
OVERHEAD = Reach((0.42, 0.12, 0.86), (0.0, 0.05, 1.0), (-0.65, 0.75, 0.0), lift=0.2)
CROWN = Reach((0.20, 0.10, 0.80), (-0.75, 0.0, 0.65), (-0.55, 0.15, -0.8), lift=0.35)
WIDE = Reach((1.16, 0.16, -0.06), (0.95, 0.15, 0.15), (0.1, 0.55, -0.8), lift=0.15)
DIAGONAL = Reach((0.90, 0.15, 0.62), (0.60, 0.1, 0.75), (0.2, 0.9, -0.3), lift=0.15)
AHEAD = Reach((0.32, 0.93, -0.06), (0.0, 1.0, 0.05), (-0.35, 0.0, -0.95))
ACROSS = Reach((-0.10, 0.55, -0.18), (-0.6, 0.45, 0.5), (-0.3, 0.6, -0.7), lift=0.2)
BENT = Reach((0.52, 0.38, -0.42), (0.0, 0.85, 0.45), (-0.9, 0.1, -0.2))
BACK = Reach((0.52, -0.22, -0.90), (0.15, -0.3, -0.95), (-0.9, 0.1, -0.1))
CHIN = Reach((0.13, 0.40, -0.06), (-0.25, -0.20, 0.95), (-0.55, -0.75, -0.1))


@dataclass
class Keys:
    """Arms and hands at key times, one after the other."""

    times: list[float] = field(default_factory=list)
    arms: list[np.ndarray] = field(default_factory=list)
    hands: list[np.ndarray] = field(default_factory=list)

    @property
    def end(self) -> float:
        """The time of the last key."""
        return self.times[-1] if self.times else 0.0

    def add(self, after: float, reaches: tuple[Reach, Reach], hands: tuple[Hand, Hand]) -> None:
        """The next key, so many seconds after the last."""
        self.times.append(self.end + after)
        self.arms.append(np.array([[*way.wrist, *way.hand, *way.palm, way.lift] for way in reaches]))
        self.hands.append(hand_numbers(hands))

    def hold(self, seconds: float) -> None:
        """The last key once more."""
        self.times.append(self.end + seconds)
        self.arms.append(self.arms[-1])
        self.hands.append(self.hands[-1])


def standing_score(person: Person, rng: np.random.Generator, seconds: float, start: Place) -> Score:
    """Somebody who stands with both feet on the floor and their hands at their sides."""
    times = sampled_times(seconds)
    place = np.array([start.x, start.y, start.heading])
    rig = rig_of(person)
    width = float(rng.uniform(0.8, 1.5))
    feet = np.array([stance(rig, place, side, width) for side in range(2)])
    feet[:, 2] += rng.uniform(-0.02, 0.12, 2) * [1, -1]
    count = len(times)
    return Score(
        times=times,
        arms=np.zeros((count, 2, 10)),
        hands=np.zeros((count, 2, 13)),
        feet=stepped_feet(rig, times, feet, ()),
        place=np.repeat(place[None], count, axis=0),
        pelvis=np.zeros((count, 3)),
        chest=np.zeros((count, 3)),
        head=np.zeros((count, 3)),
        sway=np.zeros((count, 2)),
        drop=np.full(count, 0.006),
        face=np.zeros((count, 10)),
    )


def set_arms(score: Score, keys: Keys) -> None:
    score.arms[:] = keyed(score.times, keys.times, keys.arms)
    # A wrist does not go straight from below the shoulder to above it: it swings round, outward and in front.
    from_shoulder = np.array(keys.arms)[:, :, :3] - _SHOULDER_JOINT
    radius = keyed(score.times, keys.times, np.linalg.norm(from_shoulder, axis=2))
    short = radius - np.linalg.norm(score.arms[..., :3] - _SHOULDER_JOINT, axis=2)
    score.arms[..., :3] += np.logaddexp(0, (short - 0.15) / 0.06)[..., None] * 0.06 * [0.5, 1.1, 0.0]
    # Hands turn from one way to the next about a single axis: directions in between would shrink and flip.
    turned = np.array(keys.arms)[:, :, 3:9].reshape(-1, 2, 2, 3)
    frames = frame(turned[:, :, 0], turned[:, :, 1])
    steps = rotation_vector(frames[:-1].swapaxes(-1, -2) @ frames[1:])
    place = np.clip(np.searchsorted(keys.times, score.times, side="right") - 1, 0, len(steps) - 1)
    since, until = np.array(keys.times)[place], np.array(keys.times)[place + 1]
    share = np.clip((score.times - since) / (until - since), 0, 1)
    eased = share * share * (3 - 2 * share)
    now = frames[place] @ turned_by(steps[place] * eased[:, None, None])
    score.arms[:, :, 3:6], score.arms[:, :, 6:9] = now[..., 0], now[..., 1]
    score.hands[:] = keyed(score.times, keys.times, keys.hands)


def shift_weight(score: Score, rng: np.random.Generator, often: float, size: float) -> None:
    """The weight goes from leg to leg: the pelvis moves over a foot, tilts, and the chest makes up for it."""
    moments, sides = [0.0], [float(rng.uniform(-1, 1))]
    while moments[-1] < score.times[-1]:
        held, moving = often * rng.uniform(0.4, 1.2), rng.uniform(0.7, 1.3)
        other = -np.sign(sides[-1]) * rng.uniform(0.2, 1.0)
        moments += [moments[-1] + held, moments[-1] + held + moving]
        sides += [sides[-1], float(other)]
    side = keyed(score.times, moments, sides)
    score.sway[:, 0] += 0.055 * size * side
    score.pelvis[:, 2] -= 0.07 * size * side
    score.pelvis[:, 0] += 0.06 * size * side
    score.chest[:, 2] += 0.08 * size * side
    score.chest[:, 0] -= 0.05 * size * side
    score.head[:, 2] -= 0.03 * size * side


def follow_hands(score: Score, share: float) -> None:
    """Chest and head go along with the arms: they turn to the side on which a hand is out, and lean away."""
    left, right = score.arms[:, 0, :3], score.arms[:, 1, :3]
    turned = (left[:, 1] - right[:, 1]) - 0.4 * (left[:, 0] - right[:, 0])
    raised = np.maximum(left[:, 2], -0.3) - np.maximum(right[:, 2], -0.3)
    high = np.maximum(left[:, 2] + right[:, 2], -0.6) + 0.6
    score.chest[:, 0] -= 0.16 * share * turned
    score.chest[:, 2] -= 0.08 * share * raised
    score.chest[:, 1] -= 0.05 * share * high
    score.head[:, 0] += 0.10 * share * turned
    score.head[:, 1] -= 0.04 * share * high
