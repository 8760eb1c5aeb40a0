"""Self-attention that reads a reference beside its own frame."""

from __future__ import annotations

import pytest
import torch
from diffusers.models.attention_processor import Attention
from diffusers.models.transformers.transformer_2d import Transformer2DModel

from model.unet.reference_attention import attend, enter, spatial_transformer


@pytest.fixture
def transformer() -> Transformer2DModel:
    torch.manual_seed(0)
    return Transformer2DModel(4, 8, in_channels=32, cross_attention_dim=12).eval()


@torch.no_grad()
def test_without_a_reference_it_is_the_transformer_of_diffusers(transformer: Transformer2DModel) -> None:
    sample, tokens = torch.randn(6, 32, 5, 4), torch.randn(6, 7, 12)
    expected = transformer(sample, encoder_hidden_states=tokens, return_dict=False)[0]
    torch.testing.assert_close(spatial_transformer(transformer, sample, tokens), expected)


@torch.no_grad()
def test_keys_and_values_are_of_the_frame_and_the_reference_together() -> None:
    torch.manual_seed(0)
    attention = Attention(query_dim=32, heads=4, dim_head=8)
    own, shared = torch.randn(6, 20, 32), torch.randn(2, 11, 32)
    together = torch.cat([own, shared.repeat_interleave(3, 0)], dim=1)
    torch.testing.assert_close(attend(attention, own, own, shared), attention(own, together))


@torch.no_grad()
def test_clips_that_do_not_keep_the_reference_are_as_without_one(transformer: Transformer2DModel) -> None:
    sample, tokens, reference = torch.randn(6, 32, 5, 4), torch.randn(2, 7, 12), torch.randn(2, 9, 32)
    found = spatial_transformer(transformer, sample, tokens, reference, torch.tensor([True, False]))
    torch.testing.assert_close(found[:3], spatial_transformer(transformer, sample, tokens, reference)[:3])
    torch.testing.assert_close(found[3:], spatial_transformer(transformer, sample, tokens)[3:])


@torch.no_grad()
def test_a_reference_equal_to_the_frame_changes_nothing(transformer: Transformer2DModel) -> None:
    """Every key is there twice with one value, which halves each weight and adds both."""
    sample, tokens = torch.randn(2, 32, 5, 4), torch.randn(2, 7, 12)
    _, itself = enter(transformer, sample)
    found = spatial_transformer(transformer, sample, tokens, itself)
    torch.testing.assert_close(found, spatial_transformer(transformer, sample, tokens))


def test_gradients_reach_the_frame_and_the_reference() -> None:
    attention = Attention(query_dim=4, heads=2, dim_head=2).double()
    own = torch.randn(4, 3, 4, dtype=torch.float64, requires_grad=True)
    shared = torch.randn(2, 2, 4, dtype=torch.float64, requires_grad=True)
    kept = torch.tensor([True, False])
    assert torch.autograd.gradcheck(
        lambda own, shared: attend(attention, own, own, shared, kept), (own, shared)
    )
