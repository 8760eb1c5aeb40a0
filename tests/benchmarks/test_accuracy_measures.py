"""The measures of accuracy against closed forms, and a comparison against a truth of which every answer is
known.
"""

from dataclasses import astuple, fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from benchmarks.accuracy_parts import measures
from benchmarks.accuracy_parts.body import HANDS, JAW, JOINTS_3D, Fit, fit_of, no_fit
from benchmarks.accuracy_parts.compare import Comparison, Truth, compare, joined
from benchmarks.accuracy_parts.figures import (
    Pair,
    Share,
    correct_share,
    figures,
    fitted,
    following,
    found_rate,
    hand_motion,
    mean_error,
    misplaced_hands,
    paired,
)
from benchmarks.accuracy_parts.measures import State
from benchmarks.accuracy_parts.tables import BEGIN, END, Making, Report, Row, lines, replaced, section
from extractors.mediapipe_wholebody import BODY_FROM_POSE
from renderers.body_models.anny import AnnyBody
from renderers.body_models.interface import BodyParameters
from renderers.mannequin.camera import facing
from renderers.wholebody import BODY, FACE, FEET, LEFT_HAND, NAMES, RIGHT_HAND

CAMERA = facing(540, 960, eye=(0.3, -5.0, 1.4), target=(0.0, 0.0, 1.0), frame=2.5)
FPS = 25
SEEDS = st.integers(0, 2**32 - 1)


