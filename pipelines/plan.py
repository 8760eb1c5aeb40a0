"""How videos are cut into clips and clips given to shards: pure functions of the scans, fixed before any
extraction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from pipelines.reasons import Reason
from pipelines.scan import VideoScan
from pipelines.settings import PlanSettings
from shards.schema import PlanRow, Status

UNPLACED = -1
"""The shard of a clip that the plan itself filtered out."""

_TRACK = 0
_SLACK_S = 1e-6
"""Timestamps are rounded; a frame this little before a window's edge is on it."""


def video_filter(scan: VideoScan, settings: PlanSettings) -> tuple[Reason, str] | None:
    """Why a video that was scanned well is left out as a whole, and the fact that says so; None if it is
    not.
    """
    if min(scan.width, scan.height) < settings.min_side:
        return (
            Reason.TOO_SMALL,
            f"{scan.width}x{scan.height} pixels, {settings.min_side} on the short side are wanted",
        )
    if scan.duration_s < settings.min_clip_seconds - _SLACK_S:
        return Reason.TOO_SHORT, f"lasts {scan.duration_s:.2f} s, {settings.min_clip_seconds:g} s are wanted"
    return None


def choose_frames(times: Float[np.ndarray, "frames"], fps: float) -> Int[np.ndarray, "chosen"]:
    """Places of the frames nearest to a grid of `fps` per second that begins at the first one; none is taken
    twice.

    times are in seconds and increase strictly. Of a video slower than the grid every frame is taken.
    """
    last_interval = float(times[-1] - times[-2]) if len(times) > 1 else 0.0
    end = times[-1] + max(_SLACK_S, min(last_interval, 1 / fps) / 2)
    # A frame is nearest to a point of the grid if it is to one of the two around it: a gap of years costs
    # no memory.
    position = (times - times[0]) * fps
    grid = times[0] + np.unique(np.concatenate([np.floor(position), np.ceil(position)])) / fps
    grid = grid[grid < end]
    after = np.clip(np.searchsorted(times, grid), 1, max(1, len(times) - 1))
    before = after - 1
    nearest = np.where(grid - times[before] <= times[np.minimum(after, len(times) - 1)] - grid, before, after)
    chosen: Int[np.ndarray, "chosen"] = np.unique(np.minimum(nearest, len(times) - 1))
    return chosen


def clips_of_video(scan: VideoScan, settings: PlanSettings) -> list[PlanRow]:
    """The clips of one video, in order of time, not yet given to shards; what is too short is a filtered
    row.
    """
    times = np.array(scan.times)
    shots = enumerate(scan.shots)
    return [
        row
        for shot, (first, end) in shots
        for row in _clips_of_shot(scan, shot, first, times[first:end], settings)
    ]


def _clips_of_shot(
    scan: VideoScan, shot: int, first_of_shot: int, times: Float[np.ndarray, "frames"], settings: PlanSettings
) -> Iterator[PlanRow]:
    chosen = choose_frames(times, settings.fps)
    numbers, times = first_of_shot + chosen, times[chosen]
    step = settings.clip_seconds - settings.overlap_seconds
    interval = max(scan.interval_s, 1 / settings.fps)
    for first, end in _windows(times, settings.clip_seconds, step).items():
        duration = times[end - 1] - times[first] + interval
        row = PlanRow(
            key=f"{scan.video_id}-{shot:04d}-{_TRACK:02d}-{numbers[first]:07d}",
            video_id=scan.video_id,
            shot=shot,
            track_id=_TRACK,
            first_frame=int(numbers[first]),
            frames=tuple(numbers[first:end].tolist()),
            times=tuple(times[first:end].tolist()),
            shard=UNPLACED,
        )
        if duration < settings.min_clip_seconds - _SLACK_S:
            error = f"{duration:.2f} s, {settings.min_clip_seconds:g} s are wanted"
            row = replace(row, status=Status.FILTERED, reason=Reason.SHOT_TOO_SHORT, error=error)
        yield row


def _windows(times: Float[np.ndarray, "chosen"], length_s: float, step_s: float) -> dict[int, int]:
    """First frame -> frame after the last, of each window with frames in it, up to the one that ends the
    shot.
    """
    windows: dict[int, int] = {}
    number, first, end = 0, 0, 0
    while end < len(times):
        start_s = times[0] + number * step_s - _SLACK_S
        first, end = (int(place) for place in np.searchsorted(times, [start_s, start_s + length_s]))
        if end > first:
            windows[first] = end
            number += 1
        elif end < len(times):
            number = max(number + 1, int((times[first] - times[0] - length_s) / step_s))
    return windows


def extend_plan(plan: Sequence[PlanRow], scans: Iterable[VideoScan], settings: PlanSettings) -> list[PlanRow]:
    """The plan with the clips of further videos, sorted by key.

    Clips already planned keep their shards; new ones are sorted by key, which begins with the video's content
    hash, and fill new shards in that order.
    """
    rows = sorted((row for scan in scans for row in clips_of_video(scan, settings)), key=lambda row: row.key)
    placed = [row for row in rows if row.status is Status.PENDING]
    first = max((row.shard for row in plan), default=UNPLACED) + 1
    new = [replace(row, shard=first + place // settings.clips_per_shard) for place, row in enumerate(placed)]
    left_out = [row for row in rows if row.status is not Status.PENDING]
    return sorted([*plan, *new, *left_out], key=lambda row: row.key)
