"""Pictures of a sample to look at: a sheet of frames beside their conditions with its hands' sharpness and
movement over time, and the same pictures side by side as a video.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from renderers.motion_blur import as_image
from shards.reader import Sample
from shards.schema import LEFT, NO_MODEL, RIGHT

_HANDS = ((LEFT, "left hand", "#d1495b"), (RIGHT, "right hand", "#1b6ca8"))
"""Axis, name and colour."""
_DIMMED = 0.45
"""How much of the frame is left under the skeleton."""

_DPI = 100
_SHEET_WIDTH = 12.0
_PICTURE_WIDTH = 2.4
"""At least, so that a sheet of many conditions is wider."""
_PLOT_HEIGHT = 1.7
_HEADER_HEIGHT = 0.7
_FRAME_LABEL_HEIGHT = 0.22
_TITLE_HEIGHT = 0.2
_GAP = 0.06
"""Inches of the sheet."""

_TIME_BASE = Fraction(1, 90_000)
"""Seconds; fine enough for every frame rate in use."""

_VIDEO_HEIGHT, _VIDEO_WIDTH = 540, 3840
"""Pixels, at most: of a picture and of all beside each other; none is made larger than it is stored."""

_OVER = " over it"
"""In the title of a condition that is drawn over the dimmed frame."""


def contact_sheet(sample: Sample, rows: int) -> Figure:
    """Frames spread evenly over the clip, each with its conditions over it and alone, then the hands' curves.

    smpl_cs, hands and motion_blur are there where the sample has them. Up to four pictures higher than wide
    stand in two columns of `rows`. Raises what `Sample.condition` does.
    """
    titles = _titles(sample)
    columns = 2 if sample.row.height > sample.row.width and len(titles) <= 4 else 1
    count = min(sample.num_frames, rows * columns)
    shown = np.unique(np.linspace(0, sample.num_frames - 1, count).round().astype(int)).tolist()
    rows = -(-len(shown) // columns)
    width = max(_SHEET_WIDTH, len(titles) * _PICTURE_WIDTH)
    picture_width = (width - _GAP) / (len(titles) * columns)
    picture_height = picture_width * sample.row.height / sample.row.width
    picture = (picture_width - _GAP, picture_height - _GAP)
    row_height = picture_height + _FRAME_LABEL_HEIGHT
    height = _HEADER_HEIGHT + _TITLE_HEIGHT + rows * row_height + 2 * (_PLOT_HEIGHT + 0.45) + 0.2
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white")
    _write_header(figure, sample)
    for place, number in enumerate(shown):
        left = (place // rows) * len(titles) * picture_width + _GAP
        top = height - _HEADER_HEIGHT - _TITLE_HEIGHT - (place % rows) * row_height
        label = f"frame {number}, {_seconds(sample)[number]:.2f} s"
        _write(figure, left, top - 0.16, label)
        for column, (title, image) in enumerate(zip(titles, _pictures(sample, number), strict=True)):
            across = left + column * picture_width
            if place % rows == 0:
                _write(figure, across, top + 0.05, title, weight="bold")
            axes = _axes(figure, (across, top - row_height, *picture))
            axes.imshow(image, interpolation="lanczos", aspect="auto")
            axes.set_axis_off()
    bottom = 0.45
    movement = np.linalg.norm(sample.poses["movement"], axis=-1)
    for name, curves in (
        ("hand movement\nshort sides / s", movement),
        ("hand sharpness\nvar. of Laplacian", sample.poses["sharpness"]),
    ):
        axes = _axes(figure, (0.9, bottom, width - 1.1, _PLOT_HEIGHT))
        _plot_hands(axes, _seconds(sample), curves, name, shown)
        bottom += _PLOT_HEIGHT + 0.35
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0, fontsize=8, ncols=2, frameon=False)
    return figure


def _axes(figure: Figure, box: tuple[float, float, float, float]) -> Axes:
    """Axes in a box of inches: left, bottom, width, height."""
    left, bottom, wide, high = box
    width, height = figure.get_size_inches()
    return figure.add_axes((left / width, bottom / height, wide / width, high / height))


def _write(figure: Figure, left: float, bottom: float, text: str, **style: Any) -> None:
    """Small text, from that place in inches."""
    width, height = figure.get_size_inches()
    figure.text(left / width, bottom / height, text, **{"fontsize": 8, "color": "#444444", **style})


def _write_header(figure: Figure, sample: Sample) -> None:
    row = sample.row
    facts = (
        f"{row.num_frames} frames, {row.duration_s:.2f} s, {row.fps:.4g} frames/s, {row.width}x{row.height}; "
        f"hands found in {row.left_hand_found:.0%} (left), {row.right_hand_found:.0%} (right) of the frames"
    )
    if (model := sample.poses["body_model"][0]) != NO_MODEL:
        facts += f"; body of {model} in {sample.validity('smpl_cs').mean():.0%}"
    height = figure.get_size_inches()[1]
    key = {"fontsize": 13, "weight": "bold", "family": "monospace", "color": "black"}
    _write(figure, _GAP, height - 0.28, sample.key, **key)
    _write(figure, _GAP, height - 0.52, facts, fontsize=9)


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


def _titles(sample: Sample) -> list[str]:
    """What the pictures of a frame are, in their order."""
    titles = ["frame", f"skeleton{_OVER}", "skeleton"]
    if "smpl_cs" in sample.conditions:
        titles += [f"smpl_cs{_OVER}", "smpl_cs"]
    if "hands" in sample.conditions:
        titles.append("hands")
    return [*titles, "motion_blur"] if sample.validity("motion_blur").any() else titles


def _pictures(sample: Sample, number: int) -> list[UInt8[np.ndarray, "height width 3"]]:
    """The pictures of that frame, as `_titles` names them."""
    frame = sample.frame(number)
    pictures, images = [frame], {}
    for title in _titles(sample)[1:]:
        condition = title.removesuffix(_OVER)
        if condition not in images:
            (image,) = sample.condition(condition, [number])
            images[condition] = _visible(image) if condition == "motion_blur" else image
        drawn = images[condition]
        pictures.append(_over(frame, drawn) if title.endswith(_OVER) else drawn)
    return pictures


def _visible(planes: Float[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """Planes of motion_blur as colours, on black where no hand is."""
    return np.where(planes.any(-1, keepdims=True), as_image(planes), 0).astype(np.uint8)


def _over(
    frame: UInt8[np.ndarray, "height width 3"], condition: UInt8[np.ndarray, "height width 3"]
) -> UInt8[np.ndarray, "height width 3"]:
    drawn = condition.any(-1, keepdims=True)
    return np.where(drawn, condition, (frame * _DIMMED).astype(np.uint8))


def write_video(sample: Sample, path: Path) -> None:
    """The same pictures side by side as H.264, with the clip's own times. Raises OSError, and what
    `Sample.condition` does.
    """
    row, pictures_wide = sample.row, len(_titles(sample))
    scale = min(1.0, _VIDEO_HEIGHT / row.height, _VIDEO_WIDTH / (pictures_wide * row.width))
    # Chroma is stored for two pixels by two.
    width, height = (max(2, round(side * scale / 2) * 2) for side in (row.width, row.height))
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = pictures_wide * width, height, "yuv420p"
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
