"""What DINOv2 is shown of a reference image."""

from __future__ import annotations

import pytest
import torch
from transformers import Dinov2Config, Dinov2Model

from model.realisdance.image_tokens import image_features


@pytest.fixture(scope="module")
def encoder() -> Dinov2Model:
    torch.manual_seed(0)
    small = Dinov2Config(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=518
    )
    return Dinov2Model(small).eval()


def test_an_image_of_any_size_gives_375_features_without_gradients(encoder: Dinov2Model) -> None:
    features = image_features(encoder, torch.rand(2, 3, 97, 61, requires_grad=True) * 2 - 1)
    assert features.shape == (2, 375, 24) and not features.requires_grad


def test_the_encoder_sees_colours_normalised_as_imagenets(encoder: Dinov2Model) -> None:
    colour = torch.tensor([0.2, 0.5, 0.9])
    seen = (colour - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = encoder(pixel_values=seen[None, :, None, None].expand(1, 3, 320, 240)).last_hidden_state
    found = image_features(encoder, (colour * 2 - 1)[None, :, None, None].expand(1, 3, 640, 480))
    torch.testing.assert_close(found, expected)


def test_the_large_encoder_has_as_many_parameters_as_the_published_one() -> None:
    with torch.device("meta"):
        large = Dinov2Model(
            Dinov2Config(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, image_size=518)
        )
    assert sum(parameter.numel() for parameter in large.parameters()) == 304_368_640
