"""Small datasets, written as a run writes them but with made poses: for tests of what reads a dataset."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from renderers.wholebody import KEYPOINT_COUNT, LEFT_HAND, RIGHT_HAND
from shards.coding import encode_lossless
from shards.index import build_index
from shards.meta_file import pack_meta
from shards.poses_file import pack_poses
from shards.schema import (
    META_MEMBER,
    METRE,
    NO_MODEL,
    POSES,
    POSES_MEMBER,
    SCHEMA_VERSION,
    ClipRow,
    Member,
    PlanRow,
    Status,
    VideoRow,
    condition_name,
    frame_name,
)
from shards.tables import write_rows
from shards.writer import stage_clip, write_shard
from tests.factories.made_body import with_body

FPS = 25
LINEAGE = {
    "extractor": "made",
    "version": 1,
    "package": "made==1",
    "weights": {},
    "licences": {"code": "Apache-2.0", "weights": "none", "body_model": "none"},
}


@dataclass(frozen=True)
class MadeClip:
    """One clip to make: `number` seeds its pixels and poses; a clip that is not ok has no members."""

    number: int
    frames: int = 5
    size: tuple[int, int] = (48, 64)
    """width, height"""
    status: Status = Status.OK
    conditions: tuple[str, ...] = ()
    body: bool = False
    """Whether it has a body, whose surface is drawn with `tests.factories.made_body.made_model`."""
    colours: str = ""
    """What meta.json says of the colours of smpl_cs; nothing where empty."""

    @property
    def key(self) -> str:
        return f"{self.video_id}-0000-00-{self.first_frame:07d}"

    @property
    def video_id(self) -> str:
        return f"{self.number * 7919 % 65536:04x}cafe0000{self.number:04x}"

    @property
    def first_frame(self) -> int:
        return 10 * self.number


def made_poses(clip: MadeClip) -> dict[str, np.ndarray]:
    """Every array of POSES: a person of moving points, hands in some frames, no cameras but of a body."""
    random = np.random.default_rng(clip.number)
    count, (width, height) = clip.frames, clip.size
    poses = {name: _unfilled(name, count) for name in POSES}
    poses["frame"][:] = clip.first_frame + np.arange(count)
    poses["time"][:] = poses["frame"] / FPS
    poses["keypoints"][:] = random.uniform(0, [width, height], (count, KEYPOINT_COUNT, 2))
    poses["confidence"][:] = random.uniform(0.4, 1, (count, KEYPOINT_COUNT))
    poses["body_valid"][:] = poses["face_valid"][:] = True
    poses["hand_valid"][:] = random.random((count, 2)) < 0.8
    poses["movement_valid"][1:] = poses["hand_valid"][1:] & poses["hand_valid"][:-1]
    poses["person_box"][:] = [0, 0, width, height]
    for hand, points in enumerate((LEFT_HAND, RIGHT_HAND)):
        found = poses["hand_valid"][:, hand]
        poses["confidence"][~found, points] = 0
        poses["sharpness"][:, hand] = np.where(found, random.uniform(10, 200, count), np.nan)
        moving = poses["movement_valid"][:, hand, None]
        poses["movement"][:, hand] = np.where(moving, random.normal(0, 1, (count, 2)), np.nan)
    poses["sharpness_raw"][:] = poses["sharpness"]
    poses["movement_raw"][:] = poses["movement"]
    poses["body_model"][:] = poses["hand_model"][:] = NO_MODEL
    poses["body_units"][:] = METRE
    return with_body(poses, clip.size, random) if clip.body else poses


def _unfilled(name: str, frames: int) -> np.ndarray:
    """Zeros; with no frames where only a body model or an estimator of cameras could fill the array."""
    spec = POSES[name]
    lengths = [length if isinstance(length, int) else 0 for length in spec.shape]
    if spec.of_clip:
        return np.zeros(lengths, spec.dtype)
    return np.zeros((frames if not spec.optional or name in _LANDMARKS else 0, *lengths), spec.dtype)


_LANDMARKS = ("body_landmarks", "body_visibility", "hand_landmarks")


def made_image(clip: MadeClip, place: int) -> np.ndarray:
    """The RGB image of that frame: a smooth picture of its own."""
    random = np.random.default_rng([clip.number, place])
    coarse = random.integers(0, 256, (4, 4, 3), np.uint8)
    return cv2.resize(coarse, clip.size, interpolation=cv2.INTER_CUBIC)


def made_meta(clip: MadeClip) -> dict[str, Any]:
    """What pipelines.sample_meta writes, for a clip that no extractor has seen."""
    own = {"key": clip.key, "member": "rgb"}
    conditions: dict[str, Any] = {
        "skeleton": {"from": "poses.npz: keypoints, confidence", "lineage": LINEAGE}
    }
    if clip.colours:
        conditions["smpl_cs"] = {"from": "poses.npz", "lineage": LINEAGE, "colours": clip.colours}
    return {
        "schema_version": SCHEMA_VERSION,
        "key": clip.key,
        "video_id": clip.video_id,
        "shot": 0,
        "track_id": 0,
        "first_frame": clip.first_frame,
        "num_frames": clip.frames,
        "size": list(clip.size),
        "source": {"size": list(clip.size), "rotation": 0, "codec": "h264", "exact_times": True},
        "jpeg": {"quality": 95, "subsampling": "4:2:0"},
        "preset": "embedded",
        "person_selection": "made",
        "streams": {"target": own, "driving": own, "reference": own},
        "conditions": conditions,
        "body_model": str(made_poses(clip)["body_model"][0]),
        "captions": [],
        "masks": [],
        "content_keys": {"sample": f"content-{clip.number}"},
    }


def made_members(clip: MadeClip) -> list[Member]:
    """The members of the clip's sample."""
    members = [
        Member(POSES_MEMBER, pack_poses(made_poses(clip))),
        Member(META_MEMBER, pack_meta(made_meta(clip))),
    ]
    for place in range(clip.frames):
        image = cv2.cvtColor(made_image(clip, place), cv2.COLOR_RGB2BGR)
        members.append(Member(frame_name(place), cv2.imencode(".jpg", image)[1].tobytes()))
        members += [
            Member(condition_name(name, place), encode_lossless(made_image(clip, place)))
            for name in clip.conditions
        ]
    return members


