"""RoIAlign (He et al., ICCV 2017) without a compiler: Faster R-CNN's look at the features of each region.

As `mmcv.ops.roi_align` defines it, with its mean and as many samples as a region is large.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

_SAMPLES_AT_ONCE = 2**16
"""Bounds the memory, to 64 MiB where features have 256 channels."""


def align_regions(
    features: Float[Tensor, "images channels height width"],
    regions: Float[Tensor, "regions 5"],
    side: int,
    scale: float,
) -> Float[Tensor, "regions channels side side"]:
    """The mean feature of each of the side x side parts of every region.

    A region is the number of its image and a box x0 y0 x1 y1, which `scale` brings to the features; there the
    first pixel's centre is at (0.5, 0.5) (mmcv's `aligned`). Samples are bilinear and at most a pixel apart;
    more than a pixel outside the features they are zero.
    """
    out = features.new_zeros(len(regions), features.shape[1], side, side)
    start = regions[:, 1:3] * scale - 0.5
    part = (regions[:, 3:] - regions[:, 1:3]) * scale / side
    kinds, kind_of = np.unique(
        torch.cat([regions[:, :1], part.ceil()], 1).long().cpu().numpy(), axis=0, return_inverse=True
    )
    for kind, (image, columns, rows) in enumerate(kinds.tolist()):
        if columns < 1 or rows < 1:
            continue
        of_kind = torch.from_numpy(np.flatnonzero(kind_of == kind)).to(features.device)
        for some in torch.split(of_kind, max(1, _SAMPLES_AT_ONCE // (side * side * columns * rows))):
            x = _places(start[some, 0], part[some, 0], side, columns)
            y = _places(start[some, 1], part[some, 1], side, rows)
            sampled = _sampled(features[image], x, y)
            of_parts = sampled.reshape(*sampled.shape[:2], side, rows, side, columns)
            out[some] = of_parts.mean((3, 5)).transpose(0, 1)
    return out


def _places(
    start: Float[Tensor, "n"], part: Float[Tensor, "n"], side: int, samples: int
) -> Float[Tensor, "n places"]:
    """`samples` places in each of the parts of a line that begins at `start`."""
    steps = (torch.arange(side * samples, device=start.device) + 0.5) / samples
    return start[:, None] + steps * part[:, None]


def _sampled(
    features: Float[Tensor, "channels height width"],
    x: Float[Tensor, "n columns"],
    y: Float[Tensor, "n rows"],
) -> Float[Tensor, "channels n rows columns"]:
    """Bilinear samples, where the first pixel's centre is at 0."""
    across, down = (
        (line / max(length - 1, 1) * 2 - 1, (line >= -1) & (line <= length))
        for line, length in ((x, features.shape[2]), (y, features.shape[1]))
    )
    shape = (*y.shape, x.shape[1])
    grid = torch.stack([across[0][:, None].expand(shape), down[0][:, :, None].expand(shape)], -1)
    sampled = functional.grid_sample(
        features[None], grid.flatten(0, 1)[None], padding_mode="border", align_corners=True
    )
    inside = across[1][:, None] & down[1][:, :, None]
    return sampled[0].reshape(-1, *shape) * inside


def roi_align_forward(
    features: Tensor,
    regions: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """mmcv's compiled operator of that name, as mmdet's detectors call it; fills `output`.

    Raises NotImplementedError for what they do not ask for.
    """
    if (aligned_width, sampling_ratio, pool_mode, aligned) != (aligned_height, 0, 1, True):
        raise NotImplementedError(
            "Only the mean over square outputs, aligned and with as many samples as needed, is made here: "
            "this network needs the full mmcv (pip install mmcv==2.1.0 compiles it)."
        )
    output.copy_(align_regions(features, regions, aligned_height, spatial_scale))
