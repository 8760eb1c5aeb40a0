"""The plan is a pure function of the scans: frames by time, clips by settings, shards by content."""

from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.interface import RANDOM, Licences, Lineage
from pipelines.plan import PersonTrack, VideoPeople, choose_frames, clips_of_video, extend_plan, video_filter
from pipelines.reasons import Reason
from pipelines.scan import VideoScan
from pipelines.settings import PlanSettings, SettingsError
from pipelines.workspace import open_workspace
from shards.schema import Status


def scan_of(
    times: list[float], shots: list[tuple[int, int]] | None = None, identity: str = "a" * 16
) -> VideoScan:
    edges = tuple(shots or [(0, len(times))])
    return VideoScan(identity, 1, width=640, height=480, times=tuple(times), shots=edges)


def steady(count: int, fps: float, start: float = 0.0) -> list[float]:
    return [start + number / fps for number in range(count)]


irregular_times = st.lists(st.floats(0.005, 0.2), min_size=1, max_size=200).map(
    lambda steps: np.cumsum(steps)
)


@given(irregular_times, st.floats(5, 60))
def test_chosen_frames_are_nearest_to_the_grid_and_never_repeated(times: np.ndarray, fps: float) -> None:
    chosen = choose_frames(times, fps)
    assert np.all(np.diff(chosen) > 0)
    assert chosen[0] == 0
    grid = np.arange(times[0], times[-1] + 1e-9, 1 / fps)
    distance = np.abs(times[chosen][None] - grid[:, None]).min(1)
    best = np.abs(times[None] - grid[:, None]).min(1)
    np.testing.assert_allclose(distance, best, atol=1e-9)


@pytest.mark.parametrize(
    ("source", "target", "step"), [(60, 30, 2), (120, 30, 4), (24, 30, 1), (29.97, 30, 1)]
)
def test_frame_rate_is_reached_by_time(source: float, target: float, step: int) -> None:
    chosen = choose_frames(np.array(steady(480, source)), target)
    assert set(np.diff(chosen)) == {step}


def test_a_slow_stretch_keeps_every_frame_and_a_fast_one_is_thinned() -> None:
    times = [*steady(30, 10), *steady(60, 60, start=3.0)]
    chosen = choose_frames(np.array(times), 30)
    assert list(chosen[:30]) == list(range(30))
    assert len(chosen) == 30 + 30


@given(irregular_times, st.floats(0.3, 3), st.floats(0, 0.9))
def test_clips_cover_every_chosen_frame_in_order(
    times: np.ndarray, clip: float, overlap_share: float
) -> None:
    settings = PlanSettings(clip_seconds=clip, overlap_seconds=clip * overlap_share, min_clip_seconds=0.01)
    clips = clips_of_video(scan_of(times.tolist()), settings)
    chosen = choose_frames(times, settings.fps)
    assert sorted({number for row in clips for number in row.frames}) == chosen.tolist()
    assert [row.first_frame for row in clips] == sorted({row.first_frame for row in clips})
    for row in clips:
        assert row.times == tuple(times[list(row.frames)])
        assert row.times[-1] - row.times[0] < clip + 1e-5
    if overlap_share == 0:
        assert sum(len(row.frames) for row in clips) == len(chosen)


def test_a_timestamp_that_jumps_by_years_costs_no_memory() -> None:
    times = [*steady(48, 24), *steady(48, 24, start=1e12)]
    clips = clips_of_video(scan_of(times), PlanSettings(overlap_seconds=3.9))
    assert sorted({number for row in clips for number in row.frames}) == list(range(96))


def test_no_clip_crosses_a_cut() -> None:
    scan = scan_of(steady(240, 24), shots=[(0, 100), (100, 240)])
    for row in clips_of_video(scan, PlanSettings(clip_seconds=2, min_clip_seconds=0.1)):
        assert (row.frames[-1] < 100) == (row.shot == 0)


def test_what_is_left_of_a_shot_is_in_the_plan_with_its_reason() -> None:
    rows = clips_of_video(scan_of(steady(int(24 * 4.5), 24)), PlanSettings())
    assert [row.status for row in rows] == [Status.PENDING, Status.FILTERED]
    assert rows[1].reason == Reason.SHOT_TOO_SHORT and rows[1].shard == -1


