"""How clips become a shard: staged one by one, then written as a tar and committed by the Parquet file beside it.

A shard exists when its Parquet does. The tar is moved into place before it, and an old Parquet is removed before an
old tar is replaced, so that a Parquet never names bytes that are not there.
"""

from __future__ import annotations

import io
import json
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from shards.schema import POSES, ClipRow, Member, MemberSpan, SampleError, Status, check_poses
from shards.tables import DatasetError, read_rows, read_table, sync_folder, write_durably, write_rows

TAR_BYTES = b"tar_bytes"
"""The tar's size, in the metadata of the shard's Parquet."""

_STAGED_MAGIC = b"dancemill clip 1\n"
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_JPEG = re.compile(r"^rgb\.(\d{3})\.jpg$")
MEMBER_NAME = re.compile(r"^[a-z0-9_]+(\.[a-z0-9_]+)+$")
"""What a member may be called: no folders, no hidden files, nothing that a path could be made of."""


def tar_path(dataset: Path, shard: int) -> Path:
    """The shard's tar."""
    return dataset / "shards" / f"{shard:06d}.tar"


def parquet_path(dataset: Path, shard: int) -> Path:
    """The Parquet that commits the shard."""
    return dataset / "shards" / f"{shard:06d}.parquet"


def pack_poses(poses: dict[str, np.ndarray]) -> bytes:
    """The arrays as an npz, the same bytes for the same arrays."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in POSES:
            data = io.BytesIO()
            np.lib.format.write_array(data, np.ascontiguousarray(poses[name]), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            archive.writestr(entry, data.getvalue(), compresslevel=6)
    return buffer.getvalue()


def unpack_poses(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of an npz. Raises SampleError for one that is damaged or holds pickled objects."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise SampleError(f"poses.npz cannot be read: {error}") from error


def stage_clip(staging: Path, row: ClipRow, members: Sequence[Member]) -> None:
    """Keep an extracted clip in the staging folder until its shard is written; there wholly or not at all."""
    header = json.dumps({**asdict(row), "members": []}).encode()

    def write(file: BinaryIO) -> None:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for member in (Member(_ROW_MEMBER, header), *members):
                tar.addfile(_tar_header(member.name, len(member.data)), io.BytesIO(member.data))

    write_durably(_staged_path(staging, row.key), write)


_ROW_MEMBER = "row.json"


def staged_row(staging: Path, key: str) -> ClipRow | None:
    """The row of a staged clip; None where it is not there, or cannot be read."""
    try:
        with tarfile.open(_staged_path(staging, key), "r:") as tar:
            return _read_staged_row(tar)
    except (FileNotFoundError, tarfile.TarError, ValueError, KeyError, TypeError):
        return None


def discard_staged(staging: Path, keys: Sequence[str]) -> None:
    """Remove clips from the staging folder."""
    for key in keys:
        _staged_path(staging, key).unlink(missing_ok=True)


def _staged_path(staging: Path, key: str) -> Path:
    return staging / f"{key}.clip"


def _read_staged_row(tar: tarfile.TarFile) -> ClipRow:
    entry = tar.next()
    file = tar.extractfile(entry) if entry is not None and entry.name == _ROW_MEMBER else None
    if file is None:
        raise ValueError("no row")
    values = json.loads(file.read())
    return ClipRow(**{**values, "status": Status(values["status"]), "members": ()})


def _read_staged(staging: Path, key: str) -> tuple[ClipRow, list[Member]]:
    try:
        with tarfile.open(_staged_path(staging, key), "r:") as tar:
            row = _read_staged_row(tar)
            members = []
            for entry in tar:
                file = tar.extractfile(entry)
                if file is not None and entry.name != _ROW_MEMBER:
                    members.append(Member(entry.name, file.read()))
            return row, members
    except (FileNotFoundError, tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise SampleError(f"clip {key} is not staged, or damaged: {error}") from error


def _tar_header(name: str, size: int) -> tarfile.TarInfo:
    """A header that says nothing of when, where and by whom it was written."""
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, 0o644
    return header


def write_shard(dataset: Path, shard: int, staging: Path, keys: Sequence[str]) -> list[ClipRow]:
    """Write the shard from its staged clips, in the order of `keys`, and commit it; gives the committed rows.

    Every sample is checked first. A shard without an ok clip has no tar. Raises SampleError for a sample that does not hold what
    the schema says, and OSError.
    """
    rows: list[ClipRow] = []
    tar_file, parquet_file = tar_path(dataset, shard), parquet_path(dataset, shard)

    def write(file: BinaryIO) -> None:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for key in keys:
                row, members = _read_staged(staging, key)
                if row.status is Status.OK:
                    check_sample(row, members)
                rows.append(replace(row, shard=shard, members=tuple(_append(tar, key, members))))

    parquet_file.unlink(missing_ok=True)
    sync_folder(parquet_file.parent)
    write_durably(tar_file, write)
    if not any(row.status is Status.OK for row in rows):
        tar_file.unlink()
    tar_bytes = tar_file.stat().st_size if tar_file.exists() else 0
    write_rows(parquet_file, ClipRow, rows, {TAR_BYTES.decode(): str(tar_bytes)})
    return rows


def _append(tar: tarfile.TarFile, key: str, members: Sequence[Member]) -> Iterator[MemberSpan]:
    for member in members:
        header = _tar_header(f"{key}.{member.name}", len(member.data))
        offset = tar.offset + tarfile.BLOCKSIZE
        tar.addfile(header, io.BytesIO(member.data))
        yield MemberSpan(member.name, offset, len(member.data), zlib.crc32(member.data))


def check_sample(row: ClipRow, members: Sequence[Member]) -> None:
    """Raise SampleError unless the members are what the row and the schema say: frames, poses and meta of one length."""
    data = {member.name: member.data for member in members}
    if len(data) < len(members):
        raise SampleError(f"{row.key}: a member is there twice")
    if bad := [name for name in data if not MEMBER_NAME.match(name)]:
        raise SampleError(f"{row.key}: members may not be named {bad}")
    frames = [f"rgb.{number:03d}.jpg" for number in range(row.num_frames)]
    wanted = {*frames, "poses.npz", "meta.json"}
    if data.keys() != wanted:
        raise SampleError(f"{row.key}: members missing or too many: {sorted(data.keys() ^ wanted)[:5]}")
    poses = unpack_poses(data["poses.npz"])
    try:
        check_poses(poses, row.num_frames)
        meta = json.loads(data["meta.json"])
    except ValueError as error:
        raise SampleError(f"{row.key}: {error}") from error
    if meta.get("key") != row.key or meta.get("num_frames") != row.num_frames:
        raise SampleError(f"{row.key}: meta.json speaks of {meta.get('key')}, {meta.get('num_frames')} frames")
    if row.num_frames and (poses["frame"][0] != row.first_frame or poses["time"][0] != row.start_s):
        raise SampleError(f"{row.key}: poses.npz begins at frame {poses['frame'][0]}, not {row.first_frame}")
    for name in frames:
        if jpeg_size(data[name]) != (row.width, row.height):
            raise SampleError(f"{row.key}: {name} is {jpeg_size(data[name])}, not {row.width}x{row.height}")


def jpeg_size(data: bytes) -> tuple[int, int]:
    """(width, height) from a JPEG's headers, without decoding it. Raises SampleError."""
    place = 2
    while data[:2] == b"\xff\xd8" and place + 9 <= len(data) and data[place] == 0xFF:
        marker, length = struct.unpack(">BH", data[place + 1 : place + 4])
        if marker in (0xC0, 0xC1, 0xC2):
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return width, height
        place += 2 + length
    raise SampleError("a frame is no JPEG")


