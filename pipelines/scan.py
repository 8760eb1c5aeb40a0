"""The first look at a video: it is decoded once, for its true frame count, timestamps, size, rotation, shots
and damage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from jaxtyping import UInt8
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector

from pipelines.reasons import Reason
from pipelines.video import Damage, VideoError, decode, display_size, open_video, rotation

VIDEO_ID_DIGITS = 16
"""Hexadecimal digits of the file's SHA-256 that name the video: 64 bits."""

SHOT_DETECTION_SIDE = 256
"""Short side in pixels that frames are scaled to before shots are looked for."""

MIN_SHOT_SECONDS = 0.5
"""Two cuts are further apart than this."""

DEFAULT_FPS = 30.0
"""Where a file declares no frame rate, or one that no video has."""

POSSIBLE_FPS = (0.001, 1000.0)
"""A declared frame rate outside this range is a damaged file's."""

STEADY_RATE = 0.25
"""The frame rate counts as variable when an interval is further than this share from the median one."""


@dataclass(frozen=True)
class VideoScan:
    """What the scan of a video found; a failure has a reason, and then nothing else need be known.

    times are the presentation timestamps in seconds of all frames that decode, strictly increasing;
    exact_times says that they are the file's own. width and height are in square pixels after rotation;
    rotation is counter-clockwise in degrees. shots are (first frame, frame after the last).
    """

    video_id: str
    bytes: int = 0
    reason: str = ""
    error: str = ""
    note: str = ""
    container: str = ""
    codec: str = ""
    width: int = 0
    height: int = 0
    rotation: int = 0
    declared_frames: int = 0
    times: tuple[float, ...] = ()
    exact_times: bool = True
    shots: tuple[tuple[int, int], ...] = ()

    @property
    def interval_s(self) -> float:
        """Median time between frames, in seconds; 0 where there are fewer than two."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 0.0

    @property
    def duration_s(self) -> float:
        """From the first frame's appearance to the last one's end, in seconds."""
        return self.times[-1] - self.times[0] + self.interval_s if self.times else 0.0

    @property
    def fps(self) -> float:
        """Mean frames per second."""
        return (len(self.times) - 1) / (self.times[-1] - self.times[0]) if len(self.times) > 1 else 0.0

    @property
    def variable_frame_rate(self) -> bool:
        intervals = np.diff(self.times)
        return bool(len(intervals)) and bool(np.any(np.abs(intervals / self.interval_s - 1) > STEADY_RATE))

    def to_json(self) -> dict[str, Any]:
        """As JSON values; `from_json` gives an equal scan back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> VideoScan:
        """Raises KeyError or TypeError for values that `to_json` did not write."""
        known = {field.name: values[field.name] for field in fields(cls)}
        known["times"] = tuple(known["times"])
        known["shots"] = tuple((first, end) for first, end in known["shots"])
        return cls(**known)


