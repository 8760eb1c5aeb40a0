"""HaMeR's cameras and hands: the released geometry, the official formulas, and batches of any size."""

from __future__ import annotations

import pickle
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation
from torch import nn

from extractors.batching import Running
from extractors.hamer.crop import hand_crop
from extractors.hamer.estimator import HamerEstimator
from extractors.hamer.geometry import cam_crop_to_full, full_frame_camera, perspective_projection
from extractors.hamer.network import Hamer, random_hamer
from extractors.hand_boxes import hand_boxes
from extractors.interface import RANDOM, Frame, Licences, Lineage, SeenHand
from renderers.body_models.interface import BodyParameters
from renderers.wholebody import LEFT_HAND, RIGHT_HAND

WIDTH, HEIGHT = 640, 400

LINEAGE = Lineage("hamer", 1, "none", {"hamer.ckpt": RANDOM}, Licences("MIT", "none", "none"))

Hands = list[tuple[SeenHand | None, SeenHand | None]]


@pytest.fixture(scope="module")
def network() -> Hamer:
    """An untrained network whose answers differ more from hand to hand than those of a new one."""
    network = random_hamer("small")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for layer in (network.mano_head.decpose, network.mano_head.decshape, network.mano_head.deccam):
            nn.init.xavier_uniform_(layer.weight, gain=0.2)
    return network.eval()


def some_frames(count: int) -> list[Frame]:
    """Frames of noise."""
    random = np.random.default_rng(2)
    return [
        Frame(number, number / 30, random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))
        for number in range(count)
    ]


def some_keypoints(number: int) -> Float[np.ndarray, "133 2"]:
    """Of a person whose hands are in other places in each frame."""
    random = np.random.default_rng(number)
    keypoints = np.zeros((133, 2), np.float32)
    for hand in (LEFT_HAND, RIGHT_HAND):
        keypoints[hand] = random.uniform((50, 50), (500, 300)) + random.uniform(0, 90, (21, 2))
    return keypoints


def seen(
    network: Hamer, frames: list[Frame], valid: list[tuple[bool, bool]], batch: int = 4
) -> tuple[Hands, HamerEstimator]:
    """The frames' hands, and the estimator that saw them."""
    estimator = HamerEstimator(network, Running(batch=batch), LINEAGE)
    reader = estimator.reader()
    for frame, of_frame in zip(frames, valid, strict=True):
        reader.add(frame, some_keypoints(frame.number), np.ones(133, np.float32), of_frame)
    return reader.finish(), estimator


def test_cameras_are_the_released_ones(shared: Path) -> None:
    with np.load(shared / "fixtures" / "hamer_geometry.npz") as released:
        given = (released[name] for name in ("cam", "box_center", "box_size", "img_size", "focal"))
        np.testing.assert_allclose(cam_crop_to_full(*given), released["cam_full"], rtol=1e-5, atol=1e-5)
        given = (released[name] for name in ("pp_points", "pp_trans", "pp_focal"))
        np.testing.assert_allclose(perspective_projection(*given), released["pp_out"], rtol=0, atol=1e-5)


def test_each_hand_is_what_the_official_formulas_give(network: Hamer) -> None:
    frames = some_frames(1)
    (pair,), estimator = seen(network, frames, [(True, True)])
    assert estimator.hand_model == "mano" and estimator.lineage == LINEAGE
    boxes = hand_boxes(some_keypoints(0), np.ones(133, np.float32), "realisdance")
    for side, (hand, box) in enumerate(zip(pair, boxes, strict=True)):
        crop = hand_crop(frames[0].image, box, is_left=side == 0)
        with torch.inference_mode():
            outputs = {
                name: value[0].numpy() for name, value in network(torch.tensor(crop.input[None])).items()
            }
        assert hand is not None
        turns = Rotation.from_matrix(np.concatenate([outputs["global_orient"], outputs["hand_pose"]]))
        np.testing.assert_allclose(hand.pose, turns.as_rotvec(), rtol=0, atol=1e-5)
        np.testing.assert_allclose(hand.shape, outputs["betas"], rtol=0, atol=1e-6)
        is_right = side
        scale, x, y = (float(value) for value in outputs["pred_cam"] * [1, 2 * is_right - 1, 1])
        focal = 5000 / 256 * 640
        size, middle = crop.size * scale, crop.center
        expected = np.array(
            [2 * (middle[0] - 320) / size + x, 2 * (middle[1] - 200) / size + y, 2 * focal / size]
        )
        np.testing.assert_allclose(hand.translation, expected, rtol=1e-5)
        np.testing.assert_allclose(
            hand.K, [[focal, 0.0, 320.0], [0.0, focal, 200.0], [0.0, 0.0, 1.0]], rtol=1e-6
        )


