"""HIA's network with few channels, and inputs for it: runs in milliseconds, with all its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from model.hia.network import HIA, HIASettings
from model.unet.settings import MotionSettings, UNetSettings

UNET = UNetSettings((32, 32, 64, 64), heads=4, token_width=32)
VIDEOS = HIASettings(unet=UNET, motion=MotionSettings(positions=8, heads=4))
IMAGES = replace(VIDEOS, motion=None)


@dataclass(frozen=True)
class Inputs:
    """What `HIA.forward` takes."""

    sample: Tensor
    timestep: Tensor
    conditions: Mapping[str, Tensor]
    latent: Tensor
    tokens: Tensor

    def __call__(self, network: HIA, kept: Tensor | None = None) -> Tensor:
        return network(self.sample, self.timestep, self.conditions, self.latent, self.tokens, kept)

    def clip(self, number: int) -> Inputs:
        """That clip of the batch, as a batch of one."""
        one = slice(number, number + 1)
        conditions = {name: images[one] for name, images in self.conditions.items()}
        return Inputs(self.sample[one], self.timestep[one], conditions, self.latent[one], self.tokens[one])


def together(*inputs: Inputs) -> Inputs:
    """One batch of several."""
    return Inputs(
        sample=torch.cat([each.sample for each in inputs]),
        timestep=torch.cat([each.timestep for each in inputs]),
        conditions={
            name: torch.cat([each.conditions[name] for each in inputs]) for name in inputs[0].conditions
        },
        latent=torch.cat([each.latent for each in inputs]),
        tokens=torch.cat([each.tokens for each in inputs]),
    )


def some_inputs(batch: int = 2, frames: int = 3, seed: int = 0, size: tuple[int, int] = (16, 8)) -> Inputs:
    """size: height and width of the latents; no square, so that a wrong order of sides is seen."""
    height, width = size
    generator = torch.Generator().manual_seed(seed)

    def images() -> Tensor:
        return torch.rand(batch, frames, 3, 8 * height, 8 * width, generator=generator)

    return Inputs(
        sample=torch.randn(batch, frames, 4, height, width, generator=generator),
        timestep=torch.randint(1000, (batch,), generator=generator).float(),
        conditions={"skeleton": images(), "motion_blur": images() - 0.5},
        latent=torch.randn(batch, 4, height, width, generator=generator),
        tokens=torch.randn(batch, 5, 32, generator=generator),
    )


def untrained(settings: HIASettings, seed: int = 0) -> HIA:
    torch.manual_seed(seed)
    return HIA(settings).eval()
