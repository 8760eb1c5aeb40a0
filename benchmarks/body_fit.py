"""What the body costs that preset `embedded` fits: the fit against MediaPipe Holistic itself on the same
frames, and the drawing and coding of smpl_cs and hands.

One process, the sides in turns, medians. The clips are of a made video at 540x960, and the same scaled up to
1080x1920, stored as the product stores it. That the fit is right is asserted against the labels: all frames
have a surface, whose keypoints are seen where the person's are.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ParamSpec, TypeVar

import cv2
import numpy as np

from benchmarks.accuracy_parts.body import fit_of
from extractors.interface import Frame, FramePose
from extractors.mediapipe_holistic import MediaPipeHolistic
from pipelines.body_surface import fitted_arrays
from pipelines.frames import VideoSource, read_frames
from pipelines.sample_meta import stored_size
from pipelines.scan import scan_video
from pipelines.settings import SampleSettings
from renderers.mannequin.labels import VISIBLE, Labels, labels_path, read_labels
from renderers.mannequin.spec import FRONTAL
from renderers.mannequin.video import make_video
from renderers.wholebody import BODY
from shards.coding import encode_lossless
from shards.schema import STORED_CONDITIONS
from shards.surface_conditions import draw_surface_condition, frame_surfaces, load_models

FPS, SECONDS = 30.0, 4.0
ROUNDS = 3
CASES = ((1.0, 1), (SECONDS, 1), (SECONDS, 2))
"""Seconds of a clip, the shortest that is extracted by default and the longest, and how much larger than
540x960 its pictures are."""

MAX_ERROR = 0.03
"""Median distance of the fitted body's visible keypoints from the true ones, as a share of the diagonal of
the person's box."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Costs:
    """Milliseconds a frame; error is what `check` gives. size is (width, height) of the pictures, stored that
    of the stored ones, in which the fit is made and drawn."""

    size: tuple[int, int]
    stored: tuple[int, int]
    mediapipe: float
    fit: float
    drawing: Mapping[str, float]
    error: float


def timed(work: Callable[P, T], *args: P.args, **options: P.kwargs) -> tuple[float, T]:
    """Seconds of the clock, and what the work gave."""
    begun = time.perf_counter()
    result = work(*args, **options)
    return time.perf_counter() - begun, result


def made_clip(folder: Path) -> tuple[list[Frame], Labels]:
    """A clip of SECONDS and a frame more for every further round."""
    spec = replace(FRONTAL, fps=FPS, seconds=SECONDS + (ROUNDS - 1) / FPS)
    path = make_video(folder, spec, seed=7, number=0)
    scan = scan_video(path, "0" * 16)
    source = VideoSource(path, scan.video_id, scan.width, scan.height, 0, scan.codec, scan.exact_times)
    frames = list(read_frames(source, range(len(scan.times)), scan.times))
    return frames, read_labels(labels_path(path))


