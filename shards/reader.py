"""Reads a dataset: any sample by number or key, any frame by its byte offset, without touching the rest of
the tar.

What a manifest says is checked before it is used: a shard's number makes its file's name, and a member lies
where its name is, inside its tar.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from jaxtyping import UInt8

from renderers.skeleton import OFFICIAL, Style, draw_skeleton
from shards.check_sample import image_size, read_meta
from shards.index import FILE
from shards.poses_file import unpack_poses
from shards.sample_index import SampleIndex, read_index
from shards.schema import (
    META_MEMBER,
    POSES_MEMBER,
    STORED_CONDITIONS,
    ClipRow,
    SampleError,
    check_poses,
    condition_name,
    frame_name,
)
from shards.tables import DatasetError
from shards.writer import tar_path

OPEN_TARS = 256
"""So many tars stay open: a process commonly may have 1024 files."""


class ConditionError(DatasetError):
    """The dataset does not hold the condition; the message says which it has."""


class Dataset:
    """The committed samples of a dataset, in the order of their keys.

    It can be handed to other processes by fork or pickle: each opens the tars that it reads itself.
    """

    def __init__(self, path: str | Path) -> None:
        """Open the dataset in that folder. Raises DatasetError."""
        self.path = Path(path)
        self._index = read_index(self.path / FILE)
        self._tars = _Tars(self.path)

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, number: int) -> Sample:
        if not -len(self) <= number < len(self):
            raise IndexError(f"{self.path} has {len(self)} samples, there is no number {number}")
        return Sample(self._index, self._tars, number % len(self))

    def __iter__(self) -> Iterator[Sample]:
        return (self[number] for number in range(len(self)))

    def sample(self, key: str) -> Sample:
        """The sample with that key. Raises DatasetError."""
        number = self._index.sample_of(key)
        if number is None:
            raise DatasetError(
                f"{self.path} has no sample {key}: dancemill shards ls {self.path} lists its keys"
            )
        return self[number]

    def column(self, name: str) -> np.ndarray:
        """One value of each sample, in their order: a column of ClipRow but for `members`."""
        return self._index.column(name)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_index": self._index}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._tars = _Tars(self.path)


class Sample:
    """One sample; what is in its tar is read when it is asked for. Made by Dataset."""

    def __init__(self, index: SampleIndex, tars: _Tars, number: int) -> None:
        self._index, self._tars, self._number = index, tars, number

    def __repr__(self) -> str:
        return f"Sample({self.key!r}, {self.num_frames} frames)"

    @cached_property
    def row(self) -> ClipRow:
        """The sample's row of the index, members included."""
        return self._index.row(self._number)

    @property
    def key(self) -> str:
        return str(self._index.column("key")[self._number])

    @property
    def num_frames(self) -> int:
        return int(self._index.column("num_frames")[self._number])

    @property
    def member_names(self) -> list[str]:
        """Names of the sample's members, without its key."""
        return [span.name for span in self.row.members]

    def member(self, name: str) -> bytes:
        """The bytes of one member. Raises SampleError."""
        place = self._index.place_of(self._number, name)
        if place is None:
            raise SampleError(f"{self.key} has no member {name}")
        shard = int(self._index.column("shard")[self._number])
        offset, size = int(self._index.offsets[place]), int(self._index.sizes[place])
        return self._tars.read(shard, f"{self.key}.{name}", offset, size)

    def frame_bytes(self, number: int) -> bytes:
        """The JPEG of that frame of the clip, counted from 0. Raises IndexError and SampleError."""
        if not 0 <= number < self.num_frames:
            raise IndexError(f"{self.key} has {self.num_frames} frames, there is no number {number}")
        return self.member(frame_name(number))

    def frame(self, number: int) -> UInt8[np.ndarray, "height width 3"]:
        """That frame of the clip as RGB. Raises IndexError and SampleError."""
        return self._image(frame_name(number), self.frame_bytes(number))

    def frames(self, numbers: Sequence[int] | None = None) -> UInt8[np.ndarray, "frames height width 3"]:
        """Those frames, or all of them. Raises IndexError and SampleError."""
        return np.stack([self.frame(number) for number in self._all_or(numbers)])

    @cached_property
    def poses(self) -> dict[str, np.ndarray]:
        """Every array of POSES, checked. Raises SampleError."""
        poses = unpack_poses(self.member(POSES_MEMBER))
        check_poses(poses, self.num_frames)
        return poses

    @cached_property
    def meta(self) -> dict[str, Any]:
        """What the sample says of itself (docs/format.md). Raises SampleError."""
        return read_meta(self.member(META_MEMBER))

    def condition(
        self,
        name: str,
        numbers: Sequence[int] | None = None,
        size: tuple[int, int] | None = None,
        style: Style = OFFICIAL,
    ) -> UInt8[np.ndarray, "frames height width 3"]:
        """Images of a condition for those frames, or all of them.

        The skeleton is drawn now, at `size` (height, width) or that of the stored frames, in `style`; smpl_cs
        and hands are read as stored. Raises ConditionError for a condition that the sample does not hold.
        """
        if name == "skeleton":
            return np.stack([self._skeleton(number, size, style) for number in self._all_or(numbers)])
        if name not in self.conditions:
            raise ConditionError(f"{self.key} has no condition {name}: it has {', '.join(self.conditions)}")
        if size is not None:
            raise ConditionError(f"{name} is stored, and cannot be drawn at another size: leave size out")
        names = [condition_name(name, number) for number in self._all_or(numbers)]
        return np.stack([self._image(member, self.member(member)) for member in names])

    @property
    def conditions(self) -> list[str]:
        """Names that `condition` takes."""
        stored = [
            name
            for name in STORED_CONDITIONS
            if self._index.place_of(self._number, condition_name(name, 0)) is not None
        ]
        return ["skeleton", *stored]

    def _all_or(self, numbers: Sequence[int] | None) -> Sequence[int]:
        return range(self.num_frames) if numbers is None else numbers

    def _stored_size(self) -> tuple[int, int]:
        """(height, width)."""
        index, number = self._index, self._number
        return int(index.column("height")[number]), int(index.column("width")[number])

    def _skeleton(
        self, number: int, size: tuple[int, int] | None, style: Style
    ) -> UInt8[np.ndarray, "height width 3"]:
        if not 0 <= number < self.num_frames:
            raise IndexError(f"{self.key} has {self.num_frames} frames, there is no number {number}")
        stored = self._stored_size()
        keypoints, confidence = self.poses["keypoints"][number], self.poses["confidence"][number]
        return draw_skeleton(keypoints[None], confidence[None], size or stored, stored, style)

    def _image(self, name: str, data: bytes) -> UInt8[np.ndarray, "height width 3"]:
        """The size is checked before anything is decoded: a small file can claim a picture that fills the
        memory.
        """
        height, width = self._stored_size()
        if image_size(name, data) != (width, height):
            raise SampleError(f"{self.key}: {name} is not {width}x{height} as the index says")
        image = cv2.imdecode(
            np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        )
        if image is None or image.shape != (height, width, 3):
            raise SampleError(f"{self.key}: {name} cannot be decoded")
        return image


