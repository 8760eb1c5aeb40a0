"""The mapping from MediaPipe's landmarks to COCO-WholeBody, by its rules and against pictures of people."""

from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.interface import Frame, FramePose
from extractors.mediapipe_holistic import MediaPipeHolistic
from extractors.mediapipe_wholebody import BODY_FROM_POSE, FACE_FROM_MESH, wholebody_keypoints
from renderers.wholebody import BODY, FACE, FEET, LEFT_HAND, NAMES, RIGHT_HAND
from tests.factories.person_video import PersonVideo

SMALL_TOES = [NAMES.index("left_small_toe"), NAMES.index("right_small_toe")]


def numbered(count: int) -> np.ndarray:
    """Landmarks that say which they are."""
    return np.stack([np.arange(count), -np.arange(count)], 1).astype(np.float32)


@given(st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.floats(0.015625, 1, width=32))
def test_what_was_not_found_has_confidence_0_and_the_rest_its_own(
    body: bool, face: bool, left: bool, right: bool, score: float
) -> None:
    keypoints, confidence = wholebody_keypoints(
        numbered(33) if body else None,
        np.full(33, 0.7, np.float32) if body else None,
        numbered(478) if face else None,
        score,
        (numbered(21) if left else None, numbered(21) if right else None),
        (score, 1.0),
    )
    assert keypoints.shape == (133, 2) and np.isfinite(keypoints).all()
    expected = np.zeros(133, np.float32)
    expected[list(BODY_FROM_POSE)] = 0.7 * body
    expected[FACE], expected[LEFT_HAND], expected[RIGHT_HAND] = score * face, score * left, 1.0 * right
    np.testing.assert_allclose(confidence, expected, rtol=1e-6)
    assert not keypoints[confidence == 0].any()
    assert (confidence[SMALL_TOES] == 0).all()


def test_every_point_but_the_small_toes_comes_from_somewhere() -> None:
    assert sorted({*range(BODY.start, FEET.stop)} - BODY_FROM_POSE.keys()) == SMALL_TOES
    assert len(FACE_FROM_MESH) == 68
    assert len({*BODY_FROM_POSE.values()}) == len(BODY_FROM_POSE)


def test_hands_go_over_point_by_point_and_brows_are_means() -> None:
    hands = (numbered(21), numbered(21) + 100)
    keypoints, _ = wholebody_keypoints(None, None, numbered(478), 1.0, hands, (1.0, 1.0))
    np.testing.assert_array_equal(keypoints[LEFT_HAND], hands[0])
    np.testing.assert_array_equal(keypoints[RIGHT_HAND], hands[1])
    assert keypoints[FACE][17, 0] == (70 + 46) / 2
    assert keypoints[FACE][30, 0] == 4


@pytest.fixture(scope="module")
def found(person_video: PersonVideo) -> tuple[FramePose, int]:
    """What MediaPipe finds in a frame of the made person after half a second."""
    frames = decoded(person_video.path, 13)
    return list(MediaPipeHolistic().extract(frames))[-1], frames[-1].number


def decoded(path: Path, count: int) -> list[Frame]:
    with av.open(str(path)) as container:
        images = [frame.to_ndarray(format="rgb24") for frame in islice(container.decode(video=0), count)]
    return [Frame(number, number / 25, image) for number, image in enumerate(images)]


def test_each_point_lies_where_its_name_says_on_the_made_person(
    found: tuple[FramePose, int], person_video: PersonVideo
) -> None:
    pose, number = found
    truth = person_video.labels.keypoints_2d[number]
    distance = np.linalg.norm(pose.keypoints[:, None] - truth[None], axis=-1)
    own = np.diagonal(distance)
    height = np.ptp(truth[:, 1])
    assert (own[list(BODY_FROM_POSE)] < 0.05 * height).all()
    # Where along its edge the jaw's points lie is a matter of definition.
    assert (own[FACE][:17] < 0.018 * height).all() and (own[FACE][17:] < 0.01 * height).all()
    for hand in (LEFT_HAND, RIGHT_HAND):
        hands = person_video.labels.keypoints_2d[:, hand]
        palm = np.linalg.norm(hands[:, 9] - hands[:, 0], axis=1).max()
        assert (own[hand] < 0.4 * palm).all()
        nearest = distance[hand, hand].argmin(1)
        assert (nearest == np.arange(21)).mean() > 0.7
    parts = ("shoulder", "elbow", "knee", "ankle")
    limbs = [NAMES.index(f"{side}_{part}") for side in ("left", "right") for part in parts]
    assert distance[np.ix_(limbs, limbs)].argmin(1).tolist() == list(range(len(limbs)))


def test_anatomy_holds_on_a_real_person(shared: Path) -> None:
    frames = decoded(shared / "media" / "unianimate_source_video.mp4", 14)
    pose = list(MediaPipeHolistic().extract(frames))[-1]
    x, y = pose.keypoints[:, 0], pose.keypoints[:, 1]
    at = {name: number for number, name in enumerate(NAMES)}
    assert pose.body_valid and pose.face_valid
    for part in ("eye", "shoulder", "hip", "knee"):  # facing the camera, the person's left is on the right
        assert x[at[f"left_{part}"]] > x[at[f"right_{part}"]]
    downwards = [y[at[name]] for name in ("nose", "left_shoulder", "left_hip", "left_knee", "left_ankle")]
    assert downwards == sorted(downwards)
    face_x, face_y = x[FACE], y[FACE]
    assert (np.diff(face_x[2:15]) > 0).all()
    assert face_y[17:27].mean() < face_y[36:48].mean() < face_y[30] < face_y[48:68].mean() < face_y[8]
    assert (np.diff(face_y[27:31]) > 0).all()
    for hand, side in ((LEFT_HAND, "left"), (RIGHT_HAND, "right")):
        if pose.hand_valid[side == "right"]:
            reach = np.linalg.norm(pose.keypoints[hand.start] - pose.keypoints[at[f"{side}_wrist"]])
            assert reach < 0.05 * np.ptp(y[BODY])