def test_a_left_hand_is_the_right_one_of_the_mirrored_frame(network: Hamer) -> None:
    (frame,) = some_frames(1)
    keypoints, confidence = some_keypoints(0), np.ones(133, np.float32)
    mirrored = keypoints.copy()
    mirrored[RIGHT_HAND] = [WIDTH - 1, 0] + keypoints[LEFT_HAND] * [-1, 1]
    estimator = HamerEstimator(network, Running(), LINEAGE)
    reader = estimator.reader()
    reader.add(frame, keypoints, confidence, (True, False))
    reader.add(Frame(1, 1.0, np.ascontiguousarray(frame.image[:, ::-1])), mirrored, confidence, (False, True))
    (left, none), (nothing, right) = reader.finish()
    assert left is not None and right is not None and none is None and nothing is None
    np.testing.assert_allclose(left.pose, right.pose, rtol=0, atol=1e-5)
    np.testing.assert_allclose(left.shape, right.shape, rtol=0, atol=1e-5)
    # The official program mirrors about a place half a pixel left of what it takes for the middle.
    pixel = left.translation[2] / left.K[0, 0]
    np.testing.assert_allclose(left.translation, right.translation * [-1, 1, 1], rtol=0, atol=1.01 * pixel)


def test_a_surface_is_seen_where_its_crop_shows_it(network: Hamer, shared: Path, tmp_path: Path) -> None:
    pytest.importorskip("smplx")
    from renderers.body_models.mano import Mano

    made = runpy.run_path(str(shared / "fixtures" / "recipe.py"))["fake_mano"]()
    (tmp_path / "MANO_RIGHT.pkl").write_bytes(pickle.dumps(made, protocol=2))
    frames = some_frames(1)
    (pair,), _ = seen(network, frames, [(True, True)])
    boxes = hand_boxes(some_keypoints(0), np.ones(133, np.float32), "realisdance")
    for side, (hand, box) in enumerate(zip(pair, boxes, strict=True)):
        assert hand is not None
        crop = hand_crop(frames[0].image, box, is_left=side == 0)
        with torch.inference_mode():
            scale, x, y = network(torch.tensor(crop.input[None]))["pred_cam"][0].numpy()
        own = np.concatenate([hand.pose.ravel(), hand.shape, hand.translation])
        parameters = BodyParameters(
            own[None, :48].reshape(1, 16, 3), own[None, 48:58], np.zeros((1, 0)), own[None, 58:]
        )
        surface = Mano(tmp_path, "right" if side else "left").surface(parameters).vertices[0]
        pixels = surface @ hand.K.T
        # The network's own hand: a right one in the crop, which was mirrored for a left one.
        still = BodyParameters(parameters.pose, parameters.shape, parameters.expression, np.zeros((1, 3)))
        in_crop = perspective_projection(
            Mano(tmp_path).surface(still).vertices,
            np.array([[x, y, 2 * 5000 / (256 * scale)]]),
            np.full((1, 2), 5000 / 256),
        )[0]
        expected = crop.center + crop.size * in_crop * [1 if side else -1, 1]
        # The two cameras look from other places: no more than a pixel apart on a hand of this size.
        np.testing.assert_allclose(pixels[:, :2] / pixels[:, 2:], expected, rtol=0, atol=1)


def test_batches_change_nothing_and_frames_keep_their_places(network: Hamer) -> None:
    frames = some_frames(4)
    valid = [(True, True), (False, False), (False, True), (True, True)]
    expected, alone = seen(network, frames, valid, batch=1)
    together, estimator = seen(network, frames, valid, batch=4)
    assert (alone.batched.count.batches, estimator.batched.count.batches) == (5, 2)
    assert [tuple(hand is not None for hand in pair) for pair in expected] == valid
    for pair, other in zip(expected, together, strict=True):
        for hand, same in zip(pair, other, strict=True):
            assert (hand is None) == (same is None)
            if hand is not None and same is not None:
                for name in ("pose", "shape", "translation", "K"):
                    np.testing.assert_allclose(getattr(same, name), getattr(hand, name), rtol=1e-5, atol=1e-4)


def test_hands_without_enough_sure_points_are_not_looked_at(network: Hamer) -> None:
    reader = HamerEstimator(network, Running(), LINEAGE).reader()
    (frame,) = some_frames(1)
    confidence = np.zeros(133, np.float32)
    confidence[LEFT_HAND.start : LEFT_HAND.start + 3] = 1
    confidence[RIGHT_HAND.start : RIGHT_HAND.start + 4] = 0.3
    reader.add(frame, some_keypoints(0), confidence, (True, True))
    ((left, right),) = reader.finish()
    assert left is None and right is not None
    assert HamerEstimator(network, Running(), LINEAGE).reader().finish() == []


def test_a_hand_behind_the_camera_is_none() -> None:
    network = random_hamer("small")
    network.mano_head.init_cam *= -1
    (pair,), _ = seen(network, some_frames(1), [(True, True)])
    assert pair == (None, None)


def test_the_full_frame_s_camera_looks_through_its_middle() -> None:
    np.testing.assert_allclose(full_frame_camera(1080, 1920), [[37500, 0, 540], [0, 37500, 960], [0, 0, 1]])
