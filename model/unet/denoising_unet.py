"""The UNet that predicts the noise of a video: Stable Diffusion's layers, a reference, and motion modules.

RealisDance, section 2 (main UNet); HIA, section 3. Without motion modules it is the network of images that
both papers train first; a clip's frames are then independent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D, MotionAdapter
from jaxtyping import Float
from torch import Tensor, nn

from model.unet.frame_norms import FrameNorm, group_norm, resnet_block
from model.unet.reference_attention import Reference, spatial_transformer
from model.unet.settings import check_frames
from model.unet.walk import Control, embed_time, walk


class DenoisingUNet(nn.Module):
    """A UNet of Stable Diffusion's with motion modules beside its layers.

    motion: None for images. frame_norm: how the ResNet blocks normalise; RealisDance's released weights need
    "shared". gradient_checkpointing: keep only the layers' inputs for the backward pass, which is slower and
    takes a fraction of the memory.
    """

    def __init__(
        self, unet: UNet2DConditionModel, motion: MotionAdapter | None, frame_norm: FrameNorm = "per_frame"
    ) -> None:
        super().__init__()
        if frame_norm not in get_args(FrameNorm):
            raise ValueError(f"frame_norm {frame_norm!r}: choose from {', '.join(get_args(FrameNorm))}.")
        self.unet = unet
        self.motion = motion
        self.frame_norm = frame_norm
        self.gradient_checkpointing = False

    def forward(
        self,
        sample: Float[Tensor, "batch frames 4 height width"],
        timestep: Float[Tensor, "batch"],
        reference: Reference,
        pose: Sequence[Float[Tensor, "batch frames _ _ _"]] | None = None,
        control: Control | None = None,
    ) -> Float[Tensor, "batch frames 4 height width"]:
        """The prediction (of noise or velocity, as it was trained) for noisy latents at a timestep in 0..999.

        pose: features to add to the output of conv_in and of each level. control: a ControlNet's features.

        Raises ValueError for more frames than the motion modules have positions, and for inputs that are not
        of the sample's batch and frames.
        """
        batch, frames = sample.shape[:2]
        if self.motion is not None:
            check_frames(frames, self.motion.config["motion_max_seq_length"])
        _check_sizes(batch, frames, timestep, reference, pose or ())
        layer = _Denoising(
            embed_time(self.unet, timestep, frames, sample.dtype),
            reference,
            frames,
            frames if self.frame_norm == "shared" else 1,
            {} if self.motion is None else _by_place(self.motion),
        )
        hidden, _ = walk(
            self.unet,
            sample.flatten(0, 1),
            layer,
            None if pose is None else [features.flatten(0, 1) for features in pose],
            control,
            self.gradient_checkpointing,
        )
        normed = group_norm(self.unet.conv_norm_out, hidden, layer.normed_frames)
        return self.unet.conv_out(self.unet.conv_act(normed)).unflatten(0, (-1, frames))


def _check_sizes(
    batch: int, frames: int, timestep: Tensor, reference: Reference, pose: Sequence[Tensor]
) -> None:
    sizes: list[tuple[str, tuple[int, ...], tuple[int, ...]]]
    sizes = [("timestep", timestep.shape, (batch,)), ("tokens", reference.tokens.shape[:1], (batch,))]
    bank = reference.bank or {}
    sizes += [(f"bank at {place}", entry.shape[:1], (batch,)) for place, entry in bank.items()]
    sizes += [(f"pose {level}", features.shape[:2], (batch, frames)) for level, features in enumerate(pose)]
    if reference.kept is not None:
        sizes.append(("kept", reference.kept.shape, (batch,)))
        if reference.kept.dtype != torch.bool:
            raise ValueError(f"kept is of {reference.kept.dtype}: give True or False for each clip.")
    wrong = [f"{name} is of {tuple(has)}, not {wanted}" for name, has, wanted in sizes if has != wanted]
    if wrong:
        raise ValueError(f"for {batch} clips of {frames} frames: {'; '.join(wrong)}.")


def _by_place(motion: MotionAdapter) -> Mapping[str, AnimateDiffTransformer3D]:
    modules = {
        f"{part}.{level}.{index}": module
        for part, blocks in (("down", motion.down_blocks), ("up", motion.up_blocks))
        for level, block in enumerate(blocks)
        for index, module in enumerate(block.motion_modules)
    }
    if motion.mid_block is not None:
        modules["mid.0.0"] = motion.mid_block.motion_modules[0]
    return modules


@dataclass(frozen=True)
class _Denoising:
    time: Float[Tensor, "batch*frames time"]
    reference: Reference
    frames: int
    normed_frames: int
    motion_modules: Mapping[str, AnimateDiffTransformer3D]

    def resnet(self, sample: Tensor, block: ResnetBlock2D) -> Tensor:
        return resnet_block(block, sample, self.time, self.normed_frames)

    def transformer(self, sample: Tensor, transformer: Transformer2DModel, place: str) -> tuple[Tensor, None]:
        bank = self.reference.bank
        entry = None if bank is None else bank[place]
        tokens, kept = self.reference.tokens, self.reference.kept
        return spatial_transformer(transformer, sample, tokens, entry, kept), None

    def motion(self, sample: Tensor, place: str) -> Tensor:
        if place not in self.motion_modules:
            return sample
        return self.motion_modules[place](sample, num_frames=self.frames)
