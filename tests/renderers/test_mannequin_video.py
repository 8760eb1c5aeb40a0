"""A made video shows a person where its labels say, is always the same, and is seen by a pose estimator."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from jaxtyping import UInt8

from renderers.mannequin.command import mannequin
from renderers.mannequin.errors import MannequinError
from renderers.mannequin.labels import Labels, labels_path, read_labels
from renderers.mannequin.person import make_person
from renderers.mannequin.room import paint_room
from renderers.mannequin.video import VideoSpec, camera_for, render_video
from renderers.wholebody import BODY, FACE, LEFT_HAND, RIGHT_HAND
from tests.factories.person_video import PersonVideo

SMALL = VideoSpec(width=180, height=320, fps=20, seconds=0.25)


def decoded(path: Path) -> UInt8[np.ndarray, "frames height width 3"]:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_joints_lie_where_the_picture_differs_from_the_empty_room(person_video: PersonVideo) -> None:
    """The figure is found in the decoded video itself, without the renderer's depth."""
    room = paint_room(camera_for(person_video.spec))
    joints = [*range(17), *range(LEFT_HAND.start, RIGHT_HAND.stop)]
    inside = []
    for image, points in zip(decoded(person_video.path), person_video.labels.keypoints_2d, strict=True):
        figure = (np.abs(image - room).max(axis=2) > 12).astype(np.uint8)
        figure = cv2.dilate(figure, np.ones((5, 5), np.uint8))
        column, row = points[joints].astype(int).T
        inside.append(figure[row, column] > 0)
    assert np.mean(inside) > 0.995


def test_hands_and_face_have_the_colour_of_skin_where_the_labels_are(person_video: PersonVideo) -> None:
    labels = person_video.labels
    for image, points, visible in zip(
        decoded(person_video.path), labels.keypoints_2d, labels.visible, strict=True
    ):
        for part in (slice(FACE.start + 27, FACE.start + 36), LEFT_HAND, RIGHT_HAND):
            column, row = points[part][visible[part]].astype(int).T
            red, green, blue = np.median(image[row, column], axis=0)
            assert red > green > blue and red - blue > 30


def test_the_same_specification_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first.mp4", tmp_path / "second.mp4"
    render_video(first, SMALL)
    render_video(second, SMALL)
    assert first.read_bytes() == second.read_bytes()
    assert labels_path(first).read_bytes() == labels_path(second).read_bytes()


def test_a_wide_picture_holds_the_whole_person_too(tmp_path: Path) -> None:
    labels = read_labels(render_video(tmp_path / "wide.mp4", VideoSpec(width=320, height=180, seconds=0.2)))
    assert ((labels.keypoints_2d > 0) & (labels.keypoints_2d < [320, 180])).all()


def test_progress_is_told_after_every_frame(tmp_path: Path) -> None:
    told: list[int] = []
    render_video(tmp_path / "person.mp4", SMALL, told.append)
    assert told == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"width": 541}, "width"),
        ({"height": 0}, "height"),
        ({"height": 10_000}, "height"),
        ({"seconds": 0.0}, "seconds"),
        ({"seconds": float("nan")}, "seconds"),
        ({"seconds": 0.001}, "frame"),
        ({"fps": 0.0}, "fps"),
        ({"fps": float("inf")}, "fps"),
    ],
)
def test_what_cannot_be_made_is_refused_by_name(wrong: dict[str, float], named: str) -> None:
    with pytest.raises(MannequinError, match=named):
        VideoSpec(**wrong)  # type: ignore[arg-type]


def test_a_path_that_is_no_mp4_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MannequinError, match=r"\.mp4"):
        render_video(tmp_path / "person.avi", SMALL)
    assert not list(tmp_path.iterdir())


def test_an_interrupted_video_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_video(tmp_path / "person.mp4", SMALL, interrupt)
    assert not list(tmp_path.iterdir())


def test_the_command_names_both_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "person.mp4"
    mannequin(path, seconds=0.1, width=180, height=320)
    assert path.exists() and labels_path(path).exists()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 and str(path) in lines[0] and str(labels_path(path)) in lines[0]


@pytest.mark.slow
def test_mediapipe_sees_the_person_where_the_labels_say(tmp_path: Path) -> None:
    """The whole dance, through H.264, by the project's own extractor."""
    from extractors.interface import Frame
    from extractors.mediapipe_holistic import MediaPipeHolistic

    path = tmp_path / "person.mp4"
    labels: Labels = read_labels(render_video(path, VideoSpec(seconds=5.6)))
    frames = [
        Frame(number, time, image)
        for number, (time, image) in enumerate(zip(labels.time.tolist(), decoded(path), strict=True))
    ]
    poses = list(MediaPipeHolistic().extract(frames))
    assert np.mean([pose.body_valid for pose in poses]) >= 0.99
    assert np.mean([pose.face_valid for pose in poses]) >= 0.99
    hands_found = np.array([pose.hand_valid for pose in poses])
    assert (hands_found.mean(axis=0) >= 0.95).all()

    found = np.stack([pose.keypoints for pose in poses])
    error = np.linalg.norm(found - labels.keypoints_2d, axis=2)
    metres = make_person().height
    height = labels.K[0, 1, 1] * metres / labels.world_to_camera[0, 2, 3]
    body = error[:, BODY][labels.visible[:, BODY]]
    assert labels.visible[:, BODY].mean() > 0.9
    assert body.mean() < 0.02 * height
    for side, hand in enumerate((LEFT_HAND, RIGHT_HAND)):
        points = labels.keypoints_2d[:, hand]
        palm = np.linalg.norm(points[:, 0] - points[:, 9], axis=1)
        share = error[:, hand].mean(axis=1) / palm
        assert share[hands_found[:, side]].mean() < 0.15
