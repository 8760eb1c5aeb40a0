"""Dressed people: always dressed, hair off the face, sound surfaces that stay on the body."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy.spatial import cKDTree

from renderers.mannequin.clothes import dress
from renderers.mannequin.fabric import PATTERNS, Fabric, pattern_picture
from renderers.mannequin.hair import HEADWEAR, STYLES, Hair, draw_hair, hair_surface
from renderers.mannequin.keypoints import keypoint_places
from renderers.mannequin.outfit import Outfit, Skirt, Top, draw_outfit
from renderers.mannequin.person import BODY_VERTICES, Person, Shape, draw_shape, make_person, skin
from renderers.mannequin.pose import Arm, Foot, Hand, Pose, Turn, posed_bones
from renderers.mannequin.skin import Complexion, draw_complexion
from renderers.mannequin.surface import Surface
from renderers.wholebody import FACE

_SEEDS = [*range(10), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(10, 20))]
_FACE_FREE_OF_BEARDS = slice(FACE.start + 27, FACE.start + 48)
"""The points of nose and eyes."""


@functools.cache
def _dressed(seed: int) -> tuple[Person, Complexion, Hair, Outfit, tuple[Surface, ...]]:
    rng = np.random.default_rng(seed)
    shape = draw_shape(rng)
    person = make_person(shape)
    complexion, hair, outfit = draw_complexion(rng, shape), draw_hair(rng, shape), draw_outfit(rng, shape)
    return person, complexion, hair, outfit, dress(person, complexion, hair, outfit)


def _clothes(seed: int) -> tuple[Surface, ...]:
    """All but the skin: what hides the body."""
    return _dressed(seed)[-1][1:]


def _random_pose(rng: np.random.Generator) -> Pose:
    def arm() -> Arm:
        upper, fore, hand, palm = rng.normal(size=(4, 3))
        return Arm(tuple(upper), tuple(fore), tuple(hand), tuple(palm))

    def foot() -> Foot:
        return Foot(*rng.uniform((-0.2, -0.3, 0.0), (0.2, 0.3, 0.3)))

    return Pose(
        (arm(), arm()),
        (Hand((0.3,) * 5), Hand((0.3,) * 5)),
        (foot(), foot()),
        pelvis=Turn(*rng.uniform(-0.3, 0.3, 3)),
        chest=Turn(*rng.uniform(-0.3, 0.3, 3)),
        head=Turn(*rng.uniform(-0.5, 0.5, 3)),
        shift=(0.0, 0.0, -0.1),
    )


@pytest.mark.parametrize("seed", _SEEDS)
def test_chest_and_hips_are_covered(seed: int) -> None:
    person, *_, surfaces = _dressed(seed)
    bare = surfaces[0]
    height = bare.points[:, 2]
    arms = [number for number, bone in enumerate(person.bones) if bone.startswith(("upperarm", "lowerarm"))]
    hands = [
        number for number, bone in enumerate(person.bones) if bone.startswith(("wrist", "meta", "finger"))
    ]
    on_arm = np.asarray(bare.weights[:, arms + hands].sum(axis=1)).ravel() > 0.3
    chest, groin = person.head("upperarm01.L")[2] - 0.20, person.head("upperleg02.L")[2] - 0.05
    assert not ((height < chest) & (height > groin) & ~on_arm).any()
    # And there is cloth all round where the skin was cut away.
    off_arms = [
        surface.points[np.asarray(surface.weights[:, arms + hands].sum(axis=1)).ravel() < 0.3]
        for surface in _clothes(seed)
    ]
    cloth = np.concatenate(off_arms)
    for level in (chest, person.head("spine03")[2], groin + 0.06):
        ring = cloth[np.abs(cloth[:, 2] - level) < 0.02]
        angles = np.sort(np.arctan2(ring[:, 0], -ring[:, 1] + person.head("root")[1]))
        assert np.diff(angles).max() < 0.5


@pytest.mark.parametrize("seed", _SEEDS)
def test_surfaces_are_sound(seed: int) -> None:
    surfaces = _dressed(seed)[-1]
    for surface in surfaces:
        count = len(surface.points)
        assert count > 0
        assert np.isfinite(surface.points).all() and np.isfinite(surface.normals).all()
        assert surface.triangles.min() >= 0 and surface.triangles.max() < count
        np.testing.assert_allclose(np.asarray(surface.weights.sum(axis=1)).ravel(), 1, atol=1e-6)
        assert surface.weights.shape[0] == len(surface.colours) == len(surface.texture_coordinates) == count
        assert surface.colours.min() >= 0
        assert surface.colours.max() <= 1
        if surface.texture is not None:
            assert surface.texture.dtype == np.uint8 and surface.texture.shape[2] == 3
            assert np.isfinite(surface.texture_coordinates).all()
    assert sum(len(surface.points) for surface in surfaces[1:]) < 30000


def test_a_seed_always_gives_the_same_surfaces() -> None:
    first = _dressed(3)[-1]
    person, complexion, hair, outfit, _ = _dressed.__wrapped__(3)
    second = dress(person, complexion, hair, outfit)
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.points, other.points)
        np.testing.assert_array_equal(one.colours, other.colours)
        np.testing.assert_array_equal(one.triangles, other.triangles)


def test_seeds_differ() -> None:
    outfits = {draw_outfit(np.random.default_rng(seed), Shape()) for seed in range(30)}
    assert len(outfits) == 30
    shapes = [draw_shape(np.random.default_rng(seed)) for seed in range(300)]
    drawn = [(shape, draw_outfit(np.random.default_rng(seed), shape)) for seed, shape in enumerate(shapes)]
    skirts = [shape.gender > 0.5 for shape, outfit in drawn if isinstance(outfit.bottom, Skirt)]
    assert 20 < len(skirts) < 150 and np.mean(skirts) > 0.7
    rng = np.random.default_rng(0)
    assert {draw_hair(rng, shape).style for shape in shapes} == set(STYLES)


@pytest.mark.parametrize(
    ("style", "headwear"),
    [(style, "none") for style in STYLES]
    + [(style, headwear) for style in ("short", "long") for headwear in HEADWEAR[1:]],
)
def test_hair_leaves_the_face_free(style: str, headwear: str) -> None:
    person = make_person()
    hair = Hair(style=style, length=0.2, fringe=True, beard=0.01, thickness=0.02, headwear=headwear)
    face = keypoint_places(person).at_rest[_FACE_FREE_OF_BEARDS]
    for surface in hair_surface(person, hair):
        corners = surface.points[surface.triangles]
        middles = np.concatenate([surface.points, corners.mean(axis=1)])
        in_front = middles[middles[:, 1] < person.landmarks["left_ear"][1] - 0.03]
        if len(in_front):
            distance = cKDTree(in_front[:, [0, 2]]).query(face[:, [0, 2]])[0]
            assert distance.min() > 0.003


@pytest.mark.parametrize("seed", range(6))
def test_clothes_stay_near_the_body_in_motion(seed: int) -> None:
    person, _, _, outfit, surfaces = _dressed(seed)
    rng = np.random.default_rng(seed)
    reach = 0.45 if isinstance(outfit.bottom, Skirt) else 0.2
    for _ in range(3):
        transforms = posed_bones(person, _random_pose(rng))
        body, _ = skin(person.vertices[:BODY_VERTICES], person.weights[:BODY_VERTICES], transforms)
        tree = cKDTree(body)
        for surface in surfaces:
            points, _ = skin(surface.points, surface.weights, transforms)
            assert tree.query(points)[0].max() < reach


@pytest.mark.parametrize("weight", [0.05, 0.95])
def test_cloth_lies_outside_the_skin(weight: float) -> None:
    person = make_person(Shape(gender=0.9, weight=weight))
    complexion = draw_complexion(np.random.default_rng(0), Shape())
    bare, *dressed = dress(person, complexion, Hair(style="bald"), Outfit(top=Top(sleeve=1.5)))
    skin_tree, normals = cKDTree(bare.points), bare.normals
    for surface in dressed:
        if surface.roughness < 0.9:
            continue
        distance, nearest = skin_tree.query(surface.points)
        above = np.einsum("pi,pi->p", surface.points - bare.points[nearest], normals[nearest])
        assert (above[distance < 0.02] > 0).mean() > 0.98


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_repeats_without_a_seam(pattern: str) -> None:
    picture = pattern_picture(Fabric(pattern, grain=5))
    if pattern == "plain":
        assert picture is None
        return
    assert picture is not None and picture.shape == (256, 256, 3) and picture.dtype == np.uint8
    values = picture.astype(int)
    for axis in (0, 1):
        steps = np.abs(np.diff(values, axis=axis))
        seam = np.abs(np.take(values, 0, axis=axis) - np.take(values, -1, axis=axis))
        assert seam.max() <= steps.max() + 1
