"""`dancemill extract`: videos to a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from pipelines.commands.run_flow import run_flow


def extract(
    *inputs: str,
    out: Path,
    preset: str | None = None,
    clip_seconds: float | None = None,
    overlap_seconds: float | None = None,
    min_clip_seconds: float | None = None,
    fps: float | None = None,
    min_side: int | None = None,
    clips_per_shard: int | None = None,
    short_side: int | None = None,
    jpeg_quality: int | None = None,
    min_found: float | None = None,
    body_model: str | None = None,
    colours: Path | None = None,
    workers: int = 0,
    ray_address: str | None = None,
    stall_seconds: float = 120.0,
    strict: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Extract poses from videos into a dataset, or go on with one.

    Stopped at any time, the same command finishes the rest. What is not named is as the dataset was begun, or
    by default. Exit code: 0; 1 if nothing came out (with --strict: if anything failed); 2 for a mistake in
    the command.

    Parameters
    ----------
    inputs
        Videos: files, folders, globs, or .txt lists of paths.
    out
        The dataset's folder, new or begun earlier.
    preset
        The set of extractors; embedded needs no download.
    clip_seconds
        Length of a clip, 4 s by default.
    overlap_seconds
        How much of a clip the next one repeats, 0 by default.
    min_clip_seconds
        Shorter ends of shots, and videos, are left out; 1 s by default.
    fps
        Frames are chosen by time at up to this rate, 30 by default.
    min_side
        Videos with a shorter side than this many pixels are left out; 128 by default.
    clips_per_shard
        How many clips share a tar, 32 by default.
    short_side
        Stored frames are scaled down to it, 768 pixels by default.
    jpeg_quality
        Of stored frames, 1 to 100, 95 by default.
    min_found
        A clip is left out if a person is found in a smaller share of its frames; 0.5 by default.
    body_model
        What a body is fitted to, and smpl_cs and hands are drawn from: anny by default; none leaves them out.
    colours
        A file of your own of the colours of smpl_cs (.npy, .npz or .pt); by default they are made.
    workers
        Processes; 0 takes one for each CPU.
    ray_address
        A running Ray cluster; without it a local Ray is started.
    stall_seconds
        A worker that takes longer over one frame is ended, and its clip tried again.
    strict
        Exit with 1 if any input or clip failed.
    """
    named: dict[str, Any] = dict(locals())
    named["inputs"] = list(inputs)
    named["out"] = str(out)
    named["colours"] = None if colours is None else str(colours.resolve())
    return run_flow(named)
