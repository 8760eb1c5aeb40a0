"""What SMPLer-X sees of a frame: a crop around the person, and the camera that its numbers are of.

The released code makes crops of 512 x 384 pixels, of which the encoder is given every other row and column.
Here these pixels alone are made, and they are the same to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from extractors.smpler_x.boxes import crop_box
from extractors.smpler_x.operators import FOCAL
from extractors.vision_transformer import HEIGHT, WIDTH


@dataclass(frozen=True)
class Crop:
    """RGB in [0, 1], and the intrinsics, in pixels of the frame's image, of the camera that sees the person
    where the network does.
    """

    image: Float[np.ndarray, "3 256 192"]
    K: Float[np.ndarray, "3 3"]


def crop_person(
    image: UInt8[np.ndarray, "height width 3"], box: Float[np.ndarray, "4"], compat_bgr: bool = False
) -> Crop | None:
    """The crop around a box x0 y0 x1 y1 in pixels of the image; None if nothing of it is in the image.

    compat_bgr: the crop is BGR, which is what RealisDance's script gives the network.
    """
    around = crop_box(box, image.shape[1], image.shape[0])
    if around is None:
        return None
    pixels = _warped(image, around)
    if compat_bgr:
        pixels = pixels[..., ::-1]
    return Crop(np.ascontiguousarray(pixels.transpose(2, 0, 1)) / np.float32(255), _intrinsics(around))


def _warped(
    image: UInt8[np.ndarray, "height width 3"], around: Float[np.ndarray, "4"]
) -> Float[np.ndarray, "256 192 3"]:
    """The image in a box (corner, width and height) by bilinear interpolation, black outside of the image.

    OpenCV rounds pixels of uint8, so it is given floats, which are set only where it looks.
    """
    corner, half = around[:2], around[2:] / 2
    inside = np.array(image.shape[1::-1])
    x0, y0 = np.clip(np.floor(corner).astype(int) - 2, 0, inside)
    x1, y1 = np.clip(np.ceil(corner + 2 * half).astype(int) + 3, 0, inside)
    floats = np.empty(image.shape, np.float32)
    floats[y0:y1, x0:x1] = image[y0:y1, x0:x1]

    ways = np.array([[0, 0], [0, 1], [1, 0]])
    sources, targets = corner + half + ways * half, (1 + ways) * (WIDTH / 2, HEIGHT / 2)
    # In float32, as the released code has it.
    transform = cv2.getAffineTransform(sources.astype(np.float32), targets.astype(np.float32))
    return cv2.warpAffine(floats, transform.astype(np.float32), (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)


def _intrinsics(around: Float[np.ndarray, "4"]) -> Float[np.ndarray, "3 3"]:
    x, y, width, height = around
    return np.array(
        [
            [FOCAL / WIDTH * width, 0, x + width / 2],
            [0, FOCAL / HEIGHT * height, y + height / 2],
            [0, 0, 1],
        ],
        np.float32,
    )
