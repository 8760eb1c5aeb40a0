"""A file that is no good video becomes a scan with a reason code and the first line of the error; nothing
is raised.
"""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from pipelines.reasons import Reason
from pipelines.scan import VideoScan, scan_video, video_id
from tests.factories.videos import write_numbered_video, write_sound


def write_bytes(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def write_picture(path: Path) -> Path:
    from PIL import Image

    Image.new("RGB", (320, 240)).save(path)
    return path


BAD: dict[Reason, Callable[[Path], Path]] = {
    Reason.MISSING: lambda folder: folder / "nowhere.mp4",
    Reason.EMPTY: lambda folder: write_bytes(folder / "empty.mp4", b""),
    Reason.UNREADABLE: lambda folder: write_bytes(folder / "noise.mp4", bytes(range(256)) * 40),
    Reason.NOT_A_VIDEO: lambda folder: write_picture(folder / "picture.jpg"),
    Reason.NO_VIDEO_STREAM: lambda folder: write_sound(folder / "sound.m4a"),
}


@pytest.mark.parametrize("reason", BAD)
def test_bad_files_have_their_reason(reason: Reason, tmp_path: Path) -> None:
    scan = scan_video(BAD[reason](tmp_path), "0" * 16)
    assert scan.reason == reason
    assert scan.error and "\n" not in scan.error


def test_text_and_playlists_are_no_videos(tmp_path: Path) -> None:
    video = write_numbered_video(tmp_path / "video.ts")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{video}\n#EXT-X-ENDLIST\n"
    for name, text in (("notes.md", "# Notes\n"), ("list.m3u8", playlist)):
        scan = scan_video(write_bytes(tmp_path / name, text.encode()), "0" * 16)
        assert scan.reason == Reason.NOT_A_VIDEO


def test_a_playlist_under_a_videos_name_reads_no_other_file(tmp_path: Path) -> None:
    video = write_numbered_video(tmp_path / "video.ts")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{video}\n#EXT-X-ENDLIST\n"
    scan = scan_video(write_bytes(tmp_path / "trap.mp4", playlist.encode()), "0" * 16)
    assert scan.reason == Reason.UNREADABLE


def test_a_video_cut_off_before_its_first_frame_has_none(tmp_path: Path) -> None:
    data = write_numbered_video(tmp_path / "video.ts").read_bytes()
    scan = scan_video(write_bytes(tmp_path / "cut.ts", data[: 188 * 4]), "0" * 16)
    assert scan.reason in (Reason.NO_FRAMES, Reason.UNREADABLE, Reason.NO_VIDEO_STREAM)


def test_facts_of_a_good_video(tmp_path: Path) -> None:
    scan = scan_video(write_numbered_video(tmp_path / "video.mp4", count=60, fps=24), "0" * 16)
    assert (scan.width, scan.height, scan.codec, len(scan.times), scan.declared_frames) == (
        160,
        128,
        "h264",
        60,
        60,
    )
    assert scan.fps == pytest.approx(24)
    assert scan.duration_s == pytest.approx(2.5)
    assert not scan.variable_frame_rate and scan.note == "" and scan.shots == ((0, 60),)
    assert VideoScan.from_json(scan.to_json()) == scan


def test_cuts_part_the_video_into_shots(tmp_path: Path) -> None:
    colours = ((200, 40, 40), (30, 160, 60), (40, 50, 200))
    path = tmp_path / "cuts.mp4"
    noise = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 160, 128, "yuv420p"
        for number in range(90):
            image = np.full((128, 160, 3), colours[number // 30], np.uint8) + noise.integers(
                0, 4, (128, 160, 3), np.uint8
            )
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode(None))
    assert scan_video(path, "0" * 16).shots == ((0, 30), (30, 60), (60, 90))


def test_a_video_is_named_by_its_bytes(tmp_path: Path) -> None:
    one = write_numbered_video(tmp_path / "one.mp4", count=5)
    other = write_bytes(tmp_path / "other name.mp4", one.read_bytes())
    changed = write_bytes(tmp_path / "changed.mp4", one.read_bytes() + b"x")
    assert video_id(one) == video_id(other) != video_id(changed)
