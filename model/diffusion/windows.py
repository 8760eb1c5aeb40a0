"""A long video is denoised in overlapping windows as long as the motion modules were trained for, whose
predictions are averaged. At each denoising step the windows lie elsewhere, so that no seam stays in place.

RealisDance's released sampler shifts a closed loop of windows by a part of the video that depends on the step
(AnimateDiff prompt travel's "uniform" schedule); HIA shifts windows by a random offset (section 3.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from model.diffusion.losses import at_least_float32

Shift = Literal["none", "bit_reversed", "random"]


@dataclass(frozen=True)
class WindowSchedule:
    """Where the windows of each denoising step lie; the defaults are RealisDance's released sampler's.

    Raises ValueError for an unknown shift, unless 0 <= overlap < size, and for a negative seed.
    """

    size: int = 16
    """Frames of a window: as many as the motion modules saw in training."""

    overlap: int = 4
    """Frames that neighbouring windows share; more is smoother and slower."""

    shift: Shift = "bit_reversed"
    """`bit_reversed`: by round(frames * f), where f is 0, 1/2, 1/4, 3/4, 1/8, ... at step 0, 1, 2, 3, 4, ...:
    the step's binary digits, reversed, behind the point. `random`: by any offset, which is a function of seed
    and step alone. `none`: the windows stay where they are."""

    closed: bool = True
    """Whether windows wrap around from the last frame to the first, as the released ones do. An open video's
    edge windows are moved inwards instead, and no window holds two frames that do not follow each other."""

    seed: int = 0
    """For `random`."""

    def __post_init__(self) -> None:
        if self.shift not in get_args(Shift):
            raise ValueError(
                f"windows cannot shift by {self.shift!r}: choose from {', '.join(get_args(Shift))}"
            )
        if not 0 <= self.overlap < self.size:
            raise ValueError(
                f"windows of {self.size} frames cannot overlap by {self.overlap}: the overlap must be at "
                "least 0 and less than the size"
            )
        if self.seed < 0:
            raise ValueError(f"windows cannot shift by the seed {self.seed}: give 0 or more")


REALISDANCE_WINDOWS = WindowSchedule()

HIA_WINDOWS = WindowSchedule(shift="random", closed=False)
"""The paper gives neither size nor overlap, nor says what happens at the ends."""


def step_windows(schedule: WindowSchedule, frames: int, step: int) -> Int[np.ndarray, "windows size"]:
    """The frames of each window, by index, at denoising step `step` (from 0) for a video of `frames` frames.

    Every frame is in at least one window. A window holds min(frames, size) frames, none of them twice. Raises
    ValueError for a video of no frames, and for a negative step.
    """
    if step < 0:
        raise ValueError(f"windows have no denoising step {step}: steps count from 0")
    if frames < 1:
        raise ValueError(f"a video of {frames} frames has no windows: at least 1 frame is needed")
    if frames <= schedule.size:
        return np.arange(frames)[None]
    stride = schedule.size - schedule.overlap
    shift = _shift(schedule, frames, step)
    if schedule.closed:
        starts = np.arange(shift, shift + frames, stride)
    else:
        last = frames - schedule.size
        starts = np.unique(np.arange(shift % stride - stride, last + stride, stride).clip(0, last))
    return (starts[:, None] + np.arange(schedule.size)) % frames


def average_windows(
    windows: Int[np.ndarray, "windows size"],
    predictions: Sequence[Float[Tensor, "batch size *dims"]],
    frames: int,
) -> Float[Tensor, "batch frames *dims"]:
    """Each frame's mean over the windows that it is in; one prediction a window, in the windows' order. It is
    of the predictions' type, and summed in float32 at least.

    Raises ValueError where the windows do not cover the video, or the predictions are not theirs.
    """
    shapes = {tuple(prediction.shape) for prediction in predictions}
    if len(predictions) != len(windows) or [shape[1:2] for shape in shapes] != [windows.shape[1:]]:
        raise ValueError(
            f"{len(predictions)} predictions of shapes {sorted(shapes)} are not those of {len(windows)} "
            f"windows of {windows.shape[1]} frames: give one for each, all of one shape (batch, frames, ...)"
        )
    counts = np.bincount(windows.ravel(), minlength=frames)
    if len(counts) > frames or not counts.all():
        raise ValueError(
            f"the windows are not those of a video of {frames} frames: their last frame is {windows.max()}, "
            f"and frames {np.flatnonzero(counts == 0).tolist()} are in none; take them from step_windows"
        )
    first = at_least_float32(predictions[0])
    total = first.new_zeros(len(first), frames, *first.shape[2:])
    for window, prediction in zip(windows, predictions, strict=True):
        total.index_add_(1, torch.from_numpy(window).to(total.device), prediction.to(total.dtype))
    divisors = torch.from_numpy(counts).to(total)
    return (total / divisors.reshape(-1, *[1] * (total.ndim - 2))).to(predictions[0].dtype)


def _shift(schedule: WindowSchedule, frames: int, step: int) -> int:
    match schedule.shift:
        case "none":
            return 0
        case "bit_reversed":
            digits = f"{step:b}"
            return round(frames * int(digits[::-1], 2) / 2 ** len(digits))
        case "random":
            return int(np.random.default_rng((schedule.seed, step)).integers(frames))
