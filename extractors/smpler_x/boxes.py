"""The part of an image that SMPLer-X looks at for a person, as its code has it."""

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
    if (box[2:] <= 0).any():
        return None
    x0, y0 = np.maximum(box[:2], 0)
    x1 = min(width - 1, x0 + max(0, box[2] - box[0] - 1))
    y1 = min(height - 1, y0 + max(0, box[3] - box[1] - 1))
    if x1 <= x0 or y1 <= y0:
        return None
    size = np.array([max(x1 - x0, (y1 - y0) * WIDTH / HEIGHT), max(y1 - y0, (x1 - x0) * HEIGHT / WIDTH)])
    middle = np.array([x0 + (x1 - x0) / 2, y0 + (y1 - y0) / 2])
    size = size * _MARGIN
    return np.concatenate([middle - size / 2, size]).astype(np.float32)
