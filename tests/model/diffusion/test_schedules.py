"""Schedules are those of their papers, and diffusers' schedulers built from them sample by them."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.diffusion.schedules import (
    HIA_SCHEDULE,
    REALISDANCE_SCHEDULE,
    Kind,
    NoiseSchedule,
    Spacing,
    alphas_bar,
    ddim_scheduler,
    ddpm_scheduler,
    linear_betas,
    literal_shifted_betas,
    scaled_linear_betas,
    schedule_betas,
    shifted_betas,
    signal_to_noise,
)

SHIFTED = st.builds(
    NoiseSchedule,
    kind=st.sampled_from(["linear", "scaled_linear", "literal"]),
    gamma=st.floats(0.01, 1),
    zero_terminal=st.booleans(),
    prediction=st.sampled_from(["v", "x0"]),
)


def test_unshifted_schedules_are_stable_diffusion_s() -> None:
    for betas, name in ((linear_betas(), "linear"), (scaled_linear_betas(), "scaled_linear")):
        scheduler = type(ddim_scheduler(HIA_SCHEDULE))
        diffusers = scheduler(beta_start=0.00085, beta_end=0.012, beta_schedule=name)
        torch.testing.assert_close(betas.float(), diffusers.betas, rtol=2e-6, atol=0)
        assert betas.dtype == torch.float64
        assert betas[[0, -1]].tolist() == pytest.approx([0.00085, 0.012], rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(schedule=SHIFTED, steps=st.integers(15, 1500))
def test_every_schedule_adds_noise_at_every_step(schedule: NoiseSchedule, steps: int) -> None:
    betas = schedule_betas(schedule, steps)
    assert len(betas) == steps + (schedule.kind == "literal")
    assert ((betas > 0) & (betas <= 1)).all()
    bars = alphas_bar(betas)
    assert (bars.diff() < 0).all()
    assert (bars[-1] == 0) == schedule.zero_terminal


@settings(max_examples=60, deadline=None)
@given(gamma=st.floats(0.001, 1), steps=st.integers(2, 1500), scaled=st.booleans())
def test_a_shifted_snr_is_gamma_times_the_original_at_every_step(
    gamma: float, steps: int, scaled: bool
) -> None:
    betas = scaled_linear_betas(steps) if scaled else linear_betas(steps)
    shifted = signal_to_noise(alphas_bar(shifted_betas(betas, gamma)))
    torch.testing.assert_close(shifted, gamma * signal_to_noise(alphas_bar(betas)), rtol=1e-9, atol=0)


def test_the_root_of_the_last_alpha_bar_is_as_measured() -> None:
    for gamma, expected in ((1.0, 0.0397), (0.5, 0.0281)):
        betas = schedule_betas(NoiseSchedule(kind="linear", gamma=gamma))
        assert alphas_bar(betas)[-1].sqrt().item() == pytest.approx(expected, abs=5e-5)


def plainly_printed(gamma: float, last: int) -> list[float]:
    """Algorithm 1 line by line, with plain numbers."""
    betas, products, product = [], [], 1.0
    for t in range(last + 1):
        share = (t - 1) / (last - 1)
        betas.append(0.00085 * (1 - share) + 0.012 * share)
        product *= 1 - betas[t]
        products.append(product)
    snr = [gamma * product / (1 - product) for product in products]
    for t in range(1, last + 1):
        betas[t] = 1 - (snr[t] / (1 + snr[t])) / (snr[t - 1] / (1 + snr[t - 1]))
    return betas


@pytest.mark.parametrize(("gamma", "excess"), [(0.5, 1.00085), (0.25, 1.00255)])
def test_the_printed_algorithm_is_off_by_the_unshifted_first_beta(gamma: float, excess: float) -> None:
    literal = literal_shifted_betas(gamma)
    assert literal.tolist() == pytest.approx(plainly_printed(gamma, 1000), rel=1e-10)
    original = literal_shifted_betas(1.0)
    ratio = alphas_bar(literal) / alphas_bar(shifted_betas(original, gamma))
    factor = 1 + original[0].item() * (1 / gamma - 1)
    torch.testing.assert_close(ratio, torch.full((1001,), factor, dtype=torch.float64), rtol=1e-9, atol=0)
    assert factor == pytest.approx(excess, abs=4e-5)


@pytest.mark.parametrize(("kind", "last"), [("linear", 999), ("scaled_linear", 999), ("literal", 1000)])
def test_a_schedule_says_which_timesteps_it_has(kind: Kind, last: int) -> None:
    schedule = NoiseSchedule(kind)
    assert schedule.timesteps[-1] == last
    assert len(schedule.timesteps) == len(schedule_betas(schedule))


def test_zero_terminal_snr_is_a_line_in_the_roots_of_alpha_bar() -> None:
    before = alphas_bar(scaled_linear_betas()).sqrt()
    after = alphas_bar(schedule_betas(REALISDANCE_SCHEDULE)).sqrt()
    expected = (before - before[-1]) * before[0] / (before[0] - before[-1])
    torch.testing.assert_close(after, expected, rtol=1e-9, atol=1e-12)
    assert after[-1] == 0 and signal_to_noise(after[-1]) == 0


@pytest.mark.parametrize("gamma", [0.0, -0.5, 1.01, math.nan, math.inf])
def test_a_gamma_outside_its_range_is_refused(gamma: float) -> None:
    with pytest.raises(ValueError, match="0 < gamma <= 1"):
        NoiseSchedule(gamma=gamma)


def test_what_cannot_be_trained_is_refused() -> None:
    with pytest.raises(ValueError, match="set prediction to v or x0"):
        NoiseSchedule(zero_terminal=True, prediction="epsilon")
    with pytest.raises(
        ValueError, match="kind cannot be 'cosine': choose from linear, scaled_linear, literal"
    ):
        NoiseSchedule(kind="cosine")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="prediction cannot be 'v_prediction'"):
        NoiseSchedule(prediction="v_prediction")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no schedule of 14 steps"):
        literal_shifted_betas(0.5, 14)
    for schedule in (HIA_SCHEDULE, REALISDANCE_SCHEDULE):
        with pytest.raises(ValueError, match="schedule of 1 steps"):
            schedule_betas(schedule, 1)


def test_realisdance_samples_by_the_released_scheduler() -> None:
    ours = ddim_scheduler(REALISDANCE_SCHEDULE)
    released = type(ours)(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        rescale_betas_zero_snr=True,
        prediction_type="v_prediction",
        timestep_spacing="linspace",
    )
    torch.testing.assert_close(ours.alphas_cumprod, released.alphas_cumprod, rtol=0, atol=1e-6)
    kept = {name: value for name, value in released.config.items() if "beta" not in name and name[0] != "_"}
    assert kept == {name: ours.config[name] for name in kept}
    latents, output = torch.randn(2, 1, 4, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    for scheduler in (ours, released):
        scheduler.set_timesteps(50)
    assert len(ours.timesteps) == 50 and ours.timesteps[[0, 1, -1]].tolist() == [999, 979, 0]
    for timestep in ours.timesteps:
        step = ours.step(output, timestep, latents).prev_sample
        torch.testing.assert_close(step, released.step(output, timestep, latents).prev_sample)


@pytest.mark.parametrize(
    "schedule", [REALISDANCE_SCHEDULE, NoiseSchedule(zero_terminal=True, prediction="x0")]
)
def test_sampling_from_pure_noise_arrives_at_what_a_perfect_network_knows(schedule: NoiseSchedule) -> None:
    chance = torch.Generator().manual_seed(1)
    clean, noise = torch.randn(2, 1, 4, 4, 8, 8, generator=chance)
    bars = alphas_bar(schedule_betas(schedule))
    scheduler = ddim_scheduler(schedule)
    scheduler.set_timesteps(50)
    latents = noise
    for timestep in scheduler.timesteps:
        of_clean, of_noise = bars[timestep].sqrt().float(), (1 - bars[timestep]).sqrt().float()
        velocity = of_clean * (latents - of_clean * clean) / of_noise - of_noise * clean
        output = clean if schedule.prediction == "x0" else velocity
        latents = scheduler.step(output, timestep, latents).prev_sample
        if timestep == 999:
            expected = bars[979].sqrt() * clean + (1 - bars[979]).sqrt() * noise
            torch.testing.assert_close(latents, expected.float(), rtol=1e-4, atol=1e-4)
    # The last step ends at abar_0, where the noise's share is still 0.03.
    assert (latents - clean).abs().max() < 0.15


@pytest.mark.parametrize(("spacing", "first"), [("linspace", 999), ("trailing", 999), ("leading", 981)])
def test_sampling_begins_at_the_last_timestep_but_for_leading_steps(spacing: Spacing, first: int) -> None:
    for scheduler in (ddim_scheduler(HIA_SCHEDULE, spacing), ddpm_scheduler(HIA_SCHEDULE, spacing)):
        scheduler.set_timesteps(50)
        assert scheduler.timesteps[0] == first


def test_ancestral_sampling_is_finite_under_a_zero_terminal_snr() -> None:
    scheduler = ddpm_scheduler(REALISDANCE_SCHEDULE)
    scheduler.set_timesteps(50)
    chance = torch.Generator().manual_seed(2)
    latents, output = torch.randn(2, 1, 4, 4, 8, 8, generator=chance)
    for timestep in scheduler.timesteps:
        latents = scheduler.step(output, timestep, latents, generator=chance).prev_sample
    assert latents.isfinite().all()


def test_the_printed_algorithm_s_extra_timestep_reaches_the_scheduler() -> None:
    scheduler = ddim_scheduler(NoiseSchedule(kind="literal", gamma=0.5))
    scheduler.set_timesteps(50)
    assert scheduler.timesteps[0] == 1000 and len(scheduler.alphas_cumprod) == 1001
