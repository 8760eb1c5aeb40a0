"""The denoising UNet against diffusers' own, and what its motion modules and the reference do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from model.unet.denoising_unet import DenoisingUNet
from model.unet.frame_norms import FrameNorm
from model.unet.reference_attention import Reference
from model.unet.reference_network import read_reference
from model.unet.settings import (
    MotionSettings,
    UNetSettings,
    make_motion_adapter,
    make_motion_modules,
    make_unet,
)

SETTINGS = UNetSettings((32, 32, 64, 64), heads=4, token_width=32)
MOTION = MotionSettings(positions=4, heads=4)


@pytest.fixture(scope="module")
def unet() -> UNet2DConditionModel:
    torch.manual_seed(0)
    return make_unet(SETTINGS).eval()


def video_network(
    unet: UNet2DConditionModel, frame_norm: FrameNorm = "per_frame", trained: bool = True, mid: bool = False
) -> DenoisingUNet:
    torch.manual_seed(1)
    motion = make_motion_adapter(SETTINGS.channels, replace(MOTION, mid=mid))
    if trained:
        for parameter in motion.parameters():
            if not parameter.any():
                nn.init.normal_(parameter, std=0.1)
    return DenoisingUNet(unet, motion, frame_norm).eval()


def inputs(frames: int = 3, size: tuple[int, int] = (16, 8)) -> tuple[Tensor, Tensor, Reference]:
    torch.manual_seed(2)
    return torch.randn(2, frames, 4, *size), torch.tensor([999, 3]), Reference(torch.randn(2, 5, 32))


@pytest.mark.parametrize("size", [(16, 8), (17, 9)])
@torch.no_grad()
def test_untrained_motion_modules_leave_the_unet_as_it_is(
    unet: UNet2DConditionModel, size: tuple[int, int]
) -> None:
    sample, timestep, reference = inputs(size=size)
    expected = unet(
        sample.flatten(0, 1),
        timestep.repeat_interleave(3),
        reference.tokens.repeat_interleave(3, 0),
        return_dict=False,
    )[0]
    for network in (DenoisingUNet(unet, None), video_network(unet, trained=False)):
        found = network(sample, timestep, reference)
        torch.testing.assert_close(found.flatten(0, 1), expected, rtol=0, atol=2e-5)


@torch.no_grad()
def test_frames_hang_together_by_motion_modules_alone_unless_their_norm_is_shared(
    unet: UNet2DConditionModel,
) -> None:
    sample, timestep, reference = inputs()
    other = sample.clone()
    other[:, 2] += 1

    def first_frame_changes(network: DenoisingUNet) -> bool:
        found, changed = (network(video, timestep, reference)[:, 0] for video in (sample, other))
        return not torch.allclose(found, changed, atol=1e-5)

    assert not first_frame_changes(DenoisingUNet(unet, None))
    assert not first_frame_changes(video_network(unet, trained=False))
    assert first_frame_changes(video_network(unet))
    assert first_frame_changes(video_network(unet, "shared", trained=False))


@torch.no_grad()
def test_the_middle_block_may_have_a_motion_module(unet: UNet2DConditionModel) -> None:
    with_middle = video_network(unet, mid=True)
    video = inputs()
    found = with_middle(*video)
    assert with_middle.motion is not None
    module = with_middle.motion.mid_block.motion_modules[0]
    nn.init.zeros_(module.proj_out.weight)
    nn.init.zeros_(module.proj_out.bias)
    assert not torch.allclose(found, with_middle(*video), atol=1e-4)


def test_more_frames_than_positions_are_refused(unet: UNet2DConditionModel) -> None:
    with pytest.raises(ValueError, match="5 frames at a time: the motion modules have 4 positions"):
        video_network(unet)(*inputs(frames=5))


def test_the_reference_is_read_in_every_transformer_block(unet: UNet2DConditionModel) -> None:
    latent, tokens = torch.randn(2, 4, 16, 8), torch.randn(2, 5, 32)
    with torch.no_grad():
        bank = read_reference(unet, latent, tokens)
    places = sorted(place.split(".")[0] for place in bank)
    assert (len(bank), places.count("down"), places.count("mid"), places.count("up")) == (16, 6, 1, 9)
    sample, timestep, reference = inputs()
    leaves = {place: entry.requires_grad_() for place, entry in bank.items()}
    DenoisingUNet(unet, None)(sample, timestep, replace(reference, bank=leaves)).sum().backward()
    assert all(entry.grad is not None and entry.grad.any() for entry in leaves.values())


@torch.no_grad()
def test_what_is_read_of_a_reference_is_what_enters_the_self_attentions_of_diffusers(
    unet: UNet2DConditionModel,
) -> None:
    latent, tokens = torch.randn(2, 4, 16, 8), torch.randn(2, 5, 32)
    entered: list[Tensor] = []
    norms = [module for name, module in unet.named_modules() if name.endswith("transformer_blocks.0.norm1")]
    handles = [norm.register_forward_hook(lambda *called: entered.append(called[2])) for norm in norms]
    unet(latent, torch.zeros(2), tokens)
    for handle in handles:
        handle.remove()
    for found, expected in zip(read_reference(unet, latent, tokens).values(), entered, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"tokens": torch.zeros(1, 5, 32)}, r"tokens is of \(1,\), not \(2,\)"),
        ({"kept": torch.ones(2)}, "kept is of torch.float32"),
        ({"kept": torch.ones(3, dtype=torch.bool)}, r"kept is of \(3,\)"),
        ({"bank": {"down.0.0": torch.zeros(6, 128, 32)}}, r"bank at down.0.0 is of \(6,\)"),
    ],
)
def test_a_reference_of_another_batch_is_refused(
    unet: UNet2DConditionModel, wrong: dict[str, Any], said: str
) -> None:
    sample, timestep, reference = inputs()
    with pytest.raises(ValueError, match=f"for 2 clips of 3 frames.*{said}|{said}"):
        DenoisingUNet(unet, None)(sample, timestep, replace(reference, **wrong))


def test_a_pose_or_timestep_of_another_size_is_refused(unet: UNet2DConditionModel) -> None:
    sample, timestep, reference = inputs()
    network = DenoisingUNet(unet, None)
    with pytest.raises(ValueError, match=r"pose 0 is of \(2, 1\), not \(2, 3\)"):
        network(sample, timestep, reference, [torch.zeros(2, 1, 32, 16, 8)])
    with pytest.raises(ValueError, match=r"timestep is of \(1,\), not \(2,\)"):
        network(sample, timestep[:1], reference)


def test_a_norm_of_another_name_is_refused(unet: UNet2DConditionModel) -> None:
    with pytest.raises(ValueError, match="choose from per_frame, shared"):
        DenoisingUNet(unet, None, "Shared")  # type: ignore[arg-type]


@torch.no_grad()
def test_the_decoder_sees_the_features_of_the_poses_too(unet: UNet2DConditionModel) -> None:
    sample, timestep, reference = inputs()
    sizes = ((32, 16, 8), (32, 8, 4), (32, 4, 2), (64, 2, 1), (64, 2, 1))
    nothing = [torch.zeros(2, 3, *size) for size in sizes]
    last = [*nothing[:-1], torch.randn(2, 3, *sizes[-1])]
    entered: list[Tensor] = []
    first_of_decoder = unet.up_blocks[0].resnets[0].norm1
    handle = first_of_decoder.register_forward_hook(lambda *called: entered.append(called[1][0]))
    for pose in (nothing, last):
        DenoisingUNet(unet, None)(sample, timestep, reference, pose)
    handle.remove()
    skipped = (entered[1] - entered[0])[:, 64:]
    torch.testing.assert_close(skipped, last[-1].flatten(0, 1), rtol=0, atol=1e-5)


@torch.no_grad()
def test_motion_modules_normalise_each_frame_by_itself() -> None:
    torch.manual_seed(0)
    module: Any = make_motion_modules((32,), MOTION)[0]
    for parameter in module.proj_out.parameters():
        nn.init.normal_(parameter)
    block = module.transformer_blocks[0]
    for attention in (block.attn1, block.attn2):
        for parameter in attention.to_out.parameters():
            nn.init.zeros_(parameter)
    video = torch.randn(3, 32, 4, 4)
    other = video * torch.tensor([1.0, 1.0, 100.0])[:, None, None, None]
    torch.testing.assert_close(module(video, num_frames=3)[:2], module(other, num_frames=3)[:2])


def test_motion_modules_whose_heads_do_not_divide_the_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="motion modules' 3 heads"):
        make_motion_adapter(SETTINGS.channels, MotionSettings(heads=3))


def test_checkpointing_runs_layers_again_and_gives_the_same_gradients(unet: UNet2DConditionModel) -> None:
    network = video_network(unet, "shared")
    sample, timestep, reference = inputs()
    gradients, runs = [], []
    count = [unet.up_blocks[3].resnets[0].conv1, unet.mid_block.resnets[0].conv1]
    handles = [module.register_forward_hook(lambda *called: runs.append(called[0])) for module in count]
    for checkpointing in (False, True):
        network.gradient_checkpointing = checkpointing
        network.zero_grad()
        bank = read_reference(unet, sample[:, 0], reference.tokens, checkpointing)
        network(sample, timestep, replace(reference, bank=bank)).square().sum().backward()
        gradients.append([each.grad.clone() for each in network.parameters() if each.grad is not None])
    network.zero_grad()
    for handle in handles:
        handle.remove()
    # Two networks share the layers: two runs each without, and four with.
    assert len(runs) == 2 * 2 + 2 * 4
    assert len(gradients[0]) == len(gradients[1])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", [(32, 32, 64, 72), (40, 32, 64, 64)])
def test_channels_that_cannot_be_divided_are_refused(channels: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="32 groups"):
        UNetSettings(channels)
