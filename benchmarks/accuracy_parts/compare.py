"""One sample of a dataset against the labels of its video, frame by frame.

Dimension names: frames, persons, points 133 (COCO-WholeBody), parts 4 (body, face, left hand, right hand),
hands 2 (left, right), sources 2 (landmarks, fit).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int

from benchmarks.accuracy_parts import measures
from benchmarks.accuracy_parts.body import HANDS, JAW, Fit, errors_3d
from benchmarks.accuracy_parts.measures import State, in_camera, part_state, pixels_per_metre
from renderers.mannequin.labels import Labels
from renderers.wholebody import BODY, FACE, FEET, LEFT_HAND, RIGHT_HAND

PARTS = {"body": BODY, "face": FACE, "left hand": LEFT_HAND, "right hand": RIGHT_HAND}

SEEN_SHARE = {"body": 0.25, "face": 0.5, "left hand": 0.7, "right hand": 0.7}
"""A part counts as seen where at least this share of its points is visible: of the body, the head alone."""

TIME_TOLERANCE = 0.002
"""Seconds. Timestamps are rounded to the file's time base."""


@dataclass(frozen=True)
class Truth:
    """A video's labels as arrays of frames and persons. A person who is not in a frame is outside the
    picture there: visibility 0, box 0.
    """

    time: Float[np.ndarray, "frames"]
    persons: Int[np.ndarray, "persons"]
    K: Float[np.ndarray, "frames 3 3"]
    world_to_camera: Float[np.ndarray, "frames 4 4"]
    keypoints_2d: Float[np.ndarray, "frames persons 133 2"]
    keypoints_3d: Float[np.ndarray, "frames persons 133 3"]
    visibility: Int[np.ndarray, "frames persons 133"]
    box: Float[np.ndarray, "frames persons 4"]
    hand_blur: Float[np.ndarray, "frames persons 2"]
    jaw_open: Float[np.ndarray, "frames persons"]
    height: Float[np.ndarray, "persons"]
    """Metres, standing."""

    def at(self, frames: Int[np.ndarray, "some"]) -> Truth:
        """The truth of those frames."""
        rows = {
            field.name: getattr(self, field.name)[frames]
            for field in fields(self)
            if field.name not in ("persons", "height")
        }
        return Truth(**rows, persons=self.persons, height=self.height)


@dataclass(frozen=True)
class Comparison:
    """What was found in each frame of some samples, and how far it is from the truth.

    Everything is about the person followed: the one whose points are nearest to the found ones, or where no
    body was found, the one with the largest box. `followed` is that person's number, -1 where nobody is in
    the picture. `error` is in shares of the person's height for body and feet, of the distance between the
    eyes' outer corners for the face, of the palm for a hand; NaN for what was not found. `turn` is in
    degrees, `movement` in short sides of the frame per second, `tremble` in shares of the height per frame
    squared. blur_palms and blur_pixels say how far the hand moves during the exposure.

    The errors in metres are those of `body.Errors3D`. fit_error is to the fitted body's keypoints what
    `error` is to the found ones, and fit_pixels the same in pixels of the stored frame; NaN where there is no
    surface, for a hand also where the surface's is not valid. true_height is in metres, standing; fit_size is
    the fitted body's height over it, fit_distance its hips' distance from the camera over the true distance.
    """

    video: Int[np.ndarray, "frames"]
    clip: Int[np.ndarray, "frames"]
    people: Int[np.ndarray, "frames"]
    followed: Int[np.ndarray, "frames"]
    turn: Float[np.ndarray, "frames"]
    found: Bool[np.ndarray, "frames 4"]
    state: Int[np.ndarray, "frames 4"]
    visibility: Int[np.ndarray, "frames 133"]
    error: Float[np.ndarray, "frames 133"]
    tremble: Float[np.ndarray, "frames"]
    body_metres: Float[np.ndarray, "frames 2"]
    body_scaled_metres: Float[np.ndarray, "frames 2"]
    body_aligned_metres: Float[np.ndarray, "frames 2"]
    body_jitter: Float[np.ndarray, "frames 2"]
    hand_metres: Float[np.ndarray, "frames 2 2"]
    hand_aligned_metres: Float[np.ndarray, "frames 2 2"]
    fit_valid: Bool[np.ndarray, "frames"]
    fit_error: Float[np.ndarray, "frames 133"]
    fit_pixels: Float[np.ndarray, "frames 133"]
    true_height: Float[np.ndarray, "frames"]
    fit_size: Float[np.ndarray, "frames"]
    fit_distance: Float[np.ndarray, "frames"]
    jaw_open: Float[np.ndarray, "frames"]
    true_jaw_open: Float[np.ndarray, "frames"]
    sharpness: Float[np.ndarray, "frames 2"]
    sharpness_raw: Float[np.ndarray, "frames 2"]
    blur_palms: Float[np.ndarray, "frames 2"]
    blur_pixels: Float[np.ndarray, "frames 2"]
    movement: Float[np.ndarray, "frames 2 2"]
    true_movement: Float[np.ndarray, "frames 2 2"]

    def __len__(self) -> int:
        return len(self.video)

    def where(self, rows: Bool[np.ndarray, "frames"]) -> Comparison:
        """Some of the frames."""
        return Comparison(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def joined(parts: Sequence[Comparison]) -> Comparison:
    """The frames of all, one after the other."""
    return Comparison(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(Comparison)
        }
    )


