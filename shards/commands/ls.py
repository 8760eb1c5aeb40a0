"""`dancemill shards ls`: a dataset's samples, filtered and sorted by their columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from cyclopts import Parameter

from shards.commands.output import print_json, print_line, print_table
from shards.errors import UserError
from shards.index import FILE
from shards.schema import ClipRow, PlanRow, arrow_schema
from shards.tables import read_table

_SHOWN = ("key", "num_frames", "fps", "width", "height", "confidence", "hand_sharpness", "hand_movement")
_SHOWN_OF_ALL = ("key", "shard", "status", "reason", "body_found", "confidence", "hand_sharpness", "error")
_TABLE_LIMIT = 50


class QueryError(UserError):
    """--where, --sort or --columns cannot be understood; the message says what is wrong."""


def ls(
    dataset: Path,
    *,
    where: str | None = None,
    sort: str = "key",
    columns: str | None = None,
    limit: int | None = None,
    all_clips: Annotated[bool, Parameter(name="--all", negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """List samples, filtered and sorted by any column of the index. Exit code 1 where none matches.

    Parameters
    ----------
    dataset
        The dataset's folder.
    where
        A condition in SQL, as "hand_sharpness > 50 and num_frames >= 60".
    sort
        Columns, first the most important, as "-hand_movement,key"; with - the largest come first. A value
        that begins with - is given as --sort=-hand_movement.
    columns
        Columns to show, as "key,fps"; * shows all.
    limit
        At most so many; 0 is no limit. A table shows 50 by default, JSON all.
    all_clips
        List every clip of the plan (clips.parquet), filtered, failed and pending ones included.
    json
        Print JSON.
    """
    table = _clips(dataset) if all_clips else _samples(dataset)
    shown = _columns(columns, table.column_names, _SHOWN_OF_ALL if all_clips else _SHOWN)
    limit = limit if limit is not None else 0 if json else _TABLE_LIMIT
    if not 0 <= limit < 2**63:
        raise QueryError(f"--limit is {limit}, but must be 0 or more, and below 2**63")
    rows, matching = _query(table, where, _order(sort, table.column_names), shown, limit)
    if json:
        print_json([dict(zip(shown, row, strict=True)) for row in rows])
    else:
        print_table(shown, rows)
        if len(rows) < matching:
            print_line(f"... and {matching - len(rows)} more (--limit 0 shows all)")
    return 0 if matching else 1


def _samples(dataset: Path) -> pa.Table:
    return _read(dataset / FILE, ClipRow, {"members"})


def _clips(dataset: Path) -> pa.Table:
    return _read(dataset / "clips.parquet", PlanRow, {"frames", "times"})


def _read(path: Path, row_type: type, left_out: set[str]) -> pa.Table:
    """The file's columns of single values. NaN becomes NULL, which is not larger than every number."""
    names = [name for name in arrow_schema(row_type).names if name not in left_out]
    table = read_table(path, row_type, names)
    for number, name in enumerate(names):
        if pa.types.is_floating(table[name].type):
            values = table[name]
            known = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
            table = table.set_column(number, name, known)
    return table


def _columns(named: str | None, known: Sequence[str], default: Sequence[str]) -> list[str]:
    if named == "*":
        return list(known)
    names = [name.strip() for name in named.split(",")] if named is not None else list(default)
    for name in names:
        _require_column(name, known)
    return names


def _order(sort: str, known: Sequence[str]) -> str:
    terms = []
    for term in sort.split(","):
        name = term.strip().removeprefix("-")
        _require_column(name, known)
        terms.append(f'"{name}" {"DESC" if term.strip().startswith("-") else "ASC"} NULLS LAST')
    return ", ".join([*terms, '"key"'])


def _require_column(name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise QueryError(f"there is no column {name!r}: the columns are {', '.join(known)}")


def _query(
    table: pa.Table, where: str | None, order: str, columns: Sequence[str], limit: int
) -> tuple[list[tuple[Any, ...]], int]:
    """The first rows that match, and how many match. The condition can read the table, and no file."""
    names = ", ".join(f'"{name}"' for name in columns)
    query = f"SELECT {names}, count(*) OVER () FROM samples WHERE ({where or 'true'}\n) ORDER BY {order}"
    with duckdb.connect(config={"enable_external_access": False, "lock_configuration": True}) as connection:
        connection.register("samples", table)
        try:
            if where:
                connection.table("samples").filter(
                    where
                )  # a condition by itself, before it is put into the query
            if len(connection.extract_statements(query)) != 1:
                raise QueryError(f"--where holds more than one condition: {where}")
            rows = connection.execute(query + (f" LIMIT {limit}" if limit else "")).fetchall()
        except duckdb.Error as error:
            first = str(error).splitlines()[0]
            raise QueryError(f"--where {where!r} is no condition on the columns: {first}") from error
    return [row[:-1] for row in rows], rows[0][-1] if rows else 0
