"""Guidance moves from the unconditional prediction towards the conditional one, and beyond."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.diffusion.guidance import guided, needs_unconditional


def test_scale_1_is_exactly_the_conditional_prediction_and_needs_no_other() -> None:
    conditional, unconditional = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    assert guided(conditional, unconditional, 1.0).equal(conditional)
    assert not needs_unconditional(1.0)
    assert guided(conditional, None, 1.0).equal(conditional)


def test_scale_0_is_the_unconditional_prediction() -> None:
    conditional, unconditional = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1))
    assert needs_unconditional(0.0)
    assert guided(conditional, unconditional, 0.0).equal(unconditional)


@settings(max_examples=60, deadline=None)
@given(scale=st.floats(0, 20), conditional=st.floats(-5, 5), unconditional=st.floats(-5, 5))
def test_the_distance_from_the_unconditional_prediction_is_multiplied(
    scale: float, conditional: float, unconditional: float
) -> None:
    """Away from it, on the conditional one's side: as printed, HIA's equation 4 would be on the other."""
    both = torch.tensor([[conditional], [unconditional]], dtype=torch.float64)
    moved = guided(both[0], both[1], scale).item() - unconditional
    assert moved == pytest.approx(scale * (conditional - unconditional), abs=1e-9)


def test_a_missing_unconditional_prediction_is_refused() -> None:
    with pytest.raises(ValueError, match=r"scale 2\.0 needs an unconditional prediction"):
        guided(torch.zeros(1), None, 2.0)
