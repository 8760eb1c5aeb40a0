"""SMPLer-X's weightless parts: positions, features, regions, boxes, crops and cameras equal the released."""

from __future__ import annotations

import math
import runpy
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jaxtyping import Float, UInt8
from torch import Tensor

from extractors.openmmlab.suppression import suppressed_nms
from extractors.smpler_x.boxes import crop_box
from extractors.smpler_x.crop import crop_person
from extractors.smpler_x.operators import (
    camera_translation,
    features_at,
    regions,
    soft_argmax,
    square_boxes,
)

NOISE: UInt8[np.ndarray, "300 400 3"] = np.random.default_rng(5).integers(0, 256, (300, 400, 3), np.uint8)


@pytest.fixture(scope="module")
def released(shared: Path) -> Mapping[str, np.ndarray]:
    """What the released code gave."""
    with np.load(shared / "fixtures" / "smplerx_ops.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def stream(shared: Path) -> Callable[..., np.ndarray]:
    """Numbers by name, in [-1, 1)."""
    made: Callable[..., np.ndarray] = runpy.run_path(str(shared / "fixtures" / "recipe.py"))["z"]
    return made


@pytest.fixture(scope="module")
def picture(shared: Path) -> UInt8[np.ndarray, "height width 3"]:
    """The picture that the released crops are of, RGB."""
    return cv2.imread(str(shared / "fixtures" / "crop_image.png"))[..., ::-1]


def assert_close(ours: Tensor, theirs: np.ndarray, atol: float = 1e-4) -> None:
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=atol)


def test_positions_in_heat_maps_are_the_released(
    released: Mapping[str, np.ndarray], stream: Callable[..., np.ndarray]
) -> None:
    deep, flat = 3 * stream("sx.hm", (2, 5, 16, 16, 12)), 3 * stream("sx.hm2", (2, 3, 128, 96))
    assert_close(soft_argmax(torch.from_numpy(deep))[1], released["sa3d"])
    assert_close(soft_argmax(torch.from_numpy(flat))[1], released["sa2d"])


def test_a_heat_map_of_one_place_is_at_this_place() -> None:
    scores = torch.full((2, 3, 4, 5, 6), -1e4)
    places = [(b, j, (b + j) % 4, j, 5 - j) for b in range(2) for j in range(3)]
    for place in places:
        scores[place] = 0
    probability, means = soft_argmax(scores)
    for b, j, z, y, x in places:
        assert probability[b, j, z, y, x] == 1
        assert means[b, j].tolist() == [x, y, z]


def test_features_at_places_are_the_released(
    released: Mapping[str, np.ndarray], stream: Callable[..., np.ndarray]
) -> None:
    features = torch.from_numpy(stream("sx.ft", (2, 7, 16, 12)))
    assert_close(features_at(features, torch.from_numpy(released["sample_xy"])), released["sample"])


def test_boxes_of_hands_and_faces_are_the_released(released: Mapping[str, np.ndarray]) -> None:
    centre, size = torch.from_numpy(released["bbox_center"]), torch.from_numpy(released["bbox_size"])
    for part, extension in (("hand", 2.0), ("face", 1.5)):
        assert_close(square_boxes(centre, size, extension, 16), released[f"bbox_{part}"])


def test_the_camera_is_the_released(released: Mapping[str, np.ndarray]) -> None:
    assert_close(camera_translation(torch.from_numpy(released["cam_param"])), released["cam_trans"])


def mean_of_samples(
    line: Callable[[float, float], float], box: tuple[float, ...], side: int, height: int, width: int
) -> list[list[float]]:
    """RoIAlign's definition, sample by sample, of a map whose bilinear interpolation is `line`."""
    x0, y0, x1, y1 = box
    step_x, step_y = max(x1 - x0, 1) / side, max(y1 - y0, 1) / side
    across, down = math.ceil(step_x), math.ceil(step_y)

    def sample(x: float, y: float) -> float:
        if not (-1 <= x <= width and -1 <= y <= height):
            return 0.0
        return line(min(max(x, 0), width - 1), min(max(y, 0), height - 1))

    return [
        [
            sum(
                sample(x0 + (j + (k + 0.5) / across) * step_x, y0 + (i + (m + 0.5) / down) * step_y)
                for k in range(across)
                for m in range(down)
            )
            / (across * down)
            for j in range(side)
        ]
        for i in range(side)
    ]


