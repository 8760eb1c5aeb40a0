"""What a made person does: key poses of a dance with gestures and hand signs, and the smooth way between
them.

Between key poses every number follows a monotone cubic spline (PCHIP), which never overshoots: what holds for
the key poses, such as the limits of a joint, holds between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
from scipy.interpolate import PchipInterpolator

from renderers.mannequin.pose import Arm, Foot, Hand, Pose, Turn

OPEN = Hand((0.0, 0.02, 0.02, 0.02, 0.02), spread=0.16, thumb_out=0.25)
FLAT = Hand((0.05, 0.04, 0.04, 0.04, 0.04), spread=0.03)
FIST = Hand((0.8, 0.95, 0.95, 0.95, 0.95), spread=0.0, thumb_out=-0.35, thumb_round=0.8)
POINT = Hand((0.75, 0.02, 0.92, 0.95, 0.95), spread=0.0, thumb_out=-0.35, thumb_round=0.8)
VICTORY = Hand((0.75, 0.02, 0.02, 0.92, 0.92), spread=0.2, thumb_out=-0.4, thumb_round=0.8)
THREE = Hand((0.0, 0.02, 0.02, 0.92, 0.92), spread=0.2, thumb_out=0.35)
LOVE = Hand((0.0, 0.02, 0.92, 0.92, 0.02), spread=0.16, thumb_out=0.4)
"""The signs: names of what the hands show."""


_Direction = tuple[float, float, float]
_Directions = tuple[_Direction, _Direction, _Direction, _Direction]


# Upper arm, forearm, hand and palm, with x outward, so that the same numbers do for either side.
_READY = ((0.35, -0.10, -0.92), (0.30, -0.55, 0.78), (0.18, -0.25, 0.95), (-0.05, -0.97, -0.15))
_SHOULDER = ((0.55, -0.12, -0.80), (0.30, -0.35, 0.90), (0.15, -0.12, 1.0), (-0.08, -1.0, -0.08))
_RAISED = ((0.80, -0.10, 0.45), (0.35, -0.15, 0.92), (0.22, -0.10, 0.97), (-0.10, -1.0, -0.08))
_WIDE = ((0.93, -0.10, -0.32), (0.48, -0.35, 0.78), (0.42, -0.12, 0.90), (0.05, -1.0, -0.10))
_CHEST = ((0.45, -0.10, -0.88), (-0.10, -0.75, 0.60), (-0.10, -0.28, 0.95), (0.05, -0.95, -0.25))


def _arms(left: _Directions, right: _Directions) -> tuple[Arm, Arm]:
    return Arm(*left), Arm(*((-out, back, up) for out, back, up in right))


_STANCE = (Foot(left=-0.05), Foot(left=0.05))

PHRASE: tuple[tuple[float, Pose], ...] = (
    (0.0, Pose(_arms(_READY, _READY), (OPEN, OPEN), _STANCE)),
    (
        0.7,
        Pose(
            _arms(_RAISED, _SHOULDER),
            (OPEN, VICTORY),
            (Foot(left=-0.05, up=-0.05), Foot(left=0.05, up=0.05)),
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
            (Foot(left=-0.05, up=0.05), Foot(left=0.05, up=-0.05)),
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
            _STANCE,
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
            (Foot(left=-0.05, up=0.05), Foot(left=0.05, up=-0.05)),
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
        numbers = np.array([list(_numbers(pose)) for _, pose in phrase])
        # A period on either side makes the spline smooth where the phrase begins again.
        times = np.concatenate([times[:-1] - self._duration, times, times[1:] + self._duration])
        numbers = np.concatenate([numbers[:-1], numbers, numbers[1:]])
        self._spline = PchipInterpolator(times, numbers)

    def pose(self, time: float) -> Pose:
        """The pose at a time in seconds."""
        return _rebuilt(PHRASE[0][1], iter(self._spline(time % self._duration)))


_Value = TypeVar("_Value")


def _parts(value: Any) -> Iterator[Any]:
    return (
        iter(value) if isinstance(value, tuple) else (getattr(value, field.name) for field in fields(value))
    )


def _numbers(value: Any) -> Iterator[float]:
    """The numbers in a pose or a part of one, in order."""
    if isinstance(value, float):
        yield value
    else:
        for part in _parts(value):
            yield from _numbers(part)


def _rebuilt(pattern: _Value, numbers: Iterator[float]) -> _Value:
    """A pose, or a part of one, made like the pattern out of other numbers."""
    if isinstance(pattern, float):
        return type(pattern)(next(numbers))
    parts = [_rebuilt(part, numbers) for part in _parts(pattern)]
    return type(pattern)(parts) if isinstance(pattern, tuple) else type(pattern)(*parts)