def made_row(clip: MadeClip) -> ClipRow:
    """The clip's row before it is in a shard."""
    poses = made_poses(clip)
    return ClipRow(
        key=clip.key,
        shard=0,
        status=clip.status,
        reason={Status.FILTERED: "no_person", Status.FAILED: "timeout"}.get(clip.status, ""),
        error="" if clip.status is Status.OK else "made to be so",
        video_id=clip.video_id,
        shot=0,
        track_id=0,
        first_frame=clip.first_frame,
        num_frames=clip.frames,
        start_s=float(poses["time"][0]),
        duration_s=clip.frames / FPS,
        fps=FPS,
        width=clip.size[0],
        height=clip.size[1],
        preset="embedded",
        content_key=f"content-{clip.number}",
        body_found=1.0,
        face_found=1.0,
        left_hand_found=float(poses["hand_valid"][:, 0].mean()),
        right_hand_found=float(poses["hand_valid"][:, 1].mean()),
        confidence=0.7,
        hand_sharpness=float("nan") if clip.number % 3 == 2 else 20.0 * clip.number,
        hand_movement=1.0 / (1 + clip.number),
    )


DEFAULT_CLIPS = (
    MadeClip(0),
    MadeClip(1, frames=3, size=(64, 48)),
    MadeClip(2, status=Status.FILTERED),
    MadeClip(3),
    MadeClip(4, status=Status.FAILED),
    MadeClip(5, frames=8),
)


def stage_clips(staging: Path, clips: Sequence[MadeClip]) -> list[str]:
    """Stage the clips; gives their keys."""
    staging.mkdir(parents=True, exist_ok=True)
    for clip in clips:
        stage_clip(staging, made_row(clip), made_members(clip) if clip.status is Status.OK else [])
    return [clip.key for clip in clips]


def make_dataset(
    path: Path, clips: Sequence[MadeClip] = DEFAULT_CLIPS, clips_per_shard: int = 2
) -> list[ClipRow]:
    """Write a dataset of the clips to `path`, as a finished run leaves it; gives the committed rows."""
    (path / "shards").mkdir(parents=True)
    staging = path / ".work" / "staging"
    keys = stage_clips(staging, clips)
    rows: list[ClipRow] = []
    for first in range(0, len(keys), clips_per_shard):
        rows += write_shard(path, first // clips_per_shard, staging, keys[first : first + clips_per_shard])
    for file in staging.iterdir():
        file.unlink()
    write_rows(path / "clips.parquet", PlanRow, map(_plan_row, clips, rows))
    write_rows(path / "videos.parquet", VideoRow, sorted(map(_video_row, clips), key=lambda row: row.path))
    settings = {
        "schema_version": SCHEMA_VERSION,
        "code_version": "0.1.0",
        "preset": "embedded",
        "plan": {"clips_per_shard": clips_per_shard},
        "sample": {"preset": "embedded"},
        "extractors": [LINEAGE],
    }
    (path / "dataset.json").write_text(json.dumps(settings), encoding="utf-8")
    build_index(path)
    return rows


def _plan_row(clip: MadeClip, row: ClipRow) -> PlanRow:
    poses = made_poses(clip)
    plan = PlanRow(
        key=clip.key,
        video_id=clip.video_id,
        shot=0,
        track_id=0,
        first_frame=clip.first_frame,
        frames=tuple(poses["frame"].tolist()),
        times=tuple(poses["time"].tolist()),
        shard=row.shard,
    )
    quality = ("body_found", "face_found", "left_hand_found", "right_hand_found", "confidence")
    named = ("status", "reason", "error", *quality, "hand_sharpness", "hand_movement")
    return replace(plan, **{name: getattr(row, name) for name in named})


def _video_row(clip: MadeClip) -> VideoRow:
    row = made_row(clip)
    counts = {
        f"clips_{status}": int(clip.status is status) for status in Status if status is not Status.PENDING
    }
    return VideoRow(
        path=f"/videos/{clip.number}.mp4",
        video_id=clip.video_id,
        status=row.status,
        reason=row.reason,
        error=row.error,
        bytes=1000,
        container="mp4",
        codec="h264",
        width=clip.size[0],
        height=clip.size[1],
        fps=FPS,
        frames=clip.frames,
        declared_frames=clip.frames,
        duration_s=clip.frames / FPS,
        shots=1,
        clips=1,
        **counts,  # type: ignore[arg-type]
    )
