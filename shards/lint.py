"""Checks every byte of a dataset against what its Parquet files say, one sample in memory at a time."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from shards.check_sample import check_sample
from shards.index import FILE as INDEX_FILE
from shards.index import shard_numbers
from shards.schema import SCHEMA_VERSION, ClipRow, Member, PlanRow, SampleError, Status, VideoRow
from shards.tables import DatasetError, open_parquet, read_rows, read_table, rows_of
from shards.writer import parquet_path, read_span, tar_bytes, tar_path, tar_size

_SHARD_FILE = re.compile(r"\d{6,}\.(tar|parquet)")
_REBUILD = "run dancemill extract again, which rebuilds it"


@dataclass(frozen=True)
class Problem:
    """Something wrong: in which file, what, and what to do."""

    where: str
    what: str
    todo: str


@dataclass
class _Seen:
    """What the shards hold, kept small: a digest of every ok row, and every clip's outcome."""

    samples: dict[str, bytes]
    outcomes: dict[str, tuple[int, Status, str]]


def problems(dataset: Path) -> Iterator[Problem]:
    """Everything that is wrong with the dataset. Raises DatasetError where there is none at all."""
    if not (dataset / "shards").is_dir():
        raise DatasetError(f"{dataset} holds no shards: name the folder of a dataset")
    seen = _Seen({}, {})
    yield from _settings(dataset)
    yield from _stray_files(dataset)
    for shard in shard_numbers(dataset):
        yield from _shard(dataset, shard, seen)
    yield from _index(dataset, seen)
    yield from _ledger(dataset, seen)


