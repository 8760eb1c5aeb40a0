"""Networks in which every layer counts, also those that start at zero."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def as_if_trained(network: Network, seed: int = 1) -> Network:
    """With layers that start at zero at other values."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.05, generator=generator)
    return network
