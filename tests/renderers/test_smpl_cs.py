"""Bodies are drawn as RealisDance's released scripts draw them, on both platforms, and many in one picture.

Colours may differ by one of 255: the formulas are the same, but how they are rounded is left to the driver's
compiler. Silhouettes may not differ.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from renderers import offscreen
from renderers.hands import draw_hands
from renderers.lit_meshes import Look, PosedMesh, draw_meshes
from renderers.smpl_cs import LOOK, draw_smpl_cs
from tests.factories.figures import BODY_CAMERA, HAND_CAMERA, SIZE, made_body, made_hand
from tests.factories.platforms import Platform
from tests.factories.released_renderers import assert_alike, fixture_body, fixture_picture, released_smpl_cs


def moved(body: PosedMesh, x: float, z: float) -> PosedMesh:
    return replace(body, vertices=body.vertices + np.array([x, 0.0, z]))


def test_a_body_equals_the_released_picture(platform: Platform, shared: Path) -> None:
    folder = shared / "fixtures" / "render"
    body, K, size = fixture_body(folder)
    image, mask = platform.own(draw_smpl_cs, [body], K, size)
    expected = fixture_picture(folder, f"realisdance_smplx_cs__{platform.name}")
    assert_alike((image, mask), (expected, mask))
    assert not image[~mask].any()


def test_other_lights_and_materials_equal_smplerx_picture(platform: Platform, shared: Path) -> None:
    """SMPLer-X's own picture: another material, weaker lights, drawn over an image."""
    folder = shared / "fixtures" / "render"
    body, K, size = fixture_body(folder)
    look = Look(
        smooth=False,
        ambient=0.3,
        directions=LOOK.directions,
        intensity=0.8,
        base_colour=(1.0, 1.0, 0.9),
        metallic=0.0,
        roughness=1.0,
    )
    white = replace(body, colours=np.full_like(body.colours, 255))
    image, mask = platform.own(draw_meshes, [white], look, K, size)
    image[~mask] = int(np.load(folder / "scenes.npz")["body_image_value"])
    assert_alike((image, mask), (fixture_picture(folder, f"smplerx_mesh__{platform.name}"), mask))


@pytest.mark.parametrize("size", [SIZE, (300, 500)])
def test_a_crowd_equals_plain_pyrender_in_any_order(platform: Platform, size: tuple[int, int]) -> None:
    """Behind one another, partly outside, and one whose triangles are others."""
    body = made_body(1, rings=13, sectors=33)
    people = [
        body,
        moved(body, 0.3, -3.0),
        moved(made_body(2, rings=13, sectors=33), -0.6, 2.0),
        moved(made_body(3, rings=8, sectors=12), 0.1, 1.0),
    ]
    expected = platform.released(released_smpl_cs, people, BODY_CAMERA, size)
    drawn = platform.own(draw_smpl_cs, people, BODY_CAMERA, size)
    assert_alike(drawn, expected)
    turned = platform.own(draw_smpl_cs, people[::-1], BODY_CAMERA, size)
    np.testing.assert_array_equal(turned[0], drawn[0])


def test_the_nearer_covers_the_farther(platform: Platform) -> None:
    near, far = moved(made_body(), 0.0, -2.0), made_body(5)
    near_only = platform.own(draw_smpl_cs, [near], BODY_CAMERA, SIZE)
    both = platform.own(draw_smpl_cs, [near, far], BODY_CAMERA, SIZE)
    inside = cv2.erode(near_only[1].astype(np.uint8), np.ones((3, 3))).astype(bool)
    np.testing.assert_array_equal(both[0][inside], near_only[0][inside])
    assert both[1].sum() > near_only[1].sum()


def test_bodies_across_the_near_plane_equal_plain_pyrender(platform: Platform) -> None:
    """One lies under the camera, with its head behind it."""
    body = made_body(distance=0.0)
    lying = body.vertices[:, [0, 2, 1]] + np.array([0.0, 0.4, 0.5])
    close = PosedMesh(lying, body.triangles[:, [0, 2, 1]], body.colours)
    K = np.array([[200.0, 0, 256], [0, 200.0, 384], [0, 0, 1]])
    expected = platform.released(released_smpl_cs, [close], K, SIZE)
    assert 0.05 < expected[1].mean() < 0.95
    assert_alike(platform.own(draw_smpl_cs, [close], K, SIZE), expected)


NOBODY = {
    "nobody": [],
    "behind": [moved(made_body(), 0.0, -60.0)],
    "beside": [moved(made_body(), 50.0, 0.0)],
    "no mesh": [PosedMesh(np.zeros((0, 3)), np.zeros((0, 3), int), np.zeros((0, 3), np.uint8))],
}


@pytest.mark.parametrize("people", NOBODY.values(), ids=NOBODY.keys())
def test_nobody_in_the_picture_is_black(platform: Platform, people: list[PosedMesh]) -> None:
    image, mask = platform.own(draw_smpl_cs, people, BODY_CAMERA, (120, 80))
    assert image.shape == (120, 80, 3) and image.dtype == np.uint8 and not image.any()
    assert mask.shape == (120, 80) and mask.dtype == bool and not mask.any()


def test_what_was_drawn_before_does_not_matter(platform: Platform) -> None:
    """Other poses, colours, kinds of mesh, sizes and lights, and another context."""
    body = made_body(4)
    first = platform.own(draw_smpl_cs, [body], BODY_CAMERA, SIZE)
    platform.own(draw_smpl_cs, [made_body(9), body], BODY_CAMERA, (60, 90))
    platform.own(draw_smpl_cs, [replace(body, colours=255 - body.colours)], BODY_CAMERA, SIZE)
    platform.own(draw_hands, [made_hand(), made_hand(is_right=False)], HAND_CAMERA, SIZE)
    again = platform.own(draw_smpl_cs, [body], BODY_CAMERA, SIZE)
    platform.own(offscreen.close)
    afresh = platform.own(draw_smpl_cs, [body], BODY_CAMERA, SIZE)
    for image, mask in (again, afresh):
        np.testing.assert_array_equal(image, first[0])
        np.testing.assert_array_equal(mask, first[1])


def test_what_cannot_be_drawn_is_refused_with_the_reason() -> None:
    body = made_body(rings=4, sectors=6)
    broken = body.vertices.copy()
    broken[3, 1] = np.nan
    for mesh, reason in (
        (replace(body, vertices=broken), "finite"),
        (replace(body, colours=body.colours[:-1]), "colours"),
        (replace(body, triangles=body.triangles + 5), "name vertices"),
        (replace(body, triangles=body.triangles.astype(float)), "whole numbers"),
    ):
        with pytest.raises(ValueError, match=reason):
            draw_smpl_cs([mesh], BODY_CAMERA, SIZE)
