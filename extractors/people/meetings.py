"""Who is who after people have met: tracks are compared from before and after, which a tracker cannot, since
it goes forward.

While two boxes lie over each other, it is little more than chance which of them is taken to be whose. But
people walk on: of the two ways to join what was before to what is after, one is the smoother.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

_MEETING = 0.2
"""Intersection over union of boxes that may be mixed up."""

_PARTED_SECONDS = 0.2
"""Boxes that are apart for a shorter time are still in one meeting."""

_LOOKED_AT = 256
"""So many frames of two tracks are compared at a time."""

_WINDOW_SECONDS = 0.5
"""Before and after a meeting this much is looked at: half a step, so that swinging limbs even out."""

_FEWEST = 4
"""Boxes from which it can be told where somebody goes."""

_SPEED_SECONDS = 0.3
"""A change of speed counts as much as the way that it makes in this time."""

_SIZE_WEIGHT = 3.0
"""How much more height and feet count than where somebody goes: people turn, but do not grow."""


@dataclass(frozen=True)
class Rows:
    """A track's frames from the first in which it is seen, which is the shot's `first`, to the last; rows of
    NaN where it is not seen. The first four columns are a box x0 y0 x1 y1.
    """

    first: int
    rows: Float[np.ndarray, "frames columns"]

    @property
    def end(self) -> int:
        """The frame after the last."""
        return self.first + len(self.rows)

    def seen(self, begin: int, end: int) -> Int[np.ndarray, "some"]:
        """Those of the frames from `begin` to before `end` in which it is."""
        begin = max(begin, self.first)
        rows = self.rows[begin - self.first : max(end - self.first, 0)]
        return begin + np.flatnonzero(np.isfinite(rows[:, 0]))

    def boxes(self, begin: int, end: int) -> Float[np.ndarray, "some 4"]:
        """In those frames, which are within the track; with straight ways through the gaps."""
        low, high = begin - self.first, end - self.first - 1
        while np.isnan(self.rows[low, 0]):
            low -= 1
        while np.isnan(self.rows[high, 0]):
            high += 1
        seen = self.seen(self.first + low, self.first + high + 1) - self.first
        frames = np.arange(begin, end) - self.first
        known = self.rows[seen, :4].astype(np.float64)
        if np.array_equal(seen, frames):
            return known
        return np.stack([np.interp(frames, seen, known[:, column]) for column in range(4)], axis=1)


class _Meeting(NamedTuple):
    """Frames, both included, in which two tracks' boxes overlap; they do most in the `closest`."""

    first: int
    last: int
    one: int
    other: int
    closest: int


_NOT_YET = -1
"""The `last` of what is no meeting: the two do not meet before `first`."""


@dataclass(frozen=True)
class _Course:
    """Where somebody is at an end of a meeting, and goes each frame: middle, feet and height, in pixels."""

    place: Float[np.ndarray, "3"]
    step: Float[np.ndarray, "3"]


def untangled(tracks: Sequence[Rows], fps: float, on_step: Callable[[], object] = lambda: None) -> list[Rows]:
    """The tracks, with what comes after a meeting of two exchanged where that makes both smoother.

    All columns are exchanged. Meetings that one of the two does not enter and leave are left as they are.
    `on_step` is called for every few comparisons.
    """
    untangling = _Untangling(list(tracks), fps, on_step)
    for track in sorted(range(len(tracks)), key=lambda track: tracks[track].first):
        untangling.go_on(tracks[track].first)
        untangling.add(track)
    untangling.go_on(None)
    return untangling.tracks


class _Untangling:
    """Goes from meeting to meeting, in the order in which they begin.

    Each two who are there at one time are searched for meetings, some frames ahead. An exchange changes who
    meets whom from there on: the two's searches begin anew.
    """

    def __init__(self, tracks: list[Rows], fps: float, on_step: Callable[[], object]) -> None:
        self.tracks = tracks
        self._fps, self._on_step = fps, on_step
        self._parted = max(1, round(_PARTED_SECONDS * fps))
        self._there: list[int] = []
        self._searches: dict[tuple[int, int], Iterator[_Meeting]] = {}
        self._next: list[tuple[_Meeting, int, Iterator[_Meeting]]] = []
        self._numbers = count()

    def add(self, track: int) -> None:
        """A track that begins in the frame that was gone on to."""
        first = self.tracks[track].first
        self._there = [other for other in self._there if self.tracks[other].end > first]
        for other in self._there:
            one, two = sorted((track, other))
            self._search(one, two, _Meeting(first, _NOT_YET, one, two, first))
        self._there.append(track)

    def go_on(self, end: int | None) -> None:
        """Judge the meetings that begin before that frame, or all."""
        while self._next and (end is None or self._next[0][0].first < end):
            meeting, _, search = heappop(self._next)
            one, other = meeting.one, meeting.other
            if self._searches.get((one, other)) is not search:
                continue  # it has begun anew
            if meeting.last != _NOT_YET and _is_mixed_up(
                self.tracks[one], self.tracks[other], meeting, self._fps
            ):
                self._exchange(meeting)
            else:
                self._advance(one, other)

    def _exchange(self, meeting: _Meeting) -> None:
        pair = meeting.one, meeting.other
        one, other = (self.tracks[track] for track in pair)
        for track, before, after in zip(pair, (one, other), (other, one), strict=True):
            early = before.rows[: meeting.closest - before.first]
            late = after.rows[meeting.closest - after.first :]
            self.tracks[track] = Rows(before.first, np.concatenate([early, late]))
        changed = {(min(a, b), max(a, b)) for a in pair for b in self._there if a != b}
        for first, second in sorted(changed):
            self._search(first, second, meeting)

    def _search(self, one: int, other: int, after: _Meeting) -> None:
        tracks = self.tracks[one], self.tracks[other]
        self._searches[one, other] = _meetings(*tracks, one, other, after, self._parted)
        self._advance(one, other)

    def _advance(self, one: int, other: int) -> None:
        self._on_step()
        search = self._searches[one, other]
        meeting = next(search, None)
        if meeting is None:
            del self._searches[one, other]
        else:
            heappush(self._next, (meeting, next(self._numbers), search))


