"""The motion-blur condition of HIA (Xu et al., 2024, section 3.2): how fast and how sharp each hand is, laid
over the hand's region of the keypoint image as three extra planes: v_x, v_y and s.

The paper leaves the region's shape and the scales open. Here:

- Region: the convex hull of the hand as `renderers.skeleton` draws it, so that the planes and the skeleton
  agree at every size about where the hand is. The hand's box would cover more background than hand, and
  often the face or the other hand too.
- Movement: v / (|v| + HALF_SPEED), with v in short sides of the frame per second. It does not depend on
  resolution or frame rate, keeps the direction, is nearly linear for slow hands and still tells fast ones
  apart: over real clips of dance, juggling and speech half the hands are slower than 0.24, one in twenty is
  faster than 1.1, and the fastest reach 5; these become 0.32, 0.69 and 0.91.
- Sharpness: r / (r + r_half), with r the root of the stored variance (the Laplacian's spread in grey levels)
  and r_half that of HALF_SHARPNESS. Of the hands in the same clips, one in twenty has a variance under 3.5,
  half under 19, one in twenty over 67; these become 0.29, 0.49 and 0.65.

Both scales have an inverse, and a value that is not known (NaN) is 0.

Dimension names: people P, points 133 (COCO-WholeBody), hands 2 (left, right), planes 3 (v_x, v_y, s).
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from renderers.skeleton import POINT_RADIUS, shown_points
from renderers.wholebody import KEYPOINT_COUNT, LEFT_HAND, RIGHT_HAND

HALF_SPEED = 0.5
"""Short sides of the frame per second that become 0.5."""

HALF_SHARPNESS = 20.0
"""Variance of the Laplacian (POSES' `sharpness`) that becomes 0.5."""


def scaled_movement(movement: Float[np.ndarray, "*hands 2"]) -> Float[np.ndarray, "*hands 2"]:
    """Velocities in short sides of the frame per second as vectors shorter than 1, of the same direction."""
    return movement / (np.linalg.norm(movement, axis=-1, keepdims=True) + HALF_SPEED)


def movement_from_scaled(scaled: Float[np.ndarray, "*hands 2"]) -> Float[np.ndarray, "*hands 2"]:
    """What `scaled_movement` was given, in short sides of the frame per second."""
    return scaled * HALF_SPEED / (1 - np.linalg.norm(scaled, axis=-1, keepdims=True))


def scaled_sharpness(sharpness: Float[np.ndarray, "*hands"]) -> Float[np.ndarray, "*hands"]:
    """Variances of the Laplacian (POSES' `sharpness`, not `sharpness_raw`) as numbers in [0, 1)."""
    return np.sqrt(sharpness) / (np.sqrt(sharpness) + HALF_SHARPNESS**0.5)


def sharpness_from_scaled(scaled: Float[np.ndarray, "*hands"]) -> Float[np.ndarray, "*hands"]:
    """What `scaled_sharpness` was given, in grey levels squared."""
    return HALF_SHARPNESS * (scaled / (1 - scaled)) ** 2


def draw_motion_blur(
    keypoints: Float[np.ndarray, "people 133 2"],
    confidence: Float[np.ndarray, "people 133"],
    movement: Float[np.ndarray, "people 2 2"],
    sharpness: Float[np.ndarray, "people 2"],
    size: tuple[int, int],
    source_size: tuple[int, int],
    threshold: float = 0.3,
) -> Float[np.ndarray, "height width 3"]:
    """The planes v_x, v_y (each in (-1, 1)) and s (in [0, 1)), float32, of `size` (height, width); 0 where no
    hand is.

    The arrays are those of one frame of poses.npz (see shards/schema.py). keypoints are in pixels of a frame
    of `source_size` (height, width) and are scaled to `size`; which of them count is decided as by
    `draw_skeleton` at the same threshold. v_x points to the image's right, v_y down. The values are those of
    `scaled_movement` and `scaled_sharpness`; where NaN, 0: of a hand whose movement alone is unknown (the
    first frame of a clip), s is still given. Where hands overlap, the one drawn later counts, in the
    skeleton's order: everybody's left hand, then everybody's right hand.

    Raises ValueError where the arrays' shapes do not fit.
    """
    people = len(keypoints)
    shapes = [array.shape for array in (keypoints, confidence, movement, sharpness)]
    wanted = [(people, KEYPOINT_COUNT, 2), (people, KEYPOINT_COUNT), (people, 2, 2), (people, 2)]
    if shapes != wanted:
        raise ValueError(
            f"keypoints, confidence, movement and sharpness are of shapes {shapes}, not {wanted}: give one "
            "person's as keypoints[None], confidence[None], movement[None], sharpness[None]"
        )
    planes = np.zeros((*size, 3), np.float32)
    values = np.concatenate([scaled_movement(movement), scaled_sharpness(sharpness)[..., None]], axis=-1)
    values = np.where(np.isfinite(values), values, 0)
    pixels, shown = shown_points(keypoints, confidence, size, source_size, threshold)
    for hand, points in enumerate((LEFT_HAND, RIGHT_HAND)):
        for person in range(people):
            region = pixels[person, points][shown[person, points]]
            if len(region):
                outline = cv2.convexHull((region[:, None] + _POINT_OUTLINE).reshape(-1, 2))
                cv2.fillConvexPoly(planes, outline, values[person, hand].tolist())
    return planes


def as_image(planes: Float[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """The planes as RGB to look at: red v_x and green v_y, 128 for no movement; blue s from 0 to 255."""
    return np.round(planes * [127.5, 127.5, 255] + [127.5, 127.5, 0]).astype(np.uint8)


def _point_outline() -> Int[np.ndarray, "corners 2"]:
    """Where the outline of a drawn point has its corners, from its centre."""
    side = 2 * POINT_RADIUS + 1
    point = cv2.circle(
        np.zeros((side, side), np.uint8), (POINT_RADIUS, POINT_RADIUS), POINT_RADIUS, 1, cv2.FILLED
    )
    return cv2.convexHull(cv2.findNonZero(point))[:, 0] - POINT_RADIUS


_POINT_OUTLINE = _point_outline()
