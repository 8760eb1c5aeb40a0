"""What the training of HIA begins with: all three networks are a Stable Diffusion's (section 3)."""

from __future__ import annotations

from pathlib import Path

from model.hia.appearance_encoder import without_unused
from model.hia.control import start_from_unet
from model.hia.network import HIA
from model.unet.stable_diffusion import load_unet


def start_from_stable_diffusion(network: HIA, path: Path) -> None:
    """Give the appearance encoder, the ControlNet and the UNet the weights of a folder or file. The paper
    names none. The rest stays as it is: the prediction without a reference is then the UNet's own, whatever
    the pose. The motion modules have files of their own, see `model.unet.animatediff`.

    Raises what `load_unet` does.
    """
    weights = load_unet(path, network.settings.unet).state_dict()
    network.denoiser.unet.load_state_dict(weights)
    network.appearance_encoder.load_state_dict(without_unused(weights))
    start_from_unet(network.controlnet, weights)
