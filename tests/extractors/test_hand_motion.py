"""Hand sharpness and movement (HIA 3.2) against closed forms: what they depend on, and what they must not."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.hand_motion import MIN_BOX_PIXELS, hand_box, hand_movement, hand_sharpness

BOX = np.array([32, 32, 160, 160], np.float32)


def waves(size: int = 192, periods: float = 12.0) -> np.ndarray:
    """A grey picture of waves in both directions; `periods` of them across it."""
    phase = 2 * np.pi * periods * (np.arange(size) + 0.5) / size
    grey = 127 + 50 * np.sin(phase)[None] + 50 * np.sin(phase)[:, None]
    return np.repeat(grey[..., None], 3, 2).round().astype(np.uint8)


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    """Of a sine with w radians a pixel, the 3x3 Laplacian is 2 (cos w - 1) times the sine, whose variance
    is A^2 / 2.
    """
    step = 2 * np.pi * 12 / 192
    expected = 2 * (2 * (1 - np.cos(step)) * 50) ** 2 / 2
    _, raw = hand_sharpness(waves(), BOX)
    assert raw == pytest.approx(expected, rel=0.05)


def test_a_flat_crop_has_no_sharpness() -> None:
    assert hand_sharpness(np.full((192, 192, 3), 90, np.uint8), BOX) == (0, 0)


def test_sharpness_falls_with_blur() -> None:
    image = np.random.default_rng(0).integers(0, 255, (192, 192, 3), np.uint8)
    scores = [hand_sharpness(cv2.GaussianBlur(image, (0, 0), blur), BOX)[0] for blur in (0.5, 1, 2, 4)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 50 * scores[-1]


def test_normalised_sharpness_does_not_depend_on_the_resolution_and_raw_does() -> None:
    small, small_raw = hand_sharpness(waves(192), BOX)
    large, large_raw = hand_sharpness(waves(384), BOX * 2)
    assert large == pytest.approx(small, rel=0.1)
    assert large_raw < 0.2 * small_raw


@pytest.mark.parametrize(
    "box", [[np.nan] * 4, [300, 300, 400, 400], [-50, -50, MIN_BOX_PIXELS - 1, 100], [40, 40, 44, 44]]
)
def test_no_crop_is_nan_and_not_zero(box: list[float]) -> None:
    assert np.isnan(hand_sharpness(waves(), np.array(box, np.float32))).all()


def test_a_crop_that_reaches_out_of_the_image_is_measured_where_it_is_inside() -> None:
    sharpness, raw = hand_sharpness(waves(), np.array([-64, -64, 64, 64], np.float32))
    assert sharpness > 0 and raw > 0


def test_the_crop_is_a_square_around_the_points_with_room() -> None:
    points = np.array([[10, 20]] * 20 + [[30, 60]], np.float32)
    np.testing.assert_allclose(hand_box(points), [20 - 25, 40 - 25, 20 + 25, 40 + 25])


@given(st.floats(5, 120), st.floats(100, 2000), st.floats(-3, 3), st.floats(-3, 3))
def test_movement_is_velocity_in_short_sides_a_second_whatever_the_rate_and_size(
    fps: float, short_side: float, right: float, down: float
) -> None:
    times = np.arange(10) / fps
    velocity = np.array([right, down])
    start = np.random.default_rng(0).uniform(0, 1, (21, 2))
    points = (start + velocity * times[:, None, None]) * short_side
    hands = np.stack([points, points], 1).astype(np.float32)
    motion = hand_movement(hands, np.ones((10, 2), bool), times, short_side)
    np.testing.assert_allclose(motion.movement[1:], np.broadcast_to(velocity, (9, 2, 2)), atol=0.02)
    np.testing.assert_allclose(motion.raw[1:] * fps / short_side, motion.movement[1:], rtol=1e-3, atol=1e-4)


def test_movement_has_no_value_where_either_frame_has_no_hand() -> None:
    valid = np.ones((6, 2), bool)
    valid[3, 0] = False
    motion = hand_movement(np.zeros((6, 2, 21, 2), np.float32), valid, np.arange(6) / 24, 100)
    assert motion.valid[:, 0].tolist() == [False, True, True, False, False, True]
    assert motion.valid[:, 1].tolist() == [False] + [True] * 5
    np.testing.assert_array_equal(np.isnan(motion.movement).any(-1), ~motion.valid)
    assert (motion.movement[motion.valid] == 0).all()


def test_an_uneven_frame_rate_does_not_change_a_steady_velocity() -> None:
    times = np.array([0, 0.04, 0.1, 0.11, 0.5])
    points = np.broadcast_to(times[:, None, None, None] * 50, (5, 2, 21, 2)).astype(np.float32)
    motion = hand_movement(points, np.ones((5, 2), bool), times, 100)
    np.testing.assert_allclose(motion.movement[1:], 0.5, rtol=1e-4)
