"""Where the face and the hands are, as masks M_face and M_hand of HIA's regional losses (Xu et al., 2024,
section 3.1, equation 1), from the 133 keypoints of a frame.

The paper does not say what the masks' shape is. Here a region is the smallest box around the points that
count, with a margin; both hands are one mask. A pixel belongs to a region if any part of it does, at every
size. So masks are 0 or 1, the mask at latent size is the largest value of each 8x8 pixels of the one at image
size, and a hand of a few pixels is not lost.

Dimension names: points 133 (COCO-WholeBody).
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from model.diffusion.losses import at_least_float32
from renderers.wholebody import FACE, LEFT_HAND, RIGHT_HAND

CONFIDENCE_THRESHOLD = 0.3
"""A point counts from this confidence on: what the skeleton is drawn with."""

MARGIN = 0.125
"""Added on all four sides, in units of the box's longer side: room for the flesh around a hand's joints, and
for the ears and a part of the forehead. A square box becomes 1.25 times as wide."""

FEWEST_POINTS = 0.25
"""Share of a region's points that must count. Fewer do not tell how far a face or a hand reaches."""


def face_mask(
    keypoints: Float[Tensor, "*batch 133 2"],
    confidence: Float[Tensor, "*batch 133"],
    size: tuple[int, int],
    source_size: tuple[int, int],
    threshold: float = CONFIDENCE_THRESHOLD,
) -> Float[Tensor, "*batch 1 height width"]:
    """M_face: 1 where the face is, 0 elsewhere, of `size` (height, width); all 0 where no face was found.

    keypoints are in pixels of a frame of `source_size` (height, width), confidence is in [0, 1]. For the mask
    at latent size, give the latent's height and width.
    """
    return _mask(keypoints, confidence, (FACE,), size, source_size, threshold)


def hand_mask(
    keypoints: Float[Tensor, "*batch 133 2"],
    confidence: Float[Tensor, "*batch 133"],
    size: tuple[int, int],
    source_size: tuple[int, int],
    threshold: float = CONFIDENCE_THRESHOLD,
) -> Float[Tensor, "*batch 1 height width"]:
    """M_hand: 1 where either hand is, 0 elsewhere; given and returned as by `face_mask`."""
    return _mask(keypoints, confidence, (LEFT_HAND, RIGHT_HAND), size, source_size, threshold)


def checked_keypoints(
    keypoints: Float[Tensor, "*batch 133 2"], confidence: Float[Tensor, "*batch 133"]
) -> Float[Tensor, "*batch 133 2"]:
    """The keypoints in float32 at least, as half precision tells no pixels of a large frame apart. Raises
    ValueError for other shapes.
    """
    if keypoints.shape[-2:] != (133, 2) or confidence.shape != keypoints.shape[:-1]:
        raise ValueError(
            f"keypoints and confidence are of shapes {tuple(keypoints.shape)} and {tuple(confidence.shape)}, "
            "not (..., 133, 2) and (..., 133): give the arrays of poses.npz"
        )
    return at_least_float32(keypoints)


def _mask(
    keypoints: Float[Tensor, "*batch 133 2"],
    confidence: Float[Tensor, "*batch 133"],
    parts: tuple[slice, ...],
    size: tuple[int, int],
    source_size: tuple[int, int],
    threshold: float,
) -> Float[Tensor, "*batch 1 height width"]:
    keypoints = checked_keypoints(keypoints, confidence)
    (height, width), (source_height, source_width) = size, source_size
    scale = keypoints.new_tensor((width / source_width, height / source_height))
    counted = (confidence >= threshold) & keypoints.isfinite().all(-1)
    covered = torch.stack([_covered(keypoints[..., p, :], counted[..., p], scale, size) for p in parts])
    return covered.any(0).to(keypoints.dtype)[..., None, :, :]


def _covered(
    points: Float[Tensor, "*batch points 2"],
    counted: Bool[Tensor, "*batch points"],
    scale: Float[Tensor, "2"],
    size: tuple[int, int],
) -> Bool[Tensor, "*batch height width"]:
    """Which pixels the box around the points reaches into. Pixel i reaches from i to i + 1."""
    # Where none counts, low is infinite and high minus infinite, and the box reaches into nothing.
    low = points.where(counted[..., None], torch.inf).amin(-2)
    high = points.where(counted[..., None], -torch.inf).amax(-2)
    margin = MARGIN * (high - low).amax(-1, keepdim=True)
    low, high = scale * (low - margin), scale * (high + margin)
    across, down = (
        (pixel < high[..., axis, None]) & (pixel + 1 > low[..., axis, None])
        for axis, pixel in enumerate(torch.arange(side, device=points.device) for side in size[::-1])
    )
    known = counted.sum(-1) >= FEWEST_POINTS * counted.shape[-1]
    return known[..., None, None] & down[..., :, None] & across[..., None, :]