def _settings(dataset: Path) -> Iterator[Problem]:
    try:
        settings = json.loads((dataset / "dataset.json").read_bytes())
        if settings["schema_version"] != SCHEMA_VERSION:
            version = settings["schema_version"]
            yield Problem(
                "dataset.json", f"schema version {version}, not {SCHEMA_VERSION}", "use its own version"
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield Problem(
            "dataset.json", f"cannot be read: {error!r}", "restore it, or run dancemill extract again"
        )


def _stray_files(dataset: Path) -> Iterator[Problem]:
    for path in sorted(dataset.glob("*.tmp")):
        yield Problem(path.name, "was left by a killed run", "remove it")
    for path in sorted((dataset / "shards").iterdir()):
        where = f"shards/{path.name}"
        if path.suffix == ".tmp":
            yield Problem(where, "was left by a killed run", "remove it")
        elif not _SHARD_FILE.fullmatch(path.name):
            yield Problem(where, "does not belong here", "move it elsewhere")
        elif path.suffix == ".tar" and not path.with_suffix(".parquet").exists():
            yield Problem(where, "is not committed: it has no Parquet", "run dancemill extract again")


def _shard(dataset: Path, shard: int, seen: _Seen) -> Iterator[Problem]:
    path = parquet_path(dataset, shard)
    where = f"shards/{path.name}"
    redo = f"remove {where} and run dancemill extract again"
    try:
        table = read_table(path, ClipRow)
        rows = rows_of(path, table, ClipRow)
        wanted = tar_bytes(path, table.schema)
    except DatasetError as error:
        yield Problem(where, str(error), redo)
        return
    for row in rows:
        if row.key in seen.outcomes:
            yield Problem(where, f"clip {row.key} is also in shard {seen.outcomes[row.key][0]:06d}", redo)
        if row.shard != shard:
            yield Problem(where, f"clip {row.key} says that it is in shard {row.shard:06d}", redo)
        if row.status is Status.PENDING or (row.status is Status.OK) == bool(row.reason):
            yield Problem(where, f"clip {row.key} is {row.status} with reason {row.reason!r}", redo)
        seen.outcomes[row.key] = (shard, row.status, row.reason)
        if row.status is Status.OK:
            seen.samples[row.key] = _digest(row)
    there = tar_size(dataset, shard)
    if there != wanted:
        yield Problem(f"shards/{shard:06d}.tar", f"has {there} bytes, {wanted} were committed", redo)
    elif wanted:
        yield from _tar(tar_path(dataset, shard), rows, redo)


def _digest(row: ClipRow) -> bytes:
    return hashlib.sha256(repr(astuple(row)).encode()).digest()[:16]


def _tar(path: Path, rows: list[ClipRow], redo: str) -> Iterator[Problem]:
    """The tar's own headers, then every sample's bytes, against the rows."""
    where = f"shards/{path.name}"
    spans = [(row.key, span) for row in rows for span in row.members]
    committed = [(f"{key}.{span.name}", span.offset, span.size) for key, span in spans]
    try:
        with tarfile.open(path, "r:") as tar:
            plain = [entry.isreg() for entry in tar]
            found = [(entry.name, entry.offset_data, entry.size) for entry in tar.getmembers()]
    except tarfile.TarError as error:
        yield Problem(where, f"is no whole tar: {error}", redo)
        return
    if found != committed or not all(plain):
        differs = next(
            (pair for pair in zip(found, committed, strict=False) if pair[0] != pair[1]),
            (f"{len(found)} members", f"{len(committed)}"),
        )
        yield Problem(where, f"holds {differs[0]}, where its Parquet says {differs[1]}", redo)
    with path.open("rb") as file:
        for row in rows:
            try:
                members = [Member(span.name, read_span(file, span)) for span in row.members]
                if row.status is Status.OK:
                    check_sample(row, members)
            except SampleError as error:
                yield Problem(where, f"sample {row.key}: {error}", redo)


def _index(dataset: Path, seen: _Seen) -> Iterator[Problem]:
    """The index against the rows of the shards, which it uses up."""
    missing = seen.samples
    last = ""
    try:
        with open_parquet(dataset / INDEX_FILE, ClipRow) as file:
            for batch in range(file.num_row_groups):
                for row in rows_of(dataset / INDEX_FILE, file.read_row_group(batch), ClipRow):
                    committed = missing.pop(row.key, None)
                    if committed is None:
                        yield Problem(
                            INDEX_FILE, f"names {row.key}, which is in no shard or twice here", _REBUILD
                        )
                    elif committed != _digest(row):
                        yield Problem(INDEX_FILE, f"{row.key} is not as its shard has it", _REBUILD)
                    if row.key <= last:
                        yield Problem(INDEX_FILE, f"{row.key} comes after {last}", _REBUILD)
                    last = row.key
    except DatasetError as error:
        yield Problem(INDEX_FILE, str(error), _REBUILD)
        return
    if missing:
        yield Problem(INDEX_FILE, f"lacks {len(missing)} samples, as {min(missing)}", _REBUILD)


def _ledger(dataset: Path, seen: _Seen) -> Iterator[Problem]:
    """The plan against the shards, and the videos against the plan."""
    again = "run dancemill extract again"
    try:
        columns = ["key", "video_id", "shard", "status", "reason"]
        clips = read_table(dataset / "clips.parquet", PlanRow, columns).to_pylist()
        videos = read_rows(dataset / "videos.parquet", VideoRow)
    except DatasetError as error:
        yield Problem("the ledger", str(error), "restore the file")
        return
    counts: dict[str, Counter[str]] = {}
    for clip in clips:
        counts.setdefault(clip["video_id"], Counter())[clip["status"]] += 1
        committed = seen.outcomes.pop(clip["key"], None)
        planned = (clip["shard"], clip["status"], clip["reason"])
        in_no_shard = clip["shard"] < 0 or clip["status"] == Status.PENDING
        if committed != (None if in_no_shard else planned):
            yield Problem("clips.parquet", f"{clip['key']}: {planned} here, {committed} in the shards", again)
    for key, (shard, *_) in sorted(seen.outcomes.items()):
        yield Problem("clips.parquet", f"lacks {key}, which is in shard {shard:06d}", again)
    for video, what in _videos(videos, counts):
        yield Problem("videos.parquet", f"{video}: {what}", again)


def _videos(videos: list[VideoRow], counts: dict[str, Counter[str]]) -> Iterator[tuple[str, str]]:
    """Videos whose status has no reason, or whose clips do not add up."""
    for (path, video_id), times in Counter((video.path, video.video_id) for video in videos).items():
        if times > 1:
            yield path, f"video {video_id} is there {times} times"
    for video in videos:
        if (video.status in (Status.FILTERED, Status.FAILED)) != bool(video.reason):
            yield video.path, f"is {video.status} with reason {video.reason!r}"
        if video.clips:
            count = counts.pop(video.video_id, Counter())
            stated = (video.clips, video.clips_ok, video.clips_filtered, video.clips_failed)
            planned = (
                count.total(),
                *(count[status] for status in (Status.OK, Status.FILTERED, Status.FAILED)),
            )
            if stated != planned:
                yield (
                    video.path,
                    f"clips (all, ok, filtered, failed) are {stated} here, {planned} in clips.parquet",
                )
    for video_id in sorted(counts):
        yield video_id, "has clips, but is not in the ledger"
