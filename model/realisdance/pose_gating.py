"""RealisDance, section 2, pose gating module: encodes every condition by itself and weighs them per pixel.

A condition whose pose estimate went wrong can so be given less weight than the others, frame by frame and
place by place (figure 5).
"""

from __future__ import annotations

import torch.nn.functional as nn_functional
from jaxtyping import Float
from torch import Tensor, nn

_WIDTHS = (16, 16, 32, 32, 96, 96, 256)
"""Channels of one condition after each convolution (released weights); every second one but the first halves
the resolution."""


class PoseGating(nn.Module):
    """conditions: how many there are. out_channels: of the merged feature map."""

    def __init__(self, conditions: int, out_channels: int) -> None:
        super().__init__()
        self.encoders = _condition_encoders(conditions)
        joined = conditions * _WIDTHS[-1]
        self.gate = nn.Sequential(
            nn.Conv2d(joined, 128, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(128, conditions, 7, padding=3),
            nn.Sigmoid(),
        )
        self.merge = nn.Conv2d(joined, out_channels, 1)

    def forward(
        self, images: Float[Tensor, "batch 3*conditions height width"]
    ) -> Float[Tensor, "batch out height//8 width//8"]:
        """images: RGB in [0, 1], the conditions' one after the other."""
        encoded = self.encoders(images)
        weights = self.gate(encoded).repeat_interleave(_WIDTHS[-1], dim=1)
        return nn_functional.silu(self.merge(encoded * weights))


def _condition_encoders(conditions: int) -> nn.Sequential:
    """One encoder per condition, all in one grouped convolution after another, which is faster."""
    layers: list[nn.Module] = []
    width = 3
    for number, next_width in enumerate(_WIDTHS):
        stride = 2 if number in (2, 4, 6) else 1
        layers += [
            nn.Conv2d(
                conditions * width, conditions * next_width, 3, stride=stride, padding=1, groups=conditions
            ),
            nn.SiLU(),
        ]
        width = next_width
    return nn.Sequential(*layers)
