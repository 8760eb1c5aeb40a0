"""HIA, section 3: what the reference image shows, as CLIP's tokens (Radford et al. 2021) for cross-attention.

The paper does not say which tokens it takes, or how they fit the UNet. Here they are all of the last layer,
the image's own and those of its patches, each normalised and projected as CLIP does with the image's own
alone: of ViT-L/14 they are then 768 wide, as the text tokens that Stable Diffusion's cross-attention was
trained on, and nothing new is to be learned. CLIP stays frozen.
"""

from __future__ import annotations

import torch
import torch.nn.functional as nn_functional
from jaxtyping import Float
from torch import Tensor
from transformers import CLIPVisionModelWithProjection

_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)
"""Of CLIP's training images, RGB in [0, 1]."""


@torch.no_grad()
def image_tokens(
    encoder: CLIPVisionModelWithProjection, images: Float[Tensor, "batch 3 height width"]
) -> Float[Tensor, "batch tokens width"]:
    """CLIP's tokens of RGB images in [-1, 1], of any size; of ViT-L/14, 257 of width 768.

    An image is squeezed to CLIP's square, where CLIP itself would crop it: a standing person's head and feet
    are to be seen.
    """
    side = encoder.config.image_size
    squares = nn_functional.interpolate(
        images, (side, side), mode="bicubic", align_corners=False, antialias=True
    )
    mean, std = (squares.new_tensor(each)[:, None, None] for each in (_MEAN, _STD))
    vision = encoder.vision_model
    seen = vision(pixel_values=((squares.clamp(-1, 1) + 1) / 2 - mean) / std)
    return encoder.visual_projection(vision.post_layernorm(seen.last_hidden_state))
