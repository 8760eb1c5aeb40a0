"""Smoothing along a track: even motion stays, noise goes, gaps part, and no frame of reference matters."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from extractors.smoothing import (
    LONGEST_GAP,
    REACH,
    TIME_CONSTANT,
    OneCamera,
    constant_shape,
    one_focal,
    smooth_boxes,
    smooth_positions,
    smooth_rotations,
    smooth_surfaces,
)

SIZE = (1280, 720)


def uneven_times(random: np.random.Generator, frames: int) -> Float[np.ndarray, "frames"]:
    """Of a variable frame rate, 15 to 60 a second."""
    return np.cumsum(random.uniform(1 / 60, 1 / 15, frames))


def some_turns(
    random: np.random.Generator, frames: int, joints: int = 2
) -> Float[np.ndarray, "frames joints 3"]:
    """Rotation vectors within 80 degrees of another for each joint, which may be anywhere."""
    near = Rotation.from_rotvec(random.uniform(-0.8, 0.8, (frames, joints, 3)).reshape(-1, 3))
    middle = Rotation.random(joints, rng=random)
    turned = Rotation.from_quat(np.tile(middle.as_quat(), (frames, 1))) * near
    return turned.as_rotvec().reshape(frames, joints, 3)


def turned(
    rotvecs: Float[np.ndarray, "frames joints 3"],
    left: Rotation,
    right: Rotation,
) -> Float[np.ndarray, "frames joints 3"]:
    return (left * Rotation.from_rotvec(rotvecs.reshape(-1, 3)) * right).as_rotvec().reshape(rotvecs.shape)


def angles_between(one: Float[np.ndarray, "*all 3"], other: Float[np.ndarray, "*all 3"]) -> np.ndarray:
    return (
        Rotation.from_rotvec(one.reshape(-1, 3)).inv() * Rotation.from_rotvec(other.reshape(-1, 3))
    ).magnitude()


@given(st.integers(0, 2**32), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_even_motion_is_kept_at_any_frame_rate_and_to_the_ends(seed: int, frames: int) -> None:
    random = np.random.default_rng(seed)
    times = uneven_times(random, frames)
    valid = random.random(frames) < 0.8
    places = random.normal(size=3) + times[:, None] * random.normal(size=3)
    np.testing.assert_allclose(smooth_positions(places, valid, times), places, atol=1e-9)

    start, spin = Rotation.random(rng=random), random.normal(size=3)
    spinning = (start * Rotation.from_rotvec(times[:, None] * spin)).as_rotvec()[:, None]
    assert angles_between(smooth_rotations(spinning, valid, times), spinning).max() < 1e-7

    middle = 300 + times[:, None] * random.normal(size=2) * 50
    sides = 80 * np.exp(times[:, None] * random.normal(size=2) * 0.1)
    boxes = np.hstack([middle - sides / 2, middle + sides / 2])
    np.testing.assert_allclose(smooth_boxes(boxes, times), boxes, atol=1e-6)


@given(st.integers(0, 2**32), st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_rotations_are_smoothed_alike_in_any_frame_of_reference(seed: int, frames: int) -> None:
    random = np.random.default_rng(seed)
    times, valid = uneven_times(random, frames), random.random(frames) < 0.9
    seen = some_turns(random, frames)
    left, right = Rotation.random(2, rng=random)
    before = smooth_rotations(turned(seen, left, right), valid, times)
    after = turned(smooth_rotations(seen, valid, times), left, right)
    assert angles_between(before, after).max() < 1e-6


@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_boxes_and_positions_are_smoothed_alike_in_any_units(seed: int) -> None:
    random = np.random.default_rng(seed)
    times = uneven_times(random, 20)
    corner = random.uniform(0, 300, (20, 2))
    boxes = np.hstack([corner, corner + random.uniform(20, 400, (20, 2))])
    scale, shift = random.uniform(0.1, 3), np.tile(random.normal(size=2) * 100, 2)
    np.testing.assert_allclose(
        smooth_boxes(boxes * scale + shift, times), smooth_boxes(boxes, times) * scale + shift, atol=1e-8
    )
    places, valid = random.normal(size=(20, 3)), random.random(20) < 0.8
    turn, moved = Rotation.random(rng=random), random.normal(size=3)
    np.testing.assert_allclose(
        smooth_positions(turn.apply(places) + moved, valid, times),
        turn.apply(smooth_positions(places, valid, times)) + moved,
        atol=1e-9,
    )


@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_nothing_lags_as_time_reversed_gives_the_same(seed: int) -> None:
    random = np.random.default_rng(seed)
    times, seen = uneven_times(random, 20), some_turns(random, 20)
    valid = random.random(20) < 0.8
    there = smooth_rotations(seen, valid, times)
    back = smooth_rotations(seen[::-1], valid[::-1], -times[::-1])[::-1]
    assert angles_between(there, back).max() < 1e-6
    places = random.normal(size=(20, 3))
    np.testing.assert_allclose(
        smooth_positions(places, valid, times),
        smooth_positions(places[::-1], valid[::-1], -times[::-1])[::-1],
        atol=1e-9,
    )


@pytest.mark.parametrize("rate", [2.0, 4.0])
def test_a_movement_to_and_fro_is_left_as_the_gaussian_leaves_it(rate: float) -> None:
    times = np.arange(300) / 120
    share = math.exp(-((2 * math.pi * rate * TIME_CONSTANT) ** 2) / 2)
    wave = np.sin(2 * math.pi * rate * times)
    valid = np.ones(300, bool)
    inner = slice(40, -40)
    places = smooth_positions(wave[:, None] * [1.0, 2.0, 0.0], valid, times)
    np.testing.assert_allclose(places[inner], share * wave[inner, None] * [1.0, 2.0, 0.0], atol=0.02)
    # About an axis that is fixed, angles are numbers; the middle is half a turn from no turn.
    nodding = (math.pi + 0.5 * wave)[:, None, None] * np.array([0.6, 0.0, 0.8])
    smoothed = smooth_rotations(nodding, valid, times)
    expected = (math.pi + 0.5 * share * wave)[:, None, None] * np.array([0.6, 0.0, 0.8])
    assert angles_between(smoothed[inner], expected[inner]).max() < 0.01


def test_noise_from_frame_to_frame_becomes_less_by_what_is_said() -> None:
    random = np.random.default_rng(5)
    times = np.arange(400) / 30
    valid = np.ones(400, bool)
    noise = random.normal(size=(400, 30))
    left = [smooth_positions(noise[:, n : n + 3], valid, times).std() for n in range(0, 30, 3)]
    assert abs(np.mean(left) - 0.43) < 0.02
    truth = Rotation.from_rotvec(np.column_stack([times, np.sin(times), 2 * times]))
    seen = truth * Rotation.from_rotvec(0.05 * noise[:, :3])
    smoothed = smooth_rotations(seen.as_rotvec()[:, None], valid, times)
    assert angles_between(smoothed, truth.as_rotvec()).mean() < 0.5 * 0.05 * math.sqrt(8 / math.pi)


@pytest.mark.parametrize("joined", [True, False])
def test_smoothing_reaches_over_short_gaps_only(joined: bool) -> None:
    """A step between two runs of frames is blurred or kept."""
    gap = LONGEST_GAP * (0.9 if joined else 1.1)
    before = np.arange(6) * 0.02
    times = np.concatenate([before, [before[-1] + gap / 2], before[-1] + gap + before])
    valid = np.ones(13, bool)
    valid[6] = False
    step = np.where(np.arange(13) < 6, 0.0, 1.0)
    step[6] = np.nan
    places = smooth_positions(step[:, None] * np.ones(3), valid, times)
    turns = smooth_rotations(step[:, None, None] * [[1.0, 0.0, 0.0]], valid, times)
    boxes = smooth_boxes(step[:, None] + [0.0, 0.0, 10.0, 10.0], times)
    for smoothed in (places[:, 0], turns[:, 0, 0], boxes[:, 0]):
        assert np.isnan(smoothed[6])
        assert np.allclose(smoothed[valid], step[valid], atol=1e-9) != joined


def test_a_slow_video_without_missing_frames_is_no_row_of_gaps() -> None:
    times = np.arange(20) * (LONGEST_GAP * 1.1)
    assert times[1] < REACH * TIME_CONSTANT
    wild = np.random.default_rng(1).normal(size=(20, 3))
    assert not np.allclose(smooth_positions(wild, np.ones(20, bool), times), wild)


def test_a_box_without_area_is_refused() -> None:
    with pytest.raises(ValueError, match="x1 above x0"):
        smooth_boxes(np.array([[5.0, 5.0, 5.0, 9.0]]), np.zeros(1))


def test_the_shape_is_the_median_of_valid_frames_and_a_few_wrong_ones_do_not_move_it() -> None:
    shape = np.tile(np.arange(4.0), (9, 1))
    shape[2] = 100
    shape[7] = np.nan
    valid = np.arange(9) != 7
    constant = constant_shape(shape, valid)
    np.testing.assert_array_equal(constant[valid], np.tile(np.arange(4.0), (8, 1)))
    assert np.isnan(constant[7]).all()
    assert np.isnan(constant_shape(shape, np.zeros(9, bool))[7]).all()


def seen_in_crops(
    random: np.random.Generator, frames: int
) -> tuple[Float[np.ndarray, "frames 3 3"], Float[np.ndarray, "frames 3"]]:
    """Cameras and places as SMPLer-X gives them: of boxes about a person, anywhere in the picture."""
    width = random.uniform(580, 680, frames)
    focal = 5000 / 192 * width
    K = np.zeros((frames, 3, 3))
    K[:, 0, 0], K[:, 1, 1], K[:, 2, 2] = focal, focal, 1
    K[:, 0, 2], K[:, 1, 2] = random.uniform(300, 980, frames), random.uniform(320, 400, frames)
    return K, np.column_stack([random.normal(0, 0.1, (frames, 2)), focal / random.uniform(390, 420, frames)])


def projected(
    K: Float[np.ndarray, "frames 3 3"], points: Float[np.ndarray, "frames points 3"]
) -> Float[np.ndarray, "frames points 2"]:
    image = np.einsum("fij,fpj->fpi", K, points)
    return image[..., :2] / image[..., 2:]


@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_before_one_camera_the_root_stays_and_a_body_moves_by_less_than_a_pixel(seed: int) -> None:
    random = np.random.default_rng(seed)
    K, translation = seen_in_crops(random, 12)
    valid = random.random(12) < 0.9
    valid[0] = True
    camera = one_focal(K, translation, valid, SIZE)
    assert len(np.unique(camera.K[valid], axis=0)) == 1
    np.testing.assert_allclose(camera.K[0, :2, 2], [640, 360])
    np.testing.assert_allclose(camera.K[0, 0, 0], np.median(K[valid, 0, 0]))
    root = projected(camera.K, camera.translation[:, None])
    np.testing.assert_allclose(root, projected(K, translation[:, None]), atol=1e-8)
    body = random.uniform(-1, 1, (200, 3)) * [0.5, 0.9, 0.4]
    turn = Rotation.from_rotvec(camera.turn).as_matrix()
    after = projected(camera.K, body @ turn.transpose(0, 2, 1) + camera.translation[:, None])
    moved = np.linalg.norm(after - projected(K, body + translation[:, None]), axis=-1)
    assert moved.max() < 1
    np.testing.assert_array_equal(camera.K[~valid], K[~valid])
    np.testing.assert_array_equal(camera.translation[~valid], translation[~valid])


def test_the_depth_follows_the_focal_length_so_that_the_size_stays() -> None:
    K = np.array([np.diag([focal, focal, 1.0]) for focal in (1000.0, 2000.0, 3000.0)])
    K[:, :2, 2] = [640, 360]
    translation = np.array([[0.5, 0.0, 5.0], [0.0, 0.0, 5.0], [0.0, 0.3, 6.0]])
    camera = one_focal(K, translation, np.ones(3, bool), SIZE)
    np.testing.assert_allclose(camera.translation[:, 2], [10, 5, 4])
    np.testing.assert_allclose(camera.translation[:, :2], translation[:, :2], atol=1e-12)
    # The first is seen off the axis by atan(0.1) before and by atan(0.05) then.
    np.testing.assert_allclose(camera.turn[0], [0, math.atan(0.05) - math.atan(0.1), 0], atol=1e-12)


def test_a_clip_of_one_camera_keeps_it() -> None:
    K = np.tile(np.array([[900.0, 0, 500], [0, 905, 300], [0, 0, 1]]), (4, 1, 1))
    translation = np.random.default_rng(3).normal(6, 1, (4, 3))
    camera = one_focal(K, translation, np.ones(4, bool), SIZE)
    np.testing.assert_array_equal(camera.K, K)
    np.testing.assert_allclose(camera.translation, translation)
    np.testing.assert_allclose(camera.turn, 0, atol=1e-12)


def seen_arrays(random: np.random.Generator, frames: int) -> dict[str, np.ndarray]:
    """As poses.npz has them, with frames in which somebody is missing."""
    K, translation = seen_in_crops(random, frames)
    hand_K, hand_place = seen_in_crops(random, frames)
    valid, hand_valid = random.random(frames) < 0.8, random.random((frames, 2)) < 0.7
    arrays = {
        "time": uneven_times(random, frames),
        "camera_K": K,
        "world_to_camera": np.tile(np.eye(4), (frames, 1, 1)),
        "body_surface_valid": valid,
        "body_pose": some_turns(random, frames, 5).astype(np.float32),
        "body_shape": random.normal(size=(frames, 10)).astype(np.float32),
        "body_expression": random.normal(size=(frames, 10)).astype(np.float32),
        "body_translation": translation.astype(np.float32),
        "hand_surface_valid": hand_valid,
        "hand_pose": some_turns(random, frames, 32).reshape(frames, 2, 16, 3).astype(np.float32),
        "hand_shape": random.normal(size=(frames, 2, 10)).astype(np.float32),
        "hand_translation": np.stack([hand_place, hand_place * 1.02], 1).astype(np.float32),
        "hand_camera_K": hand_K,
    }
    for name in ("body_pose", "body_shape", "body_expression", "body_translation"):
        arrays[name][~valid] = np.nan
    for name in ("hand_pose", "hand_shape", "hand_translation"):
        arrays[name][~hand_valid] = np.nan
    return arrays


CHANGED = {"camera_K", "body_pose", "body_shape", "body_translation"}
CHANGED_HANDS = {"hand_camera_K", "hand_pose", "hand_shape", "hand_translation"}


def test_surfaces_are_smoothed_in_their_own_types_where_they_are() -> None:
    arrays = seen_arrays(np.random.default_rng(8), 30)
    kept = {name: array.copy() for name, array in arrays.items()}
    smoothed = smooth_surfaces(arrays, SIZE)
    assert smoothed.keys() == CHANGED | CHANGED_HANDS
    valid, hand_valid = arrays["body_surface_valid"], arrays["hand_surface_valid"]
    for name, array in smoothed.items():
        assert array.dtype == arrays[name].dtype and array.shape == arrays[name].shape
        there = valid if name in CHANGED else hand_valid.any(1) if name == "hand_camera_K" else hand_valid
        assert np.isfinite(array[there]).all()
        np.testing.assert_array_equal(array[~there], arrays[name][~there])
        np.testing.assert_array_equal(arrays[name], kept[name])
    for name, there in (("camera_K", valid), ("hand_camera_K", hand_valid.any(1)), ("body_shape", valid)):
        assert len(np.unique(smoothed[name][there], axis=0)) == 1
    for hand in range(2):
        assert len(np.unique(smoothed["hand_shape"][hand_valid[:, hand], hand], axis=0)) == 1


def test_a_body_and_hands_turn_with_the_camera() -> None:
    """A body that stands still before cameras that differ is seen from the same side; a left hand's turn is
    that of its mirror image."""
    arrays = seen_arrays(np.random.default_rng(9), 30)
    for name in ("body_pose", "hand_pose"):
        arrays[name][:] = 0.5
    arrays["body_surface_valid"][:] = arrays["hand_surface_valid"][:] = True
    names = ("body_translation", "hand_translation")
    arrays |= {name: np.nan_to_num(arrays[name], nan=20) for name in names}
    smoothed = smooth_surfaces(arrays, SIZE)
    every = np.ones(30, bool)
    body = one_focal(arrays["camera_K"], arrays["body_translation"], every, SIZE)
    left, right = (
        one_focal(arrays["hand_camera_K"], arrays["hand_translation"][:, hand], every, SIZE)
        for hand in range(2)
    )
    still = np.full((30, 1, 3), 0.5)

    def expected(camera: OneCamera) -> Float[np.ndarray, "frames 1 3"]:
        roots = (Rotation.from_rotvec(camera.turn) * Rotation.from_rotvec(still[:, 0])).as_rotvec()
        return smooth_rotations(roots[:, None], every, arrays["time"])

    mirrored = OneCamera(left.K, left.translation, left.turn * [1, -1, -1])
    for root, camera in (
        (smoothed["body_pose"][:, :1], body),
        (smoothed["hand_pose"][:, 0, :1], mirrored),
        (smoothed["hand_pose"][:, 1, :1], right),
    ):
        assert angles_between(root, expected(camera)).max() < 1e-5
    np.testing.assert_allclose(smoothed["body_pose"][:, 1:], 0.5, atol=1e-6)


def test_arrays_of_nobody_are_left_alone() -> None:
    arrays = seen_arrays(np.random.default_rng(8), 6)
    for name in CHANGED_HANDS:
        arrays[name] = arrays[name][:0]
    assert smooth_surfaces(arrays, SIZE).keys() == CHANGED
    arrays["body_surface_valid"][:] = False
    assert smooth_surfaces(arrays, SIZE) == {}


def test_changing_cameras_are_not_one_where_the_world_is_not_theirs() -> None:
    arrays = seen_arrays(np.random.default_rng(8), 6)
    arrays["body_surface_valid"][:] = True
    arrays["body_translation"] = np.nan_to_num(arrays["body_translation"], nan=20)
    arrays["world_to_camera"][:, 0, 3] = 1
    with pytest.raises(ValueError, match="world_to_camera"):
        smooth_surfaces(arrays, SIZE)