def truth_of(labels: Labels) -> Truth:
    """The labels, whose rows are frames and persons, as arrays."""
    frames, row_of = np.unique(labels.frame, return_index=True)
    persons = np.unique(labels.person)
    frame, person = np.searchsorted(frames, labels.frame), np.searchsorted(persons, labels.person)

    def spread(values: np.ndarray, missing: float) -> np.ndarray:
        spread_out = np.full((len(frames), len(persons), *values.shape[1:]), missing, values.dtype)
        spread_out[frame, person] = values
        return spread_out

    heights = [measures.standing_height(labels.keypoints_3d[labels.person == number]) for number in persons]
    return Truth(
        time=labels.time[row_of],
        persons=persons,
        K=labels.K[row_of],
        world_to_camera=labels.world_to_camera[row_of],
        keypoints_2d=spread(labels.keypoints_2d, np.nan),
        keypoints_3d=spread(labels.keypoints_3d, np.nan),
        visibility=spread(labels.visibility, 0),
        box=spread(labels.box, 0.0),
        hand_blur=spread(labels.hand_blur, np.nan),
        jaw_open=spread(labels.face[:, JAW], np.nan),
        height=np.array(heights),
    )


def compare(
    poses: Mapping[str, np.ndarray],
    fit: Fit,
    truth: Truth,
    *,
    stored_size: tuple[int, int],
    video_size: tuple[int, int],
    video: int,
    clip: int,
) -> Comparison:
    """A sample's arrays (`shards.schema.POSES`) and the body fitted in it against the truth of its video,
    frames matched by presentation time. Sizes are (width, height); `video` and `clip` are numbers to tell
    them apart by. Raises ValueError for a frame that has no label.
    """
    truth = truth.at(_frames_at(truth.time, poses["time"]))
    rows = np.arange(len(truth.time))
    to_video = np.array(video_size) / np.array(stored_size)
    found = poses["keypoints"].astype(float) * to_video
    valid = np.column_stack([poses["body_valid"], poses["face_valid"], poses["hand_valid"]])
    followed = _followed(found, valid[:, 0], truth)
    states = {
        name: part_state(truth.visibility[..., points], SEEN_SHARE[name]) for name, points in PARTS.items()
    }
    everyone = np.stack(list(states.values()), -1)

    nobody = followed < 0
    keypoints_2d, keypoints_3d = truth.keypoints_2d[rows, followed], truth.keypoints_3d[rows, followed]
    visibility = np.where(nobody[:, None], 0, truth.visibility[rows, followed])
    units = _units(keypoints_3d, truth, followed)
    known = (poses["confidence"] > 0) & ~nobody[:, None]
    off = (found - keypoints_2d) / units[..., None]
    error = np.where(known, np.linalg.norm(off, axis=-1), np.nan)
    upper = np.arange(133) < BODY.stop
    true_height = np.where(nobody, np.nan, truth.height[followed])
    in_view = in_camera(keypoints_3d, truth.world_to_camera)
    fit_off = fit.keypoints_2d * to_video - keypoints_2d
    fitted = _fitted_points(fit) & ~nobody[:, None]
    blur = np.where(nobody[:, None], np.nan, truth.hand_blur[rows, followed])
    palms = np.stack([units[:, points.start] for points in HANDS], 1)
    return Comparison(
        video=np.full(len(rows), video),
        clip=np.full(len(rows), clip),
        people=(everyone[..., 0] > State.OUTSIDE).sum(1),
        followed=np.where(nobody, -1, truth.persons[followed]),
        turn=measures.turn_to_camera(keypoints_3d, truth.world_to_camera),
        found=valid,
        state=np.where(nobody[:, None], State.OUTSIDE, everyone[rows, followed]),
        visibility=visibility,
        error=error,
        tremble=measures.acceleration_error(off, known & (visibility == 2) & upper),
        **asdict(errors_3d(poses, fit, in_view, visibility >= 1)),
        fit_valid=fit.valid,
        fit_error=np.where(fitted, np.linalg.norm(fit_off / units[..., None], axis=-1), np.nan),
        fit_pixels=np.where(fitted, np.linalg.norm(fit_off / to_video, axis=-1), np.nan),
        true_height=true_height,
        fit_size=_fitted_height(fit) / true_height,
        fit_distance=np.where(nobody, np.nan, _distance(fit.keypoints_3d) / _distance(in_view)),
        jaw_open=fit.jaw_open,
        true_jaw_open=np.where(nobody, np.nan, truth.jaw_open[rows, followed]),
        sharpness=poses["sharpness"].astype(float),
        sharpness_raw=poses["sharpness_raw"].astype(float),
        blur_palms=blur / palms,
        blur_pixels=blur,
        movement=poses["movement"].astype(float),
        true_movement=_true_movement(truth, followed, min(video_size)),
    )


