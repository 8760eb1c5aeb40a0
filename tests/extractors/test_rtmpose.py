"""RTMPose and DWPose, held to mmpose's own inference and to the outputs of DWPose's released code."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from jaxtyping import Float, UInt8

from extractors.batching import Running
from extractors.interface import RANDOM, Frame, FramePose, Licences, Lineage
from extractors.openmmlab.environment import prepare
from extractors.openmmlab.networks import build_network, packaged_config
from extractors.weights.errors import WeightsError
from extractors.wholebody import onnx_network
from extractors.wholebody.crops import into_images, take_crop
from extractors.wholebody.estimator import WholebodyEstimator
from extractors.wholebody.feet import with_feet
from extractors.wholebody.networks import Simcc, WholebodyNetwork, load_wholebody, simcc_network
from extractors.wholebody.onnx_network import export_simcc
from extractors.wholebody.published import NETWORKS
from extractors.wholebody.simcc import decode_simcc
from renderers.wholebody import BODY, FACE, FEET, LEFT_HAND, NAMES, RIGHT_HAND

_SIZE = NETWORKS["small"].input_size
_MEAN, _DEVIATION = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])

_BOXES = np.array([[40.0, 30, 120, 150], [-20, -10, 60, 40], [100, 60, 200, 160], [5, 5, 7, 140]])
"""In an image of 200x160 pixels: inside, past the upper left corner, up to the lower right one, a line."""

_LINEAGE = Lineage("rtmpose", 1, "mmpose", {"small": RANDOM}, Licences("Apache-2.0", "none", "none"))


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Two threads on a busy machine wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def image() -> UInt8[np.ndarray, "160 200 3"]:
    """Smooth colours, so that the place of a crop shows in what is seen."""
    coarse = np.random.default_rng(0).integers(0, 255, (8, 10, 3), np.uint8)
    return cv2.resize(coarse, (200, 160), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def small() -> Simcc:
    """The cheapest network, random."""
    return simcc_network("small", None)


def _estimator(network: WholebodyNetwork, batch: int = 4, **settings: Any) -> WholebodyEstimator:
    return WholebodyEstimator(network, Running(batch=batch), _LINEAGE, **settings)


def _people(image: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(image, box) for box in _BOXES]


@pytest.fixture(scope="module")
def released(shared: Path) -> Any:
    """Crops and decoded points of DWPose's released code."""
    return np.load(shared / "fixtures" / "dwpose" / "ops.npz")


def test_crops_are_those_of_the_released_code(released: Any, shared: Path) -> None:
    image = cv2.imread(str(shared / "fixtures" / "crop_image.png"))
    for number, box in enumerate(released["boxes"]):
        crop = take_crop(image, box, (288, 384))
        normalised = (crop.image.transpose(1, 2, 0) - _MEAN) / _DEVIATION
        np.testing.assert_allclose(normalised[::8, ::8], released["pose_in_every8"][number], atol=1e-6)
        np.testing.assert_allclose(crop.center, released["center"][number])
        np.testing.assert_allclose(crop.extent, released["scale"][number])


def test_peaks_are_those_of_the_released_code(released: Any, shared: Path) -> None:
    z = runpy.run_path(str(shared / "fixtures" / "recipe.py"))["z"]
    x, y = z("dw.simcc.x", (4, 1, 133, 576))[:, 0], z("dw.simcc.y", (4, 1, 133, 768))[:, 0]
    x[2, 5] = -np.abs(x[2, 5]) - 0.1
    place, score = decode_simcc(torch.from_numpy(x), torch.from_numpy(y))
    np.testing.assert_array_equal(score.numpy(), released["scores"])
    image = np.zeros((480, 640, 3), np.uint8)
    crops = [take_crop(image, box, (288, 384)) for box in released["boxes"]]
    np.testing.assert_allclose(into_images(place.numpy(), crops), released["keypoints"], atol=1e-6)


@pytest.mark.parametrize("flip_test", [False, True])
def test_keypoints_are_those_of_mmpose(image: np.ndarray, flip_test: bool) -> None:
    prepare()
    from mmpose.apis import inference_topdown
    from mmpose.datasets.datasets.utils import parse_pose_metainfo

    published = NETWORKS["small"]
    config = packaged_config("mmpose", published.config)
    config.merge_from_dict({**published.changes, "model.test_cfg.flip_test": flip_test})
    network: Any = build_network("mmpose", config)
    with torch.inference_mode():
        for layer in (network.head.cls_x, network.head.cls_y):
            layer.weight.mul_(2e8)
    network.cfg = config
    network.dataset_meta = parse_pose_metainfo({"from_file": "configs/_base_/datasets/coco_wholebody.py"})
    theirs = [
        sample.pred_instances for sample in inference_topdown(network, image[:, :, ::-1].copy(), _BOXES)
    ]

    ours = _estimator(WholebodyNetwork(Simcc(network), _SIZE, flip_test=flip_test))
    keypoints, confidence = ours.keypoints(_people(image))
    np.testing.assert_allclose(keypoints, np.concatenate([it.keypoints for it in theirs]), atol=1e-3)
    scores = np.concatenate([it.keypoint_scores for it in theirs])
    np.testing.assert_allclose(confidence, scores.clip(0, 1), atol=1e-5)
    assert scores.std() > 0.1


