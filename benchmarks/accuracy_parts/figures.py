"""What is reported of a set of frames: rates and errors from comparisons with the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from benchmarks.accuracy_parts.compare import PARTS, Comparison
from benchmarks.accuracy_parts.measures import (
    State,
    mean_of,
    rank_correlation,
    rank_correlation_within,
    switches,
)
from renderers.wholebody import BODY, FACE, FEET, LEFT_HAND, RIGHT_HAND

MISPLACED = 1.0
"""A found hand whose points are on average a palm off is on something else than the hand."""

SLOWEST_MOVEMENT = 0.1
"""Short sides per second. Below, the relative error of a movement says little."""

_NUMBER_OF = {name: number for number, name in enumerate(PARTS)}
_HANDS = [_NUMBER_OF["left hand"], _NUMBER_OF["right hand"]]
_FACE = _NUMBER_OF["face"]


@dataclass(frozen=True)
class Share:
    """How many of how many."""

    part: int
    whole: int

    @property
    def value(self) -> float:
        """In [0, 1]; NaN of none."""
        return self.part / self.whole if self.whole else float("nan")


def found_rate(frames: Comparison, part: str, state: State) -> Share:
    """In how many of the frames in which the part is in that state it was found. `hands` counts both."""
    numbers = _HANDS if part == "hands" else [_NUMBER_OF[part]]
    there = frames.state[:, numbers] == state
    return Share(int((there & frames.found[:, numbers]).sum()), int(there.sum()))


def correct_share(frames: Comparison, limit: float) -> Share:
    """PCK: the visible points of the 17 of found bodies whose error is at most `limit` of the height."""
    error = _errors(frames, BODY, visibility=2)
    return Share(int((error <= limit).sum()), int((~np.isnan(error)).sum()))


def mean_error(frames: Comparison, points: slice, visibility: int = 2) -> float:
    """Mean error of the points of found parts that are visible (2), occluded (1) or outside (0)."""
    return float(mean_of(_errors(frames, points, visibility).ravel()))


def hand_errors(frames: Comparison) -> Float[np.ndarray, "found"]:
    """For each seen and found hand the mean error of its visible points, in palms."""
    errors = _hand_errors(frames)
    return errors[~np.isnan(errors)]


def misplaced_hands(frames: Comparison) -> Share:
    """Seen and found hands whose points are not on the hand."""
    errors = hand_errors(frames)
    return Share(int((errors > MISPLACED).sum()), len(errors))


@dataclass(frozen=True)
class Pair:
    """A measure of the extractor's raw landmarks, and of the body fitted to them; NaN of nothing."""

    landmarks: float
    fit: float


def paired(values: Float[np.ndarray, "*rows 2"]) -> Pair:
    """Both means over the rows in which both sources have a value, so that a fit is not judged by the frames
    that it gave up; where no body was fitted at all, the landmarks' mean is of theirs."""
    values = values.reshape(-1, 2)
    known = ~np.isnan(values)
    rows = known.all(1) if known[:, 1].any() else known[:, 0]
    return Pair(*mean_of(values[rows].T).tolist())


@dataclass(frozen=True)
class Fitted:
    """The fitted body over some frames. surfaces: of the frames in which a body is in the picture and found;
    hands: of the seen and found hands. body_pixels, hand_pixels: mean distance of its visible keypoints, of
    the 17 and of its valid hands, from the true ones, in pixels of the stored frame; body and hand: in shares
    of height and palm. size and distance are medians over the true ones. jaw: rank correlation over the
    jaw_frames with a seen and found face; jaw_within: within a video; jaw_error: mean absolute difference.
    """

    surfaces: Share
    hands: Share
    body: float
    body_pixels: float
    hand: float
    hand_pixels: float
    size: float
    distance: float
    jaw_frames: int
    jaw: float
    jaw_within: float
    jaw_error: float


def fitted(frames: Comparison) -> Fitted:
    """Of all these frames."""
    found = (frames.state[:, 0] > State.OUTSIDE) & frames.found[:, 0]
    hands = (frames.state[:, _HANDS] == State.SEEN) & frames.found[:, _HANDS]
    hand_errors = _of_hands(frames, frames.fit_error)
    with_face = (frames.state[:, _FACE] == State.SEEN) & frames.found[:, _FACE] & frames.fit_valid
    jaw, true_jaw = frames.jaw_open[with_face], frames.true_jaw_open[with_face]
    return Fitted(
        surfaces=Share(int((found & frames.fit_valid).sum()), int(found.sum())),
        hands=Share(int((hands & ~np.isnan(hand_errors)).sum()), int(hands.sum())),
        body=float(mean_of(_where_visible(frames, frames.fit_error, BODY).ravel())),
        body_pixels=float(mean_of(_where_visible(frames, frames.fit_pixels, BODY).ravel())),
        hand=float(mean_of(hand_errors[hands])),
        hand_pixels=float(mean_of(_of_hands(frames, frames.fit_pixels)[hands])),
        size=median_of(frames.fit_size[found]),
        distance=median_of(frames.fit_distance[found]),
        jaw_frames=len(jaw),
        jaw=rank_correlation(jaw, true_jaw),
        jaw_within=rank_correlation_within(jaw, true_jaw, frames.video[with_face]),
        jaw_error=float(mean_of(np.abs(jaw - true_jaw))),
    )


@dataclass(frozen=True)
class Following:
    """How steadily the clips follow one person: changes of person, and in how many of the frames with a found
    body it is the person whom the clip follows most."""

    clips: int
    switches: int
    on_main: Share


