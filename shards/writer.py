"""How clips become a shard: staged one by one, then written as a tar and committed by the Parquet file beside
it.

A shard exists when its Parquet does. The tar is moved into place before it, and an old Parquet is removed
before an old tar is replaced, so that a Parquet never names bytes that are not there.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from shards.check_sample import check_sample
from shards.schema import ClipRow, Member, MemberSpan, SampleError, Status
from shards.tables import DatasetError, read_table, rows_of, sync_folder, write_durably, write_rows

TAR_BYTES = "tar_bytes"
"""The tar's size, in the metadata of the shard's Parquet."""

_STAGED_ROW = "row.json"
KEY = re.compile(r"^[A-Za-z0-9_-]{1,80}$")
"""A dot would end the key for readers of the tar, and a longer one would not fit into its headers."""


def tar_path(dataset: Path, shard: int) -> Path:
    """The shard's tar."""
    return dataset / "shards" / f"{shard:06d}.tar"


def parquet_path(dataset: Path, shard: int) -> Path:
    """The Parquet that commits the shard."""
    return dataset / "shards" / f"{shard:06d}.parquet"


def stage_clip(staging: Path, row: ClipRow, members: Sequence[Member]) -> None:
    """Keep an extracted clip in the staging folder until its shard is written; there wholly or not at all.

    Raises SampleError for a key that a shard cannot hold, and OSError.
    """
    spans = tuple(MemberSpan(member.name, 0, len(member.data), zlib.crc32(member.data)) for member in members)
    header = json.dumps(asdict(replace(row, members=spans))).encode()

    def write(file: BinaryIO) -> None:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for member in (Member(_STAGED_ROW, header), *members):
                tar.addfile(_tar_header(member.name, len(member.data)), io.BytesIO(member.data))

    write_durably(_staged_path(staging, row.key), write)


def staged_row(staging: Path, key: str) -> ClipRow | None:
    """The row of a staged clip; None where it is not there, or not whole."""
    try:
        with tarfile.open(_staged_path(staging, key), "r:") as tar:
            row = _read_staged_row(tar)
            sizes = [(entry.name, entry.size) for entry in tar if entry.name != _STAGED_ROW]
    except (FileNotFoundError, tarfile.TarError, ValueError, KeyError, TypeError):
        return None
    whole = sizes == [(span.name, span.size) for span in row.members]
    return replace(row, members=()) if whole else None


def discard_staged(staging: Path, keys: Sequence[str]) -> None:
    """Remove clips from the staging folder."""
    for key in keys:
        _staged_path(staging, key).unlink(missing_ok=True)


def _staged_path(staging: Path, key: str) -> Path:
    if not KEY.match(key):
        raise SampleError(f"{key!r} cannot be a key: letters, digits, - and _ can, up to 80 of them")
    return staging / f"{key}.clip"


def _read_staged_row(tar: tarfile.TarFile) -> ClipRow:
    entry = tar.next()
    file = tar.extractfile(entry) if entry is not None and entry.name == _STAGED_ROW else None
    if file is None:
        raise ValueError("it holds no row")
    values = json.loads(file.read())
    spans = tuple(MemberSpan(**span) for span in values["members"])
    return ClipRow(**{**values, "status": Status(values["status"]), "members": spans})


