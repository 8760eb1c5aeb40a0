"""A request is checked as a whole before anything starts: settings, inputs and output, each told by name."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extractors.weights.errors import WeightsError
from pipelines.dataset_settings import check_same_people
from pipelines.estimators import lineages_of
from pipelines.request import Request, check_request
from pipelines.settings import EstimatorSettings
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


KEPT = {
    "schema_version": SCHEMA_VERSION,
    "plan": {"clip_seconds": 2.0, "detector": "none"},
    "sample": {"jpeg_quality": 80},
}


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
        ({"preset": "nothing"}, "preset is nothing, but must be one of: embedded, realisdance, hia"),
        (
            {"preset": "hia", "detector": "rtmdet-m"},
            "detector is rtmdet-m, but the clips of .* were cut with none",
        ),
        ({"preset": "hia"}, "the preset hia needs boxes of people"),
        ({"body_model": "smplx"}, "body_model of preset embedded is smplx"),
        ({"flip_test": True}, "flip_test: with preset embedded, .* this changes nothing"),
        ({"max_people": 3}, "max_people: with preset embedded, detector none .* this changes nothing"),
        ({"batch": 0, "weights": "random"}, "batch is 0"),
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


def test_a_preset_brings_its_own_detector_networks_and_body_model(video: Path, tmp_path: Path) -> None:
    settings = request(video, tmp_path / "new", preset="realisdance", weights="random-small").settings
    assert (settings.plan.detector, settings.sample.body_model) == ("rtmdet-m", "smplx")
    assert (settings.preset.wholebody, settings.preset.feet) == ("dwpose-l", "")
    settings = request(video, tmp_path / "new", preset="hia", weights="random", feet="rtmpose-x").settings
    assert (settings.preset.wholebody, settings.preset.feet) == ("rtmpose-l", "rtmpose-x")
    assert settings.sample.body_model == "none"


def test_every_missing_weight_is_named_at_once_before_anything_is_started(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DANCEMILL_WEIGHTS", str(tmp_path / "weights"))
    with pytest.raises(WeightsError) as told:
        request(video, tmp_path / "out", preset="realisdance")
    for name in ("rtmdet-m", "dwpose-l", "smpler-x-h32", "hamer", "smplx", "mano"):
        assert f"\n  {name} (" in str(told.value)
    assert not (tmp_path / "out").exists()


def test_another_preset_leaves_the_other_ones_networks_behind(video: Path, tmp_path: Path) -> None:
    named = {"preset": "realisdance", "wholebody": "rtmpose-m", "weights": "random-small", "smooth": True}
    first = request(video, tmp_path / "a", **named).settings
    kept = {**KEPT, "plan": {"detector": "rtmdet-m"}, "sample": asdict(first.sample)}
    dataset = begun(tmp_path / "dataset", {**kept, "estimators": asdict(first.estimators)})
    again = request(video, dataset).settings
    assert again.estimators == first.estimators and again.preset == first.preset
    other = request(video, dataset, preset="hia").settings
    assert (other.preset.wholebody, other.preset.feet) == ("rtmpose-l", "dwpose-l")
    assert other.estimators == EstimatorSettings(weights="random-small")
    embedded = request(video, dataset, preset="embedded").settings
    assert (embedded.preset.wholebody, embedded.sample.body_model) == ("mediapipe", "anny")
    assert embedded.plan.detector == "rtmdet-m"


def test_the_boxes_of_a_plan_stay_those_of_its_detector(video: Path, tmp_path: Path) -> None:
    named = {"preset": "hia", "weights": "random-small"}
    made = lineages_of(request(video, tmp_path / "a", **named).settings)
    kept = {**KEPT, "sample": {"preset": "hia", "body_model": "none"}, "plan": {"detector": "rtmdet-m"}}
    people = asdict(made.people) if made.people else None
    dataset = begun(tmp_path / "dataset", {**kept, "people": people})
    check_same_people(dataset, made)
    real = lineages_of(request(video, tmp_path / "b", preset="hia", weights="random").settings)
    with pytest.raises(UserError, match="begin in another folder"):
        check_same_people(dataset, real)
    check_same_people(tmp_path / "none", real)


def test_the_policy_commercial_refuses_by_name_and_licence(video: Path, tmp_path: Path) -> None:
    assert request(video, tmp_path / "a", policy="commercial").settings.sample.preset == "embedded"
    with pytest.raises(UserError) as told:
        request(video, tmp_path / "out", preset="realisdance", policy="commercial")
    for name in ("smpler-x-h32 (S-Lab License 1.0)", "hamer", "smplx", "mano", "rtmdet-m"):
        assert name in str(told.value)
    with pytest.raises(UserError, match="package smplx"):
        request(video, tmp_path / "out", preset="realisdance", policy="commercial", weights="random")
    with pytest.raises(UserError, match="policy is free"):
        request(video, tmp_path / "out", policy="free")


def test_colours_that_are_none_are_told_before_anything_is_started(video: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "colours.npy"
    np.save(wrong, np.zeros((7, 3), np.uint8))
    for path in (wrong, tmp_path / "none.npy"):
        with pytest.raises(ColourFileError, match=path.name):
            request(video, tmp_path / "out", colours=str(path))
