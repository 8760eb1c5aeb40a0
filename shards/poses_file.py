"""`poses.npz` and `poses_raw.npz`: the arrays of a sample as bytes, the same bytes for the same arrays.
Readers other than this one use numpy.load.
"""

from __future__ import annotations

import io
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping

import numpy as np
from numpy.lib import format as npy

from shards.schema import POSES, SampleError, expected_shape

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_ASCII = 128


def pack_poses(poses: Mapping[str, np.ndarray]) -> bytes:
    """The arrays as an npz. Raises SampleError unless they are exactly those of POSES by name and type."""
    if poses.keys() != POSES.keys():
        raise SampleError(f"poses.npz: missing or unknown arrays {sorted(poses.keys() ^ POSES.keys())}")
    return pack_some_poses(poses)


def pack_some_poses(poses: Mapping[str, np.ndarray]) -> bytes:
    """Some arrays of POSES as an npz. Raises SampleError for one of another type."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, spec in POSES.items():
            if name not in poses:
                continue
            if poses[name].dtype != spec.dtype:
                raise SampleError(f"poses.npz: {name} is {poses[name].dtype}, expected {spec.dtype}")
            entry = zipfile.ZipInfo(f"{name}.npy", _ZIP_TIME)
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, _UNIX
            data = io.BytesIO()
            np.save(data, np.ascontiguousarray(poses[name]), allow_pickle=False)
            archive.writestr(entry, data.getvalue(), compresslevel=6)
    return buffer.getvalue()


def unpack_poses(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of an npz, which is not trusted: of each, type, shape and size are checked before it is
    made.

    Raises SampleError for one that is damaged, that holds other arrays or types than POSES names, or pickled
    objects.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {_array_name(entry): _read_array(archive, entry) for entry in archive.infolist()}
    except (
        ValueError,
        OSError,
        EOFError,
        NotImplementedError,
        RuntimeError,
        SyntaxError,
        struct.error,
        tokenize.TokenError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise SampleError(f"poses.npz cannot be read: {error}") from error


def _array_name(entry: zipfile.ZipInfo) -> str:
    name = entry.filename.removesuffix(".npy")
    if name not in POSES:
        raise SampleError(f"it holds {entry.filename!r}, which the schema does not name")
    return name


def _read_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    name = _array_name(entry)
    spec = POSES[name]
    with archive.open(entry) as file:
        if npy.read_magic(file) != (1, 0):  # type: ignore[no-untyped-call]
            raise SampleError(f"{name} is in another version of numpy's format")
        shape, column_order, dtype = npy.read_array_header_1_0(file)  # type: ignore[no-untyped-call]
        if dtype != spec.dtype or not spec.fits(shape) or (column_order and len(shape) > 1):
            raise SampleError(
                f"{name} is {dtype} {' x '.join(map(str, shape))}, "
                f"expected {spec.dtype} {expected_shape(spec, 'frames')}"
            )
        size = math.prod(shape) * dtype.itemsize
        if file.tell() + size != entry.file_size:
            raise SampleError(f"{name} has {entry.file_size} bytes, its header says otherwise")
        data = bytearray(file.read())
        # NumPy makes strings even of numbers that stand for no letter; printing one then fails.
        if dtype.kind == "U" and (np.frombuffer(data, np.uint32) >= _ASCII).any():
            raise SampleError(f"{name} holds letters that are not ASCII")
        return np.frombuffer(data, dtype).reshape(shape)
