"""Weights as others publish them: one file, perhaps wrapped by a trainer, or a folder as diffusers writes it,
whose config.json tells the network's sizes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from extractors.weights.checkpoint import read_checkpoint
from extractors.weights.errors import WeightsError

_WEIGHTS = tuple(
    f"diffusion_pytorch_model{variant}.{kind}" for kind in ("safetensors", "bin") for variant in ("", ".fp16")
)
"""diffusers' names, the most exact first."""

_OF_NO_EFFECT = ("sample_size", "force_upcast", "upcast_attention", "conv_in_channels")
"""Settings that change neither what the weights are nor what they do in float32."""


def read_state(path: Path) -> dict[str, Any]:
    """The weights of a file by name, without what trainers wrap around them and put before their names.

    Raises what `read_checkpoint` does, and WeightsError if what is wrapped is not weights.
    """
    content = read_checkpoint(path)
    state = content.get("state_dict", content)
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        raise WeightsError(f"{path}: its state_dict holds nothing by name: give a checkpoint.")
    return {name.removeprefix("module."): weight for name, weight in state.items()}


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
    diffusers has it by default.

    Raises WeightsError if it does not, or cannot be read.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: cannot be read ({error}): get the whole folder again.") from error
    if not isinstance(config, dict):
        raise WeightsError(f"{path}: holds no settings by name: get the whole folder again.")
    # None and False are the same in all of these settings, and both are written.
    wrong = [
        f"{name} is {config[name]}, not {wanted}"
        for name, wanted in json.loads(json.dumps(dict(network))).items()
        if name in config
        and not name.startswith("_")
        and name not in _OF_NO_EFFECT
        and (config[name] or None) != (wanted or None)
    ]
    if wrong:
        raise WeightsError(
            f"{path}: is of another network than is wanted: {'; '.join(wrong)}. Give weights of that shape, "
            "or build the network in theirs."
        )
