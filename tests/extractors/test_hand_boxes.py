"""Boxes around hands, hands that are not there, and hands whose names were exchanged, on simulated people."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float
from numpy.typing import ArrayLike

from extractors.hand_boxes import (
    BoxRule,
    SideKeeper,
    hand_boxes,
    hands_exchanged,
    suppress_phantoms,
)
from renderers.wholebody import LEFT_HAND, RIGHT_HAND

ELBOWS, WRISTS = [7, 8], [9, 10]

FOREARM = 100.0

FINGERS = np.array(
    [
        (0, 0),
        *(
            (joint * (finger - 2) * 0.05 + (finger - 2) * 0.04, 0.3 + 0.1 * joint)
            for finger in range(5)
            for joint in range(4)
        ),
    ]
)
"""A flat hand that points down from its wrist, in forearms."""

Points = Float[np.ndarray, "133 2"]
Confidence = Float[np.ndarray, "133"]


def person(left: ArrayLike, right: ArrayLike) -> tuple[Points, Confidence]:
    """Keypoints of a person with wrists at these places, in forearms; all are sure."""
    keypoints = np.zeros((133, 2), np.float32)
    keypoints[[5, 6]] = [(0.5, -2), (-0.5, -2)]
    for side, (hand, wrist) in enumerate(((LEFT_HAND, left), (RIGHT_HAND, right))):
        keypoints[WRISTS[side]] = wrist
        keypoints[ELBOWS[side]] = np.array(wrist) - (0, 1)
        keypoints[hand] = np.array(wrist) + FINGERS * ([1, 1] if side else [-1, 1])
    return keypoints * np.float32(FOREARM) + 500, np.full(133, 0.9, np.float32)


def without_wrists(confidence: Confidence) -> Confidence:
    """Nothing is known of the arms."""
    hidden = confidence.copy()
    hidden[WRISTS + ELBOWS] = 0.1
    return hidden


@pytest.mark.parametrize(("rule", "least", "too_low"), [("realisdance", 0.3, 0.29), ("hamer", 0.51, 0.5)])
def test_a_box_is_around_the_points_that_its_rule_counts(rule: BoxRule, least: float, too_low: float) -> None:
    keypoints = np.random.default_rng(0).uniform(0, 100, (133, 2)).astype(np.float32)
    confidence = np.full(133, too_low, np.float32)
    assert np.isnan(hand_boxes(keypoints, confidence, rule)).all()
    left, right = slice(LEFT_HAND.start, LEFT_HAND.start + 4), slice(RIGHT_HAND.start, RIGHT_HAND.start + 3)
    confidence[left] = confidence[right] = least
    boxes = hand_boxes(keypoints, confidence, rule)
    np.testing.assert_array_equal(boxes[0], [*keypoints[left].min(0), *keypoints[left].max(0)])
    assert np.isnan(boxes[1]).all()


def test_points_in_one_place_make_no_box() -> None:
    assert np.isnan(hand_boxes(np.ones((133, 2), np.float32), np.ones(133, np.float32), "hamer")).all()


def test_hands_of_arms_are_kept() -> None:
    keypoints, confidence = person((0.8, 0), (-0.8, 0))
    assert suppress_phantoms(keypoints, confidence) == (True, True)
    confidence[LEFT_HAND] = 0.2
    assert suppress_phantoms(keypoints, confidence) == (False, True)
    assert suppress_phantoms(keypoints, np.zeros(133, np.float32)) == (False, False)


@pytest.mark.parametrize("phantom", [0, 1])
@given(noise=st.integers(0, 1000), hidden=st.booleans(), apart=st.floats(0.55, 4))
@settings(max_examples=40, deadline=None)
def test_of_two_hands_on_one_the_one_of_the_arm_is_kept(
    phantom: int, noise: int, hidden: bool, apart: float
) -> None:
    keypoints, confidence = person((apart / 2, 0), (-apart / 2, 0))
    hands = (LEFT_HAND, RIGHT_HAND)
    moved = np.random.default_rng(noise).normal(0, 0.04 * FOREARM, (21, 2))
    keypoints[hands[phantom]] = keypoints[hands[1 - phantom]] + moved
    # Networks are often surer of the wrong one.
    confidence[hands[1 - phantom]] = 0.6
    if hidden:
        confidence[WRISTS[phantom]] = 0.1
    expected = (phantom != 0, phantom != 1)
    assert suppress_phantoms(keypoints, confidence) == expected


def test_a_hand_on_the_other_is_known_with_a_point_far_off_or_fingers_mixed_up() -> None:
    keypoints, confidence = person((0.4, 0), (-0.4, 0))
    keypoints[LEFT_HAND] = keypoints[RIGHT_HAND]
    keypoints[LEFT_HAND.stop - 1] += (0.5 * FOREARM, 0.5 * FOREARM)
    assert suppress_phantoms(keypoints, confidence) == (False, True)
    fingers = keypoints[RIGHT_HAND.start + 1 : RIGHT_HAND.stop]
    keypoints[LEFT_HAND.start + 1 : LEFT_HAND.stop] = np.roll(fingers, 10, axis=0)
    assert suppress_phantoms(keypoints, confidence) == (False, True)


@pytest.mark.parametrize("surer", [0, 1])
def test_of_two_hands_on_one_the_surer_is_kept_where_arms_do_not_tell(surer: int) -> None:
    keypoints, confidence = person((0.8, 0), (-0.8, 0))
    keypoints[LEFT_HAND] = keypoints[RIGHT_HAND] + 3
    confidence[(LEFT_HAND, RIGHT_HAND)[1 - surer]] = 0.7
    kept = (surer == 0, surer == 1)
    assert suppress_phantoms(keypoints, without_wrists(confidence)) == kept
    # Both as far from wrists that are elsewhere, but not so far that they are no hands.
    keypoints[WRISTS] = keypoints[RIGHT_HAND.start] + np.array([(70, 0), (-70, 0)])
    assert suppress_phantoms(keypoints, confidence) == kept


def test_hands_that_touch_are_both_kept() -> None:
    # Palms together, seen from the side: all points are on each other, and so are the wrists.
    assert suppress_phantoms(*person((0.05, 0), (-0.05, 0))) == (True, True)
    # Side by side: the boxes overlap.
    keypoints, confidence = person((0.2, 0), (-0.2, 0))
    assert suppress_phantoms(keypoints, without_wrists(confidence)) == (True, True)
    # Clasped fingers: the points overlap, the wrists are apart.
    keypoints, confidence = person((0.45, 0), (-0.45, 0))
    for side, hand in enumerate((LEFT_HAND, RIGHT_HAND)):
        across = FINGERS[:, ::-1] * ([1, 1] if side else [-1, 1])
        keypoints[hand] = keypoints[WRISTS[side]] + FOREARM * across
    assert suppress_phantoms(keypoints, confidence) == (True, True)
    assert suppress_phantoms(keypoints, without_wrists(confidence)) == (True, True)


@given(x=st.floats(-1, 1), y=st.floats(-1, 1), noise=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_true_hands_are_kept_wherever_they_are(x: float, y: float, noise: int) -> None:
    keypoints, confidence = person((x, y), (0, 0))
    keypoints += np.random.default_rng(noise).normal(0, 0.04 * FOREARM, (133, 2)).astype(np.float32)
    assert suppress_phantoms(keypoints, confidence) == (True, True)


def test_a_hand_far_from_its_arm_is_none() -> None:
    keypoints, confidence = person((0.8, 0), (-0.8, 0))
    keypoints[LEFT_HAND] += (1.3 * FOREARM, 0)
    assert suppress_phantoms(keypoints, confidence) == (False, True)
    confidence[WRISTS[0]] = 0.4
    assert suppress_phantoms(keypoints, confidence) == (True, True)


def test_only_the_hands_are_exchanged() -> None:
    numbers = np.arange(133)
    exchanged = hands_exchanged(numbers)
    assert exchanged[:91].tolist() == list(range(91))
    assert exchanged[LEFT_HAND].tolist() == list(range(112, 133))
    np.testing.assert_array_equal(hands_exchanged(exchanged), numbers)
    two = np.stack([numbers, -numbers], 1)
    np.testing.assert_array_equal(hands_exchanged(two)[:, 1], -exchanged)


def judged(track: list[tuple[Points, Confidence]]) -> list[bool]:
    """What is told of each frame of one clip."""
    keeper = SideKeeper()
    return [keeper.keep(*frame) for frame in track]


def walked(
    left: Float[np.ndarray, "frames 2"], right: Float[np.ndarray, "frames 2"], noise: int
) -> list[tuple[Points, Confidence]]:
    """A track of a person, whose points are seen to a few hundredths of a forearm."""
    random = np.random.default_rng(noise)
    frames = [person(*wrists) for wrists in zip(left, right, strict=True)]
    return [
        (keypoints + random.normal(0, 0.03 * FOREARM, (133, 2)).astype(np.float32), confidence)
        for keypoints, confidence in frames
    ]


def exchanged_at(
    track: list[tuple[Points, Confidence]], wrong: list[bool]
) -> list[tuple[Points, Confidence]]:
    """The track with the hands' names exchanged in some frames; the arms keep theirs."""
    return [
        (hands_exchanged(frame[0]), hands_exchanged(frame[1])) if is_wrong else frame
        for frame, is_wrong in zip(track, wrong, strict=True)
    ]


