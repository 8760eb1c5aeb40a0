"""The frozen networks that look at a reference image, DINOv2-large (RealisDance) and CLIP's ViT-L/14 (HIA):
their published weights, and images as they were trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as nn_functional
from jaxtyping import Float
from torch import Tensor
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection, Dinov2Config, Dinov2Model

from model.unet.weight_files import fill, read_state

DINOV2_LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "image_size": 518}
CLIP_VIT_LARGE = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "patch_size": 14,
    "projection_dim": 768,
}
"""What their config.json says, as far as transformers' defaults are others."""

_DINOV2_NAMES = (
    (".attention.q_proj.", ".attention.attention.query."),
    (".attention.k_proj.", ".attention.attention.key."),
    (".attention.v_proj.", ".attention.attention.value."),
    (".attention.o_proj.", ".attention.output.dense."),
)
"""transformers' names of today, and those of the published file."""


def load_dinov2(
    path: Path, sizes: Mapping[str, int] = DINOV2_LARGE, dtype: torch.dtype = torch.float32
) -> Dinov2Model:
    """DINOv2 with the weights of a file of facebook/dinov2-large, frozen. dtype: of the network, whatever the
    file's is.

    Raises WeightsError for a file that cannot be read, or whose weights are not the network's.
    """
    state = read_state(path)
    for ours, published in _DINOV2_NAMES:
        state = {name.replace(published, ours): weight for name, weight in state.items()}
    with torch.device("meta"):
        network = Dinov2Model(Dinov2Config(**sizes))
    fill(network, state, path, dtype)
    return network.requires_grad_(False).eval()


def load_clip(
    path: Path, sizes: Mapping[str, int] = CLIP_VIT_LARGE, dtype: torch.dtype = torch.float32
) -> CLIPVisionModelWithProjection:
    """CLIP's image encoder with the weights of a file of openai/clip-vit-large-patch14, frozen. The text
    encoder's weights, which the file holds too, are left out. dtype: of the network, whatever the file's is.

    Raises WeightsError for a file that cannot be read, or whose weights are not the network's.
    """
    state = {
        name: weight
        for name, weight in read_state(path).items()
        if name.startswith(("vision_model.", "visual_projection.")) and not name.endswith(".position_ids")
    }
    with torch.device("meta"):
        network = CLIPVisionModelWithProjection(CLIPVisionConfig(**sizes))
    embeddings = network.vision_model.embeddings
    embeddings.position_ids = torch.arange(embeddings.num_positions)[None]  # the only buffer, in no file
    fill(network, state, path, dtype)
    return network.requires_grad_(False).eval()


def prepared(
    images: Float[Tensor, "batch 3 _ _"],
    size: tuple[int, int],
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
) -> Float[Tensor, "batch 3 height width"]:
    """RGB images in [-1, 1], of any size, as an encoder takes them. size: height and width, to which they are
    squeezed. mean, std: of the images that it was trained on, RGB in [0, 1].

    They are float32, in which the CPU can resize; the encoders take them into their own type.
    """
    resized = nn_functional.interpolate(
        images.float(), size, mode="bicubic", align_corners=False, antialias=True
    )
    of_mean, of_std = (resized.new_tensor(each)[:, None, None] for each in (mean, std))
    return ((resized.clamp(-1, 1) + 1) / 2 - of_mean) / of_std
