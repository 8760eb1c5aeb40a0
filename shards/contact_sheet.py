"""Pictures of a sample to look at: a sheet of frames beside their skeletons with its hands' sharpness and
movement over time, and the same three pictures side by side as a video.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from shards.reader import Sample
from shards.schema import LEFT, RIGHT

_HANDS = ((LEFT, "left hand", "#d1495b"), (RIGHT, "right hand", "#1b6ca8"))
"""Axis, name and colour."""
_DIMMED = 0.45
"""How much of the frame is left under the skeleton."""

_DPI = 100
_SHEET_WIDTH = 12.0
_PLOT_HEIGHT = 1.7
_HEADER_HEIGHT = 0.7
_FRAME_LABEL_HEIGHT = 0.22
_GAP = 0.06
"""Inches of the sheet."""

_TIME_BASE = Fraction(1, 90_000)
"""Seconds; fine enough for every frame rate in use."""

_VIDEO_HEIGHT = 540
"""Pixels; no picture is made larger than it is stored."""


def contact_sheet(sample: Sample, rows: int) -> Figure:
    """Frames spread evenly over the clip, each with its skeleton over it and alone, then the hands' curves.

    Pictures higher than wide stand in two columns of `rows`.
    """
    columns = 2 if sample.row.height > sample.row.width else 1
    count = min(sample.num_frames, rows * columns)
    shown = np.unique(np.linspace(0, sample.num_frames - 1, count).round().astype(int)).tolist()
    rows = -(-len(shown) // columns)
    picture_width = (_SHEET_WIDTH - _GAP) / (3 * columns)
    picture_height = picture_width * sample.row.height / sample.row.width
    picture = (picture_width - _GAP, picture_height - _GAP)
    row_height = picture_height + _FRAME_LABEL_HEIGHT
    height = _HEADER_HEIGHT + rows * row_height + 2 * (_PLOT_HEIGHT + 0.45) + 0.2
    figure = Figure(figsize=(_SHEET_WIDTH, height), dpi=_DPI, facecolor="white")
    _write_header(figure, sample, height)
    for place, number in enumerate(shown):
        left = (place // rows) * 3 * picture_width + _GAP
        top = height - _HEADER_HEIGHT - (place % rows) * row_height
        label = f"frame {number}, {_seconds(sample)[number]:.2f} s"
        figure.text(left / _SHEET_WIDTH, (top - 0.16) / height, label, fontsize=8, color="#444444")
        for column, image in enumerate(_pictures(sample, number)):
            box = (left + column * picture_width, top - row_height, *picture)
            axes = _axes(figure, box, height)
            axes.imshow(image, interpolation="lanczos", aspect="auto")
            axes.set_axis_off()
    bottom = 0.45
    movement = np.linalg.norm(sample.poses["movement"], axis=-1)
    for name, curves in (
        ("hand movement\nshort sides / s", movement),
        ("hand sharpness\nvar. of Laplacian", sample.poses["sharpness"]),
    ):
        axes = _axes(figure, (0.9, bottom, _SHEET_WIDTH - 1.1, _PLOT_HEIGHT), height)
        _plot_hands(axes, _seconds(sample), curves, name, shown)
        bottom += _PLOT_HEIGHT + 0.35
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0, fontsize=8, ncols=2, frameon=False)
    return figure


def _axes(figure: Figure, box: tuple[float, float, float, float], height: float) -> Axes:
    """Axes in a box of inches: left, bottom, width, height."""
    left, bottom, wide, high = box
    return figure.add_axes((left / _SHEET_WIDTH, bottom / height, wide / _SHEET_WIDTH, high / height))


def _write_header(figure: Figure, sample: Sample, height: float) -> None:
    row = sample.row
    facts = (
        f"{row.num_frames} frames, {row.duration_s:.2f} s, {row.fps:.4g} frames/s, {row.width}x{row.height}; "
        f"hands found in {row.left_hand_found:.0%} (left), {row.right_hand_found:.0%} (right) of the frames"
    )
    left = _GAP / _SHEET_WIDTH
    figure.text(left, 1 - 0.28 / height, sample.key, fontsize=13, weight="bold", family="monospace")
    figure.text(left, 1 - 0.52 / height, facts, fontsize=9, color="#444444")


def _plot_hands(
    axes: Axes,
    seconds: Float[np.ndarray, "frames"],
    curves: Float[np.ndarray, "frames 2"],
    name: str,
    shown: Sequence[int],
) -> None:
    for number in shown:
        axes.axvline(seconds[number], color="#dddddd", linewidth=1, zorder=0)
    for hand, label, colour in _HANDS:
        axes.plot(seconds, curves[:, hand], ".-", color=colour, linewidth=1.4, markersize=4, label=label)
    axes.set_xlim(seconds[0], max(seconds[-1], seconds[0] + 1e-3))
    axes.set_ylim(bottom=0)
    axes.set_ylabel(name, fontsize=8)
    axes.set_xlabel("seconds", fontsize=8, loc="right", labelpad=0)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _seconds(sample: Sample) -> Float[np.ndarray, "frames"]:
    """Time since the clip's first frame."""
    seconds: Float[np.ndarray, "frames"] = sample.poses["time"] - sample.poses["time"][0]
    return seconds


def _pictures(sample: Sample, number: int) -> list[UInt8[np.ndarray, "height width 3"]]:
    """The frame, its skeleton over it, and the skeleton alone."""
    frame = sample.frame(number)
    (skeleton,) = sample.condition("skeleton", [number])
    drawn = skeleton.any(-1, keepdims=True)
    over = np.where(drawn, skeleton, (frame * _DIMMED).astype(np.uint8))
    return [frame, over, skeleton]


def write_video(sample: Sample, path: Path) -> None:
    """The same three pictures side by side as H.264, with the clip's own times. Raises OSError."""
    scale = min(1.0, _VIDEO_HEIGHT / sample.row.height)
    # Chroma is stored for two pixels by two.
    width, height = (max(2, round(side * scale / 2) * 2) for side in (sample.row.width, sample.row.height))
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = 3 * width, height, "yuv420p"
        stream.codec_context.time_base = _TIME_BASE
        for number, seconds in enumerate(_seconds(sample)):
            pictures = [
                cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
                for picture in _pictures(sample, number)
            ]
            frame = av.VideoFrame.from_ndarray(np.concatenate(pictures, axis=1), format="rgb24")
            frame.pts, frame.time_base = round(seconds / _TIME_BASE), _TIME_BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
