"""Contract 2: after a kill at any point the same command finishes the rest, and the bytes are those of a
run left alone.
"""

import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from shards.reader import Dataset
from shards.schema import PlanRow, Status, VideoRow
from shards.tables import read_rows
from tests.factories.person_video import PersonVideo
from tests.factories.runs import Finished, dancemill, end_group, files_of, kill, start
from tests.factories.videos import write_numbered_video

pytestmark = pytest.mark.slow

FPS = 12

SETTINGS = [
    *("--min-found", "0", "--clip-seconds", "1", "--clips-per-shard", "2", "--min-side", "64"),
    *("--body-model", "none"),
]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six clips of numbered frames in three shards, and a file that is none."""
    folder = tmp_path_factory.mktemp("videos")
    for seconds in (3, 2, 1):
        write_numbered_video(folder / f"{seconds}.mp4", count=FPS * seconds, fps=FPS)
    (folder / "broken.mp4").write_bytes(b"not a video")
    return folder


def extract(videos: Path, out: Path, home: Path, *more: str) -> Finished:
    return dancemill(["extract", str(videos), "--out", str(out), *SETTINGS, *more], home)


@pytest.fixture(scope="module")
def left_alone(videos: Path, home: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A dataset made by a run that was not interrupted, and how long it took in seconds."""
    out = tmp_path_factory.mktemp("alone") / "dataset"
    begun = time.monotonic()
    finished = extract(videos, out, home)
    assert finished.code == 0, finished.stderr
    return out, time.monotonic() - begun


def wait_for_a_clip(process: subprocess.Popen[str], out: Path) -> None:
    """Wait until a clip is staged, of a run that has more to do."""
    while process.poll() is None and not list((out / ".work" / "staging").glob("*.clip")):
        time.sleep(0.02)


def test_runs_killed_at_random_moments_end_with_the_same_bytes(
    videos: Path, home: Path, left_alone: tuple[Path, float], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The first of them as soon as a clip is staged; with the options of pytest more than a few."""
    whole, seconds = left_alone
    moments = random.Random(2)
    kills = request.config.getoption("--kills")
    out = tmp_path / "dataset"
    for number in range(kills):
        process = start(["extract", str(videos), "--out", str(out), *SETTINGS], home)
        if number % 3 == 0:
            wait_for_a_clip(process, out)
        else:
            time.sleep(moments.uniform(0.05, 1.0) * seconds)
        kill(process)
        if number % 3 == 2 or number == kills - 1:
            assert extract(videos, out, home).code == 0
            assert files_of(out) == files_of(whole)
            out = tmp_path / f"dataset{number}"


def test_a_finished_dataset_is_left_as_it_is(
    videos: Path, home: Path, left_alone: tuple[Path, float]
) -> None:
    whole, _ = left_alone
    before = {path: path.stat().st_mtime_ns for path in (whole / "shards").iterdir()}
    finished = extract(videos, whole, home)
    assert finished.code == 0
    assert "nothing to do" in finished.stdout
    assert {path: path.stat().st_mtime_ns for path in (whole / "shards").iterdir()} == before


def test_a_lost_shard_and_a_lost_commit_are_made_again_with_the_same_bytes(
    videos: Path, home: Path, left_alone: tuple[Path, float]
) -> None:
    whole, _ = left_alone
    before = files_of(whole)
    (whole / "shards" / "000000.tar").unlink()
    (whole / "shards" / "000001.parquet").unlink()
    assert extract(videos, whole, home).code == 0
    assert files_of(whole) == before


def test_a_renamed_video_redoes_nothing(
    videos: Path, home: Path, left_alone: tuple[Path, float], tmp_path: Path
) -> None:
    out = tmp_path / "dataset"
    shutil.copytree(left_alone[0], out)
    before = files_of(out)
    (videos / "3.mp4").rename(videos / "renamed.mp4")
    try:
        finished = extract(videos, out, home)
    finally:
        (videos / "renamed.mp4").rename(videos / "3.mp4")
    assert finished.code == 0 and " 0 shards written" in finished.stdout
    after = files_of(out)
    assert [name for name in before if after[name] != before[name]] == ["videos.parquet"]
    names = [Path(row.path).name for row in read_rows(out / "videos.parquet", VideoRow)]
    assert names == ["1.mp4", "2.mp4", "broken.mp4", "renamed.mp4"]


def test_a_replaced_video_never_gets_another_ones_sample(videos: Path, home: Path, tmp_path: Path) -> None:
    """Same name, same frame times, other pixels; and its clips are to be made again."""
    path = tmp_path / "video.mp4"
    path.write_bytes((videos / "2.mp4").read_bytes())
    out = tmp_path / "dataset"
    assert dancemill(["extract", str(path), "--out", str(out), *SETTINGS], home).code == 0
    write_numbered_video(path, count=FPS * 2, fps=FPS, b_frames=0, keyframe_interval=6)
    (out / "shards" / "000000.parquet").unlink()
    broken = tmp_path / "caf\udce9.mp4"
    broken.write_bytes(b"")
    finished = dancemill(["extract", str(tmp_path), "--out", str(out), *SETTINGS], home)
    assert finished.code == 0, finished.stderr
    rows = read_rows(out / "clips.parquet", PlanRow)
    old = {(row.status, row.reason) for row in rows if row.shard == 0}
    new = {(row.status, row.reason) for row in rows if row.shard == 1}
    assert old == {(Status.FAILED, "alignment")} and new == {(Status.OK, "")}
    assert "bad_name" in {row.reason for row in read_rows(out / "videos.parquet", VideoRow)}


def test_after_ctrl_c_the_same_command_goes_on_to_the_same_bytes_of_bodies_and_images(
    person_video: PersonVideo, home: Path, tmp_path: Path
) -> None:
    settings = ["--clip-seconds", "1", "--fps", "12", "--short-side", "256", "--clips-per-shard", "2"]
    # One worker, so that there is work left when the first clip is seen.
    settings += ["--workers", "1"]
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert dancemill(["extract", str(person_video.path), "--out", str(whole), *settings], home).code == 0
    again = ["extract", str(person_video.path), "--out", str(stopped), *settings]
    # With Prefect's temporary server, which is to end as well.
    process = start(again, tmp_path / "home")
    wait_for_a_clip(process, stopped)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    end_group(process)
    assert process.returncode == 130
    assert "the same command goes on" in stderr and "Traceback" not in stderr
    assert not (stopped / "shards" / "000000.parquet").exists(), "it was to be stopped before the end"
    assert dancemill(again, home).code == 0
    assert files_of(stopped) == files_of(whole)
    assert any("smpl_cs" in name for sample in Dataset(whole) for name in sample.member_names)