def committed_rows(dataset: Path, shard: int) -> list[ClipRow] | None:
    """The shard's rows; None unless it is committed and its tar is there in full."""
    path = parquet_path(dataset, shard)
    try:
        size = committed_tar_bytes(path)
        rows = read_rows(path, ClipRow)
    except DatasetError:
        return None
    tar = tar_path(dataset, shard)
    there = tar.stat().st_size if tar.exists() else 0
    return rows if there == size else None


def committed_tar_bytes(path: Path) -> int:
    """The tar's size as the shard's Parquet has it. Raises DatasetError."""
    value = (read_table(path, ClipRow, ["key"]).schema.metadata or {}).get(TAR_BYTES, b"")
    if not value.isdigit():
        raise DatasetError(f"{path} does not say how large its tar is: run dancemill extract again")
    return int(value)


def read_sample_members(dataset: Path, row: ClipRow) -> list[Member]:
    """The members of a committed sample. Raises SampleError for bytes that are not those that were committed."""
    members = []
    try:
        with tar_path(dataset, row.shard).open("rb") as file:
            for span in row.members:
                file.seek(span.offset)
                data = file.read(span.size)
                if len(data) != span.size or zlib.crc32(data) != span.crc32:
                    raise SampleError(f"{row.key}: {span.name} is damaged in shard {row.shard:06d}")
                members.append(Member(span.name, data))
    except FileNotFoundError as error:
        raise SampleError(f"{row.key}: shard {row.shard:06d} has no tar") from error
    return members


def clean_temporaries(dataset: Path) -> None:
    """Remove what a killed run left half written."""
    for folder in (dataset, dataset / "shards", dataset / ".work" / "staging", dataset / ".work" / "scans"):
        for path in folder.glob("*.tmp"):
            path.unlink(missing_ok=True)
