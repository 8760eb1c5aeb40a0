"""MediaPipe's results are a function of the clip alone, to the last bit, whatever the worker did before."""

import numpy as np
import pytest

from extractors.interface import Frame, FramePose
from extractors.mediapipe_holistic import MediaPipeHolistic
from tests.extractors.test_mediapipe_wholebody import decoded
from tests.factories.person_video import PersonVideo


@pytest.fixture(scope="module")
def extractor() -> MediaPipeHolistic:
    return MediaPipeHolistic()


@pytest.fixture(scope="module")
def clip(person_video: PersonVideo) -> list[Frame]:
    return decoded(person_video.path, 8)


def assert_same(these: list[FramePose], those: list[FramePose]) -> None:
    assert len(these) == len(those)
    for this, that in zip(these, those, strict=True):
        for name in ("keypoints", "confidence", "body_landmarks", "body_visibility", "hand_landmarks"):
            np.testing.assert_array_equal(getattr(this, name), getattr(that, name), err_msg=name)


def test_a_clip_does_not_depend_on_what_ran_before(extractor: MediaPipeHolistic, clip: list[Frame]) -> None:
    first = list(extractor.extract(clip))
    mirrored = [Frame(frame.number, frame.time, frame.image[:, ::-1]) for frame in clip]
    unfinished = extractor.extract(mirrored)
    next(unfinished)
    unfinished.close()  # type: ignore[attr-defined]
    list(extractor.extract(mirrored))
    assert_same(list(extractor.extract(clip)), first)
    assert_same(list(MediaPipeHolistic().extract(clip)), first)


def test_only_time_between_frames_matters(extractor: MediaPipeHolistic, clip: list[Frame]) -> None:
    later = [Frame(frame.number + 1000, frame.time + 2.0, frame.image) for frame in clip]
    assert_same(list(extractor.extract(later)), list(extractor.extract(clip)))


def test_landmarks_are_in_metres(extractor: MediaPipeHolistic, clip: list[Frame]) -> None:
    pose = list(extractor.extract(clip))[-1]
    hips, shoulders = pose.body_landmarks[[23, 24]].mean(0), pose.body_landmarks[[11, 12]].mean(0)
    np.testing.assert_allclose(hips, 0, atol=0.02)
    assert 0.35 < np.linalg.norm(shoulders - hips) < 0.7
    for hand in pose.hand_landmarks:
        assert 0.05 < np.linalg.norm(hand[9] - hand[0]) < 0.12


def test_nobody_is_nobody(extractor: MediaPipeHolistic) -> None:
    for image in (np.zeros((240, 320, 3), np.uint8), np.full((240, 320, 3), 255, np.uint8)):
        (pose,) = extractor.extract([Frame(0, 0.0, image)])
        assert not pose.body_valid and not pose.face_valid and pose.hand_valid == (False, False)
        assert not pose.confidence.any()
        assert np.isnan(pose.body_landmarks).all() and np.isnan(pose.hand_landmarks).all()
    assert list(extractor.extract([])) == []


def test_lineage_names_package_weights_and_licences(extractor: MediaPipeHolistic) -> None:
    lineage = extractor.lineage
    assert lineage.package == "mediapipe==0.10.14"
    assert lineage.weights and all(len(digest) == 64 for digest in lineage.weights.values())
    licences = lineage.licences
    assert "unknown" not in (licences.code, licences.weights, licences.body_model)
