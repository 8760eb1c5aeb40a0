"""Sampling starts from noise that is a function of the generator, with a trace of the reference for HIA."""

import pytest
import torch
from torch import Tensor

from model.diffusion.initial_noise import gaussian_noise, reference_noise
from model.diffusion.schedules import HIA_SCHEDULE, REALISDANCE_SCHEDULE, alphas_bar, schedule_betas


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def reference() -> Tensor:
    """Two images' latents, far from zero."""
    return 5 + torch.randn(2, 4, 16, 12, generator=seeded(9))


def test_what_is_left_of_the_reference_is_the_last_timestep_s_share(reference: Tensor) -> None:
    bars = alphas_bar(schedule_betas(HIA_SCHEDULE))
    noise = gaussian_noise(reference, 8, seeded(0))
    started = reference_noise(reference, 8, bars, seeded(0))
    assert started.shape == (2, 8, 4, 16, 12)
    trace = started - (1 - bars[999]).sqrt().float() * noise
    torch.testing.assert_close(trace, (0.0281 * reference)[:, None].expand_as(trace), rtol=3e-3, atol=1e-5)


def test_each_frame_and_sample_has_its_own_unit_noise(reference: Tensor) -> None:
    noise = gaussian_noise(reference, 8, seeded(1)).flatten(2).flatten(0, 1)
    assert noise.std().item() == pytest.approx(1, abs=0.03) and abs(noise.mean().item()) < 0.03
    correlations = torch.corrcoef(noise) - torch.eye(16)
    assert correlations.abs().max() < 0.2


def test_under_a_zero_terminal_snr_the_reference_leaves_nothing(reference: Tensor) -> None:
    bars = alphas_bar(schedule_betas(REALISDANCE_SCHEDULE))
    started = reference_noise(reference, 3, bars, seeded(2))
    assert started.equal(gaussian_noise(reference, 3, seeded(2)))


def test_a_generator_decides_the_noise(reference: Tensor) -> None:
    bars = alphas_bar(schedule_betas(HIA_SCHEDULE))
    first, again, other = (reference_noise(reference, 2, bars, seeded(seed)) for seed in (3, 3, 4))
    assert first.equal(again) and not first.equal(other)
    assert reference_noise(reference.half(), 2, bars, seeded(3)).dtype == torch.float16
