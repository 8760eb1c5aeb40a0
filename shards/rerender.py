"""Draws the stored conditions of samples again, from their body parameters: into a folder at any size, or in
the dataset's own shards.

A shard is rewritten as extraction writes one: its clips are staged, its Parquet removed, the tar written
and committed by a new Parquet. Whenever that is killed, what the shard held is in the old shard or in the
staging folder, and either this or `dancemill extract` finishes it. Content keys stay: they say what the
numbers were made from, and images follow from those.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from shards.coding import encode_lossless
from shards.index import build_index, shard_numbers
from shards.lock import hold_dataset
from shards.poses_file import unpack_poses
from shards.reader import Sample
from shards.schema import (
    POSES_MEMBER,
    ClipRow,
    Member,
    PlanRow,
    SampleError,
    Status,
    check_poses,
    condition_name,
)
from shards.surface_conditions import Models, draw_surface_condition, drawable_conditions, frame_surfaces
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
    """What is drawn: which of smpl_cs and hands, by which body models. `on_frames` is told of every so many
    frames that are done."""

    conditions: tuple[str, ...]
    models: Models
    on_frames: Callable[[int], object] = lambda frames: None


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

    Files of the same names are replaced. Raises SampleError, and what drawing raises; OSError.
    """
    if not KEY.fullmatch(sample.key):
        raise SampleError(f"{sample.key!r} is no key that names a folder")
    conditions = [name for name in how.conditions if name in drawable_conditions(sample.poses)]
    if not conditions:
        how.on_frames(sample.num_frames)
        return Drawn(left_out=1)
    folder = out / sample.key
    folder.mkdir(parents=True, exist_ok=True)
    stored_size = (sample.row.height, sample.row.width)
    for number, images in enumerate(_images(sample.poses, conditions, size, stored_size, how)):
        for name, image in images.items():
            (folder / condition_name(name, number)).write_bytes(encode_lossless(image))
    return Drawn(samples=1)


def rerender_in_place(dataset: Path, keys: Collection[str] | None, how: Rerender) -> Drawn:
    """Draw again what the samples of those keys, or all, hold of the conditions; a shard is rewritten where
    an image became another. Nothing is added that a sample did not hold.

    One clip is in memory at a time. Nothing else may read the dataset meanwhile. Raises BusyError,
    SampleError, DatasetError, and what drawing raises; OSError.
    """
    drawn = Drawn()
    with hold_dataset(dataset):
        clean_temporaries(dataset)
        staging = dataset / ".work" / "staging"
        staging.mkdir(exist_ok=True)
        try:
            _finish_killed(dataset, staging)
            for shard in shard_numbers(dataset):
                rows = committed_rows(dataset, shard)
                if rows is None:
                    raise DatasetError(
                        f"shard {shard:06d} is damaged: dancemill shards lint {dataset} says what to do"
                    )
                if keys is None or any(row.key in keys for row in rows):
                    drawn += _rerender_shard(dataset, shard, rows, keys, staging, how)
        finally:
            build_index(dataset)
    return drawn


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
            images = _new_images(row, members, how)
            drawn += Drawn(samples=1) if images else Drawn(left_out=1)
            redrawn = [Member(member.name, images.get(member.name, member.data)) for member in members]
            if redrawn != members:
                stage_clip(staging, row, redrawn)
                changed.add(row.key)
    if not changed:
        return drawn
    for row in rows:
        if row.key not in changed:
            stage_clip(staging, row, read_sample_members(dataset, row))
    order = [row.key for row in rows]
    write_shard(dataset, shard, staging, order)
    discard_staged(staging, order)
    return drawn + Drawn(shards=1)


def _new_images(row: ClipRow, members: Sequence[Member], how: Rerender) -> dict[str, bytes]:
    """The members that hold the conditions' images, as they are drawn now; only those that there are."""
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
    size = (row.height, row.width)
    return {
        condition_name(name, number): encode_lossless(image)
        for number, images in enumerate(_images(poses, conditions, size, size, how))
        for name, image in images.items()
    }


def _images(
    poses: Mapping[str, np.ndarray],
    conditions: Sequence[str],
    size: tuple[int, int],
    stored_size: tuple[int, int],
    how: Rerender,
) -> Iterator[dict[str, UInt8[np.ndarray, "height width 3"]]]:
    """The images of each frame, by condition."""
    for number in range(len(poses["frame"])):
        surfaces = frame_surfaces(poses, number, how.models)
        yield {name: draw_surface_condition(name, surfaces, size, stored_size) for name in conditions}
        how.on_frames(1)
