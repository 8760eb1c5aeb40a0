"""HaMeR's cameras: the one that its network sees a crop with, and the one of the full frame.

Axes are OpenCV's: x to the right, y down, z away from the camera. Lengths of surfaces are in metres.
Dimension names: hands, points.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from extractors.hamer.network import SIDE

FOCAL_LENGTH = 5000.0
"""Of the camera of a crop, in its pixels."""


def full_frame_camera(width: int, height: int) -> Float[np.ndarray, "3 3"]:
    """The intrinsics K in pixels of an image, as HaMeR chooses them where the camera is not known.

    Its focal length is to the image's longer side as the crop's is to a crop's, and its axis in the middle.
    """
    focal = FOCAL_LENGTH / SIDE * max(width, height)
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])


def cam_crop_to_full(
    camera: Float[np.ndarray, "hands 3"],
    center: Float[np.ndarray, "hands 2"],
    size: Float[np.ndarray, "hands"],
    image_size: Float[np.ndarray, "hands 2"],
    focal: float | Float[np.ndarray, "hands"],
) -> Float[np.ndarray, "hands 3"]:
    """Translations in the full frame's camera, of hands as the network places them in their crops.

    camera is a scale and x, y in metres; center and size are of the crops in pixels of the image, whose
    width and height is image_size; focal is the full frame's focal length in pixels.
    """
    scaled = size * camera[:, 0] + 1e-9
    across = 2 * (center - image_size / 2) / scaled[:, None] + camera[:, 1:]
    return np.concatenate([across, (2 * focal / scaled)[:, None]], axis=1)


def perspective_projection(
    points: Float[np.ndarray, "hands points 3"],
    translation: Float[np.ndarray, "hands 3"],
    focal: Float[np.ndarray, "hands 2"],
) -> Float[np.ndarray, "hands points 2"]:
    """Where translated points are seen, from the middle of the image, in the unit that focal is in."""
    seen = points + translation[:, None]
    return focal[:, None] * seen[..., :2] / seen[..., 2:]
