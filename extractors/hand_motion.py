"""How sharp and how fast each hand is, frame by frame (HIA section 3.2).

Sharpness is the variance of the Laplacian of the hand's crop, movement the mean displacement of the hand's
keypoints from the frame before. Both are given raw, in the video's own pixels and frames, and in a form that
depends neither on the stored resolution nor on the frame rate: sharpness of the crop scaled to 128x128
pixels, movement in short sides of the frame per second.

Dimension names: frames F, hands 2 (left, right), keypoints of a hand 21.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

CROP_SIDE = 128
"""Side in pixels that a hand's crop is scaled to before its sharpness is measured."""

BOX_SCALE = 1.25
"""The crop's side, in units of the longer side of the keypoints' extent: room for flesh around the joints."""

MIN_BOX_PIXELS = 8
"""A crop with a smaller side holds no texture to measure."""

VERSION = 1
"""Raised with every change that can change a number."""


@dataclass(frozen=True)
class HandMotion:
    """Movement of both hands; NaN and valid False in the first frame and where either frame has no hand.

    movement is in short sides of the frame per second, raw in the keypoints' pixels per frame step.
    """

    movement: Float[np.ndarray, "frames 2 2"]
    raw: Float[np.ndarray, "frames 2 2"]
    valid: Bool[np.ndarray, "frames 2"]


def hand_box(keypoints: Float[np.ndarray, "21 2"]) -> Float[np.ndarray, "4"]:
    """The square crop around a hand: x0 y0 x1 y1 in the keypoints' pixels. It may reach out of the image."""
    low, high = keypoints.min(0), keypoints.max(0)
    centre, half = (low + high) / 2, (high - low).max() * BOX_SCALE / 2
    return np.concatenate([centre - half, centre + half]).astype(np.float32)


def hand_sharpness(
    image: UInt8[np.ndarray, "height width 3"], box: Float[np.ndarray, "4"]
) -> tuple[float, float]:
    """(normalised, raw) sharpness of the part of the box that lies in the image, in grey levels squared.

    Both are NaN where less than MIN_BOX_PIXELS of a side is inside, or the box is NaN.
    """
    if np.isnan(box).any():
        return float("nan"), float("nan")
    height, width = image.shape[:2]
    x0, y0 = np.maximum(np.floor(box[:2]), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(box[2:]), (width, height)).astype(int)
    if x1 - x0 < MIN_BOX_PIXELS or y1 - y0 < MIN_BOX_PIXELS:
        return float("nan"), float("nan")
    crop = cv2.cvtColor(image[y0:y1, x0:x1], cv2.COLOR_RGB2GRAY)
    scale = CROP_SIDE / float(box[2] - box[0])
    size = (max(3, round((x1 - x0) * scale)), max(3, round((y1 - y0) * scale)))
    scaled = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return _laplacian_variance(scaled), _laplacian_variance(crop)


def hand_movement(
    keypoints: Float[np.ndarray, "frames 2 21 2"],
    valid: Bool[np.ndarray, "frames 2"],
    times: Float[np.ndarray, "frames"],
    short_side: float,
) -> HandMotion:
    """Mean displacement of each hand from the frame before (HIA 3.2: v = p_hand(i) - p_hand(i-1), averaged).

    keypoints are in pixels of a frame whose short side is `short_side` pixels; times in seconds, strictly
    increasing.
    """
    raw = np.full((len(times), 2, 2), np.nan, np.float32)
    both = np.zeros((len(times), 2), bool)
    both[1:] = valid[1:] & valid[:-1]
    raw[1:] = (keypoints[1:] - keypoints[:-1]).mean(2)
    raw[~both] = np.nan
    seconds = np.diff(times, prepend=np.nan)[:, None, None]
    return HandMotion((raw / seconds / short_side).astype(np.float32), raw, both)


def _laplacian_variance(grey: UInt8[np.ndarray, "height width"]) -> float:
    inside = cv2.Laplacian(grey, cv2.CV_64F)[1:-1, 1:-1]  # at the edge it would see the picture mirrored
    return float(inside.var())
