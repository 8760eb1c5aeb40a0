"""How far a found pose is from the true one, in units of the person's own body: pure functions of arrays.

Lengths on the body are taken in 3D and seen at the body's distance, so that neither foreshortening nor the
edge of the picture changes the unit.

Dimension names: frames, persons, points 133 (COCO-WholeBody) or some of them.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import roma
import torch
from jaxtyping import Bool, Float, Int
from scipy import stats

from renderers.wholebody import FACE, NAMES

_AT = {name: number for number, name in enumerate(NAMES)}

_CHAIN_SHARE = 0.887
"""Ankle to knee to hip, middle of the hips to middle of the shoulders, and on to the middle of the ears, as a
share of the standing height: within 1% of this on Anny's bodies, short and tall, of both sexes."""

_OUTER_EYE_CORNERS = (FACE.start + 36, FACE.start + 45)
_WRIST, _MIDDLE_KNUCKLE = 0, 9

FEWEST_ALIGNED = 6
"""An alignment to fewer points would say little of the pose."""


class State(IntEnum):
    """Whether a part of the body can be seen in the picture."""

    OUTSIDE = 0
    """None of its points lies in the picture."""
    HIDDEN = 1
    """Some of its points lie in the picture, but too few of them are visible."""
    SEEN = 2


def part_state(visibility: Int[np.ndarray, "*rows points"], share: float) -> Int[np.ndarray, "*rows"]:
    """The State of a part whose points are outside (0), occluded (1) or visible (2): it is seen if at least
    that share of its points is visible.
    """
    seen = (visibility == 2).mean(-1) >= share
    inside = (visibility >= 1).any(-1)
    return np.where(seen, State.SEEN, np.where(inside, State.HIDDEN, State.OUTSIDE))


def standing_height(keypoints: Float[np.ndarray, "frames 133 3"]) -> float:
    """The person's height in metres, from the lengths of legs, trunk and neck, whatever the pose; the median
    of the frames.
    """
    legs = [
        _length(keypoints, f"{side}_{lower}", f"{side}_{upper}")
        for side in ("left", "right")
        for lower, upper in (("ankle", "knee"), ("knee", "hip"))
    ]
    hips, shoulders, ears = (middle(keypoints, part) for part in ("hip", "shoulder", "ear"))
    trunk = np.linalg.norm(hips - shoulders, axis=-1) + np.linalg.norm(shoulders - ears, axis=-1)
    return float(np.median(sum(legs) / 2 + trunk) / _CHAIN_SHARE)


def middle(keypoints: Float[np.ndarray, "*rows 133 axes"], part: str) -> Float[np.ndarray, "*rows axes"]:
    """The middle between the left and the right point of that name."""
    return (keypoints[..., _AT[f"left_{part}"], :] + keypoints[..., _AT[f"right_{part}"], :]) / 2


def _length(keypoints: Float[np.ndarray, "*rows 133 3"], one: str, other: str) -> Float[np.ndarray, "*rows"]:
    return np.linalg.norm(keypoints[..., _AT[one], :] - keypoints[..., _AT[other], :], axis=-1)


def palm_length(hand: Float[np.ndarray, "*rows 21 3"]) -> Float[np.ndarray, "*rows"]:
    """From the wrist to the middle finger's knuckle, in the points' units."""
    return np.linalg.norm(hand[..., _MIDDLE_KNUCKLE, :] - hand[..., _WRIST, :], axis=-1)


def eye_distance(keypoints: Float[np.ndarray, "*rows 133 3"]) -> Float[np.ndarray, "*rows"]:
    """Between the outer corners of the eyes (the inter-ocular distance of 300-W), in the points' units."""
    right, left = _OUTER_EYE_CORNERS
    return np.linalg.norm(keypoints[..., left, :] - keypoints[..., right, :], axis=-1)


def pixels_per_metre(
    points: Float[np.ndarray, "*rows points 3"],
    K: Float[np.ndarray, "*rows 3 3"],
    world_to_camera: Float[np.ndarray, "*rows 4 4"],
) -> Float[np.ndarray, "*rows"]:
    """How large a metre across the line of sight is seen at the points' mean distance."""
    depth = in_camera(points.mean(-2, keepdims=True), world_to_camera)[..., 0, 2]
    return (K[..., 0, 0] + K[..., 1, 1]) / 2 / depth


def in_camera(
    points: Float[np.ndarray, "*rows points 3"], world_to_camera: Float[np.ndarray, "*rows 4 4"]
) -> Float[np.ndarray, "*rows points 3"]:
    """World points in the camera's axes: x right, y down, z into the scene; metres."""
    rotation, shift = world_to_camera[..., :3, :3], world_to_camera[..., :3, 3]
    return points @ np.swapaxes(rotation, -1, -2) + shift[..., None, :]


def turn_to_camera(
    keypoints: Float[np.ndarray, "*rows 133 3"], world_to_camera: Float[np.ndarray, "*rows 4 4"]
) -> Float[np.ndarray, "*rows"]:
    """Angle in degrees, 0 to 180, between where the trunk faces and where the camera is, both seen from
    above (z is up): 0 is frontal, 90 from the side, 180 from behind.
    """
    to_left = sum(
        keypoints[..., _AT[f"left_{part}"], :2] - keypoints[..., _AT[f"right_{part}"], :2]
        for part in ("shoulder", "hip")
    )
    facing = np.stack([to_left[..., 1], -to_left[..., 0]], -1)
    rotation, shift = world_to_camera[..., :3, :3], world_to_camera[..., :3, 3]
    camera = -np.einsum("...ji,...j->...i", rotation, shift)
    trunk = (middle(keypoints, "shoulder") + middle(keypoints, "hip")) / 2
    towards = (camera - trunk)[..., :2]
    across = facing[..., 0] * towards[..., 1] - facing[..., 1] * towards[..., 0]
    return np.degrees(np.abs(np.arctan2(across, (facing * towards).sum(-1))))


