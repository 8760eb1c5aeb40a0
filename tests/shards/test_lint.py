"""lint: silent on a whole dataset, and finds each kind of damage where it is."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shards.lint import problems
from shards.schema import ClipRow, MemberSpan, PlanRow, Status, VideoRow
from shards.tables import DatasetError, read_rows, write_rows
from shards.writer import TAR_BYTES, parquet_path, stage_clip, tar_path, tar_size, write_shard
from tests.factories.dataset import DEFAULT_CLIPS, MadeClip, made_members, made_row, make_dataset

Row = TypeVar("Row")
FIRST = DEFAULT_CLIPS[0]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    make_dataset(tmp_path / "made")
    return tmp_path / "made"


def lint(dataset: Path) -> list[str]:
    return [f"{problem.where}: {problem.what}; {problem.todo}" for problem in problems(dataset)]


def change_first(
    path: Path, row_type: type[Row], metadata: dict[str, str] | None = None, **changes: object
) -> None:
    rows = read_rows(path, row_type)
    write_rows(path, row_type, [replace(rows[0], **changes), *rows[1:]], metadata)  # type: ignore[type-var]


def change_shard(dataset: Path, **changes: object) -> None:
    change_first(parquet_path(dataset, 0), ClipRow, {TAR_BYTES: str(tar_size(dataset, 0))}, **changes)


def first_spans(dataset: Path) -> tuple[MemberSpan, ...]:
    return read_rows(parquet_path(dataset, 0), ClipRow)[0].members


def test_a_whole_dataset_has_no_problems(dataset: Path) -> None:
    assert lint(dataset) == []


def test_an_empty_dataset_has_no_problems(tmp_path: Path) -> None:
    make_dataset(tmp_path / "made", [])
    assert lint(tmp_path / "made") == []


def test_a_folder_that_is_no_dataset_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no shards"):
        lint(tmp_path)


def truncate_tar(dataset: Path) -> None:
    tar_path(dataset, 0).write_bytes(tar_path(dataset, 0).read_bytes()[:-1000])


def flip_a_byte(dataset: Path) -> None:
    data = bytearray(tar_path(dataset, 0).read_bytes())
    data[first_spans(dataset)[3].offset + 100] ^= 1
    tar_path(dataset, 0).write_bytes(data)


def rename_a_member(dataset: Path) -> None:
    data = tar_path(dataset, 0).read_bytes()
    with tarfile.open(tar_path(dataset, 0)) as tar:
        entry = tar.getmembers()[2]
    header = data[entry.offset : entry.offset + 512]
    entry.name = entry.name.replace("rgb.000", "rgb.009")
    tar_path(dataset, 0).write_bytes(data.replace(header, entry.tobuf(tarfile.USTAR_FORMAT)))


def make_a_link(dataset: Path) -> None:
    data = tar_path(dataset, 0).read_bytes()
    with tarfile.open(tar_path(dataset, 0)) as tar:
        entry = tar.getmembers()[2]
    header = data[entry.offset : entry.offset + 512]
    entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
    tar_path(dataset, 0).write_bytes(data.replace(header, entry.tobuf(tarfile.USTAR_FORMAT)))


def shift_offsets(dataset: Path) -> None:
    spans = tuple(replace(span, offset=span.offset + 512) for span in first_spans(dataset))
    change_shard(dataset, members=spans)


def swap_frames(dataset: Path) -> None:
    spans = first_spans(dataset)
    names = [span.name for span in spans]
    names[2], names[3] = names[3], names[2]
    swapped = tuple(replace(span, name=name) for span, name in zip(spans, names, strict=True))
    change_shard(dataset, members=swapped)


def forget_a_frame(dataset: Path) -> None:
    change_shard(dataset, members=first_spans(dataset)[:-1])


def name_a_path(dataset: Path) -> None:
    first, *others = first_spans(dataset)
    change_shard(dataset, members=(replace(first, name="../../evil.sh"), *others))


def commit_unchecked(dataset: Path, monkeypatch: pytest.MonkeyPatch, clip: MadeClip, wrong: MadeClip) -> None:
    """A shard whose first sample has another's poses, as a writer without checks would leave it."""
    staging = dataset / ".work" / "staging"
    members = [m for m in made_members(clip) if m.name != "poses.npz"]
    members += [m for m in made_members(wrong) if m.name == "poses.npz"]
    stage_clip(staging, made_row(clip), members)
    stage_clip(staging, made_row(DEFAULT_CLIPS[1]), made_members(DEFAULT_CLIPS[1]))
    monkeypatch.setattr("shards.writer.check_sample", lambda row, members: None)
    write_shard(dataset, 0, staging, [clip.key, DEFAULT_CLIPS[1].key])