def test_compat_bgr_sees_red_as_blue(image: np.ndarray, small: Simcc) -> None:
    rgb, bgr = (_estimator(WholebodyNetwork(small, _SIZE, compat_bgr=compat)) for compat in (False, True))
    exchanged = image[:, :, ::-1].copy()
    for mine, other in zip(bgr.keypoints(_people(image)), rgb.keypoints(_people(exchanged)), strict=True):
        np.testing.assert_array_equal(mine, other)
    assert (rgb.keypoints(_people(image))[1] != bgr.keypoints(_people(image))[1]).any()


def test_a_batch_gives_what_each_crop_gives(image: np.ndarray, small: Simcc) -> None:
    alone, together = (_estimator(WholebodyNetwork(small, _SIZE), batch=batch) for batch in (1, 3))
    for one, all_ in zip(alone.keypoints(_people(image)), together.keypoints(_people(image)), strict=True):
        np.testing.assert_allclose(all_, one, rtol=1e-4, atol=1e-4)
    assert (together.runs[0].count.batches, together.runs[0].count.inputs) == (2, 4)
    assert [part.shape for part in together.keypoints([])] == [(0, 133, 2), (0, 133)]


def test_half_precision_changes_scores_little_and_places_hardly(image: np.ndarray, small: Simcc) -> None:
    network = WholebodyNetwork(small, _SIZE)
    wanted = _estimator(network).keypoints(_people(image))
    halved = WholebodyEstimator(network, Running(precision="bfloat16"), _LINEAGE)
    keypoints, confidence = halved.keypoints(_people(image))
    np.testing.assert_allclose(confidence, wanted[1], atol=0.05)
    assert (np.abs(keypoints - wanted[0]).max(axis=-1) < 1e-3).mean() > 0.9


def _frames(image: np.ndarray, seen: str) -> list[Frame]:
    """A frame for each letter: x seen, o looked for and not seen, - not looked for."""
    boxes = {"x": _BOXES[0], "o": np.full(4, np.nan), "-": None}
    return [Frame(number, number / 25, image, boxes[letter]) for number, letter in enumerate(seen)]


def test_only_frames_with_a_box_are_looked_into_and_order_is_kept(image: np.ndarray, small: Simcc) -> None:
    estimator = _estimator(WholebodyNetwork(small, _SIZE), batch=2)
    seen = "ox-xxoox-"
    poses = list(estimator.extract(_frames(image, seen)))
    assert [bool(pose.confidence.any()) for pose in poses] == [letter == "x" for letter in seen]
    assert estimator.runs[0].count.inputs == 4 and estimator.runs[0].count.batches == 2
    for pose, letter in zip(poses, seen, strict=True):
        if letter == "x":
            assert pose.keypoints.dtype == pose.confidence.dtype == np.float32
            assert np.isfinite(pose.keypoints).all()
            assert pose.confidence.min() >= 0 and pose.confidence.max() <= 1
        else:
            assert not (pose.body_valid or pose.face_valid or any(pose.hand_valid))


def test_reads_ahead_one_batch_and_no_further(image: np.ndarray, small: Simcc) -> None:
    read = 0

    def frames() -> Iterator[Frame]:
        nonlocal read
        for frame in _frames(image, "x" * 7):
            read += 1
            yield frame

    poses = _estimator(WholebodyNetwork(small, _SIZE), batch=3).extract(frames())
    reached = [(next(poses), read)[1] for _ in range(7)]
    assert reached == [3, 3, 3, 6, 6, 6, 7]