def nearest_person(
    found: Float[np.ndarray, "frames points 2"],
    truth: Float[np.ndarray, "frames persons points 2"],
    inside: Bool[np.ndarray, "frames persons points"],
    heights: Float[np.ndarray, "frames persons"],
) -> Int[np.ndarray, "frames"]:
    """Which person's points lie nearest to the found ones in each frame: the mean distance over the points
    in the picture, as a share of that person's height in pixels. -1 where nobody is in the picture.
    """
    distance = np.linalg.norm(found[:, None] - truth, axis=-1) / heights[..., None]
    counts = inside.sum(-1)
    mean = np.where(inside, distance, 0.0).sum(-1) / np.maximum(counts, 1)
    mean = np.where(counts > 0, mean, np.inf)
    return np.where(np.isfinite(mean).any(-1), mean.argmin(-1), -1)


def switches(followed: Int[np.ndarray, "frames"]) -> int:
    """How often the person followed changes; frames with -1, nobody, are passed over."""
    known = followed[followed >= 0]
    return int((known[1:] != known[:-1]).sum())


def joint_error(
    found: Float[np.ndarray, "frames points 3"],
    truth: Float[np.ndarray, "frames points 3"],
    used: Bool[np.ndarray, "frames points"],
) -> Float[np.ndarray, "frames"]:
    """Mean distance over the points used, in their units; NaN for fewer than FEWEST_ALIGNED."""
    distance = np.where(used, np.linalg.norm(found - truth, axis=-1), 0.0)
    counts = used.sum(-1)
    return np.where(counts >= FEWEST_ALIGNED, distance.sum(-1) / np.maximum(counts, 1), np.nan)


def scaled_joint_error(
    found: Float[np.ndarray, "frames points 3"],
    truth: Float[np.ndarray, "frames points 3"],
    used: Bool[np.ndarray, "frames points"],
) -> Float[np.ndarray, "frames"]:
    """`joint_error` after the scale about the origin that brings the points used nearest to the truth."""
    source, target = (np.where(used[..., None], points, 0.0) for points in (found, truth))
    own = (source * source).sum((1, 2))
    scale = np.divide((source * target).sum((1, 2)), own, out=np.zeros(len(found)), where=own > 0)
    return joint_error(scale[:, None, None] * source, target, used)


def aligned_joint_error(
    found: Float[np.ndarray, "frames points 3"],
    truth: Float[np.ndarray, "frames points 3"],
    used: Bool[np.ndarray, "frames points"],
) -> Float[np.ndarray, "frames"]:
    """`joint_error` after the shift, rotation and scale that bring the points used nearest to the truth
    (Procrustes; no mirroring): what is left is the error of the pose alone.
    """
    error = np.full(len(found), np.nan)
    rows = (used.sum(-1) >= FEWEST_ALIGNED) & np.isfinite(found).all((-1, -2))
    if not rows.any():
        return error
    source, target = torch.from_numpy(found[rows].astype(float)), torch.from_numpy(truth[rows].astype(float))
    weights = torch.from_numpy(used[rows].astype(float))
    rotation, shift, scale = roma.rigid_points_registration(source, target, weights, compute_scaling=True)
    moved = scale[:, None, None] * source @ rotation.transpose(-1, -2) + shift[:, None]
    error[rows] = joint_error(moved.numpy(), truth[rows], used[rows])
    return error


def acceleration_error(
    error: Float[np.ndarray, "frames points axes"], used: Bool[np.ndarray, "frames points"]
) -> Float[np.ndarray, "frames"]:
    """How much the points tremble: mean length of the second difference over time of the error vectors,
    given in any unit, which is that of the result per frame squared. Where a point is not used in the frame
    before, this one and the next, it is left out; NaN where no point is left.
    """
    tremble = np.full(error.shape[:2], np.nan)
    if len(error) >= 3:
        both = used[:-2] & used[1:-1] & used[2:]
        second = np.linalg.norm(error[2:] - 2 * error[1:-1] + error[:-2], axis=-1)
        tremble[1:-1] = np.where(both, second, np.nan)
    return mean_of(tremble)


def mean_of(values: Float[np.ndarray, "*rows points"]) -> Float[np.ndarray, "*rows"]:
    """Mean along the last axis of what is not NaN; NaN where nothing is."""
    known = ~np.isnan(values)
    counts = known.sum(-1)
    return np.where(counts > 0, np.where(known, values, 0.0).sum(-1) / np.maximum(counts, 1), np.nan)


def rank_correlation(one: Float[np.ndarray, "values"], other: Float[np.ndarray, "values"]) -> float:
    """Spearman's, over the pairs without NaN. NaN for fewer than three pairs, or where either side has one
    value only."""
    known = ~(np.isnan(one) | np.isnan(other))
    one, other = one[known], other[known]
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(stats.spearmanr(one, other).statistic)


def rank_correlation_within(
    one: Float[np.ndarray, "values"], other: Float[np.ndarray, "values"], group: Int[np.ndarray, "values"]
) -> float:
    """Mean over the groups of each group's own rank correlation; groups that have none are left out."""
    own = [rank_correlation(one[group == number], other[group == number]) for number in np.unique(group)]
    return float(mean_of(np.array(own, float)))