def _meetings(
    track: Rows, other_track: Rows, one: int, other: int, after: _Meeting, parted: int
) -> Iterator[_Meeting]:
    """The meetings of two tracks that are later than `after`, as they begin.

    Now and then it is told from which frame on the next one can only begin.
    """
    end = min(track.end, other_track.end)
    # Who is close in one of the frames before is in a meeting that is not later.
    frame = max(track.first, other_track.first, after.first - parted)
    meeting: _Meeting | None = None
    closest, most = frame, 0.0
    while frame < end:
        until = min(frame + _LOOKED_AT, end)
        overlap = _iou(track.boxes(frame, until), other_track.boxes(frame, until))
        for place in np.flatnonzero(overlap > _MEETING).tolist():
            now = frame + place
            if meeting is not None and now - meeting.last > parted:
                if meeting > after:
                    yield meeting
                meeting = None
            if meeting is None or overlap[place] > most:
                closest, most = now, overlap[place]
            meeting = _Meeting(meeting.first if meeting else now, now, one, other, closest)
        frame = until
        if meeting is not None and frame - meeting.last > parted:
            if meeting > after:
                yield meeting
            meeting = None
        if meeting is None or meeting.first < after.first:
            yield _Meeting(frame, _NOT_YET, one, other, frame)
    if meeting is not None and meeting > after:
        yield meeting


def _iou(ones: Float[np.ndarray, "n 4"], others: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n"]:
    low, high = np.maximum(ones[:, :2], others[:, :2]), np.minimum(ones[:, 2:], others[:, 2:])
    shared = np.maximum(high - low, 0).prod(axis=1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (ones, others)]
    return shared / np.maximum(areas[0] + areas[1] - shared, 1e-9)


def _is_mixed_up(one: Rows, other: Rows, meeting: _Meeting, fps: float) -> bool:
    """Whether both tracks are seen before and after, and fit better crosswise."""
    courses, other_courses = _courses(one, meeting, fps), _courses(other, meeting, fps)
    if courses is None or other_courses is None:
        return False
    (before, after), (other_before, other_after) = courses, other_courses
    frames = max(meeting.last - meeting.first, 1)
    scale = max(float(np.mean([course.place[2] for course in (*courses, *other_courses)])), 1.0)

    def misfit(before: _Course, after: _Course) -> float:
        """How far what comes after is from going on with what was before; 1 is about a person's height."""
        way, feet, _ = after.place - before.place
        ahead = abs(way - (before.step[0] + after.step[0]) / 2 * frames)
        turn = abs(after.step[0] - before.step[0]) * fps * _SPEED_SECONDS
        growth = abs(np.log(max(after.place[2], 1.0) / max(before.place[2], 1.0)))
        return float((ahead + turn) / scale + _SIZE_WEIGHT * (abs(feet) / scale + growth))

    as_they_are = misfit(before, after) + misfit(other_before, other_after)
    return misfit(before, other_after) + misfit(other_before, after) < as_they_are


def _courses(track: Rows, meeting: _Meeting, fps: float) -> tuple[_Course, _Course] | None:
    """Into the meeting and out of it; None where the track is not seen enough on either side."""
    window = max(_FEWEST, round(_WINDOW_SECONDS * fps))
    before = track.seen(meeting.first - 2 * window, meeting.first)[-window:]
    after = track.seen(meeting.last + 1, meeting.last + 1 + 2 * window)[:window]
    if min(len(before), len(after)) < _FEWEST:
        return None
    return _course(track, before, meeting.first), _course(track, after, meeting.last)


def _course(track: Rows, frames: Int[np.ndarray, "some"], end: int) -> _Course:
    """The straight way that most boxes lie along (Theil and Sen's: the median of all slopes)."""
    x0, y0, x1, y1 = track.rows[frames - track.first, :4].T
    values = np.stack([(x0 + x1) / 2, y1, y1 - y0], axis=1)
    times = frames - end
    early, late = np.triu_indices(len(times), 1)
    step = np.median((values[late] - values[early]) / (times[late] - times[early])[:, None], axis=0)
    return _Course(np.median(values - step * times[:, None], axis=0), step)
