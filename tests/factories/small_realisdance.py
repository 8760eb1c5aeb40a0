"""RealisDance's network with few channels, and inputs for it: runs in milliseconds, with all its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from model.realisdance.network import RealisDance, RealisDanceSettings
from model.unet.settings import MotionSettings, UNetSettings

UNET = UNetSettings((32, 32, 64, 64), heads=4, token_width=32)
VIDEOS = RealisDanceSettings(unet=UNET, motion=MotionSettings(positions=8, heads=4), feature_width=24)
IMAGES = replace(VIDEOS, motion=None)


@dataclass(frozen=True)
class Inputs:
    """What `RealisDance.forward` takes."""

    sample: Tensor
    timestep: Tensor
    conditions: Mapping[str, Tensor]
    latent: Tensor
    features: Tensor

    def __call__(self, network: nn.Module, kept: Tensor | None = None) -> Tensor:
        return network(self.sample, self.timestep, self.conditions, self.latent, self.features, kept)


def some_inputs(
    batch: int = 2, frames: int = 3, seed: int = 0, conditions: tuple[str, ...] = VIDEOS.conditions
) -> Inputs:
    """Of latents 16 high and 8 wide."""
    generator = torch.Generator().manual_seed(seed)
    return Inputs(
        sample=torch.randn(batch, frames, 4, 16, 8, generator=generator),
        timestep=torch.randint(1000, (batch,), generator=generator).float(),
        conditions={name: torch.rand(batch, frames, 3, 128, 64, generator=generator) for name in conditions},
        latent=torch.randn(batch, 4, 16, 8, generator=generator),
        features=torch.randn(batch, 5, 24, generator=generator),
    )


def untrained(settings: RealisDanceSettings, seed: int = 0) -> RealisDance:
    torch.manual_seed(seed)
    return RealisDance(settings).eval()
