"""Rotations in the forms that pose networks give them in: six numbers, matrices, axis-angles in radians.

Six numbers are two columns of a matrix that need be neither unit nor orthogonal (Zhou et al., CVPR 2019).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

_FEW = 1e-6
"""Below this, the last element of a matrix's diagonal does not choose the branch: torchgeometry's own."""


def columns_to_matrix(six: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Matrices from their first column, then their second: HaMeR's layout."""
    return _orthonormal(six[..., :3], six[..., 3:])


def interleaved_to_matrix(six: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Matrices from their first two columns, row by row: SMPLer-X's layout."""
    return _orthonormal(six[..., 0::2], six[..., 1::2])


def matrix_to_axis_angle(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Axis times angle, of angles in [0, pi]; zero where a matrix is not finite.

    By way of quaternions, as torchgeometry 0.1.2 does: at half a turn, where an axis and its opposite mean
    the same, the choice between them is the one that SMPLer-X's released numbers were made with.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = (row.unbind(-1) for row in matrix.unbind(-2))
    turned = zz < _FEW
    by_x, by_y, by_z = turned & (xx > yy), turned & ~(xx > yy), ~turned & (xx < -yy)
    # Four times the quaternion (real part first) times that of its parts which is the divisor's root.
    forms = (
        (by_x, (zy - yz, 1 + xx - yy - zz, yx + xy, xz + zx)),
        (by_y, (xz - zx, yx + xy, 1 - xx + yy - zz, zy + yz)),
        (by_z, (yx - xy, xz + zx, zy + yz, 1 - xx - yy + zz)),
    )
    scaled = torch.stack((1 + xx + yy + zz, zy - yz, xz - zx, yx - xy), -1)
    divisor = scaled[..., 0]
    for part, (chosen, form) in enumerate(forms, start=1):
        scaled = torch.where(chosen[..., None], torch.stack(form, -1), scaled)
        divisor = torch.where(chosen, form[part], divisor)
    quaternion = 0.5 * scaled / divisor.sqrt()[..., None]
    real, imaginary = quaternion[..., 0], quaternion[..., 1:]
    sine = imaginary.norm(dim=-1)
    sign = torch.where(real < 0, -1.0, 1.0)
    angle = 2 * torch.atan2(sign * sine, sign * real)
    ratio = torch.where(sine > 0, angle / sine, 2.0)
    return torch.nan_to_num(ratio[..., None] * imaginary, nan=0.0, posinf=0.0, neginf=0.0)


def axis_angle_to_matrix(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rodrigues' formula: I + sin(a) K + (1 - cos(a)) K^2, K being the unit axis's cross product."""
    angle = axis_angle.norm(dim=-1)[..., None, None]
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    crossing = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), -1).reshape(*x.shape, 3, 3)
    # sin(a) / a and (1 - cos(a)) / a^2, which have limits where a is 0.
    first = torch.sinc(angle / torch.pi)
    second = 0.5 * torch.sinc(angle / (2 * torch.pi)) ** 2
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + first * crossing + second * (crossing @ crossing)


def _orthonormal(
    first: Float[Tensor, "*batch 3"], second: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 3 3"]:
    """Gram and Schmidt. The cross product names its axis: the official code's takes the first of length 3."""
    one = functional.normalize(first, dim=-1)
    two = functional.normalize(second - (one * second).sum(-1, keepdim=True) * one, dim=-1)
    return torch.stack((one, two, torch.cross(one, two, dim=-1)), -1)
