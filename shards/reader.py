"""Reads a dataset: any sample by number or key, any frame by its byte offset, without touching the rest of
the tar.

What a manifest says is checked before it is used: a shard's number makes its file's name, and a member lies
where its name is, inside its tar.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from renderers.body_models.errors import ColourFileError, ModelFileError
from renderers.body_models.interface import BodyModel
from renderers.motion_blur import draw_motion_blur
from renderers.skeleton import OFFICIAL, Style, draw_skeleton
from shards.check_sample import image_size
from shards.drawn_with import ConditionError as ConditionError
from shards.drawn_with import models_as_drawn, models_by_colours
from shards.flip import flipped_but_for_body, flipped_poses
from shards.index import FILE
from shards.meta_file import read_meta
from shards.poses_file import unpack_poses
from shards.sample_index import SampleIndex, read_index
from shards.schema import (
    META_MEMBER,
    NO_MODEL,
    POSES_MEMBER,
    STORED_CONDITIONS,
    ClipRow,
    SampleError,
    check_poses,
    condition_name,
    frame_name,
)
from shards.settings_file import body_model_folder, is_of_random_weights
from shards.surface_conditions import (
    FrameSurfaces,
    Models,
    draw_surface_condition,
    drawable_conditions,
    frame_surfaces,
)
from shards.tables import DatasetError
from shards.writer import tar_path

OPEN_TARS = 256
"""So many tars stay open: a process commonly may have 1024 files."""


_DRAWN_FROM_KEYPOINTS = ("skeleton", "motion_blur")

_VALIDITY = {
    "skeleton": "body_valid",
    "motion_blur": "hand_valid",
    "smpl_cs": "body_surface_valid",
    "hands": "hand_surface_valid",
}
"""For each condition the array that says where there is something to draw."""


class Dataset:
    """The committed samples of a dataset, in the order of their keys.

    It can be handed to other processes by fork or pickle: each opens the tars that it reads itself.
    """

    def __init__(
        self,
        path: str | Path,
        body_models: str | Path | None = None,
        colours: str | Path | None = None,
        random_weights: bool = False,
    ) -> None:
        """Open the dataset in that folder. Raises DatasetError, and ColourFileError where `colours` is not
        there.

        What untrained networks made is for dry runs: such a dataset is opened only with `random_weights`, so
        that nothing is trained on it by mistake.

        `body_models` is the folder of the user's own files of SMPL-X and MANO, `colours` the user's own file
        of colours. They are needed for samples with such bodies, and for those whose smpl_cs was drawn in
        these colours, where a condition is drawn again, as at another size or flipped; other samples are
        drawn without them.
        """
        self.path = Path(path)
        self._colours = Path(colours) if colours is not None else None
        self._index = read_index(self.path / FILE)
        if not random_weights and is_of_random_weights(self.path):
            raise DatasetError(
                f"{self.path} was made by untrained networks (--weights random), and is nothing to train on: "
                "extract it again with trained ones, or open it with Dataset(..., random_weights=True)"
            )
        self._body_models = body_model_folder(
            self.path, Path(body_models) if body_models is not None else None
        )
        self._open()

    def _open(self) -> None:
        self._tars = _Tars(self.path)
        self._models = models_by_colours(self._body_models, self._colours)

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, number: int) -> Sample:
        if not -len(self) <= number < len(self):
            raise IndexError(f"{self.path} has {len(self)} samples, there is no number {number}")
        return Sample(self._index, self._tars, self._models, number % len(self))

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
        return {name: getattr(self, name) for name in ("path", "_body_models", "_colours", "_index")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()


class Sample:
    """One sample; what is in its tar is read when it is asked for. Made by Dataset."""

    def __init__(
        self,
        index: SampleIndex,
        tars: _Tars,
        models: Mapping[str, Models],
        number: int,
        is_flipped: bool = False,
    ) -> None:
        """`models` are by the name of their colours (`drawn_with.models_by_colours`)."""
        self._index, self._tars, self._models, self._number = index, tars, models, number
        self.is_flipped = is_flipped
        self._last_surfaces: tuple[int, FrameSurfaces] | None = None

    def __repr__(self) -> str:
        return f"Sample({self.key!r}, {self.num_frames} frames{', flipped' * self.is_flipped})"

    def flipped(self) -> Sample:
        """The sample mirrored left to right, as if its video had been: frames, poses and all conditions.

        Conditions are drawn again from mirrored numbers, so that the person's left hand has the colours of a
        left hand. The row, the meta and the bytes of members stay as they are stored.
        """
        return Sample(self._index, self._tars, self._models, self._number, not self.is_flipped)

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
        self._check_number(number)
        return self.member(frame_name(number))

    def frame(self, number: int) -> UInt8[np.ndarray, "height width 3"]:
        """That frame of the clip as RGB. Raises IndexError and SampleError."""
        image = self._image(frame_name(number), self.frame_bytes(number))
        return np.ascontiguousarray(image[:, ::-1]) if self.is_flipped else image

    def frames(self, numbers: Sequence[int] | None = None) -> UInt8[np.ndarray, "frames height width 3"]:
        """Those frames, or all of them. Raises IndexError and SampleError."""
        return _stacked(self.frame, self._all_or(numbers), self._stored_size())

    @cached_property
    def poses(self) -> dict[str, np.ndarray]:
        """Every array of POSES, checked. Raises SampleError, and ConditionError where the body model that
        mirrors the parameters of a flipped sample is not there.
        """
        if not self.is_flipped:
            return self._stored_poses
        name = str(self._stored_poses["body_model"][0])
        body_model = self._body_model(name) if name != NO_MODEL else None
        return flipped_poses(self._stored_poses, self._stored_size()[1], body_model)

    @cached_property
    def _stored_poses(self) -> dict[str, np.ndarray]:
        poses = unpack_poses(self.member(POSES_MEMBER))
        check_poses(poses, self.num_frames)
        return poses

    @cached_property
    def _seen(self) -> dict[str, np.ndarray]:
        """The arrays that need no body model, so that what is drawn from keypoints never does."""
        if not self.is_flipped:
            return self._stored_poses
        return flipped_but_for_body(self._stored_poses, self._stored_size()[1])

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
    ) -> UInt8[np.ndarray, "frames height width 3"] | Float[np.ndarray, "frames height width 3"]:
        """A condition for those frames, or all of them, at `size` (height, width) or that of the stored
        frames.

        The skeleton, in `style`, and motion_blur are drawn now. smpl_cs and hands are read as stored where
        the sample holds them at this size, and else drawn from its body parameters, in the colours that it
        was drawn in: all are RGB, uint8, but motion_blur, which has float32 planes (`renderers.motion_blur`).
        Raises ConditionError for a condition that the sample cannot give, or for want of the body model or
        the colours that draw it; IndexError; SampleError, also for parameters that are not those of the body
        model; and OffscreenError where a surface cannot be drawn on this machine.
        """
        numbers = self._all_or(numbers)
        size = size or self._stored_size()
        image_of = self._source(name, size, style)
        return _stacked(image_of, numbers, size, np.float32 if name == "motion_blur" else np.uint8)

    def _source(self, name: str, size: tuple[int, int], style: Style) -> Callable[[int], _Image]:
        """What gives the condition's image of a frame."""
        if name in _DRAWN_FROM_KEYPOINTS:
            return lambda number: self._from_keypoints(name, number, size, style)
        if name not in self.conditions:
            raise ConditionError(f"{self.key} has no condition {name}: it has {', '.join(self.conditions)}")
        if size == self._stored_size() and not self.is_flipped and self._holds(name):
            return lambda number: self._stored_image(condition_name(name, number))
        if name not in drawable_conditions(self._stored_poses):
            raise ConditionError(
                f"{self.key} holds {name} as images, and no parameters to draw it from: it can be had at the "
                "stored size, and not flipped"
            )
        models_as_drawn(self.key, self.meta, self._models, (name,))
        return lambda number: draw_surface_condition(name, self._surfaces(number), size, self._stored_size())

    @property
    def conditions(self) -> list[str]:
        """Names that `condition` takes: of those that are drawn, if the sample holds what from."""
        surfaces = [
            name
            for name in STORED_CONDITIONS
            if self._holds(name) or name in drawable_conditions(self._stored_poses)
        ]
        return [*_DRAWN_FROM_KEYPOINTS, *surfaces]

    def validity(self, condition: str) -> Bool[np.ndarray, "frames"]:
        """In which frames there is something of the condition: a person, a surface, at least one hand.

        Raises ConditionError for another name.
        """
        if condition not in _VALIDITY:
            raise ConditionError(f"{condition} is no condition: {', '.join(_VALIDITY)} are")
        valid = self._seen[_VALIDITY[condition]]
        return valid.any(1) if valid.ndim > 1 else valid

    def _holds(self, condition: str) -> bool:
        return self._index.place_of(self._number, condition_name(condition, 0)) is not None

    def _all_or(self, numbers: Sequence[int] | None) -> Sequence[int]:
        numbers = range(self.num_frames) if numbers is None else numbers
        for number in numbers:
            self._check_number(number)
        return numbers

    def _check_number(self, number: int) -> None:
        if not 0 <= number < self.num_frames:
            raise IndexError(f"{self.key} has {self.num_frames} frames, there is no number {number}")

    def _stored_size(self) -> tuple[int, int]:
        """(height, width)."""
        index, number = self._index, self._number
        return int(index.column("height")[number]), int(index.column("width")[number])

    def _from_keypoints(self, name: str, number: int, size: tuple[int, int], style: Style) -> _Image:
        names = ("keypoints", "confidence", "movement", "sharpness")
        keypoints, confidence, movement, sharpness = (self._seen[array][number][None] for array in names)
        source_size = self._stored_size()
        if name == "skeleton":
            return draw_skeleton(keypoints, confidence, size, source_size, style)
        return draw_motion_blur(keypoints, confidence, movement, sharpness, size, source_size)

    def _surfaces(self, number: int) -> FrameSurfaces:
        """The last frame's are kept: both smpl_cs and hands are drawn from them."""
        if self._last_surfaces is None or self._last_surfaces[0] != number:
            self._last_surfaces = number, frame_surfaces(self.poses, number, self._body_model)
        return self._last_surfaces[1]

    def _body_model(self, name: str, **options: Any) -> BodyModel:
        try:
            return models_as_drawn(self.key, self.meta, self._models, ())(name, **options)
        except ColourFileError as error:
            raise ConditionError(f"{self.key} cannot be drawn or mirrored: {error}") from error
        except ModelFileError as error:
            raise ConditionError(
                f"{self.key} has a body of {name}, which cannot be drawn or mirrored without that model: "
                f"{error} Its folder is named with Dataset(..., body_models=...) or --body-models."
            ) from error

    def _stored_image(self, member: str) -> UInt8[np.ndarray, "height width 3"]:
        return self._image(member, self.member(member))

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


_Image = UInt8[np.ndarray, "height width 3"] | Float[np.ndarray, "height width 3"]


def _stacked(
    image_of: Callable[[int], _Image], numbers: Sequence[int], size: tuple[int, int], dtype: Any = np.uint8
) -> Any:
    """The images of those frames, also of none, of `size` (height, width)."""
    images = [image_of(number) for number in numbers]
    return np.stack(images) if images else np.empty((0, *size, 3), dtype)


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
        try:
            header = os.pread(file.fileno(), len(wanted), offset - tarfile.BLOCKSIZE)
            data = os.pread(file.fileno(), size, offset) if offset + size <= file_size else b""
        except OSError as error:
            raise DatasetError(
                f"{tar_path(self._dataset, shard)} cannot be read: {error.strerror}"
            ) from error
        if header != wanted or len(data) != size:
            raise SampleError(
                f"{name} is not where the index says in shard {shard:06d}: one of them is damaged, or of "
                "another run; run dancemill extract again"
            )
        return data
