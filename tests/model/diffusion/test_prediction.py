"""Noise, clean latents and velocity are three views of the same pair, for every shape and timestep."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.diffusion.prediction import (
    REGIONAL_TIMESTEPS,
    Prediction,
    add_noise,
    draw_timesteps,
    predicted_noise,
    predicted_velocity,
    predicted_x0,
    training_target,
    velocity,
)
from model.diffusion.schedules import (
    HIA_SCHEDULE,
    REALISDANCE_SCHEDULE,
    alphas_bar,
    ddpm_scheduler,
    schedule_betas,
)

SHAPES = st.lists(st.integers(1, 4), min_size=0, max_size=4)
PREDICTIONS: list[Prediction] = ["epsilon", "v", "x0"]


def pair(shape: list[int], seed: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Clean latents and noise."""
    clean, noise = torch.randn(2, *shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    return clean, noise


@settings(max_examples=60, deadline=None)
@given(
    dims=SHAPES,
    bars=st.lists(st.floats(0.001, 0.999), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
    prediction=st.sampled_from(PREDICTIONS),
)
def test_each_prediction_gives_back_the_other_two(
    dims: list[int], bars: list[float], seed: int, prediction: Prediction
) -> None:
    clean, noise = pair([len(bars), *dims], seed)
    alpha_bar = torch.tensor(bars, dtype=torch.float64)
    noisy = add_noise(clean, noise, alpha_bar)
    output = training_target(prediction, clean, noise, alpha_bar)
    given_back = predicted_x0(prediction, output, noisy, alpha_bar)
    torch.testing.assert_close(given_back, clean, rtol=0, atol=1e-9)
    given_back = predicted_noise(prediction, output, noisy, alpha_bar)
    torch.testing.assert_close(given_back, noise, rtol=0, atol=1e-9)
    given_back = predicted_velocity(prediction, output, noisy, alpha_bar)
    torch.testing.assert_close(given_back, velocity(clean, noise, alpha_bar), rtol=0, atol=1e-9)


def test_noising_and_velocity_are_those_of_diffusers() -> None:
    scheduler = ddpm_scheduler(REALISDANCE_SCHEDULE)
    bars = alphas_bar(schedule_betas(REALISDANCE_SCHEDULE))
    timesteps = torch.tensor([0, 124, 500, 999])
    clean, noise = pair([4, 3, 4, 8, 8], 0, torch.float32)
    noisy = add_noise(clean, noise, bars[timesteps])
    torch.testing.assert_close(noisy, scheduler.add_noise(clean, noise, timesteps))
    target = training_target("v", clean, noise, bars[timesteps])
    torch.testing.assert_close(target, scheduler.get_velocity(clean, noise, timesteps))
    torch.testing.assert_close(noisy[3], noise[3], rtol=0, atol=0)
    torch.testing.assert_close(target[3], -clean[3], rtol=0, atol=0)


def test_noising_and_velocity_are_a_rotation() -> None:
    """x_t and v have together the length of x0 and noise, so that unit variance is kept at every timestep."""
    clean, noise = pair([1000, 16], 1)
    bars = torch.linspace(0, 1, 1000, dtype=torch.float64)
    noisy, v = add_noise(clean, noise, bars), velocity(clean, noise, bars)
    torch.testing.assert_close(noisy**2 + v**2, clean**2 + noise**2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_results_keep_the_latents_type(dtype: torch.dtype) -> None:
    clean, noise = pair([2, 4, 8, 8], 2, dtype)
    bars = alphas_bar(schedule_betas(HIA_SCHEDULE))[[3, 700]]
    noisy = add_noise(clean, noise, bars)
    assert noisy.dtype == velocity(clean, noise, bars).dtype == dtype
    assert predicted_x0("epsilon", noise, noisy, bars).dtype == dtype


def test_half_precision_does_not_reach_the_roots() -> None:
    """abar is 2e-7 at timestep 998, which half precision holds to one digit, and its root to three."""
    bars = alphas_bar(schedule_betas(REALISDANCE_SCHEDULE))[[998]]
    left = add_noise(torch.ones(1, 4).half(), torch.zeros(1, 4).half(), bars)
    torch.testing.assert_close(left.double(), bars.sqrt().expand(1, 4), rtol=1e-3, atol=0)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_x0_of_a_regional_timestep_keeps_the_network_s_error_small(prediction: Prediction) -> None:
    """An output wrong by 0.1 leaves x0 wrong by less; by far more where the noise is predicted at 999."""
    clean, noise = pair([1, 4, 8, 8], 3)
    bars = alphas_bar(schedule_betas(HIA_SCHEDULE))
    errors = []
    for timestep in (REGIONAL_TIMESTEPS[-1], 999):
        alpha_bar = bars[[timestep]]
        output = training_target(prediction, clean, noise, alpha_bar) + 0.1
        found = predicted_x0(prediction, output, add_noise(clean, noise, alpha_bar), alpha_bar)
        errors.append((found - clean).abs().max().item())
    if prediction == "epsilon":
        assert errors[0] < 0.07 and errors[1] > 3
    else:
        assert max(errors) < 0.1 + 1e-9


def test_what_does_not_follow_is_refused() -> None:
    clean, noise = pair([2, 4], 4)
    for convert in (predicted_x0, predicted_velocity):
        with pytest.raises(ValueError, match="x0 does not follow from predicted noise at abar = 0"):
            convert("epsilon", noise, clean, torch.tensor([0.5, 0]))
    with pytest.raises(ValueError, match="noise does not follow from predicted x0 at abar = 1"):
        predicted_noise("x0", noise, clean, torch.tensor([1, 0.5]))


@pytest.mark.parametrize("unknown", ["v_prediction", "sample", "eps"])
def test_an_unknown_prediction_is_refused_everywhere(unknown: Any) -> None:
    clean, noise = pair([2, 4], 4)
    for convert in (training_target, predicted_x0, predicted_noise, predicted_velocity):
        with pytest.raises(ValueError, match=f"cannot be '{unknown}': choose from epsilon, v, x0"):
            convert(unknown, clean, noise, torch.tensor([0.5, 0.5]))


@pytest.mark.parametrize("batch", [1, 3])
def test_another_number_of_timesteps_than_samples_is_refused(batch: int) -> None:
    clean, noise = pair([batch, 4], 4)
    for convert in (add_noise, velocity):
        with pytest.raises(ValueError, match=f"one for each of {batch} samples"):
            convert(clean, noise, torch.full((5,), 0.5))


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_latents_values_are_not_looked_at(prediction: Prediction) -> None:
    """They may be on a device that computes behind the program: here on one that has no values at all."""
    clean, noise = torch.empty(2, 2, 4, device="meta", dtype=torch.float16)
    alpha_bar = alphas_bar(schedule_betas(HIA_SCHEDULE))[[3, 700]]
    noisy = add_noise(clean, noise, alpha_bar)
    output = training_target(prediction, clean, noise, alpha_bar)
    for convert in (predicted_x0, predicted_noise, predicted_velocity):
        found = convert(prediction, output, noisy, alpha_bar)
        assert found.device.type == "meta" and found.dtype == torch.float16


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("timestep", [0, 10, 124])
def test_bfloat16_is_rounded_once(timestep: int, prediction: Prediction) -> None:
    """Of HIA's first timesteps the share of x0 would round to 1, and what is left of it be lost."""
    clean, noise = pair([1, 4, 16, 16], 5, torch.bfloat16)
    alpha_bar = alphas_bar(schedule_betas(HIA_SCHEDULE))[[timestep]]
    exact = clean.double(), noise.double()
    results = [
        (convert(clean, noise, alpha_bar), convert(*exact, alpha_bar)) for convert in (add_noise, velocity)
    ] + [
        (convert(prediction, clean, noise, alpha_bar), convert(prediction, *exact, alpha_bar))
        for convert in (predicted_x0, predicted_noise, predicted_velocity)
    ]
    for found, expected in results:
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found.double(), expected, rtol=2**-8, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(start=st.integers(0, 500), length=st.integers(1, 500), seed=st.integers(0, 1000))
def test_drawn_timesteps_lie_in_their_range_and_follow_from_the_seed(
    start: int, length: int, seed: int
) -> None:
    timesteps = range(start, start + length)
    drawn = draw_timesteps(20, timesteps, torch.Generator().manual_seed(seed))
    assert set(drawn.tolist()) <= set(timesteps)
    again = draw_timesteps(20, timesteps, torch.Generator().manual_seed(seed))
    assert drawn.tolist() == again.tolist()


def test_every_regional_timestep_is_drawn_equally_often() -> None:
    drawn = draw_timesteps(125_000, REGIONAL_TIMESTEPS, torch.Generator().manual_seed(0))
    counts = drawn.bincount()
    assert len(counts) == 125 and drawn.max() == 124
    assert ((counts - 1000).abs() < 5 * 1000**0.5).all()


def test_an_empty_range_of_timesteps_is_refused() -> None:
    with pytest.raises(ValueError, match="no timestep lies in range"):
        draw_timesteps(3, range(5, 5), torch.Generator())
