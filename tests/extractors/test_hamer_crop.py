"""HaMeR's crops: the released ones, and that the part of the image which is looked at is all that matters."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float, UInt8
from scipy.ndimage import gaussian_filter

from extractors.hamer.crop import hand_crop

IMAGE = np.random.default_rng(0).integers(0, 256, (430, 610, 3), np.uint8)

MEAN, DEVIATION = 255 * np.array([0.485, 0.456, 0.406]), 255 * np.array([0.229, 0.224, 0.225])


@pytest.mark.parametrize("rescale", [2.0, 2.5])
def test_crops_are_the_released_ones(shared: Path, rescale: float) -> None:
    image = cv2.imread(str(shared / "fixtures" / "crop_image.png"))[..., ::-1]
    with np.load(shared / "fixtures" / "hamer_crop.npz") as released:
        for number, box in enumerate(released["boxes"]):
            crop = hand_crop(image, box, is_left=released["right"][number] == 0, rescale=rescale)
            expected = {
                name: released[f"{name}_rf{rescale}"][number]
                for name in ("patch_every4", "patch_mean", "box_center", "box_size")
            }
            np.testing.assert_array_equal(crop.center, expected["box_center"])
            assert crop.size == expected["box_size"]
            sharp = crop.size / 512 <= 1.1
            np.testing.assert_allclose(
                crop.input[:, ::4, ::4], expected["patch_every4"], rtol=0, atol=0 if sharp else 1e-4
            )
            # Of float32 numbers, added in an order of their own.
            np.testing.assert_allclose(crop.input.mean((1, 2)), expected["patch_mean"], rtol=0, atol=2e-3)


def cut_from_the_whole(
    image: UInt8[np.ndarray, "height width 3"], box: Float[np.ndarray, "4"], is_left: bool
) -> Float[np.ndarray, "3 256 256"]:
    """The crop by whole images, mirrored and blurred."""
    crop = hand_crop(image, box, is_left)
    x = image.shape[1] - crop.center[0] - 1 if is_left else crop.center[0]
    center = np.array([x, crop.center[1]], np.float32)
    whole = image[:, ::-1] if is_left else image
    corners = np.array([[0, 0], [0, 0.5], [0.5, 0]], np.float32)
    to_crop = cv2.getAffineTransform(
        center + corners * np.float32(crop.size), (corners + 0.5) * np.float32(256)
    )
    reduction = crop.size / 256 / 2
    if reduction > 1.1:
        whole = gaussian_filter(whole.astype(float), ((reduction - 1) / 2,) * 2 + (0,), mode="nearest")
    pixels = cv2.warpAffine(np.ascontiguousarray(whole), to_crop, (256, 256), flags=cv2.INTER_LINEAR)
    return ((pixels - MEAN) / DEVIATION).transpose(2, 0, 1)


@given(
    corner=st.tuples(st.floats(-200, 700), st.floats(-200, 500)),
    extent=st.tuples(st.floats(1, 500), st.floats(1, 500)),
    is_left=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_a_crop_is_that_of_the_whole_image(
    corner: tuple[float, float], extent: tuple[float, float], is_left: bool
) -> None:
    box = np.array([*corner, *np.add(corner, extent)], np.float32)
    off = np.abs(hand_crop(IMAGE, box, is_left).input - cut_from_the_whole(IMAGE, box, is_left)) * 255 * 0.229
    # OpenCV samples at places rounded to 1/32 of a pixel: a tie may go either way, and this image is noise.
    assert off.max() < 2 * 255 / 32 and (off > 0.01).mean() < 0.05


@pytest.mark.parametrize("is_left", [False, True])
def test_a_crop_that_is_shrunk_is_blurred_with_what_lies_around_it(is_left: bool) -> None:
    image = np.tile(IMAGE, (4, 3, 1))
    box = np.array([620.3, 580.7, 1170.1, 1130.9], np.float32)
    crop = hand_crop(image, box, is_left)
    assert crop.size > 1400
    np.testing.assert_allclose(crop.input, cut_from_the_whole(image, box, is_left), rtol=0, atol=1e-4)


@pytest.mark.parametrize("extent", [40, 400])
def test_a_left_hand_is_a_right_one_in_the_mirror(extent: int) -> None:
    box = np.array([70, 50, 70 + extent, 90 + extent], np.float32)
    width = IMAGE.shape[1]
    mirrored = np.array([width - 1 - box[2], box[1], width - 1 - box[0], box[3]], np.float32)
    left = hand_crop(IMAGE, box, is_left=True)
    right = hand_crop(np.ascontiguousarray(IMAGE[:, ::-1]), mirrored, is_left=False)
    np.testing.assert_array_equal(left.input, right.input)
    assert left.size == right.size and left.center.tolist() == [70 + extent / 2, 70 + extent / 2]


@pytest.mark.parametrize("corner", [(-500, 10), (2000, 10), (10, -500), (10, 2000), (1e9, 1e9)])
def test_a_hand_outside_of_the_image_is_black(corner: tuple[float, float]) -> None:
    crop = hand_crop(IMAGE, np.array([*corner, *np.add(corner, 100)], np.float32), is_left=False)
    np.testing.assert_allclose(crop.input[:, 100, 100], -MEAN / DEVIATION, rtol=1e-6)
    assert (crop.input == crop.input[:, :1, :1]).all()


@pytest.mark.parametrize("box", [[5, 5, 5, 5], [5, 5, np.nan, 9], [9, 9, 5, 5]])
def test_a_box_without_size_is_refused(box: list[float]) -> None:
    with pytest.raises(ValueError, match="has no size"):
        hand_crop(IMAGE, np.array(box, np.float32), is_left=False)
