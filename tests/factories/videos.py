"""Small videos with every trap of timing: each frame carries its own number, which survives coding,
scaling and turning.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8

BITS = 10
"""Frame numbers are below 2 ** BITS."""


def numbered_image(number: int, size: tuple[int, int] = (160, 128)) -> UInt8[np.ndarray, "height width 3"]:
    """A grey picture of `size` (width, height) whose top eighth shows the number as black and white bars."""
    width, height = size
    image = np.full((height, width, 3), 128, np.uint8)
    edges = np.linspace(0, width, BITS + 1).round().astype(int)
    for bit in range(BITS):
        image[: height // 8, edges[bit] : edges[bit + 1]] = 255 if number >> bit & 1 else 0
    image[height // 8 :, :, 0] = np.linspace(60, 200, width)
    return image


def read_number(image: UInt8[np.ndarray, "height width 3"]) -> int:
    """The number that an image shows."""
    height, width = image.shape[:2]
    edges = np.linspace(0, width, BITS + 1)
    centres = ((edges[1:] + edges[:-1]) / 2).astype(int)
    return sum(1 << bit for bit, x in enumerate(centres) if image[height // 16, x].mean() > 127)


def write_numbered_video(
    path: Path,
    count: int = 60,
    fps: int = 24,
    size: tuple[int, int] = (160, 128),
    times_ms: Sequence[int] | None = None,
    turned: int = 0,
    b_frames: int = 2,
    keyframe_interval: int = 12,
) -> Path:
    """A video of numbered frames; `times_ms` makes its frame rate variable, `turned` (counter-clockwise
    degrees) tags it.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stored = np.rot90(numbered_image(0, size), -turned // 90)
        stream.height, stream.width = stored.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"bf": str(b_frames), "g": str(keyframe_interval), "crf": "20"}
        stream.time_base = stream.codec_context.time_base = (
            Fraction(1, 1000) if times_ms else Fraction(1, fps)
        )
        if turned:
            stream.set_display_rotation(turned)
        for number in range(count):
            upright = numbered_image(number, size)
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(np.rot90(upright, -turned // 90)), "rgb24"
            )
            frame.time_base = stream.codec_context.time_base
            frame.pts = times_ms[number] if times_ms else number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_sound(path: Path, seconds: float = 1.0) -> Path:
    """A file with sound and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        stream.layout = "mono"
        for start in range(0, int(44100 * seconds), 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 44100, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_truncated(path: Path, whole: Path, share: float = 0.6) -> Path:
    """The first part of a video whose index comes first, as a broken download leaves it."""
    with av.open(str(whole)) as source, av.open(str(path), "w", options={"movflags": "faststart"}) as target:
        given = source.streams.video[0]
        kept = target.add_stream_from_template(given)
        for packet in source.demux(given):
            if packet.dts is not None:
                packet.stream = kept
                target.mux(packet)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path