class _Known(torch.nn.Module):
    """A network whose peaks are chosen: scores, and places in half pixels of the crop."""

    def __init__(
        self, scores: Float[np.ndarray, "133"], places: Float[np.ndarray, "133 2"] | None = None
    ) -> None:
        super().__init__()
        self.scores = torch.from_numpy(scores.astype(np.float32))
        self.places = np.full((133, 2), (100, 120)) if places is None else places.astype(int)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same for every crop."""
        x, y = torch.full((len(images), 133, 384), -9.0), torch.full((len(images), 133, 512), -9.0)
        x[:, range(133), self.places[:, 0]] = self.scores
        y[:, range(133), self.places[:, 1]] = self.scores
        return x, y


def _seen(image: np.ndarray, scores: np.ndarray, **settings: Any) -> FramePose:
    network = WholebodyNetwork(_Known(scores), _SIZE)
    (pose,) = _estimator(network, keep_hands=False, **settings).extract(_frames(image, "x"))
    return pose


@pytest.mark.parametrize(
    ("part", "enough"), [(BODY, 5), (FACE, 34), (LEFT_HAND, 4), (RIGHT_HAND, 4)], ids=str
)
def test_a_part_is_valid_from_enough_found_points_on(image: np.ndarray, part: slice, enough: int) -> None:
    valid = []
    for count in (enough - 1, enough):
        scores = np.full(133, 0.29)
        scores[part.start : part.start + count] = 0.3
        pose = _seen(image, scores)
        valid.append([pose.body_valid, pose.face_valid, *pose.hand_valid])
    assert valid[0] == [False] * 4
    assert valid[1] == [part == other for other in (BODY, FACE, LEFT_HAND, RIGHT_HAND)]


def test_a_score_becomes_a_confidence_and_a_place_stays_finite(image: np.ndarray) -> None:
    scores = np.full(133, 0.5)
    scores[:3] = [1.7, -0.2, 0.0]
    pose = _seen(image, scores)
    np.testing.assert_allclose(pose.confidence[:4], [1, 0, 0, 0.5])
    # The padded box is 112.5 x 150: half a pixel of the crop is 0.29.
    np.testing.assert_allclose(
        pose.keypoints[0], [80 + (50 / 192 - 0.5) * 112.5, 90 + (60 / 256 - 0.5) * 150]
    )
    assert np.isfinite(pose.keypoints).all()


def test_a_hand_of_no_one_is_dropped_unless_told_otherwise(image: np.ndarray) -> None:
    """The right hand's points lie on the left hand, at the left arm's wrist."""
    network = WholebodyNetwork(_Known(np.full(133, 0.9), _standing(("left", "left"))), _SIZE)
    (kept,) = _estimator(network, keep_hands=False).extract(_frames(image, "x"))
    (pose,) = _estimator(network).extract(_frames(image, "x"))
    assert kept.hand_valid == (True, True)
    assert pose.hand_valid == (True, False)
    assert pose.confidence[LEFT_HAND].all() and not pose.confidence[RIGHT_HAND].any()
    np.testing.assert_array_equal(pose.confidence[: RIGHT_HAND.start], kept.confidence[: RIGHT_HAND.start])


def test_exchanged_hands_are_put_back_on_their_sides(image: np.ndarray) -> None:
    scores = np.full(133, 0.9)
    scores[LEFT_HAND] = 0.8
    right, wrong = (
        WholebodyNetwork(_Known(scores, _standing(hands)), _SIZE)
        for hands in (("left", "right"), ("right", "left"))
    )
    (wanted,) = _estimator(right).extract(_frames(image, "x"))
    (pose,) = _estimator(wrong).extract(_frames(image, "x"))
    np.testing.assert_array_equal(pose.keypoints, wanted.keypoints)
    np.testing.assert_allclose(pose.confidence[RIGHT_HAND], 0.8)
    assert pose.hand_valid == (True, True)


def _standing(hands: tuple[str, str]) -> Float[np.ndarray, "133 2"]:
    """A person with arms apart, the left one at the image's right; and at which wrist each hand lies."""
    places = np.full((133, 2), (190.0, 100))
    arms = {"left": [(230, 150), (280, 200), (300, 260)], "right": [(150, 150), (100, 200), (80, 260)]}
    for side, (name, joints) in enumerate(arms.items()):
        places[[NAMES.index(f"{name}_{joint}") for joint in ("shoulder", "elbow", "wrist")]] = joints
        fingers = np.stack(np.meshgrid(np.arange(0, 28, 4), np.arange(0, 30, 10)), axis=-1).reshape(21, 2)
        places[(LEFT_HAND, RIGHT_HAND)[side]] = np.array(arms[hands[side]][2]) + fingers
    return places


def test_feet_are_the_second_network_s(image: np.ndarray, small: Simcc) -> None:
    first, second = (WholebodyNetwork(net, _SIZE) for net in (small, simcc_network("small", None, seed=1)))
    (points, confidence), (others, other_confidence) = (
        _estimator(network).keypoints(_people(image)) for network in (first, second)
    )
    both = _estimator(first, feet=second)
    merged, merged_confidence = both.keypoints(_people(image))
    rest = np.setdiff1d(np.arange(133), np.arange(133)[FEET])
    np.testing.assert_array_equal(merged[:, FEET], others[:, FEET])
    np.testing.assert_array_equal(merged[:, rest], points[:, rest])
    np.testing.assert_array_equal(merged_confidence[:, FEET], other_confidence[:, FEET])
    np.testing.assert_array_equal(merged_confidence[:, rest], confidence[:, rest])
    assert [run.count.inputs for run in both.runs] == [4, 4]
    again = with_feet(points[0], confidence[0], others[0], other_confidence[0])
    np.testing.assert_array_equal(again[0], merged[0])


