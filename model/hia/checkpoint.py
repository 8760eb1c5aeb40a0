"""HIA's checkpoints: safetensors, the weights under the network's own names (the authors published none)."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from model.hia.network import HIA, HIASettings
from model.unet.settings import make_motion_adapter
from model.unet.weight_files import fill, read_state
from model.unet.weight_names import to_file

_MOTION = "denoiser.motion."


def write_checkpoint(network: nn.Module, path: Path) -> None:
    """Write the weights of a `HIA` as safetensors; it may be compiled, or wrapped for several devices."""
    safetensors.torch.save_file(to_file(network.state_dict(), lambda name: (name,)), path)


def load_checkpoint(
    path: Path, settings: HIASettings | None = None, dtype: torch.dtype = torch.float32
) -> HIA:
    """The network with the weights of a file that `write_checkpoint` wrote.

    settings: of the network; by default the published one's. If they ask for motion modules and the file has
    none, as that of a spatial or regional stage has not, the network starts with untrained ones. dtype: of
    the network, whatever the file's is; the fixed tables of positions are rounded to it too, and so written.

    Raises WeightsError for a file that cannot be read, or whose weights are not the network's.
    """
    settings = settings or HIASettings()
    state = read_state(path)
    with torch.device("meta"):
        network = HIA(settings)
    if settings.motion is not None and not any(name.startswith(_MOTION) for name in state):
        untrained = make_motion_adapter(settings.unet.channels, settings.motion).state_dict()
        state |= {_MOTION + name: weight for name, weight in untrained.items()}
    fill(network, state, path, dtype)
    return network
