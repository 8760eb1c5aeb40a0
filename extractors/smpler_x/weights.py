"""SMPLer-X with its released weights, or with random ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from extractors.smpler_x.network import ARCHITECTURES, Size, SmplerX, smpler_x_network
from extractors.weights.checkpoint import check_state, load_state, read_checkpoint
from extractors.weights.errors import WeightsError

_OTHER_NAMES = {
    "backbone": "encoder",
    "body_rotation_net": "body_regressor",
    "hand_rotation_net": "hand_regressor",
}
"""What some of the modules are called in older files."""

_BODY_MODEL = "smplx_layer"
"""Entries of the body model, which comes from its own file."""


def load_smpler_x(path: Path, size: Size) -> SmplerX:
    """The network with the weights of a released file, whose entry `network` they are.

    Raises WeightsError for a file that cannot be read, or that is of another network or size.
    """
    weights = _weights(path, size)
    network = _network_without_numbers(size).to_empty(device="cpu")
    load_state(network, weights, path)
    return network.eval()


def check_smpler_x(path: Path, size: Size) -> None:
    """Raises what `load_smpler_x` does, and reads no numbers of the file."""
    check_state(_network_without_numbers(size), _weights(path, size), path)


def _network_without_numbers(size: Size) -> SmplerX:
    with torch.device("meta"):
        return smpler_x_network(size)


def _weights(path: Path, size: Size) -> dict[str, Any]:
    state = read_checkpoint(path).get("network")
    if not isinstance(state, Mapping):
        raise WeightsError(f"{path}: has no `network`, as SMPLer-X's files do: give one of those.")
    weights = dict(_named(name, value) for name, value in state.items() if _BODY_MODEL not in name)
    found = _size(weights)
    if found not in (None, size):
        raise WeightsError(f"{path}: is SMPLer-X of size {found}, not {size}: give the file of {size}.")
    return weights


def _named(name: str, value: Any) -> tuple[str, Any]:
    module, _, rest = name.removeprefix("module.").partition(".")
    return f"{_OTHER_NAMES.get(module, module)}.{rest}", value


def _size(weights: Mapping[str, Any]) -> Size | None:
    """The released size that has an encoder of as many channels."""
    embedding = weights.get("encoder.pos_embed")
    channels = embedding.shape[-1] if isinstance(embedding, torch.Tensor) and embedding.ndim else None
    return next((size for size, given in ARCHITECTURES.items() if given.channels == channels), None)


def random_smpler_x(size: Size, seed: int = 0) -> SmplerX:
    """Untrained, for trying out what is around the network: bodies near rest that stand upright in the middle
    of the crop, boxes larger than nothing.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        network = smpler_x_network(size)
        nn.init.normal_(network.encoder.pos_embed, std=0.02)
        nn.init.normal_(network.encoder.task_tokens, std=0.02)
    identity = torch.tensor([1.0, 0, 0, 1, 0, 0])
    upright = torch.tensor([1.0, 0, 0, -1, 0, 0])
    for name, weight in network.state_dict().items():
        if name.endswith("root_pose_out.0.bias"):
            weight.copy_(upright)
        elif name.endswith("pose_out.0.bias"):
            weight.copy_(identity.repeat(len(weight) // len(identity)))
        elif name.endswith("pose_out.0.weight"):
            weight.mul_(0.1)
        elif name.endswith(("cam_out.0.weight", "cam_out.0.bias")):
            weight.mul_(0.01)
        elif name.endswith("_size.2.bias"):
            weight.fill_(3)
    return network.eval()
