"""Spatial attention that also reads a reference image's features (RealisDance, section 2; HIA, section 3).

The reference network is a UNet of the same shape. What enters its self-attentions, the output of `norm1`, is
kept: a bank, one entry for each transformer block. The denoising UNet's self-attentions take keys and values
of both, their own frame's tokens and the reference's. (Magic Animate and Animate Anyone introduced it.)

batch*frames: the frames of all clips, those of a clip in a row. positions: pixels of a feature map.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as nn_functional
from diffusers.models.attention_processor import Attention
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from jaxtyping import Bool, Float
from torch import Tensor

Bank = Mapping[str, Float[Tensor, "batch positions channels"]]
"""From the place of a transformer block in the UNet (`down.0.1`) to what entered its self-attention."""


@dataclass(frozen=True)
class Reference:
    """A reference image as the denoising UNet reads it; the same for every window and step of a video.

    tokens: for cross-attention. bank: for self-attention; None if no image of the batch is to be read.
    kept: which images of the batch are read from the bank; None for all.
    """

    tokens: Float[Tensor, "batch tokens width"]
    bank: Bank | None = None
    kept: Bool[Tensor, "batch"] | None = None


def enter(
    transformer: Transformer2DModel, sample: Float[Tensor, "batch*frames channels height width"]
) -> tuple[
    Float[Tensor, "batch*frames positions channels"], Float[Tensor, "batch*frames positions channels"]
]:
    """The tokens of a feature map, and what enters their self-attention: these, normalised by `norm1`."""
    hidden = transformer.proj_in(transformer.norm(sample)).flatten(2).transpose(1, 2)
    return hidden, transformer.transformer_blocks[0].norm1(hidden)


def spatial_transformer(
    transformer: Transformer2DModel,
    sample: Float[Tensor, "batch*frames channels height width"],
    tokens: Float[Tensor, "batch tokens width"],
    reference: Float[Tensor, "batch other channels"] | None = None,
    kept: Bool[Tensor, "batch"] | None = None,
) -> Float[Tensor, "batch*frames channels height width"]:
    """Stable Diffusion's transformer, in which self-attention reads cat[self, reference].

    All frames of a clip read the clip's tokens and reference. kept: where it is False, the reference is not
    read.
    """
    block = transformer.transformer_blocks[0]
    hidden, normed = enter(transformer, sample)
    hidden = hidden + attend(block.attn1, normed, normed, reference, kept)
    hidden = hidden + attend(block.attn2, block.norm2(hidden), None, tokens)
    hidden = hidden + block.ff(block.norm3(hidden))
    feature_map = hidden.transpose(1, 2).unflatten(2, sample.shape[-2:])
    return sample + transformer.proj_out(feature_map.contiguous())


def attend(
    attention: Attention,
    queries: Float[Tensor, "batch*frames positions channels"],
    own: Float[Tensor, "batch*frames positions channels"] | None,
    shared: Float[Tensor, "batch other width"] | None,
    kept: Bool[Tensor, "batch"] | None = None,
) -> Float[Tensor, "batch*frames positions channels"]:
    """Attention of each frame over its own tokens and those that the frames of its clip share.

    The keys and values of what is shared are computed once for all of a clip's frames. Where kept is False,
    what is shared is masked; `own` must then be given.
    """
    parts = [] if own is None else [(attention.to_k(own), attention.to_v(own))]
    mask = None
    if shared is not None:
        frames = queries.shape[0] // shared.shape[0]
        parts.append(
            (
                attention.to_k(shared).repeat_interleave(frames, 0),
                attention.to_v(shared).repeat_interleave(frames, 0),
            )
        )
        if own is not None and kept is not None:
            read = kept.repeat_interleave(frames)[:, None].expand(-1, shared.shape[1])
            mask = torch.cat([read.new_ones(own.shape[:2]), read], dim=1)[:, None, None]
    keys, values = (torch.cat(each, dim=1) if len(each) > 1 else each[0] for each in zip(*parts, strict=True))
    heads = (attention.heads, -1)
    attended = nn_functional.scaled_dot_product_attention(
        attention.to_q(queries).unflatten(-1, heads).transpose(1, 2),
        keys.unflatten(-1, heads).transpose(1, 2),
        values.unflatten(-1, heads).transpose(1, 2),
        attn_mask=mask,
    )
    return attention.to_out[0](attended.transpose(1, 2).flatten(2))
