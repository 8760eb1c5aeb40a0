"""People are followed through a shot: who is who holds when they pass each other and are not always seen."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float

from extractors.people import meetings
from extractors.people.meetings import Rows, untangled
from extractors.people.tracks import People, Track, track_people
from renderers.mannequin.camera import facing
from renderers.mannequin.person import make_person
from renderers.mannequin.plan import draw_plan
from renderers.mannequin.pose import posed_bones
from renderers.mannequin.spec import Spec
from renderers.mannequin.walking import walk

FPS = 25.0
FRAMES = 90
FLESH = 0.1
"""Metres around the joints."""
CROSSINGS = 4


def made_crossing(seed: int) -> Float[np.ndarray, "frames 2 5"]:
    """The boxes of two made people who walk past each other, and how far each is away in metres."""
    spec = Spec(people=(2,), crossing=(True,), shots=(1,), seconds=FRAMES / FPS)
    plan = draw_plan(spec, seed, 0)
    camera = facing(960, 540, eye=(0.0, -4.5, 1.3), target=(0.0, 0.0, 0.9), frame=2.4)
    rows = np.zeros((FRAMES, 2, 5))
    for number, (look, role) in enumerate(zip(plan.looks, plan.shots[0].roles, strict=True)):
        person = make_person(look.shape)
        motion = walk(person, np.random.default_rng([seed, number]), role.waypoints, spec.seconds)
        for frame in range(FRAMES):
            bones = posed_bones(person, motion.pose(frame / FPS))
            joints = np.einsum("bij,bj->bi", bones[..., :3], person.heads) + bones[..., 3]
            seen, depth = camera.project(joints), float(camera.view(joints)[:, 2].mean())
            flesh = FLESH * camera.K[0, 0] / depth
            rows[frame, number] = [*(seen.min(axis=0) - flesh), *(seen.max(axis=0) + flesh), depth]
    return rows


def detected(
    rows: Float[np.ndarray, "frames 2 5"], seed: int, noise: float, missed: float
) -> tuple[list[People], list[list[int]]]:
    """What a detector gives, and whose each box is: of who is behind it sees a part and guesses half of the
    rest; it gives one box where two lie over each other, and misses some at random.
    """
    random = np.random.default_rng(seed)
    people: list[People] = []
    whose: list[list[int]] = []
    for row in rows:
        boxes: list[Float[np.ndarray, "4"]] = []
        scores, who = [], []
        far, near = np.argsort(-row[:, 4])
        for number in (near, far):
            box, score = row[number, :4].copy(), 0.95
            if number == far:
                trunk = row[near, [0, 2]] + np.array([0.2, -0.2]) * (row[near, 2] - row[near, 0])
                hidden = min(box[2], trunk[1]) - max(box[0], trunk[0])
                score = 0.3 + 0.65 * min(1 - hidden / (box[2] - box[0]), 1.0)
                if box[0] < trunk[1] < box[2] and trunk[0] < box[0]:
                    box[0] = (box[0] + trunk[1]) / 2
                elif box[0] < trunk[0] < box[2] and box[2] < trunk[1]:
                    box[2] = (box[2] + trunk[0]) / 2
            box += random.normal(0, noise, 4) * np.tile(box[2:] - box[:2], 2)
            if score > 0.5 and random.random() >= missed and all(iou(box, other) < 0.65 for other in boxes):
                boxes.append(box)
                scores.append(score)
                who.append(int(number))
        people.append(People(np.reshape(boxes, (-1, 4)).astype(np.float32), np.array(scores, np.float32)))
        whose.append(who)
    return people, whose


def iou(one: Float[np.ndarray, "4"], other: Float[np.ndarray, "4"]) -> float:
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = float(np.maximum(high - low, 0).prod())
    return shared / float((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - shared)


def places(track: Track, people: Sequence[People]) -> dict[int, int]:
    """Which of the boxes of each frame is the track's; it must be one that was found."""
    out = {}
    for row in np.flatnonzero(np.isfinite(track.scores)):
        frame = track.first + int(row)
        (place,) = np.flatnonzero((people[frame].boxes == track.boxes[row]).all(axis=1))
        assert people[frame].scores[place] == track.scores[row]
        out[frame] = int(place)
    assert np.isfinite(track.scores[[0, -1]]).all(), "it is from the first to the last frame seen"
    assert (np.isfinite(track.boxes).all(axis=1) == np.isfinite(track.scores)).all()
    return out