def test_shards_depend_on_content_and_not_on_the_order_of_the_inputs() -> None:
    scans = [scan_of(steady(480, 24), identity=f"{number:016x}") for number in (7, 3, 9, 1)]
    settings = PlanSettings(clips_per_shard=3)
    plan = extend_plan([], scans, settings)
    assert plan == extend_plan([], reversed(scans), settings)
    assert [row.key for row in plan] == sorted(row.key for row in plan)
    assert [row.shard for row in plan] == sorted(row.shard for row in plan)


def test_new_videos_leave_the_plan_as_it_is_and_fill_new_shards() -> None:
    settings = PlanSettings(clips_per_shard=3)
    plan = extend_plan([], [scan_of(steady(480, 24), identity="5" * 16)], settings)
    longer = extend_plan(plan, [scan_of(steady(480, 24), identity="1" * 16)], settings)
    assert [row for row in longer if row.video_id == "5" * 16] == plan
    assert min(row.shard for row in longer if row.video_id == "1" * 16) == max(row.shard for row in plan) + 1


def person(first: int, end: int, height: float = 300.0, unseen: tuple[int, int] | None = None) -> PersonTrack:
    """A person who is there from one frame to another, but for the unseen ones."""
    boxes = np.tile(np.array([100, 50, 200, 50 + height], np.float32), (end - first, 1))
    if unseen:
        boxes[slice(*unseen)] = np.nan
    return PersonTrack(first, boxes)


PEOPLE = PlanSettings(detector="rtmdet-m", clip_seconds=2.0)


def test_each_person_has_clips_of_their_own_while_they_are_there() -> None:
    scan = scan_of(steady(120, 24))
    people = VideoPeople(((person(0, 120), person(36, 120)),))
    rows = [row for row in clips_of_video(scan, PEOPLE, people) if row.status is Status.PENDING]
    assert [(row.track_id, row.first_frame, len(row.frames)) for row in rows] == [
        *((0, first, length) for first, length in ((0, 48), (48, 48), (96, 24))),
        *((1, first, length) for first, length in ((36, 48), (84, 36))),
    ]
    assert all(len(row.boxes) == 4 * len(row.frames) for row in rows)
    assert rows[-1].boxes[:4] == (100, 50, 200, 350)
    assert len({row.key for row in rows}) == len(rows)


def test_people_who_are_left_out_are_in_the_plan_with_the_reason() -> None:
    scan = scan_of(steady(48, 24))
    seldom = person(0, 48, unseen=(5, 40))
    tracks = (person(0, 48), seldom, person(0, 48, height=90), person(0, 12, height=280))
    people = VideoPeople(((*tracks, person(0, 48, height=100)),))
    settings = replace(PEOPLE, max_people=4)
    rows = clips_of_video(scan, settings, people)
    assert [(row.track_id, row.reason) for row in rows] == [
        (0, ""),
        (1, Reason.SELDOM_SEEN),
        (2, Reason.PERSON_TOO_SMALL),
        (3, Reason.SHOT_TOO_SHORT),
        (4, Reason.PERSON_TOO_SMALL),
    ]
    assert clips_of_video(scan, replace(PEOPLE, max_people=1), people)[4].reason == Reason.TOO_MANY_PEOPLE
    assert all(row.shard == -1 for row in extend_plan([], [scan], settings, {scan.video_id: people})[1:])


def test_nobody_found_is_nobody_found() -> None:
    scan = scan_of(steady(96, 24), shots=[(0, 48), (48, 96)])
    people = VideoPeople(((), (person(0, 48),)))
    first, second = clips_of_video(scan, PEOPLE, people)
    assert (first.reason, first.error) == (Reason.NO_PERSON, "the detector rtmdet-m saw nobody")
    assert first.boxes == () and second.status is Status.PENDING


