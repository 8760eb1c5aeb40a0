"""Who is in a video, before its clips are cut: people are detected once in every chosen frame, and followed
through each shot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
from jaxtyping import UInt8

from extractors.people.tracks import People, track_people
from pipelines.frames import VideoSource, read_frames
from pipelines.plan import PersonTrack, VideoPeople, chosen_frames
from pipelines.scan import VideoScan


class Detector(Protocol):
    """Finds people in frames of one size."""

    @property
    def batch(self) -> int:
        """So many frames are best given at once."""
        ...

    def detect(self, images: Sequence[UInt8[np.ndarray, "height width 3"]]) -> list[People]:
        """The people of each image; of an image in which nobody is found, none."""
        ...


def find_people(
    path: Path,
    scan: VideoScan,
    fps: float,
    detector: Detector,
    on_frame: Callable[[], object] = lambda: None,
) -> VideoPeople:
    """The people of every shot of a video that was scanned well, in the frames that are chosen at `fps`;
    `on_frame` is called for each frame decoded, each batch, and each frame followed.

    Raises VideoError where frames cannot be read again.
    """
    source = VideoSource.of(path, scan)
    shots = []
    for shot, _ in enumerate(scan.shots):
        numbers, times = chosen_frames(scan, shot, fps)
        frames = read_frames(source, numbers.tolist(), times.tolist(), on_frame)
        found: list[People] = []
        while batch := [frame.image for frame in islice(frames, detector.batch)]:
            found += detector.detect(batch)
            on_frame()
        rate = 1 / float(np.median(np.diff(times))) if len(times) > 1 else fps
        tracks = track_people(found, rate, on_frame)
        shots.append(tuple(PersonTrack(track.first, track.boxes) for track in tracks))
    return VideoPeople(tuple(shots))