@pytest.mark.parametrize("flip_test", [False, True])
def test_random_networks_find_what_a_dry_run_looks_for(
    image: np.ndarray, small: Simcc, flip_test: bool
) -> None:
    network = WholebodyNetwork(small, _SIZE, flip_test=flip_test)
    (pose,) = _estimator(network, keep_hands=False).extract(_frames(image, "x"))
    assert pose.body_valid and pose.face_valid and all(pose.hand_valid)
    assert (_estimator(network).keypoints(_people(image)[:3])[1] >= 0.3).mean() > 0.8


def test_onnx_runtime_gives_what_pytorch_gives(image: np.ndarray, tmp_path: Path) -> None:
    def from_folder() -> WholebodyNetwork:
        return load_wholebody("small", None, onnx_folder=tmp_path / "onnx")

    exported = from_folder()
    (path,) = (tmp_path / "onnx").iterdir()
    made = path.stat().st_mtime_ns
    published = tmp_path / "dw-ll_ucoco_384.onnx"
    published.write_bytes(path.read_bytes())
    networks = {
        "exported": exported,
        "again": from_folder(),
        "published": load_wholebody("small", published),
    }
    assert path.stat().st_mtime_ns == made
    torch_points, torch_confidence = _estimator(load_wholebody("small", None)).keypoints(_people(image))
    for network in networks.values():
        points, confidence = _estimator(network, batch=3).keypoints(_people(image))
        np.testing.assert_allclose(confidence, torch_confidence, atol=1e-4)
        np.testing.assert_allclose(points, torch_points, atol=1e-4)


def test_an_exported_file_is_of_these_weights_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def files() -> set[str]:
        load_wholebody("small", weights, onnx_folder=tmp_path / "onnx")
        return {path.name for path in (tmp_path / "onnx").iterdir()}

    weights = None
    assert len(files()) == len(files()) == 1
    monkeypatch.setattr("extractors.wholebody.networks._RANDOM_SCORE", 0.7)
    assert len(files()) == 2
    monkeypatch.setattr("extractors.wholebody.networks.OPSET", 16)
    assert len(files()) == 3
    weights = tmp_path / "weights.pth"
    torch.save({"state_dict": simcc_network("small", None, seed=1).state_dict()}, weights)
    assert len(files()) == len(files()) == 4


def test_networks_run_by_pytorch_need_no_onnx_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert onnx_network.__file__ is not None
    assert "OnnxSimcc" in runpy.run_path(onnx_network.__file__)
    load_wholebody("small", None)


def test_an_onnx_file_for_one_crop_at_a_time_runs_batches(
    image: np.ndarray, small: Simcc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = torch.onnx.export
    monkeypatch.setattr(
        torch.onnx, "export", lambda *given, **settings: real(*given, **{**settings, "dynamic_axes": None})
    )
    export_simcc(small, _SIZE, tmp_path / "fixed.onnx")
    fixed = load_wholebody("small", tmp_path / "fixed.onnx")
    wanted = _estimator(WholebodyNetwork(small, _SIZE)).keypoints(_people(image))
    for mine, other in zip(_estimator(fixed).keypoints(_people(image)), wanted, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-4)


def test_a_wrong_onnx_file_is_named(small: Simcc, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    export_simcc(small, _SIZE, tmp_path / "small.onnx")
    renamed = (tmp_path / "small.onnx").read_bytes().replace(b"simcc_y", b"heatmap")
    (tmp_path / "other.onnx").write_bytes(renamed)
    for name, network, reason in (
        ("broken", "small", "cannot read"),
        ("missing", "small", "cannot read"),
        ("small", "rtmpose-l", "192x256 pixels, not 288x384"),
        ("other", "small", "not a SimCC network"),
    ):
        with pytest.raises(WeightsError, match=rf"{name}\.onnx: .*{reason}"):
            load_wholebody(network, tmp_path / f"{name}.onnx")


@pytest.mark.large
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("rtmpose-m", 17_953_039),
        ("rtmpose-l", 33_610_919),
        ("rtmpose-x", 56_709_919),
        ("dwpose-l", 33_610_919),
    ],
)
def test_published_networks_are_built(name: str, parameters: int, image: np.ndarray) -> None:
    network = load_wholebody(name, None, flip_test=True)
    assert sum(weight.numel() for weight in network.parameters()) == parameters
    keypoints, confidence = _estimator(network).keypoints(_people(image)[:1])
    assert keypoints.shape == (1, 133, 2) and (confidence > 0.3).mean() > 0.8
