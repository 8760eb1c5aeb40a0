"""What HaMeR's network is shown of an image: a square around a hand's box, as HaMeR's ViTDetDataset cuts it.

Only the part of the image that is under the square is copied, blurred or mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Shaped, UInt8

from extractors.hamer.network import SIDE

_WIDTH_TO_HEIGHT = 192 / 256
"""Of what the network looks at: a box is first grown to this, then to a square."""

_MEAN = 255 * np.array([0.485, 0.456, 0.406], np.float64)
_DEVIATION = 255 * np.array([0.229, 0.224, 0.225], np.float64)
"""Of ImageNet's images in RGB, which the network expects to see normalised."""

_SHARP = 1.1
"""An image is blurred first where it is shrunk to less than half of its size by more than this."""

_BLUR_REACH = 4.0
"""Radius of the blur in its standard deviations, as in SciPy and scikit-image."""

_ROOM = 2
"""Pixels around the square that bilinear sampling may touch, and one to spare."""


@dataclass(frozen=True)
class HandCrop:
    """The network's input, of a left hand mirrored: RGB, normalised. center and size are of the square in
    pixels of the image, which is not mirrored.
    """

    input: Float[np.ndarray, "3 256 256"]
    center: Float[np.ndarray, "2"]
    size: float


def hand_crop(
    image: UInt8[np.ndarray, "height width 3"],
    box: Float[np.ndarray, "4"],
    is_left: bool,
    rescale: float = 2.0,
) -> HandCrop:
    """The square around a box x0 y0 x1 y1 that is `rescale` times as large; black outside of the image.

    Raises ValueError for a box without size, which there is nothing to see in.
    """
    center, size = _square(np.asarray(box, np.float32), rescale)
    if not 0 < size < np.inf:
        raise ValueError(f"the box {box.tolist()} has no size: give one that has.")
    x = image.shape[1] - center[0] - 1 if is_left else center[0]
    pixels = _cut(image, is_left, np.array([x, center[1]], np.float32), size)
    normalised = (pixels - _MEAN) / _DEVIATION
    return HandCrop(np.ascontiguousarray(normalised.transpose(2, 0, 1), np.float32), center, float(size))


def _cut(
    image: UInt8[np.ndarray, "height width 3"],
    is_mirrored: bool,
    center: Float[np.ndarray, "2"],
    size: np.float32,
) -> Shaped[np.ndarray, "256 256 3"]:
    """The square as the network's pixels. center is in pixels of the image as it is after the mirroring."""
    reduction = float(size) / SIDE / 2
    deviation = (reduction - 1) / 2 if reduction > _SHARP else 0.0
    radius = int(_BLUR_REACH * deviation + 0.5)

    height, width = image.shape[:2]
    reach = size / 2 + radius + _ROOM
    left, top = np.clip(np.floor(center - reach), 0, (width, height)).astype(int)
    right, bottom = np.clip(np.ceil(center + reach), 0, (width, height)).astype(int)
    if left == right or top == bottom:
        return np.zeros((SIDE, SIDE, 3), np.uint8)
    if is_mirrored:
        part = np.ascontiguousarray(image[top:bottom, width - right : width - left][:, ::-1])
    else:
        part = image[top:bottom, left:right]
    if deviation:
        kernel = (2 * radius + 1, 2 * radius + 1)
        part = cv2.GaussianBlur(part.astype(np.float32), kernel, deviation, borderType=cv2.BORDER_REPLICATE)
    to_crop = _to_crop(center, size)
    to_crop[:, 2] += to_crop[:, :2] @ (left, top)
    return cv2.warpAffine(part, to_crop, (SIDE, SIDE), flags=cv2.INTER_LINEAR)


def _square(box: Float[np.ndarray, "4"], rescale: float) -> tuple[Float[np.ndarray, "2"], np.float32]:
    """Center and side. In float32, and by way of units of 200 pixels, so that it rounds as it did for HaMeR:
    pixels are sampled at places of 1/32, and an edge of 160 or of 160.00002 pixels makes another crop.
    """
    center = (box[2:] + box[:2]) / 2
    width, height = np.float32(rescale) * (box[2:] - box[:2]) / np.float32(200) * np.float32(200)
    return center, max(width / np.float32(_WIDTH_TO_HEIGHT), height)


def _to_crop(center: Float[np.ndarray, "2"], size: np.float32) -> Float[np.ndarray, "2 3"]:
    """From pixels of the image to those of the crop."""
    half = np.array([[0, 0], [0, 0.5], [0.5, 0]], np.float32)
    return cv2.getAffineTransform(center + half * size, (half + np.float32(0.5)) * np.float32(SIDE))
