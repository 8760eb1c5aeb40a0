"""How the images of stored conditions are coded: one lossless coding, named and written in this file alone.

It is PNG, of the codings in `benchmarks/coding.py` (docs/bodies.md has the table) the smallest and fastest to
decode among those that are coded as fast as a CPU estimates poses. OpenCV writes the same in three times the
time where most of the image is black.

The images are RGB, 8 bits: their colours mean places on the body, so that not one level may change.
"""

from __future__ import annotations

import io
import struct

import numpy as np
from jaxtyping import UInt8
from PIL import Image

CONDITION_SUFFIX = ".png"
"""Of the names of members that hold a stored condition's image."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB`\x82"
_RGB_8_BITS = (8, 2)
"""Bit depth and colour type, as PNG numbers them."""
_COMPRESSION = 3
"""Of zlib: higher ones save some percent, and take several times as long."""


class CodingError(ValueError):
    """The bytes are not an image of the coding; the message says what they lack."""


def encode_lossless(image: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """The RGB image as bytes, from which the same levels come back: the same bytes for the same image."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=_COMPRESSION)
    return buffer.getvalue()


def lossless_size(data: bytes) -> tuple[int, int]:
    """(width, height) of a coded image from its header, without decoding it.

    Raises CodingError for bytes that are no image of the coding, that are cut short, or whose image is not
    RGB of 8 bits.
    """
    if data[:8] != _SIGNATURE or len(data) < 26:
        raise CodingError("is no PNG")
    width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
    if (depth, colour) != _RGB_8_BITS:
        raise CodingError("is a PNG, but not RGB of 8 bits")
    if not data.endswith(_END):
        raise CodingError("is a PNG that is cut short")
    return width, height
