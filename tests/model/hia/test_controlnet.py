"""The ControlNet starts from the UNet and from nothing, and adds what diffusers' own pipeline would add."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from model.hia.control import make_controlnet, start_from_unet
from model.unet.reference_attention import Reference
from model.unet.settings import UNetSettings, make_unet
from tests.factories.as_if_trained import as_if_trained
from tests.factories.small_hia import IMAGES, UNET, some_inputs, untrained


@pytest.mark.parametrize(("channels", "parameters"), [(6, 361_279_552), (3, 361_279_120)])
def test_the_full_size_controlnet_has_the_published_number_of_weights(channels: int, parameters: int) -> None:
    """Of a ControlNet of Stable Diffusion 1.5 with this many channels of conditions."""
    with torch.device("meta"):
        controlnet = make_controlnet(UNetSettings(), channels)
    assert sum(each.numel() for each in controlnet.parameters()) == parameters


def test_it_starts_with_the_unets_encoder_and_adds_nothing() -> None:
    torch.manual_seed(0)
    unet, controlnet = make_unet(UNET), make_controlnet(UNET, 6)
    before = {name: weight.clone() for name, weight in controlnet.state_dict().items()}
    start_from_unet(controlnet, unet.state_dict())
    source = unet.state_dict()
    for name, weight in controlnet.state_dict().items():
        its_own = name.startswith("controlnet_")
        assert weight.equal(before[name] if its_own else source[name]), name
    assert not any(
        weight.any()
        for name, weight in controlnet.state_dict().items()
        if name.startswith(("controlnet_down_blocks", "controlnet_mid_block"))
    )


@torch.no_grad()
def test_each_frame_gets_what_diffusers_would_add_to_it() -> None:
    """diffusers' ControlNet and UNet, run frame by frame, the conditions' channels in their order."""
    network = as_if_trained(untrained(IMAGES))
    inputs = some_inputs(batch=2, frames=2)
    control = network.guide(inputs.conditions, inputs.sample, inputs.timestep, inputs.tokens)
    predicted = network.denoise(inputs.sample, inputs.timestep, control, Reference(inputs.tokens))
    images = torch.cat([inputs.conditions["skeleton"], inputs.conditions["motion_blur"]], dim=2)

    def by_diffusers(clip: int, frame: int) -> Tensor:
        sample, timestep = inputs.sample[clip, frame][None], inputs.timestep[clip]
        tokens = inputs.tokens[clip][None]
        skips, middle = network.controlnet(
            sample, timestep, tokens, images[clip, frame][None], return_dict=False
        )
        return network.denoiser.unet(
            sample,
            timestep,
            tokens,
            down_block_additional_residuals=skips,
            mid_block_additional_residual=middle,
            return_dict=False,
        )[0][0]

    for clip in range(2):
        for frame in range(2):
            torch.testing.assert_close(
                predicted[clip, frame], by_diffusers(clip, frame), rtol=1e-4, atol=1e-5
            )
    alone = network.denoise(inputs.sample, inputs.timestep, None, Reference(inputs.tokens))
    assert not torch.allclose(predicted, alone, atol=1e-3)
