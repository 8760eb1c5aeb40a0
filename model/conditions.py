"""The condition images that a network is driven by: their names, and their order in its weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor


def check_conditions(names: tuple[str, ...]) -> None:
    """Raises ValueError if there is no condition, or one is named twice."""
    if not names or len(set(names)) != len(names):
        raise ValueError(f"conditions {names}: give one or more, each once.")


def join_conditions(
    names: tuple[str, ...], conditions: Mapping[str, Float[Tensor, "batch frames 3 height width"]]
) -> Float[Tensor, "batch frames channels height width"]:
    """The images of the conditions named, one after the other.

    Raises ValueError if one is not given.
    """
    missing = [name for name in names if name not in conditions]
    if missing:
        raise ValueError(
            f"no {', '.join(missing)} among the conditions given ({', '.join(conditions) or 'none'}): "
            f"this network is driven by {', '.join(names)}."
        )
    return torch.cat([conditions[name] for name in names], dim=2)
