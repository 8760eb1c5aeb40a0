"""The way through a UNet of Stable Diffusion 1.5: what follows what, and where guidance is added.

diffusers' UNet holds the blocks; here they are called layer by layer, since the papers reach into each layer:
to record or read a reference, to add motion modules, to add the features of poses.

batch*frames: the frames of all clips, those of a clip in a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint


class Layer(Protocol):
    """What a network does in each layer of the UNet. place: the layer's, such as `down.0.1` or `mid.0.0`."""

    def resnet(self, sample: Tensor, block: ResnetBlock2D) -> Tensor: ...

    def transformer(
        self, sample: Tensor, transformer: Transformer2DModel, place: str
    ) -> tuple[Tensor, Tensor | None]:
        """Its output, and what of it is to be kept, if anything."""
        ...

    def motion(self, sample: Tensor, place: str) -> Tensor: ...


@dataclass(frozen=True)
class Control:
    """What a ControlNet adds: to each skip connection, in their order, and to the middle block's output."""

    skips: Sequence[Float[Tensor, "batch*frames _ _ _"]]
    middle: Float[Tensor, "batch*frames _ _ _"]


def embed_time(
    unet: UNet2DConditionModel, timestep: Float[Tensor, "batch"], frames: int, dtype: torch.dtype
) -> Float[Tensor, "batch*frames time"]:
    """The embedding of each clip's timestep, once for each of its frames."""
    return unet.time_embedding(unet.time_proj(timestep).to(dtype)).repeat_interleave(frames, 0)


def walk(
    unet: UNet2DConditionModel,
    sample: Float[Tensor, "batch*frames 4 height width"],
    layer: Layer,
    pose: Sequence[Float[Tensor, "batch*frames _ _ _"]] | None = None,
    control: Control | None = None,
    gradient_checkpointing: bool = False,
) -> tuple[Float[Tensor, "batch*frames channels height width"], dict[str, Tensor]]:
    """All of the UNet but its last norm and convolution; and by its place what each layer keeps.

    pose: one feature map for the output of conv_in, and one for each level's output (RealisDance, section 2).
    Each is added before the output becomes a skip connection, so that the decoder sees it too.
    """

    def run(
        place: str,
        sample: Tensor,
        skip: Tensor | None,
        resnet: ResnetBlock2D,
        transformer: Transformer2DModel | None,
    ) -> tuple[Tensor, Tensor | None]:
        sample = layer.resnet(sample if skip is None else torch.cat([sample, skip], dim=1), resnet)
        keeps = None
        if transformer is not None:
            sample, keeps = layer.transformer(sample, transformer, place)
        return layer.motion(sample, place), keeps

    kept = {}

    def call(place: str, *arguments: Any) -> Tensor:
        if gradient_checkpointing and torch.is_grad_enabled():
            sample, keeps = checkpoint(run, place, *arguments, use_reentrant=False)
        else:
            sample, keeps = run(place, *arguments)
        if keeps is not None:
            kept[place] = keeps
        return sample

    sample = unet.conv_in(sample)
    if pose is not None:
        sample = sample + pose[0]
    skips = [sample]
    for level, block in enumerate(unet.down_blocks):
        for index, (resnet, transformer) in enumerate(_pairs(block)):
            sample = call(f"down.{level}.{index}", sample, None, resnet, transformer)
            skips.append(sample)
        if block.downsamplers is not None:
            sample = block.downsamplers[0](sample)
            skips.append(sample)
        if pose is not None:
            sample = sample + pose[level + 1]
            skips[-1] = sample
    if control is not None:
        skips = [skip + added for skip, added in zip(skips, control.skips, strict=True)]

    middle = unet.mid_block
    sample = call("mid.0.0", sample, None, middle.resnets[0], middle.attentions[0])
    sample = layer.resnet(sample, middle.resnets[1])
    if control is not None:
        sample = sample + control.middle

    for level, block in enumerate(unet.up_blocks):
        for index, (resnet, transformer) in enumerate(_pairs(block)):
            sample = call(f"up.{level}.{index}", sample, skips.pop(), resnet, transformer)
        if block.upsamplers is not None:
            sample = block.upsamplers[0](sample, output_size=skips[-1].shape[-2:])
    return sample, kept


def _pairs(block: Any) -> list[tuple[ResnetBlock2D, Transformer2DModel | None]]:
    """A block's ResNet blocks, each with the transformer that follows it, if its level has any."""
    attentions = getattr(block, "attentions", [None] * len(block.resnets))
    return list(zip(block.resnets, attentions, strict=True))
