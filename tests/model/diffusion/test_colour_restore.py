"""A restored video has the reference's mean and spread in every colour channel."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.diffusion.colour_restore import restore_colours


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Values in [0, 1]."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def released(video: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The statistics of the released sampler, in NumPy, of a video and an image in [0, 1]."""
    restored = np.empty_like(video)
    for sample in range(len(video)):
        for channel in range(3):
            values, wanted = video[sample, :, channel], reference[sample, channel]
            scaled = (values - values.mean()) * wanted.std() / values.std() + wanted.mean()
            restored[sample, :, channel] = scaled.clip(0, 1)
    return restored


def test_colours_are_those_of_the_released_sampler() -> None:
    video, reference = 0.2 + 0.6 * noise(2, 5, 3, 16, 12), noise(2, 3, 20, 10, seed=1) ** 2
    expected = released(video.double().numpy(), reference.double().numpy())
    restored = restore_colours(video, reference, (0, 1))
    np.testing.assert_allclose(restored, expected, rtol=0, atol=1e-5)
    assert (restored == 0).any(), "or clipping is not tested"
    signed = restore_colours(2 * video - 1, 2 * reference - 1)
    np.testing.assert_allclose(signed / 2 + 0.5, expected, rtol=0, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    gains=st.tuples(*[st.floats(0.01, 0.5)] * 3),
    lifts=st.tuples(*[st.floats(0, 0.5)] * 3),
    frames=st.integers(1, 4),
    seed=st.integers(0, 100),
)
def test_a_tinted_still_is_untinted(
    gains: tuple[float, ...], lifts: tuple[float, ...], frames: int, seed: int
) -> None:
    image = noise(1, 3, 8, 8, seed=seed)
    tinted = image * torch.tensor(gains)[:, None, None] + torch.tensor(lifts)[:, None, None]
    restored = restore_colours(tinted[:, None].expand(1, frames, 3, 8, 8), image, (0, 1))
    torch.testing.assert_close(restored, image[:, None].expand_as(restored), rtol=0, atol=1e-4)


def test_frames_keep_their_differences_in_brightness() -> None:
    video = 0.1 * noise(1, 2, 3, 8, 8) + torch.tensor([0.3, 0.5])[:, None, None, None]
    restored = restore_colours(video, 0.4 + 0.2 * noise(1, 3, 8, 8, seed=1), (0, 1))
    means = restored.mean(dim=(3, 4))[0]
    assert (means[1] > means[0] + 0.05).all()


@pytest.mark.parametrize("value", [0.0, 0.3, 0.7123456, 1.0])
def test_a_channel_of_one_value_becomes_the_reference_s_mean(value: float) -> None:
    """Also where its values differ in the last digit, which must not become the reference's contrast."""
    video, reference = noise(1, 3, 3, 101, 97), 0.3 + 0.4 * noise(1, 3, 8, 8, seed=1)
    video[:, :, 1] = value
    video[:, ::2, 1] = torch.nextafter(torch.tensor(value), torch.tensor(0.5))
    restored = restore_colours(video, reference, (0, 1))
    assert restored.isfinite().all()
    torch.testing.assert_close(restored[:, :, 1], reference[:, 1].mean().expand(1, 3, 101, 97))


def test_what_lies_outside_the_range_is_clipped_before_it_counts() -> None:
    """As the released sampler clips the decoder's output."""
    video, reference = 3 * noise(1, 2, 3, 8, 8) - 1.5, 2 * noise(1, 3, 8, 8, seed=1) - 1
    assert restore_colours(video, reference).equal(restore_colours(video.clamp(-1, 1), reference))


def test_a_spread_of_a_ten_thousandth_is_restored() -> None:
    video, reference = 0.5 + 1e-4 * (noise(1, 3, 3, 32, 32) - 0.5), 0.3 + 0.4 * noise(1, 3, 32, 32, seed=1)
    restored = restore_colours(video, reference, (0, 1))
    torch.testing.assert_close(
        restored.transpose(1, 2).flatten(2).std(2), reference.flatten(2).std(2), rtol=0.01, atol=0
    )


def test_whole_numbers_are_refused() -> None:
    video, reference = noise(1, 1, 3, 8, 8), noise(1, 3, 8, 8)
    for wrong in ((video.byte(), reference), (video, reference.byte())):
        with pytest.raises(ValueError, match=r"torch\.uint8.* give both as floats in the range \(-1"):
            restore_colours(*wrong)
