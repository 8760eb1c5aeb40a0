"""One denoising step of RealisDance over a video of any length (section 3.1: window shifting), with guidance.

The authors' sampler runs the reference network, and the whole pose guider twice, for every window of every
step. Here what stays the same over a video is given, and both branches of guidance share a window's poses.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from model.diffusion.guidance import guided, needs_unconditional
from model.diffusion.windows import average_windows
from model.realisdance.network import RealisDance
from model.unet.reference_attention import Reference


def predict_video(
    network: RealisDance,
    sample: Float[Tensor, "batch frames 4 height width"],
    timestep: Float[Tensor, "batch"],
    poses: Float[Tensor, "batch frames channels height width"],
    reference: Reference,
    unconditional: Reference,
    scale: float,
    windows: Int[np.ndarray, "windows size"],
    keeps_pose: bool = True,
) -> Float[Tensor, "batch frames 4 height width"]:
    """The guided prediction for noisy latents, the mean of the windows' where they overlap.

    poses, reference, unconditional: what the network's `encode_poses`, `read_reference` and `unconditional`
    gave, once for the video. scale: of guidance. windows: of this step, see `windows.step_windows`.
    keeps_pose: whether the unconditional prediction has the pose too, as the authors' has.
    """
    predictions = []
    for window in windows:
        frames = torch.from_numpy(window).to(sample.device)
        part = sample[:, frames]
        pose = network.guide(poses[:, frames])
        conditional = network.denoise(part, timestep, pose, reference)
        without = None
        if needs_unconditional(scale):
            without = network.denoise(part, timestep, pose if keeps_pose else None, unconditional)
        predictions.append(guided(conditional, without, scale))
    return average_windows(windows, predictions, sample.shape[1])
