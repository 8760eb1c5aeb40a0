"""What SMPLer-X computes without weights: positions from heat maps, features at places, regions of a map.

Dimension names: b images, j joints, n points, c channels. Positions are in pixels of the map they are on,
the first pixel's centre being 0, and in float32 whatever the network runs in: a pixel of a body's heat map
is ten centimetres and more of the person.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from extractors.vision_transformer import HEIGHT, WIDTH

FOCAL = 5000.0
"""Focal length of the camera that looks at the encoder's image, in its pixels."""

_FAR = math.sqrt(FOCAL * FOCAL * 2.5 * 2.5 / (HEIGHT * WIDTH))
"""The largest distance, in metres: where 2.5 m are as long as the image's mean side."""

_MOST_SAMPLES = 8
"""Samples of a region's pixel along either axis: enough for a box twice as high as the map of hands."""


def soft_argmax(
    scores: Float[Tensor, "b j *size"],
) -> tuple[Float[Tensor, "b j *size"], Float[Tensor, "b j axes"]]:
    """The probability of every place of a 2D or 3D heat map, and the mean place, as x, y (and z)."""
    probability = scores.float().flatten(2).softmax(2).reshape(scores.shape)
    axes = range(2, scores.ndim)
    means = []
    for axis in reversed(axes):
        along = probability.sum([other for other in axes if other != axis])
        means.append((along * torch.arange(along.shape[2], device=scores.device)).sum(2))
    return probability, torch.stack(means, 2)


def features_at(
    features: Float[Tensor, "b c height width"], places: Float[Tensor, "b n 2"]
) -> Float[Tensor, "b n c"]:
    """Features at places x, y, bilinear; zero outside the map."""
    height, width = features.shape[2:]
    x, y = places.float().unbind(2)
    grid = torch.stack([x / (width - 1), y / (height - 1)], 2) * 2 - 1
    sampled = functional.grid_sample(features.float(), grid[:, None], align_corners=True)
    return sampled[:, :, 0].transpose(1, 2)


def square_boxes(
    centre: Float[Tensor, "b 2"], size: Float[Tensor, "b 2"], extension: float, unit: float
) -> Float[Tensor, "b 4"]:
    """Square boxes x0 y0 x1 y1 around the centres, `extension` times the larger of width and height.

    unit: how many pixels of the boxes are one of the centres and sizes.
    """
    half = size.float().amax(1, keepdim=True) * (extension * unit / 2)
    middle = centre.float() * unit
    return torch.cat([middle - half, middle + half], 1)


def regions(
    features: Float[Tensor, "b c height width"], boxes: Float[Tensor, "b 4"], side: int
) -> Float[Tensor, "b c side side"]:
    """One box of each image's map, as RoIAlign (He et al., ICCV 2017) with aligned=False, sampling_ratio=0.

    Boxes are x0 y0 x1 y1, at least one pixel large. The mean of bilinear samples at most a pixel apart is
    the same along rows as along columns, hence two matrices. Of boxes larger than 8 pixels times `side`, the
    samples are further apart.
    """
    height, width = features.shape[2:]
    rows = _line_weights(boxes[:, 1], boxes[:, 3], side, height)
    columns = _line_weights(boxes[:, 0], boxes[:, 2], side, width)
    with torch.autocast(features.device.type, enabled=False):
        return torch.einsum("bih,bchw,bjw->bcij", rows, features.float(), columns)


def _line_weights(
    start: Float[Tensor, "b"], end: Float[Tensor, "b"], bins: int, length: int
) -> Float[Tensor, "b bins length"]:
    """How much of each pixel of a line is in each bin of the part from start to end."""
    step = ((end - start).float().clamp(min=1) / bins)[:, None, None]
    samples = step.ceil().clamp(max=_MOST_SAMPLES)
    bin_number, sample = (torch.arange(n, device=start.device) for n in (bins, _MOST_SAMPLES))
    places = start[:, None, None] + (bin_number[:, None] + (sample + 0.5) / samples) * step
    counted = (sample < samples) & (places >= -1) & (places <= length)
    pixels = torch.arange(length, device=start.device)
    near = (1 - (places.clamp(0, length - 1)[..., None] - pixels).abs()).clamp(min=0)
    return (near * counted[..., None]).sum(2) / samples


def camera_translation(numbers: Float[Tensor, "b 3"]) -> Float[Tensor, "b 3"]:
    """Where the body is, in metres in the axes of the camera: x and y as given, z from 0 to 56.4."""
    numbers = numbers.float()
    return torch.cat([numbers[:, :2], numbers[:, 2:].sigmoid() * _FAR], 1)
