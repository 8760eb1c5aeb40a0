"""SimCC (Li et al., ECCV 2022): a point's place as a distribution over x and another over y.

Dimension names: crops, points 133, columns and rows: SPLIT to a pixel.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from renderers.wholebody import FLIP

SPLIT = 2
"""Columns and rows to a pixel of the crop, in every published network."""


def decode_simcc(
    x: Float[Tensor, "crops points columns"], y: Float[Tensor, "crops points rows"]
) -> tuple[Float[Tensor, "crops points 2"], Float[Tensor, "crops points"]]:
    """The peaks: places in pixels of the crop, and the lower of the two maxima as their score.

    A score is the networks' own number, mostly in [0, 1]. A point whose score is not positive was not found;
    as in mmpose its place is then half a pixel outside the crop's upper left corner.
    """
    highest_x, column = x.max(dim=-1)
    highest_y, row = y.max(dim=-1)
    score = torch.minimum(highest_x, highest_y)
    place = torch.stack([column, row], dim=-1).float()
    return torch.where((score > 0)[..., None], place, -1.0) / SPLIT, score


def unmirrored(
    x: Float[Tensor, "crops points columns"], y: Float[Tensor, "crops points rows"]
) -> tuple[Float[Tensor, "crops points columns"], Float[Tensor, "crops points rows"]]:
    """The distributions of mirrored crops, as they lie in the crops themselves."""
    mirror = torch.tensor(FLIP, device=x.device)
    return x[:, mirror].flip(-1), y[:, mirror]
