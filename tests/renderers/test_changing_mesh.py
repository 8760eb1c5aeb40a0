"""A mesh that is changed in place is drawn as a new one is, and nothing stays behind of those drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from renderers import hands, smpl_cs
from renderers.lit_meshes import Look, PosedMesh
from tests.factories.figures import made_body
from tests.factories.platforms import Platform, change_in_pyrender, draw_crowds, objects_after_looks

LOOKS = pytest.mark.parametrize(
    "look", [pytest.param(smpl_cs.LOOK, id="flat"), pytest.param(hands.LOOK, id="smooth")]
)
MEGABYTES = 8
"""Of noise in a process's memory."""


def test_a_changed_mesh_is_drawn_as_a_new_one_is(platform: Platform) -> None:
    mesh, other = made_body(2, rings=6, sectors=9), made_body(7, rings=6, sectors=9)
    other = PosedMesh(other.vertices, other.triangles, 255 - other.colours)
    as_new, changed = platform.released(change_in_pyrender, mesh, other)
    assert as_new[1].any()
    np.testing.assert_array_equal(changed[0], as_new[0])
    np.testing.assert_array_equal(changed[1], as_new[1])


@LOOKS
def test_nothing_is_left_behind_by_pictures(platform: Platform, look: Look) -> None:
    objects, memory = platform.own(draw_crowds, look, 120)
    assert objects == 0
    assert memory < MEGABYTES * 2**20


def test_nothing_is_left_behind_by_looks(platform: Platform) -> None:
    looks = [replace(smpl_cs.LOOK, ambient=0.1 + 0.01 * number) for number in range(4)]
    counts = platform.own(objects_after_looks, looks)
    assert counts == counts[:1] * len(looks)


@pytest.mark.slow
@LOOKS
def test_nothing_is_left_behind_by_thousands_of_pictures(platform: Platform, look: Look) -> None:
    objects, memory = platform.own(draw_crowds, look, 2_500)
    assert objects == 0
    assert memory < MEGABYTES * 2**20
