"""The condition images that a network is driven by: their names, and their order in its weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor


def check_conditions(names: tuple[str, ...]) -> None:
    """Raises ValueError if there is no condition, or one is named twice."""
    if isinstance(names, str) or not names or len(set(names)) != len(names):
        raise ValueError(f"conditions {names!r}: give a tuple of one or more, each once.")


def join_conditions(
    names: tuple[str, ...], conditions: Mapping[str, Float[Tensor, "batch frames 3 height width"]]
) -> Float[Tensor, "batch frames channels height width"]:
    """The images of the conditions named, one after the other.

    Raises ValueError if one is not given, or is not of the others' size, or that is no multiple of 8.
    """
    missing = [name for name in names if name not in conditions]
    if missing:
        raise ValueError(
            f"no {', '.join(missing)} among the conditions given ({', '.join(conditions) or 'none'}): "
            f"this network is driven by {', '.join(names)}."
        )
    shapes = {name: tuple(conditions[name].shape) for name in names}
    expected = shapes[names[0]]
    if len(set(shapes.values())) > 1 or len(expected) != 5 or expected[2] != 3:
        raise ValueError(f"conditions {shapes}: give all of one shape, (batch, frames, 3, height, width).")
    if expected[3] % 8 or expected[4] % 8:
        raise ValueError(
            f"conditions of {expected[3]}x{expected[4]}: height and width must be multiples of 8."
        )
    return torch.cat([conditions[name] for name in names], dim=2)
