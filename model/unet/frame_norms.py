"""Group normalisation of videos, of each frame by itself or over all frames of a clip.

AnimateDiff's first UNet normalised 5-D tensors in its ResNet blocks, so that a clip's frames share mean and
variance. Weights trained so, RealisDance's among them, need it; motion modules always normalise per frame.

batch*frames: the frames of all clips, those of a clip in a row.
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as nn_functional
from diffusers.models.resnet import ResnetBlock2D
from jaxtyping import Float
from torch import Tensor, nn

FrameNorm = Literal["per_frame", "shared"]
"""per_frame: of each frame. shared: over the frames of a clip."""


class PerFrameGroupNorm(nn.GroupNorm):
    """Normalises each frame of a (batch, channels, frames, height, width) video by itself."""

    def forward(
        self, input: Float[Tensor, "batch channels frames height width"]
    ) -> Float[Tensor, "batch channels frames height width"]:
        frames = input.transpose(1, 2)
        return super().forward(frames.flatten(0, 1)).view(frames.shape).transpose(1, 2)


def group_norm(
    norm: nn.GroupNorm, sample: Float[Tensor, "batch*frames channels height width"], frames: int
) -> Float[Tensor, "batch*frames channels height width"]:
    """`norm` with its mean and variance over `frames` frames at a time."""
    if frames == 1:
        return norm(sample)
    video = sample.view(-1, frames, *sample.shape[1:]).transpose(1, 2)
    normed = nn_functional.group_norm(video, norm.num_groups, norm.weight, norm.bias, norm.eps)
    return normed.transpose(1, 2).flatten(0, 1)


def resnet_block(
    block: ResnetBlock2D,
    sample: Float[Tensor, "batch*frames channels height width"],
    time: Float[Tensor, "batch*frames time"],
    frames: int,
) -> Float[Tensor, "batch*frames out height width"]:
    """Stable Diffusion's ResNet block, its two norms over `frames` frames at a time.

    time: the embedded timestep of each frame.
    """
    hidden = block.conv1(block.nonlinearity(group_norm(block.norm1, sample, frames)))
    hidden = hidden + block.time_emb_proj(block.nonlinearity(time))[:, :, None, None]
    hidden = block.conv2(block.dropout(block.nonlinearity(group_norm(block.norm2, hidden, frames))))
    skip = sample if block.conv_shortcut is None else block.conv_shortcut(sample)
    return skip + hidden
