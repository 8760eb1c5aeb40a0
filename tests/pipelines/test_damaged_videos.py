"""Every damage that a video can be given on purpose, and some that were found by chance, ends in the scan as
frames that are right or as a reason: nothing is raised, and little memory is taken.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipelines.frames import VideoSource, read_frames
from pipelines.plan import clips_of_video, video_filter
from pipelines.reasons import Reason
from pipelines.scan import scan_video
from pipelines.settings import PlanSettings
from renderers.mannequin.damage import DAMAGES, damaged
from renderers.mannequin.encoding import Encoding, frame_times, write_video
from renderers.mannequin.numbering import read_number
from shards.schema import Status, VideoRow
from shards.tables import read_rows
from tests.factories.runs import ROOT, dancemill
from tests.factories.videos import numbered_image, write_numbered_video

COUNT = 72

REASONS = {
    "zero_bytes": Reason.EMPTY,
    "no_moov_atom": Reason.UNREADABLE,
    "audio_only": Reason.NO_VIDEO_STREAM,
}
"""What the scan gives as the reason; it finds frames in all others."""

FRAMES = {"one_frame": range(1, 2), "truncated": range(30, COUNT - 12)}
"""How many frames of it are found; of all others, all."""

NOTES = {"truncated": "damaged or truncated", "broken_timestamps": "do not increase"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each damage of a video with a varying rate and frames coded out of their order, by its name."""
    made = tmp_path_factory.mktemp("made")
    folder = tmp_path_factory.mktemp("damaged")
    encoding = Encoding(variable_rate=True)
    times = frame_times(COUNT, 24.0, encoding, np.random.default_rng(0))
    write_video(made / "whole.mp4", (numbered_image(number) for number in range(COUNT)), times, encoding)
    for damage in DAMAGES:
        path = damaged(made / "whole.mp4", damage, folder)
        path.rename(folder / f"{damage}{path.suffix}")
    return folder


def file_of(folder: Path, damage: str) -> Path:
    (path,) = folder.glob(f"{damage}.*")
    return path


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_is_frames_that_are_right_or_a_reason(damage: str, folder: Path) -> None:
    path = file_of(folder, damage)
    scan = scan_video(path, "0" * 16)
    assert scan.reason == REASONS.get(damage, "")
    if scan.reason:
        assert scan.error and not scan.times
        return
    assert len(scan.times) in FRAMES.get(damage, range(COUNT, COUNT + 1))
    assert NOTES.get(damage, "") in scan.note and bool(scan.note) == (damage in NOTES)
    assert (scan.width, scan.height) == ((159, 127) if damage == "odd_size" else (160, 128))
    assert scan.exact_times == (damage != "broken_timestamps")
    source = VideoSource(
        path, scan.video_id, scan.width, scan.height, scan.rotation, scan.codec, scan.exact_times
    )
    frames = list(read_frames(source, range(len(scan.times)), scan.times))
    shown = [read_number(frame.image) for frame in frames]
    # Where the file breaks off, the last frames that decode need not be neighbours.
    sure = len(shown) - (8 if damage == "truncated" else 0)
    assert shown[:sure] == list(range(sure))


def test_one_frame_is_too_short(folder: Path) -> None:
    found = video_filter(scan_video(file_of(folder, "one_frame"), "0" * 16), PlanSettings())
    assert found is not None and found[0] is Reason.TOO_SHORT


def test_timestamps_that_jump_leave_the_declared_rate(folder: Path) -> None:
    scan = scan_video(file_of(folder, "broken_timestamps"), "0" * 16)
    assert np.allclose(np.diff(scan.times), 1 / 24, rtol=0.05)
    (clip,) = clips_of_video(scan, PlanSettings())
    assert clip.frames == tuple(range(COUNT))


@pytest.mark.parametrize("ending", [".jpg", ".txt", ".avi", ".ts", ".wav", ""])
def test_a_video_is_known_by_what_it_holds(ending: str, tmp_path: Path) -> None:
    path = write_numbered_video(tmp_path / "video.mp4", count=12).rename(tmp_path / f"video{ending}")
    scan = scan_video(path, "0" * 16)
    assert scan.reason == "" and len(scan.times) == 12


