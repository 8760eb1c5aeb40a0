"""From the people of single frames to each person's track through a shot.

The people of one frame are joined to those of the next by OC-SORT (Cao et al., CVPR 2023, arXiv:2203.14360),
which goes by where boxes are and which way they move; of the library's trackers it takes the fewest people
for each other where two pass. Afterwards tracks that met are untangled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from extractors.people.meetings import Rows, untangled

FOLLOWED_SCORE = 0.5
"""People of lower scores are not followed: they are half hidden ones, reflections and posters."""

LOST_SECONDS = 1.0
"""Who is not seen for longer, and is seen again, is somebody new."""

_LEAST_OVERLAP = 0.2
"""Intersection over union of a box with where its person was expected. The library's own 0.3 loses people of
whom little is seen when they come out from behind somebody; at 0.1 more are taken for another.
"""

_BUFFER_RATE = 30.0
"""In frames of this rate the library counts for how long somebody may be lost."""


@dataclass(frozen=True)
class People:
    """Who was found in an image: boxes are x0 y0 x1 y1 in its pixels, scores in [0, 1]."""

    boxes: Float[np.ndarray, "people 4"]
    scores: Float[np.ndarray, "people"]


@dataclass(frozen=True)
class Track:
    """One person, frame by frame from the first in which the person is seen, which is the shot's `first`, to
    the last; NaN where the person was not seen.
    """

    first: int
    boxes: Float[np.ndarray, "frames 4"]
    scores: Float[np.ndarray, "frames"]


_UNSEEN = -1


def track_people(
    people: Sequence[People], fps: float, on_frame: Callable[[], object] = lambda: None
) -> list[Track]:
    """The tracks of one shot, ordered by when their person is first seen, and from left to right.

    people: of each frame of the shot, `fps` of them a second. Every box of a track is one that was found; a
    gap is not filled. A track may be of one frame alone. `on_frame` is called for each frame, and then for
    every few comparisons of tracks.
    """
    # Slow to import, and not needed where people are only planned for.
    import supervision
    from trackers import OCSORTTracker

    tracker = OCSORTTracker(
        lost_track_buffer=round(LOST_SECONDS * _BUFFER_RATE),
        frame_rate=fps,
        minimum_iou_threshold=_LEAST_OVERLAP,
        high_conf_det_threshold=FOLLOWED_SCORE,
    )
    found: dict[Any, tuple[int, list[int]]] = {}  # of each tracklet its first frame, and its place in each
    for frame, now in enumerate(people):
        boxes, scores = np.asarray(now.boxes, np.float64), np.asarray(now.scores, np.float64)
        tracker.update(supervision.Detections(xyxy=boxes.reshape(-1, 4), confidence=scores))
        # The library numbers a tracklet from its second box on; its first is known to the tracklet alone.
        for tracklet in tracker.tracks:
            if tracklet.time_since_update:
                continue
            first, places = found.setdefault(tracklet, (frame, []))
            places += [_UNSEEN] * (frame - first - len(places))
            places.append(int(np.flatnonzero((boxes == tracklet.last_observation).all(axis=1))[0]))
        on_frame()
    tracks = untangled([_rows(people, *places) for places in found.values()], fps, on_frame)
    tracks.sort(key=lambda track: (track.first, *track.rows[0, :4].tolist()))
    return [Track(track.first, track.rows[:, :4], track.rows[:, 4]) for track in tracks]


def _rows(people: Sequence[People], first: int, places: Sequence[int]) -> Rows:
    """Boxes and scores from the places that they have in each frame from the first on."""
    rows = np.full((len(places), 5), np.nan, np.float32)
    for row, now, place in zip(rows, people[first:], places, strict=False):
        if place != _UNSEEN:
            row[:4], row[4] = now.boxes[place], now.scores[place]
    return Rows(first, rows)
