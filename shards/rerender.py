"""Draws the stored conditions of samples again, from their body parameters: into a folder at any size, or in
the dataset's own shards.

A shard is rewritten as extraction writes one: its clips are staged, its Parquet removed, the tar written
and committed by a new Parquet. Whenever that is killed, what the shard held is in the old shard or in the
staging folder, and either this or `dancemill extract` finishes it. meta.json then says how the images were
drawn. Content keys stay: they say what extraction made the sample from, so that the next `dancemill extract`
keeps these images, unless its own key differs: then it draws them again, in its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from shards.drawn_with import drawn_anew, drawn_colours, models_as_drawn
from shards.errors import writing
from shards.index import build_index, shard_numbers
from shards.lock import hold_dataset
from shards.meta_file import pack_meta, read_meta
from shards.poses_file import unpack_poses
from shards.reader import Sample
from shards.schema import (
    META_MEMBER,
    POSES_MEMBER,
    ClipRow,
    Member,
    PlanRow,
    SampleError,
    Status,
    check_poses,
    condition_name,
)
from shards.surface_conditions import Models, condition_members, drawable_conditions
from shards.tables import DatasetError, read_table
from shards.writer import (
    KEY,
    clean_temporaries,
    committed_rows,
    discard_staged,
    read_sample_members,
    stage_clip,
    staged_row,
    write_shard,
)


@dataclass(frozen=True)
class Rerender:
    """What is drawn: which of smpl_cs and hands, by which body models, by the name of their colours.

    colours: the name of those that smpl_cs is drawn in; None for those that each sample was drawn in.
    on_frames: is told of every so many frames that are done.
    """

    conditions: tuple[str, ...]
    models: Mapping[str, Models]
    colours: str | None = None
    on_frames: Callable[[int], object] = lambda frames: None

    def models_of(self, key: str, meta: Mapping[str, object], conditions: Collection[str]) -> Models:
        """Those that draw the sample's conditions. Raises ConditionError for want of its colours."""
        if self.colours is not None:
            return self.models[self.colours]
        return models_as_drawn(key, meta, self.models, conditions)


@dataclass(frozen=True)
class Drawn:
    """How many samples were drawn, how many had nothing to be drawn, and how many shards were rewritten."""

    samples: int = 0
    left_out: int = 0
    shards: int = 0

    def __add__(self, other: Drawn) -> Drawn:
        return Drawn(self.samples + other.samples, self.left_out + other.left_out, self.shards + other.shards)


def rerender_to_folder(sample: Sample, out: Path, size: tuple[int, int], how: Rerender) -> Drawn:
    """Write the sample's conditions at `size` (height, width) to files `{out}/{key}/smpl_cs.000.png`.

    Files of the same names are replaced. Raises SampleError, ConditionError, WriteError, and what drawing
    raises.
    """
    if not KEY.fullmatch(sample.key):
        raise SampleError(f"{sample.key!r} is no key that names a folder")
    conditions = [name for name in how.conditions if name in drawable_conditions(sample.poses)]
    if not conditions:
        how.on_frames(sample.num_frames)
        return Drawn(left_out=1)
    models = how.models_of(sample.key, sample.meta, conditions)
    folder = out / sample.key
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    stored_size = (sample.row.height, sample.row.width)
    for member in condition_members(
        sample.poses, conditions, size, stored_size, models, lambda: how.on_frames(1)
    ):
        with writing(folder):
            (folder / member.name).write_bytes(member.data)
    return Drawn(samples=1)


def rerender_in_place(dataset: Path, keys: Collection[str] | None, how: Rerender) -> Drawn:
    """Draw again what the samples of those keys, or all, hold of the conditions; a shard is rewritten where
    an image, or what meta.json says of them, became another. No image is added that a sample did not hold.

    One clip is in memory at a time. Nothing else may read the dataset meanwhile. Raises BusyError,
    SampleError, DatasetError, ConditionError, WriteError, and what drawing raises.
    """
    drawn = Drawn()
    staging = dataset / ".work" / "staging"
    with ExitStack() as held:
        with writing(dataset):
            held.enter_context(hold_dataset(dataset))
            clean_temporaries(dataset)
            staging.mkdir(exist_ok=True)
        try:
            with writing(dataset):
                _finish_killed(dataset, staging)
            # Colours that are missing are found before anything is changed.
            for _, rows in _shards_with(dataset, keys):
                _check_colours(dataset, rows, keys, how)
            for shard, rows in _shards_with(dataset, keys):
                drawn += _rerender_shard(dataset, shard, rows, keys, staging, how)
        finally:
            with writing(dataset):
                build_index(dataset)
    return drawn


