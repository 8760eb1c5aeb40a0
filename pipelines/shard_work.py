"""The work of one shard: which of its clips are done, the rest on leased workers, and the shard's commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import ray
from ray.exceptions import RayTaskError

from pipelines.content_keys import content_keys
from pipelines.extract_clip import clip_row
from pipelines.lineages import Lineages
from pipelines.reasons import Reason
from pipelines.sample_meta import ClipJob
from pipelines.video import first_line
from pipelines.workers import (
    POLL_SECONDS,
    Call,
    WorkerLostError,
    WorkerPool,
    WorkerSetupError,
    call,
    result_of,
)
from pipelines.workspace import Workspace
from shards.schema import ClipRow, SampleError, Status
from shards.writer import (
    committed_rows,
    discard_staged,
    read_sample_members,
    stage_clip,
    staged_row,
    write_shard,
)


@dataclass(frozen=True)
class ShardWork:
    """The clips of one shard, in the order of the plan."""

    shard: int
    jobs: tuple[ClipJob, ...]


@dataclass(frozen=True)
class Extraction:
    """What all shards of a run share. `tried` holds the clips that this run itself brought to an end,
    `damaged` those whose committed sample turned out to be unreadable.
    """

    workspace: Workspace
    pool: WorkerPool
    lineages: Lineages
    retry_reasons: frozenset[str]
    on_clip: Callable[[], object] = lambda: None
    tried: set[str] = field(default_factory=set)
    damaged: set[str] = field(default_factory=set)


class ClipsLostError(Exception):
    """Workers were lost at some clips of a shard; the rest of its clips are staged."""


@dataclass(frozen=True)
class _State:
    """What there is of a shard's clips before work on it: rows by key, and the jobs that are still to be
    done.
    """

    committed: dict[str, ClipRow]
    staged: dict[str, ClipRow]
    unfinished: tuple[ClipJob, ...]

    @property
    def is_done(self) -> bool:
        return not self.unfinished and not self.staged


def is_done(work: ShardWork, run: Extraction) -> bool:
    """Whether the shard is committed and every clip in it is as this run would make it."""
    return _state(work, run).is_done


def unfinished_clips(work: ShardWork, run: Extraction) -> tuple[ClipJob, ...]:
    """The shard's clips that are still to be extracted."""
    return _state(work, run).unfinished


def extract_shard(work: ShardWork, run: Extraction, last_attempt: bool) -> list[ClipRow]:
    """Extract the shard's unfinished clips, then commit it; gives its rows.

    A clip whose worker is lost is tried again in the next attempt, and failed in the last one. Raises
    ClipsLostError for the former, and OSError where the dataset cannot be written to.
    """
    state = _state(work, run)
    lost = _extract_clips(state, run)
    for job, error in lost:
        if last_attempt:
            _stage_failure(job, run, error.reason, error.message)
    if lost and not last_attempt:
        raise ClipsLostError(
            f"shard {work.shard:06d}: {len(lost)} clips lost their worker ({lost[0][1].message})"
        )
    return _commit(work, run)


def _state(work: ShardWork, run: Extraction) -> _State:
    committed = {row.key: row for row in committed_rows(run.workspace.dataset, work.shard) or ()}
    staged: dict[str, ClipRow] = {}
    unfinished = []
    for job in work.jobs:
        key = job.clip.key
        wanted = content_keys(job.clip, job.settings, run.lineages).sample
        row = staged_row(run.workspace.staging, key)
        if row is not None and _is_right(row, wanted, run):
            staged[key] = row
        elif key not in committed or key in run.damaged or not _is_right(committed[key], wanted, run):
            unfinished.append(job)
    return _State(committed, staged, tuple(unfinished))


def _is_right(row: ClipRow, content_key: str, run: Extraction) -> bool:
    to_retry = row.status is Status.FAILED and row.reason in run.retry_reasons and row.key not in run.tried
    return row.content_key == content_key and not to_retry


def _extract_clips(state: _State, run: Extraction) -> list[tuple[ClipJob, WorkerLostError]]:
    """Run every unfinished clip once, on as many workers as are idle and one at least; gives those that lost
    their worker. Raises OSError when a worker cannot write, after the others' clips are done.
    """
    waiting = list(reversed(state.unfinished))
    running: dict[object, tuple[ClipJob, Call]] = {}
    lost = []
    unwritten: RayTaskError | None = None
    while running or (waiting and unwritten is None):
        run.pool.check_open()
        while waiting and unwritten is None and (lease := run.pool.lease(wait=not running)):
            job = waiting.pop()
            if failure := _source_failure(job, run):
                _stage_failure(job, run, *failure)
                run.pool.release(lease)
                continue
            old = state.committed.get(job.clip.key)
            pending = call(lease, "extract", job, run.workspace.dataset, run.workspace.staging, old)
            running[pending.result] = (job, pending)
        if not running:
            continue
        done, _ = ray.wait(list(running), timeout=POLL_SECONDS)
        for result in done:
            job, pending = running.pop(result)
            try:
                result_of(pending)
                run.tried.add(job.clip.key)
                run.on_clip()
            except WorkerLostError as error:
                lost.append((job, error))
            except RayTaskError as error:
                if isinstance(error.cause, (OSError, WorkerSetupError)):
                    unwritten = error
                    continue
                _stage_failure(job, run, Reason.EXTRACTION, first_line(error.cause))
            finally:
                run.pool.release(pending.lease)
    if unwritten is not None:
        raise unwritten.cause
    return lost


def _source_failure(job: ClipJob, run: Extraction) -> tuple[Reason, str] | None:
    """Why the clip's file is not the video that was scanned any more; None if it is."""
    try:
        identity = run.workspace.identify(job.source.path)
    except OSError as error:
        return Reason.MISSING, first_line(error)
    if identity != job.clip.video_id:
        return Reason.ALIGNMENT, f"{job.source.path} is another video now"
    return None


def _stage_failure(job: ClipJob, run: Extraction, reason: Reason, message: str) -> None:
    content_key = content_keys(job.clip, job.settings, run.lineages).sample
    stage_clip(run.workspace.staging, clip_row(job, content_key, Status.FAILED, reason, message), [])
    run.tried.add(job.clip.key)
    run.on_clip()


def _commit(work: ShardWork, run: Extraction) -> list[ClipRow]:
    """Write the shard from what is staged and, for clips that needed nothing, from the shard as it was."""
    dataset, staging = run.workspace.dataset, run.workspace.staging
    state = _state(work, run)
    keys = [job.clip.key for job in work.jobs]
    for key in keys:
        if key not in state.staged:
            row = state.committed[key]
            try:
                members = read_sample_members(dataset, row)
            except SampleError as error:
                run.damaged.add(key)
                raise ClipsLostError(
                    f"shard {work.shard:06d} is damaged, and extracted again: {error}"
                ) from error
            stage_clip(staging, row, members)
    rows = write_shard(dataset, work.shard, staging, keys)
    discard_staged(staging, keys)
    return rows
