"""What a made person does: key poses of a dance with gestures and hand signs, and the smooth way between them.

Between key poses every number follows a monotone cubic spline (PCHIP), which never overshoots: what holds for the key
poses, such as the limits of a joint, holds between them.
"""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator

from renderers.mannequin.pose import Arm, Foot, Hand, Pose, Turn

OPEN = Hand((0.0, 0.02, 0.02, 0.02, 0.02), spread=0.16, thumb_out=0.25)
RELAXED = Hand((0.15, 0.16, 0.18, 0.20, 0.22), spread=0.06, thumb_out=0.1)
FLAT = Hand((0.05, 0.04, 0.04, 0.04, 0.04), spread=0.03)
FIST = Hand((0.7, 0.95, 0.95, 0.95, 0.95), spread=0.0, thumb_round=0.55)
POINT = Hand((0.6, 0.02, 0.92, 0.95, 0.95), spread=0.0, thumb_round=0.5)
VICTORY = Hand((0.65, 0.02, 0.02, 0.92, 0.92), spread=0.2, thumb_round=0.55)
THREE = Hand((0.0, 0.02, 0.02, 0.92, 0.92), spread=0.2, thumb_out=0.35)
LOVE = Hand((0.0, 0.02, 0.92, 0.92, 0.02), spread=0.16, thumb_out=0.4)
"""The signs: names of what the hands show."""


def _arm(side: int, upper: Any, fore: Any, hand: Any, palm: Any) -> Arm:
    """An arm by directions with x outward, so that the same numbers do for either side."""

    def world(direction: Any) -> Any:
        return (side * direction[0], direction[1], direction[2])

    return Arm(world(upper), world(fore), world(hand), world(palm))


_READY = ((0.35, -0.10, -0.92), (0.30, -0.55, 0.78), (0.18, -0.25, 0.95), (-0.05, -0.97, -0.15))
_SHOULDER = ((0.55, -0.12, -0.80), (0.30, -0.35, 0.90), (0.15, -0.12, 1.0), (-0.08, -1.0, -0.08))
_RAISED = ((0.80, -0.10, 0.45), (0.35, -0.15, 0.92), (0.22, -0.10, 0.97), (-0.10, -1.0, -0.08))
_WIDE = ((0.93, -0.10, -0.30), (0.62, -0.30, 0.70), (0.55, -0.12, 0.82), (0.05, -1.0, -0.10))
_LOW = ((0.55, -0.10, -0.85), (0.62, -0.45, -0.62), (0.60, -0.30, -0.72), (0.30, -0.92, 0.15))
_CHEST = ((0.45, -0.10, -0.88), (-0.10, -0.75, 0.60), (-0.10, -0.28, 0.95), (0.05, -0.95, -0.25))


def _arms(left: Any, right: Any) -> tuple[Arm, Arm]:
    return _arm(1, *left), _arm(-1, *right)


_STANCE = (Foot(left=-0.05), Foot(left=0.05))

PHRASE: tuple[tuple[float, Pose], ...] = (
    (0.0, Pose(_arms(_READY, _READY), (OPEN, OPEN), _STANCE)),
    (
        0.7,
        Pose(
            _arms(_RAISED, _SHOULDER),
            (OPEN, VICTORY),
            (Foot(left=-0.05), Foot(left=0.02, up=0.05)),
            pelvis=Turn(left=0.10, lean=0.05),
            chest=Turn(left=0.05, lean=-0.08),
            head=Turn(left=0.18, lean=0.05),
            shift=(0.07, 0.0, -0.025),
        ),
    ),
    (
        1.4,
        Pose(
            _arms(_SHOULDER, _RAISED),
            (VICTORY, OPEN),
            (Foot(left=-0.02, up=0.05), Foot(left=0.05)),
            pelvis=Turn(left=-0.10, lean=-0.05),
            chest=Turn(left=-0.05, lean=0.08),
            head=Turn(left=-0.18, lean=-0.05),
            shift=(-0.07, 0.0, -0.025),
        ),
    ),
    (
        2.1,
        Pose(
            _arms(_WIDE, _WIDE),
            (OPEN, OPEN),
            (Foot(left=0.02), Foot(left=-0.02)),
            chest=Turn(forward=-0.04),
            head=Turn(forward=-0.06),
            shift=(0.0, 0.0, -0.045),
        ),
    ),
    (
        2.8,
        Pose(
            _arms(_SHOULDER, _CHEST),
            (POINT, FIST),
            (Foot(left=-0.05, outward=0.1), Foot(left=0.05)),
            pelvis=Turn(left=0.12),
            chest=Turn(left=-0.10),
            head=Turn(left=0.12, forward=0.05),
            shift=(0.03, 0.0, -0.02),
        ),
    ),
    (
        3.5,
        Pose(
            _arms(_CHEST, _SHOULDER),
            (FIST, LOVE),
            (Foot(left=-0.05), Foot(left=0.05, outward=0.1)),
            pelvis=Turn(left=-0.12),
            chest=Turn(left=0.10),
            head=Turn(left=-0.12, forward=0.05),
            shift=(-0.03, 0.0, -0.02),
        ),
    ),
    (
        4.2,
        Pose(
            _arms(_SHOULDER, _SHOULDER),
            (LOVE, THREE),
            (Foot(left=-0.05, up=0.04), Foot(left=0.05)),
            pelvis=Turn(lean=-0.05),
            chest=Turn(lean=0.06),
            head=Turn(lean=-0.08),
            shift=(-0.06, 0.0, -0.02),
        ),
    ),
    (
        4.9,
        Pose(
            _arms(_RAISED, _RAISED),
            (FLAT, OPEN),
            _STANCE,
            chest=Turn(forward=-0.06),
            head=Turn(forward=-0.08),
            shift=(0.0, 0.0, -0.005),
        ),
    ),
    (5.6, Pose(_arms(_READY, _READY), (OPEN, OPEN), _STANCE)),
)
"""Key poses by time in seconds. The last is the first again: the phrase is danced in a loop."""


class Motion:
    """A phrase of key poses, danced in a loop."""

    def __init__(self, phrase: tuple[tuple[float, Pose], ...] = PHRASE) -> None:
        times = np.array([time for time, _ in phrase])
        self._duration = times[-1]
        self._template = astuple(phrase[0][1])
        numbers = np.array([_flat(astuple(pose)) for _, pose in phrase])
        # A period on either side makes the spline smooth where the phrase begins again.
        times = np.concatenate([times[:-1] - self._duration, times, times[1:] + self._duration])
        numbers = np.concatenate([numbers[:-1], numbers, numbers[1:]])
        self._spline = PchipInterpolator(times, numbers)

    def pose(self, time: float) -> Pose:
        """The pose at a time in seconds."""
        return _pose(iter(self._spline(time % self._duration)))


def _flat(value: Any) -> list[float]:
    return [number for part in value for number in _flat(part)] if isinstance(value, tuple) else [value]


def _pose(numbers: Any) -> Pose:
    def take(count: int) -> Any:
        return tuple(float(next(numbers)) for _ in range(count))

    arms = tuple(Arm(take(3), take(3), take(3), take(3)) for _ in range(2))
    hands = tuple(Hand(take(5), *take(3)) for _ in range(2))
    feet = tuple(Foot(*take(4)) for _ in range(2))
    pelvis, chest, head = (Turn(*take(3)) for _ in range(3))
    return Pose(arms, hands, feet, pelvis, chest, head, take(3))  # type: ignore[arg-type]
