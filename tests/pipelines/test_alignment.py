"""Contract 1: the frames that are read for a clip are those that the scan saw, by number and by time."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from pipelines.frames import VideoSource, read_frames
from pipelines.plan import clips_of_video
from pipelines.reasons import Reason
from pipelines.scan import VideoScan, scan_video
from pipelines.settings import PlanSettings
from pipelines.video import VideoError
from tests.factories.videos import read_number, write_numbered_video, write_truncated

VARIABLE_MS = [
    round(number * 1000 / 24 + 15 * (number % 3) + (300 if number > 40 else 0)) for number in range(60)
]


def source_of(path: Path, scan: VideoScan) -> VideoSource:
    return VideoSource(
        path, scan.video_id, scan.width, scan.height, scan.rotation, scan.codec, scan.exact_times
    )


def make(name: str, folder: Path) -> Path:
    path = folder / f"{name}.mp4"
    match name:
        case "plain":
            return write_numbered_video(path, b_frames=0)
        case "b_frames":
            return write_numbered_video(path, b_frames=4, keyframe_interval=30)
        case "variable_rate":
            return write_numbered_video(path, times_ms=VARIABLE_MS)
        case "turned_90" | "turned_180" | "turned_270":
            return write_numbered_video(path, turned=int(name.removeprefix("turned_")), size=(120, 160))
        case "truncated":
            return write_truncated(path, write_numbered_video(folder / "whole.mp4"))
        case "matroska":
            return write_numbered_video(folder / "plain.mkv", times_ms=VARIABLE_MS)
        case "transport_stream":
            return write_numbered_video(folder / "plain.ts")
    raise AssertionError(name)


TRAPS = [
    "plain",
    "b_frames",
    "variable_rate",
    "turned_90",
    "turned_180",
    "turned_270",
    "truncated",
    "matroska",
]


@pytest.mark.parametrize("trap", [*TRAPS, "transport_stream"])
def test_frames_of_every_clip_are_those_that_the_plan_names(trap: str, tmp_path: Path) -> None:
    path = make(trap, tmp_path)
    scan = scan_video(path, "0" * 16)
    assert scan.reason == ""
    clips = clips_of_video(scan, PlanSettings(clip_seconds=0.7, min_clip_seconds=0.1))
    assert len(clips) >= 2
    for clip in clips:
        frames = list(read_frames(source_of(path, scan), clip.frames, clip.times))
        assert [frame.number for frame in frames] == list(clip.frames)
        shown = [read_number(frame.image) for frame in frames]
        if (
            trap == "truncated"
        ):  # the last frames that decode need not be neighbours: a B-frame between them is lost
            assert shown == [round(time * 24) for time in clip.times]
        else:
            assert shown == list(clip.frames)
        assert [frame.time for frame in frames] == [scan.times[number] for number in clip.frames]
        assert all(frame.image.shape == (scan.height, scan.width, 3) for frame in frames)
    covered = sorted({number for clip in clips for number in clip.frames})
    assert covered == list(range(len(scan.times)))


def test_variable_frame_rate_is_seen_and_its_times_are_the_files_own(tmp_path: Path) -> None:
    scan = scan_video(make("variable_rate", tmp_path), "0" * 16)
    assert scan.variable_frame_rate and scan.exact_times
    np.testing.assert_allclose(
        np.subtract(scan.times, scan.times[0]), np.array(VARIABLE_MS) / 1000, atol=1e-3
    )


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_rotation_is_applied(turned: int, tmp_path: Path) -> None:
    path = write_numbered_video(tmp_path / "turned.mp4", count=30, turned=turned, size=(120, 160))
    scan = scan_video(path, "0" * 16)
    assert (scan.width, scan.height, scan.rotation) == (120, 160, turned)


def test_truncated_video_keeps_the_frames_that_decode_and_says_so(tmp_path: Path) -> None:
    scan = scan_video(make("truncated", tmp_path), "0" * 16)
    assert 0 < len(scan.times) < 60
    assert scan.declared_frames == 60
    assert "truncated" in scan.note and "declares 60 frames" in scan.note


def test_one_frame_alone_is_read_exactly(tmp_path: Path) -> None:
    path = make("b_frames", tmp_path)
    scan = scan_video(path, "0" * 16)
    for number in (0, 1, 29, 30, 31, 59):
        (frame,) = read_frames(source_of(path, scan), [number], [scan.times[number]])
        assert read_number(frame.image) == number


def test_a_changed_file_is_an_alignment_failure(tmp_path: Path) -> None:
    path = write_numbered_video(tmp_path / "video.mp4")
    scan = scan_video(path, "0" * 16)
    write_numbered_video(path, count=40)
    with pytest.raises(VideoError) as caught:
        list(read_frames(source_of(path, scan), range(30, 60), scan.times[30:60]))
    assert caught.value.reason is Reason.ALIGNMENT


def test_a_seek_gives_the_same_pixels_as_decoding_from_the_start(tmp_path: Path) -> None:
    path = make("b_frames", tmp_path)
    scan = scan_video(path, "0" * 16)
    whole = [digest(frame.image) for frame in read_frames(source_of(path, scan), range(60), scan.times)]
    tail = [
        digest(frame.image) for frame in read_frames(source_of(path, scan), range(45, 60), scan.times[45:])
    ]
    assert tail == whole[45:]


def digest(image: np.ndarray) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()
