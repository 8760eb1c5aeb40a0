"""What keeps a person from being frozen: breath, sway, looking about, blinks and changing expressions."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from renderers.mannequin.performance import RATE, Score, keyed

_SMILE, _FROWN, _PUCKER, _BROWS_UP, _BROWS_DOWN, _LEFT, _UP = 3, 4, 5, 6, 7, 8, 9
_JAW = 2
_EXPRESSIONS: tuple[dict[int, float], ...] = (
    {},
    {_SMILE: 0.35},
    {_SMILE: 0.8, _BROWS_UP: 0.2},
    {_BROWS_UP: 0.8},
    {_BROWS_DOWN: 0.7, _FROWN: 0.3},
    {_PUCKER: 0.5},
    {_SMILE: 0.6, _JAW: 0.25},
    {_BROWS_UP: 0.6, _JAW: 0.3},
)


def wander(
    times: Float[np.ndarray, "poses"], rng: np.random.Generator, count: int, slowest: float = 0.08
) -> Float[np.ndarray, "poses count"]:
    """Smooth chance movements of about unit size: sums of slow waves, the slowest of `slowest` hertz."""
    rates = slowest * np.array([1.0, 2.3, 4.1])[:, None] * rng.uniform(0.8, 1.25, (3, count))
    phases = rng.uniform(0, 2 * np.pi, (3, count))
    sizes = np.array([0.75, 0.5, 0.25])[:, None]
    return (sizes * np.sin(2 * np.pi * rates * times[:, None, None] + phases)).sum(axis=1)


def bring_to_life(
    score: Score, rng: np.random.Generator, looking_about: float = 1.0, talking: float = 0.0
) -> None:
    """Add to a score, in place, what a body does by itself.

    `looking_about` is how far the eyes and then the head wander, and `talking` how much the mouth speaks.
    """
    times = score.times
    breath = np.sin(2 * np.pi * rng.uniform(0.22, 0.34) * times + rng.uniform(0, 2 * np.pi))
    score.chest[:, 1] -= 0.012 * breath
    score.arms[:, :, 2] += 0.006 * breath[:, None]
    score.sway += 0.006 * wander(times, rng, 2)
    score.chest += 0.012 * wander(times, rng, 3)
    score.pelvis += 0.008 * wander(times, rng, 3)
    score.head += 0.02 * wander(times, rng, 3, 0.15)
    score.arms[..., :3] += 0.010 * wander(times, rng, 6, 0.12).reshape(-1, 2, 3)
    score.arms[..., 3:9] += 0.03 * wander(times, rng, 12, 0.12).reshape(-1, 2, 6)
    score.hands[..., :5] += 0.02 * wander(times, rng, 10, 0.15).reshape(-1, 2, 5)
    _look(score, rng, looking_about)
    _blink(score, rng)
    _express(score, rng, talking)


def _look(score: Score, rng: np.random.Generator, strength: float) -> None:
    """The eyes leap from one thing to the next, and the head follows half-way."""
    times = score.times
    moments, looks = [times[0] - 1], [np.zeros(2)]
    while moments[-1] < times[-1]:
        moments.append(moments[-1] + float(rng.uniform(0.5, 2.2)))
        looks.append(strength * rng.normal(0, [0.22, 0.10]) * (rng.random() > 0.35))
    index = np.searchsorted(moments, times) - 1
    held = np.array(looks)[np.maximum(index, 0)]
    eyes = gaussian_filter1d(held, 0.018 * RATE, axis=0, mode="nearest")
    head = gaussian_filter1d(0.55 * held, 0.16 * RATE, axis=0, mode="nearest")
    score.head[:, 0] += head[:, 0]
    score.head[:, 1] -= head[:, 1]
    # What the head has turned the eyes need not.
    score.face[:, _LEFT] += eyes[:, 0] - head[:, 0]
    score.face[:, _UP] += eyes[:, 1] - head[:, 1]


def _blink(score: Score, rng: np.random.Generator) -> None:
    moment = score.times[0] + float(rng.uniform(0.2, 2.5))
    while moment < score.times[-1]:
        apart = score.times - moment
        shut = np.where(apart < 0, np.exp(-((apart / 0.045) ** 2)), np.exp(-((apart / 0.085) ** 2)))
        score.face[:, :2] = np.maximum(score.face[:, :2], shut[:, None])
        moment += float(0.6 + rng.exponential(2.6))


def _express(score: Score, rng: np.random.Generator, talking: float) -> None:
    times = score.times
    moments, faces = [times[0] - 0.5], [np.zeros(10)]
    while moments[-1] < times[-1]:
        face = np.zeros(10)
        for action, value in _EXPRESSIONS[rng.integers(len(_EXPRESSIONS))].items():
            face[action] = value * rng.uniform(0.5, 1.1)
        held = float(rng.uniform(0.3, 1.6))
        moments += [moments[-1] + float(rng.uniform(0.35, 0.7))]
        moments += [moments[-1] + held]
        faces += [face, face]
    score.face += keyed(times, moments, faces)
    if talking:
        # Syllables of four to five a second, in words with pauses between.
        rate = rng.uniform(3.6, 4.8)
        syllables = 0.5 + 0.5 * np.sin(2 * np.pi * rate * times + 3 * wander(times, rng, 1, 0.4)[:, 0])
        words = 1 / (1 + np.exp(-6 * (wander(times, rng, 1, 0.3)[:, 0] + 0.25)))
        size = talking * words * (0.35 + 0.12 * wander(times, rng, 1, 1.0)[:, 0])
        score.face[:, _JAW] += np.maximum(size, 0) * syllables
        score.face[:, _PUCKER] += 0.3 * talking * words * np.maximum(wander(times, rng, 1, 0.8)[:, 0], 0) ** 2
    score.face[:, :8] = np.clip(score.face[:, :8], 0, 1)
