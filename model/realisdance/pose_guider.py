"""RealisDance, section 2, pose guidance network: poses to features for the main UNet's encoder.

Lighter than a ControlNet and deeper than a few convolutions. Its motion modules smooth the video from the
side of the poses, so that one wrong pose can be told by its neighbours.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from model.realisdance.pose_gating import PoseGating
from model.unet.settings import MotionSettings, check_frames, make_motion_modules


class PoseGuider(nn.Module):
    """conditions: how many condition images a frame has. channels: of the main UNet's four levels.

    motion: None for images. gradient_checkpointing: of the encoders, which see the images at their full size.
    (Beside the paper's four blocks, the released network has a motion module for the gated features too.)
    """

    def __init__(
        self, conditions: int, channels: tuple[int, int, int, int], motion: MotionSettings | None
    ) -> None:
        super().__init__()
        widths = guider_widths(channels)
        self.motion = motion
        self.gradient_checkpointing = False
        self.gating = PoseGating(conditions, channels[0])
        self.blocks = nn.ModuleList(
            _block(widths[level], widths[level + 1], stride) for level, stride in enumerate((2, 2, 2, 1))
        )
        self.motion_modules = None if motion is None else make_motion_modules(widths, motion)
        self.projections = nn.ModuleList(_zero_convolution(width) for width in widths)

    def encode(
        self, images: Float[Tensor, "batch frames 3*conditions height width"]
    ) -> Float[Tensor, "batch frames channels height//8 width//8"]:
        """What of the poses hangs on single frames: the conditions, encoded, weighed and merged.

        images: RGB in [0, 1], the conditions' one after the other. height and width: multiples of 8.
        """
        frames = images.flatten(0, 1)
        if self.gradient_checkpointing and torch.is_grad_enabled():
            merged = checkpoint(self.gating, frames, use_reentrant=False)
        else:
            merged = self.gating(frames)
        return merged.unflatten(0, images.shape[:2])

    def forward(
        self, poses: Float[Tensor, "batch frames channels height width"]
    ) -> list[Float[Tensor, "batch frames _ _ _"]]:
        """Features of a clip of encoded poses, at 1/8, 1/16, 1/32, 1/64 and 1/64 of the images' size; zero
        before training.

        Raises ValueError for more frames than the motion modules have positions.
        """
        frames = poses.shape[1]
        if self.motion is not None:
            check_frames(frames, self.motion.positions)
        hidden = self._move(0, poses.flatten(0, 1), frames)
        levels = [hidden]
        for level, block in enumerate(self.blocks, start=1):
            hidden = self._move(level, block(hidden), frames)
            levels.append(hidden)
        return [
            projection(features).unflatten(0, (-1, frames))
            for projection, features in zip(self.projections, levels, strict=True)
        ]

    def _move(self, level: int, hidden: Tensor, frames: int) -> Tensor:
        return (
            hidden if self.motion_modules is None else self.motion_modules[level](hidden, num_frames=frames)
        )


def guider_widths(channels: tuple[int, int, int, int]) -> tuple[int, ...]:
    """Channels of the guider's five levels, for a UNet's four."""
    return (channels[0], *channels)


def _block(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1),
        nn.SiLU(),
        nn.Conv2d(out_channels, out_channels, 3, padding=1),
        nn.SiLU(),
    )


def _zero_convolution(channels: int) -> nn.Conv2d:
    """A 1x1 convolution that gives nothing until it is trained (ControlNet, Zhang et al. 2023)."""
    convolution = nn.Conv2d(channels, channels, 1)
    for parameter in convolution.parameters():
        nn.init.zeros_(parameter)
    return convolution
