"""RealisDance, section 2: what the reference image shows, as tokens for both UNets' cross-attention.

DINOv2 (Oquab et al. 2023), frozen, sees the image; a small projector fits its features to the UNets.
"""

from __future__ import annotations

import torch
from diffusers.models.attention import FeedForward
from jaxtyping import Float
from torch import Tensor, nn
from transformers import Dinov2Model

from model.image_encoders import prepared

_SIZE = (320, 240)
"""Height and width that the released weights were trained with: 22 x 17 patches of 14 pixels and one token of
the whole image."""

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
"""ImageNet's, of RGB in [0, 1]."""


@torch.no_grad()
def image_features(
    encoder: Dinov2Model, images: Float[Tensor, "batch 3 height width"]
) -> Float[Tensor, "batch 375 features"]:
    """DINOv2's last features of RGB images in [-1, 1], of any size; 1024 of the large model."""
    return encoder(pixel_values=prepared(images, _SIZE, _MEAN, _STD)).last_hidden_state


class TokenProjector(nn.Module):
    """Image features to tokens: a GEGLU layer beside a linear one, a norm, a layer that starts at zero."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.identity = nn.Linear(features, width)
        self.ff = FeedForward(features, width, mult=2, activation_fn="geglu")
        self.post_norm = nn.LayerNorm(width)
        self.post_proj = nn.Linear(width, width)
        nn.init.zeros_(self.post_proj.weight)
        nn.init.zeros_(self.post_proj.bias)

    def forward(
        self, features: Float[Tensor, "batch tokens features"]
    ) -> Float[Tensor, "batch tokens width"]:
        return self.post_proj(self.post_norm(self.identity(features) + self.ff(features)))
