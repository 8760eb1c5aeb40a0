"""Weights under other names than this project's: the names of AnimateDiff's motion modules, and renaming.

Facts of AnimateDiff's files: names are those of its own code; each of a module's two attentions has a table
of sinusoidal positions, of which diffusers keeps one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from extractors.weights.errors import WeightsError

Names = Callable[[str], tuple[str, ...]]
"""From a weight's name here to its names in a file; of several, each has a copy."""

_OF_BLOCK = (
    (r"\.norm1\.", ".norms.0."),
    (r"\.norm2\.", ".norms.1."),
    (r"\.norm3\.", ".ff_norm."),
    (r"\.attn1\.", ".attention_blocks.0."),
    (r"\.attn2\.", ".attention_blocks.1."),
)


def plain_name(name: str) -> str:
    """A weight's name without what torch.compile and training on several devices put into it."""
    return name.replace("_orig_mod.", "").removeprefix("module.")


def animatediff_names(name: str) -> tuple[str, ...]:
    """What AnimateDiff calls a weight of diffusers' motion modules, `...motion_modules.0.norm.weight`."""
    name = re.sub(r"(motion_modules\.\d+)\.", r"\1.temporal_transformer.", name)
    if name.endswith(".pos_embed.pe"):
        block = name.removesuffix("pos_embed.pe")
        return tuple(f"{block}attention_blocks.{attention}.pos_encoder.pe" for attention in (0, 1))
    for pattern, other in _OF_BLOCK:
        name = re.sub(pattern, other, name)
    return (name,)


def from_file(state: Mapping[str, Any], own: Iterable[str], names: Names, path: Path) -> dict[str, Any]:
    """What a file holds, under the names of `own`; what no weight here is called in the file keeps its name,
    and what the file lacks is left out, so that a check against a network tells of both.

    Raises WeightsError if a weight's copies in the file differ, or if it is there by its name here too.
    """
    renamed = {}
    rest = dict(state)
    for name in own:
        copies = [rest.pop(other) for other in names(name) if other in rest]
        if copies:
            renamed[name] = copies[0]
        if any(_differ(copies[0], copy) for copy in copies[1:]):
            raise WeightsError(
                f"{path}: {' and '.join(names(name))} differ: these tables of positions are the same in the "
                "weights that are known."
            )
    twice = [name for name in rest if name in renamed]
    if twice:
        raise WeightsError(f"{path}: has {twice[0]} by two names: give a file of one network.")
    return renamed | rest


def to_file(state: Mapping[str, Tensor], names: Names) -> dict[str, Tensor]:
    """A network's weights under their names in a file, no two in the same memory. The network may be, or have
    parts that are, compiled, or wrapped for several devices.
    """
    named = {}
    for name, weight in state.items():
        first, *others = names(plain_name(name))
        named[first] = weight.detach().contiguous()
        named |= {other: weight.detach().clone() for other in others}
    return named


def _differ(one: Any, other: Any) -> bool:
    return not (isinstance(one, Tensor) and isinstance(other, Tensor) and torch.equal(one, other))
