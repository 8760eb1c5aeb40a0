"""The horizontal flip: a sample's numbers and conditions become those of the mirrored video."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renderers.body_models.load import load_body_model
from renderers.motion_blur import draw_motion_blur
from renderers.skeleton import draw_skeleton
from renderers.wholebody import BODY_PARTS, FLIP, LEFT_HAND, NAMES, RIGHT_HAND
from shards.flip import flipped_poses
from shards.reader import ConditionError, Dataset
from shards.schema import POSES, SampleError, check_poses
from tests.factories.dataset import MadeClip, made_poses, make_dataset
from tests.factories.made_body import MADE_MODELS, MadeBody, made_model, surface_images, with_body

CLIP = MadeClip(1, frames=6, size=(64, 48), body=True)
WIDTH = CLIP.size[0]


def flipped(poses: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return flipped_poses(poses, WIDTH, MadeBody())


def random_poses(number: int, **changes: Any) -> dict[str, np.ndarray]:
    """Every float array filled, cameras of any kind, MANO's hands beside the body's."""
    poses = made_poses(MadeClip(number, frames=4, size=CLIP.size, body=True))
    random = np.random.default_rng(number)
    for name in ("body_landmarks", "body_visibility", "hand_landmarks", "face_box", "hand_box", "person_box"):
        poses[name] = random.normal(0, 20, poses[name].shape).astype(np.float32)
    poses["camera_K"][:, 0, 1] = 3
    poses["world_to_camera"][:, :3] = random.normal(0, 1, (4, 3, 4))
    shapes = {"hand_pose": (4, 2, 16, 3), "hand_shape": (4, 2, 10), "hand_translation": (4, 2, 3)}
    poses |= {name: random.normal(0, 1, shape).astype(np.float32) for name, shape in shapes.items()}
    poses["hand_model"] = np.array(["mano"], "<U32")
    poses["hand_joints"] = np.array([f"joint {number}" for number in range(16)], "<U32")
    poses["hand_camera_K"] = poses["camera_K"] + [[[0, 0, 2], [0, 0, 1], [0, 0, 0]]]
    return poses | changes


@settings(max_examples=30, deadline=None)
@given(number=st.integers(0, 10_000))
def test_flipped_twice_is_what_it_was(number: int) -> None:
    poses = random_poses(number)
    once = flipped(poses)
    check_poses(once, 4)
    twice = flipped(once)
    assert once.keys() == twice.keys() == POSES.keys()
    for name, array in poses.items():
        assert once[name].dtype == twice[name].dtype == array.dtype
        if array.dtype.kind == "f":
            np.testing.assert_allclose(twice[name], array, rtol=1e-6, atol=1e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(twice[name], array)


@settings(max_examples=30, deadline=None)
@given(number=st.integers(0, 10_000))
def test_left_becomes_right_and_x_becomes_width_minus_x(number: int) -> None:
    poses = random_poses(number)
    mirrored = flipped(poses)
    for name in NAMES[:23]:
        other = {"left": "right", "right": "left"}.get(name.split("_")[0], "")
        other = "_".join([other, *name.split("_")[1:]]) if other else name
        was, now = poses["keypoints"][:, NAMES.index(name)], mirrored["keypoints"][:, NAMES.index(other)]
        np.testing.assert_allclose(now, [WIDTH, 0] + was * [-1, 1], atol=1e-5)
    np.testing.assert_array_equal(mirrored["confidence"][:, LEFT_HAND], poses["confidence"][:, RIGHT_HAND])
    np.testing.assert_array_equal(mirrored["sharpness"], poses["sharpness"][:, ::-1])
    np.testing.assert_array_equal(mirrored["movement"], poses["movement"][:, ::-1] * [-1, 1])
    np.testing.assert_array_equal(mirrored["hand_valid"], poses["hand_valid"][:, ::-1])
    left, right = (list(BODY_PARTS).index(f"{side}_leg") for side in ("left", "right"))
    np.testing.assert_array_equal(mirrored["body_part_valid"][:, left], poses["body_part_valid"][:, right])
    x0, y0, x1, y1 = poses["person_box"].T
    np.testing.assert_allclose(mirrored["person_box"].T, [WIDTH - x1, y0, WIDTH - x0, y1], atol=1e-5)


@pytest.mark.parametrize("part", ["arm", "leg", "hand"])
def test_a_part_has_the_points_that_its_other_side_has_in_a_mirror(part: str) -> None:
    left, right = (BODY_PARTS[f"{side}_{part}"] for side in ("left", "right"))
    assert FLIP[list(left)].tolist() == list(right)
    assert set(FLIP[list(BODY_PARTS["head"])]) == set(BODY_PARTS["head"])


@pytest.mark.parametrize(
    ("one", "other"), [(0, 0), (1, 4), (2, 5), (3, 6), (7, 8), (9, 10), (11, 12), (31, 32)]
)
def test_landmarks_change_places_with_those_of_the_other_side(one: int, other: int) -> None:
    poses = random_poses(3)
    mirrored = flipped(poses)["body_landmarks"]
    np.testing.assert_array_equal(mirrored[:, one], poses["body_landmarks"][:, other] * [-1, 1, 1])


def projected(poses: dict[str, np.ndarray], frame: int, points: np.ndarray) -> np.ndarray:
    """Pixels of points of the body's world."""
    to_camera = poses["world_to_camera"][frame]
    seen = (points @ to_camera[:3, :3].T + to_camera[:3, 3]) @ poses["camera_K"][frame].T
    return np.asarray(seen[:, :2] / seen[:, 2:])


