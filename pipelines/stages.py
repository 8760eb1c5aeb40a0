"""The steps of the flow, each its own Prefect task or, for videos and shards, one task for each of them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.runtime import task_run
from prefect.utilities.annotations import quote
from ray.exceptions import RayTaskError

from pipelines.dataset_settings import DatasetSettings, keep
from pipelines.frames import VideoSource
from pipelines.ledger import Input, Summary, ledger_rows, plan_with_outcomes, summarise
from pipelines.lineages import Lineages
from pipelines.plan import VideoPeople, extend_plan, video_filter
from pipelines.progress import Bars
from pipelines.reasons import Reason
from pipelines.sample_meta import ClipJob
from pipelines.scan import VideoScan
from pipelines.shard_work import Extraction, ShardWork, extract_shard, is_done, unfinished_clips
from pipelines.video import VideoError, first_line
from pipelines.workers import WorkerLostError, WorkerPool, WorkerSetupError, call, result_of
from pipelines.workspace import LEDGER, PLAN, Workspace
from shards.index import build_index
from shards.schema import PlanRow, Status, VideoRow
from shards.tables import DatasetError, read_rows, write_rows
from shards.writer import committed_rows

Value = TypeVar("Value")

RETRIES = 2
"""A job that loses its worker this often is tried once more, then failed."""

TASKS_PER_WORKER = 2
"""So many are submitted at once: one at work, one whose shard is being written or read."""


@dataclass(frozen=True)
class Run:
    """What all steps of one run share; `earlier` is the ledger as the run found it."""

    workspace: Workspace
    settings: DatasetSettings
    lineages: Lineages
    pool: WorkerPool
    retry_reasons: frozenset[str]
    bars: Bars
    earlier: Sequence[VideoRow]

    @property
    def ledger_file(self) -> Path:
        return self.workspace.dataset / LEDGER

    @property
    def plan_file(self) -> Path:
        return self.workspace.dataset / PLAN


def whole(value: Value) -> Value:
    """The value as it is, for a task: Prefect is not to search through it for futures."""
    return cast(Value, quote(value))


def rows_if_there(path: Path, row_type: type[Value]) -> list[Value]:
    """The rows of a Parquet file; none where it is not there. Raises DatasetError."""
    return read_rows(path, row_type) if path.exists() else []


def _in_window(
    submit: Callable[[Any], PrefectFuture[Any]], items: Iterable[Any], window: int
) -> Iterator[PrefectFuture[Any]]:
    """The finished futures of all items, in order, with at most `window` of them submitted and unfinished."""
    running: deque[PrefectFuture[Any]] = deque()
    for item in items:
        if len(running) == window:
            running[0].wait()
            yield running.popleft()
        running.append(submit(item))
    for future in running:
        future.wait()
        yield future


@task(name="hash-inputs", retries=RETRIES, cache_policy=NO_CACHE)
def hash_inputs(run: Run, paths: Sequence[Path] | None) -> list[Input]:
    """Name every input's video by its bytes. Without paths, the inputs are those of the dataset's ledger.

    What an earlier run left pending is an input of this one too.
    """
    known = [Input(Path(row.path), row.video_id) for row in run.earlier if row.video_id]
    inputs = known if paths is None else []
    if paths is None:
        paths = [Path(row.path) for row in run.earlier if not row.video_id]
    advance = run.bars.step("hash", len(paths))
    for path in paths:
        inputs.append(_identified(run.workspace, path))
        advance()
    named = {value for given in inputs for value in (given.path, given.video_id)}
    pending = {row.video_id for row in run.earlier if row.status is Status.PENDING}
    inputs += [
        given for given in known if given.video_id in pending and not named & {given.path, given.video_id}
    ]
    return sorted(inputs, key=lambda given: given.path)


def _identified(workspace: Workspace, path: Path) -> Input:
    try:
        str(path).encode()
        return Input(path, workspace.identify(path))
    except UnicodeEncodeError:
        shown = Path(os.fsencode(path).decode("utf-8", "backslashreplace"))
        return Input(shown, "", Reason.BAD_NAME, "its name is not UTF-8: rename it")
    except (OSError, ValueError) as error:
        return Input(path, "", Reason.MISSING, first_line(error))


def scan_videos(run: Run, videos: Sequence[Input]) -> dict[str, VideoScan]:
    """What is known of every video from a scan: an earlier one where there is one, else a new one."""
    known = {row.video_id: row for row in run.earlier}
    paths = {given.video_id: given.path for given in reversed(videos) if given.video_id}
    scans: dict[str, VideoScan] = {}
    unknown: list[str] = []
    for identity in sorted(paths):
        scan = run.workspace.scan(identity)
        row = known.get(identity)
        failed = scan.reason if scan else row.reason if row and not row.clips else ""
        if scan is not None and failed not in run.retry_reasons:
            scans[identity] = scan
        elif row is None or row.status is Status.PENDING or failed in run.retry_reasons:
            unknown.append(identity)
    if unknown:
        run.pool.start()
        advance = run.bars.step("scan", len(unknown))
        submitted = _in_window(
            lambda identity: scan_video.submit(paths[identity], identity, whole(run)),
            unknown,
            TASKS_PER_WORKER * run.pool.size,
        )
        for identity, future in zip(unknown, submitted, strict=True):
            scans[identity] = future.result()
            advance()
    return scans


@task(name="scan-video", task_run_name="scan-{path.name}", retries=RETRIES, cache_policy=NO_CACHE)
def scan_video(path: Path, identity: str, run: Run) -> VideoScan:
    """Scan one video on a worker, and note the result. A video at which workers are lost becomes a failed
    scan.
    """
    with run.pool.leased() as lease:
        try:
            scan: VideoScan = result_of(call(lease, "scan", path, identity))
        except WorkerLostError as error:
            if task_run.run_count <= RETRIES:
                raise
            run.pool.check_open()
            scan = VideoScan(identity, reason=error.reason, error=error.message)
        except RayTaskError as error:
            scan = VideoScan(identity, reason=Reason.SCAN, error=first_line(error.cause))
    if scan.reason != Reason.MISSING:
        run.workspace.keep_scan(scan)
    return scan


@dataclass(frozen=True)
class Looked:
    """What is known of every video once people were looked for: their boxes by video id, and the scans, of
    which those are failed now where the search was.
    """

    scans: Mapping[str, VideoScan]
    people: Mapping[str, VideoPeople]


def look_for_people(run: Run, videos: Sequence[Input], scans: Mapping[str, VideoScan]) -> Looked:
    """Find the people of every video that is not cut into clips yet; nothing where no detector is named."""
    new = {scan.video_id: scan for scan in _unplanned(run, scans)}
    if not run.settings.plan.finds_people or not new:
        return Looked(scans, {})
    paths = {given.video_id: given.path for given in reversed(videos) if given.video_id}
    lineage = run.lineages.people
    assert lineage is not None
    people = {identity: run.workspace.people(identity, lineage) for identity in new}
    unknown = [identity for identity, known in people.items() if known is None]
    after = dict(scans)
    if unknown:
        run.pool.start()
        advance = run.bars.step("people", len(unknown))
        submitted = _in_window(
            lambda identity: find_people.submit(paths[identity], whole(new[identity]), whole(run)),
            unknown,
            TASKS_PER_WORKER * run.pool.size,
        )
        for identity, future in zip(unknown, submitted, strict=True):
            found = future.result()
            if isinstance(found, VideoScan):
                after[identity] = found
            else:
                people[identity] = found
            advance()
    return Looked(after, {identity: found for identity, found in people.items() if found is not None})


def _unplanned(run: Run, scans: Mapping[str, VideoScan]) -> list[VideoScan]:
    """Videos that are to be cut into clips, and are not yet."""
    planned = {row.video_id for row in rows_if_there(run.plan_file, PlanRow)}
    return [
        scan
        for identity, scan in sorted(scans.items())
        if identity not in planned and not scan.reason and video_filter(scan, run.settings.plan) is None
    ]


@task(name="find-people", task_run_name="people-{path.name}", retries=RETRIES, cache_policy=NO_CACHE)
def find_people(path: Path, scan: VideoScan, run: Run) -> VideoPeople | VideoScan:
    """Find the people of one video on a worker, and note them; where that fails, the scan failed with why."""
    lineage = run.lineages.people
    assert lineage is not None
    with run.pool.leased() as lease:
        try:
            people: VideoPeople = result_of(call(lease, "find_people", path, scan))
        except WorkerLostError as error:
            if task_run.run_count <= RETRIES:
                raise
            run.pool.check_open()
            failed = replace(scan, reason=error.reason, error=error.message)
        except RayTaskError as error:
            cause = error.cause
            if isinstance(cause, WorkerSetupError):
                raise cause from error
            reason = cause.reason if isinstance(cause, VideoError) else Reason.EXTRACTION
            failed = replace(scan, reason=reason, error=first_line(cause))
        else:
            run.workspace.keep_people(scan.video_id, lineage, people)
            return people
    if failed.reason != Reason.MISSING:
        run.workspace.keep_scan(failed)
    return failed


@task(name="plan-clips", retries=RETRIES, cache_policy=NO_CACHE)
def plan_clips(run: Run, videos: Sequence[Input], looked: Looked) -> list[PlanRow]:
    """The dataset's plan with the clips of new videos, written to clips.parquet before any of them is
    extracted.

    The ledger goes first: a kill between the two leaves videos that are pending and not planned, and the next
    run plans them, whatever its inputs are.
    """
    keep(run.workspace, run.settings, run.lineages)
    plan = rows_if_there(run.plan_file, PlanRow)
    settings, scans = run.settings.plan, looked.scans
    new = _unplanned(run, scans)
    longer = extend_plan(plan, new, settings, looked.people if settings.finds_people else None)
    write_rows(run.ledger_file, VideoRow, ledger_rows(videos, scans, run.earlier, longer, settings))
    if new or not run.plan_file.exists():
        write_rows(run.plan_file, PlanRow, longer)
    return longer


def extract_shards(run: Run, plan: Sequence[PlanRow]) -> Extracted:
    """Extract and commit every shard that is not as this run would make it."""
    extraction = Extraction(run.workspace, run.pool, run.lineages, run.retry_reasons)
    works = [work for work in _works(run, plan) if not is_done(work, extraction)]
    if not works:
        return Extracted(0, ())
    run.pool.start()
    clips = sum(len(unfinished_clips(work, extraction)) for work in works)
    extraction = replace(extraction, on_clip=run.bars.step("extract", clips))
    futures = list(
        _in_window(
            lambda work: extract_one_shard.submit(work.shard, whole(work), whole(extraction)),
            works,
            TASKS_PER_WORKER * run.pool.size,
        )
    )
    errors = [
        first_line(future.result(raise_on_failure=False))
        for future in futures
        if not future.state.is_completed()
    ]
    return Extracted(len(futures) - len(errors), tuple(errors))


@dataclass(frozen=True)
class Extracted:
    """How many shards this run wrote, and why others could not be."""

    shards: int
    errors: tuple[str, ...]


@task(name="extract-shard", task_run_name="extract-shard-{shard:06d}", retries=RETRIES, cache_policy=NO_CACHE)
def extract_one_shard(shard: int, work: ShardWork, extraction: Extraction) -> None:
    """See pipelines.shard_work.extract_shard."""
    extract_shard(work, extraction, last_attempt=task_run.run_count > RETRIES)


def _works(run: Run, plan: Sequence[PlanRow]) -> Iterator[ShardWork]:
    sources = {
        row.video_id: VideoSource.of(Path(row.path), row)
        for row in rows_if_there(run.ledger_file, VideoRow)
        if row.reason != Reason.DUPLICATE
    }
    shards: dict[int, list[ClipJob]] = {}
    for row in plan:
        if row.shard >= 0:
            if row.video_id not in sources:
                raise DatasetError(
                    f"video {row.video_id} is in clips.parquet but not in the ledger: name its file again"
                )
            job = ClipJob(row, sources[row.video_id], run.settings.sample)
            shards.setdefault(row.shard, []).append(job)
    return (ShardWork(shard, tuple(jobs)) for shard, jobs in sorted(shards.items()))


@task(name="write-index", retries=RETRIES, cache_policy=NO_CACHE)
def write_index_and_ledger(
    run: Run,
    videos: Sequence[Input],
    scans: Mapping[str, VideoScan],
    plan: Sequence[PlanRow],
    extracted: Extracted,
) -> Summary:
    """Bring clips.parquet and videos.parquet up to the committed shards, rebuild the index, and publish the
    summary.
    """
    shards = sorted({row.shard for row in plan if row.shard >= 0})
    dataset = run.workspace.dataset
    outcomes = {row.key: row for shard in shards for row in committed_rows(dataset, shard) or ()}
    plan = plan_with_outcomes(plan, outcomes)
    ledger = ledger_rows(videos, scans, run.earlier, plan, run.settings.plan)
    write_rows(run.plan_file, PlanRow, plan)
    write_rows(run.ledger_file, VideoRow, ledger)
    build_index(dataset)
    is_unchanged = not extracted.shards and not extracted.errors and ledger == list(run.earlier)
    summary = summarise(dataset, ledger, plan, extracted.shards, extracted.errors, is_unchanged)
    create_markdown_artifact(
        key="extract-poses", markdown=summary.to_markdown(), description=f"Dataset {dataset}"
    )
    return summary
