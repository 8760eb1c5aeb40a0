"""The truth beside a made video: one row per person and frame, with the camera, as Parquet.

Dimension names: rows, points 133 (COCO-WholeBody), bones 104 (Anny's), hands 2 (left, right).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, Int, Int8, UInt8

from renderers.mannequin.camera import Camera
from renderers.mannequin.errors import MannequinError
from renderers.mannequin.person import Shape
from renderers.wholebody import FACE, KEYPOINT_COUNT, LEFT_HAND, NAMES, RIGHT_HAND

OUTSIDE, OCCLUDED, VISIBLE = 0, 1, 2
"""What `visibility` says of a keypoint: not in the image; in it, but hidden; seen."""

BONE_COUNT = 104
PHENOTYPES = tuple(Shape().phenotypes)
"""The order of the column `phenotypes`."""
LABELS_SUFFIX = ".labels.parquet"
_FACTS = b"dancemill.synth"

_DEPTH_INSIDE = {
    "nose": 0.03,
    "eye": 0.03,
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
    """The truth of a video, sorted by frame and person.

    frame counts from 0, shot and person too; a person is the same through all shots. time is the
    presentation time in seconds, the middle of the exposure, for which everything holds; exposure is how
    long that was, in seconds. keypoints_2d and the boxes (left, top, right, bottom) are in pixels, where
    the centre of the first pixel is (0.5, 0.5). keypoints_3d, joints and root are in metres in the world (z
    up, the floor at 0).

    visibility is OUTSIDE, OCCLUDED or VISIBLE. A point is occluded if another person or a thing is in front
    of it, or if the person's own surface is further in front of it than the part of the body that the point
    lies in is deep: from 2 cm for the face, over 3 cm for the hands, to 22 cm for the heels.

    joints are where Anny's bones begin. phenotypes are Anny's gender, age, muscle, weight, height and
    proportions; bone_rotations each bone's rotation from rest in world axes, as a rotation vector; root how
    far the first bone's beginning is from its place at rest, in metres; face the strengths of
    `pose.FACE_ACTIONS`. box is around the whole person, cut at the image's edge; visible_box around the
    visible_pixels pixels where the person is seen; each is zero where there is nothing. hand_blur is how
    far a hand's 21 points move in the image during the exposure, on average, in pixels. K and
    world_to_camera are as in `camera`.

    facts says how the video was made: seed, exposure, shots with their place, light and framing, who does
    what.
    """

    frame: Int[np.ndarray, "rows"]
    time: Float[np.ndarray, "rows"]
    shot: Int[np.ndarray, "rows"]
    person: Int[np.ndarray, "rows"]
    keypoints_2d: Float[np.ndarray, "rows 133 2"]
    keypoints_3d: Float[np.ndarray, "rows 133 3"]
    visibility: Int8[np.ndarray, "rows 133"]
    joints: Float[np.ndarray, "rows 104 3"]
    phenotypes: Float[np.ndarray, "rows 6"]
    bone_rotations: Float[np.ndarray, "rows 104 3"]
    root: Float[np.ndarray, "rows 3"]
    face: Float[np.ndarray, "rows 8"]
    box: Float[np.ndarray, "rows 4"]
    visible_box: Float[np.ndarray, "rows 4"]
    visible_pixels: Int[np.ndarray, "rows"]
    hand_blur: Float[np.ndarray, "rows 2"]
    exposure: Float[np.ndarray, "rows"]
    K: Float[np.ndarray, "rows 3 3"]
    world_to_camera: Float[np.ndarray, "rows 4 4"]
    facts: Mapping[str, Any]


_COLUMNS: dict[str, tuple[pa.DataType, tuple[int, ...]]] = {
    "frame": (pa.int32(), ()),
    "time": (pa.float64(), ()),
    "shot": (pa.int32(), ()),
    "person": (pa.int32(), ()),
    "keypoints_2d": (pa.float64(), (KEYPOINT_COUNT, 2)),
    "keypoints_3d": (pa.float64(), (KEYPOINT_COUNT, 3)),
    "visibility": (pa.int8(), (KEYPOINT_COUNT,)),
    "joints": (pa.float64(), (BONE_COUNT, 3)),
    "phenotypes": (pa.float64(), (6,)),
    "bone_rotations": (pa.float64(), (BONE_COUNT, 3)),
    "root": (pa.float64(), (3,)),
    "face": (pa.float64(), (8,)),
    "box": (pa.float64(), (4,)),
    "visible_box": (pa.float64(), (4,)),
    "visible_pixels": (pa.int32(), ()),
    "hand_blur": (pa.float64(), (2,)),
    "exposure": (pa.float64(), ()),
    "K": (pa.float64(), (3, 3)),
    "world_to_camera": (pa.float64(), (4, 4)),
}

Row = dict[str, Any]
"""One person in one frame: a value for each of the columns."""


def labels_path(video: Path) -> Path:
    """Where a video's labels lie: beside it, as `<stem>.labels.parquet`."""
    return video.with_name(f"{video.stem}{LABELS_SUFFIX}")


