"""The chosen frames of a clip, read again from its video and checked, frame by frame, against the plan's
timestamps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

import av

from extractors.interface import Frame
from pipelines.reasons import Reason
from pipelines.scan import VideoScan
from pipelines.video import Damage, VideoError, decode, open_video, upright
from shards.schema import VideoRow

SEEK_MARGIN_S = 1.0
"""Decoding begins at a keyframe this much before the first wanted frame: containers index by decoding time,
which runs ahead.
"""


@dataclass(frozen=True)
class VideoSource:
    """What reading a video again needs to know of it, from its scan.

    width and height are of the upright frame in square pixels; rotation is in degrees, counter-clockwise.
    Without exact times frames are told by their count.
    """

    path: Path
    video_id: str
    width: int
    height: int
    rotation: int
    codec: str
    exact_times: bool

    @classmethod
    def of(cls, path: Path, video: VideoScan | VideoRow) -> VideoSource:
        """The video in that file, as its scan or its row of the ledger knows it."""
        facts = (getattr(video, field.name) for field in fields(cls) if field.name != "path")
        return cls(path, *facts)


def read_frames(
    source: VideoSource,
    numbers: Sequence[int],
    times: Sequence[float],
    on_frame: Callable[[], object] = lambda: None,
) -> Iterator[Frame]:
    """The frames of those numbers, upright, in RGB; both sequences increase strictly, times are in seconds.

    Decoding starts at the keyframe before the first one, or from the beginning where that does not give them
    all. Raises VideoError with reason alignment when the file no longer holds a frame at one of these times.
    """
    starts = (times[0] - SEEK_MARGIN_S, None) if source.exact_times else (None,)
    found = 0
    for start in starts:
        try:
            for frame in _decode_wanted(source, numbers[found:], times[found:], start, on_frame):
                found += 1
                yield frame
        except av.error.FFmpegError:
            continue  # this container cannot be sought in
        if found == len(numbers):
            return
    raise VideoError(
        Reason.ALIGNMENT,
        f"frame {numbers[found]} at {times[found]:.6f} s, which the scan saw, is no longer found",
    )


def _decode_wanted(
    source: VideoSource,
    numbers: Sequence[int],
    times: Sequence[float],
    start: float | None,
    on_frame: Callable[[], object],
) -> Iterator[Frame]:
    """Wanted frames until the last, or until one of them is passed by."""
    size = (source.width, source.height)
    wanted = 0
    with open_video(source.path) as (container, stream):
        if start is not None and stream.time_base is not None:
            container.seek(int(start / stream.time_base), stream=stream, backward=True)
        for count, decoded in enumerate(decode(container, stream, Damage())):
            on_frame()
            if source.exact_times:
                if decoded.pts is None or stream.time_base is None:
                    return
                time = float(decoded.pts * stream.time_base)
                if time > times[wanted]:
                    return
                is_wanted = time == times[wanted]
            else:
                is_wanted = count == numbers[wanted]
            if is_wanted:
                yield Frame(numbers[wanted], times[wanted], upright(decoded, size))
                wanted += 1
                if wanted == len(numbers):
                    return


def read_ahead(frames: Iterator[Frame], count: int = 4) -> Iterator[Frame]:
    """The same frames, of which up to `count` are decoded in a thread while others are worked on."""
    with ThreadPoolExecutor(1, "decode") as decoder:
        waiting = deque(decoder.submit(next, frames, None) for _ in range(count))
        while (frame := waiting.popleft().result()) is not None:
            waiting.append(decoder.submit(next, frames, None))
            yield frame
