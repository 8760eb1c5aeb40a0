"""The appearance encoder is a UNet that gives the same features with fewer weights."""

from __future__ import annotations

import torch

from model.hia.appearance_encoder import make_appearance_encoder, without_unused
from model.unet.reference_network import read_reference
from model.unet.settings import UNetSettings, make_unet
from tests.factories.small_hia import UNET, some_inputs


def test_what_is_left_out_of_the_full_size_encoder_is_the_last_block_after_norm1_and_the_output() -> None:
    width, tokens, inner = 320, 768, 4 * 320
    output_and_bias = width * width + width
    left_out = (
        (3 * width * width + output_and_bias)  # self-attention
        + (width * width + 2 * tokens * width + output_and_bias)  # cross-attention
        + (width * 2 * inner + 2 * inner + inner * width + width)  # GEGLU
        + 2 * 2 * width  # norm2, norm3
        + output_and_bias  # proj_out
        + 2 * width  # conv_norm_out
        + (9 * width * 4 + 4)  # conv_out
    )
    with torch.device("meta"):
        encoder = make_appearance_encoder(UNetSettings())
    assert sum(each.numel() for each in encoder.parameters()) == 859_520_964 - left_out


def test_a_whole_unets_weights_give_the_whole_unets_features() -> None:
    torch.manual_seed(0)
    unet, encoder = make_unet(UNET), make_appearance_encoder(UNET)
    encoder.load_state_dict(without_unused(unet.state_dict()))
    inputs = some_inputs()
    with torch.no_grad():
        whole = read_reference(unet, inputs.latent, inputs.tokens)
        bank = read_reference(encoder, inputs.latent, inputs.tokens)
    assert list(bank) == list(whole)
    assert len(bank) == 16  # every self-attention of Stable Diffusion's UNet
    torch.testing.assert_close(bank, whole, rtol=0, atol=0)


def test_every_weight_of_the_encoder_has_a_part_in_what_is_read() -> None:
    torch.manual_seed(0)
    encoder = make_appearance_encoder(UNET)
    inputs = some_inputs()
    bank = read_reference(encoder, inputs.latent, inputs.tokens)
    generator = torch.Generator().manual_seed(1)
    torch.stack(
        [(part * torch.randn(part.shape, generator=generator)).sum() for part in bank.values()]
    ).sum().backward()  # type: ignore[no-untyped-call]
    assert [name for name, each in encoder.named_parameters() if each.grad is None] == []