def scaled(frame: Frame, scale: int) -> Frame:
    """The same picture, larger."""
    image = cv2.resize(frame.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return replace(frame, image=np.asarray(image))


def as_arrays(frames: list[Frame], found: list[FramePose], to_stored: float) -> dict[str, np.ndarray]:
    """What the fit reads of `shards.schema.POSES`."""
    names = ("keypoints", "confidence", "body_valid", "hand_valid")
    landmarks = ("body_landmarks", "body_visibility", "hand_landmarks")
    arrays = {name: np.array([getattr(pose, name) for pose in found]) for name in (*names, *landmarks)}
    arrays["keypoints"] = arrays["keypoints"] * np.float32(to_stored)
    return arrays | {
        "frame": np.array([frame.number for frame in frames]),
        "time": np.array([frame.time for frame in frames]),
    }


def check(poses: dict[str, np.ndarray], labels: Labels, scale: float) -> float:
    """The median error as a share of the person's extent; scale is the stored frame's size in sizes of the
    labels'. Raises AssertionError where the fit is wrong."""
    fit = fit_of(poses)
    assert fit.valid.all(), f"{(~fit.valid).sum()} of {len(fit.valid)} frames have no surface"
    rows = np.searchsorted(labels.frame, poses["frame"])
    off = np.linalg.norm(fit.keypoints_2d / scale - labels.keypoints_2d[rows], axis=-1)[:, BODY]
    extent = np.linalg.norm(labels.box[rows, 2:] - labels.box[rows, :2], axis=1)
    error = float(np.median((off / extent[:, None])[labels.visibility[rows, BODY] == VISIBLE]))
    assert error < MAX_ERROR, f"the median keypoint is {error:.1%} of the person's extent off"
    return error


def drawing(poses: dict[str, np.ndarray], size: tuple[int, int]) -> dict[str, float]:
    """Milliseconds a frame of each step; size is (width, height)."""
    models, shape = load_models(), size[::-1]
    taken = dict.fromkeys(("surface", "smpl_cs", "hands", "coding"), 0.0)
    # What is built once for a worker is not a frame's cost.
    for name in STORED_CONDITIONS:
        draw_surface_condition(name, frame_surfaces(poses, 0, models), shape, shape)
    count = len(poses["frame"])
    for number in range(count):
        seconds, surfaces = timed(frame_surfaces, poses, number, models)
        taken["surface"] += seconds
        for name in STORED_CONDITIONS:
            seconds, image = timed(draw_surface_condition, name, surfaces, shape, shape)
            taken[name] += seconds
            taken["coding"] += timed(encode_lossless, image)[0]
    return {name: 1000 * seconds / count for name, seconds in taken.items()}


def costs(clip: list[Frame], labels: Labels, scale: int) -> Costs:
    """Of the clip's pictures scaled up. Raises AssertionError where a fit is wrong."""
    frames = [scaled(frame, scale) for frame in clip]
    height, width = frames[0].image.shape[:2]
    stored = stored_size(width, height, SampleSettings().short_side)
    to_stored = stored[0] / width
    extractor = MediaPipeHolistic()
    count = len(clip) - ROUNDS + 1
    theirs, ours = [], []
    # What is loaded once for a worker is not a clip's cost.
    models = load_models()
    few = as_arrays(frames[:3], list(extractor.extract(frames[:3])), to_stored)
    fitted_arrays(few, models, stored, lambda: None)
    for first in range(ROUNDS):
        # Each clip begins a frame later: what a worker makes of a body's shape is kept, and in reality each
        # clip has another.
        own = frames[first : first + count]
        seconds, found = timed(lambda own: list(extractor.extract(own)), own)
        theirs.append(1000 * seconds / count)
        arrays = as_arrays(own, found, to_stored)
        seconds, fitted = timed(fitted_arrays, arrays, models, stored, lambda: None)
        ours.append(1000 * seconds / count)
        error = check(arrays | fitted, labels, scale * to_stored)
    return Costs(
        size=(width, height),
        stored=stored,
        mediapipe=statistics.median(theirs),
        fit=statistics.median(ours),
        drawing=drawing(arrays | fitted, stored),
        error=error,
    )


def main() -> None:
    """Print the milliseconds a frame and the ratio for each size, after asserting that the fit is right."""
    with TemporaryDirectory() as folder:
        clip, labels = made_clip(Path(folder))
    ratios = []
    for seconds, scale in CASES:
        found = costs(clip[: round(seconds * FPS) + ROUNDS - 1], labels, scale)
        width, height = found.size
        print(f"{seconds:g} s of {width}x{height}, ms a frame:")
        print(f"  MediaPipe {found.mediapipe:.1f}, the fit {found.fit:.1f}")
        steps = ", ".join(f"{name} {milliseconds:.1f}" for name, milliseconds in found.drawing.items())
        print(f"  drawing and coding at {found.stored[0]}x{found.stored[1]}, ms a frame: {steps}")
        print(f"  the median keypoint lies {found.error:.2%} of the person's extent off the true one")
        ratios.append(found.fit / found.mediapipe)
        print(f"ratio body_fit_against_mediapipe_{seconds:g}s_{width} {ratios[-1]:.3f}")
    print(f"ratio body_fit_against_mediapipe {max(ratios):.3f}")
    assert max(ratios) < 1, "the fit takes longer than MediaPipe"


if __name__ == "__main__":
    main()
