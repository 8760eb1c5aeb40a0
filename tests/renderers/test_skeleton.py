"""The skeleton is drawn as DWPose and RealisDance draw it, to the pixel, and no input makes it fail."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from renderers.skeleton import OFFICIAL, REALISDANCE, Style, draw_skeleton
from renderers.wholebody import FACE, FEET

STYLES = {"official": OFFICIAL, "realisdance_noface": REALISDANCE}
SETS = (
    "degenerate_tiny_all_points_together",
    "missing_hand_and_face",
    "one_frontal",
    "partly_outside_canvas",
    "three_people_lowscores",
    "uniform_random",
)
SIZE = (96, 80)


@pytest.mark.parametrize("keypoint_set", SETS)
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("width", "height"), [(576, 768), (640, 480)])
def test_drawings_equal_those_of_the_released_code(
    keypoint_set: str, style: str, width: int, height: int, shared: Path
) -> None:
    folder = shared / "fixtures" / "dwpose"
    given = np.load(folder / f"{keypoint_set}.npz")
    source_width, source_height = given["frame_wh"].tolist()
    drawn = draw_skeleton(
        given["keypoints133"],
        given["scores133"],
        (height, width),
        (source_height, source_width),
        STYLES[style],
    )
    expected = cv2.imread(str(folder / f"{keypoint_set}__{width}x{height}__{style}.png"))
    np.testing.assert_array_equal(drawn, expected)


def person(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(8, 72, (1, 133, 2)).astype(np.float32)


SURE = np.ones((1, 133), np.float32)


@pytest.mark.parametrize("style", STYLES.values())
def test_what_was_not_found_is_not_drawn(style: Style) -> None:
    assert not draw_skeleton(person(), np.zeros((1, 133), np.float32), SIZE, SIZE, style).any()
    assert not draw_skeleton(np.zeros((0, 133, 2)), np.zeros((0, 133)), SIZE, SIZE, style).any()


def test_no_feet_are_drawn_and_the_face_only_in_the_official_style() -> None:
    feet, face = np.zeros((1, 133), np.float32), np.zeros((1, 133), np.float32)
    feet[:, FEET], face[:, FACE] = 1, 1
    assert not draw_skeleton(person(), feet, SIZE, SIZE).any()
    assert draw_skeleton(person(), face, SIZE, SIZE, OFFICIAL).any()
    assert not draw_skeleton(person(), face, SIZE, SIZE, REALISDANCE).any()


def test_points_are_scaled_from_the_frame_to_the_drawing() -> None:
    drawn = draw_skeleton(person() * 2, SURE, SIZE, (SIZE[0] * 2, SIZE[1] * 2))
    np.testing.assert_array_equal(drawn, draw_skeleton(person(), SURE, SIZE, SIZE))


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float32, (1, 133, 2), elements=st.floats(width=32)),
    arrays(np.float32, (1, 133), elements=st.floats(0, 1, width=32)),
)
def test_any_points_at_all_can_be_drawn(keypoints: np.ndarray, confidence: np.ndarray) -> None:
    drawn = draw_skeleton(keypoints, confidence, SIZE, SIZE)
    assert drawn.shape == (*SIZE, 3) and drawn.dtype == np.uint8


def test_points_far_away_change_nothing_nearby() -> None:
    far = person(1)
    far[:] = 1e30
    both = draw_skeleton(np.concatenate([person(), far]), np.repeat(SURE, 2, 0), SIZE, SIZE)
    np.testing.assert_array_equal(both, draw_skeleton(person(), SURE, SIZE, SIZE))


def test_wrong_shapes_are_refused_with_what_to_give() -> None:
    with pytest.raises(ValueError, match=r"keypoints\[None\]"):
        draw_skeleton(person()[0], SURE[0], SIZE, SIZE)
