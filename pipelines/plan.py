"""How videos are cut into clips and clips given to shards: pure functions of the scans, and of the people
found in them, fixed before any extraction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from jaxtyping import Float, Int

from pipelines.reasons import Reason
from pipelines.scan import VideoScan
from pipelines.settings import PlanSettings
from shards.schema import PlanRow, Status

UNPLACED = -1
"""The shard of a clip that the plan itself filtered out."""

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


@dataclass(frozen=True)
class PersonTrack:
    """One person's boxes, x0 y0 x1 y1 in pixels of the upright video, in the frames that `chosen_frames`
    gives of a shot, from the first in which the person was detected, which is its `first`, to the last; NaN
    where the person was not detected.
    """

    first: int
    boxes: Float[np.ndarray, "frames 4"]


@dataclass(frozen=True)
class VideoPeople:
    """The people of each shot."""

    shots: tuple[tuple[PersonTrack, ...], ...]


def chosen_frames(
    scan: VideoScan, shot: int, fps: float
) -> tuple[Int[np.ndarray, "frames"], Float[np.ndarray, "frames"]]:
    """Numbers and times of the frames that are taken of a shot."""
    first, end = scan.shots[shot]
    times = np.array(scan.times[first:end])
    chosen = choose_frames(times, fps)
    return first + chosen, times[chosen]


def clips_of_video(
    scan: VideoScan, settings: PlanSettings, people: VideoPeople | None = None
) -> list[PlanRow]:
    """The clips of one video, by shot, track and time, not yet given to shards; what is left out is a
    filtered row. Without `people` each shot is one track, in which the extractor is to find its person.
    """
    return [row for shot, _ in enumerate(scan.shots) for row in _clips_of_shot(scan, shot, settings, people)]


def _clips_of_shot(
    scan: VideoScan, shot: int, settings: PlanSettings, people: VideoPeople | None
) -> Iterator[PlanRow]:
    numbers, times = chosen_frames(scan, shot, settings.fps)
    interval = max(scan.interval_s, 1 / settings.fps)

    def clips(track: int, taken: slice) -> Iterator[tuple[PlanRow, slice]]:
        """The windows of a track that is there in those frames, each with its frames' places."""
        step = settings.clip_seconds - settings.overlap_seconds
        own = times[taken]
        for first, end in _windows(own, settings.clip_seconds, step).items():
            places = slice(taken.start + first, taken.start + end)
            row = PlanRow(
                key=f"{scan.video_id}-{shot:04d}-{track:02d}-{numbers[places.start]:07d}",
                video_id=scan.video_id,
                shot=shot,
                track_id=track,
                first_frame=int(numbers[places.start]),
                frames=tuple(numbers[places].tolist()),
                times=tuple(times[places].tolist()),
                shard=UNPLACED,
            )
            duration = own[end - 1] - own[first] + interval
            if duration < settings.min_clip_seconds - _SLACK_S:
                error = f"{duration:.2f} s, {settings.min_clip_seconds:g} s are wanted"
                row = replace(row, status=Status.FILTERED, reason=Reason.SHOT_TOO_SHORT, error=error)
            yield row, places

    whole_shot = slice(0, len(numbers))
    if people is None:
        yield from (row for row, _ in clips(0, whole_shot))
        return
    tracks = people.shots[shot]
    if not tracks:
        for row, _ in clips(0, whole_shot):
            yield _filtered(row, Reason.NO_PERSON, f"the detector {settings.detector} saw nobody")
        return
    kept = _largest(tracks, settings.max_people)
    for number, track in enumerate(tracks):
        for row, places in clips(number, slice(track.first, track.first + len(track.boxes))):
            boxes = track.boxes[places.start - track.first : places.stop - track.first]
            row = replace(row, boxes=tuple(map(float, boxes.ravel())))
            if number not in kept:
                error = f"one of {len(tracks)} people, of whom the {settings.max_people} largest are kept"
                row = _filtered(row, Reason.TOO_MANY_PEOPLE, error)
            yield _judged(row, boxes, settings)


def _largest(tracks: Sequence[PersonTrack], count: int) -> set[int]:
    """The tracks whose boxes cover most, summed over the shot."""
    covered = [np.nansum((track.boxes[:, 2:] - track.boxes[:, :2]).prod(1)) for track in tracks]
    return set(np.argsort(-np.array(covered), kind="stable")[:count].tolist())


def _judged(row: PlanRow, boxes: Float[np.ndarray, "frames 4"], settings: PlanSettings) -> PlanRow:
    """The clip, filtered if its person is too small or too seldom seen."""
    seen = np.isfinite(boxes).all(1)
    if not seen.any():
        return _filtered(row, Reason.SELDOM_SEEN, "detected in none of the frames")
    if seen.mean() < settings.min_visible:
        error = f"detected in {seen.mean():.0%} of the frames, {settings.min_visible:.0%} are wanted"
        return _filtered(row, Reason.SELDOM_SEEN, error)
    height = float(np.median(boxes[seen, 3] - boxes[seen, 1]))
    if height < settings.min_person_height:
        error = f"{height:.0f} pixels high, {settings.min_person_height} are wanted"
        return _filtered(row, Reason.PERSON_TOO_SMALL, error)
    return row


def _filtered(row: PlanRow, reason: Reason, error: str) -> PlanRow:
    """The row with that reason, unless it has one."""
    if row.status is Status.FILTERED:
        return row
    return replace(row, status=Status.FILTERED, reason=reason, error=error)


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


def extend_plan(
    plan: Sequence[PlanRow],
    scans: Iterable[VideoScan],
    settings: PlanSettings,
    people: Mapping[str, VideoPeople] | None = None,
) -> list[PlanRow]:
    """The plan with the clips of further videos, sorted by key; `people` are by video id, of every scan where
    the settings name a detector.

    Clips already planned keep their shards; new ones are sorted by key, which begins with the video's content
    hash, and fill new shards in that order.
    """
    found = people or {}
    cut = (
        clips_of_video(scan, settings, found[scan.video_id] if settings.finds_people else None)
        for scan in scans
    )
    rows = sorted(chain.from_iterable(cut), key=lambda row: row.key)
    placed = [row for row in rows if row.status is Status.PENDING]
    first = max((row.shard for row in plan), default=UNPLACED) + 1
    new = [replace(row, shard=first + place // settings.clips_per_shard) for place, row in enumerate(placed)]
    left_out = [row for row in rows if row.status is not Status.PENDING]
    return sorted([*plan, *new, *left_out], key=lambda row: row.key)
