"""CLIP's tokens are those that CLIP itself gives of the whole picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as nn_functional
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from model.hia.image_tokens import image_tokens


@pytest.fixture(scope="module")
def encoder() -> CLIPVisionModelWithProjection:
    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        patch_size=14,
        image_size=224,
        projection_dim=24,
    )
    return CLIPVisionModelWithProjection(config).eval()


def test_the_first_token_is_clips_embedding_of_the_image(encoder: CLIPVisionModelWithProjection) -> None:
    """With transformers' own preparation of a picture that needs no crop."""
    picture = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    tokens = image_tokens(encoder, torch.from_numpy(picture).permute(2, 0, 1)[None] / 127.5 - 1)
    prepared = CLIPImageProcessorPil()(picture, return_tensors="pt")
    with torch.no_grad():
        expected = encoder(**prepared).image_embeds
    assert tokens.shape == (1, 16 * 16 + 1, 24)
    torch.testing.assert_close(tokens[:, 0], expected, rtol=1e-4, atol=1e-5)


def test_the_whole_picture_is_seen(encoder: CLIPVisionModelWithProjection) -> None:
    """The top of a tall one too, which a crop to a square would lose."""
    tall = torch.zeros(1, 3, 448, 256)
    with_a_head = tall.clone()
    with_a_head[:, :, :40] = 1
    assert not torch.allclose(image_tokens(encoder, tall), image_tokens(encoder, with_a_head), atol=1e-3)
    few = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(0)) - 0.5
    square, stretched = (
        nn_functional.interpolate(few, size, mode="bicubic", align_corners=False)
        for size in ((224, 224), (896, 512))
    )
    tokens = image_tokens(encoder, square)
    assert (image_tokens(encoder, stretched) - tokens).abs().max() < 0.02 * tokens.std()


def test_clip_is_not_trained(encoder: CLIPVisionModelWithProjection) -> None:
    assert not image_tokens(encoder, torch.zeros(1, 3, 64, 64, requires_grad=True)).requires_grad
