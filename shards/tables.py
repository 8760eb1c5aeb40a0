"""Rows of frozen dataclasses as Parquet files: written whole or not at all, the same bytes for the same rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from shards.errors import UserError
from shards.schema import SCHEMA_VERSION, MemberSpan, Status, arrow_schema

Row = TypeVar("Row")

ROWS_PER_GROUP = 4096


class DatasetError(UserError):
    """A dataset, or a file of it, is missing, damaged or of another version; the message names it and what to do."""


def write_durably(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Give `path` the content that `write` writes, under a temporary name until it is all on the disk.

    Whenever the process is killed, the file is as it was or as it is to be.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
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
    schema = schema.with_metadata({**(schema.metadata or {}), **(metadata or {})})

    def write(file: BinaryIO) -> None:
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            group: list[dict[str, Any]] = []
            for row in rows:
                group.append(asdict(row))  # type: ignore[call-overload]
                if len(group) == ROWS_PER_GROUP:
                    writer.write_table(pa.Table.from_pylist(group, schema))
                    group = []
            if group:
                writer.write_table(pa.Table.from_pylist(group, schema))

    write_durably(path, write)


def read_rows(path: Path, row_type: type[Row]) -> list[Row]:
    """The rows of the file, in their order. Raises DatasetError."""
    return rows_of(read_table(path, row_type), row_type)


def read_table(path: Path, row_type: type, columns: list[str] | None = None) -> pa.Table:
    """The file's table, or some of its columns, when it has the row class's schema. Raises DatasetError."""
    try:
        file = pq.ParquetFile(path)
        check_schema(path, file.schema_arrow, row_type)
        return file.read(columns=columns)
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is not there: is this the folder of a dataset?") from error
    except (pa.ArrowException, OSError) as error:
        first = str(error).splitlines()[0]
        raise DatasetError(f"{path} cannot be read ({first}): run dancemill extract again, or restore it") from error


def check_schema(path: Path, schema: pa.Schema, row_type: type) -> None:
    """Raise DatasetError unless the file was written for this row class at this schema version."""
    version = (schema.metadata or {}).get(b"dancemill_schema", b"none").decode(errors="replace")
    if version != str(SCHEMA_VERSION):
        raise DatasetError(f"{path} has schema version {version}, this program reads {SCHEMA_VERSION}")
    wanted = arrow_schema(row_type)
    if not schema.equals(wanted):
        different = sorted({*schema.names} ^ {*wanted.names}) or "types"
        raise DatasetError(f"{path} does not have the columns of this version (different: {different})")


def rows_of(table: pa.Table, row_type: type[Row]) -> list[Row]:
    """The table's rows as the row class."""
    names = {field.name for field in fields(row_type)}  # type: ignore[arg-type]
    return [row_type(**_values(row)) for row in table.select(sorted(names)).to_pylist()]


def _values(row: dict[str, Any]) -> dict[str, Any]:
    for name, value in row.items():
        if isinstance(value, list):
            row[name] = tuple(MemberSpan(**item) if isinstance(item, dict) else item for item in value)
    if "status" in row:
        row["status"] = Status(row["status"])
    return row