def _shards_with(dataset: Path, keys: Collection[str] | None) -> Iterator[tuple[int, list[ClipRow]]]:
    """The committed shards that hold samples of those keys, or all, and their rows. Raises DatasetError."""
    for shard in shard_numbers(dataset):
        rows = committed_rows(dataset, shard)
        if rows is None:
            raise DatasetError(
                f"shard {shard:06d} is damaged: dancemill shards lint {dataset} says what to do"
            )
        if keys is None or any(row.key in keys for row in rows):
            yield shard, rows


def _check_colours(
    dataset: Path, rows: Sequence[ClipRow], keys: Collection[str] | None, how: Rerender
) -> None:
    for row in rows:
        if row.status is Status.OK and (keys is None or row.key in keys):
            spans = tuple(span for span in row.members if span.name == META_MEMBER)
            (member,) = read_sample_members(dataset, replace(row, members=spans))
            how.models_of(row.key, read_meta(member.data), how.conditions)


def _finish_killed(dataset: Path, staging: Path) -> None:
    """Commit the shards that a killed run had staged in full, and whose Parquet it had removed: the plan says
    that all of their clips had come to an end before.
    """
    plan = read_table(dataset / "clips.parquet", PlanRow, ["key", "shard", "status"]).to_pylist()
    committed = set(shard_numbers(dataset))
    waiting: dict[int, list[dict[str, object]]] = {}
    for clip in plan:
        if clip["shard"] >= 0 and clip["shard"] not in committed:
            waiting.setdefault(clip["shard"], []).append(clip)
    for shard, clips in waiting.items():
        keys = [str(clip["key"]) for clip in clips]
        was_done = all(clip["status"] != Status.PENDING for clip in clips)
        if was_done and all(staged_row(staging, key) is not None for key in keys):
            write_shard(dataset, shard, staging, keys)
            discard_staged(staging, keys)


def _rerender_shard(
    dataset: Path,
    shard: int,
    rows: Sequence[ClipRow],
    keys: Collection[str] | None,
    staging: Path,
    how: Rerender,
) -> Drawn:
    drawn, changed = Drawn(), set()
    for row in rows:
        waiting = staged_row(staging, row.key)
        if waiting is not None and waiting.content_key != row.content_key:
            raise DatasetError(
                f"{row.key} was extracted again by a run that was stopped: finish it with dancemill extract"
            )
        if row.status is Status.OK and (keys is None or row.key in keys):
            members = read_sample_members(dataset, row)
            new = _new_members(row, members, how)
            drawn += Drawn(samples=1) if new else Drawn(left_out=1)
            redrawn = [Member(member.name, new.get(member.name, member.data)) for member in members]
            if redrawn != members:
                with writing(staging):
                    stage_clip(staging, row, redrawn)
                changed.add(row.key)
    if not changed:
        return drawn
    order = [row.key for row in rows]
    with writing(dataset):
        for row in rows:
            if row.key not in changed:
                stage_clip(staging, row, read_sample_members(dataset, row))
        write_shard(dataset, shard, staging, order)
        discard_staged(staging, order)
    return drawn + Drawn(shards=1)


def _new_members(row: ClipRow, members: Sequence[Member], how: Rerender) -> dict[str, bytes]:
    """The members that hold the conditions' images, as they are drawn now; only those that there are, and the
    meta.json that says how.
    """
    held = {member.name: member.data for member in members}
    poses = unpack_poses(held[POSES_MEMBER])
    check_poses(poses, row.num_frames)
    conditions = [
        name
        for name in how.conditions
        if condition_name(name, 0) in held and name in drawable_conditions(poses)
    ]
    if not conditions:
        how.on_frames(row.num_frames)
        return {}
    meta = read_meta(held[META_MEMBER])
    models = how.models_of(row.key, meta, conditions)
    size = (row.height, row.width)
    images = condition_members(poses, conditions, size, size, models, lambda: how.on_frames(1))
    new = {member.name: member.data for member in images}
    colours = how.colours if how.colours is not None else drawn_colours(meta)
    return new | {META_MEMBER: pack_meta(drawn_anew(meta, conditions, colours))}
