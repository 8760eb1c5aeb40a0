"""DINOv2 and CLIP are read from files in the layout of the published ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Dinov2Config,
    Dinov2Model,
)

from extractors.weights.errors import WeightsError
from model.hia.image_tokens import image_tokens
from model.image_encoders import CLIP_VIT_LARGE, DINOV2_LARGE, load_clip, load_dinov2, prepared
from model.realisdance.image_tokens import image_features

SMALL_DINOV2 = {**DINOV2_LARGE, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
SMALL_CLIP = {
    **CLIP_VIT_LARGE,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "projection_dim": 8,
}


def published_dinov2(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Under the names of facebook/dinov2-large's file: `encoder.layer.0.attention.attention.query.weight`,
    `encoder.layer.0.attention.output.dense.bias`.
    """
    words = {"q_proj": "attention.query", "k_proj": "attention.key", "v_proj": "attention.value"}
    words["o_proj"] = "output.dense"
    return {
        re.sub("[qkvo]_proj", lambda found: words[found[0]], name): weight for name, weight in state.items()
    }


@torch.no_grad()
def test_dinov2_is_read_from_the_published_layout(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Dinov2Model(Dinov2Config(**SMALL_DINOV2)).eval()
    path = tmp_path / "dinov2.safetensors"
    safetensors.torch.save_file(published_dinov2(network.state_dict()), path)
    loaded = load_dinov2(path, SMALL_DINOV2)
    images = torch.randn(1, 3, 70, 56)
    torch.testing.assert_close(loaded(images).last_hidden_state, network(images).last_hidden_state)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


@torch.no_grad()
def test_the_image_encoder_of_a_whole_clip_is_read(tmp_path: Path) -> None:
    torch.manual_seed(0)
    text = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    whole = CLIPModel(CLIPConfig(text_config=text, vision_config=SMALL_CLIP, projection_dim=8)).eval()
    path = tmp_path / "clip.safetensors"
    positions = {"vision_model.embeddings.position_ids": torch.arange(257)[None]}
    safetensors.torch.save_file(whole.state_dict() | positions, path)
    loaded = load_clip(path, SMALL_CLIP)
    images = torch.randn(2, 3, 224, 224)
    expected = whole.visual_projection(whole.vision_model(pixel_values=images).pooler_output)
    torch.testing.assert_close(loaded(pixel_values=images).image_embeds, expected)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_a_smaller_encoder_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    safetensors.torch.save_file(Dinov2Model(Dinov2Config(**SMALL_DINOV2)).state_dict(), path)
    with pytest.raises(WeightsError, match=r"small.safetensors: does not fit Dinov2Model"):
        load_dinov2(path)


@torch.no_grad()
def test_an_encoder_is_of_the_wanted_type_and_owns_its_weights(tmp_path: Path) -> None:
    network = Dinov2Model(Dinov2Config(**SMALL_DINOV2)).half()
    path = tmp_path / "dinov2.safetensors"
    safetensors.torch.save_file(published_dinov2(network.state_dict()), path)
    loaded = {dtype: load_dinov2(path, SMALL_DINOV2, dtype) for dtype in (torch.bfloat16, torch.float16)}
    path.write_bytes(bytes(path.stat().st_size))
    for dtype, encoder in loaded.items():
        state = encoder.state_dict()
        for name, weight in network.state_dict().items():
            assert state[name].dtype == dtype
            assert torch.equal(state[name], weight.to(dtype)), name


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_images_and_encoders_may_be_of_half_precision(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    dinov2 = Dinov2Model(Dinov2Config(**SMALL_DINOV2))
    clip = CLIPVisionModelWithProjection(CLIPVisionConfig(**SMALL_CLIP))
    images = torch.rand(1, 3, 40, 30) * 2 - 1
    for encoded, encoder in ((image_features, dinov2), (image_tokens, clip)):
        expected = encoded(encoder.eval(), images)
        for other in (encoder, encoder.to(dtype)):
            found = encoded(other, images.to(dtype))
            assert (found - expected).abs().max() < 0.1 * expected.std()


def test_a_fine_checkerboard_shrinks_to_grey_and_edges_stay_in_the_range() -> None:
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    board = ((rows + columns) % 2 * 2.0 - 1).expand(1, 3, -1, -1)
    plain = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    grey = prepared(board, (10, 10), *plain)
    torch.testing.assert_close(grey, torch.full_like(grey, 0.5), rtol=0, atol=0.02)
    edge = torch.ones(1, 3, 8, 8)
    edge[..., 4:] = -1
    enlarged = prepared(edge, (64, 64), *plain)
    assert enlarged.min() == 0 and enlarged.max() == 1
