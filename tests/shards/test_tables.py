"""Parquet files: written whole or not at all, read only when they are what they should be."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shards.schema import ClipRow, MemberSpan, PlanRow, Status
from shards.tables import DatasetError, read_rows, write_rows
from tests.factories.dataset import MadeClip, made_row

ROW = replace(made_row(MadeClip(1)), members=(MemberSpan("rgb.000.jpg", 512, 10, 2**32 - 1),))

text = st.text(st.characters(codec="utf-8"), max_size=20)
numbers = st.integers(-(2**62), 2**62)
plan_rows = st.builds(
    PlanRow,
    key=text,
    video_id=text,
    shot=numbers,
    track_id=numbers,
    first_frame=numbers,
    frames=st.lists(numbers, max_size=5).map(tuple),
    times=st.lists(st.floats(allow_nan=False), max_size=5).map(tuple),
    shard=numbers,
    status=st.sampled_from(Status),
    reason=text,
    error=text,
    **dict.fromkeys(
        ("body_found", "face_found", "left_hand_found", "right_hand_found", "confidence"),
        st.floats(allow_nan=False),
    ),
    hand_sharpness=st.floats(allow_nan=False),
    hand_movement=st.floats(allow_nan=False),
)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(plan_rows, max_size=6))
def test_rows_come_back_as_they_were(rows: list[PlanRow], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("rows") / "clips.parquet"
    write_rows(path, PlanRow, rows)
    assert read_rows(path, PlanRow) == rows


def test_members_and_numbers_that_are_none_come_back(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.parquet", ClipRow, [replace(ROW, hand_sharpness=math.nan)])
    (row,) = read_rows(tmp_path / "a.parquet", ClipRow)
    assert math.isnan(row.hand_sharpness)
    assert row.members == ROW.members


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    rows = [replace(ROW, key=f"{number}") for number in range(5000)]
    write_rows(tmp_path / "list.parquet", ClipRow, rows, {"a": "b"})
    write_rows(tmp_path / "iterator.parquet", ClipRow, iter(rows), {"a": "b"})
    assert (tmp_path / "list.parquet").read_bytes() == (tmp_path / "iterator.parquet").read_bytes()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_rows(path, ClipRow, [ROW])

    def rows() -> object:
        yield ROW
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_rows(path, ClipRow, rows())  # type: ignore[arg-type]
    assert read_rows(path, ClipRow) == [ROW]
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.parquet is not there: name the folder of a dataset"):
        read_rows(tmp_path / "none.parquet", ClipRow)


def test_another_schema_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_rows(path, ClipRow, [ROW])
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"dancemill_schema": "999"}), path)
    with pytest.raises(DatasetError, match="schema version 999"):
        read_rows(path, ClipRow)


def test_other_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_rows(path, ClipRow, [ROW])
    with pytest.raises(DatasetError, match="frames"):
        read_rows(path, PlanRow)


def test_a_status_that_there_is_not_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_rows(path, ClipRow, [replace(ROW, status="lost")])  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match="lost"):
        read_rows(path, ClipRow)


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("damage") / "a.parquet"
    write_rows(path, ClipRow, [replace(ROW, key=f"{number}") for number in range(50)])
    return path


@settings(max_examples=150, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_flipped_byte_gives_an_error_or_the_same_rows(parquet: Path, place: float, flip: int) -> None:
    """Pages have checksums; in the footer a byte may also mean nothing, as in the name of the writing
    library.
    """
    rows = read_rows(parquet, ClipRow)
    data = bytearray(parquet.read_bytes())
    data[int(place * len(data))] ^= flip
    damaged = parquet.with_name("damaged.parquet")
    damaged.write_bytes(data)
    try:
        assert len(read_rows(damaged, ClipRow)) == len(rows)
    except DatasetError as error:
        assert str(damaged) in str(error)


@settings(max_examples=40, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_an_error(parquet: Path, share: float) -> None:
    data = parquet.read_bytes()
    damaged = parquet.with_name("truncated.parquet")
    damaged.write_bytes(data[: int(share * len(data))])
    with pytest.raises(DatasetError):
        read_rows(damaged, ClipRow)
