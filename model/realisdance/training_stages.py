"""RealisDance, section 2 (pose shuffle augmentation) and section 3.1: the two stages of training.

The paper's word is the default; where the authors' code differs, its settings are a stage of their own name.
Both: AdamW (0.9, 0.999), weight decay 1e-2, eps 1e-8, gradients clipped at 1, a constant rate after 5,000
steps of warm-up; images of 768x576, prediction of v, zero-terminal SNR, min-SNR weights with gamma 5.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from torch import nn

from model.diffusion.pose_shuffle import Form
from model.realisdance.network import RealisDance
from model.unet.reference_network import NOT_READ


@dataclass(frozen=True)
class TrainingStage:
    """What a stage trains, and on what.

    trains: all but the motion modules, or these alone, the main UNet's and the pose guider's. iterations:
    steps. batch: images or clips on each GPU. frames: of a clip; 1 for images. learning_rate: of AdamW.
    dropped: share of the samples whose reference is dropped, for guidance. shuffled: share of the clips whose
    poses are shuffled, and the form of it.
    """

    trains: Literal["all_but_motion_modules", "motion_modules"]
    iterations: int
    batch: int
    frames: int
    learning_rate: float
    dropped: float
    shuffled: float = 0.0
    shuffle_form: Form = "swap"


IMAGES = TrainingStage("all_but_motion_modules", 200_000, batch=5, frames=1, learning_rate=5e-5, dropped=1e-2)

VIDEOS = TrainingStage(
    "motion_modules", 100_000, batch=1, frames=16, learning_rate=5e-5, dropped=1e-2, shuffled=5e-2
)
"""Every fourth frame of a video at 30 frames a second or so. Motion modules start as AnimateDiff's."""

STAGES = {
    "images": IMAGES,
    "videos": VIDEOS,
    "released_images": replace(IMAGES, learning_rate=1e-5, dropped=0.0),
    "released_videos": replace(VIDEOS, learning_rate=1e-5, dropped=0.0, shuffle_form="released"),
}
"""By name; the released ones are those of the authors' code."""


def freeze_others(network: RealisDance, stage: TrainingStage) -> list[nn.Parameter]:
    """Freeze what the stage does not train, and unfreeze what it does, which is returned for the optimiser.

    Raises ValueError if the stage trains motion modules and the network has none.
    """
    motion = [
        part for part in (network.denoiser.motion, network.pose_guider.motion_modules) if part is not None
    ]
    trains_motion = stage.trains == "motion_modules"
    if trains_motion and not motion:
        raise ValueError(
            "the stage trains motion modules, and the network has none: give RealisDanceSettings a motion."
        )
    network.requires_grad_(not trains_motion)
    for part in motion:
        part.requires_grad_(trains_motion)
    for name in NOT_READ:  # else training in parallel waits for gradients that never come
        network.reference_network.get_submodule(name).requires_grad_(False)
    return [parameter for parameter in network.parameters() if parameter.requires_grad]
