"""AnimateDiff's published motion modules (Guo et al. 2023, arXiv 2307.04725), read and written.

Of Stable Diffusion 1.5's there are three versions (configs/inference of the authors' repository): 1 has 24
positions; 2 has 32, and a module in the middle block; 3 has 32 and none there, as RealisDance's network has.
diffusers' folders of the same weights are read too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from diffusers.models.unets.unet_motion_model import MotionAdapter
from torch import Tensor

from extractors.weights.checkpoint import check_state
from extractors.weights.errors import WeightsError
from model.unet.denoising_unet import DenoisingUNet
from model.unet.settings import MotionSettings
from model.unet.weight_files import check_config, read_state, weights_file
from model.unet.weight_names import animatediff_names, from_file, to_file

_VERSIONS = {(24, False): 1, (32, True): 2, (32, False): 3}
"""By positions, and whether the middle block has a module."""


def start_motion(denoiser: DenoisingUNet, path: Path) -> None:
    """Give a network's motion modules those of a file. Raises what `load_motion_modules` does, and ValueError
    for a network of images.
    """
    if denoiser.motion is None:
        raise ValueError("this network is one of images: build it with motion modules.")
    load_motion_modules(denoiser.motion, path)


def load_motion_modules(motion: MotionAdapter, path: Path) -> None:
    """Give motion modules the weights of a file, or of a folder as diffusers writes it. Of a whole
    video UNet in AnimateDiff's names its motion modules are taken.

    Raises WeightsError for what cannot be read, and for a file of other settings than the network's, with
    those that would fit.
    """
    file = weights_file(path)
    state = {name: weight for name, weight in read_state(file).items() if "motion_modules." in name}
    found = motion_settings_of(state, file)
    positions, mid = motion.config["motion_max_seq_length"], motion.config["use_motion_mid_block"]
    if (found.positions, found.mid) != (positions, mid):
        version = _VERSIONS.get((found.positions, found.mid))
        raise WeightsError(
            f"{file}: has {_said(found.positions, found.mid)}{f', as version {version}' if version else ''}; "
            f"the network has {_said(positions, mid)}: build it with "
            f"MotionSettings(positions={found.positions}, mid={found.mid})."
        )
    if path.is_dir():
        check_config(path, motion.config)
    own = from_file(state, motion.state_dict(), animatediff_names, file)
    check_state(motion, own, file)
    motion.load_state_dict(own)


def motion_settings_of(state: Mapping[str, Any], path: Path) -> MotionSettings:
    """The settings that weights of motion modules fit, in AnimateDiff's or diffusers' names. The number of
    heads does not show in them; it is 8 in all that are published.

    Raises WeightsError if they are none; `path` is where they were read.
    """
    tables = [weight for name, weight in state.items() if "motion_modules." in name and name.endswith(".pe")]
    if not tables or not isinstance(tables[0], Tensor) or tables[0].ndim != 3:
        raise WeightsError(
            f"{path}: holds no motion modules with positions: give AnimateDiff's of Stable Diffusion 1.5 "
            "(v3_sd15_mm.ckpt, mm_sd_v15_v2.ckpt, mm_sd_v15.ckpt)."
        )
    return MotionSettings(
        positions=tables[0].shape[1], mid=any(name.startswith("mid_block.") for name in state)
    )


def write_motion_modules(motion: MotionAdapter, path: Path) -> None:
    """Write the weights as safetensors, in AnimateDiff's names."""
    safetensors.torch.save_file(to_file(motion.state_dict(), animatediff_names), path)


def _said(positions: int, mid: bool) -> str:
    return f"{positions} positions and {'a' if mid else 'no'} module in the middle block"
