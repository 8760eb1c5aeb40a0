"""The truth beside a made video: every keypoint's place in every frame, as Parquet, one row per person and
frame.

Dimension names: frames, points 133 (COCO-WholeBody).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float, Int

from renderers.mannequin.camera import Camera
from renderers.wholebody import FACE, KEYPOINT_COUNT, LEFT_HAND, NAMES, RIGHT_HAND

_SHAPES = {
    "keypoints_2d": (KEYPOINT_COUNT, 2),
    "keypoints_3d": (KEYPOINT_COUNT, 3),
    "visible": (KEYPOINT_COUNT,),
    "box": (4,),
    "K": (3, 3),
    "world_to_camera": (4, 4),
}

_DEPTH_INSIDE = {
    "shoulder": 0.15,
    "hip": 0.20,
    "ear": 0.06,
    "knee": 0.12,
    "elbow": 0.09,
    "ankle": 0.10,
    "heel": 0.22,
}
_DEPTH_INSIDE_BODY, _DEPTH_INSIDE_FACE, _DEPTH_INSIDE_HAND = 0.07, 0.02, 0.03


@dataclass(frozen=True)
class Labels:
    """The truth of one person through a video.

    time is in seconds; keypoints_2d and box (left, top, right, bottom) in pixels, where the centre of the
    first pixel is (0.5, 0.5); keypoints_3d in metres in the world (z up, the person faces -y); K and
    world_to_camera as in `camera`. A point is visible if it lies in the image and no surface is further in
    front of it than the part of the body that the point lies in is deep: from 2 cm for the face, over 3 cm
    for the hands, to 20 cm for the hips.
    """

    frame: Int[np.ndarray, "frames"]
    time: Float[np.ndarray, "frames"]
    person: Int[np.ndarray, "frames"]
    keypoints_2d: Float[np.ndarray, "frames 133 2"]
    keypoints_3d: Float[np.ndarray, "frames 133 3"]
    visible: Bool[np.ndarray, "frames 133"]
    box: Float[np.ndarray, "frames 4"]
    K: Float[np.ndarray, "frames 3 3"]
    world_to_camera: Float[np.ndarray, "frames 4 4"]


def labels_path(video: Path) -> Path:
    """Where a video's labels lie: beside it, as `<stem>.labels.parquet`."""
    return video.with_name(f"{video.stem}.labels.parquet")


def label_frame(
    camera: Camera,
    keypoints: Float[np.ndarray, "points 3"],
    depth: Float[np.ndarray, "height width"],
) -> dict[str, np.ndarray]:
    """A row's measurements: where the keypoints are seen, which are visible, and the box around the person.

    `depth` is that of the person's surface in metres, infinite beside the person.
    """
    pixels = camera.project(keypoints)
    inside = ((pixels >= 0) & (pixels < [camera.width, camera.height])).all(axis=1)
    column, row = np.clip(pixels, 0, [camera.width - 1, camera.height - 1]).astype(int).T
    in_front = camera.view(keypoints)[:, 2] - depth[row, column]
    rows, columns = np.nonzero(np.isfinite(depth))
    box = (
        np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], float)
        if len(rows)
        else np.zeros(4)
    )
    return {
        "keypoints_2d": pixels,
        "keypoints_3d": keypoints,
        "visible": inside & (in_front <= _DEPTHS),
        "box": box,
        "K": camera.K,
        "world_to_camera": camera.world_to_camera,
    }


def write_labels(path: Path, times: list[float], rows: list[dict[str, np.ndarray]]) -> None:
    """Write one person's rows, in the frames' order."""
    columns = {
        "frame": pa.array(np.arange(len(rows)), pa.int32()),
        "time": pa.array(times, pa.float64()),
        "person": pa.array(np.zeros(len(rows)), pa.int32()),
    }
    for name, shape in _SHAPES.items():
        values = np.concatenate([row[name].ravel() for row in rows]) if rows else np.empty(0)
        kind = pa.bool_() if name == "visible" else pa.float64()
        columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(values, kind), int(np.prod(shape)))
    pq.write_table(pa.table(columns), path)


def read_labels(path: Path) -> Labels:
    """The labels in a file written beside a video."""
    table = pq.read_table(path)
    arrays: dict[str, np.ndarray] = {name: table[name].to_numpy() for name in ("frame", "time", "person")}
    for name, shape in _SHAPES.items():
        values = table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        arrays[name] = values.reshape(len(table), *shape)
    return Labels(**arrays)


def _depth_inside(number: int, name: str) -> float:
    if LEFT_HAND.start <= number < RIGHT_HAND.stop:
        return _DEPTH_INSIDE_HAND
    if FACE.start <= number < FACE.stop:
        return _DEPTH_INSIDE_FACE
    return _DEPTH_INSIDE.get(name.split("_")[-1], _DEPTH_INSIDE_BODY)


_DEPTHS = np.array([_depth_inside(number, name) for number, name in enumerate(NAMES)])
