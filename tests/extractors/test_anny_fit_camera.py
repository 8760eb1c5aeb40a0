"""The closed forms and the rig that the fit is made of, each held to another way to the same number."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from extractors.anny_fit.camera import FOCAL_PRIOR, find_focal, place
from extractors.anny_fit.rig import SHAPED, STANDARD, FitRig, fit_rig, rotation_of
from extractors.anny_fit.start import kabsch
from renderers.body_models.anny import AnnyBody
from renderers.body_models.interface import BodyParameters
from renderers.mannequin.keypoints import keypoint_places
from renderers.mannequin.person import FACIAL_ACTIONS, make_person
from renderers.wholebody import FACE

SEEDS = st.integers(0, 2**32 - 1)
LONG_SIDE = 1280.0
AHEAD = np.array([0.2, -0.1, 4.0])


@functools.cache
def rig() -> FitRig:
    return fit_rig(STANDARD)


def seen_at(points: np.ndarray, focal: float) -> np.ndarray:
    return focal * points[..., :2] / points[..., 2:]


@settings(deadline=None)
@given(
    seed=SEEDS,
    share=st.floats(0.5, 3.0),
    depth=st.floats(1.5, 30.0),
    aside=st.tuples(st.floats(-2, 2), st.floats(-2, 2)),
    count=st.integers(4, 20),
)
def test_a_place_is_found_exactly_and_what_has_no_weight_does_not_count(
    seed: int, share: float, depth: float, aside: tuple[float, float], count: int
) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.9, 0.9, (3, count, 3))
    assume(np.ptp(points[:, 1:, :2], axis=1).min() > 0.4)
    where = np.array([*aside, depth]) + rng.uniform(-0.3, 0.3, (3, 3))
    focal = share * LONG_SIDE
    pixels = seen_at(points + where[:, None], focal)
    weights = rng.uniform(0.1, 1.0, (3, count))
    pixels[:, 0], weights[:, 0] = 1e4, 0.0
    assert np.abs(place(points, pixels, weights, focal) - where).max() < 1e-4 * depth


@pytest.mark.parametrize("share", [0.7, 1.0, 1.5, 2.0])
def test_a_deep_scene_says_how_long_the_lens_is(share: float) -> None:
    rng = np.random.default_rng(3)
    points = rng.uniform(-1, 1, (5, 40, 3)) * [1.0, 1.0, 1.5]
    pixels = seen_at(points + AHEAD, share * LONG_SIDE)
    found = find_focal(points, pixels, np.ones((5, 40)), LONG_SIDE, sigma=2.0) / LONG_SIDE
    # The candidates are a tenth apart.
    assert abs(np.log(found / share)) < 0.06


def test_a_flat_scene_says_nothing_of_the_lens_so_it_is_the_commonest() -> None:
    points = np.random.default_rng(3).uniform(-1, 1, (5, 40, 3)) * [1.0, 1.0, 0.0]
    pixels = seen_at(points + AHEAD, 2.0 * LONG_SIDE)
    assert find_focal(points, pixels, np.ones((5, 40)), LONG_SIDE, sigma=2.0) == FOCAL_PRIOR * LONG_SIDE


@settings(deadline=None)
@given(seed=SEEDS, count=st.integers(4, 12))
def test_the_rotation_between_points_is_found_and_a_shift_does_not_matter(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    rest = rng.normal(size=(count, 3))
    assume(np.linalg.svd(rest - rest.mean(0), compute_uv=False)[-1] > 0.1)
    turned = Rotation.random(6, random_state=seed).as_matrix()
    now = np.einsum("fij,pj->fpi", turned, rest) + rng.normal(size=(6, 1, 3))
    assert np.abs(kabsch(rest, now) - turned).max() < 1e-9


@settings(deadline=None)
@given(seed=SEEDS)
def test_even_of_mirrored_or_flat_points_it_is_a_rotation(seed: int) -> None:
    rest = np.random.default_rng(seed).normal(size=(8, 3))
    now = np.stack([rest * [-1, 1, 1], rest * [1, 1, 0]])
    found = kabsch(rest, now)
    assert np.abs(np.linalg.det(found) - 1).max() < 1e-9
    assert np.abs(found @ found.swapaxes(1, 2) - np.eye(3)).max() < 1e-9


@settings(deadline=None)
@given(
    vector=st.tuples(*[st.floats(-1, 1)] * 3),
    size=st.sampled_from([0.0, 1e-9, 1e-4, 0.1, 1.0, 3.1, float(np.pi), 7.0]),
)
def test_rotation_vectors_turn_as_scipy_says(vector: tuple[float, float, float], size: float) -> None:
    turned = rotation_of(torch.tensor(vector, dtype=torch.float64) * size).numpy()
    assert np.abs(turned - Rotation.from_rotvec(np.array(vector) * size).as_matrix()).max() < 1e-7


def test_a_rotation_can_be_differentiated_where_nothing_turns() -> None:
    vector = torch.zeros(3, dtype=torch.float64)
    slopes = torch.autograd.functional.jacobian(rotation_of, vector).numpy()  # type: ignore[no-untyped-call]
    for axis in range(3):
        # The cross product with the axis.
        assert np.abs(slopes[..., axis] - np.cross(np.eye(3)[axis], np.eye(3)).T).max() < 1e-7


@pytest.mark.parametrize("spread", [0.0, 0.2, 0.4])
def test_the_rigs_keypoints_are_those_of_the_body_with_the_same_rotations(spread: float) -> None:
    rng = np.random.default_rng(5)
    frames, some = 4, rig()
    start = Rotation.from_rotvec(rng.normal(0, spread, (frames * len(some.used), 3))).as_matrix()
    local = some.local(
        torch.tensor(start.reshape(frames, -1, 3, 3), dtype=torch.float32),
        torch.tensor(rng.normal(0, spread, (frames, len(some.angles))), dtype=torch.float32),
    )
    body = AnnyBody()
    pose = np.zeros((frames, len(body.joint_names), 3), np.float32)
    vectors = Rotation.from_matrix(local.double().numpy().reshape(-1, 3, 3)).as_rotvec()
    pose[:, some.used] = vectors.reshape(frames, -1, 3)
    expected = body.keypoints(
        BodyParameters(
            pose,
            np.tile(np.array(list(STANDARD.phenotypes.values()), np.float32), (frames, 1)),
            np.zeros((frames, len(FACIAL_ACTIONS)), np.float32),
            np.zeros((frames, 3), np.float32),
        )
    )
    ours = some.keypoints(local, some.heads, some.points).numpy()
    apart = np.linalg.norm(ours - expected, axis=-1)
    assert np.delete(apart, np.r_[FACE], axis=1).max() < 1e-5
    # The face follows the head alone: a little of it is the neck's, and goes with the neck.
    assert np.median(apart[:, FACE]) < 1e-3 and apart[:, FACE].max() < 0.01


def test_the_rigs_body_at_rest_follows_the_phenotypes() -> None:
    some = rig()
    changes = dict(zip(SHAPED, (0.1, -0.03, 0.05, 0.04, -0.06), strict=True))
    other = make_person(
        replace(STANDARD, **{name: getattr(STANDARD, name) + value for name, value in changes.items()})
    )
    heads, points = some.at_rest(torch.tensor(list(changes.values())))
    assert np.abs(heads.numpy() - other.heads[some.used]).max() < 0.005
    assert np.abs(points.numpy() - keypoint_places(other).at_rest).max() < 0.005
    # That is little beside what there is to follow.
    assert np.abs(some.points.numpy() - keypoint_places(other).at_rest).max() > 0.025


def test_a_rig_whose_phenotypes_are_settled_does_not_follow_them() -> None:
    settled = fit_rig(STANDARD, may_change=False)
    heads, points = settled.at_rest(torch.ones(len(SHAPED)))
    assert torch.equal(heads, settled.heads) and torch.equal(points, settled.points)


def test_angles_turn_bones_about_axes_of_length_one_and_shares_add_up() -> None:
    some = rig()
    assert len({angle.name for angle in some.angles}) == len(some.angles)
    for angle in some.angles:
        assert np.linalg.norm(angle.axis) == pytest.approx(1)
        assert sum(angle.shares.values()) == pytest.approx(1)
        assert angle.low < angle.middle < angle.high, angle.name
        assert some.angles[some.angle(angle.name)] is angle