def test_a_clip_in_which_its_person_is_never_seen_is_left_out_whatever_share_is_wanted() -> None:
    scan = scan_of(steady(144, 24))
    people = VideoPeople(((person(0, 144, unseen=(40, 100)),),))
    rows = clips_of_video(scan, replace(PEOPLE, min_visible=0.0), people)
    assert [row.reason for row in rows] == ["", Reason.SELDOM_SEEN, ""]
    assert rows[1].error == "detected in none of the frames"


def test_a_video_in_which_nobody_looked_for_people_is_not_planned() -> None:
    with pytest.raises(KeyError, match="a" * 16):
        extend_plan([], [scan_of(steady(96, 24))], PEOPLE, {})


def some_people() -> VideoPeople:
    return VideoPeople(((person(0, 40), person(7, 31, unseen=(3, 9))), (), (person(2, 3),)))


DETECTOR = Lineage("mmdet: small", 1, "mmdet", {"small": RANDOM}, Licences("Apache-2.0", "none", "none"))


@pytest.mark.parametrize("people", [some_people(), VideoPeople(((), ())), VideoPeople(())])
def test_who_was_found_is_noted_and_read_again(tmp_path: Path, people: VideoPeople) -> None:
    with open_workspace(tmp_path / "dataset") as workspace:
        assert workspace.people("v", DETECTOR) is None
        workspace.keep_people("v", DETECTOR, people)
        noted = workspace.people("v", DETECTOR)
        assert workspace.people("v", replace(DETECTOR, version=2)) is None
    assert noted is not None
    assert [len(shot) for shot in noted.shots] == [len(shot) for shot in people.shots]
    for one, other in zip(chain(*noted.shots), chain(*people.shots), strict=True):
        assert one.first == other.first
        np.testing.assert_array_equal(one.boxes, other.boxes)


def test_a_damaged_note_of_people_is_none(tmp_path: Path) -> None:
    with open_workspace(tmp_path / "dataset") as workspace:
        workspace.keep_people("v", DETECTOR, some_people())
        (path,) = (workspace.folder / "people").iterdir()
        whole = path.read_bytes()
        random = np.random.default_rng(0)
        for length in (0, 10, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:length])
            assert workspace.people("v", DETECTOR) is None
        for place in random.choice(len(whole), 200, replace=False):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
            noted = workspace.people("v", DETECTOR)
            assert noted is None or [len(shot) for shot in noted.shots] == [2, 0, 1]
        right = {"tracks": np.array([1]), "first": np.array([0]), "frames": np.array([2])}
        right["boxes"] = np.zeros((2, 4), np.float32)
        np.savez(path, **right)
        assert workspace.people("v", DETECTOR) is not None
        for name, wrong in (
            ("tracks", np.array([2])),
            ("first", np.array([0, 0])),
            ("first", np.array([None])),
            ("frames", np.array([2.0])),
            ("boxes", np.zeros((3, 4), np.float32)),
        ):
            np.savez(path, **right | {name: wrong})
            assert workspace.people("v", DETECTOR) is None
        np.savez(path, **{"000000": np.zeros((1, 2, 4), np.float32)})
        assert workspace.people("v", DETECTOR) is None
        with path.open("wb") as file:
            np.save(file, np.zeros(4))
        assert workspace.people("v", DETECTOR) is None


def test_small_and_short_videos_are_left_out_with_the_fact_that_says_so() -> None:
    small = VideoScan("a" * 16, 1, width=100, height=480, times=tuple(steady(100, 24)), shots=((0, 100),))
    short = scan_of(steady(12, 24))
    assert video_filter(small, PlanSettings()) == (
        Reason.TOO_SMALL,
        "100x480 pixels, 128 on the short side are wanted",
    )
    assert video_filter(short, PlanSettings()) == (Reason.TOO_SHORT, "lasts 0.50 s, 1 s are wanted")
    assert video_filter(scan_of(steady(24, 24)), PlanSettings()) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("clip_seconds", 0),
        ("clip_seconds", float("nan")),
        ("overlap_seconds", 4.0),
        ("min_clip_seconds", 9),
        ("fps", -1),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(SettingsError, match=name):
        PlanSettings(**{name: value})  # type: ignore[arg-type]
