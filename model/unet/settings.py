"""Sizes of the UNet and of its motion modules, and the networks of diffusers that are built from them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D, MotionAdapter
from torch import nn

from model.unet.frame_norms import PerFrameGroupNorm


@dataclass(frozen=True)
class UNetSettings:
    """A UNet of Stable Diffusion 1.5's shape; the defaults are its own.

    channels: of the four levels, each a multiple of 32. heads: of every attention, whatever its width.
    token_width: of the tokens that cross-attention reads.
    """

    channels: tuple[int, int, int, int] = (320, 640, 1280, 1280)
    heads: int = 8
    token_width: int = 768

    def __post_init__(self) -> None:
        """Raises ValueError for channels that do not divide into normalisation groups or heads."""
        wrong = [width for width in self.channels if width % 32 or width % self.heads]
        if wrong:
            raise ValueError(
                f"channels {wrong} cannot be divided into 32 groups and {self.heads} heads: "
                "give multiples of 32 and of the number of heads."
            )


@dataclass(frozen=True)
class MotionSettings:
    """Motion modules of AnimateDiff's shape (Guo et al. 2023); the defaults are version 3's.

    positions: the most frames that one window may have. heads: of the temporal attention. mid: whether the
    UNet's middle block has one too (version 2 does).
    """

    positions: int = 32
    heads: int = 8
    mid: bool = False


def check_frames(frames: int, positions: int) -> None:
    """Raises ValueError for more frames than motion modules have positions."""
    if frames > positions:
        raise ValueError(
            f"{frames} frames at a time: the motion modules have {positions} positions; "
            "take longer videos in windows."
        )


def make_unet(settings: UNetSettings) -> UNet2DConditionModel:
    """An untrained UNet, in Stable Diffusion 1.5's layout of weights."""
    return UNet2DConditionModel(
        block_out_channels=settings.channels,
        attention_head_dim=settings.heads,  # diffusers reads it as the number of heads for this family
        cross_attention_dim=settings.token_width,
    )


def make_motion_adapter(channels: tuple[int, ...], settings: MotionSettings) -> MotionAdapter:
    """A motion module for every layer of a UNet, which changes nothing before it is trained.

    Raises ValueError for channels that do not divide into the heads.
    """
    _check_heads(channels, settings)
    adapter = MotionAdapter(
        block_out_channels=channels,
        motion_num_attention_heads=settings.heads,
        motion_max_seq_length=settings.positions,
        use_motion_mid_block=settings.mid,
    )
    for module in adapter.modules():
        if isinstance(module, AnimateDiffTransformer3D):
            _start_as_identity(module)
    return adapter


def make_motion_modules(widths: tuple[int, ...], settings: MotionSettings) -> nn.ModuleList:
    """A motion module for feature maps of each width: two self-attentions over the frames, each after
    sinusoidal positions, and a GEGLU layer, with a residual around all. They change nothing before they are
    trained.

    Raises ValueError for widths that do not divide into the heads.
    """
    _check_heads(widths, settings)
    return nn.ModuleList(_make_motion_module(width, settings) for width in widths)


def _check_heads(widths: tuple[int, ...], settings: MotionSettings) -> None:
    wrong = [width for width in widths if width % settings.heads]
    if wrong:
        raise ValueError(f"widths {wrong} cannot be divided into the motion modules' {settings.heads} heads.")


def _make_motion_module(channels: int, settings: MotionSettings) -> AnimateDiffTransformer3D:
    module = AnimateDiffTransformer3D(
        num_attention_heads=settings.heads,
        attention_head_dim=channels // settings.heads,
        in_channels=channels,
        positional_embeddings="sinusoidal",
        num_positional_embeddings=settings.positions,
    )
    _start_as_identity(module)
    return module


def _start_as_identity(module: AnimateDiffTransformer3D) -> None:
    """As AnimateDiff does: the last layer is zero, and the norm is of each frame by itself, where diffusers'
    is over all.
    """
    torch.nn.init.zeros_(module.proj_out.weight)
    torch.nn.init.zeros_(module.proj_out.bias)
    norm: nn.GroupNorm = module.norm
    module.norm = PerFrameGroupNorm(norm.num_groups, norm.num_channels, norm.eps)
