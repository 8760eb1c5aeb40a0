"""What sampling starts from: Gaussian noise, or HIA's initial reference noise (Xu et al., 2024, section 3.4),
which is the reference image's latents noised up to the last timestep: the little that is left of them keeps
the background steady.
"""

from __future__ import annotations

import torch
from diffusers.utils.torch_utils import randn_tensor
from jaxtyping import Float
from torch import Tensor

from model.diffusion.prediction import add_noise


def gaussian_noise(
    reference: Float[Tensor, "batch channels height width"], frames: int, generator: torch.Generator
) -> Float[Tensor, "batch frames channels height width"]:
    """Unit noise for a video of `frames` frames, of the reference latents' size, type and device.

    A generator on the CPU gives the same noise for every device.
    """
    batch, *image = reference.shape
    noise: Tensor = randn_tensor(
        (batch, frames, *image), generator=generator, device=reference.device, dtype=reference.dtype
    )
    return noise


def reference_noise(
    reference: Float[Tensor, "batch channels height width"],
    frames: int,
    alphas_bar: Float[Tensor, "steps"],
    generator: torch.Generator,
) -> Float[Tensor, "batch frames channels height width"]:
    """The reference's latents (of the VAE, scaled as the network's), repeated over the frames and noised to
    the schedule's last timestep.

    Each frame has its own noise, as in training; the paper does not say. Under a zero terminal SNR nothing of
    the reference is left, and this is `gaussian_noise`.
    """
    noise = gaussian_noise(reference, frames, generator)
    return add_noise(reference[:, None].expand_as(noise), noise, alphas_bar[-1:].expand(len(reference)))