def swinging(
    frames: int, apart: float
) -> tuple[Float[np.ndarray, "frames 2"], Float[np.ndarray, "frames 2"]]:
    """Two hands that go up and down, at least so many forearms apart."""
    phase = np.linspace(0, 6, frames)
    left = np.stack([apart / 2 + 0.3 * np.sin(phase) ** 2, np.sin(2 * phase)], 1)
    return left, np.stack([-apart / 2 - 0.2 * np.cos(phase) ** 2, np.cos(2 * phase)], 1)


@given(
    wrong=st.lists(st.booleans(), min_size=30, max_size=30),
    noise=st.integers(0, 1000),
    apart=st.floats(0.5, 2),
)
@settings(max_examples=30, deadline=None)
def test_exchanged_names_are_told_by_the_arms(wrong: list[bool], noise: int, apart: float) -> None:
    track = walked(*swinging(30, apart), noise)
    assert judged(exchanged_at(track, wrong)) == wrong


@given(
    wrong=st.lists(st.booleans(), min_size=60, max_size=60),
    noise=st.integers(0, 1000),
    apart=st.floats(0.6, 2),
)
@settings(max_examples=30, deadline=None)
def test_exchanged_names_are_told_by_where_the_hands_were(
    wrong: list[bool], noise: int, apart: float
) -> None:
    """Where nothing is known of the arms, the first frame's names are taken for the true ones."""
    wrong[0] = False
    track = walked(*swinging(60, apart), noise)
    track = [(keypoints, without_wrists(confidence)) for keypoints, confidence in track]
    assert judged(exchanged_at(track, wrong)) == wrong


