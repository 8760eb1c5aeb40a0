"""Normalisation over one frame or over all of a clip's."""

from __future__ import annotations

import pytest
import torch
from diffusers.models.resnet import ResnetBlock2D
from torch import nn

from model.unet.frame_norms import PerFrameGroupNorm, group_norm, resnet_block


def norm(kind: type[nn.GroupNorm] = nn.GroupNorm) -> nn.GroupNorm:
    made = kind(4, 8)
    nn.init.normal_(made.weight)
    nn.init.normal_(made.bias)
    return made


def test_a_shared_norm_is_that_of_the_video_as_one_tensor() -> None:
    video = torch.randn(2, 8, 3, 5, 4) * torch.tensor([1.0, 5.0, 20.0])[:, None, None]
    over_all = norm()
    found = group_norm(over_all, video.transpose(1, 2).flatten(0, 1), 3)
    torch.testing.assert_close(found.view(2, 3, 8, 5, 4).transpose(1, 2), over_all(video))


def test_a_per_frame_norm_takes_each_frame_by_itself() -> None:
    video = torch.randn(2, 8, 3, 5, 4) * torch.tensor([1.0, 5.0, 20.0])[:, None, None]
    per_frame = norm(PerFrameGroupNorm)
    frames = video.transpose(1, 2).flatten(0, 1)
    plain = nn.functional.group_norm(frames, 4, per_frame.weight, per_frame.bias)
    torch.testing.assert_close(per_frame(video).transpose(1, 2).flatten(0, 1), plain)


@pytest.mark.parametrize("out_channels", [32, 64])
def test_a_resnet_block_of_single_frames_is_that_of_diffusers(out_channels: int) -> None:
    block = ResnetBlock2D(in_channels=32, out_channels=out_channels, temb_channels=16)
    sample, time = torch.randn(4, 32, 6, 5), torch.randn(4, 16)
    torch.testing.assert_close(resnet_block(block, sample, time, 1), block(sample, time))


def test_gradients_through_a_shared_norm_are_right() -> None:
    small = nn.GroupNorm(2, 4).double()
    video = torch.randn(4, 4, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda sample: group_norm(small, sample, 2), video)
