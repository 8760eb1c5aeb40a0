"""HIA, section 3: the network that reads the reference image, a UNet without what would never run.

MagicAnimate's (Xu et al. 2023, arXiv 2311.16498), which HIA follows: what enters the self-attentions is all
that is read, so that the last of them, what comes after it, and the UNet's output are left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from model.unet.reference_network import NOT_READ
from model.unet.settings import UNetSettings, make_unet


def make_appearance_encoder(settings: UNetSettings) -> UNet2DConditionModel:
    """An untrained encoder, for `model.unet.reference_network.read_reference`; it has no
    forward of its own.
    """
    unet = make_unet(settings)
    for name in NOT_READ:
        parent, _, child = name.rpartition(".")
        delattr(unet.get_submodule(parent), child)
    return unet


def without_unused(unet: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of the weights of a whole UNet those that the encoder has."""
    unused = tuple(f"{name}." for name in NOT_READ)
    return {name: weight for name, weight in unet.items() if not name.startswith(unused)}
