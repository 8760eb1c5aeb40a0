"""The network that reads the reference image: a UNet of which only what enters its self-attentions is used.

RealisDance, section 2 (reference UNet); HIA, section 3 (appearance encoder).
"""

from __future__ import annotations

from dataclasses import dataclass

from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from jaxtyping import Float
from torch import Tensor

from model.unet.reference_attention import Bank, enter, spatial_transformer
from model.unet.walk import embed_time, walk

_LAST = "up_blocks.3.attentions.2"

NOT_READ = (
    *(f"{_LAST}.transformer_blocks.0.{name}" for name in ("attn1", "norm2", "attn2", "norm3", "ff")),
    f"{_LAST}.proj_out",
    "conv_norm_out",
    "conv_out",
)
"""Parts of a whole UNet that come after its last `norm1`, and never run here."""


def read_reference(
    unet: UNet2DConditionModel,
    latent: Float[Tensor, "batch 4 height width"],
    tokens: Float[Tensor, "batch tokens width"],
    gradient_checkpointing: bool = False,
) -> Bank:
    """Run the UNet at timestep 0 up to its last self-attention, and keep what enters each.

    latent: of the reference image, as the VAE encodes it (scaled, without noise).
    """
    last = f"up.{len(unet.up_blocks) - 1}.{len(unet.up_blocks[-1].resnets) - 1}"
    time = embed_time(unet, latent.new_zeros(len(latent)), 1, latent.dtype)
    recording = _Recording(time, tokens, last)
    return walk(unet, latent, recording, gradient_checkpointing=gradient_checkpointing)[1]


@dataclass(frozen=True)
class _Recording:
    time: Float[Tensor, "batch time"]
    tokens: Float[Tensor, "batch tokens width"]
    last: str

    def resnet(self, sample: Tensor, block: ResnetBlock2D) -> Tensor:
        return block(sample, self.time)

    def transformer(
        self, sample: Tensor, transformer: Transformer2DModel, place: str
    ) -> tuple[Tensor, Tensor]:
        _, entered = enter(transformer, sample)
        if place == self.last:
            return sample, entered
        return spatial_transformer(transformer, sample, self.tokens), entered

    def motion(self, sample: Tensor, place: str) -> Tensor:
        return sample
