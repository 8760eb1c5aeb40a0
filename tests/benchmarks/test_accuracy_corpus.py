"""The corpus varies one thing at a time, and the tables name only what it holds."""

from dataclasses import fields

import numpy as np

from benchmarks.accuracy_parts.corpus import BASE, CELLS, FRONTAL, full_corpus, quick_corpus
from renderers.mannequin.plan import draw_plan
from renderers.mannequin.spec import Spec

ALWAYS_MAY_DIFFER = {"sizes", "backgrounds", "seconds"}


def changed(spec: Spec, base: Spec) -> set[str]:
    """The fields in which they differ, but for those of the format."""
    names = {field.name for field in fields(Spec)} - ALWAYS_MAY_DIFFER
    return {name for name in names if getattr(spec, name) != getattr(base, name)}


def test_every_row_has_videos_and_every_video_a_row() -> None:
    made = {video.kind for video in full_corpus()}
    told = {kind for cell in (*CELLS, FRONTAL) for kind in cell.kinds}
    assert made == told
    assert {video.kind for video in quick_corpus()} <= made
    assert 4 <= len(quick_corpus()) < 0.2 * len(full_corpus())


def test_the_rows_of_a_factor_differ_in_one_thing() -> None:
    specs = {video.kind: video.spec for video in full_corpus()}
    allowed = {"motion": {"motions"}, "framing": {"framings"}, "light": {"lightings"}, "turn": {"turns"}}
    for cell in CELLS:
        differences = set().union(*(changed(specs[kind], BASE) for kind in cell.kinds))
        if cell.factor in allowed:
            assert differences <= allowed[cell.factor], cell
        if cell.factor == "blur":
            assert changed(specs[cell.kinds[0]], specs["fast_hands"]) <= {"exposures"}, cell


def test_videos_of_one_number_show_the_same_person_in_the_same_place() -> None:
    plans = [
        draw_plan(video.spec, video.seed, video.number)
        for video in full_corpus()
        if video.kind in ("base", "low", "dance", "open_0.5", "turned_135")
    ]
    for format_number in (0, 1):
        own = [plan for plan in plans if plan.number == format_number]
        assert len(own) == 5
        assert all(plan.looks == own[0].looks for plan in own)
        assert len({plan.shots[0].scene.background for plan in own}) == 1


def test_no_video_is_made_twice_and_all_are_short() -> None:
    videos = full_corpus()
    assert len({(video.kind, video.number) for video in videos}) == len(videos)
    frames = sum(video.spec.frame_count for video in videos)
    assert 2000 < frames < 3500


def test_angles_are_told_apart_without_gaps() -> None:
    ranges = np.array([cell.turn for cell in CELLS if cell.factor == "turn"])
    assert ranges[0, 0] == 0 and ranges[-1, 1] > 180
    np.testing.assert_array_equal(ranges[1:, 0], ranges[:-1, 1])