_SCAN_ALL = """
import resource, sys
from pathlib import Path
from pipelines.scan import scan_video

def taken():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

scan_video(Path(sys.argv[1]) / "wrong_extension.avi", "0" * 16)
before = taken()
for path in sorted(Path(sys.argv[1]).iterdir()):
    scan_video(path, "0" * 16)
print(taken() - before)
"""


def test_no_damage_takes_much_memory_or_time(folder: Path) -> None:
    """Beyond what an undamaged video takes, in megabytes."""
    scanned = subprocess.run(
        [sys.executable, "-c", _SCAN_ALL, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert scanned.returncode == 0, scanned.stderr
    assert float(scanned.stdout) < 50


def test_a_file_cut_off_within_its_index_is_unreadable(tmp_path: Path) -> None:
    """FFmpeg says "end of file" of some cuts, and "invalid data" of others."""
    data = write_numbered_video(tmp_path / "video.mp4").read_bytes()
    index = data.rindex(b"moov")
    for share in np.linspace(0.02, 0.6, 30):
        path = tmp_path / "cut.mp4"
        path.write_bytes(data[: index + round(share * (len(data) - index))])
        scan = scan_video(path, "0" * 16)
        assert scan.reason in (Reason.UNREADABLE, Reason.NO_FRAMES, Reason.NO_VIDEO_STREAM)


def test_a_frame_size_that_changes_on_the_way_is_scaled_to_the_first(tmp_path: Path) -> None:
    parts = [
        write_numbered_video(tmp_path / f"{number}.ts", count=24, size=size, b_frames=0).read_bytes()
        for number, size in enumerate([(160, 128), (96, 96), (160, 128)])
    ]
    path = tmp_path / "sizes.ts"
    path.write_bytes(b"".join(parts))
    scan = scan_video(path, "0" * 16)
    assert (scan.reason, scan.width, scan.height, len(scan.times)) == ("", 160, 128, 72)


def test_a_declared_rate_that_no_video_has_is_not_believed(tmp_path: Path) -> None:
    """A frame lasts 68 years, by a file whose times begin where its own edits do not."""
    data = bytearray(write_numbered_video(tmp_path / "video.mp4", count=12, b_frames=0).read_bytes())
    edits, header, times = data.rindex(b"edts"), data.rindex(b"mdhd"), data.rindex(b"stts")
    data[edits : edits + 4] = b"free"
    struct.pack_into(">I", data, header + 16, 1)
    struct.pack_into(">I", data, times + 16, 0x7FFFFFFF)
    (tmp_path / "slow.mp4").write_bytes(data)
    scan = scan_video(tmp_path / "slow.mp4", "0" * 16)
    assert scan.reason == "" and len(scan.times) == 12 and scan.times[-1] > 1e10


@pytest.mark.slow
def test_a_folder_of_damaged_files_becomes_a_dataset_with_a_reason_for_each(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "dataset"
    settings = ["--min-found", "0", "--min-side", "64", "--workers", "1", "--body-model", "none"]
    run = dancemill(["extract", str(folder), "--out", str(out), *settings], tmp_path / "home")
    assert run.code == 0, run.stderr
    rows = {Path(row.path).stem: row for row in read_rows(out / "videos.parquet", VideoRow)}
    ends = {damage: (row.status, row.reason) for damage, row in rows.items()}
    assert ends == {
        **dict.fromkeys(DAMAGES, (Status.OK, "")),
        "zero_bytes": (Status.FAILED, Reason.EMPTY),
        "no_moov_atom": (Status.FAILED, Reason.UNREADABLE),
        "audio_only": (Status.FILTERED, Reason.NO_VIDEO_STREAM),
        "one_frame": (Status.FILTERED, Reason.TOO_SHORT),
    }
    assert all(bool(row.error) == bool(row.reason) for row in rows.values())
