"""A picture depends on what is seen, not on how much of it is cleared and read; normals are geometry's."""

from __future__ import annotations

import numpy as np
import pytest
from jaxtyping import Float

from renderers import hands, smpl_cs
from renderers.lit_meshes import Look, PosedMesh, draw_meshes, triangle_normals, vertex_normals
from tests.factories.figures import capsules
from tests.factories.platforms import Platform

TOO_NEAR = PosedMesh(
    np.array([[-1, -1, 0.01], [1, 1, 0.01], [1, -1, 0.01]]), np.array([[0, 1, 2]]), np.zeros((3, 3), np.uint8)
)
"""Before the whole picture, and too near to be seen: with it, a picture is drawn and read as a whole."""


def random_turn(chance: np.random.Generator) -> Float[np.ndarray, "3 3"]:
    turn = np.linalg.qr(chance.normal(size=(3, 3)))[0]
    return turn * np.linalg.det(turn)


def random_capsule(chance: np.random.Generator) -> PosedMesh:
    """In the picture, on its border, or beside; at times behind the camera or around it."""
    vertices, triangles = capsules((((0.0, -0.2, 0.0), (0.0, 0.2, 0.0), 0.1),), 5, 8)
    depth = chance.choice([*chance.uniform(0.4, 2, 4), *chance.uniform(-0.4, 0.3, 2)])
    x, y = chance.uniform(-0.6, 0.6, 2) * max(depth, 0.3)
    place = vertices @ random_turn(chance).T + (x, y, depth)
    return PosedMesh(place, triangles, chance.integers(0, 256, vertices.shape, np.uint8))


@pytest.mark.parametrize(
    "look", [pytest.param(smpl_cs.LOOK, id="flat"), pytest.param(hands.LOOK, id="smooth")]
)
def test_pictures_of_which_parts_are_drawn_equal_those_drawn_as_a_whole(
    platform: Platform, look: Look
) -> None:
    """Wherever the meshes are, and whatever was drawn there before."""
    chance = np.random.default_rng(0)
    shares = []
    for height, width in ((97, 61), (64, 130), (1, 33), (121, 7)):
        # It sees half a metre to each side of what is one metre ahead.
        K = np.array([[width, 0, width / 2], [0, height, height / 2], [0, 0, 1.0]])
        scenes = [[random_capsule(chance) for _ in range(chance.integers(1, 4))] for _ in range(10)]
        pictures, wholes = (
            [platform.own(draw_meshes, [*scene, *more], look, K, (height, width)) for scene in scenes]
            for more in ([], [TOO_NEAR])
        )
        for (image, mask), (whole_image, whole_mask) in zip(pictures, wholes, strict=True):
            np.testing.assert_array_equal(image, whole_image)
            np.testing.assert_array_equal(mask, whole_mask)
            shares.append(mask.mean())
    kinds, _ = np.histogram(shares, [0, 1e-9, 0.1, 0.2, 1])
    assert (kinds >= 4).all(), f"nothing, little, more and much is seen in {kinds} pictures"


def test_a_mesh_that_reaches_behind_the_camera_is_drawn_up_to_the_border(platform: Platform) -> None:
    """It runs from the middle of the picture to the right; its point behind would project to the left."""
    points = np.array([[0, -0.05, 1], [0, 0.05, 1], [5, 0, -1]])
    mesh = PosedMesh(points, np.array([[0, 1, 2], [0, 2, 1]]), np.full((3, 3), 255, np.uint8))
    K = np.array([[100.0, 0, 30], [0, 100, 20], [0, 0, 1]])
    _, mask = platform.own(draw_meshes, [mesh], smpl_cs.LOOK, K, (40, 60))
    assert mask[20, 32:].all() and not mask[:, :28].any()


def test_normals_of_a_cube_point_out_of_it() -> None:
    """At its corners evenly between the three sides, however these are cut into triangles."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    triangles = np.array([half for a, b, c, d in sides for half in ((a, b, c), (a, c, d))])
    flat = triangle_normals(corners[triangles])
    outwards = corners[triangles].mean(1)
    np.testing.assert_allclose(flat, np.trunc(outwards), atol=1e-12)
    np.testing.assert_allclose(vertex_normals(corners, triangles), corners / np.sqrt(3), atol=1e-12)


def test_normals_without_area_are_zero() -> None:
    line = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [5, 5, 5]])
    triangles = np.array([[0, 1, 2]])
    assert not triangle_normals(line[triangles]).any()
    assert not vertex_normals(line, triangles).any()
