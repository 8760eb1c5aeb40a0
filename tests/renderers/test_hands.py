"""Hands are drawn as RealisDance's released scripts draw them, on both platforms; any wrist can be closed.

Colours may differ by one of 255: pyrender itself adds its lights in an order that differs from run to run.
Silhouettes may not differ.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from renderers.hands import LOOK, draw_hands
from renderers.lit_meshes import PosedMesh, draw_meshes
from tests.factories.figures import HAND_CAMERA, SIZE, made_hand
from tests.factories.platforms import Platform
from tests.factories.released_renderers import assert_alike, fixture_hands, fixture_picture, released_hands


def test_hands_equal_the_released_picture(platform: Platform, shared: Path) -> None:
    folder = shared / "fixtures" / "render"
    hands, K, size = fixture_hands(folder)
    image, mask = platform.own(draw_hands, hands, K, size)
    assert_alike((image, mask), (fixture_picture(folder, f"realisdance_hands__{platform.name}"), mask))
    assert not image[~mask].any()


def test_hands_in_one_colour_equal_hamer_picture(platform: Platform, shared: Path) -> None:
    """HaMeR's own picture is on white."""
    folder = shared / "fixtures" / "render"
    hands, K, size = fixture_hands(folder)
    colour = np.round(255 * np.array([0.651, 0.741, 0.859])).astype(np.uint8)
    meshes = [
        PosedMesh(hand.vertices, hand.triangles, np.tile(colour, (len(hand.vertices), 1))) for hand in hands
    ]
    image, mask = platform.own(draw_meshes, meshes, LOOK, K, size)
    expected = fixture_picture(folder, f"hamer_full_frame__{platform.name}")
    assert_alike((image[mask], mask), (expected[mask], mask))


def test_near_and_far_hands_equal_plain_pyrender(platform: Platform) -> None:
    """Half a metre away the point lights are most of the light, 13 m away next to nothing."""
    far = [made_hand(1), made_hand(2, is_right=False, distance=12.9)]
    K = np.array([[900.0, 0, 256], [0, 900.0, 384], [0, 0, 1]])
    for hands, camera in ((far, HAND_CAMERA), ([made_hand(3, distance=0.5)], K)):
        expected = platform.released(released_hands, hands, camera, SIZE)
        assert expected[1].mean() > 0.02
        assert_alike(platform.own(draw_hands, hands, camera, SIZE), expected)


def test_right_hands_are_red_and_left_ones_green(platform: Platform) -> None:
    for is_right, strongest in ((True, 0), (False, 1)):
        image, mask = platform.own(draw_hands, [made_hand(is_right=is_right)], HAND_CAMERA, SIZE)
        assert (image[mask].astype(int).argmax(-1) == strongest).all()


def test_no_hand_is_black(platform: Platform) -> None:
    image, mask = platform.own(draw_hands, [], HAND_CAMERA, SIZE)
    assert image.shape == (*SIZE, 3) and not image.any() and not mask.any()
