"""Who is who after people have met: tracks are compared from before and after, which a tracker cannot, since
it goes forward.

While two boxes lie over each other, it is little more than chance which of them is taken to be whose. But
people walk on: of the two ways to join what was before to what is after, one is the smoother.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

_MEETING = 0.2
"""Intersection over union of boxes that may be mixed up."""

_PARTED_SECONDS = 0.2
"""Boxes that are apart for a shorter time are still in one meeting."""

_WINDOW_SECONDS = 0.5
"""Before and after a meeting this much is looked at: half a step, so that swinging limbs even out."""

_FEWEST = 4
"""Boxes from which it can be told where somebody goes."""

_SPEED_SECONDS = 0.3
"""A change of speed counts as much as the way that it makes in this time."""

_SIZE_WEIGHT = 3.0
"""How much more height and feet count than where somebody goes: people turn, but do not grow."""


@dataclass(frozen=True, order=True)
class _Meeting:
    """Frames, both included, in which two tracks' boxes overlap; they do most in the `closest`."""

    first: int
    last: int
    one: int
    other: int
    closest: int


@dataclass(frozen=True)
class _Course:
    """Where somebody is at an end of a meeting, and goes each frame: middle, feet and height, in pixels."""

    place: Float[np.ndarray, "3"]
    step: Float[np.ndarray, "3"]


def untangled(
    tracks: Sequence[Float[np.ndarray, "frames columns"]], fps: float
) -> list[Float[np.ndarray, "frames columns"]]:
    """The tracks, with what comes after a meeting of two exchanged where that makes both smoother.

    The first four columns are a box x0 y0 x1 y1, NaN in frames without; all columns are exchanged. Meetings
    that one of the two does not enter and leave are left as they are.
    """
    tracks = [track.copy() for track in tracks]
    done: _Meeting | None = None
    while True:
        for meeting in sorted(_meetings(tracks, fps)):
            if done is not None and meeting <= done:
                continue
            done = meeting
            if _is_mixed_up(tracks[meeting.one], tracks[meeting.other], meeting, fps):
                one, other = tracks[meeting.one], tracks[meeting.other]
                after = slice(meeting.closest, None)
                one[after], other[after] = other[after].copy(), one[after].copy()
                break  # who is in the later meetings has changed
        else:
            return tracks


def _meetings(tracks: Sequence[Float[np.ndarray, "frames columns"]], fps: float) -> list[_Meeting]:
    spans = [np.flatnonzero(np.isfinite(track[:, 0]))[[0, -1]] for track in tracks]
    boxes = [_without_gaps(track[:, :4], *span) for track, span in zip(tracks, spans, strict=True)]
    parted = max(1, round(_PARTED_SECONDS * fps))
    meetings = []
    for one in range(len(tracks)):
        for other in range(one + 1, len(tracks)):
            begin, end = max(spans[one][0], spans[other][0]), min(spans[one][1], spans[other][1]) + 1
            if begin >= end:
                continue
            overlap = _iou(
                boxes[one][begin - spans[one][0] : end - spans[one][0]],
                boxes[other][begin - spans[other][0] : end - spans[other][0]],
            )
            close = np.flatnonzero(overlap > _MEETING)
            for run in np.split(close, np.flatnonzero(np.diff(close) > parted) + 1):
                if len(run):
                    first, last = int(run[0]), int(run[-1])
                    closest = first + int(overlap[first : last + 1].argmax())
                    meetings.append(
                        _Meeting(int(begin) + first, int(begin) + last, one, other, int(begin) + closest)
                    )
    return meetings


def _without_gaps(boxes: Float[np.ndarray, "frames 4"], first: int, last: int) -> Float[np.ndarray, "some 4"]:
    """From the first to the last box, with straight ways through the gaps."""
    frames = np.arange(first, last + 1)
    seen = np.flatnonzero(np.isfinite(boxes[:, 0]))
    return np.stack([np.interp(frames, seen, boxes[seen, column]) for column in range(4)], axis=1)


def _iou(ones: Float[np.ndarray, "n 4"], others: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n"]:
    low, high = np.maximum(ones[:, :2], others[:, :2]), np.minimum(ones[:, 2:], others[:, 2:])
    shared = np.maximum(high - low, 0).prod(axis=1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (ones, others)]
    return shared / np.maximum(areas[0] + areas[1] - shared, 1e-9)


def _is_mixed_up(
    one: Float[np.ndarray, "frames columns"],
    other: Float[np.ndarray, "frames columns"],
    meeting: _Meeting,
    fps: float,
) -> bool:
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


def _courses(
    track: Float[np.ndarray, "frames columns"], meeting: _Meeting, fps: float
) -> tuple[_Course, _Course] | None:
    """Into the meeting and out of it; None where the track is not seen enough on either side."""
    window = max(_FEWEST, round(_WINDOW_SECONDS * fps))
    seen = np.flatnonzero(np.isfinite(track[:, 0]))
    before = seen[(seen < meeting.first) & (seen >= meeting.first - 2 * window)][-window:]
    after = seen[(seen > meeting.last) & (seen <= meeting.last + 2 * window)][:window]
    if min(len(before), len(after)) < _FEWEST:
        return None
    return _course(track, before, meeting.first), _course(track, after, meeting.last)


def _course(track: Float[np.ndarray, "frames columns"], frames: np.ndarray, end: int) -> _Course:
    """The straight way that most boxes lie along (Theil and Sen's: the median of all slopes)."""
    x0, _, x1, y1 = track[frames, :4].T
    values = np.stack([(x0 + x1) / 2, y1, y1 - track[frames, 1]], axis=1)
    times = frames - end
    early, late = np.triu_indices(len(times), 1)
    step = np.median((values[late] - values[early]) / (times[late] - times[early])[:, None], axis=0)
    return _Course(np.median(values - step * times[:, None], axis=0), step)
