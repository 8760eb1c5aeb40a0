"""What a dataset holds: the rows of its Parquet files and the arrays of a sample, with shapes, types and
units.

Dimension names: frames F, hands 2 (left, right), points 133 (COCO-WholeBody), landmarks 33 (body) or 21
(hand), parts 8 (`renderers.wholebody.BODY_PARTS`); joints, shapes and expressions are as many as the sample's
body model has, hand_joints and hand_shapes as its hand model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, get_type_hints

import numpy as np
import pyarrow as pa
from jaxtyping import Bool

from renderers.wholebody import BODY_PARTS
from shards.coding import CONDITION_SUFFIX

SCHEMA_VERSION = 3

LEFT, RIGHT = 0, 1
"""Places of the person's left and right hand on every `hands` axis."""

NO_MODEL = "none"
"""In `body_model` and `hand_model`: there is no such surface."""
HANDS_OF_BODY = "body"
"""In `hand_model`: the hands are the body surface's own."""
KNOWN_BODY_MODELS = ("anny", "smplx", NO_MODEL)
"""What `body_model` can be in a dataset, whoever made it; a run of this program makes some of them."""
KNOWN_HAND_MODELS = ("mano", HANDS_OF_BODY, NO_MODEL)
"""What `hand_model` can be."""
METRE = "metre"
"""In `body_units`, so far the only unit."""

BODY_PARAMETERS = ("body_pose", "body_shape", "body_expression", "body_translation")
"""The arrays of a `BodyParameters`, in its order."""


class Status(StrEnum):
    """What became of an input or a clip. Every one of them is in exactly one of these states."""

    OK = "ok"
    FILTERED = "filtered"
    FAILED = "failed"
    PENDING = "pending"


@dataclass(frozen=True)
class Member:
    """One file of a sample: `name` without the sample's key (`rgb.000.jpg`, `poses.npz`), and its bytes."""

    name: str
    data: bytes


POSES_MEMBER = "poses.npz"
RAW_MEMBER = "poses_raw.npz"
"""Of a smoothed sample, what was found before; some of the arrays of `poses.npz`, under the same names."""
META_MEMBER = "meta.json"
STORED_CONDITIONS = ("smpl_cs", "hands")
"""Conditions that a sample may hold as images; the others are drawn from `poses.npz`."""


def frame_name(number: int) -> str:
    """The member that holds the stored frame of that place in the clip."""
    return f"rgb.{number:03d}.jpg"


def condition_name(condition: str, number: int) -> str:
    """The member that holds a stored condition's image for that frame of the clip."""
    return f"{condition}.{number:03d}{CONDITION_SUFFIX}"


@dataclass(frozen=True)
class MemberSpan:
    """Where a member's bytes lie in its shard's tar: `offset` and `size` in bytes, `crc32` of those bytes."""

    name: str
    offset: int
    size: int
    crc32: int


@dataclass(frozen=True)
class Quality:
    """What a clip is worth, for filtering: shares of frames in [0, 1] and medians over its valid hands.

    hand_sharpness is the median of `sharpness`, hand_movement the median length of `movement` (see POSES);
    both are NaN where no hand was found.
    """

    body_found: float = float("nan")
    face_found: float = float("nan")
    left_hand_found: float = float("nan")
    right_hand_found: float = float("nan")
    confidence: float = float("nan")
    hand_sharpness: float = float("nan")
    hand_movement: float = float("nan")


@dataclass(frozen=True)
class ClipRow:
    """One clip of a shard: a row of `shards/NNNNNN.parquet`, and of `index.parquet` when its status is ok.

    start_s and duration_s are presentation times in seconds; fps is the mean rate of the stored frames; width
    and height are those of the stored frames. `content_key` says what the sample was made from (see
    pipelines/content_keys.py). `members` is empty unless the status is ok.
    """

    key: str
    shard: int
    status: Status
    reason: str
    error: str
    video_id: str
    shot: int
    track_id: int
    first_frame: int
    num_frames: int
    start_s: float
    duration_s: float
    fps: float
    width: int
    height: int
    preset: str
    content_key: str
    body_found: float
    face_found: float
    left_hand_found: float
    right_hand_found: float
    confidence: float
    hand_sharpness: float
    hand_movement: float
    members: tuple[MemberSpan, ...] = ()


