"""Stored conditions come back to the last level, and what is no such image is refused unseen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shards.coding import CONDITION_SUFFIX, CodingError, encode_lossless, lossless_size
from shards.schema import condition_name


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), height=st.integers(1, 40), width=st.integers(1, 40))
def test_every_level_comes_back(seed: int, height: int, width: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    data = encode_lossless(image)
    assert lossless_size(data) == (width, height)
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(read, image)
    assert encode_lossless(image.copy()) == data


def test_members_are_named_by_the_coding() -> None:
    assert condition_name("hands", 7) == f"hands.007{CONDITION_SUFFIX}"


IMAGE = encode_lossless(np.zeros((4, 6, 3), np.uint8))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no PNG"),
        (IMAGE[:20], "no PNG"),
        (IMAGE[:-1], "cut short"),
        (cv2.imencode(".png", np.zeros((4, 6), np.uint8))[1].tobytes(), "not RGB of 8 bits"),
        (cv2.imencode(".png", np.zeros((4, 6, 4), np.uint8))[1].tobytes(), "not RGB of 8 bits"),
        (cv2.imencode(".png", np.zeros((4, 6, 3), np.uint16))[1].tobytes(), "not RGB of 8 bits"),
    ],
)
def test_other_bytes_are_named(data: bytes, message: str) -> None:
    with pytest.raises(CodingError, match=message):
        lossless_size(data)