@given(frames=st.integers(3, 40), noise=st.integers(0, 1000), height=st.floats(-0.5, 0.5))
@settings(max_examples=40, deadline=None)
def test_hands_that_cross_keep_their_names_at_any_speed(frames: int, noise: int, height: float) -> None:
    left = np.stack([np.linspace(1, -1, frames), np.full(frames, height)], 1)
    track = walked(left, left * [-1, -1], noise)
    assert not any(judged(track))


@given(frames=st.integers(25, 60), noise=st.integers(0, 1000), height=st.floats(-0.5, 0.5))
@settings(max_examples=40, deadline=None)
def test_hands_that_cross_slowly_keep_their_names_without_arms(
    frames: int, noise: int, height: float
) -> None:
    left = np.stack([np.linspace(1, -1, frames), np.full(frames, height)], 1)
    track = walked(left, left * [-1, -1], noise)
    assert not any(judged([(keypoints, without_wrists(confidence)) for keypoints, confidence in track]))


def test_a_hand_alone_is_told_too() -> None:
    track = walked(*swinging(20, 1.0), 0)
    wrong = [number % 3 == 1 for number in range(20)]
    for _, confidence in track:
        confidence[LEFT_HAND] = 0
        confidence[WRISTS[0]] = 0
    assert judged(exchanged_at(track, wrong)) == wrong


def test_what_is_told_hangs_on_earlier_frames_alone() -> None:
    track = exchanged_at(walked(*swinging(20, 1.0), 0), [number % 4 > 1 for number in range(20)])
    whole = judged(track)
    assert [judged(track[:count])[-1] for count in range(1, 21)] == whole


def test_frames_without_hands_forget_them_in_time() -> None:
    (hands, arms) = person((0.5, 0), (-0.5, 0))
    unseen = np.zeros(133, np.float32)
    hidden = without_wrists(arms)
    swapped = (hands_exchanged(hands), hidden)
    for gap, remembered in ((5, True), (40, False)):
        told = judged([(hands, hidden), *[(hands, unseen)] * gap, swapped])
        assert told[-1] is remembered and not any(told[:-1])
