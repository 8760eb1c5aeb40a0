"""RealisDance's checkpoints, read and written under the names of the released ones.

A released file is `{epoch, global_step, state_dict}`, pickled by torch; written is the state dict alone, as
safetensors. A network has no other layout on disk, so that what is trained here loads in the authors' code.
"""

from __future__ import annotations

import re
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from model.realisdance.network import RealisDance, RealisDanceSettings
from model.realisdance.pose_guider import guider_widths
from model.unet.settings import make_motion_adapter, make_motion_modules
from model.unet.weight_files import fill, read_state
from model.unet.weight_names import animatediff_names, from_file, to_file

_PARTS = (
    (r"^projector\.", "clip_projector."),
    (r"^reference_network\.", "unet_ref."),
    (r"^denoiser\.(unet|motion)\.", "unet_main."),
    (r"^pose_guider\.gating\.encoders\.0\.", "pose_guider.backbone.conv_in."),
    (r"^pose_guider\.gating\.gate\.", "pose_guider.gate_module.gate_layer."),
    (r"^pose_guider\.gating\.merge\.", "pose_guider.blocks_0.0."),
    (r"^pose_guider\.projections\.(\d)\.", r"pose_guider.block_\1_out_proj."),
)


def released_names(name: str) -> tuple[str, ...]:
    """What a weight of `RealisDance` is called in the released checkpoints."""
    if encoder := re.match(r"pose_guider\.gating\.encoders\.([1-9]\d*)\.(.*)", name):
        return (f"pose_guider.backbone.blocks.{int(encoder[1]) // 2 - 1}.{encoder[2]}",)
    if block := re.match(r"pose_guider\.blocks\.(\d)\.(.*)", name):
        return (f"pose_guider.blocks_{int(block[1]) + 1}.{block[2]}",)
    for pattern, other in _PARTS:
        name = re.sub(pattern, other, name)
    return animatediff_names(name) if "motion_modules" in name else (name,)


def released_state(network: nn.Module) -> dict[str, Tensor]:
    """The weights of a `RealisDance` under the released names; it may be compiled, or wrapped for several
    devices.
    """
    return to_file(network.state_dict(), released_names)


def write_checkpoint(network: nn.Module, path: Path) -> None:
    """Write the weights as safetensors, as `released_state` gives them."""
    safetensors.torch.save_file(released_state(network), path)


def load_checkpoint(
    path: Path, settings: RealisDanceSettings | None = None, dtype: torch.dtype = torch.float32
) -> RealisDance:
    """The network with the weights of a file: a released one, or one that `write_checkpoint` wrote.

    settings: of the network; by default the released one's second stage. If they ask for motion modules and
    the file has none, as that of the first stage has not, the network starts with untrained ones. dtype: of
    the network, whatever the file's is; the fixed tables of positions are rounded to it too, and so written.

    Raises WeightsError for a file that cannot be read, or whose weights are not the network's.
    """
    settings = settings or RealisDanceSettings()
    state = read_state(path)
    with torch.device("meta"):
        network = RealisDance(settings)
    own = from_file(state, network.state_dict(), released_names, path)
    if not any("motion_modules" in name for name in state):
        own |= _untrained_motion(settings)
    fill(network, own, path, dtype)
    return network


def _untrained_motion(settings: RealisDanceSettings) -> dict[str, Tensor]:
    """The weights of motion modules, by the network's names; none for a network of images."""
    if settings.motion is None:
        return {}
    parts = {
        "denoiser.motion.": make_motion_adapter(settings.unet.channels, settings.motion),
        "pose_guider.motion_modules.": make_motion_modules(
            guider_widths(settings.unet.channels), settings.motion
        ),
    }
    return {
        prefix + name: weight for prefix, part in parts.items() for name, weight in part.state_dict().items()
    }
