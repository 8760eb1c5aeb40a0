"""Contract 2: a shard is committed by its Parquet, whole or not at all, and its bytes are a function of
its samples.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from shards.coding import CONDITION_SUFFIX, encode_lossless
from shards.schema import ClipRow, Member, SampleError, Status, condition_name, frame_name
from shards.writer import (
    clean_temporaries,
    committed_rows,
    parquet_path,
    read_sample_members,
    stage_clip,
    staged_row,
    tar_path,
    write_shard,
)
from tests.factories.dataset import MadeClip, made_members, made_row, stage_clips
from tests.factories.runs import DYING, ROOT

CLIPS = (
    MadeClip(0),
    MadeClip(1, status=Status.FILTERED),
    MadeClip(3, frames=3, conditions=("hands", "smpl_cs")),
)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    path = tmp_path / "dataset"
    stage_clips(path / "staging", CLIPS)
    return path


def write(dataset: Path) -> list[ClipRow]:
    return write_shard(dataset, 0, dataset / "staging", [clip.key for clip in CLIPS])


def files_of(dataset: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (dataset / "shards").iterdir()}


def test_a_staged_clip_has_its_row_without_members(tmp_path: Path) -> None:
    row = made_row(CLIPS[0])
    stage_clip(tmp_path, row, made_members(CLIPS[0]))
    assert staged_row(tmp_path, row.key) == row
    assert staged_row(tmp_path, "not-there") is None


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6])
def test_a_truncated_staged_clip_is_none(tmp_path: Path, share: float) -> None:
    row = made_row(CLIPS[0])
    stage_clip(tmp_path, row, made_members(CLIPS[0]))
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    assert staged_row(tmp_path, row.key) is None


@pytest.mark.parametrize("key", ["../evil", "a.b", "", "a" * 81, "a/b"])
def test_a_key_that_could_be_a_path_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(SampleError, match="cannot be a key"):
        stage_clip(tmp_path, replace(made_row(CLIPS[0]), key=key), [])


def test_committed_rows_say_where_each_members_bytes_lie(dataset: Path) -> None:
    rows = write(dataset)
    assert committed_rows(dataset, 0) == rows
    assert [row.key for row in rows] == [clip.key for clip in CLIPS]
    data = tar_path(dataset, 0).read_bytes()
    for clip, row in zip(CLIPS, rows, strict=True):
        wanted = {m.name: m.data for m in made_members(clip)} if clip.status is Status.OK else {}
        assert {span.name: data[span.offset : span.offset + span.size] for span in row.members} == wanted
        members = read_sample_members(dataset, row)
        assert {member.name: member.data for member in members} == wanted


def test_a_tar_says_nothing_of_when_and_by_whom_it_was_written(dataset: Path) -> None:
    write(dataset)
    with tarfile.open(tar_path(dataset, 0)) as tar:
        entries = tar.getmembers()
    assert {
        (entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname, entry.mode) for entry in entries
    } == {(0, 0, 0, "", "", 0o644)}


def test_bytes_are_a_function_of_the_samples(dataset: Path, tmp_path: Path) -> None:
    write(dataset)
    other = tmp_path / "other"
    stage_clips(other / "staging", [MadeClip(9)])
    for clip in reversed(CLIPS):
        members = made_members(clip) if clip.status is Status.OK else []
        stage_clip(other / "staging", made_row(clip), members[::-1])
    write(other)
    write(other)
    assert files_of(other) == files_of(dataset)


def test_a_shard_written_from_its_own_members_is_the_same(dataset: Path) -> None:
    rows = write(dataset)
    before = files_of(dataset)
    for row in rows:
        stage_clip(dataset / "staging", row, read_sample_members(dataset, row))
    write(dataset)
    assert files_of(dataset) == before


def test_a_shard_without_an_ok_clip_has_no_tar(dataset: Path) -> None:
    rows = write_shard(dataset, 0, dataset / "staging", [CLIPS[1].key])
    assert files_of(dataset).keys() == {"000000.parquet"}
    assert committed_rows(dataset, 0) == rows


def members_with(change: Callable[[list[Member]], list[Member]]) -> list[Member]:
    return change(made_members(CLIPS[0]))


def replaced(members: list[Member], name: str, data: bytes) -> list[Member]:
    return [Member(name, data) if member.name == name else member for member in members]


LARGER = made_members(MadeClip(0, size=(64, 64)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda members: [m for m in members if m.name != frame_name(2)], "rgb.002.jpg"),
        (lambda members: [m for m in members if m.name != "poses.npz"], "poses.npz"),
        (lambda members: [*members, Member(frame_name(5), b"")], "rgb.005.jpg"),
        (lambda members: [*members, Member("hands.000.png", b"")], "hands.001.png"),
        (lambda members: [*members, Member("../../evil.sh", b"")], "evil"),
        (lambda members: [*members, members[-1]], "twice"),
        (lambda members: replaced(members, frame_name(1), LARGER[3].data), "64x64, not 48x64"),
        (lambda members: replaced(members, frame_name(1), b"text"), "no JPEG"),
        (lambda members: replaced(members, "meta.json", b"text"), "no JSON"),
        (lambda members: replaced(members, "meta.json", b'{"key": "other"}'), "other"),
        (lambda members: replaced(members, "poses.npz", b"text"), "poses.npz"),
        (
            lambda members: replaced(members, "poses.npz", made_members(MadeClip(0, frames=4))[0].data),
            "expected int64",
        ),
        (
            lambda members: replaced(members, "poses.npz", made_members(MadeClip(3))[0].data),
            "begins at frame 30",
        ),
    ],
)
def test_a_sample_that_is_not_aligned_is_never_committed(
    dataset: Path, change: Callable[[list[Member]], list[Member]], message: str
) -> None:
    stage_clip(dataset / "staging", made_row(CLIPS[0]), members_with(change))
    with pytest.raises(SampleError, match=message):
        write(dataset)
    assert committed_rows(dataset, 0) is None
    assert files_of(dataset) == {}


GREY = cv2.imencode(CONDITION_SUFFIX, np.zeros((64, 48), np.uint8))[1].tobytes()
SMALL = encode_lossless(np.zeros((64, 46, 3), np.uint8))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (GREY, "not RGB of 8 bits"),
        (SMALL, "46x64, not 48x64"),
        (encode_lossless(np.zeros((64, 48, 3), np.uint8))[:-9], "cut short"),
    ],
)
def test_a_condition_that_is_no_whole_rgb_image_of_the_stored_size_is_never_committed(
    dataset: Path, data: bytes, message: str
) -> None:
    members = replaced(made_members(CLIPS[2]), condition_name("hands", 1), data)
    stage_clip(dataset / "staging", made_row(CLIPS[2]), members)
    with pytest.raises(SampleError, match=rf"hands\.001.*{message}"):
        write(dataset)


def test_a_clip_that_is_not_staged_is_named(dataset: Path) -> None:
    with pytest.raises(SampleError, match="missing-clip is not staged"):
        write_shard(dataset, 0, dataset / "staging", ["missing-clip"])


def test_a_shard_is_not_committed_without_its_whole_tar(dataset: Path) -> None:
    write(dataset)
    tar = tar_path(dataset, 0)
    data = tar.read_bytes()
    tar.write_bytes(data[:-1])
    assert committed_rows(dataset, 0) is None
    tar.unlink()
    assert committed_rows(dataset, 0) is None
    tar.write_bytes(data)
    assert committed_rows(dataset, 0) is not None
    parquet_path(dataset, 0).unlink()
    assert committed_rows(dataset, 0) is None


def test_damaged_members_are_not_taken_from_an_old_shard(dataset: Path) -> None:
    row = write(dataset)[0]
    data = bytearray(tar_path(dataset, 0).read_bytes())
    data[row.members[2].offset + 20] ^= 1
    tar_path(dataset, 0).write_bytes(data)
    with pytest.raises(SampleError, match=f"{row.members[2].name} is damaged"):
        read_sample_members(dataset, row)


KILLED_WRITE = f"""{DYING}
from pathlib import Path
from shards.writer import write_shard

