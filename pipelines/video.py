"""Video files by PyAV: opened as untrusted data, and their frames in presentation order, upright, in RGB,
with times.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from jaxtyping import UInt8

from pipelines.reasons import Reason

VIDEO_SUFFIXES = frozenset(
    f".{name}"
    for name in "3g2 3gp avi flv gif m2ts m4v mkv mov mp4 mpeg mpg mts mxf ogv ts vob webm wmv".split()  # noqa: SIM905
)
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,gif,asf,mpeg,mpegts,mpegvideo,mxf,ogg,h264,hevc,"
    "wav,mp3,aac,flac"
)
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
"""Playlists, which name other files and addresses, and pictures are not opened."""

MAX_PIXELS = 8192 * 8192
"""A declared frame beyond this is not decoded: a few bytes of header could ask for all memory."""


class VideoError(Exception):
    """A video, or a frame that was asked for, cannot be had: `reason` is the ledger's code."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message


@dataclass
class Damage:
    """What did not decode: how many packets and frames, and the first error's first line."""

    count: int = 0
    first: str = ""

    def add(self, message: str) -> None:
        self.count += 1
        self.first = self.first or first_line(message)


def first_line(message: object) -> str:
    """The first line that says something, without the ends' blanks; for the ledger."""
    lines = str(message).strip().splitlines()
    return lines[0].strip() if lines else type(message).__name__


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The file's container and first video stream.

    Raises VideoError with reason missing, empty, not_a_video, unreadable, no_video_stream or too_large.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise VideoError(Reason.MISSING, first_line(error)) from error
    if size == 0:
        raise VideoError(Reason.EMPTY, f"{path.name} has no bytes")
    try:
        container = av.open(str(path.absolute()), options=_OPTIONS, metadata_errors="replace")
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.ENOENT):
            raise VideoError(Reason.MISSING, first_line(error)) from error
        raise _cannot_open(path, error) from error
    except (av.error.FFmpegError, ValueError) as error:
        raise _cannot_open(path, error) from error
    with container:
        pictures = [stream for stream in container.streams.video if not stream.disposition & _COVER]
        if not pictures:
            raise VideoError(Reason.NO_VIDEO_STREAM, f"{path.name} holds no video stream")
        stream = pictures[0]
        context = stream.codec_context
        if context is None:
            raise VideoError(Reason.UNREADABLE, f"no decoder for the video stream of {path.name}")
        if context.width * context.height > MAX_PIXELS:
            raise VideoError(
                Reason.TOO_LARGE,
                f"declares frames of {context.width}x{context.height}, the limit is {MAX_PIXELS} pixels",
            )
        context.thread_count = 1
        yield container, stream


_COVER = av.stream.Disposition.attached_pic


def _cannot_open(path: Path, error: Exception) -> VideoError:
    reason = Reason.UNREADABLE if path.suffix.lower() in VIDEO_SUFFIXES else Reason.NOT_A_VIDEO
    return VideoError(reason, f"cannot be opened as a video: {_said(error)}")


def _said(error: Exception) -> str:
    return (
        first_line(error.strerror or error) if isinstance(error, av.error.FFmpegError) else first_line(error)
    )


def decode(container: InputContainer, stream: VideoStream, damage: Damage) -> Iterator[VideoFrame]:
    """The stream's frames in presentation order from where the container stands; what does not decode is
    counted, not raised.
    """
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except (av.error.FFmpegError, ValueError) as error:
            damage.add(_said(error))
            return
        try:
            frames = packet.decode()
        except (av.error.FFmpegError, ValueError) as error:
            damage.add(_said(error))
            continue
        for frame in frames:
            if frame.is_corrupt:
                damage.add("a decoded frame is marked corrupt")
            elif frame.width * frame.height > MAX_PIXELS:
                damage.add(f"a decoded frame has {frame.width}x{frame.height} pixels")
            else:
                yield frame


def display_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """(width, height) in square pixels of the upright frame."""
    aspect = stream.sample_aspect_ratio
    width = round(frame.width * float(aspect)) if aspect else frame.width
    return (frame.height, width) if rotation(frame) % 180 else (width, frame.height)


def rotation(frame: VideoFrame) -> int:
    """Degrees, counter-clockwise, a multiple of 90, by which the file asks the frame to be turned for
    display.
    """
    return round(frame.rotation / 90) * 90 % 360


def upright(frame: VideoFrame, size: tuple[int, int]) -> UInt8[np.ndarray, "height width 3"]:
    """The frame as RGB, turned as the file asks, at `size` (width, height)."""
    image = np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), rotation(frame) // 90))
    if (image.shape[1], image.shape[0]) != size:
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return image
