"""The Ray actors that hold loaded models: leased one job at a time, watched from inside, restarted by Ray
when they die.

Ray restarts an actor but never repeats its work (max_task_retries=0): a retry is Prefect's, and is seen in
its UI.
"""

from __future__ import annotations

import faulthandler
import logging
import math
import os
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import ray
from ray.exceptions import (
    ActorDiedError,
    AuthenticationError,
    GetTimeoutError,
    OutOfMemoryError,
    RayActorError,
)

from extractors.weights.errors import WeightsError
from pipelines import memory
from pipelines.dataset_settings import DatasetSettings
from pipelines.estimators import Estimators, lineages_of, load_detector, load_with_body
from pipelines.lineages import Lineages
from pipelines.people import Detector, find_people
from pipelines.plan import VideoPeople
from pipelines.presets import MEDIAPIPE
from pipelines.reasons import Reason
from pipelines.sample_meta import ClipJob
from pipelines.scan import VideoScan, scan_video
from pipelines.settings import RunSettings
from pipelines.stage import extract_and_stage
from pipelines.video import first_line
from renderers.body_models.errors import ModelFileError
from renderers.offscreen import OffscreenError, spread_over_devices
from shards.errors import UserError
from shards.schema import ClipRow

LOST = (RayActorError, OutOfMemoryError)
"""What Ray raises when the process that was at a job is gone."""

OBJECT_STORE_BYTES = 128 * 2**20
"""Frames never travel through Ray's object store, only rows do."""

POLL_SECONDS = 1.0
"""How often those who wait look whether there is something else to do, or the run was stopped."""

CONNECT_SECONDS = 10.0
"""A head node answers within it."""

START_SECONDS = 300.0
"""Models are loaded, and may be read from a slow disk, before the first frame."""


COMPILE_SECONDS = 1200.0
"""Compiling a network takes minutes, at its first batch."""


def runs_networks(settings: DatasetSettings) -> bool:
    """Whether workers have something to do for a GPU."""
    return settings.plan.finds_people or settings.preset.wholebody != MEDIAPIPE


def worker_count(run: RunSettings, cpus: int, gpus: int) -> int:
    """How many workers so many CPUs and GPUs have; gpus is 0 where there is nothing for them to do."""
    return run.workers or (min(cpus, gpus * run.workers_per_gpu) if gpus else cpus)


class WorkerSetupError(UserError):
    """A worker cannot load its networks or body models. Nothing is wrong with the videos: the run ends."""


class ClusterError(UserError):
    """The Ray cluster cannot be reached, or has no place for a worker."""


