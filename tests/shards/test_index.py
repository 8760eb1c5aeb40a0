"""index.parquet: every committed sample once, in the order of keys, the same bytes each time it is built."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shards import tables
from shards.index import build_index
from shards.sample_index import read_index
from shards.schema import ClipRow, Status
from shards.tables import read_rows
from shards.writer import parquet_path, tar_path
from tests.factories.dataset import MadeClip, make_dataset


def index_rows(dataset: Path) -> list[ClipRow]:
    build_index(dataset)
    return read_rows(dataset / "index.parquet", ClipRow)


@settings(max_examples=10, deadline=None)
@given(
    numbers=st.lists(st.integers(0, 60), unique=True, max_size=9),
    clips_per_shard=st.integers(1, 5),
    failed=st.sets(st.integers(0, 60)),
)
def test_the_index_is_every_ok_clip_by_key(
    numbers: list[int], clips_per_shard: int, failed: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    dataset = tmp_path_factory.mktemp("dataset") / "made"
    random.Random(1).shuffle(numbers)
    clips = [
        MadeClip(3 * number, frames=1, status=Status.FAILED if number in failed else Status.OK)
        for number in numbers
    ]
    rows = make_dataset(dataset, clips, clips_per_shard)
    wanted = sorted((row for row in rows if row.status is Status.OK), key=lambda row: row.key)
    assert index_rows(dataset) == wanted
    index = read_index(dataset / "index.parquet")
    assert [index.row(number) for number in range(len(index))] == wanted


def test_rebuilding_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shards.index.ROWS_PER_GROUP", 3)
    make_dataset(tmp_path / "made", [MadeClip(number, frames=1) for number in range(8)])
    before = (tmp_path / "made" / "index.parquet").read_bytes()
    (tmp_path / "made" / "index.parquet").unlink()
    build_index(tmp_path / "made")
    assert (tmp_path / "made" / "index.parquet").read_bytes() == before
    with tables.open_parquet(tmp_path / "made" / "index.parquet", ClipRow) as file:
        assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [3, 3, 2]


def test_shards_that_are_not_committed_are_left_out(tmp_path: Path) -> None:
    dataset = tmp_path / "made"
    make_dataset(dataset, [MadeClip(3 * number) for number in range(4)], clips_per_shard=1)
    parquet_path(dataset, 0).unlink()
    tar_path(dataset, 1).write_bytes(b"")
    parquet_path(dataset, 2).write_bytes(b"damaged")
    assert [row.shard for row in index_rows(dataset)] == [3]


def test_a_dataset_without_samples_has_an_empty_index(tmp_path: Path) -> None:
    make_dataset(tmp_path / "made", [])
    assert index_rows(tmp_path / "made") == []
    assert len(read_index(tmp_path / "made" / "index.parquet")) == 0
