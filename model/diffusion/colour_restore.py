"""Colour restore, the last step of RealisDance's released sampling: each colour channel of the finished video
is given the mean and the spread that it has in the reference image.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

_FLAT = 1e-6
"""A channel whose spread is below this share of the value range is of one value but for float32's rounding,
which must not be scaled up. (The released bound, 1e-10, is less than that rounding.)"""


def restore_colours(
    video: Float[Tensor, "batch frames 3 height width"],
    reference: Float[Tensor, "batch 3 reference_height reference_width"],
    value_range: tuple[float, float] = (-1.0, 1.0),
) -> Float[Tensor, "batch frames 3 height width"]:
    """The video in the reference's colours, float32, clipped to `value_range`, which is that of both inputs:
    (-1, 1) as the VAE gives them, or (0, 1).

    Means and standard deviations (those of the population) are over all frames at once, so that the frames'
    differences in brightness remain. A channel of one value becomes the reference's mean.

    Raises ValueError for whole numbers, which are in neither range.
    """
    if not (video.is_floating_point() and reference.is_floating_point()):
        raise ValueError(
            f"video and reference are of {video.dtype} and {reference.dtype}: give both as floats in the "
            f"range {value_range}"
        )
    low, high = value_range
    video, reference = video.float().clamp(low, high), reference.float().clamp(low, high)
    spread, mean = torch.std_mean(video, dim=(1, 3, 4), correction=0, keepdim=True)
    reference_spread, reference_mean = torch.std_mean(
        reference[:, None], dim=(1, 3, 4), correction=0, keepdim=True
    )
    gain = torch.where(spread > _FLAT * (high - low), reference_spread / spread, 0)
    return ((video - mean) * gain + reference_mean).clamp(low, high)
