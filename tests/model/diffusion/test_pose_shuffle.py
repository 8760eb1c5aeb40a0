"""Pose shuffle reorders a clip's poses as often and in the way that the paper or the released code does."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.diffusion.pose_shuffle import Form, shuffled_pose_order


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@settings(max_examples=100, deadline=None)
@given(frames=st.integers(2, 40), conditions=st.integers(1, 4), seed=st.integers(0, 10_000))
def test_a_swap_exchanges_two_frames_in_all_conditions_alike(frames: int, conditions: int, seed: int) -> None:
    order = shuffled_pose_order(frames, conditions, chance(seed), rate=1)
    assert order.shape == (conditions, frames) and (order == order[0]).all()
    moved = np.flatnonzero(order[0] != np.arange(frames))
    assert len(moved) == 2
    assert order[0, moved].tolist() == moved[::-1].tolist()


@settings(max_examples=100, deadline=None)
@given(frames=st.integers(2, 40), seed=st.integers(0, 10_000))
def test_the_released_form_shows_one_frame_twice_at_most(frames: int, seed: int) -> None:
    order = shuffled_pose_order(frames, 3, chance(seed), rate=1, form="released")
    assert (order[:, 0] == 0).all()
    assert ((order != np.arange(frames)).sum(1) <= 1).all()


def test_the_released_form_has_the_released_code_s_probabilities() -> None:
    """That code takes a random permutation p and writes frame p[p[0]] over frame p[0]."""
    frames, draws = 4, 24_000
    expected = np.zeros((frames, frames))
    for p in permutations(range(frames)):
        expected[p[0], p[p[0]]] += draws / 24
    seen = np.zeros((frames, frames))
    order = shuffled_pose_order(frames, draws, chance(), rate=1, form="released")
    changed, overwritten = np.nonzero(order != np.arange(frames))
    np.add.at(seen, (overwritten, order[changed, overwritten]), 1)
    seen[0, 0] = draws - len(changed)
    np.testing.assert_allclose(seen, expected, atol=5 * draws**0.5 / 3)
    assert (seen[expected == 0] == 0).all()


def test_a_sixteenth_of_released_draws_over_sixteen_frames_do_nothing() -> None:
    order = shuffled_pose_order(16, 16_000, chance(), rate=1, form="released")
    idle = (order == np.arange(16)).all(1).sum()
    assert abs(idle - 1000) < 5 * 1000**0.5


def test_released_draws_are_made_per_condition_and_swaps_once() -> None:
    generator = chance()
    orders = [shuffled_pose_order(16, 3, generator, 0.5, "released") for _ in range(200)]
    changed = np.array([(order != np.arange(16)).any(1) for order in orders])
    assert {tuple(row) for row in changed.tolist()} > {(True, False, False), (False, True, True)}
    orders = [shuffled_pose_order(16, 3, generator, 0.5) for _ in range(200)]
    changed = np.array([(order != np.arange(16)).any(1) for order in orders])
    assert {tuple(row) for row in changed.tolist()} == {(True,) * 3, (False,) * 3}


def test_one_clip_in_twenty_is_shuffled_by_default() -> None:
    generator = chance()
    shuffled = sum(shuffled_pose_order(16, 1, generator)[0].tolist() != list(range(16)) for _ in range(8000))
    assert abs(shuffled - 400) < 5 * 400**0.5


@pytest.mark.parametrize("form", ["swap", "released"])
def test_nothing_moves_at_rate_0_or_in_a_clip_of_one_frame(form: Form) -> None:
    for seed in range(50):
        assert (shuffled_pose_order(16, 2, chance(seed), 0, form) == np.arange(16)).all()
    assert shuffled_pose_order(1, 2, chance(), 1, form).tolist() == [[0], [0]]


@pytest.mark.parametrize("form", ["swap", "released"])
def test_a_generator_decides_the_order(form: Form) -> None:
    first, again, other = (shuffled_pose_order(16, 3, chance(seed), 1, form) for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


def test_impossible_rates_and_unknown_forms_are_refused() -> None:
    for rate in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="a probability from 0 to 1"):
            shuffled_pose_order(16, 3, chance(), rate)
    with pytest.raises(ValueError, match="it is swap or released"):
        shuffled_pose_order(16, 3, chance(), form="copy")  # type: ignore[arg-type]