def numbers(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    """About the vertical, to the left seen from above."""
    return points @ Rotation.from_euler("z", degrees, degrees=True).as_matrix().T


def person() -> np.ndarray:
    """A person facing -y at the origin: stiff, but with every keypoint in its own place, 133 x 3."""
    points = np.zeros((133, 3))
    heights = {
        "nose": 1.6,
        "eye": 1.65,
        "ear": 1.63,
        "shoulder": 1.4,
        "elbow": 1.1,
        "wrist": 0.85,
        "hip": 0.9,
        "knee": 0.5,
        "ankle": 0.08,
        "big_toe": 0.02,
        "small_toe": 0.02,
        "heel": 0.02,
    }
    aside = {"eye": 0.03, "ear": 0.08, "shoulder": 0.18, "elbow": 0.25, "wrist": 0.3, "hip": 0.1}
    for number, name in enumerate(NAMES[: FEET.stop]):
        side, _, part = name.partition("_") if name != "nose" else ("", "", "nose")
        sign = {"left": 1, "right": -1, "": 0}[side]
        points[number] = sign * aside.get(part, 0.1), 0.0, heights[part]
    chance = np.random.default_rng(0)
    points[FACE] = [0, -0.05, 1.6] + chance.normal(size=(68, 3)) * 0.03
    for hand, sign in ((LEFT_HAND, 1), (RIGHT_HAND, -1)):
        points[hand] = [0.3 * sign, -0.1, 0.8] + chance.normal(size=(21, 3)) * 0.04
    return points


def made_truth(frames: int = 6, shifts: tuple[tuple[float, float], ...] = ((0.0, 0.0),)) -> Truth:
    """People who walk to their left at a metre a second, each begun elsewhere."""
    step = np.arange(frames)[:, None, None, None] / FPS * np.array([1.0, 0.0, 0.0])
    starts = np.array([(x, y, 0.0) for x, y in shifts])[None, :, None]
    keypoints = person() + starts + step
    seen = CAMERA.project(keypoints)
    people = len(shifts)
    low, high = seen.min(2), seen.max(2)
    return Truth(
        time=np.arange(frames) / FPS,
        persons=np.arange(people) + 7,
        K=np.broadcast_to(CAMERA.K, (frames, 3, 3)),
        world_to_camera=np.broadcast_to(CAMERA.world_to_camera, (frames, 4, 4)),
        keypoints_2d=seen,
        keypoints_3d=keypoints,
        visibility=np.full((frames, people, 133), 2, np.int8),
        box=np.concatenate([low, high], -1),
        hand_blur=np.full((frames, people, 2), 3.0),
        jaw_open=np.tile(np.linspace(0, 0.5, frames)[:, None], people),
        height=np.array([1.7] * people),
    )


def perfect_poses(truth: Truth, people: list[int] | None = None) -> dict[str, np.ndarray]:
    """What an extractor without error would give of those persons, one a frame."""
    frames = len(truth.time)
    rows, who = np.arange(frames), np.array(people or [0] * frames)
    keypoints = truth.keypoints_2d[rows, who]
    in_view = CAMERA.view(truth.keypoints_3d[rows, who])
    landmarks = np.zeros((frames, 33, 3))
    landmarks[:, list(BODY_FROM_POSE.values())] = in_view[:, list(BODY_FROM_POSE)]
    landmarks -= (landmarks[:, [23]] + landmarks[:, [24]]) / 2
    hands = np.stack([in_view[:, hand] for hand in (LEFT_HAND, RIGHT_HAND)], 1)
    centres = np.stack([keypoints[:, hand].mean(1) for hand in (LEFT_HAND, RIGHT_HAND)], 1)
    movement = np.full((frames, 2, 2), np.nan)
    movement[1:] = np.diff(centres, axis=0) * FPS / CAMERA.width
    yes = np.ones(frames, bool)
    return {
        "time": truth.time,
        "keypoints": keypoints,
        "confidence": np.ones((frames, 133)),
        "body_valid": yes,
        "face_valid": yes,
        "hand_valid": np.ones((frames, 2), bool),
        "body_landmarks": landmarks,
        "hand_landmarks": hands,
        "sharpness": np.ones((frames, 2)),
        "sharpness_raw": np.ones((frames, 2)),
        "movement": movement,
    }


def fit_at(in_view: np.ndarray) -> Fit:
    """A fitted body with these keypoints in the camera's axes, seen by the true camera; its jaw is shut."""
    frames = len(in_view)
    seen = in_view @ CAMERA.K.T
    yes = np.ones(frames, bool)
    return Fit(in_view, seen[..., :2] / seen[..., 2:], np.zeros(frames), yes, np.ones((frames, 2), bool))


def in_view_of(truth: Truth) -> np.ndarray:
    """The first person's keypoints in the camera's axes."""
    return np.stack([CAMERA.view(points) for points in truth.keypoints_3d[:, 0]])


def from_hips(points: np.ndarray) -> np.ndarray:
    return points - points[:, 11:13].mean(1, keepdims=True)


def compared(
    poses: dict[str, np.ndarray], truth: Truth, clip: int = 0, scale: float = 1.0, fit: Fit | None = None
) -> Comparison:
    size = (CAMERA.width, CAMERA.height)
    stored = (round(size[0] * scale), round(size[1] * scale))
    fit = fit or no_fit(len(poses["time"]))
    return compare(poses, fit, truth, stored_size=stored, video_size=size, video=clip, clip=clip)


@given(st.integers(0, 20), st.integers(0, 20), st.floats(0.05, 1))
def test_a_part_is_seen_hidden_or_outside(visible: int, occluded: int, share: float) -> None:
    visibility = np.zeros(40, int)
    visibility[:visible], visibility[visible : visible + occluded] = 2, 1
    state = measures.part_state(np.random.default_rng(0).permutation(visibility), share)
    if visible / 40 >= share:
        assert state == State.SEEN
    else:
        assert state == (State.HIDDEN if visible + occluded else State.OUTSIDE)


@given(st.floats(-180, 180), st.floats(-3, 3), st.floats(-3, 3))
def test_turn_is_the_angle_between_facing_and_camera(degrees: float, x: float, y: float) -> None:
    camera = CAMERA.world_to_camera
    eye = -camera[:3, :3].T @ camera[:3, 3]
    facing_camera = np.degrees(np.arctan2(eye[0] - x, -(eye[1] - y)))
    points = turned(person(), facing_camera + degrees) + np.array([x, y, 0])
    assert measures.turn_to_camera(points, camera) == pytest.approx(abs(degrees), abs=1e-3)


@given(SEEDS, st.floats(-np.pi, np.pi), st.floats(0.5, 1.5))
def test_height_is_of_the_lengths_and_not_of_the_pose(seed: int, bend: float, size: float) -> None:
    upright = person()[None] * size
    bent = upright.copy()
    at = [NAMES.index(f"{side}_ankle") for side in ("left", "right")]
    knees = upright[:, [NAMES.index(f"{side}_knee") for side in ("left", "right")]]
    about_x = Rotation.from_euler("x", bend).as_matrix()
    bent[:, at] = knees + (upright[:, at] - knees) @ about_x.T
    moved = bent @ Rotation.random(random_state=seed).as_matrix().T + numbers(seed, 3)
    assert measures.standing_height(moved) == pytest.approx(measures.standing_height(upright))
    assert measures.standing_height(upright) == pytest.approx(size * measures.standing_height(person()[None]))


@given(SEEDS, st.floats(0.2, 5))
def test_a_metre_across_the_view_is_as_many_pixels_as_the_camera_shows(seed: int, distance: float) -> None:
    centre = numbers(seed, 3)
    rotation = CAMERA.world_to_camera[:3, :3]
    world = (centre * [0.2, 0.2, 0] + [0, 0, distance] - CAMERA.world_to_camera[:3, 3]) @ rotation
    ends = world + np.array([[-0.5], [0.5]]) * rotation[0]
    across = np.linalg.norm(np.diff(CAMERA.project(ends), axis=0))
    scale = measures.pixels_per_metre(ends, CAMERA.K, CAMERA.world_to_camera)
    assert scale == pytest.approx(across)


@settings(deadline=None)
@given(SEEDS, st.floats(0.1, 10))
def test_alignment_takes_away_shift_rotation_and_scale_and_nothing_else(seed: int, scale: float) -> None:
    truth = numbers(seed, 4, 12, 3)
    rotation = Rotation.random(random_state=seed).as_matrix()
    moved = scale * truth @ rotation.T + numbers(seed + 1, 1, 1, 3)
    used = np.ones((4, 12), bool)
    np.testing.assert_allclose(measures.aligned_joint_error(moved, truth, used), 0, atol=1e-6)
    mirrored = truth * [-1, 1, 1]
    assert (measures.aligned_joint_error(mirrored, truth, used) > 0.05).all()
    noisy = truth + 0.3 * numbers(seed + 2, 4, 12, 3)
    squares = (measures.aligned_joint_error(noisy, truth, used), measures.joint_error(noisy, truth, used))
    assert squares[0].mean() < squares[1].mean() + 0.05


def test_joints_that_are_not_used_count_nothing() -> None:
    truth = numbers(0, 3, 12, 3)
    found = truth + np.array([0.3, 0.0, 0.4])
    used = np.ones((3, 12), bool)
    used[:, 8:] = False
    found[:, 8:] += 100
    used[2, :7] = False
    found[1] = np.nan
    np.testing.assert_allclose(measures.joint_error(found[[0]], truth[[0]], used[[0]]), 0.5)
    aligned = measures.aligned_joint_error(found, truth, used)
    assert aligned[0] == pytest.approx(0, abs=1e-9) and np.isnan(aligned[1:]).all()
    assert np.isnan(measures.joint_error(truth, truth, used)[2])


@given(SEEDS, st.floats(0.2, 3), st.floats(0, 1.5))
def test_a_scale_takes_away_size_and_no_rotation(seed: int, scale: float, angle: float) -> None:
    truth = np.concatenate([numbers(seed, 2, 12, 2), np.zeros((2, 12, 1))], -1)
    found = scale * truth @ Rotation.from_euler("z", angle).as_matrix().T
    used = np.ones((2, 12), bool)
    # The best scale of what is turned by an angle leaves the sine of it, from every point's distance.
    expected = np.sin(angle) * np.linalg.norm(truth, axis=-1).mean(1)
    np.testing.assert_allclose(measures.scaled_joint_error(found, truth, used), expected, atol=1e-9)
    used[1, 5:] = False
    found[0, 7] = np.nan
    used[0, 7] = False
    error = measures.scaled_joint_error(found, truth, used)
    assert np.isfinite(error[0]) and np.isnan(error[1])


@given(st.lists(st.integers(-1, 2), max_size=20))
def test_switches_are_changes_of_person_over_gaps(followed: list[int]) -> None:
    known = [person for person in followed if person >= 0]
    expected = sum(one != other for one, other in pairwise(known))
    assert measures.switches(np.array(followed, int)) == expected


def test_trembling_is_what_a_steady_error_is_not() -> None:
    frames = np.arange(8)[:, None, None]
    steady = np.broadcast_to(0.5 + 0.1 * frames, (8, 3, 2))
    used = np.ones((8, 3), bool)
    np.testing.assert_allclose(measures.acceleration_error(steady, used)[1:-1], 0, atol=1e-12)
    wobble = np.concatenate([np.broadcast_to((-1.0) ** frames, (8, 3, 1)) * 0.01, np.zeros((8, 3, 1))], -1)
    np.testing.assert_allclose(measures.acceleration_error(wobble, used)[1:-1], 0.04)
    used[4] = False
    assert np.isnan(measures.acceleration_error(wobble, used)[[0, 3, 4, 5, 7]]).all()
    assert np.isnan(measures.acceleration_error(wobble[:2], used[:2])).all()


@given(SEEDS)
def test_rank_correlation_knows_order_only(seed: int) -> None:
    values = numbers(seed, 40)
    with_gaps = np.where(np.arange(40) % 7 == 0, np.nan, values)
    assert measures.rank_correlation(with_gaps, np.exp(values)) == pytest.approx(1)
    assert measures.rank_correlation(with_gaps, -(values**3)) == pytest.approx(-1)
    assert np.isnan(measures.rank_correlation(values, np.ones(40)))


def test_rank_correlation_within_groups_does_not_see_what_differs_between_them() -> None:
    group = np.repeat([0, 1, 2], 20)
    within = np.tile(np.arange(20.0), 3)
    rising, falling = within + 100 * group, -within + 100 * group
    assert measures.rank_correlation(rising, falling) > 0.7
    assert measures.rank_correlation_within(rising, falling, group) == pytest.approx(-1)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_perfect_extractor_makes_no_error_at_any_stored_size(scale: float) -> None:
    truth = made_truth()
    poses = perfect_poses(truth)
    poses["keypoints"] = poses["keypoints"] * scale
    frames = compared(poses, truth, scale=scale)
    found = figures(frames)
    errors = (found.body, found.feet, found.face, found.hand_mean, found.hand_median, found.tremble)
    np.testing.assert_allclose(errors, 0, atol=1e-9)
    space = (found.body_mm, found.body_aligned_mm, found.jitter_mm, found.hand_mm, found.hand_aligned_mm)
    np.testing.assert_allclose([pair.landmarks for pair in space], 0, atol=1e-4)
    assert all(np.isnan(pair.fit) for pair in space)
    assert found.fitted.surfaces == Share(0, 6) and np.isnan(found.fitted.body)
    assert found.pck_05 == Share(6 * 17, 6 * 17)
    assert found.body_found == found.face_found == Share(6, 6) and found.hands_found == Share(12, 12)
    assert found.misplaced_hands == Share(0, 12)
    motion = hand_motion(frames)
    assert motion.movement_error == pytest.approx(0, abs=1e-9)
    assert (frames.followed == 7).all()


def test_errors_are_shares_of_height_eye_distance_and_palm() -> None:
    truth = made_truth(frames=1)
    poses = perfect_poses(truth)
    poses["keypoints"] = poses["keypoints"] + [3.0, 4.0]
    frames = compared(poses, truth)
    points, focal = truth.keypoints_3d[0, 0], CAMERA.K[0, 0]

    def depth(part: slice) -> float:
        return float(CAMERA.view(points[part]).mean(0)[2])

    units = [
        (BODY, 1.7 * focal / depth(slice(11, 13))),
        (FEET, 1.7 * focal / depth(slice(11, 13))),
        (FACE, np.linalg.norm(points[FACE][36] - points[FACE][45]) * focal / depth(FACE)),
        (LEFT_HAND, np.linalg.norm(points[LEFT_HAND][0] - points[LEFT_HAND][9]) * focal / depth(LEFT_HAND)),
    ]
    for part, unit in units:
        assert mean_error(frames, part) == pytest.approx(5 / unit)


def test_points_are_counted_by_what_the_labels_say_of_them() -> None:
    truth = made_truth(frames=2)
    poses = perfect_poses(truth)
    truth.visibility[:, 0, :5] = 1
    truth.visibility[:, 0, 5:8] = 0
    height = 5 / mean_error(
        compared(perfect_poses(truth) | {"keypoints": poses["keypoints"] + [3, 4]}, truth), BODY
    )
    off = np.zeros((2, 133, 2))
    off[:, :5, 0], off[:, 5:8, 0], off[:, 8, 0], off[:, 9, 0] = 0.2, 0.3, 0.04, 0.08
    poses["keypoints"] = poses["keypoints"] + off * height
    frames = compared(poses, truth)
    assert mean_error(frames, BODY, visibility=1) == pytest.approx(0.2)
    assert mean_error(frames, BODY, visibility=0) == pytest.approx(0.3)
    assert mean_error(frames, BODY) == pytest.approx(0.12 / 9)
    assert correct_share(frames, 0.05) == Share(2 * 8, 2 * 9)
    assert correct_share(frames, 0.1) == Share(2 * 9, 2 * 9)


def test_found_rates_are_kept_apart_by_what_there_is_to_see() -> None:
    truth = made_truth(frames=6)
    truth.visibility[:3, 0, LEFT_HAND] = 1
    truth.visibility[3:5, 0, LEFT_HAND] = 0
    poses = perfect_poses(truth)
    poses["hand_valid"] = np.array([[1, 0], [0, 1], [0, 1], [1, 1], [0, 1], [1, 1]], bool)
    poses["face_valid"] = np.zeros(6, bool)
    frames = compared(poses, truth)
    assert found_rate(frames, "left hand", State.HIDDEN) == Share(1, 3)
    assert found_rate(frames, "left hand", State.OUTSIDE) == Share(1, 2)
    assert found_rate(frames, "left hand", State.SEEN) == Share(1, 1)
    assert found_rate(frames, "hands", State.SEEN) == Share(1 + 5, 1 + 6)
    assert found_rate(frames, "face", State.SEEN) == Share(0, 6)
    assert np.isnan(Share(0, 0).value)


def test_a_body_where_nobody_is_is_a_false_find() -> None:
    truth = made_truth(frames=3)
    truth.visibility[:] = 0
    frames = compared(perfect_poses(truth), truth)
    assert found_rate(frames, "body", State.OUTSIDE) == Share(3, 3)
    assert (frames.followed == -1).all() and np.isnan(frames.error).all()
    assert np.isnan(figures(frames).body_mm.landmarks)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_fit_that_is_moved_is_right_but_for_where_it_is_seen(scale: float) -> None:
    truth = made_truth()
    in_view = in_view_of(truth)
    fit = fit_at(in_view)
    fit = replace(fit, keypoints_2d=(fit.keypoints_2d + np.array([3, 4])) * scale)
    fit = replace(fit, keypoints_3d=in_view + np.array([0, 0, 0.5]))
    poses = perfect_poses(truth)
    found = figures(compared(poses | {"keypoints": poses["keypoints"] * scale}, truth, scale=scale, fit=fit))
    for pair in (found.body_mm, found.body_scaled_mm, found.body_aligned_mm, found.jitter_mm, found.hand_mm):
        assert pair.fit == pytest.approx(0, abs=1e-6)
    hips = in_view[:, 11:13].mean(1)
    assert found.fitted.surfaces == Share(6, 6) and found.fitted.hands == Share(12, 12)
    assert (found.fitted.body_pixels, found.fitted.hand_pixels) == pytest.approx((5 * scale, 5 * scale))
    height = 1.7 * CAMERA.K[0, 0] / hips[:, 2]
    assert found.fitted.body == pytest.approx((5 / height).mean())
    farther = np.linalg.norm(hips + np.array([0, 0, 0.5]), axis=1) / np.linalg.norm(hips, axis=1)
    assert found.fitted.distance == pytest.approx(np.median(farther))
    assert found.fitted.size == pytest.approx(measures.standing_height(in_view) / 1.7)


def test_a_fit_too_large_or_turned_is_so_before_the_alignment_that_takes_it_away() -> None:
    truth = made_truth()
    in_view = in_view_of(truth)
    size = np.linalg.norm(from_hips(in_view)[:, list(JOINTS_3D)], axis=-1).mean()
    large = figures(compared(perfect_poses(truth), truth, fit=fit_at(1.3 * in_view)))
    assert large.body_mm.fit == pytest.approx(1000 * 0.3 * size)
    np.testing.assert_allclose([large.body_scaled_mm.fit, large.body_aligned_mm.fit], 0, atol=1e-4)
    assert large.hand_aligned_mm.fit == pytest.approx(0, abs=1e-4)
    arms = np.concatenate([in_view[:, hand] - in_view[:, [hand.start]] for hand in HANDS])
    assert large.hand_mm.fit == pytest.approx(1000 * 0.3 * np.linalg.norm(arms, axis=-1).mean())
    assert large.fitted.size / figures(
        compared(perfect_poses(truth), truth, fit=fit_at(in_view))
    ).fitted.size == pytest.approx(1.3)
    about = Rotation.from_euler("y", 20, degrees=True).as_matrix()
    turned_fit = figures(compared(perfect_poses(truth), truth, fit=fit_at(in_view @ about.T)))
    assert turned_fit.body_mm.fit > turned_fit.body_scaled_mm.fit > 10
    assert turned_fit.body_aligned_mm.fit == pytest.approx(0, abs=1e-4)
    assert large.body_mm.landmarks == turned_fit.body_mm.landmarks == pytest.approx(0, abs=1e-4)


def test_jitter_is_what_the_truth_does_not_do() -> None:
    truth = made_truth(frames=8)
    in_view = in_view_of(truth)
    in_view[:, 9, 0] += 0.01 * (-1.0) ** np.arange(8)
    found = figures(compared(perfect_poses(truth), truth, fit=fit_at(in_view)))
    # One joint of twelve goes 2 cm to and fro: a second difference of 4 cm.
    assert found.jitter_mm.fit == pytest.approx(40 / 12)
    assert found.jitter_mm.landmarks == pytest.approx(0, abs=1e-4)


def test_landmarks_and_fit_are_judged_by_the_same_frames() -> None:
    truth = made_truth(frames=4)
    poses = perfect_poses(truth)
    poses["body_landmarks"][0] *= 2
    fit = fit_at(in_view_of(truth))
    for values in (fit.keypoints_3d, fit.keypoints_2d, fit.jaw_open):
        values[0] = np.nan
    fit = replace(fit, valid=np.arange(4) > 0, hand_valid=np.array([[0, 0], [1, 0], [1, 1], [1, 1]], bool))
    frames = compared(poses, truth, fit=fit)
    assert astuple(figures(frames).body_mm) == pytest.approx((0, 0), abs=1e-4)
    assert fitted(frames).surfaces == Share(3, 4) and fitted(frames).hands == Share(5, 8)
    assert np.isfinite(frames.fit_error).sum() == 3 * (133 - 42) + 5 * 21
    assert paired(np.array([[1.0, np.nan], [3.0, 4.0]])) == Pair(3, 4)
    assert paired(np.array([[1.0, np.nan], [3.0, np.nan]])).landmarks == 2


def test_a_jaw_is_held_against_the_true_one_where_the_face_is_seen() -> None:
    truth = made_truth(frames=8)
    truth.visibility[7, 0, FACE] = 1
    true_jaw = truth.jaw_open[:, 0]
    jaw = 0.1 + true_jaw**2
    jaw[7] = 0
    found = fitted(
        compared(perfect_poses(truth), truth, fit=replace(fit_at(in_view_of(truth)), jaw_open=jaw))
    )
    assert (found.jaw_frames, found.jaw, found.jaw_within) == pytest.approx((7, 1, 1))
    assert found.jaw_error == pytest.approx(np.abs(jaw - true_jaw)[:7].mean())


def test_a_stored_body_is_seen_where_its_model_and_camera_say() -> None:
    body = AnnyBody()
    still = BodyParameters(
        pose=np.zeros((2, len(body.joint_names), 3), np.float32),
        shape=np.full((2, body.shape_count), 0.5, np.float32),
        expression=np.zeros((2, body.expression_count), np.float32),
        translation=np.array([[0, 0, 1], [np.nan] * 3], np.float32),
    )
    still.expression[0, JAW] = 0.25
    poses = {
        "body_model": np.array(["anny"]),
        "body_surface_valid": np.array([True, False]),
        "hand_surface_valid": np.array([[True, False], [False, False]]),
        "body_pose": still.pose,
        "body_shape": still.shape,
        "body_expression": still.expression,
        "body_translation": still.translation,
        "camera_K": np.broadcast_to(CAMERA.K, (2, 3, 3)),
        "world_to_camera": np.broadcast_to(CAMERA.world_to_camera, (2, 4, 4)),
    }
    fit = fit_of(poses)
    (points,) = body.keypoints(BodyParameters(*(values[:1] for values in vars(still).values())))
    np.testing.assert_allclose(fit.keypoints_3d[0], CAMERA.view(points))
    np.testing.assert_allclose(fit.keypoints_2d[0], CAMERA.project(points))
    assert fit.jaw_open[0] == 0.25 and fit.hand_valid.sum() == 1 and fit.valid.tolist() == [True, False]
    assert np.isnan(fit.keypoints_3d[1]).all() and np.isnan(fit.jaw_open[1])
    assert not fit_of(poses | {"body_model": np.array(["smplx"])}).valid.any()


def test_what_was_not_found_has_no_error() -> None:
    truth = made_truth(frames=4)
    poses = perfect_poses(truth)
    for name in ("confidence", "keypoints"):
        poses[name][1] = 0
    for name in ("body_valid", "face_valid", "hand_valid"):
        poses[name][1] = False
    for name in ("body_landmarks", "hand_landmarks"):
        poses[name][1] = np.nan
    frames = compared(poses, truth)
    assert np.isnan(frames.error[1]).all() and not np.isnan(frames.error[[0, 2, 3]]).any()
    assert figures(frames).body == pytest.approx(0, abs=1e-9)
    assert found_rate(frames, "body", State.SEEN) == Share(3, 4)


def test_the_person_followed_and_its_changes_are_seen() -> None:
    truth = made_truth(frames=6, shifts=((-0.5, 0.0), (0.6, 1.0)))
    frames = compared(perfect_poses(truth, [0, 0, 1, 1, 0, 0]), truth)
    assert frames.followed.tolist() == [7, 7, 8, 8, 7, 7]
    assert (frames.people == 2).all()
    np.testing.assert_allclose(frames.error, 0, atol=1e-9)
    steady = compared(perfect_poses(truth, [1] * 6), truth, clip=1)
    alone = compared(perfect_poses(made_truth()), made_truth(), clip=2)
    both = following(joined([frames, steady, alone]))
    assert (both.clips, both.switches, both.on_main) == (2, 2, Share(4 + 6, 12))


def test_a_hand_on_something_else_is_misplaced() -> None:
    truth = made_truth(frames=2)
    poses = perfect_poses(truth)
    poses["keypoints"][0, LEFT_HAND] = poses["keypoints"][0, RIGHT_HAND]
    frames = compared(poses, truth)
    assert misplaced_hands(frames) == Share(1, 4)
    assert figures(frames).hand_median == pytest.approx(0, abs=1e-9)
    assert figures(frames).hand_mean > 0.25


def test_movement_and_sharpness_are_held_against_the_labels() -> None:
    chance = np.random.default_rng(0)
    truth = made_truth(frames=12)
    blur = chance.uniform(1, 9, (12, 1, 2))
    truth = replace(truth, hand_blur=blur)
    poses = perfect_poses(truth)
    poses["sharpness_raw"] = 1 / blur[:, 0]
    poses["sharpness"] = blur[:, 0]
    poses["movement"] = poses["movement"] * 1.25
    motion = hand_motion(compared(poses, truth))
    assert motion.movement_error == pytest.approx(0.25)
    assert (motion.sharpness_raw, motion.sharpness_raw_within) == pytest.approx((-1, -1))
    assert motion.sharpness > 0.9
    assert motion.hands == 24


def test_frames_are_matched_by_time() -> None:
    truth = made_truth(frames=6)
    poses = perfect_poses(truth)
    later = {name: values[2:5] for name, values in poses.items()}
    assert figures(compared(later, truth)).body == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match="no label"):
        compared(poses | {"time": truth.time + 0.01}, truth)


