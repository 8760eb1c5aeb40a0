"""Fits Anny to one person over a clip: a first pose in closed form, the camera, then two refinements of the
whole clip, between which the body's own proportions are taken over.

Dimension names: frames F, points 133 (COCO-WholeBody), landmarks 33 (body) or 21 (hand), hands 2 (left,
right), parts 8 (as in the dataset: trunk, head, arms, legs, hands), joints 104 (Anny's bones).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from extractors.anny_fit.camera import FOCAL_PRIOR, WORLD_TO_CAMERA, find_focal, place
from extractors.anny_fit.refine import Observed, Refined, View, refine
from extractors.anny_fit.rig import SHAPED, STANDARD, FitRig, fit_rig
from extractors.anny_fit.start import Landmarks, Start, first_pose
from extractors.interface import FOUND_CONFIDENCE
from renderers.body_models.anny import PHENOTYPES
from renderers.body_models.interface import BodyParameters
from renderers.mannequin.keypoints import keypoint_places
from renderers.mannequin.person import FACIAL_ACTIONS, Shape
from renderers.wholebody import BODY, BODY_PARTS, FACE, FEET, LEFT_HAND, RIGHT_HAND

MAX_BODY_ERROR, MAX_HAND_ERROR = 0.06, 0.35
"""A surface is valid if the median of its found keypoints is seen no further from them than this: shares of
the person's extent in the picture, of the hand's extent. A hand is not valid either where the arm's wrist is
further from the hand's own than the hand is large."""

_SHAPE_STEPS, _POSE_STEPS = 60, 120
_FRAMES_FOR_ALL_STEPS, _LEAST_SHARE = 36, 0.4
"""A step takes as long for few frames as for many. So clips of fewer frames get fewer steps, that the fit
takes no longer than MediaPipe did, but not fewer than this share."""

_LANDMARK_BLUR = 1.5
"""Frames by which the landmarks that the first pose is made of are smoothed: the refinement starts there."""

_SIGMA_BODY, _SIGMA_FINE = 0.015, 0.008
"""Standard deviations of keypoints of the body, and of face and hands, as shares of the person's extent."""

_UPPER_FACE = [*range(23, 26), *range(37, 40), *range(40, 71)]
"""Points of the face that do not move with the jaw."""

_HANDS = (LEFT_HAND, RIGHT_HAND)
_WRISTS = (9, 10)
_BEFORE = [0 if joint % 4 == 1 else joint - 1 for joint in range(1, 21)]
"""For each joint of a hand after the wrist, the one that its bone comes from."""
_SHORTEST = 1e-4
"""Metres of a hand's bone."""

_PARTS = tuple(points for part, points in BODY_PARTS.items() if not part.endswith("_hand"))
"""Keypoints of trunk, head, arms and legs: the parts before the hands, which are judged in their own way."""

_BODY_PAIRS: tuple[tuple[int, int, int, int], ...] = (
    *((5, 7, 11, 13), (7, 9, 13, 15), (6, 8, 12, 14), (8, 10, 14, 16)),
    *((11, 13, 23, 25), (13, 15, 25, 27), (12, 14, 24, 26), (14, 16, 26, 28)),
    *((5, 6, 11, 12), (11, 12, 23, 24), (11, 5, 23, 11), (12, 6, 24, 12)),
    *((19, 17, 29, 31), (22, 20, 30, 32), (3, 4, 7, 8), (3, 0, 7, 0), (4, 0, 8, 0)),
)
"""Two keypoints whose direction is looked at, and MediaPipe's numbers of them."""


@dataclass(frozen=True)
class SeenPerson:
    """What an extractor saw of one person over a clip, as in the dataset: keypoints in pixels of a picture of
    `size` (width, height), landmarks in metres in camera axes, time in seconds, increasing."""

    time: Float[np.ndarray, "frames"]
    keypoints: Float[np.ndarray, "frames 133 2"]
    confidence: Float[np.ndarray, "frames 133"]
    body_valid: Bool[np.ndarray, "frames"]
    hand_valid: Bool[np.ndarray, "frames 2"]
    body_landmarks: Float[np.ndarray, "frames 33 3"]
    body_visibility: Float[np.ndarray, "frames 33"]
    hand_landmarks: Float[np.ndarray, "frames 2 21 3"]
    size: tuple[int, int]

    def at(self, frames: Int[np.ndarray, "some"]) -> SeenPerson:
        """What was seen in some of the frames."""
        arrays = {
            field.name: getattr(self, field.name)[frames] for field in fields(self) if field.name != "size"
        }
        return SeenPerson(**arrays, size=self.size)


