"""Smoothing along a track: what an estimator saw frame by frame, made one person before one camera.

Each smoothed value is where a straight line through its neighbours in time passes, fitted by least squares
with Gaussian weights (local linear regression; Fan and Gijbels, 1996). Such a line is the same weighted sum
for every kind of value, and is taken where it has a meaning: of positions; of a box's centre and the
logarithms of its sides; of rotations along geodesics of SO(3), as the mean of which no rotation away from it
has a rest (Karcher, 1977). It reaches equally far into past and future, so nothing lags; it keeps even motion
as it is, to the ends of a clip and at any frame rate.

Frames that are not valid are returned as they were. Times are presentation times in seconds, strictly
increasing.

Dimension names: frames F, joints J, shapes S, hands 2 (left, right).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

VERSION = 1
"""Raised with every change of the filters that can change a number."""

TIME_CONSTANT = 0.05
"""Seconds; the standard deviation of the weights. Of a movement to and fro twice a second 82% is left, of one
four times a second 45%; of noise from frame to frame, at 30 frames a second, 43%."""

REACH = 3.0
"""In TIME_CONSTANT; farther frames have no weight."""

LONGEST_GAP = 0.125
"""Seconds between two valid frames over which smoothing reaches where frames between them are not valid: two
of them at 30 frames a second. After a longer gap it begins anew."""

_STEPS = 3
"""Towards the mean of rotations; of neighbours a radian apart, three leave less than a thousandth of it."""


def smooth_boxes(
    boxes: Float[np.ndarray, "frames 4"], times: Float[np.ndarray, "frames"]
) -> Float[np.ndarray, "frames 4"]:
    """Boxes x0 y0 x1 y1 in pixels; a frame with a NaN has none, and keeps it.

    Raises ValueError for a box without area.
    """
    valid = np.isfinite(boxes).all(1)
    low, high = boxes[valid, :2], boxes[valid, 2:]
    if (high <= low).any():
        raise ValueError("boxes must be x0 y0 x1 y1, with x1 above x0 and y1 above y0")
    smoothed = _weights(valid, times) @ np.hstack([(low + high) / 2, np.log(high - low)])
    middle, half = smoothed[:, :2], np.exp(smoothed[:, 2:]) / 2
    return _with(boxes, valid, np.hstack([middle - half, middle + half]))


def smooth_positions(
    positions: Float[np.ndarray, "frames 3"],
    valid: Bool[np.ndarray, "frames"],
    times: Float[np.ndarray, "frames"],
) -> Float[np.ndarray, "frames 3"]:
    """Positions in any unit and axes: turned or moved before or after, the result is the same."""
    return _with(positions, valid, _weights(valid, times) @ positions[valid])


def smooth_rotations(
    rotvecs: Float[np.ndarray, "frames joints 3"],
    valid: Bool[np.ndarray, "frames"],
    times: Float[np.ndarray, "frames"],
) -> Float[np.ndarray, "frames joints 3"]:
    """Rotation vectors in radians, of any length; those returned have at most pi.

    Turned by any rotation from the left or the right, before or after, the result is the same. Only where a
    joint turns by half a turn within the reach of the weights is its way not known.
    """
    weights = _weights(valid, times)
    frame, other = np.nonzero(weights)
    smoothed = np.empty((len(weights), *rotvecs.shape[1:]))
    for joint in range(rotvecs.shape[1] if len(weights) else 0):
        seen = Rotation.from_rotvec(rotvecs[valid, joint].astype(np.float64))
        mean = seen
        for _ in range(_STEPS):
            apart = weights[frame, other, None] * (mean[frame].inv() * seen[other]).as_rotvec()
            rest = [np.bincount(frame, apart[:, axis], len(weights)) for axis in range(3)]
            mean = mean * Rotation.from_rotvec(np.column_stack(rest))
        smoothed[:, joint] = mean.as_rotvec()
    return _with(rotvecs, valid, smoothed)


def constant_shape(
    shape: Float[np.ndarray, "frames shapes"], valid: Bool[np.ndarray, "frames"]
) -> Float[np.ndarray, "frames shapes"]:
    """One shape in all valid frames: of each number the median, which a few wrong frames do not move."""
    return _with(shape, valid, np.median(shape[valid], axis=0) if valid.any() else shape[valid])


@dataclass(frozen=True)
class OneCamera:
    """A clip's bodies before one camera.

    turn is the rotation vector, in radians in the camera's axes, by which each body is turned about its root;
    0 where not valid.
    """

    K: Float[np.ndarray, "frames 3 3"]
    translation: Float[np.ndarray, "frames 3"]
    turn: Float[np.ndarray, "frames 3"]


def one_focal(
    K: Float[np.ndarray, "frames 3 3"],
    translation: Float[np.ndarray, "frames 3"],
    valid: Bool[np.ndarray, "frames"],
    size: tuple[int, int],
) -> OneCamera:
    """The same bodies before a camera of one focal length and principal point, seen as before.

    K is in pixels of a picture of `size` (width, height), without skew; translation in metres in the camera's
    axes (x right, y down, z ahead), ahead of it. The focal length is the median of those in valid frames, the
    principal point the middle of the picture; a clip that has one camera keeps it.

    A root at `translation` is seen at the same pixel: with f and c the old focal length and principal point,
    f' and c' the new ones, z' = z f'/f and x' = x + (c - c') z/f, so that an extent across the view keeps its
    size. The body is turned with the ray to its root, so that it shows the same side. What is left is
    perspective: a point that is d metres nearer than the root and e metres beside its ray, at s pixels a
    metre, moves by about s e d (1/z - 1/z') pixels, and by the squares of the rays' angles from the axis. Of
    bodies as SMPLer-X sees them (40 m away, boxes that vary by a tenth, anywhere in the picture), that is
    less than 1 pixel; without the turn it would be up to 4.
    """
    return _before(_one_camera(K, valid, size), K, translation, valid)


def smooth_surfaces(arrays: Mapping[str, np.ndarray], size: tuple[int, int]) -> dict[str, np.ndarray]:
    """A clip's bodies and hands smoothed: arrays by their names in poses.npz in, those of them that change
    out, in their types; size is (width, height) of the stored frame in pixels.

    Takes time, body_pose, body_shape, body_translation, camera_K, world_to_camera, body_surface_valid, and
    hand_pose, hand_shape, hand_translation, hand_camera_K, hand_surface_valid; arrays without frames are of
    nobody. Of a body with one shape for another the size in the picture changes too, as its height does.

    Raises ValueError where the camera changes from frame to frame and the body's world is not the camera's
    axes.
    """
    changed: dict[str, np.ndarray] = {}
    if len(arrays["body_pose"]) and arrays["body_surface_valid"].any():
        changed |= _smooth_body(arrays, size)
    if len(arrays["hand_pose"]) and arrays["hand_surface_valid"].any():
        changed |= _smooth_hands(arrays, size)
    return {name: array.astype(arrays[name].dtype) for name, array in changed.items()}


def _smooth_body(arrays: Mapping[str, np.ndarray], size: tuple[int, int]) -> dict[str, np.ndarray]:
    valid, times = arrays["body_surface_valid"], arrays["time"]
    camera = one_focal(arrays["camera_K"], arrays["body_translation"], valid, size)
    if camera.turn.any() and not np.allclose(arrays["world_to_camera"][valid], np.eye(4)):
        raise ValueError("bodies before a camera that changes must be in its axes: world_to_camera is not 1")
    pose = _turned(arrays["body_pose"], camera.turn, valid)
    return {
        "camera_K": camera.K,
        "body_shape": constant_shape(arrays["body_shape"], valid),
        "body_translation": smooth_positions(camera.translation, valid, times),
        "body_pose": smooth_rotations(pose, valid, times),
    }


def _smooth_hands(arrays: Mapping[str, np.ndarray], size: tuple[int, int]) -> dict[str, np.ndarray]:
    K, times, valid = arrays["hand_camera_K"], arrays["time"], arrays["hand_surface_valid"]
    one = _one_camera(K, valid.any(1), size)
    names = ("hand_shape", "hand_translation", "hand_pose")
    changed = {name: arrays[name].astype(np.float64) for name in names}
    # The pose is of a right hand, of which the left one is the mirror image: its turns are seen in it too.
    for hand, mirror in enumerate(([1, -1, -1], [1, 1, 1])):
        there = valid[:, hand]
        camera = _before(one, K, arrays["hand_translation"][:, hand], there)
        pose = _turned(arrays["hand_pose"][:, hand], camera.turn * mirror, there)
        changed["hand_shape"][:, hand] = constant_shape(arrays["hand_shape"][:, hand], there)
        changed["hand_translation"][:, hand] = smooth_positions(camera.translation, there, times)
        changed["hand_pose"][:, hand] = smooth_rotations(pose, there, times)
    return changed | {"hand_camera_K": _with(K, valid.any(1), one)}


def _weights(
    valid: Bool[np.ndarray, "frames"], times: Float[np.ndarray, "frames"]
) -> Float[np.ndarray, "valid valid"]:
    """What each valid frame's line takes of each valid frame: rows that sum up to 1, and whose sum of the
    times is the frame's own."""
    numbers = np.flatnonzero(valid)
    seen = times[numbers]
    begins = (np.diff(numbers, prepend=-1) > 1) & (np.diff(seen, prepend=-np.inf) > LONGEST_GAP)
    run = np.cumsum(begins)
    later = seen - seen[:, None]
    near = (np.abs(later) <= REACH * TIME_CONSTANT) & (run == run[:, None])
    weight = np.where(near, np.exp(-((later / TIME_CONSTANT) ** 2) / 2), 0.0)
    total, first, second = (np.sum(weight * later**power, 1, keepdims=True) for power in range(3))
    spread = total * second - first**2
    # A frame alone has no line, and is its own.
    line = weight * (second - first * later) / np.where(spread > 0, spread, 1)
    return np.where(spread > 0, line, np.eye(len(seen)))


def _one_camera(
    K: Float[np.ndarray, "frames 3 3"], valid: Bool[np.ndarray, "frames"], size: tuple[int, int]
) -> Float[np.ndarray, "3 3"]:
    """The camera of the whole clip."""
    seen = K[valid].astype(np.float64)
    if not len(seen):
        return np.eye(3)
    if np.ptp(seen, axis=0).max() <= 1e-6 * seen.max():
        return seen[0]
    focal = np.median(seen[:, [0, 1], [0, 1]], axis=0)
    return np.array([[focal[0], 0, size[0] / 2], [0, focal[1], size[1] / 2], [0, 0, 1]])


def _before(
    one: Float[np.ndarray, "3 3"],
    K: Float[np.ndarray, "frames 3 3"],
    translation: Float[np.ndarray, "frames 3"],
    valid: Bool[np.ndarray, "frames"],
) -> OneCamera:
    """What `one_focal` says, for the camera `one`."""
    place, focal = translation[valid].astype(np.float64), K[valid][:, [0, 1], [0, 1]]
    ray = place / place[:, 2:]
    pixel = np.einsum("fij,fj->fi", K[valid], ray)
    new_ray = pixel @ np.linalg.inv(one).T
    depth = place[:, 2] * np.sqrt(one[0, 0] * one[1, 1] / focal.prod(1))
    axis = np.cross(ray, new_ray)
    sine, cosine = np.linalg.norm(axis, axis=1), (ray * new_ray).sum(1)
    turn = axis * (np.arctan2(sine, cosine) / np.where(sine > 0, sine, 1))[:, None]
    return OneCamera(
        K=_with(K, valid, one),
        translation=_with(translation, valid, new_ray * depth[:, None]),
        turn=_with(np.zeros(translation.shape), valid, turn),
    )


def _turned(
    pose: Float[np.ndarray, "frames joints 3"],
    turn: Float[np.ndarray, "frames 3"],
    valid: Bool[np.ndarray, "frames"],
) -> Float[np.ndarray, "frames joints 3"]:
    """The poses with their roots, the first joints, turned."""
    turned = pose.astype(np.float64)
    root = Rotation.from_rotvec(turned[valid, 0])
    turned[valid, 0] = (Rotation.from_rotvec(turn[valid]) * root).as_rotvec()
    return turned


def _with(values: np.ndarray, valid: Bool[np.ndarray, "frames"], new: np.ndarray) -> np.ndarray:
    """The values as float64, with new ones in valid frames."""
    changed = values.astype(np.float64)
    changed[valid] = new
    return changed
