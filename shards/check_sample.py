"""What is checked of a sample before its shard is committed: that every image and every row of every array
belongs to one frame of the clip, and that nothing else is there.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np

from shards.coding import CONDITION_SUFFIX, CodingError, lossless_size
from shards.meta_file import read_meta
from shards.poses_file import unpack_poses
from shards.schema import (
    META_MEMBER,
    POSES_MEMBER,
    RAW_MEMBER,
    STORED_CONDITIONS,
    ClipRow,
    Member,
    SampleError,
    check_poses,
    condition_name,
    frame_name,
)

_JPEG_START_OF_FRAME = (0xC0, 0xC1, 0xC2)


def check_sample(row: ClipRow, members: Sequence[Member]) -> None:
    """Raise SampleError unless the members are what the row and the schema say."""
    data = {member.name: member.data for member in members}
    if len(data) < len(members):
        raise SampleError(f"{row.key}: a member is there twice")
    _check_names(row, data)
    for name, content in data.items():
        size = image_size(name, content)
        if size is not None and size != (row.width, row.height):
            raise SampleError(f"{row.key}: {name} is {size[0]}x{size[1]}, not {row.width}x{row.height}")
    poses = unpack_poses(data[POSES_MEMBER])
    check_poses(poses, row.num_frames)
    if poses["frame"][0] != row.first_frame or poses["time"][0] != row.start_s:
        begins = f"frame {poses['frame'][0]} at {poses['time'][0]} s"
        raise SampleError(
            f"{row.key}: poses.npz begins at {begins}, not at {row.first_frame}, {row.start_s} s"
        )
    if RAW_MEMBER in data:
        _check_raw(row, unpack_poses(data[RAW_MEMBER]), poses)
    meta = read_meta(data[META_MEMBER])
    if meta.get("key") != row.key or meta.get("num_frames") != row.num_frames:
        raise SampleError(
            f"{row.key}: meta.json speaks of {meta.get('key')}, {meta.get('num_frames')} frames"
        )


def _check_raw(row: ClipRow, raw: Mapping[str, np.ndarray], poses: Mapping[str, np.ndarray]) -> None:
    """What was found before it was smoothed has the shape of what it became."""
    for name, array in raw.items():
        if array.shape != poses[name].shape:
            raise SampleError(
                f"{row.key}: {RAW_MEMBER} has {name} as {' x '.join(map(str, array.shape))}, "
                f"{POSES_MEMBER} as {' x '.join(map(str, poses[name].shape))}"
            )


def _check_names(row: ClipRow, data: Mapping[str, bytes]) -> None:
    """One image of the video for each frame, and of each stored condition either one for each frame or
    none.
    """
    if row.num_frames < 1:
        raise SampleError(f"{row.key}: a sample has at least one frame")
    frames = range(row.num_frames)
    wanted = {POSES_MEMBER, META_MEMBER, *map(frame_name, frames)}
    for condition in STORED_CONDITIONS:
        if any(name.startswith(f"{condition}.") for name in data):
            wanted.update(condition_name(condition, number) for number in frames)
    wanted |= {RAW_MEMBER} & data.keys()
    missing, unknown = sorted(wanted - data.keys()), sorted(data.keys() - wanted)
    if missing or unknown:
        raise SampleError(
            f"{row.key}: of {len(wanted)} members {len(missing)} are missing {missing[:3]}, "
            f"{len(unknown)} do not belong {unknown[:3]}"
        )


def image_size(name: str, data: bytes) -> tuple[int, int] | None:
    """(width, height) of an image from its headers, without decoding it; None for a member that is none.

    Raises SampleError where the bytes are not what the name says.
    """
    if name.endswith(CONDITION_SUFFIX):
        try:
            return lossless_size(data)
        except CodingError as error:
            raise SampleError(f"{name} {error}") from error
    if name.endswith(".jpg"):
        return _jpeg_size(name, data)
    return None


def _jpeg_size(name: str, data: bytes) -> tuple[int, int]:
    place = 2
    while data[:2] == b"\xff\xd8" and place + 9 <= len(data) and data[place] == 0xFF:
        marker, length = struct.unpack(">BH", data[place + 1 : place + 4])
        if marker in _JPEG_START_OF_FRAME:
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return width, height
        place += 2 + length
    raise SampleError(f"{name} is no JPEG")
