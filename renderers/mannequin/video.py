"""From a specification and a seed to videos of made people, each with its labels beside it."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import math
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from renderers.mannequin.damage import DAMAGES, damaged, file_suffix
from renderers.mannequin.encoding import frame_times, write_video
from renderers.mannequin.errors import MannequinError
from renderers.mannequin.labels import Row, labels_path, read_facts, write_labels
from renderers.mannequin.look import make_figure
from renderers.mannequin.numbering import burn_number
from renderers.mannequin.plan import Plan, draw_plan
from renderers.mannequin.spec import Spec
from renderers.mannequin.take import Take
from renderers.offscreen import OffscreenError

MAKER = 1
"""Raised with every change that can change a label or a picture: what an older one made is made again."""

MOST_VIDEOS = 100_000
"""As many numbers as names have."""

_THREADS = ("LP_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def make_video(
    folder: Path, spec: Spec, seed: int, number: int, progress: Callable[[], None] | None = None
) -> Path:
    """Make the video of a number in the sequence of a seed, and its labels beside it; returns its path.

    The same arguments give the same labels to the bit, and on the same machine the same video. What is
    there already, complete and made to the same plan, stays. `progress` is called after each frame. Both
    files take their names when they are complete. Raises MannequinError for what cannot be made, and
    OffscreenError if there is no off-screen OpenGL.
    """
    plan = draw_plan(spec, seed, number)
    stem, suffix = f"{seed}-{number:05d}", file_suffix(plan.damage)
    made = folder / f"{stem}{suffix}"
    facts = _facts(plan)
    if made.exists() and _has_facts(labels_path(made), facts):
        return made
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as scratch:
        path = Path(scratch) / f"{stem}.mp4"
        times = frame_times(plan.frame_count, plan.fps, plan.encoding, plan.stream("times"))
        rows: list[Row] = []
        write_video(path, _frames(plan, times, rows, progress), times, plan.encoding)
        if plan.damage:
            (Path(scratch) / "damaged").mkdir()
            path = damaged(path, plan.damage, Path(scratch) / "damaged")
        write_labels(labels_path(path), rows, facts)
        # Labels come last and say that the video is made: beside another plan's video there are none.
        labels_path(made).unlink(missing_ok=True)
        for other in {file_suffix(damage) for damage in ("", *DAMAGES)} - {suffix}:
            made.with_suffix(other).unlink(missing_ok=True)
        path.replace(made)
        labels_path(path).replace(labels_path(made))
    return made


def make_videos(
    folder: Path,
    spec: Spec,
    seed: int,
    count: int,
    processes: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Make the first `count` videos of a seed in several processes (as many as there are cores, unless
    said); returns their paths in order.

    `progress` is called now and then with the number of frames made. A video that cannot be made does not
    stop the others; afterwards MannequinError says which failed, and why. Raises OSError if the folder
    cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass
    processes = max(1, min(processes or len(os.sched_getaffinity(0)), count))
    made: dict[int, Path] = {}
    failed: dict[str, list[int]] = {}
    waiting, working = iter(range(count)), dict[Future[Path], int]()
    with video_pool(processes) as (pool, frames):
        while True:
            for number in islice(waiting, 2 * processes - len(working)):
                working[pool.submit(_make_one, folder, spec, seed, number)] = number
            if not working:
                break
            done, _ = wait(working, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                number = working.pop(future)
                try:
                    made[number] = future.result()
                except (MannequinError, OffscreenError, OSError) as error:
                    failed.setdefault(str(error), []).append(number)
            if progress is not None:
                progress(frames.value)
    if failed:
        reasons = "; ".join(
            f"video {', '.join(map(str, numbers))}: {reason}" for reason, numbers in failed.items()
        )
        raise MannequinError(f"{count - len(made)} of {count} videos could not be made: {reasons}")
    return [made[number] for number in range(count)]


@contextlib.contextmanager
def video_pool(processes: int) -> Iterator[tuple[ProcessPoolExecutor, Synchronized[int]]]:
    """Processes that make videos, with one thread each, as several that use all cores would wait for each
    other; and how many frames they have made with `make_videos`.

    Where it is left by an error or by Ctrl-C, its processes stop after the frame that they are at. Raises
    MannequinError if a process is ended from outside.
    """
    context = multiprocessing.get_context("spawn")
    frames, stop = context.Value("q", 0), context.Event()
    with (
        _one_thread_each(),
        ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(frames, stop)) as pool,
    ):
        try:
            yield pool, frames
        except BrokenProcessPool as error:
            raise MannequinError(
                "a process that makes videos was ended from outside, perhaps for want of memory: "
                "give fewer --processes."
            ) from error
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes begun within use one thread each. Libraries read these variables when they are loaded."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _has_facts(labels: Path, facts: dict[str, Any]) -> bool:
    try:
        return read_facts(labels) == facts
    except MannequinError:
        return False


def _frames(
    plan: Plan,
    times: Float[np.ndarray, "frames"],
    rows: list[Row],
    progress: Callable[[], None] | None,
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """The pictures in their order; the truth about each is added to `rows` as it is made."""
    figures = [make_figure(look) for look in plan.looks]
    noise = plan.stream("noise")
    open_for = plan.exposure / plan.fps
    for number, shot in enumerate(plan.shots):
        first, last = shot.first, shot.first + shot.count
        begun = float(times[first])
        take = Take(plan, number, figures, float(times[last - 1]) - begun + 1 / plan.fps)
        for frame in range(first, last):
            exposure, truths = take.expose(float(times[frame]) - begun, open_for, noise)
            rows += [
                {"frame": frame, "time": float(times[frame]), "shot": number, **truth} for truth in truths
            ]
            yield burn_number(exposure.picture, frame) if plan.numbered else exposure.picture
            if progress is not None:
                progress()


def _facts(plan: Plan) -> dict[str, Any]:
    """How a video is made, as plain data that JSON gives back as it was."""
    poses = hashlib.sha256(Path(plan.poses).read_bytes()).hexdigest() if plan.poses else ""
    return _plain({"maker": MAKER, **dataclasses.asdict(plan), "poses": poses})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    # JSON knows no infinity.
    return None if isinstance(value, float) and not math.isfinite(value) else value


_frames_made: Synchronized[int]
_stop: Event


def _begin(frames: Synchronized[int], stop: Event) -> None:
    global _frames_made, _stop
    _frames_made, _stop = frames, stop
    # Ctrl-C reaches every process of the terminal; the first one tells the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _make_one(folder: Path, spec: Spec, seed: int, number: int) -> Path:
    def count() -> None:
        if _stop.is_set():
            raise MannequinError("stopped")
        with _frames_made.get_lock():
            _frames_made.value += 1

    return make_video(folder, spec, seed, number, count)
