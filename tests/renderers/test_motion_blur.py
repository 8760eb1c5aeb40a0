"""The motion-blur planes lie on the hands that the skeleton shows, in bounded scales that can be undone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from renderers.motion_blur import (
    HALF_SHARPNESS,
    HALF_SPEED,
    as_image,
    draw_motion_blur,
    movement_from_scaled,
    scaled_movement,
    scaled_sharpness,
    sharpness_from_scaled,
)
from renderers.skeleton import OFFICIAL, REALISDANCE, draw_skeleton
from renderers.wholebody import FLIP, LEFT_HAND, RIGHT_HAND

SOURCE = 400, 300
MOVEMENT = np.array([[[0.5, -0.25], [-1.0, 2.0]]], np.float32)
SHARPNESS = np.array([[10.0, 60.0]], np.float32)
HANDS = (LEFT_HAND, RIGHT_HAND)
SIZES = [(400, 300), (768, 576), (200, 150), (96, 72), (512, 896)]


def person(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints whose left hand is right of the middle and whose right hand is left of it, and confidence."""
    chance = np.random.default_rng(seed)
    keypoints = chance.integers(20, 280, (1, 133, 2)).astype(np.float32)
    keypoints[0, LEFT_HAND] = chance.integers((180, 90), (260, 170), (21, 2))
    keypoints[0, RIGHT_HAND] = chance.integers((30, 200), (110, 290), (21, 2))
    return keypoints, np.ones((1, 133), np.float32)


def only(confidence: np.ndarray, hand: slice) -> np.ndarray:
    kept = np.zeros_like(confidence)
    kept[:, hand] = confidence[:, hand]
    return kept


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", range(3))
def test_a_hand_s_region_is_the_hull_of_what_the_skeleton_draws_of_it(
    size: tuple[int, int], seed: int
) -> None:
    keypoints, confidence = person(seed)
    confidence[0, np.random.default_rng(seed).integers(0, 133, 60)] = 0.2
    for number, hand in enumerate(HANDS):
        alone = only(confidence, hand)
        planes = draw_motion_blur(keypoints, alone, MOVEMENT, SHARPNESS, size, SOURCE)
        for style in (OFFICIAL, REALISDANCE):
            drawn = draw_skeleton(keypoints, alone, size, SOURCE, style).any(-1)
            assert drawn.any() and (planes[drawn, 2] > 0).all()
        region = planes[..., 2] > 0
        assert np.ptp(np.argwhere(region), axis=0).tolist() == np.ptp(np.argwhere(drawn), axis=0).tolist()
        expected = [*scaled_movement(MOVEMENT[0, number]), scaled_sharpness(SHARPNESS[0, number])]
        np.testing.assert_allclose(planes[region], np.tile(expected, (region.sum(), 1)), rtol=1e-6)
        assert not planes[~region].any()


def test_the_frame_s_size_does_not_change_the_values() -> None:
    keypoints, confidence = person()
    values = [
        np.unique(draw_motion_blur(keypoints, confidence, MOVEMENT, SHARPNESS, size, SOURCE))
        for size in SIZES
    ]
    for other in values[1:]:
        np.testing.assert_array_equal(values[0], other)
    twice = draw_motion_blur(keypoints * 2, confidence, MOVEMENT, SHARPNESS, SOURCE, (800, 600))
    np.testing.assert_array_equal(
        twice, draw_motion_blur(keypoints, confidence, MOVEMENT, SHARPNESS, SOURCE, SOURCE)
    )


def test_a_flipped_frame_gives_the_mirrored_planes_with_v_x_negated() -> None:
    keypoints, confidence = person()
    planes = draw_motion_blur(keypoints, confidence, MOVEMENT, SHARPNESS, SOURCE, SOURCE)
    mirrored = keypoints[:, FLIP] * [-1, 1] + [SOURCE[1] - 1, 0]
    flipped = draw_motion_blur(
        mirrored, confidence[:, FLIP], MOVEMENT[:, ::-1] * [-1, 1], SHARPNESS[:, ::-1], SOURCE, SOURCE
    )
    expected = planes[:, ::-1] * [-1, 1, 1]
    differing = (np.abs(flipped - expected) > 1e-6).any(-1)
    assert (planes[..., 2] > 0).sum() > 5000 and differing.sum() < 50, "but for the rounding of slanted edges"


def test_right_hands_lie_over_left_ones_as_in_the_skeleton() -> None:
    keypoints = np.concatenate([person()[0]] * 2)
    keypoints[1, RIGHT_HAND] = keypoints[0, LEFT_HAND]
    movement, sharpness = np.concatenate([MOVEMENT, MOVEMENT]), np.array([[10.0, 60.0], [200.0, 300.0]])
    planes = draw_motion_blur(keypoints, np.ones((2, 133)), movement, sharpness, SOURCE, SOURCE)
    x, y = keypoints[0, LEFT_HAND][0].astype(int)
    assert planes[y, x, 2] == pytest.approx(scaled_sharpness(np.array(300.0)))


