"""From the people of single frames to each person's track through a shot.

The people of one frame are joined to those of the next by OC-SORT (Cao et al., CVPR 2023, arXiv:2203.14360),
which goes by where boxes are and which way they move; of the library's trackers it takes the fewest people
for each other where two pass. Afterwards tracks that met are untangled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from extractors.people.meetings import untangled

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
    """One person through a shot, frame by frame; NaN where the person was not seen."""

    boxes: Float[np.ndarray, "frames 4"]
    scores: Float[np.ndarray, "frames"]


def track_people(people: Sequence[People], fps: float) -> list[Track]:
    """The tracks of one shot, ordered by when their person is first seen, and from left to right.

    people: of each frame of the shot, `fps` of them a second. Every box of a track is one that was found; a
    gap is not filled. A track begins at the first frame in which its person is found, and may be that frame
    alone.
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
    rows: dict[int, Float[np.ndarray, "frames 5"]] = {}
    tracklets = []  # kept, so that no two have one id
    for frame, found in enumerate(people):
        boxes, scores = np.asarray(found.boxes, np.float64), np.asarray(found.scores, np.float64)
        tracker.update(supervision.Detections(xyxy=boxes.reshape(-1, 4), confidence=scores))
        # The library numbers a tracklet from its second box on; its first is known to the tracklet alone.
        for tracklet in tracker.tracks:
            if tracklet.time_since_update:
                continue
            if id(tracklet) not in rows:
                tracklets.append(tracklet)
                rows[id(tracklet)] = np.full((len(people), 5), np.nan, np.float32)
            place = int(np.flatnonzero((boxes == tracklet.last_observation).all(axis=1))[0])
            rows[id(tracklet)][frame] = [*boxes[place], scores[place]]
    tracks = untangled([rows[id(tracklet)] for tracklet in tracklets], fps)
    tracks.sort(key=_beginning)
    return [Track(track[:, :4], track[:, 4]) for track in tracks]


def _beginning(track: Float[np.ndarray, "frames 5"]) -> tuple[float, ...]:
    first = int(np.isfinite(track[:, 0]).argmax())
    return (first, *track[first, :4].tolist())