@settings(deadline=None, max_examples=60)
@given(st.tuples(*[st.floats(-6, 14, width=32)] * 2), st.tuples(*[st.floats(-2, 20, width=32)] * 2))
def test_regions_are_means_of_samples_in_and_around_the_map(
    corner: tuple[float, float], size: tuple[float, float]
) -> None:
    """On products of lines, whose bilinear interpolation is themselves."""
    box = (*corner, corner[0] + size[0], corner[1] + size[1])
    # A sample that is within rounding of where the map's border ends may fall on either side.
    for start, length, last in ((box[0], size[0], 7), (box[1], size[1], 9)):
        step = max(length, 1) / 3
        count = math.ceil(step)
        samples = start + (np.arange(3 * count) + 0.5) * step / count
        assume(abs(step - round(step)) > 1e-4)
        assume((np.abs(samples[:, None] - [-1, last]) > 1e-4).all())
    y, x = np.mgrid[:9, :7]
    features = torch.from_numpy(np.stack([np.ones((9, 7)), x, (x - 3.0) * (y + 2)]))
    ours = regions(torch.stack([features, -features]), torch.tensor([box, box]), 3)
    lines = (lambda x, y: 1.0, lambda x, y: x, lambda x, y: (x - 3) * (y + 2))
    for channel, line in enumerate(lines):
        theirs = np.array(mean_of_samples(line, box, 3, 9, 7))
        assert_close(ours[0, channel], theirs, atol=2e-4)
        assert_close(ours[1, channel], -theirs, atol=2e-4)


def test_a_region_far_larger_than_the_map_stays_a_mean() -> None:
    found = regions(torch.ones(1, 1, 9, 7), torch.tensor([[-1e5, -1e5, 1e5, 1e5]]), 3)
    assert ((found >= 0) & (found <= 1)).all()


def xyxy(box: Float[np.ndarray, "4"]) -> Float[np.ndarray, "4"]:
    return np.concatenate([box[:2], box[:2] + box[2:]])


def test_crops_are_every_other_pixel_of_the_released(
    released: Mapping[str, np.ndarray], picture: UInt8[np.ndarray, "height width 3"]
) -> None:
    """Every fourth of ours is every eighth of theirs."""
    height, width = picture.shape[:2]
    for box, around, patch in zip(
        released["boxes_xywh"], released["boxes_out"], released["patch_every8"], strict=True
    ):
        found = crop_box(xyxy(box), width, height)
        assert found is not None
        np.testing.assert_array_equal(found, around)
        crop = crop_person(picture, xyxy(box))
        assert crop is not None
        theirs = patch.transpose(2, 0, 1) / np.float32(255)
        np.testing.assert_array_equal(crop.image[:, ::4, ::4], theirs)
        bgr = crop_person(picture, xyxy(box), compat_bgr=True)
        assert bgr is not None
        np.testing.assert_array_equal(bgr.image, crop.image[::-1])


@settings(deadline=None, max_examples=60)
@given(st.tuples(*[st.floats(-150, 350)] * 2), st.tuples(*[st.floats(3, 500)] * 2))
def test_crops_are_every_other_pixel_of_crops_twice_as_large(
    corner: tuple[float, float], size: tuple[float, float]
) -> None:
    """To the bit, of all boxes."""
    box = np.array([*corner, corner[0] + size[0], corner[1] + size[1]])
    crop, around = crop_person(NOISE, box), crop_box(box, 400, 300)
    assert (crop is None) == (around is None)
    assume(crop is not None)
    assert crop is not None and around is not None
    (x, y), (half_width, half_height) = around[:2] + around[2:] / 2, around[2:] / 2
    sources = np.array([[x, y], [x, y + half_height], [x + half_width, y]], np.float32)
    targets = np.array([[192, 256], [192, 512], [384, 256]], np.float32)
    transform = cv2.getAffineTransform(sources, targets).astype(np.float32)
    large = cv2.warpAffine(NOISE.astype(np.float32), transform, (384, 512), flags=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(crop.image, large[::2, ::2].transpose(2, 0, 1) / np.float32(255))


def test_a_box_beside_the_image_or_of_a_pixel_is_no_crop() -> None:
    for box in ([400, 10, 500, 100], [10, 300, 50, 500], [20, 20, 21, 80], [50, 50, 20, 80]):
        assert crop_person(NOISE, np.array(box, float)) is None


def test_the_camera_sees_a_point_where_the_network_does() -> None:
    """The network's camera has focal length 5000 and its middle in the middle of the crop."""
    x, y, z = 0.4, -0.3, 28.0
    box = np.array([100.0, 40, 221, 281])
    crop, around = crop_person(NOISE, box), crop_box(box, 400, 300)
    assert crop is not None and around is not None
    u, v, w = crop.K @ [x, y, z]
    within = np.array([5000 * x / z + 96, 5000 * y / z + 128])
    np.testing.assert_allclose([u / w, v / w], around[:2] + within * around[2:] / [192, 256], rtol=1e-5)


def test_overlapping_detections_are_dropped_as_the_released(released: Mapping[str, np.ndarray]) -> None:
    detections = torch.from_numpy(released["dets"])
    kept = suppressed_nms(detections[:, :4], detections[:, 4], iou_threshold=0.5, offset=1)
    np.testing.assert_array_equal(detections[kept].numpy(), released["nms"])


def test_a_box_outside_the_image_is_nobody() -> None:
    for box in ([-200, 10, -100, 200], [10, -90, 100, 0], [400, 10, 500, 200], [10, 300, 90, 400]):
        assert crop_box(np.array(box, float), 400, 300) is None
    assert crop_box(np.array([-50.0, -20, 80, 200]), 400, 300) is not None
