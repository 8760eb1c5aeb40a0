"""Rows of frozen dataclasses as Parquet files: written whole or not at all, the same bytes for the same
rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from shards.errors import UserError
from shards.schema import SCHEMA_VERSION, MemberSpan, Status, arrow_schema

Row = TypeVar("Row")

ROWS_PER_GROUP = 4096
"""So many rows are held in memory at once while a file is written."""


class DatasetError(UserError):
    """A dataset, or a file of it, is missing, damaged or of another version; the message names it and what
    to do.
    """


def write_durably(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Give `path` the content that `write` writes, under a temporary name until it is all on the disk.

    Whenever the process is killed, the file is as it was or as it is to be.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_rows(
    path: Path, row_type: type[Row], rows: Iterable[Row], metadata: Mapping[str, str] | None = None
) -> None:
    """Write the rows, in their order, with `metadata` beside the schema's."""
    schema = arrow_schema(row_type)
    groups = (
        pa.Table.from_pylist([asdict(row) for row in group], schema)  # type: ignore[call-overload]
        for group in _groups(rows)
    )
    write_tables(path, row_type, groups, metadata)


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    remaining = iter(rows)
    while group := list(islice(remaining, ROWS_PER_GROUP)):
        yield group


def write_tables(
    path: Path, row_type: type, tables: Iterable[pa.Table], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tables of the row class's columns, one row group for each, with `metadata` beside the
    schema's.
    """
    schema = arrow_schema(row_type)
    schema = schema.with_metadata({**(schema.metadata or {}), **(metadata or {})})

    def write(file: BinaryIO) -> None:
        with pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True) as writer:
            for table in tables:
                writer.write_table(table.cast(schema).combine_chunks())

    write_durably(path, write)


def read_rows(path: Path, row_type: type[Row]) -> list[Row]:
    """The rows of the file, in their order. Raises DatasetError."""
    return rows_of(path, read_table(path, row_type), row_type)


def read_table(path: Path, row_type: type, columns: list[str] | None = None) -> pa.Table:
    """The file's table, or some of its columns, when it has the row class's schema. Raises DatasetError."""
    with open_parquet(path, row_type) as file:
        return file.read(columns=columns)


@contextmanager
def open_parquet(path: Path, row_type: type) -> Iterator[pq.ParquetFile]:
    """The file, opened, when it has the row class's schema. What goes wrong while it is read is a
    DatasetError.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            check_schema(path, file.schema_arrow, row_type)
            yield file
    except FileNotFoundError as error:
        raise DatasetError(
            f"{path} is not there: name the folder of a dataset, or let dancemill extract finish it"
        ) from error
    except (pa.ArrowException, OSError, ValueError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise DatasetError(
            f"{path} cannot be read ({first}): restore it; index.parquet and shards can also be removed, "
            "and dancemill extract makes them again"
        ) from error


def check_schema(path: Path, schema: pa.Schema, row_type: type) -> None:
    """Raise DatasetError unless the file was written for this row class at this schema version."""
    version = (schema.metadata or {}).get(b"dancemill_schema", b"none").decode(errors="replace")
    if version != str(SCHEMA_VERSION):
        raise DatasetError(f"{path} has schema version {version}, this program reads {SCHEMA_VERSION}")
    wanted = arrow_schema(row_type)
    if not schema.equals(wanted):
        different = sorted({*schema.names} ^ {*wanted.names}) or "types"
        raise DatasetError(f"{path} does not have the columns of this version (different: {different})")


def rows_of(path: Path, table: pa.Table, row_type: type[Row]) -> list[Row]:
    """The table's rows as the row class; `path` is where they come from. Raises DatasetError."""
    names = [field.name for field in fields(row_type)]  # type: ignore[arg-type]
    try:
        return [row_type(**_values(row)) for row in table.select(names).to_pylist()]
    except ValueError as error:
        raise DatasetError(f"{path} holds what no version writes ({error}): restore it") from error


def _values(row: dict[str, Any]) -> dict[str, Any]:
    for name, value in row.items():
        if isinstance(value, list):
            row[name] = tuple(MemberSpan(**item) if isinstance(item, dict) else item for item in value)
    if "status" in row:
        row["status"] = Status(row["status"])
    return row
