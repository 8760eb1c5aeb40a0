"""RealisDance, section 2 and figure 3: the whole network, from a reference image and poses to a prediction.

What hangs on the reference alone and what hangs on the poses alone are functions of their own, so that a
sampler computes them once and not at every step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from model.conditions import check_conditions, join_conditions
from model.realisdance.image_tokens import TokenProjector
from model.realisdance.pose_guider import PoseGuider
from model.unet.denoising_unet import DenoisingUNet
from model.unet.frame_norms import FrameNorm
from model.unet.reference_attention import Reference
from model.unet.reference_network import read_reference
from model.unet.settings import MotionSettings, UNetSettings, make_motion_adapter, make_unet


@dataclass(frozen=True)
class RealisDanceSettings:
    """The network; the defaults are the released one's second stage (videos).

    conditions: which a frame is driven by, in the order of the weights. motion: None is the first stage's
    network, of images. frame_norm: the released weights need "shared". feature_width: of the image features,
    1024 of DINOv2-large.
    """

    conditions: tuple[str, ...] = ("skeleton", "hands", "smpl_cs")
    unet: UNetSettings = field(default_factory=UNetSettings)
    motion: MotionSettings | None = field(default_factory=MotionSettings)
    frame_norm: FrameNorm = "shared"
    feature_width: int = 1024

    def __post_init__(self) -> None:
        """Raises ValueError if there is no condition, or one is named twice."""
        check_conditions(self.conditions)


class RealisDance(nn.Module):
    """The network, untrained; `model.realisdance.checkpoint` gives it weights."""

    def __init__(self, settings: RealisDanceSettings) -> None:
        super().__init__()
        self.settings = settings
        channels = settings.unet.channels
        motion = settings.motion
        self.projector = TokenProjector(settings.feature_width, settings.unet.token_width)
        self.reference_network = make_unet(settings.unet)
        self.pose_guider = PoseGuider(len(settings.conditions), channels, motion)
        self.denoiser = DenoisingUNet(
            make_unet(settings.unet),
            None if motion is None else make_motion_adapter(channels, motion),
            "per_frame" if motion is None else settings.frame_norm,
        )

    def enable_gradient_checkpointing(self) -> None:
        """Train in a fraction of the memory, and slower, in both UNets and the encoders of the poses."""
        self.denoiser.gradient_checkpointing = True
        self.pose_guider.gradient_checkpointing = True

    def read_reference(
        self,
        latent: Float[Tensor, "batch 4 height width"],
        features: Float[Tensor, "batch tokens features"],
    ) -> Reference:
        """The reference image as the main UNet reads it. It hangs on no timestep: once per video is enough.

        latent: of the image, scaled as the VAE's are. features: see `image_tokens.image_features`.
        """
        tokens = self.projector(features)
        bank = read_reference(self.reference_network, latent, tokens, self.denoiser.gradient_checkpointing)
        return Reference(tokens, bank)

    def unconditional(self, features: Float[Tensor, "batch tokens features"]) -> Reference:
        """What the unconditional branch of guidance has in a reference's place: features that are zero, and
        no bank. features: their like, for shape and device.

        As all tokens of such features are the same, attention to one of them is attention to all.
        """
        return Reference(self.projector(torch.zeros_like(features[:, :1])))

    def encode_poses(
        self, conditions: Mapping[str, Float[Tensor, "batch frames 3 8*height 8*width"]]
    ) -> Float[Tensor, "batch frames channels height width"]:
        """The poses of a video, frame by frame. They hang on nothing else: once per video is enough.

        conditions: by name, RGB in [0, 1], of the size of the video.

        Raises ValueError if a condition of the settings is missing.
        """
        return self.pose_guider.encode(join_conditions(self.settings.conditions, conditions))

    def guide(
        self, poses: Float[Tensor, "batch frames channels height width"]
    ) -> list[Float[Tensor, "batch frames _ _ _"]]:
        """The features of the poses of a clip, smoothed over its frames, for every step and both branches of
        guidance. poses: from `encode_poses`, of as many frames as the motion modules have positions.
        """
        return self.pose_guider(poses)

    def denoise(
        self,
        sample: Float[Tensor, "batch frames 4 height width"],
        timestep: Float[Tensor, "batch"],
        pose: Sequence[Float[Tensor, "batch frames channels _ _"]] | None,
        reference: Reference,
    ) -> Float[Tensor, "batch frames 4 height width"]:
        """The prediction for noisy latents, from what `guide` (None: no pose) and `read_reference` gave."""
        return self.denoiser(sample, timestep, reference, pose)

    def forward(
        self,
        sample: Float[Tensor, "batch frames 4 height width"],
        timestep: Float[Tensor, "batch"],
        conditions: Mapping[str, Float[Tensor, "batch frames 3 _ _"]],
        latent: Float[Tensor, "batch 4 height width"],
        features: Float[Tensor, "batch tokens features"],
        kept: Bool[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch frames 4 height width"]:
        """All of it, for training. kept: False where the reference is dropped, as guidance's unconditional
        branch drops it; None is faster than True for all, since attention then needs no mask.
        """
        if kept is not None:
            features = features * kept[:, None, None]
        reference = self.read_reference(latent, features)
        return self.denoise(
            sample, timestep, self.guide(self.encode_poses(conditions)), replace(reference, kept=kept)
        )
