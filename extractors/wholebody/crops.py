"""The crops that RTMPose looks at: mmpose's GetBBoxCenterScale and TopdownAffine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

_PADDING = 1.25
"""By how much a crop is larger than its box; the networks were trained with this."""

_SMALLEST = 1.0
"""Pixels; a box without area would have no crop."""


@dataclass(frozen=True)
class Crop:
    """A part of an image at the size of a network's input, and where it lies: `center`, and `extent` (width,
    height), in pixels of the image it is of. What lies outside of that is black.
    """

    image: UInt8[np.ndarray, "3 height width"]
    center: Float[np.ndarray, "2"]
    extent: Float[np.ndarray, "2"]


def take_crop(
    image: UInt8[np.ndarray, "_ _ 3"], box: Float[np.ndarray, "4"], input_size: tuple[int, int]
) -> Crop:
    """The image around the box x0 y0 x1 y1, at input_size (width, height).

    The box is padded, then grown in one direction to the input's proportions.
    """
    width, height = input_size
    corners = np.asarray(box, np.float64).reshape(2, 2)
    center = corners.mean(axis=0)
    padded = np.maximum(corners[1] - corners[0], _SMALLEST) * _PADDING
    wide = max(padded[0], padded[1] * width / height)
    crop = cv2.warpAffine(image, _into_crop(center, wide, input_size), input_size, flags=cv2.INTER_LINEAR)
    return Crop(
        np.ascontiguousarray(crop.transpose(2, 0, 1)), center, np.array([wide, wide * height / width])
    )


def into_images(
    points: Float[np.ndarray, "crops points 2"], crops: Sequence[Crop]
) -> Float[np.ndarray, "crops points 2"]:
    """From pixels of the crops to pixels of the images that they are of."""
    input_size = np.array(crops[0].image.shape[:0:-1])
    center = np.stack([crop.center for crop in crops])[:, None]
    extent = np.stack([crop.extent for crop in crops])[:, None]
    return (points / input_size - 0.5) * extent + center


def _into_crop(
    center: Float[np.ndarray, "2"], wide: float, input_size: tuple[int, int]
) -> Float[np.ndarray, "2 3"]:
    """From the image to the crop. Made of three points in float32, as mmpose makes it: OpenCV's grid of 1/32
    pixel turns the last digit of a matrix into other pixel values.
    """
    half, middle = np.array(input_size) / 2
    into = np.array([[half, middle], [0, middle], [0, middle + half]], np.float32)
    start = center.astype(np.float32)
    side = np.array([center[0] - wide / 2, center[1]], np.float32)
    below = side + np.array([0, start[0] - side[0]], np.float32)
    return cv2.getAffineTransform(np.stack([start, side, below]), into)