@dataclass(frozen=True)
class FittedBody:
    """Anny's parameters in every frame of a clip, NaN where valid is False, with one shape for all of them.

    part_valid says whether enough of a part was seen for its pose to mean something; hand_valid whether a
    hand was found and the surface's lies on it. K is in pixels of the picture; world_to_camera is the same in
    all frames, as the camera is taken to be the world's origin.
    """

    parameters: BodyParameters
    valid: Bool[np.ndarray, "frames"]
    part_valid: Bool[np.ndarray, "frames 8"]
    hand_valid: Bool[np.ndarray, "frames 2"]
    K: Float[np.ndarray, "frames 3 3"]
    world_to_camera: Float[np.ndarray, "frames 4 4"]


def fit_body(seen: SeenPerson, on_step: Callable[[], object] = lambda: None) -> FittedBody:
    """The body that is seen. On one thread it takes less time than MediaPipe did, unless there are very few
    frames; `on_step` is called all along.

    Frames in which nobody was found, or whose numbers span no body, have none.
    """
    found, landmarks = _usable(seen)
    if not len(found):
        return _nobody(seen)
    threads = torch.get_num_threads()
    # How a sum is spread over threads changes its last bits, and small sums are no faster for it.
    torch.set_num_threads(1)
    try:
        rig, refined = _fit(seen.at(found), landmarks, on_step)
    finally:
        torch.set_num_threads(threads)
    return _fitted(seen, found, landmarks.hand_valid, rig, refined)


def _usable(seen: SeenPerson) -> tuple[Int[np.ndarray, "found"], Landmarks]:
    """The frames that a first pose can be made of, and their landmarks."""
    finite = [
        np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
        for array in (
            *(seen.body_landmarks, seen.body_visibility, seen.confidence),
            np.where(seen.confidence[..., None] > 0, seen.keypoints, 0.0),
        )
    ]
    found = np.flatnonzero(seen.body_valid & np.all(finite, axis=0))
    landmarks = _landmarks(seen.at(found))
    if not len(found):
        return found, landmarks
    with np.errstate(invalid="ignore", divide="ignore"):
        start = first_pose(standard_rig(), landmarks)
    # Landmarks that lie on a line, or all in one place, have no axes.
    spans = np.isfinite(start.rotations).all((1, 2, 3)) & np.isfinite(start.angles).all(1)
    return (found, landmarks) if spans.all() else (found[spans], _landmarks(seen.at(found[spans])))


def _fit(seen: SeenPerson, landmarks: Landmarks, on_step: Callable[[], object]) -> tuple[FitRig, Refined]:
    standard = standard_rig()
    start = first_pose(standard, landmarks)
    extent = _extent(seen)
    observed = _observed(seen, landmarks, extent)
    view = _first_view(standard, start, observed, extent)
    share = float(np.clip(len(seen.time) / _FRAMES_FOR_ALL_STEPS, _LEAST_SHARE, 1.0))
    first = refine(standard, start, view, observed, round(share * _SHAPE_STEPS), True, on_step)
    rig = fit_rig(_shape(first), may_change=False)
    start = first_pose(rig, landmarks)
    return rig, refine(rig, start, first.view, observed, round(share * _POSE_STEPS), False, on_step)


@functools.cache
def standard_rig() -> FitRig:
    """What every fit begins with; made once."""
    return fit_rig(STANDARD)


def _shape(refined: Refined) -> Shape:
    """The phenotypes found, kept within what Anny knows."""
    found = dict(zip(SHAPED, refined.shape, strict=True))
    values = [getattr(STANDARD, name) + found.get(name, 0.0) for name in PHENOTYPES]
    gender, age, muscle, weight, height, proportions = np.clip(values, 0.02, 0.98).round(4).tolist()
    return Shape(gender, age, muscle, weight, height, proportions)


def _landmarks(seen: SeenPerson) -> Landmarks:
    """The landmarks in world axes, smoothed in time."""
    with np.errstate(invalid="ignore"):
        bones = np.linalg.norm(seen.hand_landmarks[:, :, 1:] - seen.hand_landmarks[:, :, _BEFORE], axis=-1)
    # A hand whose bones have no length has no directions.
    hand_valid = seen.hand_valid & (bones > _SHORTEST).all(2) & np.isfinite(seen.hand_landmarks).all((2, 3))
    hands = np.where(hand_valid[..., None, None], seen.hand_landmarks, 0.0)
    share = np.maximum(_blurred(hand_valid.astype(float)), 1e-6)[..., None, None]
    return Landmarks(
        body=_blurred(seen.body_landmarks @ WORLD_TO_CAMERA),
        hands=_blurred(hands @ WORLD_TO_CAMERA) / share,
        hand_valid=hand_valid,
    )


def _blurred(values: np.ndarray) -> np.ndarray:
    return gaussian_filter1d(values.astype(float), _LANDMARK_BLUR, axis=0, mode="nearest")


