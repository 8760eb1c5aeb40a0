"""Windows cover videos of every length at every step, where the released sampler and HIA put them."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.diffusion.windows import (
    HIA_WINDOWS,
    REALISDANCE_WINDOWS,
    WindowSchedule,
    average_windows,
    step_windows,
)


@st.composite
def schedules(draw: st.DrawFn) -> WindowSchedule:
    size = draw(st.integers(1, 40))
    return WindowSchedule(
        size=size,
        overlap=draw(st.integers(0, size - 1)),
        shift=draw(st.sampled_from(["none", "bit_reversed", "random"])),
        closed=draw(st.booleans()),
        seed=draw(st.integers(0, 10)),
    )


@settings(max_examples=300, deadline=None)
@given(schedule=schedules(), frames=st.integers(1, 300), step=st.integers(0, 1000))
def test_windows_cover_every_frame_of_any_video(schedule: WindowSchedule, frames: int, step: int) -> None:
    windows = step_windows(schedule, frames, step)
    assert windows.shape[1] == min(frames, schedule.size)
    assert set(windows.ravel().tolist()) == set(range(frames))
    assert all(len(set(window)) == len(window) for window in windows.tolist())
    followers = np.diff(windows, axis=1) % frames
    assert (followers == 1 % frames).all()
    if not schedule.closed:
        assert (np.diff(windows, axis=1) == 1).all()
        assert len({tuple(window) for window in windows.tolist()}) == len(windows)


@settings(max_examples=100, deadline=None)
@given(schedule=schedules(), frames=st.integers(1, 300), step=st.integers(0, 1000))
def test_neighbouring_windows_share_at_least_the_overlap(
    schedule: WindowSchedule, frames: int, step: int
) -> None:
    windows = step_windows(schedule, frames, step)
    around = windows[:1] if schedule.closed and frames > schedule.size else windows[:0]
    for one, next_one in pairwise([*windows, *around]):
        assert len(set(one) & set(next_one)) >= schedule.overlap


def test_released_windows_are_where_they_were_measured() -> None:
    starts = [step_windows(REALISDANCE_WINDOWS, 80, step)[:, 0].tolist() for step in range(2)]
    assert starts == [[0, 12, 24, 36, 48, 60, 72], [40, 52, 64, 76, 8, 20, 32]]
    last = step_windows(REALISDANCE_WINDOWS, 80, 0)[-1]
    assert last.tolist() == [72, 73, 74, 75, 76, 77, 78, 79, 0, 1, 2, 3, 4, 5, 6, 7]


@settings(max_examples=100, deadline=None)
@given(frames=st.integers(17, 2000), step=st.integers(0, 999))
def test_released_shifts_are_reversed_binary_fractions_of_the_video(frames: int, step: int) -> None:
    """The fraction by its recursion: f(2n) = f(n) / 2, f(2n + 1) = (1 + f(n)) / 2."""

    def fraction(number: int) -> float:
        return (number % 2 + fraction(number // 2)) / 2 if number else 0.0

    first = step_windows(REALISDANCE_WINDOWS, frames, step)[0, 0]
    assert first == round(frames * fraction(step)) % frames


def test_open_windows_end_at_the_last_frame() -> None:
    still = WindowSchedule(shift="none", closed=False)
    assert step_windows(still, 80, 3)[:, 0].tolist() == [0, 12, 24, 36, 48, 60, 64]
    assert step_windows(still, 17, 3)[:, 0].tolist() == [0, 1]
    assert step_windows(still, 28, 3)[:, 0].tolist() == [0, 12]
    assert step_windows(still, 9, 3).tolist() == [list(range(9))]


def test_random_shifts_follow_from_seed_and_step_alone_and_reach_every_offset() -> None:
    seconds = set()
    for step in range(300):
        windows = step_windows(HIA_WINDOWS, 100, step)
        np.testing.assert_array_equal(windows, step_windows(HIA_WINDOWS, 100, step))
        assert windows[0, 0] == 0 and windows[-1, -1] == 99
        seconds.add(int(windows[1, 0]))
    assert seconds == set(range(1, 13))
    seeds = [WindowSchedule(shift="random", closed=False, seed=seed) for seed in range(2)]
    walks = [[step_windows(one, 100, step)[1, 0] for step in range(20)] for one in seeds]
    assert walks[0] != walks[1]


@settings(max_examples=60, deadline=None)
@given(schedule=schedules(), frames=st.integers(1, 100), step=st.integers(0, 50), seed=st.integers(0, 100))
def test_averaging_windows_of_one_video_gives_it_back_in_any_order(
    schedule: WindowSchedule, frames: int, step: int, seed: int
) -> None:
    video = torch.randn(2, frames, 3, 2, generator=torch.Generator().manual_seed(seed))
    windows = step_windows(schedule, frames, step)
    order = np.random.default_rng(seed).permutation(len(windows))
    predictions = [video[:, window] for window in windows[order]]
    torch.testing.assert_close(average_windows(windows[order], predictions, frames), video)


def test_each_frame_is_the_mean_over_its_windows() -> None:
    windows = np.array([[0, 1, 2], [2, 3, 0], [1, 2, 3]])
    predictions = [torch.full((1, 3, 1), value) for value in (1.0, 2.0, 6.0)]
    averaged = average_windows(windows, predictions, 4)
    assert averaged.flatten().tolist() == [1.5, 3.5, 3.0, 4.0]


@settings(max_examples=40, deadline=None)
@given(schedule=schedules(), frames=st.integers(1, 100), step=st.integers(0, 50), seed=st.integers(0, 100))
def test_differing_predictions_average_the_same_in_any_order(
    schedule: WindowSchedule, frames: int, step: int, seed: int
) -> None:
    windows = step_windows(schedule, frames, step)
    chance = torch.Generator().manual_seed(seed)
    predictions = torch.randn(len(windows), 1, windows.shape[1], 2, generator=chance)
    order = np.random.default_rng(seed).permutation(len(windows))
    one = average_windows(windows, list(predictions), frames)
    other = average_windows(windows[order], list(predictions[torch.from_numpy(order)]), frames)
    torch.testing.assert_close(one, other)


def test_windows_of_another_video_are_refused() -> None:
    windows = step_windows(REALISDANCE_WINDOWS, 20, 0)
    predictions = [torch.zeros(1, 16, 1)] * len(windows)
    with pytest.raises(ValueError, match=r"not those of a video of 22 frames.*\[20, 21\] are in none"):
        average_windows(windows, predictions, 22)
    with pytest.raises(ValueError, match="not those of a video of 19 frames: their last frame is 19"):
        average_windows(windows, predictions, 19)
    for others in ([], predictions[1:], [one[:, 1:] for one in predictions], [predictions[0][0, 0, 0]] * 2):
        with pytest.raises(
            ValueError, match=f"{len(others)} predictions of shapes .* 2 windows of 16 frames"
        ):
            average_windows(windows, others, 20)
    with pytest.raises(ValueError, match=r"\(1, 16, 1\), \(2, 16, 1\)"):
        average_windows(windows, [predictions[0], torch.zeros(2, 16, 1)], 20)


def test_impossible_windows_are_refused() -> None:
    for size, overlap in ((4, 4), (0, 0), (4, -1)):
        with pytest.raises(ValueError, match=f"windows of {size} frames cannot overlap by {overlap}"):
            WindowSchedule(size=size, overlap=overlap)
    with pytest.raises(ValueError, match="choose from none, bit_reversed, random"):
        WindowSchedule(shift="uniform")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a video of 0 frames"):
        step_windows(REALISDANCE_WINDOWS, 0, 0)
    for schedule in (REALISDANCE_WINDOWS, HIA_WINDOWS):
        with pytest.raises(ValueError, match="no denoising step -1"):
            step_windows(schedule, 20, -1)
    with pytest.raises(ValueError, match="seed -1: give 0 or more"):
        WindowSchedule(seed=-1)


@pytest.mark.parametrize(("dtype", "value"), [(torch.bfloat16, 1.015625), (torch.float16, 60_000.0)])
def test_half_precision_is_not_what_windows_are_summed_in(dtype: torch.dtype, value: float) -> None:
    """Sixteen equal numbers have that mean; their sum rounds in bfloat16, and is infinite in float16."""
    windows = step_windows(WindowSchedule(overlap=15), 40, 0)
    averaged = average_windows(windows, [torch.full((1, 16, 1), value, dtype=dtype)] * len(windows), 40)
    assert averaged.dtype == dtype
    assert (averaged == value).all()