def test_frames_can_be_chosen_and_joined() -> None:
    truth = made_truth()
    frames = compared(perfect_poses(truth), truth)
    halves = [frames.where(np.arange(6) % 2 == number) for number in (0, 1)]
    whole = joined(halves)
    assert len(whole) == 6
    for field in fields(Comparison):
        before = np.concatenate([getattr(frames, field.name)[number::2] for number in (0, 1)])
        np.testing.assert_array_equal(getattr(whole, field.name), before)


def report(frames: int = 6) -> Report:
    truth = made_truth(frames)
    poses = perfect_poses(truth)
    fit = fit_at(in_view_of(truth))
    good = compared(poses, truth, fit=fit)
    bad = compared(poses | {"keypoints": poses["keypoints"] + 10}, truth, clip=1, fit=fit)
    rows = [
        Row("light", "bright", good),
        Row("light", "low", bad),
        Row("turn", "180", bad.where(bad.video < 0)),
    ]
    return Report("embedded", "quick", joined([good, bad]), good, rows, Making(3.0, 60, 2))


def test_the_page_keeps_what_is_beside_the_part_and_says_the_figures() -> None:
    made = section(report())
    page = replaced(f"# Results\n\nbefore\n\n{BEGIN}\nold\n{END}\n\nafter\n", made)
    assert page.startswith("# Results\n\nbefore\n\n") and page.endswith("\n\nafter\n")
    assert "old" not in page and "50 ms a frame" in page
    assert replaced(page, made) == page
    assert "| light | bright | 6 | 1.00 of 6 |" in made
    assert "turn" not in [line.split("|")[1].strip() for line in made.splitlines() if line.startswith("| ")]
    with pytest.raises(ValueError, match="markers"):
        replaced("# Results\n", made)


