"""HIA, section 3: what the reference image shows, as CLIP's tokens (Radford et al. 2021) for cross-attention.

The paper does not say which tokens it takes, or how they fit the UNet. Here they are all of the last layer,
the image's own and those of its patches, each normalised and projected as CLIP does with the image's own
alone: of ViT-L/14 they are then 768 wide, as the text tokens that Stable Diffusion's cross-attention was
trained on, and nothing new is to be learned. CLIP stays frozen.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import CLIPVisionModelWithProjection

from model.image_encoders import prepared

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
    vision = encoder.vision_model
    seen = vision(pixel_values=prepared(images, (side, side), _MEAN, _STD))
    return encoder.visual_projection(vision.post_layernorm(seen.last_hidden_state))
