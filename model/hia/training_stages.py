"""HIA, section 3.3 and appendix A.5: the four stages of training, and which parts of the network each trains.

All use Adam. The paper's ablations (section 4.2) leave out `REGIONAL`, or have it train what `SPATIAL` does,
or leave out `TEMPORAL_HALF`, so that training is not progressive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from torch import nn

from model.diffusion.prediction import REGIONAL_TIMESTEPS
from model.hia.network import HIA

Part = Literal["appearance_encoder", "controlnet", "unet", "temporal_layers"]


@dataclass(frozen=True)
class TrainingStage:
    """What a stage trains, and on what.

    trains: the other parts are frozen. iterations: steps of training. batch: images, or clips where temporal
    layers are trained, over all GPUs; accumulation: how many batches make up one update. (That the paper's 32
    are those of one of the 4 batches is a reading.) resolution: of each side of the images, 1 for 512x896.
    timesteps: the noise's; None: all of the schedule's. regional_losses: on face and hands of the decoded
    image. static_images: whether some clips are one image repeated, as in MagicAnimate.
    """

    trains: tuple[Part, ...]
    iterations: int
    batch: int
    accumulation: int = 1
    resolution: float = 1.0
    timesteps: range | None = None
    regional_losses: bool = False
    static_images: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError if the stage trains nothing, or what is no part of the network."""
        parts = get_args(Part)
        if not self.trains or not set(self.trains) <= set(parts):
            raise ValueError(f"a stage that trains {self.trains}: give one or more of {', '.join(parts)}.")


SPATIAL = TrainingStage(
    trains=("appearance_encoder", "controlnet", "unet"), iterations=35_000, batch=32, accumulation=4
)

REGIONAL = TrainingStage(
    trains=("appearance_encoder",),
    iterations=4_000,
    batch=32,
    accumulation=4,
    timesteps=REGIONAL_TIMESTEPS,
    regional_losses=True,
)
"""The UNet is frozen so that it does not forget the later timesteps, which this stage never sees."""

TEMPORAL_HALF = TrainingStage(trains=("temporal_layers",), iterations=20_000, batch=8, resolution=0.5)

TEMPORAL_FULL = TrainingStage(trains=("temporal_layers",), iterations=1_000, batch=8, static_images=True)
"""Static images keep the temporal layers from learning what frames look like."""

STAGES = {
    "spatial": SPATIAL,
    "regional": REGIONAL,
    "temporal_half": TEMPORAL_HALF,
    "temporal_full": TEMPORAL_FULL,
}
"""In the order of training."""


def freeze_others(network: HIA, stage: TrainingStage) -> list[nn.Parameter]:
    """Freeze what the stage does not train, and unfreeze what it does, which is returned for the optimiser.

    Raises ValueError if the stage trains temporal layers and the network has none.
    """
    parts: dict[Part, nn.Module | None] = {
        "appearance_encoder": network.appearance_encoder,
        "controlnet": network.controlnet,
        "unet": network.denoiser.unet,
        "temporal_layers": network.denoiser.motion,
    }
    network.requires_grad_(False)
    for name in stage.trains:
        part = parts[name]
        if part is None:
            raise ValueError(f"the stage trains {name}, and the network has none: give HIASettings a motion.")
        part.requires_grad_(True)
    return [parameter for parameter in network.parameters() if parameter.requires_grad]