def visibility(
    camera: Camera,
    owner: int,
    keypoints: Float[np.ndarray, "points 3"],
    owners: UInt8[np.ndarray, "height width"],
    depth: Float[np.ndarray, "height width"],
) -> Int8[np.ndarray, "points"]:
    """Which of a person's keypoints are seen, from whose surface (`owner` is the person's own number) each
    pixel shows at what depth in metres."""
    pixels = camera.project(keypoints)
    ahead = camera.view(keypoints)[:, 2]
    inside = (ahead > 0) & ((pixels >= 0) & (pixels < [camera.width, camera.height])).all(axis=1)
    pixels = np.where(inside[:, None], pixels, 0.0)
    column, row = pixels.astype(int).T
    behind = ahead - depth[row, column]
    hidden = behind > np.where(owners[row, column] == owner, _DEPTHS, 0.0)
    return np.where(inside, np.where(hidden, OCCLUDED, VISIBLE), OUTSIDE).astype(np.int8)


def surface_box(camera: Camera, points: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "4"]:
    """The box around points of a surface, cut at the image's edge; zero if none is in the image."""
    pixels = camera.project(points[camera.view(points)[:, 2] > 0.05])
    if not len(pixels):
        return np.zeros(4)
    size = np.array([camera.width, camera.height])
    low, high = np.clip(pixels.min(axis=0), 0, size), np.clip(pixels.max(axis=0), 0, size)
    return np.concatenate([low, high]) if (low < high).all() else np.zeros(4)


def mask_box(mask: np.ndarray) -> Float[np.ndarray, "4"]:
    """The box around the pixels of a mask; zero if it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.zeros(4)
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], float)


def write_labels(path: Path, rows: list[Row], facts: Mapping[str, Any]) -> None:
    """Write rows in the order given."""
    columns = {}
    for name, (kind, shape) in _COLUMNS.items():
        values = np.array([row[name] for row in rows])
        if shape:
            columns[name] = pa.FixedSizeListArray.from_arrays(
                pa.array(values.ravel(), kind), int(np.prod(shape))
            )
        else:
            columns[name] = pa.array(values, kind)
    table = pa.table(columns).replace_schema_metadata(
        {_FACTS: json.dumps(facts, sort_keys=True, allow_nan=False)}
    )
    pq.write_table(table, path)


def read_labels(path: Path) -> Labels:
    """The labels in a file written beside a video. Raises MannequinError if it holds none."""
    try:
        table = pq.read_table(path)
        arrays = {}
        for name, (_, shape) in _COLUMNS.items():
            column = table[name].combine_chunks()
            values = column.flatten() if shape else column
            arrays[name] = values.to_numpy(zero_copy_only=False).reshape(len(table), *shape)
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise MannequinError(f"{path} holds no labels of a made video: {error}") from error
    return Labels(**arrays, facts=read_facts(path))


def read_facts(path: Path) -> Mapping[str, Any]:
    """How the video was made, from the labels beside it. Raises MannequinError if the file holds none."""
    try:
        return json.loads((pq.read_schema(path).metadata or {})[_FACTS])
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise MannequinError(f"{path} holds no labels of a made video: {error}") from error


def _depth_inside(number: int, name: str) -> float:
    if LEFT_HAND.start <= number < RIGHT_HAND.stop:
        return _DEPTH_INSIDE_HAND
    if FACE.start <= number < FACE.stop:
        return _DEPTH_INSIDE_FACE
    return _DEPTH_INSIDE.get(name.split("_")[-1], _DEPTH_INSIDE_BODY)


_DEPTHS = np.array([_depth_inside(number, name) for number, name in enumerate(NAMES)])
