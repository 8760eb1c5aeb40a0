"""HIA's checkpoints: safetensors, the weights under the network's own names (the authors published none)."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
import torch

from extractors.weights.checkpoint import check_state
from model.hia.network import HIA, HIASettings
from model.unet.settings import make_motion_adapter
from model.unet.weight_files import read_state

_MOTION = "denoiser.motion."


def write_checkpoint(network: HIA, path: Path) -> None:
    """Write the weights as safetensors."""
    safetensors.torch.save_model(network, str(path))


def load_checkpoint(
    path: Path, settings: HIASettings | None = None, dtype: torch.dtype = torch.float32
) -> HIA:
    """The network with the weights of a file that `write_checkpoint` wrote.

    settings: of the network; by default the published one's. If they ask for motion modules and the file has
    none, as that of a spatial or regional stage has not, the network starts with untrained ones. dtype: of
    the network, whatever the file's is.

    Raises WeightsError for a file that cannot be read, or whose weights are not the network's.
    """
    settings = settings or HIASettings()
    state = read_state(path)
    with torch.device("meta"):
        network = HIA(settings)
    if settings.motion is not None and not any(name.startswith(_MOTION) for name in state):
        untrained = make_motion_adapter(settings.unet.channels, settings.motion).state_dict()
        state |= {_MOTION + name: weight for name, weight in untrained.items()}
    check_state(network, state, path)
    network.load_state_dict(
        {name: weight.to(dtype, copy=True) for name, weight in state.items()}, assign=True
    )
    return network
