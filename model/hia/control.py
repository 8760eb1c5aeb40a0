"""HIA, sections 3 and 3.2: a ControlNet (Zhang et al. 2023) that sees the skeleton and motion blur.

It is diffusers', run on each frame by itself. The paper does not say how the motion-blur condition is fed;
here its planes are further channels of the ControlNet's image.
"""

from __future__ import annotations

from collections.abc import Mapping

from diffusers.models.controlnets.controlnet import ControlNetModel
from jaxtyping import Bool, Float
from torch import Tensor

from model.unet.settings import UNetSettings
from model.unet.walk import Control


def make_controlnet(settings: UNetSettings, condition_channels: int) -> ControlNetModel:
    """An untrained ControlNet for a UNet of these settings, which changes nothing before it is trained."""
    return ControlNetModel(
        block_out_channels=settings.channels,
        attention_head_dim=settings.heads,  # diffusers reads it as the number of heads for this family
        cross_attention_dim=settings.token_width,
        conditioning_channels=condition_channels,
    )


def start_from_unet(controlnet: ControlNetModel, unet: Mapping[str, Tensor]) -> None:
    """Give it the UNet's encoder, as ControlNets start; what it has of its own stays as it is.

    unet: the weights of a UNet of the same settings.
    """
    own = controlnet.state_dict()
    controlnet.load_state_dict(own | {name: weight for name, weight in unet.items() if name in own})


def control_of(
    controlnet: ControlNetModel,
    images: Float[Tensor, "batch frames channels 8*height 8*width"],
    sample: Float[Tensor, "batch frames 4 height width"],
    timestep: Float[Tensor, "batch"],
    tokens: Float[Tensor, "batch tokens width"],
) -> Control:
    """What the ControlNet adds to the UNet for noisy latents at a timestep, with a clip's tokens in each of
    its frames.
    """
    frames = sample.shape[1]
    skips, middle = controlnet(
        sample.flatten(0, 1),
        timestep.repeat_interleave(frames, 0),
        tokens.repeat_interleave(frames, 0),
        images.flatten(0, 1),
        return_dict=False,
    )
    return Control(skips, middle)


def masked(control: Control, kept: Bool[Tensor, "batch"]) -> Control:
    """The same, and zero for the clips of the batch where kept is False."""
    frames = len(control.middle) // len(kept)
    of_frame = kept.repeat_interleave(frames)[:, None, None, None]
    return Control([skip * of_frame for skip in control.skips], control.middle * of_frame)