def test_a_preset_without_a_body_is_said_to_have_none() -> None:
    truth = made_truth()
    frames = compared(perfect_poses(truth), truth)
    part = section(Report("other", "quick", frames, frames, [], Making(0.0, 0, 2)))
    assert "This preset fits no body." in part and "| 0.00 of 6 | 0 | - | 0 | - |" in part
    assert "This preset fits no body." not in section(report())


def test_the_worst_row_is_named_if_it_has_enough_frames() -> None:
    (line,) = [line for line in section(report(40)).splitlines() if line.startswith("| body, %")]
    assert line.split("|")[2].strip() == "0.00 (light bright)" and "(light low)" in line.split("|")[3]
    assert not [line for line in section(report(6)).splitlines() if line.startswith("| body, %")]


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    block: list[int] = []
    for line in [*section(report()).splitlines(), ""]:
        if line.startswith("|"):
            block.append(line.count("|"))
        else:
            assert len(set(block)) <= 1
            block = []


def test_the_printed_lines_are_names_and_numbers() -> None:
    for line in lines(report()):
        kind, name, value, *unit = line.split()
        assert (
            kind in ("ratio", "figure")
            and name.isidentifier()
            and np.isfinite(float(value) if value != "nan" else 0)
        )
        assert len(unit) == (kind == "figure")
