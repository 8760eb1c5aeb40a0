"""poses.npz: exactly the arrays of the schema, the same bytes for the same arrays, and nothing that runs
code.
"""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shards.poses_file import pack_poses, unpack_poses
from shards.schema import POSES, SampleError, check_poses
from tests.factories.dataset import MadeClip, made_poses

CLIP = MadeClip(1)


def with_entry(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@settings(max_examples=15, deadline=None)
@given(number=st.integers(0, 1000), frames=st.integers(1, 20))
def test_arrays_come_back_and_numpy_reads_the_same(number: int, frames: int) -> None:
    poses = made_poses(MadeClip(number, frames=frames, body=number % 2 == 0))
    data = pack_poses(poses)
    unpacked = unpack_poses(data)
    check_poses(unpacked, frames)
    with np.load(io.BytesIO(data), allow_pickle=False) as read:
        for name in POSES:
            np.testing.assert_array_equal(unpacked[name], poses[name])
            np.testing.assert_array_equal(read[name], poses[name])
    assert pack_poses(unpacked) == data


def test_the_order_of_the_arrays_does_not_change_the_bytes() -> None:
    poses = made_poses(CLIP)
    assert pack_poses(dict(reversed(poses.items()))) == pack_poses(poses)


def test_arrays_that_the_schema_does_not_name_are_refused() -> None:
    poses = made_poses(CLIP)
    with pytest.raises(SampleError, match="wings"):
        pack_poses({**poses, "wings": poses["time"]})
    with pytest.raises(SampleError, match="wings"):
        unpack_poses(with_entry("wings.npy", npy(poses["time"])))
    with pytest.raises(SampleError, match="time is float32"):
        pack_poses({**poses, "time": poses["time"].astype(np.float32)})


class Trap:
    """Leaves a mark where it is unpickled."""

    ran = False

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return setattr, (Trap, "ran", True)


def test_pickled_objects_are_refused_and_do_not_run() -> None:
    objects = npy(np.array([Trap()], dtype=object))
    for data in (with_entry("time.npy", objects), pickle.dumps({"time": Trap()})):
        with pytest.raises(SampleError):
            unpack_poses(data)
    assert not Trap.ran
    np.load(io.BytesIO(objects), allow_pickle=True)
    assert Trap.ran


def test_a_header_that_claims_more_than_there_is_is_refused() -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(  # type: ignore[no-untyped-call]
        header, {"descr": "<f8", "fortran_order": False, "shape": (2**50,)}
    )
    with pytest.raises(SampleError, match="header says otherwise"):
        unpack_poses(with_entry("time.npy", header.getvalue()))


@settings(max_examples=100, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
@example(place=0.03625419851738787, flip=1)
def test_a_flipped_byte_gives_an_error_or_arrays_of_the_schema(place: float, flip: int) -> None:
    data = bytearray(pack_poses(made_poses(CLIP)))
    data[int(place * len(data))] ^= flip
    try:
        unpacked = unpack_poses(bytes(data))
    except SampleError:
        return
    assert unpacked.keys() <= POSES.keys()
    assert all(array.dtype == POSES[name].dtype for name, array in unpacked.items())


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("time", lambda array: array[:-1], "time is float64"),
        ("keypoints", lambda array: array[:, :17], "keypoints is float32"),
        ("time", lambda array: array[::-1].copy(), "increase strictly"),
        ("time", lambda array: np.full_like(array, np.nan), "increase strictly"),
        ("confidence", lambda array: array + 1, "in \\[0, 1\\]"),
        ("confidence", lambda array: array * np.nan, "in \\[0, 1\\]"),
    ],
)
def test_what_is_not_aligned_is_named(name: str, change: object, message: str) -> None:
    poses = made_poses(CLIP)
    poses[name] = change(poses[name])  # type: ignore[operator]
    with pytest.raises(SampleError, match=message):
        check_poses(poses, CLIP.frames)


def test_empty_streams_are_allowed_only_where_the_schema_says_so() -> None:
    poses = made_poses(CLIP)
    check_poses({**poses, "body_landmarks": poses["body_landmarks"][:0]}, CLIP.frames)
    with pytest.raises(SampleError, match="sharpness"):
        check_poses({**poses, "sharpness": poses["sharpness"][:0]}, CLIP.frames)


BODY = MadeClip(2, body=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"body_model": np.array(["smurf"], "<U32")}, "body_model is 'smurf', known are anny, smplx, none"),
        ({"body_model": np.array([], "<U32")}, "body_model is <U32 0, expected <U32 1"),
        ({"body_units": np.array(["inch"], "<U32")}, "body_units is 'inch', expected metre"),
        (
            {"body_model": np.array(["none"], "<U32")},
            "body_model is none, but there are numbers in body_pose",
        ),
        (
            {"body_joints": np.array(["a", "b"], "<U32")},
            "body_pose is float32 5 x 3 x 3, expected .* 5 x 2 x 3",
        ),
        (
            {"body_pose": np.full((5, 3, 3), np.nan, np.float32)},
            "body_pose must be finite where body_surface",
        ),
        ({"body_shape": np.zeros((0, 2), np.float32)}, "body_shape must be finite where"),
        ({"camera_K": np.zeros((0, 3, 3))}, "camera_K must be finite where"),
        ({"hand_model": np.array(["glove"], "<U32")}, "hand_model is 'glove', known are mano, body, none"),
        (
            {"hand_model": np.array(["none"], "<U32")},
            "hand_model is none, but there are frames with its surface",
        ),
        ({"hand_model": np.array(["mano"], "<U32")}, "hand_pose must be finite where hand_surface_valid"),
        (
            {"hand_shape": np.zeros((5, 2, 10), np.float32)},
            "hand_model is body, but there are numbers in hand",
        ),
        ({"body_surface_valid": np.zeros(5, bool)}, "hand_model is body, but there are frames"),
    ],
)
def test_a_surface_that_cannot_be_drawn_is_named(changes: dict[str, np.ndarray], message: str) -> None:
    poses = made_poses(BODY)
    check_poses(poses, BODY.frames)
    with pytest.raises(SampleError, match=message):
        check_poses({**poses, **changes}, BODY.frames)


def test_frames_without_a_surface_need_no_parameters() -> None:
    poses = made_poses(BODY)
    poses["body_surface_valid"][:] = poses["hand_surface_valid"][:] = False
    check_poses({**poses, "body_pose": np.full((5, 3, 3), np.nan, np.float32)}, BODY.frames)


def test_names_that_are_no_text_are_refused() -> None:
    damaged = np.array([2**31 - 1] * 32, "<u4").view("<U32")
    with pytest.raises(SampleError, match="not ASCII"):
        unpack_poses(with_entry("body_model.npy", npy(damaged)))
