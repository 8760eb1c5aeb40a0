"""A request is checked as a whole before anything starts: settings, inputs and output, each told by name."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.request import Request, check_request
from renderers.body_models.errors import ColourFileError
from shards.errors import UserError
from shards.schema import SCHEMA_VERSION


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    path.touch()
    return path


def request(video: Path, out: Path, **named: Any) -> Request:
    defaults = {"workers": 0, "ray_address": None, "stall_seconds": 120.0}
    return check_request({"inputs": [str(video)], "out": str(out), **defaults, **named})


def begun(folder: Path, settings: Any) -> Path:
    """A dataset whose videos are cut already."""
    (folder / "shards").mkdir(parents=True)
    (folder / "clips.parquet").touch()
    (folder / "dataset.json").write_text(json.dumps(settings))
    return folder


KEPT = {"schema_version": SCHEMA_VERSION, "plan": {"clip_seconds": 2.0}, "sample": {"jpeg_quality": 80}}


def test_what_is_not_named_is_as_the_dataset_was_begun(video: Path, tmp_path: Path) -> None:
    settings = request(video, begun(tmp_path / "dataset", KEPT), short_side=512).settings
    assert (settings.plan.clip_seconds, settings.sample.jpeg_quality, settings.sample.short_side) == (
        2.0,
        80,
        512,
    )
    assert request(video, tmp_path / "new").settings.plan.clip_seconds == 4.0


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"clip_seconds": 3.0}, "clip_seconds is 3.0, but the clips of .* were cut with 2.0"),
        ({"jpeg_quality": 0}, "jpeg_quality is 0"),
        ({"preset": "nothing"}, "preset is nothing, but must be one of: embedded"),
        ({"workers": -1}, "workers is -1"),
        ({"stall_seconds": float("inf")}, "stall_seconds is inf"),
    ],
)
def test_a_setting_that_cannot_be_is_told_by_name(
    named: dict[str, Any], message: str, video: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        request(video, begun(tmp_path / "dataset", KEPT), **named)


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        [],
        None,
        {**KEPT, "schema_version": 99},
        {**KEPT, "plan": {"clips_per_shard": 1.5}},
        {**KEPT, "plan": {"x": 1}},
    ],
)
def test_settings_that_are_damaged_are_not_taken_for_a_new_dataset(
    damaged: Any, video: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError):
        request(video, begun(tmp_path / "dataset", damaged))


def test_a_folder_with_other_things_in_it_is_not_written_into(video: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds other files"):
        request(video, tmp_path)
    with pytest.raises(UserError, match="is a file"):
        request(video, video)


def test_without_inputs_a_dataset_with_a_ledger_goes_on_and_a_new_one_does_not_begin(tmp_path: Path) -> None:
    dataset = begun(tmp_path / "dataset", KEPT)
    with pytest.raises(UserError, match="no input"):
        check_request(
            {"inputs": [], "out": str(dataset), "workers": 0, "ray_address": None, "stall_seconds": 1.0}
        )
    (dataset / "videos.parquet").touch()
    going_on = check_request(
        {"inputs": [], "out": str(dataset), "workers": 0, "ray_address": None, "stall_seconds": 1.0}
    )
    assert going_on.paths is None


def test_colours_that_are_none_are_told_before_anything_is_started(video: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "colours.npy"
    np.save(wrong, np.zeros((7, 3), np.uint8))
    for path in (wrong, tmp_path / "none.npy"):
        with pytest.raises(ColourFileError, match=path.name):
            request(video, tmp_path / "out", colours=str(path))
