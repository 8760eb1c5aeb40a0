"""What a made person does: a motion gives a pose for every time, and each kind of motion is another
performance for every state of the random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from renderers.mannequin import phrases
from renderers.mannequin.errors import MannequinError
from renderers.mannequin.person import Person
from renderers.mannequin.pose import Place, Pose
from renderers.mannequin.walking import SHORTEST_WALK, walk


class Motion(Protocol):
    """A pose for every time; the same time always gives the same pose."""

    def pose(self, time: float) -> Pose:
        """The pose at a time in seconds."""


def _walking(person: Person, rng: np.random.Generator, seconds: float, start: Place) -> Motion:
    """Straight on or in a curve, from the start."""
    seconds = max(seconds, SHORTEST_WALK)
    length = min(float(rng.uniform(0.7, 1.5)) * seconds, _LONGEST_WALK)
    bend = 0.0 if rng.random() < 0.35 else float(rng.uniform(-1.0, 1.0))
    count = max(int(length / 0.8), 2)
    headings = start.heading + bend * np.linspace(0, 1, count) * min(length / 2.5, 1.6)
    hops = length / count * np.stack([np.sin(headings), -np.cos(headings)], axis=1)
    points = np.array([start.x, start.y]) + np.concatenate([np.zeros((1, 2)), np.cumsum(hops, axis=0)])
    return walk(person, rng, [(float(x), float(y)) for x, y in points], seconds)


_LONGEST_WALK = 4.5
"""In metres; then they stand."""

_KINDS: dict[str, Callable[[Person, np.random.Generator, float, Place], Motion]] = {
    "standing": phrases.standing,
    "gestures": phrases.gestures,
    "signing": phrases.signing,
    "dance": phrases.dance,
    "walking": _walking,
    "turning": phrases.turning,
    "fast_hands": phrases.fast_hands,
}

MOTIONS: tuple[str, ...] = tuple(_KINDS)
"""The kinds of motion."""


def make_motion(kind: str, person: Person, rng: np.random.Generator, seconds: float, start: Place) -> Motion:
    """Another performance of a kind, from time 0 to `seconds`, beginning at a place.

    Raises MannequinError for a kind that is none of MOTIONS, or for a length that is none.
    """
    if kind not in _KINDS:
        raise MannequinError(f"motion is {kind!r}: give one of {', '.join(MOTIONS)}.")
    if not 0 < seconds <= 3600:
        raise MannequinError(f"seconds is {seconds}: give a length of up to 3600 seconds.")
    return _KINDS[kind](person, rng, seconds, start)
