"""`dancemill plan`: what a run would come to, before it is begun."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipelines.dataset_settings import DatasetSettings, settle
from pipelines.inputs import expand_inputs
from pipelines.progress import progress_bars
from pipelines.request import check_settings
from pipelines.settings import RunSettings
from shards.commands.output import print_json, print_line


def plan(
    *inputs: str,
    out: Path | None = None,
    preset: str | None = None,
    clip_seconds: float | None = None,
    overlap_seconds: float | None = None,
    fps: float | None = None,
    clips_per_shard: int | None = None,
    short_side: int | None = None,
    body_model: str | None = None,
    detector: str | None = None,
    weights: str | None = None,
    body_network: str | None = None,
    precision: str | None = None,
    batch: int | None = None,
    workers: int = 0,
    workers_per_gpu: int = 2,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Say what a run over these inputs would come to: hours, clips, shards, bytes, and time.

    Headers are read, and two seconds of one video are extracted to measure by; nothing is written. People and
    bytes are those of that video, and each video counts as one shot.

    Parameters
    ----------
    inputs
        Videos: files, folders, globs, or .txt lists of paths.
    out
        A dataset that the run would go on with: its settings are taken.
    preset
        As for extract, like all that follows.
    workers
        Processes; 0 takes as many as extract would on this machine.
    workers_per_gpu
        So many share a GPU.
    json
        Print JSON.
    """
    own = ("inputs", "out", "workers", "workers_per_gpu", "json")
    named = {name: value for name, value in locals().items() if name not in own}
    settings = settle(out, named)
    check_settings(settings)
    paths = expand_inputs(inputs)
    from pipelines.forecast import forecast

    with progress_bars() as bars:
        count = _workers_here(RunSettings(workers=workers, workers_per_gpu=workers_per_gpu), settings)
        expected = forecast(paths, settings, count, bars.step("headers", len(paths)))
    if json:
        facts = asdict(expected)
        facts["calibration"]["video"] = str(expected.calibration.video)
        print_json(facts)
        return 0
    left_out = ", ".join(f"{count} {reason}" for reason, count in expected.left_out.items())
    print_line(f"{expected.videos} videos, {expected.hours:.3g} hours")
    if left_out:
        print_line(f"left out: {left_out}")
    print_line(f"{expected.clips} clips, {expected.frames} frames, {expected.shards} shards")
    print_line(_bytes(expected.bytes))
    print_line(f"about {_duration(expected.seconds)} with {expected.workers} workers like this process")
    measured = expected.calibration
    print_line(
        f"measured on {measured.frames} frames of {measured.video.name}: scan {1000 * measured.scan_s:.1f}, "
        f"people {1000 * measured.people_s:.1f}, extraction {1000 * measured.extract_s:.1f} ms a frame; "
        f"{_bytes(measured.bytes)} a frame; {measured.people:.0f} at once"
    )
    return 0


def _workers_here(run: RunSettings, settings: DatasetSettings) -> int:
    """As many as a Ray of this machine would have. A worker runs its networks with one thread, and so does
    the calibration.
    """
    import torch

    from pipelines.workers import runs_networks, worker_count

    torch.set_num_threads(1)
    gpus = torch.cuda.device_count() if runs_networks(settings) else 0
    return worker_count(run, os.cpu_count() or 1, gpus)


def _bytes(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.4g} TB"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
