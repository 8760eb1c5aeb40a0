"""What is made small: weights of samples, regions counted by themselves, and images without them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.diffusion.losses import RegionalLosses, RegionalWeights, denoising_loss, regional_loss


def some(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def a_mask(*shape: int, box: tuple[slice, slice]) -> Tensor:
    mask = torch.zeros(shape)
    mask[..., box[0], box[1]] = 1
    return mask


def test_each_samples_error_counts_by_its_weight() -> None:
    target = some(3, 2, 4, 5, 6)
    offsets = torch.tensor([1.0, 2.0, -3.0])
    predicted = target + offsets[:, None, None, None, None]
    torch.testing.assert_close(denoising_loss(predicted, target), torch.tensor((1 + 4 + 9) / 3))
    weighted = denoising_loss(predicted, target, torch.tensor([0.5, 0.25, 0.0]))
    torch.testing.assert_close(weighted, torch.tensor((0.5 * 1 + 0.25 * 4) / 3))


def test_the_mean_is_not_summed_in_the_networks_precision() -> None:
    # A bfloat16 has 8 bits: 256 + 1 is 256.
    predicted = torch.full((1, 1, 4, 64, 64), 0.125, dtype=torch.bfloat16)
    loss = denoising_loss(predicted, torch.zeros_like(predicted))
    assert loss.dtype == torch.float32
    assert loss.item() == 0.125**2
    mask = torch.ones(1, 1, 1, 64, 64, dtype=torch.bfloat16)
    assert regional_loss(predicted, torch.zeros_like(predicted), mask).item() == 4 * 0.125**2


def test_a_region_is_counted_once_for_each_pixel_and_not_for_each_channel() -> None:
    target = some(1, 3, 8, 8)
    predicted = target.clone()
    predicted[0, :, 2, 3] += torch.tensor([1.0, 2.0, 3.0])  # in the region
    predicted[0, :, 7, 7] += 100.0  # outside
    mask = a_mask(1, 1, 8, 8, box=(slice(2, 4), slice(2, 5)))
    torch.testing.assert_close(regional_loss(predicted, target, mask), torch.tensor((1.0 + 4 + 9) / 6))


def test_a_region_of_everything_is_the_mean_squared_error_times_the_channels() -> None:
    predicted, target = some(2, 3, 5, 7), some(2, 3, 5, 7, seed=1)
    loss = regional_loss(predicted, target, torch.ones(2, 1, 5, 7))
    torch.testing.assert_close(loss, 3 * torch.nn.functional.mse_loss(predicted, target))


def test_a_small_region_counts_as_much_as_a_large_one() -> None:
    target = torch.zeros(2, 3, 16, 16)
    mask = torch.cat(
        [
            a_mask(1, 1, 16, 16, box=(slice(0, 2), slice(0, 2))),
            a_mask(1, 1, 16, 16, box=(slice(0, 14), slice(0, 15))),
        ]
    )
    offsets = torch.tensor([1.0, 3.0])[:, None, None, None]
    torch.testing.assert_close(regional_loss(target + offsets, target, mask), torch.tensor(3 * (1.0 + 9) / 2))


def test_images_without_the_region_do_not_count() -> None:
    predicted, target = some(2, 2, 3, 8, 8), some(2, 2, 3, 8, 8, seed=1)
    mask = a_mask(2, 2, 1, 8, 8, box=(slice(1, 5), slice(2, 6)))
    mask[0, 1] = mask[1, 0] = 0
    predicted.requires_grad_()
    loss = regional_loss(predicted, target, mask)
    alone = torch.stack([regional_loss(predicted[i, i], target[i, i], mask[i, i]) for i in range(2)])
    torch.testing.assert_close(loss, alone.mean())
    (gradient,) = torch.autograd.grad(loss, predicted)
    assert gradient[0, 1].count_nonzero() == gradient[1, 0].count_nonzero() == 0
    torch.testing.assert_close(gradient, (predicted - target) * mask * 2 / (16 * 2))


def test_where_no_image_has_the_region_loss_and_gradient_are_zero() -> None:
    predicted = some(2, 3, 8, 8).requires_grad_()
    loss = regional_loss(predicted, some(2, 3, 8, 8, seed=1), torch.zeros(2, 1, 8, 8))
    (gradient,) = torch.autograd.grad(loss, predicted)
    assert loss.item() == gradient.abs().max().item() == 0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), frames=st.integers(1, 3), scale=st.floats(0.1, 10))
def test_losses_are_zero_at_equality_and_grow_with_the_square_of_the_error(
    seed: int, frames: int, scale: float
) -> None:
    target, error = some(2, frames, 3, 4, 5, seed=seed), some(2, frames, 3, 4, 5, seed=seed + 1)
    mask = (some(2, frames, 1, 4, 5, seed=seed + 2) > 0).float()
    assert denoising_loss(target, target).item() == 0
    assert regional_loss(target, target, mask).item() == 0
    near, far = (
        regional_loss(target + error, target, mask),
        regional_loss(target + scale * error, target, mask),
    )
    torch.testing.assert_close(far, scale**2 * near, rtol=1e-3, atol=1e-5)


def test_gradients_are_those_of_finite_differences() -> None:
    predicted = some(2, 3, 4, 4, dtype=torch.float64).requires_grad_()
    target = some(2, 3, 4, 4, seed=1, dtype=torch.float64)
    mask = a_mask(2, 1, 4, 4, box=(slice(1, 3), slice(0, 3)))
    mask[1] = 0
    assert torch.autograd.gradcheck(lambda image: regional_loss(image, target, mask), predicted)
    weights = torch.tensor([0.3, 2.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda noise: denoising_loss(noise, target, weights), predicted)


def test_terms_are_summed_by_name() -> None:
    losses = RegionalLosses(*torch.tensor([1.0, 10.0, 100.0, 1000.0]))
    assert losses.total(RegionalWeights()).item() == 1111
    assert losses.total(RegionalWeights(denoising=0, face=2, hand=3, identity=0.5)).item() == 820


def test_misuse_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="identity loss is -1"):
        RegionalWeights(identity=-1)
    with pytest.raises(ValueError, match="face loss is nan"):
        RegionalWeights(face=float("nan"))
    with pytest.raises(ValueError, match="must be the same"):
        denoising_loss(torch.zeros(2, 1, 4, 8, 8), torch.zeros(2, 4, 8, 8))
    with pytest.raises(ValueError, match="one for each of 2"):
        denoising_loss(torch.zeros(2, 4), torch.zeros(2, 4), torch.ones(4))
    with pytest.raises(ValueError, match="at the images' size"):
        regional_loss(torch.zeros(2, 3, 64, 64), torch.zeros(2, 3, 64, 64), torch.zeros(2, 1, 8, 8))


def test_weights_of_another_type_and_device_are_taken_to_the_errors() -> None:
    weights = torch.tensor([0.5, 0.25], dtype=torch.float64)
    loss = denoising_loss(torch.ones(2, 4), torch.zeros(2, 4), weights)
    assert loss.dtype == torch.float32 and loss.item() == 0.375
    elsewhere = torch.ones(2, 4, device="meta")
    assert denoising_loss(elsewhere, elsewhere, weights).device.type == "meta"