@dataclass(frozen=True)
class PlanRow:
    """One clip of the plan: a row of `clips.parquet`.

    frames are numbers in presentation order in the video, times their presentation timestamps in seconds.
    boxes are where the person of the track was detected, x0 y0 x1 y1 for each frame, one after the other, in
    pixels of the upright video, NaN where it was not; empty where nobody looked for people. shard is -1 for a
    clip that the plan itself filtered out. Status, reason, error and quality are filled from the committed
    shards.
    """

    key: str
    video_id: str
    shot: int
    track_id: int
    first_frame: int
    frames: tuple[int, ...]
    times: tuple[float, ...]
    shard: int
    boxes: tuple[float, ...] = ()
    status: Status = Status.PENDING
    reason: str = ""
    error: str = ""
    body_found: float = float("nan")
    face_found: float = float("nan")
    left_hand_found: float = float("nan")
    right_hand_found: float = float("nan")
    confidence: float = float("nan")
    hand_sharpness: float = float("nan")
    hand_movement: float = float("nan")


@dataclass(frozen=True)
class VideoRow:
    """One input: a row of the ledger `videos.parquet`.

    `reason` is a code (see pipelines/reasons.py), `error` the first line of what went wrong, `note` what a
    user should know of a video that was kept (frames missing, declared count wrong). width and height are
    after rotation; rotation is in degrees, as the file declares it; fps is the mean rate of the decoded
    frames; exact_times says that the timestamps are the file's own. declared_frames is 0 where the file
    declares none.
    """

    path: str
    video_id: str
    status: Status
    reason: str = ""
    error: str = ""
    note: str = ""
    bytes: int = 0
    container: str = ""
    codec: str = ""
    width: int = 0
    height: int = 0
    rotation: int = 0
    fps: float = 0.0
    variable_frame_rate: bool = False
    exact_times: bool = True
    declared_frames: int = 0
    frames: int = 0
    duration_s: float = 0.0
    shots: int = 0
    clips: int = 0
    clips_ok: int = 0
    clips_filtered: int = 0
    clips_failed: int = 0