class Worker:
    """An actor: it scans videos, finds people in them and extracts clips, one at a time. Networks and body
    models are loaded when they are first needed.

    When a frame takes longer than `stall_seconds` the process ends itself: a hanging library call cannot be
    interrupted otherwise. The log says so, and holds the stack that it hung in.
    """

    def __init__(
        self, settings: DatasetSettings, lineages: Lineages, stall_seconds: float, log: Path, number: int
    ) -> None:
        cv2.setNumThreads(1)
        spread_over_devices(number)
        memory.return_large_blocks()
        self._settings, self._lineages = settings, lineages
        compiles = settings.estimators.compile
        self._stall_seconds = max(stall_seconds, COMPILE_SECONDS) if compiles else stall_seconds
        self._log = log.open("a")
        self._detector: Detector | None = None
        self._estimators: Estimators | None = None

    def scan(self, path: Path, identity: str) -> VideoScan:
        """See pipelines.scan.scan_video."""
        with self._watch() as alive:
            return scan_video(path, identity, alive)

    def find_people(self, path: Path, scan: VideoScan) -> VideoPeople:
        """See pipelines.people.find_people."""
        with self._watch(0.0 if self._detector else START_SECONDS) as alive:
            if self._detector is None:
                with self._loading():
                    self._detector = load_detector(self._settings)
            try:
                return find_people(path, scan, self._settings.plan.fps, self._detector, alive)
            finally:
                memory.return_freed()

    def extract(self, job: ClipJob, dataset: Path, staging: Path, old_row: ClipRow | None) -> ClipRow:
        """Extract the job's clip, leave it in `staging`, and give its row. See pipelines.stage."""
        with self._watch(0.0 if self._estimators else START_SECONDS) as alive:
            if self._estimators is None:
                with self._loading():
                    self._estimators = load_with_body(self._settings)
            try:
                return extract_and_stage(job, self._estimators, dataset, staging, old_row, alive)
            finally:
                memory.return_freed()

    @contextmanager
    def _loading(self) -> Iterator[None]:
        """Raises WorkerSetupError for what this machine lacks, or has otherwise than the one that began the
        run.
        """
        here = socket.gethostname()
        try:
            if lineages_of(self._settings) != self._lineages:
                raise WorkerSetupError(f"{here} has other weights or versions than where the run was begun")
            yield
        except (WeightsError, ModelFileError, OffscreenError, ImportError) as error:
            raise WorkerSetupError(f"a worker on {here} cannot load what it needs: {error}") from error

    @contextmanager
    def _watch(self, first_seconds: float = 0.0) -> Iterator[Callable[[], None]]:
        """Ends this process when the function that is given is not called for too long."""

        is_over = False

        def alive(seconds: float = self._stall_seconds) -> None:
            # Threads may still be at a clip that an error ended.
            if not is_over:
                faulthandler.dump_traceback_later(seconds, exit=True, file=self._log)

        alive(max(first_seconds, self._stall_seconds))
        try:
            yield alive
        finally:
            is_over = True
            faulthandler.cancel_dump_traceback_later()


@dataclass(frozen=True)
class Lease:
    """One worker, for the holder alone; `log` is where it writes why it ended itself."""

    actor: Any
    log: Path


