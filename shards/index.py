"""The index: one row for every committed sample, in the order of their keys, rebuilt from the shards at
any time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from shards.schema import ClipRow, Status, arrow_schema
from shards.tables import ROWS_PER_GROUP, write_tables
from shards.writer import committed_table

FILE = "index.parquet"

_SORT_MEMORY = "1GB"
"""What sorting takes before it goes on in temporary files: room for the rows of some 300,000 clips."""


def shard_numbers(dataset: Path) -> list[int]:
    """Numbers of the shards that have a Parquet, in order."""
    return sorted(
        int(path.stem) for path in (dataset / "shards").glob("[0-9]*.parquet") if path.stem.isdigit()
    )


def build_index(dataset: Path) -> None:
    """Write index.parquet from the committed shards. Raises OSError."""
    schema = arrow_schema(ClipRow)
    samples = pa.RecordBatchReader.from_batches(schema, _samples(dataset))
    with TemporaryDirectory(prefix="dancemill-index-") as scratch, duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        connection.execute("SET memory_limit = $1", [_SORT_MEMORY])
        connection.execute("SET temp_directory = $1", [scratch])
        connection.register("samples", samples)
        in_order = connection.sql("FROM samples ORDER BY key, shard").to_arrow_reader(ROWS_PER_GROUP)
        write_tables(dataset / FILE, ClipRow, _in_groups(in_order))


def _samples(dataset: Path) -> Iterator[pa.RecordBatch]:
    for shard in shard_numbers(dataset):
        table = committed_table(dataset, shard)
        if table is not None:
            yield from table.filter(pc.equal(table["status"], Status.OK.value)).to_batches()


def _in_groups(batches: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """The rows in tables of ROWS_PER_GROUP, however they come, so that the same rows give the same bytes."""
    waiting = batches.schema.empty_table()
    for batch in batches:
        waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch])])
        while len(waiting) >= ROWS_PER_GROUP:
            yield waiting.slice(0, ROWS_PER_GROUP)
            waiting = waiting.slice(ROWS_PER_GROUP)
    if len(waiting):
        yield waiting