def _extent(seen: SeenPerson) -> float:
    """How large the person is in the picture: the median diagonal of what is found of the body, in pixels."""
    found = (seen.confidence[:, BODY] >= FOUND_CONFIDENCE)[..., None]
    points = seen.keypoints[:, BODY]
    high = np.where(found, points, -np.inf).max(1)
    low = np.where(found, points, np.inf).min(1)
    diagonals = np.linalg.norm(high - low, axis=1)[found.any((1, 2))]
    return max(float(np.median(diagonals)) if len(diagonals) else 0.0, 0.05 * max(seen.size))


def _observed(seen: SeenPerson, landmarks: Landmarks, extent: float) -> Observed:
    confidence = seen.confidence.astype(float)
    weights = np.zeros_like(confidence)
    weights[:, BODY] = confidence[:, BODY] ** 2
    weights[:, FEET] = 0.5 * confidence[:, FEET] ** 2
    weights[:, _UPPER_FACE] = 0.25 * confidence[:, _UPPER_FACE]
    sigma = np.full_like(confidence, _SIGMA_BODY * extent)
    sigma[:, FACE] = _SIGMA_FINE * extent
    pairs = [pair[:2] for pair in _BODY_PAIRS]
    body = seen.body_landmarks
    ends = [(body[:, first], body[:, second]) for _, _, first, second in _BODY_PAIRS]
    both = [seen.body_visibility[:, pair[2]] * seen.body_visibility[:, pair[3]] for pair in _BODY_PAIRS]
    direction_weights = [0.3 + 0.7 * visible for visible in both]
    for hand, points in enumerate(_HANDS):
        valid = landmarks.hand_valid[:, hand]
        weights[:, points] = 0.5 * confidence[:, points] * valid[:, None]
        sigma[:, points] = _SIGMA_FINE * extent
        for joint, before in enumerate(_BEFORE, start=1):
            pairs.append((points.start + before, points.start + joint))
            ends.append((seen.hand_landmarks[:, hand, before], seen.hand_landmarks[:, hand, joint]))
            direction_weights.append(0.3 * valid)
    along = np.stack([second - first for first, second in ends], axis=1)
    length = np.linalg.norm(along, axis=-1, keepdims=True)
    directions = np.where(length > 1e-6, along / np.maximum(length, 1e-6), 0.0)
    steps = np.diff(seen.time)
    step = float(np.median(steps)) if len(steps) else 1.0
    follows = steps <= 1.5 * step
    return Observed(
        pixels=np.where(weights[..., None] > 0, seen.keypoints - np.array(seen.size) / 2, 0.0),
        sigma=sigma,
        weights=weights,
        pairs=np.array(pairs),
        directions=np.nan_to_num(directions),
        direction_weights=np.stack(direction_weights, axis=1),
        smooth=(follows[1:] & follows[:-1]).astype(float),
        step=step,
        long_side=float(max(seen.size)),
    )


def _first_view(rig: FitRig, start: Start, observed: Observed, extent: float) -> View:
    """Where a person in the first pose is seen as the keypoints say, under the likeliest focal length."""
    with torch.no_grad():
        local = rig.local(torch.as_tensor(start.rotations).float(), torch.as_tensor(start.angles).float())
        points = rig.keypoints(local, rig.heads, rig.points).double().numpy()
    trunk_and_limbs = slice(5, 17)
    seen = (
        points[:, trunk_and_limbs] @ WORLD_TO_CAMERA.T,
        observed.pixels[:, trunk_and_limbs],
        np.maximum(observed.weights[:, trunk_and_limbs], 1e-3),
    )
    focal = find_focal(*seen, observed.long_side, _SIGMA_BODY * extent)
    where = place(*seen, focal)
    where[:, 2] = np.maximum(where[:, 2], 0.3)
    return View(where, focal)


