"""A frame's number, burnt into its picture: black and white bars that survive coding, scaling and turning, by
which a test knows which frame it has been given.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, UInt8

BITS = 20
"""Numbers are below 2 ** BITS: an hour at 240 frames per second."""

_CHECK_BITS = 4
_ROWS, _COLUMNS = 2, (BITS + _CHECK_BITS) // 2
_ROW_SHARE = 24
"""A row of bars is this part of the picture's height; the rows lie along its upper edge."""

_MIN_CONTRAST = 60
"""Grey levels between the darkest and the lightest bar."""

_UNDECIDED = 0.3
"""A bar is read if its level is at most this share of the contrast from the darkest or the lightest one."""


def burn_number(
    image: UInt8[np.ndarray, "height width 3"], number: int
) -> UInt8[np.ndarray, "height width 3"]:
    """A copy of the upright image that shows the number, as two rows of bars, white for 1: the highest bit
    first, the check last.

    From 80 pixels a side on it is readable after H.264 at crf 28 and scaling to half. Raises ValueError for a
    number that does not fit.
    """
    if not 0 <= number < 1 << BITS:
        raise ValueError(f"the number is {number}: it must be from 0 to {(1 << BITS) - 1}")
    burnt = image.copy()
    lines, columns = (edges.round().astype(int) for edges in _edges(image))
    for row, bars in enumerate(_bars(number)):
        for column, is_white in enumerate(bars):
            bar = np.s_[lines[row] : lines[row + 1], columns[column] : columns[column + 1]]
            burnt[bar] = 255 if is_white else 0
    return burnt


def read_number(image: UInt8[np.ndarray, "height width 3"]) -> int | None:
    """The number that an upright image shows; None where it shows none, or it cannot be read."""
    lines, columns = (_middles(edges) for edges in _edges(image))
    levels = np.array([[image[line, column].mean() for column in columns] for line in lines])
    darkest, contrast = levels.min(), np.ptp(levels)
    if contrast < _MIN_CONTRAST:
        return None
    shares = (levels - darkest) / contrast
    if np.any((shares > _UNDECIDED) & (shares < 1 - _UNDECIDED)):
        return None
    bars = shares > 0.5
    number = sum(1 << place for place, is_white in enumerate(bars.ravel()[::-1]) if is_white) >> _CHECK_BITS
    return number if np.array_equal(bars, _bars(number)) else None


def _bars(number: int) -> Bool[np.ndarray, "rows columns"]:
    """The check is such that neither all white nor all black is a number."""
    digits_of_16 = [number >> place & 15 for place in range(0, BITS, 4)]
    code = number << _CHECK_BITS | 15 - sum(digits_of_16) % 16
    bits = [bool(code >> place & 1) for place in reversed(range(BITS + _CHECK_BITS))]
    return np.array(bits).reshape(_ROWS, _COLUMNS)


def _edges(
    image: UInt8[np.ndarray, "height width 3"],
) -> tuple[Float[np.ndarray, "lines"], Float[np.ndarray, "columns"]]:
    """Where rows and columns of bars begin and end, in pixels."""
    height, width = image.shape[:2]
    return np.arange(_ROWS + 1) * height / _ROW_SHARE, np.linspace(0, width, _COLUMNS + 1)


def _middles(edges: Float[np.ndarray, "edges"]) -> list[slice]:
    """The pixels in the middle half of each interval, at least one."""
    middles = []
    for first, last in pairwise(edges.tolist()):
        quarter = (last - first) / 4
        begin = int(min(np.ceil(first + quarter - 0.25), np.floor((first + last) / 2)))
        middles.append(slice(begin, max(begin + 1, int(np.floor(last - quarter + 0.25)))))
    return middles