class WorkerLostError(Exception):
    """The process that was at a job is gone: `reason` is worker_died or timeout."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message


class PoolClosedError(Exception):
    """The run has been stopped: no more work is to be begun."""


class WorkerPool:
    """A fixed number of workers, on a cluster or on a Ray of the run's own, started when there is work."""

    def __init__(self, run: RunSettings, settings: DatasetSettings, lineages: Lineages, logs: Path) -> None:
        self._run, self._settings, self._lineages, self._logs = run, settings, lineages, logs
        self._idle: queue.SimpleQueue[Lease] = queue.SimpleQueue()
        self._actors: list[Any] = []
        self._closed = threading.Event()
        self._owns_ray = False
        self.size = 0

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """After an error or Ctrl-C threads may still wait for workers: these are killed, and Ray ends with
        the process, since a call after its shutdown would start another.
        """
        self._closed.set()
        if kind is not None:
            for actor in self._actors:
                ray.kill(actor)
        elif self._owns_ray:
            ray.shutdown()

    def check_open(self) -> None:
        """Raise PoolClosedError once the run has been stopped."""
        if self._closed.is_set():
            raise PoolClosedError("the run was stopped")

    def start(self) -> None:
        """Start Ray and the workers; nothing where they are running. Raises ClusterError."""
        if self.size:
            return
        if not ray.is_initialized():
            self._connect()
            self._owns_ray = True
        cpus, gpus = (int(ray.cluster_resources().get(kind, 0)) for kind in ("CPU", "GPU"))
        gpus = gpus if runs_networks(self._settings) else 0
        self.size = worker_count(self._run, cpus, gpus)
        if not 0 < self.size <= cpus:
            raise ClusterError(
                f"{self.size} workers are wanted, the Ray cluster has {cpus} CPUs: set --workers"
            )
        share = 1 / max(self._run.workers_per_gpu, math.ceil(self.size / gpus)) if gpus else 0
        actor = ray.remote(num_cpus=1, num_gpus=share, max_restarts=-1, max_task_retries=0)(Worker)
        for number in range(self.size):
            log = self._logs / f"{number:03d}.log"
            stall_seconds = self._run.stall_seconds
            self._actors.append(actor.remote(self._settings, self._lineages, stall_seconds, log, number))
            self._idle.put(Lease(self._actors[-1], log))

    def _connect(self) -> None:
        address = self._run.ray_address or os.environ.get("RAY_ADDRESS")
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
        if address:
            _check_answers(address)
            try:
                ray.init(address=address, **quiet)
            except (ConnectionError, ValueError, RuntimeError, AuthenticationError) as error:
                raise ClusterError(f"no Ray cluster at {address}: {first_line(error)}") from error
        else:
            cpus = self._run.workers or os.cpu_count()
            ray.init(
                address="local",
                num_cpus=cpus,
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                **quiet,
            )

    def lease(self, wait: bool) -> Lease | None:
        """A worker that is idle and answers, or with `wait` the next one that does; else None. It is given
        back with `release`. Raises PoolClosedError, and ClusterError where a worker cannot be started.

        Ray refuses the jobs of a worker that is still being restarted: handed out, it would cost a clip a
        loss that it had no part in.
        """
        while True:
            self.check_open()
            with suppress(queue.Empty):
                lease = self._idle.get(block=wait, timeout=POLL_SECONDS)
                with ExitStack() as unless_answered:
                    unless_answered.callback(self.release, lease)
                    if self._answers(lease):
                        unless_answered.pop_all()
                        return lease
            if not wait:
                return None

    def release(self, lease: Lease) -> None:
        self._idle.put(lease)

    def _answers(self, lease: Lease) -> bool:
        """Whether the worker can be given a job now. Raises ClusterError where it never will."""
        try:
            return bool(ray.get(lease.actor.__ray_ready__.remote(), timeout=POLL_SECONDS))
        except ActorDiedError as error:
            self.check_open()
            why = str(error).strip().splitlines()[-1]
            raise ClusterError(f"a worker cannot be started: {why}") from error
        except (*LOST, GetTimeoutError):
            return False

    @contextmanager
    def leased(self) -> Iterator[Lease]:
        """A worker as soon as one is idle, given back at the end."""
        lease = self.lease(wait=True)
        assert lease is not None
        try:
            yield lease
        finally:
            self.release(lease)


def _check_answers(address: str) -> None:
    """Ray itself tries an address at which nobody listens for minutes. Raises ClusterError."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise ClusterError(
            f"nobody answers at {address} ({error}): is a Ray cluster running there?"
        ) from error


@dataclass(frozen=True)
class Call:
    """A job that a worker is at."""

    lease: Lease
    result: Any
    log_bytes: int


def call(lease: Lease, method: str, *arguments: object) -> Call:
    """Hand a job to the worker; `result_of` gives what comes of it."""
    log_bytes = lease.log.stat().st_size if lease.log.exists() else 0
    return Call(lease, getattr(lease.actor, method).remote(*arguments), log_bytes)


def result_of(pending: Call) -> Any:
    """Wait for the job's result. Raises WorkerLostError, or ray.exceptions.RayTaskError for what the job
    raised.
    """
    try:
        return ray.get(pending.result)
    except LOST as error:
        log = pending.lease.log.read_bytes() if pending.lease.log.exists() else b""
        said = log[pending.log_bytes :].decode(errors="replace")
        if _TIMEOUT_MARK in said:
            raise WorkerLostError(Reason.TIMEOUT, _where_it_hung(said)) from error
        raise WorkerLostError(Reason.WORKER_DIED, "the worker process died at this clip") from error


_TIMEOUT_MARK = "Timeout ("
"""What faulthandler writes first."""


def _where_it_hung(said: str) -> str:
    frames = [line.strip() for line in said.splitlines() if line.strip().startswith("File ")]
    return f"no progress for too long, in {frames[0]}" if frames else "no progress for too long"
