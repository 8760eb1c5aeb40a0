"""Body parameters as tensors, some frames at a time, for the models that run in torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float

from renderers.body_models.interface import BodyParameters

_FRAMES = 32
"""Frames at a time: bounds the memory (about 1 MB a frame of SMPL-X); more at a time is not faster."""


class _Counts(Protocol):
    """What of a `BodyModel` says how many numbers it takes."""

    name: str
    joint_names: tuple[str, ...]
    shape_count: int
    expression_count: int


@dataclass(frozen=True)
class Batch:
    """Some frames of `BodyParameters`, float32, and which they are."""

    frames: slice
    pose: Float[torch.Tensor, "frames joints 3"]
    shape: Float[torch.Tensor, "frames shapes"]
    expression: Float[torch.Tensor, "frames expressions"]
    translation: Float[torch.Tensor, "frames 3"]


def batches(model: _Counts, parameters: BodyParameters) -> Iterator[Batch]:
    """The frames in order. Raises ValueError for parameters that are not the model's, or not finite."""
    count = len(parameters.pose)
    wanted = {
        "pose": (count, len(model.joint_names), 3),
        "shape": (count, model.shape_count),
        "expression": (count, model.expression_count),
        "translation": (count, 3),
    }
    tensors = {}
    for name, shape in wanted.items():
        numbers = np.asarray(getattr(parameters, name))
        if numbers.shape != shape:
            raise ValueError(f"{name} is {numbers.shape}: for {count} frames {model.name} takes {shape}.")
        if not np.isfinite(numbers).all():
            raise ValueError(f"{name} has numbers that are not finite: leave out the frames without a pose.")
        tensors[name] = torch.from_numpy(np.array(numbers, np.float32))
    for start in range(0, count, _FRAMES):
        frames = slice(start, min(start + _FRAMES, count))
        yield Batch(frames, **{name: tensor[frames] for name, tensor in tensors.items()})
