"""The 3D body of a sample against the truth: that of the extractor's raw landmarks, and that of the body
model fitted to them, measured alike.

Dimension names: frames, points 133 (COCO-WholeBody), joints 12 (JOINTS_3D), hands 2 (left, right), sources 2
(landmarks, fit).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from benchmarks.accuracy_parts import measures
from benchmarks.accuracy_parts.measures import in_camera, middle
from extractors.mediapipe_wholebody import BODY_FROM_POSE
from renderers.body_models.anny import AnnyBody
from renderers.body_models.interface import BodyParameters
from renderers.mannequin.pose import FACE_ACTIONS
from renderers.wholebody import LEFT_HAND, NAMES, RIGHT_HAND
from shards.schema import BODY_PARAMETERS

JOINTS_3D = tuple(range(5, 17))
"""Shoulders, elbows, wrists, hips, knees and ankles: the points that mean the same in MediaPipe's 3D body, in
the fitted one's keypoints and in the labels."""

HANDS = (LEFT_HAND, RIGHT_HAND)
JAW = FACE_ACTIONS.index("jaw_open")

_LEFT_HIP, _RIGHT_HIP = (BODY_FROM_POSE[NAMES.index(f"{side}_hip")] for side in ("left", "right"))


@dataclass(frozen=True)
class Fit:
    """A fitted body's keypoints: keypoints_3d in metres in the camera's axes, keypoints_2d in pixels of the
    stored frame; how far its jaw is open, in [0, 1]. NaN where there is no surface. hand_valid says where the
    surface's hand is one that was seen.
    """

    keypoints_3d: Float[np.ndarray, "frames 133 3"]
    keypoints_2d: Float[np.ndarray, "frames 133 2"]
    jaw_open: Float[np.ndarray, "frames"]
    valid: Bool[np.ndarray, "frames"]
    hand_valid: Bool[np.ndarray, "frames 2"]


@dataclass(frozen=True)
class Errors3D:
    """Errors in metres (jitter: metres per frame squared), NaN where a source has nothing or too little of
    the person is in the picture. Bodies have the hips' middles put on each other; are scaled besides; or are
    aligned by the best shift, rotation and scale. Hands have the wrists put on each other, or are aligned.
    """

    body_metres: Float[np.ndarray, "frames 2"]
    body_scaled_metres: Float[np.ndarray, "frames 2"]
    body_aligned_metres: Float[np.ndarray, "frames 2"]
    body_jitter: Float[np.ndarray, "frames 2"]
    hand_metres: Float[np.ndarray, "frames 2 2"]
    hand_aligned_metres: Float[np.ndarray, "frames 2 2"]


def no_fit(frames: int) -> Fit:
    """That of a preset that fits no body."""
    return Fit(
        keypoints_3d=np.full((frames, len(NAMES), 3), np.nan),
        keypoints_2d=np.full((frames, len(NAMES), 2), np.nan),
        jaw_open=np.full(frames, np.nan),
        valid=np.zeros(frames, bool),
        hand_valid=np.zeros((frames, 2), bool),
    )


def fit_of(poses: Mapping[str, np.ndarray]) -> Fit:
    """The body in a sample's arrays (`shards.schema.POSES`), as a reader would draw it. Only Anny's keypoints
    are known; another model's body counts as none."""
    fit = no_fit(len(poses["body_surface_valid"]))
    rows = np.flatnonzero(poses["body_surface_valid"])
    if str(poses["body_model"][0]) != AnnyBody.name or not len(rows):
        return fit
    parameters = BodyParameters(*(poses[name][rows] for name in BODY_PARAMETERS))
    seen = in_camera(_anny().keypoints(parameters), poses["world_to_camera"][rows])
    projected = seen @ np.swapaxes(poses["camera_K"][rows], 1, 2)
    fit.keypoints_3d[rows] = seen
    fit.keypoints_2d[rows] = projected[..., :2] / projected[..., 2:]
    fit.jaw_open[rows] = parameters.expression[:, JAW]
    fit.valid[rows] = True
    fit.hand_valid[rows] = poses["hand_surface_valid"][rows]
    return fit


@functools.cache
def _anny() -> AnnyBody:
    return AnnyBody()


def errors_3d(
    poses: Mapping[str, np.ndarray],
    fit: Fit,
    truth: Float[np.ndarray, "frames 133 3"],
    in_picture: Bool[np.ndarray, "frames 133"],
) -> Errors3D:
    """Both sources against the true keypoints, in metres in the true camera's axes. Joints count that lie in
    the picture; a hand counts whole where it was found.
    """
    joints = list(JOINTS_3D)
    landmarks = poses["body_landmarks"].astype(float)
    landmarks = landmarks - landmarks[:, [_LEFT_HIP, _RIGHT_HIP]].mean(1, keepdims=True)
    true_joints = _from_hips(truth)
    bodies = (
        (landmarks[:, [BODY_FROM_POSE[joint] for joint in joints]], poses["body_valid"]),
        (_from_hips(fit.keypoints_3d), fit.valid),
    )
    errors: dict[str, list[np.ndarray]] = {name: [] for name in Errors3D.__dataclass_fields__}
    for found, valid in bodies:
        used = in_picture[:, joints] & valid[:, None]
        errors["body_metres"].append(measures.joint_error(found, true_joints, used))
        errors["body_scaled_metres"].append(measures.scaled_joint_error(found, true_joints, used))
        errors["body_aligned_metres"].append(measures.aligned_joint_error(found, true_joints, used))
        errors["body_jitter"].append(measures.acceleration_error(found - true_joints, used))
    true_hands = _hands(truth)
    hands = (
        (poses["hand_landmarks"].astype(float), poses["hand_valid"]),
        (_hands(fit.keypoints_3d), poses["hand_valid"] & fit.hand_valid),
    )
    for found, valid in hands:
        used = np.broadcast_to((valid & in_picture.any(1)[:, None])[..., None], found.shape[:3])
        for name, measure in (
            ("hand_metres", _error_from_wrist),
            ("hand_aligned_metres", measures.aligned_joint_error),
        ):
            sides = [measure(found[:, hand], true_hands[:, hand], used[:, hand]) for hand in range(2)]
            errors[name].append(np.stack(sides, 1))
    return Errors3D(**{name: np.stack(both, -1) for name, both in errors.items()})


def _from_hips(keypoints: Float[np.ndarray, "frames 133 3"]) -> Float[np.ndarray, "frames 12 3"]:
    return keypoints[:, list(JOINTS_3D)] - middle(keypoints, "hip")[:, None]


def _hands(keypoints: Float[np.ndarray, "frames 133 3"]) -> Float[np.ndarray, "frames 2 21 3"]:
    return np.stack([keypoints[:, hand] for hand in HANDS], 1)


def _error_from_wrist(
    found: Float[np.ndarray, "frames 21 3"],
    truth: Float[np.ndarray, "frames 21 3"],
    used: Bool[np.ndarray, "frames 21"],
) -> Float[np.ndarray, "frames"]:
    return measures.joint_error(found - found[:, :1], truth - truth[:, :1], used)
