"""A worker that dies or hangs costs its clip at most: the run ends, and Prefect's record shows the
retries.
"""

import sqlite3
from pathlib import Path

import pytest

from shards.schema import PlanRow, Status, VideoRow
from shards.tables import read_rows
from tests.factories.runs import ROOT, Finished, dancemill, files_of
from tests.factories.videos import write_numbered_video

pytestmark = pytest.mark.slow

FAULTY_FRAME = 48


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_numbered_video(tmp_path_factory.mktemp("video") / "video.mp4", count=24 * 5)


def run(video: Path, out: Path, home: Path, fault: str = "", times: int = 0, *more: str) -> Finished:
    settings = ["--min-found", "0", "--clip-seconds", "1", "--min-side", "64", "--workers", "2"]
    settings += ["--body-model", "none", *more]
    extra = {}
    if fault:
        marks = out.parent / f"{out.name}-marks"
        marks.mkdir()
        extra = {
            "PYTHONPATH": str(ROOT / "tests" / "factories" / "faults"),
            "FAULT": fault,
            "FAULT_FRAME": str(FAULTY_FRAME),
            "FAULT_LIMIT": str(times),
            "FAULT_MARKS": str(marks),
        }
    finished = dancemill(["extract", str(video), "--out", str(out), *settings], home, extra)
    if fault:
        assert len(list(marks.iterdir())) == times
    return finished


def retries(home: Path) -> int:
    """How often Prefect's record says that a shard was tried again."""
    with sqlite3.connect(home / "prefect.db") as record:
        query = "select max(run_count) from task_run where name like 'extract-shard-%'"
        return record.execute(query).fetchone()[0] - 1


@pytest.fixture(scope="module")
def whole(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of a run in which no worker is lost."""
    folder = tmp_path_factory.mktemp("whole")
    assert run(video, folder / "dataset", folder / "home").code == 0
    assert retries(folder / "home") == 0
    return folder / "dataset"


@pytest.mark.parametrize("fault", ["die", "hang"])
def test_a_worker_lost_once_changes_no_byte_and_is_a_retry_in_prefects_record(
    fault: str, video: Path, whole: Path, tmp_path: Path
) -> None:
    hurt = run(video, tmp_path / "hurt", tmp_path / "hurt-home", fault, 1, "--stall-seconds", "5")
    assert hurt.code == 0, hurt.stderr
    assert files_of(tmp_path / "hurt") == files_of(whole)
    assert retries(tmp_path / "hurt-home") == 1


def test_a_clip_that_always_loses_its_worker_fails_and_can_be_retried(
    video: Path, whole: Path, tmp_path: Path
) -> None:
    out, home = tmp_path / "dataset", tmp_path / "home"
    finished = run(video, out, home, "die", 3)
    assert finished.code == 0
    assert "worker_died" in finished.stdout
    statuses = {
        row.first_frame: (row.status, row.reason) for row in read_rows(out / "clips.parquet", PlanRow)
    }
    assert statuses.pop(FAULTY_FRAME) == (Status.FAILED, "worker_died")
    assert {status for status, _ in statuses.values()} == {Status.OK}
    assert [row.clips_failed for row in read_rows(out / "videos.parquet", VideoRow)] == [1]

    again = dancemill(["retry", str(out), "--reason", "worker_died"], home)
    assert again.code == 0
    assert {row.status for row in read_rows(out / "clips.parquet", PlanRow)} == {Status.OK}
    assert files_of(out) == files_of(whole)
