"""Small videos with every trap of timing: each frame carries its own number, which survives coding,
scaling and turning.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from renderers.mannequin import encoding
from renderers.mannequin.damage import damaged
from renderers.mannequin.encoding import Encoding, write_video
from renderers.mannequin.numbering import burn_number, read_number

__all__ = ["numbered_image", "read_number", "write_numbered_video", "write_sound", "write_truncated"]


def numbered_image(number: int, size: tuple[int, int] = (160, 128)) -> UInt8[np.ndarray, "height width 3"]:
    """A grey picture of `size` (width, height), redder to the right, that shows the number."""
    width, height = size
    image = np.full((height, width, 3), 128, np.uint8)
    image[:, :, 0] = np.linspace(60, 200, width)
    return burn_number(image, number)


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
    times = np.arange(count) / fps if times_ms is None else np.array(times_ms[:count]) / 1000
    coding = Encoding(crf=20, b_frames=b_frames, keyframe_interval=keyframe_interval, rotation=turned)
    write_video(path, (numbered_image(number, size) for number in range(count)), times, coding)
    return path


def write_sound(path: Path, seconds: float = 1.0) -> Path:
    """A file with sound and no picture."""
    encoding.write_sound(path, seconds)
    return path


def write_truncated(path: Path, whole: Path) -> Path:
    """The first part of a video whose index comes first, as a broken download leaves it."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        return damaged(whole, "truncated", Path(folder)).replace(path)