def video_id(path: Path) -> str:
    """The name of the video: from its bytes, so that a renamed file is the same video. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:VIDEO_ID_DIGITS]


def scan_video(path: Path, identity: str, on_frame: Callable[[], object] = lambda: None) -> VideoScan:
    """Decode the whole video once; memory does not grow with its length but for the times.

    `on_frame` is called for each frame. What is wrong with the file becomes a scan with a reason; nothing is
    raised for it.
    """
    size = path.stat().st_size if path.is_file() else 0
    damage = Damage()
    try:
        with open_video(path) as (container, stream):
            declared = stream.frames
            kind, codec = container.format.name, stream.codec_context.name
            seen = _Seen(stream)
            for frame in decode(container, stream, damage):
                seen.add(frame)
                on_frame()
    except VideoError as error:
        return VideoScan(identity, size, reason=error.reason, error=error.message)
    if not seen.pts:
        return VideoScan(
            identity,
            size,
            reason=Reason.NO_FRAMES,
            error=damage.first or "the video stream holds no frame",
            container=kind,
            codec=codec,
            declared_frames=declared,
        )
    times, exact = seen.times()
    width, height = seen.size
    return VideoScan(
        identity,
        size,
        note="; ".join(_notes(damage, declared, len(times), exact)),
        container=kind,
        codec=codec,
        width=width,
        height=height,
        rotation=seen.rotation,
        declared_frames=declared,
        times=times,
        exact_times=exact,
        shots=seen.shots(),
    )


class _Seen:
    """What is gathered from the frames of one video, in presentation order."""

    def __init__(self, stream: VideoStream) -> None:
        self.stream = stream
        self.pts: list[int | None] = []
        self.size = (0, 0)
        self.thumbnail_size = (0, 0)
        self.rotation = 0
        self.time_base = stream.time_base
        self.rate = declared_rate(stream)
        self.detector = AdaptiveDetector(min_scene_len=max(1, round(MIN_SHOT_SECONDS * self.rate)))
        self.cuts: list[int] = []

    def add(self, frame: VideoFrame) -> None:
        if not self.pts:
            self.size, self.rotation = display_size(frame, self.stream), rotation(frame)
            # The detector takes one size only, and a frame may have another than the first.
            self.thumbnail_size = _thumbnail_size(frame)
        position = FrameTimecode(len(self.pts), self.rate)
        thumbnail = _thumbnail(frame, self.thumbnail_size)
        self.cuts += [cut.frame_num for cut in self.detector.process_frame(position, thumbnail)]
        self.pts.append(frame.pts)

    def times(self) -> tuple[tuple[float, ...], bool]:
        """Presentation times in seconds, and whether they are the file's own."""
        exact = presentation_times(self.pts, self.time_base)
        if exact is not None:
            return exact, True
        return tuple(number / self.rate for number in range(len(self.pts))), False

    def shots(self) -> tuple[tuple[int, int], ...]:
        """(first frame, frame after the last) of each shot, in order, without gaps."""
        last = FrameTimecode(len(self.pts) - 1, self.rate)
        cuts = self.cuts + [cut.frame_num for cut in self.detector.post_process(last)]
        edges = sorted({0, *cuts, len(self.pts)})
        return tuple(pairwise(edges))


def presentation_times(pts: Sequence[int | None], time_base: Fraction | None) -> tuple[float, ...] | None:
    """The file's own times in seconds; None where it does not give every frame one later than the frame
    before.
    """
    given = [stamp for stamp in pts if stamp is not None]
    if (
        len(given) < len(pts)
        or any(later <= earlier for earlier, later in pairwise(given))
        or time_base is None
    ):
        return None
    return tuple(float(stamp * time_base) for stamp in given)


def declared_rate(stream: VideoStream) -> float:
    """Frames per second as the file has it, or DEFAULT_FPS where that cannot be."""
    rate = float(stream.average_rate or DEFAULT_FPS)
    lowest, highest = POSSIBLE_FPS
    return rate if lowest <= rate <= highest else DEFAULT_FPS


def _thumbnail(frame: VideoFrame, size: tuple[int, int]) -> UInt8[np.ndarray, "height width 3"]:
    return cv2.resize(frame.to_ndarray(format="bgr24"), size, interpolation=cv2.INTER_AREA)


def _thumbnail_size(frame: VideoFrame) -> tuple[int, int]:
    scale = min(1.0, SHOT_DETECTION_SIDE / min(frame.width, frame.height))
    return max(1, round(frame.width * scale)), max(1, round(frame.height * scale))


def _notes(damage: Damage, declared: int, frames: int, exact: bool) -> Iterator[str]:
    if damage.count:
        yield f"damaged or truncated: {frames} frames decode, {damage.count} packets do not ({damage.first})"
    if declared and declared != frames:
        yield f"declares {declared} frames, {frames} decode"
    if not exact:
        yield "its timestamps are missing or do not increase: frames are timed by the declared rate"
