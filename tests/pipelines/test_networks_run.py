"""A run of preset realisdance with small untrained networks: by command, twice, and with other settings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from shards.reader import Dataset
from shards.tables import DatasetError
from tests.factories.runs import Finished, dancemill
from tests.factories.videos import write_numbered_video

pytestmark = pytest.mark.slow

FRAMES = 12


@dataclass(frozen=True)
class Run:
    """A finished run: how it ended, its dataset, and how to go on with it."""

    finished: Finished
    dataset: Path
    home: Path

    def again(self, *options: str) -> Finished:
        return dancemill(["extract", "--out", str(self.dataset), *options], self.home)


@pytest.fixture(scope="module")
def run(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("networks")
    path = write_numbered_video(folder / "video.mp4", count=FRAMES, fps=FRAMES, size=(320, 400))
    options = [
        "--preset",
        "realisdance",
        "--weights",
        "random-small",
        "--workers",
        "1",
        "--short-side",
        "128",
    ]
    finished = dancemill(
        ["extract", str(path), "--out", str(folder / "dataset"), *options, "--min-found", "0"],
        home,
    )
    return Run(finished, folder / "dataset", home)


def test_a_dry_run_gives_whole_samples_and_says_what_they_are(run: Run) -> None:
    assert run.finished.code == 0, run.finished.stderr
    (sample,) = Dataset(run.dataset, random_weights=True)
    assert sample.num_frames == FRAMES
    poses, meta = sample.poses, sample.meta
    assert (poses["body_model"][0], poses["hand_model"][0]) == ("smplx", "mano")
    assert poses["body_surface_valid"].all() and sample.condition("smpl_cs").any()
    assert np.isfinite(poses["hand_pose"][poses["hand_surface_valid"]]).all()
    lineages = [meta["people"], *(condition["lineage"] for condition in meta["conditions"].values())]
    weights = {name: value for lineage in lineages for name, value in lineage["weights"].items()}
    assert weights == dict.fromkeys(
        ("rtmdet-m", "dwpose-l", "smpler-x-h32", "smplx", "hamer", "mano"), "random"
    )
    assert json.loads((run.dataset / "dataset.json").read_text())["random_weights"] is True


def test_nothing_is_trained_on_untrained_networks_numbers_by_mistake(run: Run) -> None:
    with pytest.raises(DatasetError, match="untrained networks"):
        Dataset(run.dataset)


def test_a_rerun_finds_nothing_to_do_and_another_setting_redoes_just_its_part(run: Run) -> None:
    (before,) = Dataset(run.dataset, random_weights=True)
    keys, frames = before.meta["content_keys"], before.frame_bytes(0)
    assert "nothing to do" in run.again().stdout
    assert run.again("--hand-boxes", "hamer").code == 0
    (after,) = Dataset(run.dataset, random_weights=True)
    changed = {name for name, key in after.meta["content_keys"].items() if keys[name] != key}
    assert changed == {"hands", "conditions", "sample"}
    assert after.frame_bytes(0) == frames
