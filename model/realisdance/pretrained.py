"""What the training of RealisDance begins with: both UNets are a Stable Diffusion's (section 2)."""

from __future__ import annotations

from pathlib import Path

from model.realisdance.network import RealisDance
from model.unet.stable_diffusion import load_unet


def start_from_stable_diffusion(network: RealisDance, path: Path) -> None:
    """Give the reference network and the main UNet the weights of a folder or file; the rest stays as it is.
    The authors take Realistic Vision 5.1's. The main UNet's motion modules have files of their own, see
    `model.unet.animatediff`.

    Raises what `load_unet` does.
    """
    weights = load_unet(path, network.settings.unet).state_dict()
    network.reference_network.load_state_dict(weights)
    network.denoiser.unet.load_state_dict(weights)