def _frames_at(
    labelled: Float[np.ndarray, "labelled"], times: Float[np.ndarray, "frames"]
) -> Int[np.ndarray, "frames"]:
    nearest = np.abs(times[:, None] - labelled).argmin(1)
    off = np.abs(labelled[nearest] - times)
    if (off > TIME_TOLERANCE).any():
        raise ValueError(
            f"the frame at {times[off.argmax()]} s has no label: the nearest is {off.max()} s off"
        )
    return nearest


def _followed(
    found: Float[np.ndarray, "frames 133 2"], body_found: Bool[np.ndarray, "frames"], truth: Truth
) -> Int[np.ndarray, "frames"]:
    """Place among the persons; -1 where nobody is in the picture."""
    inside = truth.visibility[..., BODY] >= 1
    hips = truth.keypoints_3d[:, :, 11:13]
    seen = pixels_per_metre(hips, truth.K[:, None], truth.world_to_camera[:, None])
    nearest = measures.nearest_person(
        found[:, BODY], truth.keypoints_2d[:, :, BODY], inside, seen * truth.height
    )
    sides = truth.box[..., 2:] - truth.box[..., :2]
    area = np.where(inside.any(-1), sides.prod(-1), -1.0)
    return np.where(nearest < 0, -1, np.where(body_found, nearest, area.argmax(1)))


def _units(
    keypoints: Float[np.ndarray, "frames 133 3"], truth: Truth, followed: Int[np.ndarray, "frames"]
) -> Float[np.ndarray, "frames 133"]:
    """In how many pixels each point's error is counted: height, distance of the eyes, or palm."""

    def seen(points: slice) -> Float[np.ndarray, "frames"]:
        return pixels_per_metre(keypoints[:, points], truth.K, truth.world_to_camera)

    units = np.empty(keypoints.shape[:2])
    units[:, BODY.start : FEET.stop] = (truth.height[followed] * seen(slice(11, 13)))[:, None]
    units[:, FACE] = (measures.eye_distance(keypoints) * seen(FACE))[:, None]
    for hand in HANDS:
        units[:, hand] = (measures.palm_length(keypoints[:, hand]) * seen(hand))[:, None]
    return units


def _fitted_points(fit: Fit) -> Bool[np.ndarray, "frames 133"]:
    """Which keypoints of the fitted body stand for something that was seen."""
    fitted = np.broadcast_to(fit.valid[:, None], fit.keypoints_2d.shape[:2]).copy()
    for side, points in enumerate(HANDS):
        fitted[:, points] &= fit.hand_valid[:, side, None]
    return fitted


def _fitted_height(fit: Fit) -> Float[np.ndarray, "frames"]:
    """Of the clip's one body, in metres; NaN where there is no surface."""
    if not fit.valid.any():
        return np.full(len(fit.valid), np.nan)
    return np.where(fit.valid, measures.standing_height(fit.keypoints_3d[fit.valid]), np.nan)


def _distance(in_view: Float[np.ndarray, "frames 133 3"]) -> Float[np.ndarray, "frames"]:
    """From the camera to the middle of the hips, in metres."""
    return np.linalg.norm(measures.middle(in_view, "hip"), axis=-1)


def _true_movement(
    truth: Truth, followed: Int[np.ndarray, "frames"], short_side: float
) -> Float[np.ndarray, "frames 2 2"]:
    """Of each hand since the frame before, in short sides per second; NaN in the first frame."""
    movement = np.full((len(followed), 2, 2), np.nan)
    rows = np.arange(1, len(followed))
    person = followed[1:]
    for side, points in enumerate(HANDS):
        hand = truth.keypoints_2d[:, :, points]
        movement[1:, side] = (hand[rows, person] - hand[rows - 1, person]).mean(1)
    seconds = np.diff(truth.time, prepend=np.nan)[:, None, None]
    return np.where(followed[:, None, None] < 0, np.nan, movement / seconds / short_side)