def _read_staged(staging: Path, key: str) -> tuple[ClipRow, list[Member]]:
    """The clip's row and its members, in the order of the tar to be: by stream, then by number."""
    try:
        with tarfile.open(_staged_path(staging, key), "r:") as tar:
            row = _read_staged_row(tar)
            files = [(entry.name, tar.extractfile(entry)) for entry in tar if entry.name != _STAGED_ROW]
            members = [Member(name, file.read()) for name, file in files if file is not None]
    except (FileNotFoundError, tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise SampleError(f"clip {key} is not staged, or damaged: {error}") from error
    if [(member.name, zlib.crc32(member.data)) for member in members] != [
        (span.name, span.crc32) for span in row.members
    ]:
        raise SampleError(f"clip {key} is not staged as it was extracted")
    return replace(row, members=()), sorted(members, key=lambda member: member.name)


def _tar_header(name: str, size: int) -> tarfile.TarInfo:
    """A header that says nothing of when, where and by whom it was written."""
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, 0o644
    return header


def write_shard(dataset: Path, shard: int, staging: Path, keys: Sequence[str]) -> list[ClipRow]:
    """Write the shard from its staged clips, in the order of `keys`, and commit it; gives the committed rows.

    Every sample is checked first. A shard without an ok clip has no tar. One clip is held in memory at a
    time. Raises SampleError for a clip that is not staged or does not hold what the schema says, and OSError.
    """
    rows: list[ClipRow] = []
    tar_file, parquet_file = tar_path(dataset, shard), parquet_path(dataset, shard)

    def write(file: BinaryIO) -> None:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for key in keys:
                row, members = _read_staged(staging, key)
                if row.key != key or any(row.key == other.key for other in rows):
                    raise SampleError(
                        f"shard {shard:06d}: clip {key} is there twice, or under another's name"
                    )
                if row.status is Status.OK:
                    check_sample(row, members)
                elif members:
                    raise SampleError(f"{key} is {row.status}, but has members")
                rows.append(replace(row, shard=shard, members=tuple(_append(tar, key, members))))

    parquet_file.parent.mkdir(exist_ok=True)
    parquet_file.unlink(missing_ok=True)
    sync_folder(parquet_file.parent)
    write_durably(tar_file, write)
    if not any(row.status is Status.OK for row in rows):
        tar_file.unlink()
        sync_folder(tar_file.parent)
    tar_bytes = tar_file.stat().st_size if tar_file.exists() else 0
    write_rows(parquet_file, ClipRow, rows, {TAR_BYTES: str(tar_bytes)})
    return rows


def _append(tar: tarfile.TarFile, key: str, members: Sequence[Member]) -> Iterator[MemberSpan]:
    for member in members:
        header = _tar_header(f"{key}.{member.name}", len(member.data))
        offset = tar.offset + tarfile.BLOCKSIZE
        tar.addfile(header, io.BytesIO(member.data))
        yield MemberSpan(member.name, offset, len(member.data), zlib.crc32(member.data))


def committed_rows(dataset: Path, shard: int) -> list[ClipRow] | None:
    """The shard's rows; None unless it is committed and its tar is there in full."""
    table = committed_table(dataset, shard)
    try:
        return None if table is None else rows_of(parquet_path(dataset, shard), table, ClipRow)
    except DatasetError:
        return None


def committed_table(dataset: Path, shard: int) -> pa.Table | None:
    """The same rows as a table."""
    path = parquet_path(dataset, shard)
    try:
        table = read_table(path, ClipRow)
        return table if tar_bytes(path, table.schema) == tar_size(dataset, shard) else None
    except DatasetError:
        return None


def tar_size(dataset: Path, shard: int) -> int:
    """How many bytes the shard's tar has; 0 where there is none."""
    path = tar_path(dataset, shard)
    return path.stat().st_size if path.is_file() else 0


def tar_bytes(path: Path, schema: pa.Schema) -> int:
    """How many bytes the tar had when the shard was committed, as its Parquet at `path` says. Raises
    DatasetError.
    """
    value = (schema.metadata or {}).get(TAR_BYTES.encode(), b"")
    if not value.isdigit():
        raise DatasetError(f"{path} does not say how large its tar is: run dancemill extract again")
    return int(value)


def read_sample_members(dataset: Path, row: ClipRow) -> list[Member]:
    """The members of a committed sample. Raises SampleError for bytes that are not those that were
    committed.
    """
    try:
        with tar_path(dataset, row.shard).open("rb") as file:
            return [Member(span.name, read_span(file, span)) for span in row.members]
    except (OSError, SampleError) as error:
        raise SampleError(f"{row.key} in shard {row.shard:06d}: {error}") from error


def read_span(file: BinaryIO, span: MemberSpan) -> bytes:
    """A member's bytes. Raises SampleError where they are not those that were committed."""
    if span.offset < 0 or span.size < 0:
        raise SampleError(f"{span.name} cannot lie at byte {span.offset} with {span.size} bytes")
    file.seek(0, io.SEEK_END)
    if span.offset + span.size > file.tell():
        raise SampleError(f"{span.name} lies beyond the end of the tar")
    file.seek(span.offset)
    data = file.read(span.size)
    if zlib.crc32(data) != span.crc32:
        raise SampleError(f"{span.name} is damaged: its checksum is not the one that was committed")
    return data


def clean_temporaries(dataset: Path) -> None:
    """Remove what a killed run left half written."""
    for folder in (dataset, dataset / "shards", dataset / ".work" / "staging", dataset / ".work" / "scans"):
        for path in folder.glob("*.tmp"):
            path.unlink(missing_ok=True)