def following(frames: Comparison) -> Following:
    """Over the clips in which more than one person is in the picture at some time."""
    changes, main, total, clips = 0, 0, 0, 0
    for clip in np.unique(frames.clip):
        own = frames.where(frames.clip == clip)
        if own.people.max() < 2:
            continue
        followed = own.followed[own.found[:, 0]]
        clips += 1
        changes += switches(followed)
        main += int(np.unique(followed, return_counts=True)[1].max(initial=0))
        total += len(followed)
    return Following(clips, changes, Share(main, total))


@dataclass(frozen=True)
class HandMotion:
    """Rank correlations over seen, found and rightly placed hands, of all videos together and within each
    video and side; and the movement's median relative error where the hand moves.
    """

    hands: int
    sharpness: float
    sharpness_within: float
    sharpness_raw: float
    sharpness_raw_within: float
    movement: float
    movement_within: float
    movement_error: float


def hand_motion(frames: Comparison) -> HandMotion:
    """Sharpness against how far the hand moves during the exposure, in palms (the raw one: in pixels), and
    movement against that of the labels."""
    placed = _hand_errors(frames) <= MISPLACED
    group = np.broadcast_to(frames.video[:, None] * 2 + np.arange(2), placed.shape)[placed]
    speed = np.linalg.norm(frames.movement, axis=-1)
    true_speed = np.linalg.norm(frames.true_movement, axis=-1)
    off = np.linalg.norm(frames.movement - frames.true_movement, axis=-1)
    relative = (off[placed] / true_speed[placed])[true_speed[placed] >= SLOWEST_MOVEMENT]
    pairs = (
        (frames.sharpness, frames.blur_palms),
        (frames.sharpness_raw, frames.blur_pixels),
        (speed, true_speed),
    )
    overall = [rank_correlation(one[placed], other[placed]) for one, other in pairs]
    within = [rank_correlation_within(one[placed], other[placed], group) for one, other in pairs]
    return HandMotion(
        int(placed.sum()),
        overall[0],
        within[0],
        overall[1],
        within[1],
        overall[2],
        within[2],
        median_of(relative),
    )


def median_of(values: Float[np.ndarray, "*rows"]) -> float:
    """Of what is not NaN; NaN of nothing."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _errors(frames: Comparison, points: slice, visibility: int) -> Float[np.ndarray, "frames points"]:
    return _where_visible(frames, frames.error, points, visibility)


def _where_visible(
    frames: Comparison, values: Float[np.ndarray, "frames 133"], points: slice, visibility: int = 2
) -> Float[np.ndarray, "frames points"]:
    return np.where(frames.visibility[:, points] == visibility, values[:, points], np.nan)


def _of_hands(frames: Comparison, values: Float[np.ndarray, "frames 133"]) -> Float[np.ndarray, "frames 2"]:
    """Means over the visible points of each hand; NaN for one that is not seen."""
    means = [mean_of(_where_visible(frames, values, hand)) for hand in (LEFT_HAND, RIGHT_HAND)]
    return np.where(frames.state[:, _HANDS] == State.SEEN, np.stack(means, 1), np.nan)


def _hand_errors(frames: Comparison) -> Float[np.ndarray, "frames 2"]:
    return _of_hands(frames, frames.error)


@dataclass(frozen=True)
class Figures:
    """What a row of the tables says of its frames. Errors are means over visible points of found parts;
    units as in Comparison, the 3D errors in millimetres (jitter: per frame squared).
    """

    frames: int
    body_found: Share
    face_found: Share
    hands_found: Share
    hidden_hands_found: Share
    pck_05: Share
    pck_10: Share
    body: float
    body_occluded: float
    feet: float
    tremble: float
    face: float
    hand_mean: float
    hand_median: float
    misplaced_hands: Share
    body_mm: Pair
    body_scaled_mm: Pair
    body_aligned_mm: Pair
    jitter_mm: Pair
    hand_mm: Pair
    hand_aligned_mm: Pair
    fitted: Fitted
    following: Following
    hand_motion: HandMotion


def figures(frames: Comparison) -> Figures:
    """Everything that the tables report of these frames."""
    hands = hand_errors(frames)
    seen = frames.state[:, _HANDS] == State.SEEN
    return Figures(
        frames=len(frames),
        body_found=found_rate(frames, "body", State.SEEN),
        face_found=found_rate(frames, "face", State.SEEN),
        hands_found=found_rate(frames, "hands", State.SEEN),
        hidden_hands_found=found_rate(frames, "hands", State.HIDDEN),
        pck_05=correct_share(frames, 0.05),
        pck_10=correct_share(frames, 0.1),
        body=mean_error(frames, BODY),
        body_occluded=mean_error(frames, BODY, visibility=1),
        feet=mean_error(frames, FEET),
        tremble=float(mean_of(frames.tremble)),
        face=mean_error(frames, FACE),
        hand_mean=float(mean_of(hands)),
        hand_median=median_of(hands),
        misplaced_hands=misplaced_hands(frames),
        body_mm=paired(1000 * frames.body_metres),
        body_scaled_mm=paired(1000 * frames.body_scaled_metres),
        body_aligned_mm=paired(1000 * frames.body_aligned_metres),
        jitter_mm=paired(1000 * frames.body_jitter),
        hand_mm=paired(1000 * frames.hand_metres[seen]),
        hand_aligned_mm=paired(1000 * frames.hand_aligned_metres[seen]),
        fitted=fitted(frames),
        following=following(frames),
        hand_motion=hand_motion(frames),
    )