@dataclass(frozen=True)
class ArraySpec:
    """Type, shape and meaning of one array of `poses.npz`. The first axis is the frames of the clip, unless
    the array holds something of the clip as a whole.

    A name in the shape stands for a length that the sample's own models decide; it is the same in all arrays
    of the sample. An optional array may have no frames at all: named and typed, but empty until something
    fills it.
    """

    dtype: np.dtype[Any]
    shape: tuple[int | str, ...]
    meaning: str
    optional: bool = False
    of_clip: bool = False

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of that shape can be this one, whatever the number of frames and named lengths."""
        rest = shape if self.of_clip else shape[1:]
        return (
            bool(shape)
            and len(rest) == len(self.shape)
            and all(isinstance(want, str) or want == got for want, got in zip(self.shape, rest, strict=True))
        )


def _array(dtype: Any, *shape: int | str, meaning: str, optional: bool = False) -> ArraySpec:
    return ArraySpec(np.dtype(dtype), shape, meaning, optional)


def _names(*shape: int | str, meaning: str) -> ArraySpec:
    return ArraySpec(np.dtype("<U32"), shape, meaning, of_clip=True)


_SEEN_ARRAYS: dict[str, ArraySpec] = {
    "frame": _array(np.int64, meaning="number of the frame in the video, in presentation order"),
    "time": _array(np.float64, meaning="presentation timestamp, seconds"),
    "keypoints": _array(np.float32, 133, 2, meaning="COCO-WholeBody, x and y in pixels of the stored frame"),
    "confidence": _array(np.float32, 133, meaning="of each keypoint, in [0, 1]; 0 is not found"),
    "body_valid": _array(np.bool_, meaning="a person was found in the frame"),
    "face_valid": _array(np.bool_, meaning="the face was found"),
    "hand_valid": _array(np.bool_, 2, meaning="the left, the right hand was found"),
    "person_box": _array(np.float32, 4, meaning="x0 y0 x1 y1 of the found keypoints, pixels; NaN where none"),
    "face_box": _array(np.float32, 4, meaning="x0 y0 x1 y1 of the face points, pixels; NaN where none"),
    "hand_box": _array(np.float32, 2, 4, meaning="x0 y0 x1 y1 of the hand's crop, pixels; NaN where none"),
    "sharpness": _array(
        np.float32, 2, meaning="variance of the Laplacian of the hand's crop at 128x128; NaN where none"
    ),
    "sharpness_raw": _array(
        np.float32, 2, meaning="the same of the crop in pixels of the video; NaN where none"
    ),
    "movement": _array(
        np.float32, 2, 2, meaning="hand velocity, short sides of the frame per second; NaN where none"
    ),
    "movement_raw": _array(
        np.float32, 2, 2, meaning="displacement from the frame before, pixels; NaN where none"
    ),
    "movement_valid": _array(np.bool_, 2, meaning="the hand was found in this frame and the one before"),
    "body_landmarks": _array(
        np.float32, 33, 3, meaning="MediaPipe's body, metres, hips at 0; NaN where none", optional=True
    ),
    "body_visibility": _array(np.float32, 33, meaning="of each body landmark, in [0, 1]", optional=True),
    "hand_landmarks": _array(
        np.float32, 2, 21, 3, meaning="MediaPipe's hands, metres, centre at 0; NaN where none", optional=True
    ),
}

BODY_ARRAYS: dict[str, ArraySpec] = {
    "camera_K": _array(np.float64, 3, 3, meaning="intrinsics, pixels of the stored frame", optional=True),
    "world_to_camera": _array(np.float64, 4, 4, meaning="extrinsics, metres", optional=True),
    "body_model": _names(1, meaning="what the body parameters belong to: anny, smplx or none"),
    "body_units": _names(1, meaning="of lengths: metre"),
    "body_joints": _names("joints", meaning="names of the joints of body_pose"),
    "body_surface_valid": _array(np.bool_, meaning="there is a body surface in the frame"),
    "body_part_valid": _array(
        np.bool_,
        len(BODY_PARTS),
        meaning="enough of the part was seen: trunk, head, arms, legs, hands (left, right)",
    ),
    "body_pose": _array(
        np.float32,
        *("joints", 3),
        meaning="rotation vector of each joint from rest, relative to its parent; NaN where none",
        optional=True,
    ),
    "body_shape": _array(np.float32, "shapes", meaning="the model's shape numbers", optional=True),
    "body_expression": _array(np.float32, "expressions", meaning="those of the face", optional=True),
    "body_translation": _array(np.float32, 3, meaning="of the body in the world, metres", optional=True),
    "hand_model": _names(1, meaning="mano; body where the hands are the body's own; or none"),
    "hand_joints": _names("hand_joints", meaning="names of the joints of hand_pose"),
    "hand_surface_valid": _array(np.bool_, 2, meaning="there is a hand surface in the frame"),
    "hand_pose": _array(
        np.float32,
        *(2, "hand_joints", 3),
        meaning="as body_pose, of a right hand: the left one is its mirror image",
        optional=True,
    ),
    "hand_shape": _array(np.float32, 2, "hand_shapes", meaning="the model's shape numbers", optional=True),
    "hand_translation": _array(np.float32, 2, 3, meaning="of the hand in its camera, metres", optional=True),
    "hand_camera_K": _array(np.float64, 3, 3, meaning="intrinsics of the hands' camera", optional=True),
}
"""The arrays of `poses.npz` that a body, its hands and their cameras fill."""

HAND_SURFACE_ARRAYS = frozenset(name for name in BODY_ARRAYS if name.startswith("hand_"))
"""Those of them that are of the hands' surfaces."""

POSES: dict[str, ArraySpec] = _SEEN_ARRAYS | BODY_ARRAYS
"""Every array of `poses.npz`, by name."""


class SampleError(ValueError):
    """A sample does not hold what the schema says; the message names the array or member, and what was
    expected.
    """


def expected_shape(spec: ArraySpec, frames: int | str, lengths: Mapping[str, int] | None = None) -> str:
    """The array's shape in words, with the named lengths that are known."""
    known = [(lengths or {}).get(str(length), length) for length in spec.shape]
    return " x ".join(map(str, known if spec.of_clip else [frames, *known]))