def test_poses_of_another_length_are_found(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit_unchecked(dataset, monkeypatch, FIRST, replace(FIRST, frames=FIRST.frames + 1))
    assert any("frame is int64 6, expected int64 5" in line for line in lint(dataset))


DAMAGES: list[tuple[Callable[[Path], object], str]] = [
    (truncate_tar, "shards/000000.tar: has "),
    (flip_a_byte, f"{FIRST.key}: rgb.001.jpg is damaged"),
    (rename_a_member, "rgb.009.jpg"),
    (make_a_link, "shards/000000.tar: holds"),
    (shift_offsets, "where its Parquet says"),
    (swap_frames, "where its Parquet says"),
    (forget_a_frame, "1 are missing ['rgb.004.jpg']"),
    (name_a_path, "evil.sh"),
    (lambda dataset: tar_path(dataset, 0).unlink(), "has 0 bytes"),
    (lambda dataset: parquet_path(dataset, 0).unlink(), "000000.tar: is not committed"),
    (lambda dataset: parquet_path(dataset, 0).unlink(), "which is in no shard"),
    (lambda dataset: parquet_path(dataset, 0).write_bytes(b"x"), "000000.parquet cannot be read"),
    (lambda dataset: (dataset / "index.parquet").unlink(), "index.parquet: "),
    (lambda dataset: (dataset / "dataset.json").unlink(), "dataset.json: cannot be read"),
    (lambda dataset: (dataset / "dataset.json").write_text('{"schema_version": 7}'), "schema version 7"),
    (lambda dataset: (dataset / "shards" / "000000.tar.tmp").touch(), "left by a killed run; remove it"),
    (lambda dataset: (dataset / "index.parquet.tmp").touch(), "left by a killed run; remove it"),
    (lambda dataset: (dataset / "shards" / "notes.txt").touch(), "notes.txt: does not belong here"),
    (lambda dataset: change_shard(dataset, shard=5), "says that it is in shard 000005"),
    (lambda dataset: change_shard(dataset, key=DEFAULT_CLIPS[3].key), "is also in shard 000000"),
    (lambda dataset: change_shard(dataset, reason="timeout"), "is ok with reason 'timeout'"),
    (lambda dataset: change_shard(dataset, fps=7.0), "is not as its shard has it"),
    (
        lambda dataset: change_first(dataset / "index.parquet", ClipRow, key="zz"),
        "index.parquet: lacks 1 samples",
    ),
    (lambda dataset: change_first(dataset / "index.parquet", ClipRow, key="zz"), "comes after zz"),
    (
        lambda dataset: change_first(
            dataset / "clips.parquet", PlanRow, status=Status.FAILED, reason="timeout"
        ),
        "clips.parquet: ",
    ),
    (lambda dataset: change_first(dataset / "clips.parquet", PlanRow, key="zz"), "clips.parquet: lacks"),
    (lambda dataset: change_first(dataset / "videos.parquet", VideoRow, clips_ok=5), "(1, 5, 0, 0) here"),
    (
        lambda dataset: change_first(dataset / "videos.parquet", VideoRow, reason="scan"),
        "is ok with reason 'scan'",
    ),
    (
        lambda dataset: change_first(dataset / "videos.parquet", VideoRow, video_id="zz"),
        "is not in the ledger",
    ),
    (lambda dataset: (dataset / "videos.parquet").unlink(), "videos.parquet is not there"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGES, ids=[message for _, message in DAMAGES])
def test_each_kind_of_damage_is_found(dataset: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(dataset)
    assert any(message in line for line in lint(dataset)), "\n".join(lint(dataset))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(member=st.integers(0, 6), share=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_any_flipped_byte_of_a_member_is_found(dataset: Path, member: int, share: float, flip: int) -> None:
    path = tar_path(dataset, 0)
    whole = path.read_bytes()
    span = first_spans(dataset)[member]
    data = bytearray(whole)
    data[span.offset + int(share * span.size)] ^= flip
    path.write_bytes(data)
    try:
        assert any(FIRST.key in line and span.name in line for line in lint(dataset))
    finally:
        path.write_bytes(whole)


def test_clips_that_are_pending_are_no_damage(dataset: Path) -> None:
    """A dataset that is being made: some of its plan is not in a shard yet."""
    planned = replace(read_rows(dataset / "clips.parquet", PlanRow)[0], key="new", video_id="new", shard=9)
    planned = replace(planned, status=Status.PENDING, reason="", error="")
    clips = [*read_rows(dataset / "clips.parquet", PlanRow), planned]
    video = VideoRow("/videos/new.mp4", "new", Status.PENDING, clips=1)
    write_rows(dataset / "clips.parquet", PlanRow, clips)
    write_rows(
        dataset / "videos.parquet", VideoRow, [*read_rows(dataset / "videos.parquet", VideoRow), video]
    )
    assert lint(dataset) == []


def test_problems_as_json(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from shards.commands.lint import lint as command

    assert command(dataset, json=True) == 0
    assert json.loads(capsys.readouterr().out) == []
    truncate_tar(dataset)
    assert command(dataset, json=True) == 1
    (problem,) = json.loads(capsys.readouterr().out)
    assert problem.keys() == {"where", "what", "todo"}
