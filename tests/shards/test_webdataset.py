"""The tars are ordinary WebDataset: its own loader reads them as they are."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import webdataset as wds

from shards.schema import Status
from tests.factories.dataset import MadeClip, made_members, made_poses, make_dataset

CLIPS = (
    MadeClip(3),
    MadeClip(1, frames=2),
    MadeClip(2, status=Status.FILTERED),
    MadeClip(6, conditions=("hands",)),
)


def test_plain_webdataset_reads_every_sample(tmp_path: Path) -> None:
    make_dataset(tmp_path / "made", CLIPS, clips_per_shard=3)
    urls = [str(path) for path in sorted((tmp_path / "made" / "shards").glob("*.tar"))]
    samples = {sample["__key__"]: sample for sample in wds.WebDataset(urls, shardshuffle=False)}
    ok = {clip.key: clip for clip in CLIPS if clip.status is Status.OK}
    assert samples.keys() == ok.keys()
    for key, clip in ok.items():
        read = {name: data for name, data in samples[key].items() if not name.startswith("__")}
        assert read == {member.name: member.data for member in made_members(clip)}
        assert json.loads(read["meta.json"])["key"] == key
        with np.load(io.BytesIO(read["poses.npz"]), allow_pickle=False) as poses:
            np.testing.assert_array_equal(poses["keypoints"], made_poses(clip)["keypoints"])