def check_poses(poses: Mapping[str, np.ndarray], frames: int) -> None:
    """Raise SampleError unless `poses` has exactly the arrays of POSES, in type and shape, for that many
    frames, and what they say of times, confidence and surfaces can be.
    """
    missing, unknown = POSES.keys() - poses.keys(), poses.keys() - POSES.keys()
    if missing or unknown:
        raise SampleError(f"poses.npz: missing arrays {sorted(missing)}, unknown arrays {sorted(unknown)}")
    lengths: dict[str, int] = {}
    for name, spec in POSES.items():
        array = poses[name]
        is_empty = spec.optional and array.shape[:1] == (0,)
        fits = spec.fits(array.shape) and (spec.of_clip or is_empty or len(array) == frames)
        if fits and not is_empty:
            own = array.shape if spec.of_clip else array.shape[1:]
            fits = all(
                isinstance(wanted, int) or lengths.setdefault(wanted, length) == length
                for wanted, length in zip(spec.shape, own, strict=True)
            )
        if array.dtype != spec.dtype or not fits:
            raise SampleError(
                f"poses.npz: {name} is {array.dtype} {' x '.join(map(str, array.shape))}, "
                f"expected {spec.dtype} {expected_shape(spec, frames, lengths)}"
            )
    if not (np.all(np.diff(poses["frame"]) > 0) and np.all(np.diff(poses["time"]) > 0)):
        raise SampleError("poses.npz: frame and time must increase strictly")
    if not np.isfinite(poses["time"]).all():
        raise SampleError("poses.npz: time must be finite")
    if not np.all((poses["confidence"] >= 0) & (poses["confidence"] <= 1)):
        raise SampleError("poses.npz: confidence must lie in [0, 1]")
    _check_body(poses)
    _check_hands(poses)


_CAMERA = ("camera_K", "world_to_camera")
_HAND_PARAMETERS = ("hand_pose", "hand_shape", "hand_translation", "hand_camera_K")


def _check_body(poses: Mapping[str, np.ndarray]) -> None:
    model, units = str(poses["body_model"][0]), str(poses["body_units"][0])
    if model not in KNOWN_BODY_MODELS:
        raise SampleError(f"poses.npz: body_model is {model!r}, known are {', '.join(KNOWN_BODY_MODELS)}")
    if units != METRE:
        raise SampleError(f"poses.npz: body_units is {units!r}, expected {METRE}")
    valid = poses["body_surface_valid"]
    if model == NO_MODEL:
        _refuse(poses, "body_model", BODY_PARAMETERS, valid)
    else:
        _require(poses, (*BODY_PARAMETERS, *_CAMERA), valid, "body_surface_valid")


def _check_hands(poses: Mapping[str, np.ndarray]) -> None:
    model, valid = str(poses["hand_model"][0]), poses["hand_surface_valid"]
    if model not in KNOWN_HAND_MODELS:
        raise SampleError(f"poses.npz: hand_model is {model!r}, known are {', '.join(KNOWN_HAND_MODELS)}")
    if model == NO_MODEL:
        _refuse(poses, "hand_model", _HAND_PARAMETERS, valid)
    elif model == HANDS_OF_BODY:
        _refuse(poses, "hand_model", _HAND_PARAMETERS, valid & ~poses["body_surface_valid"][:, None])
    else:
        _require(poses, _HAND_PARAMETERS[:-1], valid, "hand_surface_valid")
        _require(poses, _HAND_PARAMETERS[-1:], valid.any(1), "hand_surface_valid")


def _refuse(
    poses: Mapping[str, np.ndarray],
    model: str,
    names: Sequence[str],
    valid: Bool[np.ndarray, "frames *hands"],
) -> None:
    """A surface that there cannot be under this model's name."""
    filled = [name for name in names if len(poses[name])]
    if filled or valid.any():
        raise SampleError(
            f"poses.npz: {model} is {poses[model][0]}, but there are "
            + (f"numbers in {', '.join(filled)}" if filled else "frames with its surface")
        )


def _require(
    poses: Mapping[str, np.ndarray],
    names: Sequence[str],
    valid: Bool[np.ndarray, "frames *hands"],
    flag: str,
) -> None:
    """Where there is a surface, the numbers that it is drawn from."""
    for name in names if valid.any() else ():
        if not len(poses[name]) or not np.isfinite(poses[name][valid]).all():
            raise SampleError(f"poses.npz: {name} must be finite where {flag} says that there is a surface")


_SPAN = pa.struct(
    [("name", pa.string()), ("offset", pa.int64()), ("size", pa.int64()), ("crc32", pa.uint32())]
)
_ARROW: dict[Any, pa.DataType] = {
    str: pa.string(),
    Status: pa.string(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    tuple[int, ...]: pa.list_(pa.int64()),
    tuple[float, ...]: pa.list_(pa.float64()),
    tuple[MemberSpan, ...]: pa.list_(_SPAN),
}


def arrow_schema(row_type: type) -> pa.Schema:
    """The Parquet schema of a row class: its fields in order, stamped with SCHEMA_VERSION."""
    hints = get_type_hints(row_type)
    columns = [pa.field(field.name, _ARROW[hints[field.name]], nullable=False) for field in fields(row_type)]
    return pa.schema(columns, metadata={"dancemill_schema": str(SCHEMA_VERSION)})
