"""HIA, section 3 and figure 2: the whole network, from a reference image and conditions to a prediction.

What hangs on the reference alone is a function of its own, so that a sampler computes it once for a video.
The ControlNet sees the noisy latents too, and runs at every step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from model.conditions import check_conditions, join_conditions
from model.hia.appearance_encoder import make_appearance_encoder
from model.hia.control import control_of, make_controlnet, masked
from model.unet.denoising_unet import DenoisingUNet
from model.unet.frame_norms import FrameNorm
from model.unet.reference_attention import Reference
from model.unet.reference_network import read_reference
from model.unet.settings import MotionSettings, UNetSettings, make_motion_adapter, make_unet
from model.unet.walk import Control


@dataclass(frozen=True)
class HIASettings:
    """The network; the defaults are those of the temporal stages (videos).

    conditions: which a frame is driven by, in the order of the weights, each of three channels;
    ("skeleton",) is the paper's ablation without motion blur. motion: None for the spatial and the regional
    stage's network, of images. frame_norm: the paper does not say; "per_frame" makes a video's frames by
    what the spatial stage learned of images.
    """

    conditions: tuple[str, ...] = ("skeleton", "motion_blur")
    unet: UNetSettings = field(default_factory=UNetSettings)
    motion: MotionSettings | None = field(default_factory=MotionSettings)
    frame_norm: FrameNorm = "per_frame"

    def __post_init__(self) -> None:
        """Raises ValueError if there is no condition, or one is named twice."""
        check_conditions(self.conditions)


class HIA(nn.Module):
    """The network, untrained; `model.hia.pretrained` and `model.hia.checkpoint` give it weights."""

    def __init__(self, settings: HIASettings) -> None:
        super().__init__()
        self.settings = settings
        motion = settings.motion
        self.appearance_encoder = make_appearance_encoder(settings.unet)
        self.controlnet = make_controlnet(settings.unet, 3 * len(settings.conditions))
        self.denoiser = DenoisingUNet(
            make_unet(settings.unet),
            None if motion is None else make_motion_adapter(settings.unet.channels, motion),
            "per_frame" if motion is None else settings.frame_norm,
        )

    def enable_gradient_checkpointing(self) -> None:
        """Train in a fraction of the memory, and slower, in all three networks."""
        self.denoiser.gradient_checkpointing = True
        self.controlnet.enable_gradient_checkpointing()

    def read_reference(
        self,
        latent: Float[Tensor, "batch 4 height width"],
        tokens: Float[Tensor, "batch tokens width"],
    ) -> Reference:
        """The reference image as the UNet reads it. It hangs on no timestep: once per video is enough.

        latent: of the image, scaled as the VAE's are. tokens: see `image_tokens.image_tokens`.
        """
        bank = read_reference(self.appearance_encoder, latent, tokens, self.denoiser.gradient_checkpointing)
        return Reference(tokens, bank)

    def unconditional(self, tokens: Float[Tensor, "batch tokens width"]) -> Reference:
        """What the unconditional branch of guidance has in a reference's place, and, since it has no pose
        either, beside a control of None (section 3.4: "the corresponding control module is deactivated").

        Tokens of zero, as no text is among them that could stand for nothing; no bank. tokens: their like,
        for shape and device.
        """
        return Reference(torch.zeros_like(tokens))

    def guide(
        self,
        conditions: Mapping[str, Float[Tensor, "batch frames 3 8*height 8*width"]],
        sample: Float[Tensor, "batch frames 4 height width"],
        timestep: Float[Tensor, "batch"],
        tokens: Float[Tensor, "batch tokens width"],
    ) -> Control:
        """The features of the pose for noisy latents at a timestep; zero before training.

        conditions: by name, of the size of the video: RGB in [0, 1] of the skeleton, and of motion_blur the
        planes v_x and v_y in (-1, 1) and s in [0, 1) as a dataset gives them (`renderers.motion_blur`).

        Raises ValueError if a condition of the settings is missing, or not of the video's size.
        """
        images = join_conditions(self.settings.conditions, conditions)
        batch, frames, _, height, width = sample.shape
        if (*images.shape[:2], *images.shape[3:]) != (batch, frames, 8 * height, 8 * width):
            raise ValueError(
                f"conditions of {tuple(images.shape)} for latents of {tuple(sample.shape)}: "
                "give as many clips and frames, of 8 times the height and width."
            )
        return control_of(self.controlnet, images, sample, timestep, tokens)

    def denoise(
        self,
        sample: Float[Tensor, "batch frames 4 height width"],
        timestep: Float[Tensor, "batch"],
        control: Control | None,
        reference: Reference,
    ) -> Float[Tensor, "batch frames 4 height width"]:
        """The prediction for noisy latents, from what `guide` and `read_reference` gave, or from None and
        what `unconditional` gave.
        """
        return self.denoiser(sample, timestep, reference, control=control)

    def forward(
        self,
        sample: Float[Tensor, "batch frames 4 height width"],
        timestep: Float[Tensor, "batch"],
        conditions: Mapping[str, Float[Tensor, "batch frames 3 8*height 8*width"]],
        latent: Float[Tensor, "batch 4 height width"],
        tokens: Float[Tensor, "batch tokens width"],
        kept: Bool[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch frames 4 height width"]:
        """All of it, for training. kept: False where reference and pose are dropped, as guidance's
        unconditional branch drops both; None is faster than True for all, since attention then needs no mask.
        """
        if kept is not None:
            tokens = tokens * kept[:, None, None]
        reference = self.read_reference(latent, tokens)
        control = self.guide(conditions, sample, timestep, tokens)
        if kept is not None:
            control = masked(control, kept)
        return self.denoise(sample, timestep, control, replace(reference, kept=kept))
