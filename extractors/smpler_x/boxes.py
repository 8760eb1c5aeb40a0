"""Boxes around people as SMPLer-X's code has them: the one that a crop is taken of, and which ones are kept.

Boxes and detections are x0 y0 x1 y1 (and a score) in pixels.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from extractors.vision_transformer import HEIGHT, WIDTH

_MARGIN = 1.25
"""How much larger a crop is than the box."""


def crop_box(box: Float[np.ndarray, "4"], width: int, height: int) -> Float[np.ndarray, "4"] | None:
    """The corner, width and height of what is looked at for a person in an image of that size, float32.

    The box is cut off at the image's borders (one that begins left of or above it keeps its size), then
    grown around its middle to 3:4, and by a quarter. None if nothing of the box is in the image.
    """
    x0, y0 = np.maximum(box[:2], 0)
    x1 = min(width - 1, x0 + max(0, box[2] - box[0] - 1))
    y1 = min(height - 1, y0 + max(0, box[3] - box[1] - 1))
    if x1 <= x0 or y1 <= y0:
        return None
    size = np.array([max(x1 - x0, (y1 - y0) * WIDTH / HEIGHT), max(y1 - y0, (x1 - x0) * HEIGHT / WIDTH)])
    middle = np.array([x0 + (x1 - x0) / 2, y0 + (y1 - y0) / 2])
    size = size * _MARGIN
    return np.concatenate([middle - size / 2, size]).astype(np.float32)


def without_overlaps(
    detections: Float[np.ndarray, "found 5"], overlap: float = 0.5
) -> Float[np.ndarray, "kept 5"]:
    """Best score first, those that share at most `overlap` of their union with each better one that is kept.

    A box reaches to the end of the pixel that its corner is in: one pixel is added to widths and heights.
    """
    left = detections[np.argsort(-detections[:, 4], kind="stable")]
    kept = []
    while len(left):
        kept.append(left[0])
        shared = _area(np.maximum(left[0, :2], left[1:, :2]), np.minimum(left[0, 2:4], left[1:, 2:4]))
        union = _area(left[0, :2], left[0, 2:4]) + _area(left[1:, :2], left[1:, 2:4]) - shared
        left = left[1:][shared <= overlap * union]
    return np.array(kept).reshape(-1, 5)


def by_area(detections: Float[np.ndarray, "found 5"]) -> Float[np.ndarray, "found 5"]:
    """Largest first."""
    return detections[np.argsort(-np.prod(detections[:, 2:4] - detections[:, :2], axis=1), kind="stable")]


def _area(
    first: Float[np.ndarray, "*boxes 2"], last: Float[np.ndarray, "*boxes 2"]
) -> Float[np.ndarray, "*boxes"]:
    return np.prod(np.maximum(last - first + 1, 0), axis=-1)
