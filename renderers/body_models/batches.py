"""Body parameters as tensors, some frames at a time, for the models that run in torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from jaxtyping import Float

from renderers.body_models.interface import BodyParameters

if TYPE_CHECKING:
    # Only when batches are made: a body model without torch checks its parameters here too.
    import torch

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


def check_parameters(model: _Counts, parameters: BodyParameters) -> None:
    """Raises ValueError, with the array's name, for parameters that are not the model's, or not finite."""
    pose = np.asarray(parameters.pose)
    count = len(pose) if pose.ndim else 0
    wanted = {
        "pose": (count, len(model.joint_names), 3),
        "shape": (count, model.shape_count),
        "expression": (count, model.expression_count),
        "translation": (count, 3),
    }
    for name, shape in wanted.items():
        numbers = np.asarray(getattr(parameters, name))
        if numbers.shape != shape:
            raise ValueError(f"{name} is {numbers.shape}: for {count} frames {model.name} takes {shape}.")
        if numbers.dtype.kind not in "fiu":
            raise ValueError(f"{name} is of {numbers.dtype}: {model.name} takes real numbers.")
        if not np.isfinite(numbers).all():
            raise ValueError(f"{name} has numbers that are not finite: leave out the frames without a pose.")


def batches(model: _Counts, parameters: BodyParameters) -> Iterator[Batch]:
    """The frames in order. Raises as `check_parameters` does."""
    import torch

    check_parameters(model, parameters)
    tensors = {
        name: torch.from_numpy(np.array(getattr(parameters, name), np.float32))
        for name in ("pose", "shape", "expression", "translation")
    }
    count = len(tensors["pose"])
    for start in range(0, count, _FRAMES):
        frames = slice(start, min(start + _FRAMES, count))
        yield Batch(frames, **{name: tensor[frames] for name, tensor in tensors.items()})
