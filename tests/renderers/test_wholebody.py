"""The numbering of COCO-WholeBody and its mirror image."""

import numpy as np

from renderers.wholebody import BODY, FACE, FEET, FLIP, KEYPOINT_COUNT, LEFT_HAND, NAMES, RIGHT_HAND


def test_the_parts_cover_all_points_without_overlap() -> None:
    parts = [np.arange(KEYPOINT_COUNT)[part] for part in (BODY, FEET, FACE, LEFT_HAND, RIGHT_HAND)]
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(KEYPOINT_COUNT))
    assert len(NAMES) == len(set(NAMES)) == KEYPOINT_COUNT


def test_mirroring_twice_changes_nothing_and_once_exchanges_left_and_right() -> None:
    np.testing.assert_array_equal(FLIP[FLIP], np.arange(KEYPOINT_COUNT))
    for number, name in enumerate(NAMES):
        mirrored = NAMES[FLIP[number]]
        if name.startswith("left_"):
            assert mirrored == name.replace("left_", "right_", 1)
        elif not name.startswith(("right_", "face_")):
            assert mirrored == name


def test_the_mirrored_face_keeps_its_parts_and_its_middle() -> None:
    face = FLIP[FACE] - FACE.start
    for part in (range(17), range(17, 27), range(27, 36), range(36, 48), range(48, 60), range(60, 68)):
        assert {face[point] for point in part} == set(part)
    middle = [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]
    assert face[middle].tolist() == middle
