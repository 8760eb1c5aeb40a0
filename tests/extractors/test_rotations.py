"""Rotations as networks give them: the released conversions, half turns, and batches of any size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from extractors.rotations import (
    axis_angle_to_matrix,
    columns_to_matrix,
    interleaved_to_matrix,
    matrix_to_axis_angle,
)


def some_turns(count: int, seed: int = 0) -> Rotation:
    """Turns of every angle."""
    return Rotation.random(count, rng=np.random.default_rng(seed))


def test_six_numbers_and_axis_angles_are_read_as_hamer_reads_them(shared: Path) -> None:
    with np.load(shared / "fixtures" / "hamer_geometry.npz") as released:
        matrices = columns_to_matrix(torch.from_numpy(released["rot6d"]))
        np.testing.assert_allclose(matrices, released["rot6d_mat"], rtol=0, atol=5e-6)
        matrices = axis_angle_to_matrix(torch.from_numpy(released["aa"]))
        np.testing.assert_allclose(matrices, released["aa_mat"], rtol=0, atol=5e-6)


def test_six_numbers_become_the_axis_angles_of_smpler_x(shared: Path) -> None:
    with np.load(shared / "fixtures" / "smplerx_ops.npz") as released:
        axis_angles = matrix_to_axis_angle(interleaved_to_matrix(torch.from_numpy(released["rot6d"])))
        np.testing.assert_allclose(axis_angles, released["axis_angle"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("conversion", [columns_to_matrix, interleaved_to_matrix])
def test_a_batch_of_three_is_three_of_one(conversion: Callable[[Tensor], Tensor]) -> None:
    six = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    alone = torch.cat([conversion(one[None]) for one in six])
    together = conversion(six)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)
    torch.testing.assert_close(together @ together.mT, torch.eye(3).expand(3, 3, 3), rtol=0, atol=1e-6)
    torch.testing.assert_close(torch.linalg.det(together), torch.ones(3))


def test_the_two_layouts_are_columns_and_rows_of_the_same_numbers() -> None:
    matrix = torch.from_numpy(some_turns(5).as_matrix())
    torch.testing.assert_close(columns_to_matrix(matrix[..., :2].mT.flatten(-2)), matrix)
    torch.testing.assert_close(interleaved_to_matrix(matrix[..., :2].flatten(-2)), matrix)


def test_axis_angles_are_those_of_the_closed_form() -> None:
    turns = some_turns(2000)
    matrices = torch.from_numpy(turns.as_matrix())
    np.testing.assert_allclose(matrix_to_axis_angle(matrices), turns.as_rotvec(), rtol=0, atol=1e-7)
    axis_angles = torch.from_numpy(turns.as_rotvec())
    np.testing.assert_allclose(axis_angle_to_matrix(axis_angles), turns.as_matrix(), rtol=0, atol=1e-12)


def test_small_turns_and_none_are_exact() -> None:
    axis_angles = torch.tensor([[0.0, 0, 0], [1e-6, 0, 0], [0, -1e-4, 0], [0, 0, 1e-3]], dtype=torch.float64)
    matrices = axis_angle_to_matrix(axis_angles)
    np.testing.assert_allclose(matrices, Rotation.from_rotvec(axis_angles).as_matrix(), rtol=0, atol=1e-15)
    torch.testing.assert_close(matrix_to_axis_angle(matrices), axis_angles, rtol=0, atol=1e-15)


def test_half_turns_about_every_axis_keep_their_angle() -> None:
    axes = torch.randn(100, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    axes = torch.cat([torch.eye(3, dtype=torch.float64), axes])
    axes = axes / axes.norm(dim=-1, keepdim=True)
    half = axis_angle_to_matrix(torch.pi * axes)
    back = matrix_to_axis_angle(half)
    torch.testing.assert_close(back.norm(dim=-1), torch.full((103,), torch.pi, dtype=torch.float64))
    torch.testing.assert_close(axis_angle_to_matrix(back), half)


def test_what_is_no_rotation_is_no_turn() -> None:
    nothing = matrix_to_axis_angle(torch.full((2, 3, 3), torch.nan))
    assert nothing.tolist() == [[0, 0, 0]] * 2
    nothing = matrix_to_axis_angle(interleaved_to_matrix(torch.zeros(2, 6)))
    assert torch.isfinite(nothing).all()


def test_any_leading_axes_are_kept() -> None:
    six = torch.randn(2, 3, 4, 6, generator=torch.Generator().manual_seed(2))
    turns = matrix_to_axis_angle(columns_to_matrix(six))
    assert turns.shape == (2, 3, 4, 3)
    torch.testing.assert_close(turns[1, 2], matrix_to_axis_angle(columns_to_matrix(six[1, 2])))
