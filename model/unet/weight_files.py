"""Weights as others publish them: one file, perhaps wrapped by a trainer, or a folder as diffusers writes it,
whose config.json tells the network's sizes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from extractors.weights.checkpoint import check_state, read_checkpoint
from extractors.weights.errors import WeightsError
from model.unet.weight_names import plain_name

_WEIGHTS = tuple(
    f"diffusion_pytorch_model{variant}.{kind}" for kind in ("safetensors", "bin") for variant in ("", ".fp16")
)
"""diffusers' names, the most exact first."""

_OF_NO_EFFECT = ("sample_size", "force_upcast", "upcast_attention", "conv_in_channels")
"""Settings that change neither what the weights are nor what they do in float32."""


def read_state(path: Path) -> dict[str, Any]:
    """The weights of a file by name, without what trainers wrap around them and put into their names.

    Raises what `read_checkpoint` does, and WeightsError if what is wrapped is not weights.
    """
    content = read_checkpoint(path)
    state = content.get("state_dict", content)
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        raise WeightsError(f"{path}: its state_dict holds nothing by name: give a checkpoint.")
    return {plain_name(name): weight for name, weight in state.items()}


def fill(network: nn.Module, state: Mapping[str, Any], path: Path, dtype: torch.dtype) -> None:
    """Give a network, which may be on the meta device, these weights in that type, each in memory of its own.

    Raises WeightsError where they are not the network's; `path` is where they were read.
    """
    check_state(network, state, path)
    own = {name: weight.to(dtype, copy=True).contiguous() for name, weight in state.items()}
    network.load_state_dict(own, assign=True)


def weights_file(path: Path) -> Path:
    """The path itself, or the file of weights in it if it is a folder.

    Raises WeightsError for a folder that has none.
    """
    if not path.is_dir():
        return path
    for name in _WEIGHTS:
        if (path / name).is_file():
            return path / name
    raise WeightsError(
        f"{path}: has none of {', '.join(_WEIGHTS)}: give a folder as diffusers writes it, or a file of "
        "weights."
    )


def check_config(folder: Path, network: Mapping[str, Any]) -> None:
    """That config.json asks for a network of these settings, as diffusers has them. What it leaves out is as
    diffusers has it by default; a list of equal values, one for each level, is that value.

    Raises WeightsError if it does not, or cannot be read.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text("utf-8"))
        if not isinstance(config, dict):
            raise ValueError("it holds no settings by name")
        wrong = [
            f"{name} is {config[name]}, not {wanted}"
            for name, wanted in json.loads(json.dumps(dict(network))).items()
            if name in config
            and not name.startswith("_")
            and name not in _OF_NO_EFFECT
            and not _is_same(config[name], wanted)
        ]
    # Lists in lists, thousands deep, can end the reading, comparing or showing of them.
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: cannot be read ({error}): get the whole folder again.") from error
    if wrong:
        raise WeightsError(
            f"{path}: is of another network than is wanted: {'; '.join(wrong)}. Give weights of that shape, "
            "or build the network in theirs."
        )


def _is_same(found: Any, wanted: Any) -> bool:
    # None and False are the same in all of these settings, and both are written.
    each = found if isinstance(found, list) and found and not isinstance(wanted, list) else [found]
    return all((value or None) == (wanted or None) for value in each)