@pytest.fixture(scope="module")
def crossings() -> list[Float[np.ndarray, "frames 2 5"]]:
    return [made_crossing(seed) for seed in range(CROSSINGS)]


@pytest.mark.parametrize(("noise", "missed"), [(0.005, 0.0), (0.015, 0.03), (0.03, 0.1)])
def test_people_who_pass_each_other_keep_who_they_are(
    crossings: list[Float[np.ndarray, "frames 2 5"]], noise: float, missed: float
) -> None:
    hidden = 0
    for seed, rows in enumerate(crossings):
        people, whose = detected(rows, seed, noise, missed)
        hidden += sum(len(who) < 2 for who in whose)
        tracks = track_people(people, FPS)
        assert len(tracks) == 2
        apart = [iou(row[0, :4], row[1, :4]) < 0.2 for row in rows]
        followed = [
            {frame: whose[frame][place] for frame, place in places(track, people).items()} for track in tracks
        ]
        assert sum(map(len, followed)) == sum(map(len, whose)), "a box is nobody's"
        identities = [{who for frame, who in of.items() if apart[frame]} for of in followed]
        assert sorted(map(tuple, identities)) == [(0,), (1,)]
    assert hidden > CROSSINGS, "who is behind is out of sight now and then"


def walker(
    frames: int, start: float = 100.0, step: float = 4.0, height: float = 200.0, feet: float = 400.0
) -> Float[np.ndarray, "frames 4"]:
    middle = start + step * np.arange(frames)
    half = np.full(frames, 0.2 * height)
    return np.stack([middle - half, half * 0 + feet - height, middle + half, half * 0 + feet], axis=1)


def seen(*tracks: Float[np.ndarray, "frames 4"], score: float = 0.9) -> list[People]:
    """People of each frame from their tracks, in which NaN is who is not seen."""
    out = []
    for boxes in np.stack(tracks, axis=1).astype(np.float32):
        there = np.isfinite(boxes[:, 0])
        out.append(People(boxes[there], np.full(there.sum(), score, np.float32)))
    return out


def hidden(boxes: Float[np.ndarray, "frames 4"], first: int, count: int) -> Float[np.ndarray, "frames 4"]:
    out = boxes.copy()
    out[first : first + count] = np.nan
    return out


def test_a_gap_stays_a_gap() -> None:
    boxes = hidden(walker(60), 20, 10)
    (track,) = track_people(seen(boxes), FPS)
    np.testing.assert_array_equal(track.boxes, boxes.astype(np.float32))


@pytest.mark.parametrize("fps", [10.0, 50.0])
def test_who_is_lost_for_long_is_somebody_new(fps: float) -> None:
    for seconds, count in ((0.8, 1), (1.3, 2)):
        boxes = hidden(walker(int(5 * fps), step=0.0), int(fps), round(seconds * fps))
        assert len(track_people(seen(boxes), fps)) == count


def test_tracks_are_in_the_order_of_appearance_then_from_left_to_right() -> None:
    early, left, right = (
        walker(40, 300, 0),
        hidden(walker(40, 100, 0), 0, 9),
        hidden(walker(40, 600, 0), 0, 9),
    )
    tracks = track_people(seen(right, left, early), FPS)
    assert [track.boxes[-1, 0] for track in tracks] == [260, 60, 560]
    assert [track.first for track in tracks] == [0, 9, 9], "they begin where the person does"


