"""Min-SNR weights weigh the same loss whatever is predicted, and never divide by zero."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.diffusion.prediction import Prediction
from model.diffusion.schedules import REALISDANCE_SCHEDULE, alphas_bar, schedule_betas, signal_to_noise
from model.diffusion.snr_weights import Form, min_snr_weights

ALL = [
    ("x0", "published"),
    ("x0", "plus_one"),
    ("epsilon", "published"),
    ("v", "published"),
    ("v", "plus_one"),
]


@settings(max_examples=100, deadline=None)
@given(snr=st.floats(1e-6, 1e6), gamma=st.floats(0.1, 20))
def test_published_weights_of_equal_errors_are_one_loss(snr: float, gamma: float) -> None:
    """x0 wrong by 1 makes epsilon wrong by sqrt(SNR), and v by sqrt(SNR + 1)."""
    values = torch.tensor([snr], dtype=torch.float64)
    expected = min(snr, gamma)
    assert min_snr_weights(values, "x0", gamma, "published").item() == expected
    assert min_snr_weights(values, "epsilon", gamma).item() * snr == pytest.approx(expected)
    published = min_snr_weights(values, "v", gamma, "published").item()
    assert published * (snr + 1) == pytest.approx(expected)
    plus_one = min_snr_weights(values, "x0", gamma).item()
    assert plus_one == min(snr + 1, gamma)
    assert min_snr_weights(values, "v", gamma).item() * (snr + 1) == pytest.approx(plus_one)


@pytest.mark.parametrize(("prediction", "form"), ALL)
@given(snr=st.lists(st.floats(0, math.inf), min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_weights_are_finite_for_every_snr(prediction: Prediction, form: Form, snr: list[float]) -> None:
    for dtype in (torch.float32, torch.float64):
        weights = min_snr_weights(torch.tensor([*snr, 0, math.inf], dtype=dtype), prediction, 5.0, form)
        assert weights.isfinite().all() and (weights >= 0).all()
        assert (weights <= (5 if prediction == "x0" else 1)).all()


def test_the_ends_have_their_limits() -> None:
    ends = torch.tensor([0, math.inf])
    assert min_snr_weights(ends, "x0").tolist() == [1, 5]
    assert min_snr_weights(ends, "x0", form="published").tolist() == [0, 5]
    assert min_snr_weights(ends, "epsilon").tolist() == [1, 0]
    assert min_snr_weights(ends, "v").tolist() == [1, 0]
    assert min_snr_weights(ends, "v", form="published").tolist() == [0, 0]


def test_by_default_the_first_sampling_step_of_realisdance_is_trained() -> None:
    snr = signal_to_noise(alphas_bar(schedule_betas(REALISDANCE_SCHEDULE)))
    for prediction in ("v", "x0"):
        assert min_snr_weights(snr, prediction)[999] == 1
        assert min_snr_weights(snr, prediction, form="published")[999] == 0


def test_a_useless_gamma_and_unknown_names_are_refused() -> None:
    for gamma in (0.0, -5.0, math.nan):
        with pytest.raises(ValueError, match="larger than 0"):
            min_snr_weights(torch.ones(2), "v", gamma)
    with pytest.raises(ValueError, match="'v_prediction'"):
        min_snr_weights(torch.ones(2), "v_prediction")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'plus_two'"):
        min_snr_weights(torch.ones(2), "epsilon", form="plus_two")  # type: ignore[arg-type]
