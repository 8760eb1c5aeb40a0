"""Writing a made video to a file, with the traps that real files hold: times that vary, frames coded out of
their order, pictures to be turned, ten bits, odd sizes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from jaxtyping import Float, Int, UInt8

_ENCODERS = {"h264": "libx264", "hevc": "libx265", "vp9": "libvpx-vp9", "av1": "libsvtav1"}
CODECS = tuple(codec for codec, encoder in _ENCODERS.items() if encoder in av.codecs_available)
"""The codecs that this build of PyAV can write."""

_NEEDS_EVEN_SIDES = ("h264", "hevc")
"""Codecs whose encoders take odd sides only if the colour planes are as large as the picture."""

_TEN_BITS = "10le"
"""How the names of pixel formats of ten bits end."""

_CLOCK = 90_000
"""Ticks a second of a file whose frame rate varies."""

_LONE_FRAME_S = 0.04
"""How long a video of one frame lasts."""

_SOUND_RATE = 44_100
_SOUND_BLOCK = 1024


@dataclass(frozen=True)
class Encoding:
    """How a video is coded.

    crf: the coder's constant rate factor: more leaves out more.
    preset: x264's and x265's name of how much time they take; other codecs have one speed.
    b_frames: how many frames in a row may be coded after a later one, in H.264 and HEVC.
    keyframe_interval: of so many frames in a row, at least one is a keyframe.
    pixel_format: yuv420p or yuv444p, or with ten bits yuv420p10le or yuv444p10le: these are HDR, by BT.2020
    and PQ. VP9 has no ten bits here, AV1 only yuv420.
    rotation: the angle, 0, 90, 180 or 270 degrees counter-clockwise, by which a tag tells players to turn the
    stored pictures; they are stored turned the other way.
    variable_rate: whether `frame_times` makes the time from frame to frame vary.
    """

    codec: str = "h264"
    crf: int = 18
    preset: str = "veryfast"
    b_frames: int = 2
    keyframe_interval: int = 50
    pixel_format: str = "yuv420p"
    rotation: int = 0
    variable_rate: bool = False


def fitting_pixel_format(codec: str, width: int, height: int) -> str:
    """The eight-bit format in which the codec takes pictures of that size, in pixels.

    yuv420p stores colour at half the size. H.264's and HEVC's encoders refuse that for odd sides, which they
    take as yuv444p, with colour at full size; VP9's and AV1's take it for all.
    """
    is_odd = width % 2 == 1 or height % 2 == 1
    return "yuv444p" if is_odd and codec in _NEEDS_EVEN_SIDES else "yuv420p"


def frame_times(
    count: int, fps: float, encoding: Encoding, random: np.random.Generator
) -> Float[np.ndarray, "frames"]:
    """When each frame is shown, in seconds from 0: the times that the file will hold, to the tick.

    Where the rate varies, the time from one frame to the next is 0.4 to 1.6 times the usual.
    """
    if not encoding.variable_rate:
        return _seconds(np.arange(count), _frame_clock(fps))
    steps = random.uniform(0.4, 1.6, count - 1) / fps
    ticks = np.round(np.concatenate([[0.0], np.cumsum(steps)]) * _CLOCK)
    return _seconds(ticks.astype(int), Fraction(1, _CLOCK))


def write_video(
    path: Path,
    pictures: Iterable[UInt8[np.ndarray, "height width 3"]],
    times: Float[np.ndarray, "frames"],
    encoding: Encoding,
) -> None:
    """Code upright RGB pictures (sRGB) into the file at `path`, each shown at its time in seconds.

    The file's ending names the container. Times that `frame_times` gives are kept exactly, others to
    1/90,000 s. One thread codes: how a coder spreads its work over threads changes its bytes. Colours are
    converted by BT.709 (HDR: BT.2020), in limited range, and the file says so. Raises ValueError for times
    that do not increase, or that are not as many as the pictures.
    """
    clock = _clock(times)
    ticks = np.round(times / float(clock)).astype(int)
    if np.any(np.diff(ticks) < 1):
        raise ValueError(f"the times do not all increase by at least {float(clock):.2g} s")
    lasting = np.append(np.diff(ticks), round(_step(times) / float(clock)))
    if encoding.codec == "av1":
        # Else the encoder writes what it is doing to the terminal.
        os.environ.setdefault("SVT_LOG", "1")
    with av.open(str(path), "w") as container:
        stream = cast(
            VideoStream,
            container.add_stream(
                _ENCODERS[encoding.codec],
                rate=Fraction(1 / _step(times)).limit_denominator(1001),
                options=_options(encoding),
            ),
        )
        context = stream.codec_context
        stream.pix_fmt, stream.thread_count = encoding.pixel_format, 1
        stream.time_base = context.time_base = clock
        _tag_colours(context, encoding)
        for tick, duration, upright in zip(ticks.tolist(), lasting.tolist(), pictures, strict=True):
            stored = np.ascontiguousarray(np.rot90(upright, -encoding.rotation // 90))
            if not context.is_open:
                stream.height, stream.width = stored.shape[:2]
                if encoding.rotation:
                    stream.set_display_rotation(encoding.rotation)
                with _scheduled_as_before():
                    container.start_encoding()
            frame = _converted(stored, encoding)
            frame.time_base, frame.pts, frame.duration = clock, tick, duration
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@contextmanager
def _scheduled_as_before() -> Iterator[None]:
    """SVT-AV1 makes the thread that opens it a real-time one where it may (as root), and leaves it so: from
    then on whatever else that thread does goes before every other process of the machine.
    """
    if not hasattr(os, "sched_getscheduler"):  # Linux has it
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, parameters)


def write_sound(path: Path, seconds: float) -> None:
    """A file that holds a tone, and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=_SOUND_RATE)
        stream.layout = "mono"
        for start in range(0, max(1, round(_SOUND_RATE * seconds)), _SOUND_BLOCK):
            time = np.arange(start, start + _SOUND_BLOCK) / _SOUND_RATE
            tone = 0.2 * np.sin(2 * np.pi * 440 * time).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(tone[None], "fltp", "mono")
            frame.sample_rate, frame.pts = _SOUND_RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _step(times: Float[np.ndarray, "frames"]) -> float:
    """The mean time from frame to frame, in seconds."""
    return float(times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else _LONE_FRAME_S


def _clock(times: Float[np.ndarray, "frames"]) -> Fraction:
    """The length of the file's tick in seconds: a frame's where that gives every time exactly."""
    by_frame = _frame_clock(1 / _step(times))
    ticks = np.round(times / float(by_frame)).astype(int)
    return by_frame if np.array_equal(_seconds(ticks, by_frame), times) else Fraction(1, _CLOCK)


def _frame_clock(fps: float) -> Fraction:
    return 1 / Fraction(fps).limit_denominator(1001)


def _seconds(ticks: Int[np.ndarray, "frames"], clock: Fraction) -> Float[np.ndarray, "frames"]:
    return ticks * clock.numerator / clock.denominator


def _options(encoding: Encoding) -> dict[str, str]:
    general = {"crf": str(encoding.crf), "g": str(encoding.keyframe_interval)}
    reordered = {**general, "preset": encoding.preset, "bf": str(encoding.b_frames)}
    match encoding.codec:
        case "h264":
            # x264's macroblock tree reads memory that it has not written, so that its bytes vary.
            return {**reordered, "x264-params": "mbtree=0"}
        case "hevc":
            return {**reordered, "x265-params": "log-level=none:pools=none:frame-threads=1"}
        case "vp9":
            return {**general, "b": "0", "deadline": "realtime", "cpu-used": "8"}
        case _:
            return {**general, "preset": "9", "svtav1-params": "lp=1"}


def _tag_colours(context: av.VideoCodecContext, encoding: Encoding) -> None:
    is_hdr = encoding.pixel_format.endswith(_TEN_BITS)
    context.colorspace = Colorspace.BT2020 if is_hdr else Colorspace.ITU709
    context.color_primaries = ColorPrimaries.BT2020 if is_hdr else ColorPrimaries.BT709
    context.color_trc = ColorTrc.SMPTE2084 if is_hdr else ColorTrc.BT709
    context.color_range = ColorRange.MPEG


def _converted(image: UInt8[np.ndarray, "height width 3"], encoding: Encoding) -> av.VideoFrame:
    if encoding.pixel_format.endswith(_TEN_BITS):
        frame, matrix = av.VideoFrame.from_ndarray(_as_hdr(image), format="rgb48le"), Colorspace.BT2020
    else:
        frame, matrix = av.VideoFrame.from_ndarray(image, format="rgb24"), Colorspace.ITU709
    return frame.reformat(
        format=encoding.pixel_format, dst_colorspace=matrix, dst_color_range=ColorRange.MPEG
    )


_WHITE_NITS = 203.0
"""How bright white is in HDR, in candela per square metre (ITU-R BT.2408)."""

_TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
"""Linear colours of BT.709's primaries to BT.2020's (ITU-R BT.2087)."""


def _as_hdr(image: UInt8[np.ndarray, "height width 3"]) -> np.ndarray:
    """sRGB as PQ with BT.2020's primaries (SMPTE ST 2084), 16 bits: what a player for HDR shows as it was."""
    coded = np.arange(256) / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    share = (linear.astype(np.float32)[image] @ _TO_BT2020.T.astype(np.float32)) * (_WHITE_NITS / 10_000)
    power = np.maximum(share, 0) ** 0.1593017578125
    perceived = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    return np.round(perceived * 65535).astype(np.uint16)