def test_somebody_seen_once_is_a_track_of_one_frame() -> None:
    (track,) = track_people(seen(hidden(walker(9), 0, 4)[:5]), FPS)
    assert track.first == 4 and len(track.boxes) == len(track.scores) == 1


def test_nobody_has_no_track() -> None:
    nobody = People(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    assert track_people([], FPS) == []
    assert track_people([nobody] * 4, FPS) == []
    assert track_people(seen(walker(10), score=0.4), FPS) == []


def test_a_shot_hangs_on_no_other() -> None:
    shot = seen(walker(30), hidden(walker(30, 400, -4, 180), 12, 5))
    alone = track_people(shot, FPS)
    track_people(seen(walker(30, 90), walker(30, 95)), FPS)
    again = track_people(shot, FPS)
    assert len(alone) == len(again) == 2
    for one, other in zip(alone, again, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)


BOX = st.tuples(*(st.floats(*limits, width=32) for limits in ((0, 900), (0, 500), (4, 300), (4, 400))))
FOUND = st.lists(st.tuples(BOX, st.floats(0, 1, width=32)), max_size=4, unique_by=lambda one: one[0])


@settings(max_examples=40, deadline=None)
@given(st.lists(FOUND, max_size=12))
def test_every_box_of_a_good_score_is_of_one_track(
    frames: list[list[tuple[tuple[float, ...], float]]],
) -> None:
    people = []
    for found in frames:
        corners = np.array([box for box, _ in found], np.float32).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        corners = np.unique(corners, axis=0)
        scores = np.array([score for _, score in found], np.float32)[: len(corners)]
        people.append(People(corners, scores))
    used = [
        (frame, place)
        for track in track_people(people, FPS)
        for frame, place in places(track, people).items()
    ]
    good = [
        (frame, int(place))
        for frame, found in enumerate(people)
        for place in np.flatnonzero(found.scores >= 0.5)
    ]
    assert sorted(used) == good


def follow_on(
    tracks: Sequence[Float[np.ndarray, "frames columns"]],
) -> list[Float[np.ndarray, "frames columns"]]:
    """Untangled tracks, NaN in frames of the shot in which they are not."""
    rows = []
    for track in tracks:
        there = np.flatnonzero(np.isfinite(track[:, 0]))
        rows.append(Rows(int(there[0]), track[there[0] : there[-1] + 1]))
    out = []
    for before, after in zip(tracks, untangled(rows, FPS), strict=True):
        whole = np.full_like(before, np.nan)
        whole[after.first : after.end] = after.rows
        out.append(whole)
    return out


def crossed(height: float) -> tuple[np.ndarray, np.ndarray]:
    """Two who walk past each other, in 80 frames, with a fifth column that says who it is."""
    one, other = walker(80, 100, 6), walker(80, 580, -6, height, feet=380)
    return np.column_stack([one, np.zeros(80)]), np.column_stack([other, np.ones(80)])


@pytest.mark.parametrize("missing", [0, 9])
def test_tracks_that_were_exchanged_in_a_meeting_are_put_right(missing: int) -> None:
    one, other = crossed(180)
    other[36 : 36 + missing] = np.nan
    wrong = [np.vstack([one[:42], other[42:]]), np.vstack([other[:42], one[42:]])]
    for tracks in (wrong, wrong[::-1], [one, other]):
        put_right = follow_on(tracks)
        for before, after in zip(tracks, put_right, strict=True):
            who = after[np.isfinite(after[:, 0]), 4]
            assert (who[[0, -1]] == before[0, 4]).all()
            assert (np.delete(who, slice(30, 50)) == before[0, 4]).all()


def test_people_who_meet_and_turn_back_are_told_apart_by_their_height() -> None:
    there = np.concatenate([np.arange(40), np.arange(40)[::-1]]) * 6.0
    one, other = walker(80, 100, 0), walker(80, 560, 0, 160, feet=370)
    one[:, [0, 2]] += there[:, None]
    other[:, [0, 2]] -= there[:, None]
    for track, kept in zip([one, other], follow_on([one, other]), strict=True):
        np.testing.assert_array_equal(track, kept)


def test_a_track_that_ends_in_a_meeting_is_left_as_it_is() -> None:
    one, other = crossed(180)
    one[40:] = np.nan
    for track, kept in zip([one, other], follow_on([one, other]), strict=True):
        np.testing.assert_array_equal(track, kept)


def test_three_who_pass_one_after_the_other_are_put_right_one_after_the_other() -> None:
    """Who is in the second meeting is known only after the first is put right."""
    walkers = [walker(160, 100, 6), walker(160, 580, -6, 180, feet=380), walker(160, 1100, -6, 160, feet=370)]
    people = [np.column_stack([boxes, np.full(160, number)]) for number, boxes in enumerate(walkers)]
    first, second = 40, 84
    wrong = [
        np.vstack([people[0][:first], people[1][first:]]),
        np.vstack([people[1][:first], people[0][first:second], people[2][second:]]),
        np.vstack([people[2][:second], people[0][second:]]),
    ]
    for number, track in enumerate(follow_on(wrong)):
        assert (track[[0, 20, 60, 110, 159], 4] == number).all()


def passers_by(frames: int, seed: int) -> list[People]:
    """Six who walk to and fro on a stage, now and then unseen, and away for some seconds in turn."""
    random = np.random.default_rng(seed)
    tracks = []
    for number in range(6):
        x = 300 + 280 * np.sin(np.arange(frames) * random.uniform(0.01, 0.03) + random.uniform(0, 6))
        boxes = walker(frames, 0, 0, height=160.0 + 12 * number, feet=400.0 + 4 * number)
        boxes[:, [0, 2]] += x[:, None]
        boxes += random.normal(0, 1, boxes.shape)
        boxes[(random.random(frames) < 0.1) | ((np.arange(frames) + 70 * number) % 400 < 40)] = np.nan
        tracks.append(boxes)
    return seen(*tracks)


def test_who_is_who_does_not_hang_on_how_many_frames_are_compared_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(0)
    exchanged = 0
    for _ in range(20):
        tracks = []
        for number in range(6):
            steps = np.repeat(random.normal(0, 6, 20), 15)
            boxes = walker(300, 0, 0, height=170.0 + 10 * number) + random.normal(0, 1, (300, 4))
            boxes[:, [0, 2]] += 300 + np.cumsum(steps)[:, None]
            for first in random.integers(1, 280, 5):
                boxes[first : first + random.integers(1, 20)] = np.nan
            first = int(np.isfinite(boxes[:, 0]).argmax())
            tracks.append(Rows(first, np.column_stack([boxes, np.full(300, number)])[first:]))
        results = []
        for frames in (256, 3, 16):
            monkeypatch.setattr(meetings, "_LOOKED_AT", frames)
            results.append(untangled(tracks, FPS))
        for one, *others in zip(*results, strict=True):
            exchanged += len(np.unique(one.rows[np.isfinite(one.rows[:, 4]), 4])) > 1
            for other in others:
                np.testing.assert_array_equal(one.rows, other.rows)
    assert exchanged > 10


def test_following_shows_that_it_goes_on_and_takes_steps_and_memory_by_the_frame() -> None:
    steps, kept = [], []
    for frames in (300, 1200):
        beats = itertools.count()
        tracks = track_people(passers_by(frames, 2), FPS, partial(next, beats))
        steps.append(next(beats))
        kept.append(sum(len(track.boxes) for track in tracks))
        assert steps[-1] >= frames and kept[-1] <= 6 * frames
    assert steps[1] < 5 * steps[0] and kept[1] < 5 * kept[0]
