"""A worker that dies or hangs costs its clip at most: the run ends, and Prefect's record shows the
retries.
"""

import time
from pathlib import Path

import pytest

from shards.schema import PlanRow, Status, VideoRow
from shards.tables import read_rows
from tests.factories.prefect_server import PrefectServer
from tests.factories.runs import ROOT, Finished, dancemill, files_of
from tests.factories.videos import write_numbered_video

pytestmark = pytest.mark.slow

FPS = 12
FAULTY_FRAME = 12

RECORD_SECONDS = 30
"""Prefect's server notes what runs tell it a moment after they have."""


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_numbered_video(tmp_path_factory.mktemp("video") / "video.mp4", count=FPS * 3, fps=FPS)


def run(video: Path, out: Path, home: Path, faults: tuple[str, ...], more: tuple[str, ...]) -> Finished:
    settings = ["--min-found", "0", "--clip-seconds", "1", "--min-side", "64", "--body-model", "none"]
    settings += more
    extra = {}
    if faults:
        marks = out.parent / f"{out.name}-marks"
        marks.mkdir()
        extra = {
            "PYTHONPATH": str(ROOT / "tests" / "factories" / "faults"),
            "FAULTS": " ".join(faults),
            "FAULT_FRAME": str(FAULTY_FRAME),
            "FAULT_MARKS": str(marks),
        }
    finished = dancemill(["extract", str(video), "--out", str(out), *settings], home, extra)
    if faults:
        assert len(list(marks.iterdir())) == len(faults)
    return finished


def retries(server: PrefectServer) -> int:
    """How often the server's record says that the shard of the latest run was tried again."""
    (latest,) = server.found("flow_runs", sort="START_TIME_DESC", limit=1)
    end = time.monotonic() + RECORD_SECONDS
    while time.monotonic() < end:
        tasks = server.found("task_runs", flow_runs={"id": {"any_": [latest["id"]]}})
        shards = [task for task in tasks if task["name"].startswith("extract-shard-")]
        if shards and all(task["state_type"] == "COMPLETED" for task in shards):
            return max(task["run_count"] for task in shards) - 1
        time.sleep(0.2)
    raise AssertionError(f"within {RECORD_SECONDS} s the record tells of no shard's end")


@pytest.fixture(scope="module")
def whole(video: Path, prefect_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of a run in which no worker is lost."""
    out = tmp_path_factory.mktemp("whole") / "dataset"
    assert run(video, out, prefect_server.home, (), ("--workers", "2")).code == 0
    assert retries(prefect_server) == 0
    return out


def test_workers_lost_by_dying_and_by_hanging_change_no_byte_and_are_retries_in_prefects_record(
    video: Path, whole: Path, prefect_server: PrefectServer, tmp_path: Path
) -> None:
    settings = ("--workers", "2", "--stall-seconds", "15")
    hurt = run(video, tmp_path / "hurt", prefect_server.home, ("die", "hang"), settings)
    assert hurt.code == 0, hurt.stderr
    assert files_of(tmp_path / "hurt") == files_of(whole)
    assert retries(prefect_server) == 2


def test_a_clip_that_always_loses_its_worker_fails_and_can_be_retried(
    video: Path, whole: Path, home: Path, tmp_path: Path
) -> None:
    out = tmp_path / "dataset"
    finished = run(video, out, home, ("die",) * 3, ("--workers", "1"))
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