def _fitted(
    seen: SeenPerson,
    found: Int[np.ndarray, "found"],
    hand_found: Bool[np.ndarray, "found 2"],
    rig: FitRig,
    refined: Refined,
) -> FittedBody:
    fitted = _nobody(seen)
    parts = seen.at(found)
    pixels = refined.view.focal * refined.points[..., :2] / refined.points[..., 2:] + np.array(seen.size) / 2
    error = np.linalg.norm(pixels - parts.keypoints, axis=-1)
    sure = parts.confidence >= FOUND_CONFIDENCE
    inside = ((parts.keypoints >= 0) & (parts.keypoints <= seen.size)).all(-1)
    fitted.valid[found] = _median_error(error[:, BODY], sure[:, BODY]) < MAX_BODY_ERROR * _extent(parts)
    for part, numbers in enumerate(_PARTS):
        fitted.part_valid[found, part] = (sure & inside)[:, numbers].mean(1) > 0.5
    for hand, points in enumerate(_HANDS):
        extent = np.ptp(parts.keypoints[:, points], axis=1).max(1)
        near = _median_error(error[:, points], sure[:, points]) < MAX_HAND_ERROR * extent
        apart = parts.keypoints[:, points.start] - parts.keypoints[:, _WRISTS[hand]]
        on_arm = (np.linalg.norm(apart, axis=1) < extent) | ~sure[:, _WRISTS[hand]]
        fitted.hand_valid[found, hand] = hand_found[:, hand] & near & on_arm
    fitted.hand_valid[~fitted.valid] = False
    fitted.part_valid[:, len(_PARTS) :] = fitted.hand_valid
    fitted.part_valid[~fitted.valid] = False
    kept = fitted.valid[found]
    rows, parameters = found[kept], fitted.parameters
    parameters.pose[rows] = 0.0
    vectors = Rotation.from_matrix(refined.local.reshape(-1, 3, 3)).as_rotvec()
    parameters.pose[np.ix_(rows, rig.used)] = vectors.reshape(len(found), len(rig.used), 3)[kept]
    parameters.shape[rows] = [getattr(rig.shape, name) for name in PHENOTYPES]
    parameters.expression[rows] = 0.0
    parameters.expression[rows, _JAW] = _jaw(parts, rig, refined)[kept]
    parameters.translation[rows] = refined.view.place[kept] @ WORLD_TO_CAMERA
    fitted.K[:, [0, 1], [0, 1]] = refined.view.focal
    return fitted


_JAW = tuple(FACIAL_ACTIONS).index("jaw_open")


def _median_error(
    error: Float[np.ndarray, "frames points"], sure: Bool[np.ndarray, "frames points"]
) -> Float[np.ndarray, "frames"]:
    """Of the points that are found; infinite where none is."""
    error = np.where(sure, error, np.nan)
    error[~sure.any(1)] = np.inf
    return np.nanmedian(error, axis=1)


def _jaw(seen: SeenPerson, rig: FitRig, refined: Refined) -> Float[np.ndarray, "frames"]:
    """How far the jaw is open, in [0, 1]: as far as parts the middles of the inner lips as they are seen.

    The action parts them in a straight line, so two pictures of the model, shut and open, are enough.
    """
    upper, lower = FACE.start + 62, FACE.start + 66
    moved = keypoint_places(rig.person).actions[_JAW][[upper, lower]]
    head = _turned(rig, refined.local, "head")
    shut = refined.points[:, [upper, lower]]
    wide = shut + np.einsum("fij,pj->fpi", WORLD_TO_CAMERA @ head, moved)
    gap_shut, gap_wide = (
        np.diff(refined.view.focal * points[..., :2] / points[..., 2:], axis=1)[:, 0]
        for points in (shut, wide)
    )
    gap = seen.keypoints[:, lower] - seen.keypoints[:, upper]
    more = gap_wide - gap_shut
    share = ((gap - gap_shut) * more).sum(1) / np.maximum((more * more).sum(1), 1e-6)
    is_seen = seen.confidence[:, upper] >= FOUND_CONFIDENCE
    return np.where(is_seen, np.clip(share, 0.0, 1.0), 0.0)


def _turned(rig: FitRig, local: np.ndarray, bone: str) -> Float[np.ndarray, "frames 3 3"]:
    """A bone's rotation in the world."""
    number = rig.person.bone(bone)
    turned = np.broadcast_to(np.eye(3), (len(local), 3, 3))
    place_of = {int(used): place for place, used in enumerate(rig.used)}
    while number >= 0:
        turned = local[:, place_of[number]] @ turned
        number = rig.person.parents[number]
    return turned


def _nobody(seen: SeenPerson) -> FittedBody:
    """No body in any frame; the camera's focal length is the commonest."""
    frames, (width, height) = len(seen.time), seen.size
    focal = FOCAL_PRIOR * max(seen.size)
    world_to_camera = np.eye(4)
    world_to_camera[:3, :3] = WORLD_TO_CAMERA
    missing = np.float32(np.nan)
    return FittedBody(
        parameters=BodyParameters(
            pose=np.full((frames, len(standard_rig().person.bones), 3), missing),
            shape=np.full((frames, len(PHENOTYPES)), missing),
            expression=np.full((frames, len(FACIAL_ACTIONS)), missing),
            translation=np.full((frames, 3), missing),
        ),
        valid=np.zeros(frames, bool),
        part_valid=np.zeros((frames, 8), bool),
        hand_valid=np.zeros((frames, 2), bool),
        K=np.tile(np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]), (frames, 1, 1)),
        world_to_camera=np.tile(world_to_camera, (frames, 1, 1)),
    )