die_at("os.rename", "os.remove", "open")
write_shard(Path(folder), 0, Path(folder) / "staging", sys.argv[3:])
"""


def write_and_die(dataset: Path, step: int) -> bool:
    """Write the shard in a process that dies before that step: a file opened, synced, moved or removed."""
    keys = [clip.key for clip in CLIPS]
    command = [sys.executable, "-c", KILLED_WRITE, str(step), str(dataset), *keys]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert finished.returncode in (0, 9), finished.stderr
    return finished.returncode == 9


@pytest.mark.parametrize("redone", [False, True], ids=["new", "redone"])
def test_killed_at_any_step_the_rerun_ends_with_the_same_bytes(tmp_path: Path, redone: bool) -> None:
    whole, base = tmp_path / "whole", tmp_path / "base"
    stage_clips(whole / "staging", CLIPS)
    new_rows = write(whole)
    old_rows = None
    if redone:
        failed = [replace(CLIPS[0], status=Status.FAILED), *CLIPS[1:]]
        stage_clips(base / "staging", failed)
        old_rows = write(base)
    stage_clips(base / "staging", CLIPS)

    deaths = 0
    while True:
        dataset = tmp_path / f"killed{deaths}"
        shutil.copytree(base, dataset)
        if not write_and_die(dataset, deaths + 1):
            break
        deaths += 1
        rows = committed_rows(dataset, 0)
        assert rows in (None, old_rows, new_rows)
        for row in rows or ():
            read_sample_members(dataset, row)
        clean_temporaries(dataset)
        assert not list(dataset.rglob("*.tmp"))
        write(dataset)
        assert files_of(dataset) == files_of(whole)
    assert deaths >= 10
    assert files_of(dataset) == files_of(whole)