class _Tars:
    """The tars of a dataset, each opened when it is first read from."""

    def __init__(self, dataset: Path) -> None:
        self._dataset = dataset
        self._opened = lru_cache(OPEN_TARS)(self._open)

    def _open(self, shard: int) -> tuple[BinaryIO, int]:
        """The file, and its size in bytes."""
        path = tar_path(self._dataset, shard)
        try:
            return path.open("rb", buffering=0), path.stat().st_size
        except OSError as error:
            raise DatasetError(
                f"{path} cannot be read ({error.strerror}): run dancemill extract again"
            ) from error

    def read(self, shard: int, name: str, offset: int, size: int) -> bytes:
        """The member's bytes, once its header before them has been seen to bear its name.

        Raises SampleError where they are not there. A memory map would be as fast, but ends the process when
        the file is cut short under it.
        """
        file, file_size = self._opened(shard)
        wanted = name.encode() + b"\0"
        header = os.pread(file.fileno(), len(wanted), offset - tarfile.BLOCKSIZE)
        data = os.pread(file.fileno(), size, offset) if offset + size <= file_size else b""
        if header != wanted or len(data) != size:
            raise SampleError(
                f"{name} is not where the index says in shard {shard:06d}: one of them is damaged, or of "
                "another run; run dancemill extract again"
            )
        return data
