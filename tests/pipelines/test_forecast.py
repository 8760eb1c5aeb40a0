"""What a run would come to is told from headers and a measured beginning, as a plan would have it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.dataset_settings import settle
from pipelines.forecast import ForecastError, forecast
from tests.factories.runs import dancemill
from tests.factories.videos import write_numbered_video

WITHOUT_BODY = {"body_model": "none"}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for name, count in (("two.mp4", 48), ("five.mp4", 120), ("short.mp4", 12)):
        write_numbered_video(folder / name, count=count, fps=24, size=(160, 192))
    (folder / "notes.md").write_text("no video")
    return folder


def test_clips_frames_and_shards_are_those_of_the_plan(videos: Path) -> None:
    expected = forecast(sorted(videos.iterdir()), settle(None, WITHOUT_BODY), workers=2)
    assert (expected.videos, expected.left_out) == (2, {"not_a_video": 1, "too_short": 1})
    assert (expected.clips, expected.frames, expected.shards) == (3, 168, 1)
    assert expected.hours == pytest.approx(7 / 3600, rel=0.02)
    measured = expected.calibration
    assert measured.frames == 48 and measured.people == 1 and measured.people_s == 0
    assert expected.bytes == pytest.approx(168 * measured.bytes)
    assert expected.seconds > 168 * measured.extract_s / 2


def test_more_workers_take_less_time_and_settings_count(videos: Path) -> None:
    settings = settle(None, {**WITHOUT_BODY, "clip_seconds": 1.0, "fps": 12.0, "clips_per_shard": 4})
    paths = [videos / "two.mp4", videos / "five.mp4"]
    expected = forecast(paths, settings, workers=1)
    assert (expected.clips, expected.frames, expected.shards) == (7, 84, 2)


def test_where_nothing_can_be_measured_it_says_so(videos: Path) -> None:
    with pytest.raises(ForecastError, match=r"of 1 inputs none is a video.*not_a_video"):
        forecast([videos / "notes.md"], settle(None, WITHOUT_BODY), workers=1)


@pytest.mark.slow
def test_the_command_plans_a_dry_run_of_networks(videos: Path, tmp_path: Path) -> None:
    named = ["--preset", "hia", "--weights", "random-small", "--json"]
    told = dancemill(["plan", str(videos / "two.mp4"), *named], tmp_path)
    assert told.code == 0, told.stderr
    facts = json.loads(told.stdout)
    assert facts["clips"] == 1 and facts["calibration"]["people_s"] > 0
