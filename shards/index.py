"""The index: one row for every committed sample, in the order of their keys, rebuilt from the shards at any time."""

from __future__ import annotations

from pathlib import Path

from shards.schema import ClipRow, Status
from shards.tables import write_rows
from shards.writer import committed_rows

FILE = "index.parquet"


def shard_numbers(dataset: Path) -> list[int]:
    """Numbers of the shards that have a Parquet, in order."""
    return sorted(int(path.stem) for path in (dataset / "shards").glob("[0-9]*.parquet") if path.stem.isdigit())


def build_index(dataset: Path) -> None:
    """Write index.parquet from the committed shards."""
    rows = [row for shard in shard_numbers(dataset) for row in committed_rows(dataset, shard) or ()]
    ok = sorted((row for row in rows if row.status is Status.OK), key=lambda row: row.key)
    write_rows(dataset / FILE, ClipRow, ok)