@settings(max_examples=30, deadline=None)
@given(number=st.integers(0, 10_000))
def test_the_mirrored_body_is_seen_where_the_mirror_shows_it(number: int) -> None:
    poses = random_poses(number)
    mirrored = flipped(poses)
    points = np.random.default_rng(number).normal(0, 1, (20, 3))
    wanted = [WIDTH, 0] + projected(poses, 0, points) * [-1, 1]
    np.testing.assert_allclose(projected(mirrored, 0, points * [-1, 1, 1]), wanted, rtol=1e-6, atol=1e-6)


def test_the_body_model_that_is_needed_is_named() -> None:
    with pytest.raises(ValueError, match="are of anny: give that body model"):
        flipped_poses(made_poses(CLIP), WIDTH, None)
    poses = made_poses(CLIP)
    poses["body_joints"] = poses["body_joints"][::-1]
    with pytest.raises(SampleError, match=r"body_joints names 3 joints.*hand\.R, where the model has trunk"):
        flipped(poses)
    bodiless = made_poses(MadeClip(1, size=CLIP.size))
    assert flipped_poses(bodiless, WIDTH, None).keys() == POSES.keys()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = tmp_path_factory.mktemp("dataset") / "made"
    make_dataset(path, [CLIP])
    dataset = Dataset(path)
    dataset._models = dict(MADE_MODELS)
    return dataset


def test_a_flipped_sample_is_drawn_from_mirrored_numbers(dataset: Dataset) -> None:
    (sample,) = dataset
    mirror = sample.flipped()
    np.testing.assert_array_equal(mirror.frames([2, 0]), sample.frames([2, 0])[:, :, ::-1])
    for frame, (skeleton, planes) in enumerate(
        zip(mirror.condition("skeleton"), mirror.condition("motion_blur", size=(96, 128)), strict=True)
    ):
        names = ("keypoints", "confidence", "movement", "sharpness")
        keypoints, confidence, movement, sharpness = (mirror.poses[name][[frame]] for name in names)
        np.testing.assert_array_equal(skeleton, draw_skeleton(keypoints, confidence, (48, 64), (48, 64)))
        np.testing.assert_array_equal(
            planes, draw_motion_blur(keypoints, confidence, movement, sharpness, (96, 128), (48, 64))
        )
    np.testing.assert_array_equal(mirror.validity("hands"), sample.validity("hands"))
    again = mirror.flipped()
    np.testing.assert_array_equal(again.frame(0), sample.frame(0))
    np.testing.assert_array_equal(again.condition("skeleton"), sample.condition("skeleton"))


def test_what_is_drawn_from_keypoints_is_flipped_without_a_body_model(tmp_path: Path) -> None:
    make_dataset(tmp_path / "made", [CLIP])
    (sample,) = Dataset(tmp_path / "made")
    sample._models = {"made": lambda name, **options: made_model("lost")}
    assert sample.flipped().condition("skeleton").shape == (6, 48, 64, 3)
    with pytest.raises(ConditionError, match=r"body of anny.*There is no file of lost.*--body-models"):
        sample.flipped().condition("smpl_cs")


def same_but_for_rims(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether one mask is the mirrored other, but for pixels at its rim: an edge may go through a middle."""
    drawn, mirrored = one.any(-1), np.ascontiguousarray(other.any(-1)[:, ::-1])
    assert drawn.any()
    rim = cv2.morphologyEx(mirrored.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return not ((drawn != mirrored) & (rim == 0)).any()


def sides(image: np.ndarray) -> tuple[float, float]:
    """The mean columns of what is blue and of what is red: the left and the right hand of the made body."""
    levels = image.astype(int)
    blue, red = levels[..., 2] > 2 * levels[..., 0], levels[..., 0] > 2 * levels[..., 2]
    return float(np.nonzero(blue)[1].mean()), float(np.nonzero(red)[1].mean())


def test_the_left_hand_of_a_flipped_sample_has_the_lefts_colour(dataset: Dataset) -> None:
    (sample,) = dataset
    (image,), (mirrored,) = (
        one.condition("smpl_cs", [0], size=(240, 320)) for one in (sample, sample.flipped())
    )
    assert same_but_for_rims(mirrored, image)
    # Whoever faces the camera has the left hand on the right of the picture, in a mirror too.
    for left, right in (sides(image), sides(mirrored)):
        assert left > right + 50
    left, right = sides(image[:, ::-1])
    assert left < right - 50


def test_anny_is_mirrored_and_keeps_the_colours_of_its_sides() -> None:
    model = load_body_model("anny")
    size = (160, 120)
    poses = made_poses(MadeClip(2, frames=1, size=size))
    poses = with_body(poses, size, np.random.default_rng(5), model)
    poses["body_pose"] *= 0.3
    poses["hand_surface_valid"][:] = [True, False]
    check_poses(poses, 1)
    mirrored = flipped_poses(poses, size[0], model)
    (image, hands), (flipped_image, flipped_hands) = (
        next(surface_images(arrays, [0], (480, 640), size[::-1], lambda name, **_: model))
        for arrays in (poses, mirrored)
    )
    assert same_but_for_rims(flipped_image, image)
    assert same_but_for_rims(flipped_hands, hands)
    # The left hand is green; flipped, it is the right one and red.
    assert hands[..., 1].sum() > 1.2 * hands[..., 0].sum()
    assert flipped_hands[..., 0].sum() > 1.2 * flipped_hands[..., 1].sum()
    both = image.any(-1) & flipped_image[:, ::-1].any(-1)
    assert np.abs(image[both].astype(int) - flipped_image[:, ::-1][both]).max() > 30