def test_what_is_not_known_is_zero() -> None:
    keypoints, confidence = person()
    unknown = np.full_like(MOVEMENT, np.nan)
    planes = draw_motion_blur(keypoints, confidence, unknown, SHARPNESS, SOURCE, SOURCE)
    assert not planes[..., :2].any() and planes[..., 2].any()
    planes = draw_motion_blur(keypoints, confidence, MOVEMENT, SHARPNESS * np.nan, SOURCE, SOURCE)
    assert planes[..., :2].any() and not planes[..., 2].any()
    assert not draw_motion_blur(keypoints, confidence * 0, MOVEMENT, SHARPNESS, SOURCE, SOURCE).any()
    nobody = np.zeros((0, 133, 2)), np.zeros((0, 133)), np.zeros((0, 2, 2)), np.zeros((0, 2))
    assert not draw_motion_blur(*nobody, SOURCE, SOURCE).any()


def test_a_hand_outside_the_frame_is_not_drawn_and_one_at_its_edge_in_part() -> None:
    keypoints, confidence = person()
    left = only(confidence, LEFT_HAND)
    whole = draw_motion_blur(keypoints, left, MOVEMENT, SHARPNESS, SOURCE, SOURCE)
    away = keypoints + np.array([300, 0], np.float32)
    assert not draw_motion_blur(away, left, MOVEMENT, SHARPNESS, SOURCE, SOURCE).any()
    half = keypoints + np.array([80, 0], np.float32)
    planes = draw_motion_blur(half, left, MOVEMENT, SHARPNESS, SOURCE, SOURCE)
    assert planes.any()
    assert (planes[:, 80:] != whole[:, :-80]).any(-1).sum() < 30, "but for the rounding of cut edges"


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float32, (1, 133, 2), elements=st.floats(width=32)),
    arrays(np.float32, (1, 133), elements=st.floats(0, 1, width=32)),
    arrays(np.float32, (1, 2, 2), elements=st.floats(width=32)),
    arrays(np.float32, (1, 2), elements=st.floats(min_value=0, width=32)),
)
def test_any_numbers_at_all_give_bounded_planes(
    keypoints: np.ndarray, confidence: np.ndarray, movement: np.ndarray, sharpness: np.ndarray
) -> None:
    with np.errstate(all="ignore"):
        planes = draw_motion_blur(keypoints, confidence, movement, sharpness, (48, 40), (48, 40))
    assert planes.shape == (48, 40, 3) and planes.dtype == np.float32
    assert np.isfinite(planes).all() and np.abs(planes).max() <= 1 and planes[..., 2].min() >= 0


@given(arrays(np.float64, (2,), elements=st.floats(-50, 50)), st.floats(0, 1e5))
def test_the_scales_keep_direction_and_order_and_can_be_undone(velocity: np.ndarray, variance: float) -> None:
    scaled = scaled_movement(velocity)
    assert np.linalg.norm(scaled) < 1
    assert scaled[0] * velocity[1] == pytest.approx(scaled[1] * velocity[0])
    np.testing.assert_allclose(movement_from_scaled(scaled), velocity, rtol=1e-9, atol=1e-12)
    sharpness = scaled_sharpness(np.array([variance, variance + 1]))
    assert 0 <= sharpness[0] < sharpness[1] < 1
    np.testing.assert_allclose(
        sharpness_from_scaled(sharpness), [variance, variance + 1], rtol=1e-9, atol=1e-12
    )


def test_half_of_the_scales_is_where_they_say() -> None:
    np.testing.assert_allclose(scaled_movement(np.array([0.0, -HALF_SPEED])), [0, -0.5])
    np.testing.assert_allclose(scaled_sharpness(np.array([0.0, HALF_SHARPNESS])), [0, 0.5])


def test_the_image_to_look_at_is_grey_where_nothing_moves() -> None:
    planes = np.zeros((1, 3, 3), np.float32)
    planes[0, 1], planes[0, 2] = (1, -1, 1), (-1, 1, 0.5)
    image = as_image(planes)
    assert image.dtype == np.uint8
    assert image[0].tolist() == [[128, 128, 0], [255, 0, 255], [0, 255, 128]]


def test_arrays_that_do_not_fit_are_refused() -> None:
    keypoints, confidence = person()
    with pytest.raises(ValueError, match=r"keypoints\[None\]"):
        draw_motion_blur(keypoints[0], confidence[0], MOVEMENT[0], SHARPNESS[0], SOURCE, SOURCE)
    with pytest.raises(ValueError, match=r"movement\[None\]"):
        draw_motion_blur(keypoints, confidence, MOVEMENT, SHARPNESS[0], SOURCE, SOURCE)
