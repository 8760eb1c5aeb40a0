"""Drawn bodies are adults of every build, and Anny's own model takes the same shapes, faces and poses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from renderers.mannequin.labels import PHENOTYPES, labels_path, read_labels
from renderers.mannequin.motion import make_motion
from renderers.mannequin.person import (
    BODY_VERTICES,
    FACIAL_ACTIONS,
    Person,
    Shape,
    draw_shape,
    facial_actions,
    make_person,
    skin,
)
from renderers.mannequin.pose import FACE_ACTIONS, Place, posed_bones
from renderers.mannequin.spec import Spec
from renderers.mannequin.video import make_video
from renderers.wholebody import FACE
from tests.factories.anny_model import anny_model

_ROUNDING = 1e-5
"""Metres; Anny computes with 32 bits, which here is below a thousandth of a millimetre."""
_WITHOUT_BROWS = slice(FACE.start + 27, FACE.stop)
"""The points of the face that are vertices."""


@dataclass(frozen=True)
class AnnyBody:
    """What Anny makes of parameters, with the floor where Dancemill has it."""

    vertices: Float[np.ndarray, "vertices 3"]
    joints: Float[np.ndarray, "bones 3"]


def by_anny(
    phenotypes: Mapping[str, float],
    details: Mapping[str, float],
    rotations: Float[np.ndarray, "bones 3 3"],
    root: Float[np.ndarray, "3"],
    face: Float[np.ndarray, "actions"],
) -> AnnyBody:
    """The recipe of `person`'s docstring, word for word."""
    model = anny_model()
    build = {"phenotype_kwargs": dict(phenotypes), "local_changes_kwargs": dict(details)}
    with torch.no_grad():
        rest = model(**build)
        pose = rest["rest_bone_poses"].clone()
        pose[:, :, :3, :3] = torch.tensor(rotations, dtype=pose.dtype) @ pose[:, :, :3, :3]
        pose[:, 0, :3, 3] += torch.tensor(root, dtype=pose.dtype)
        posed = model(
            pose, **build, facial_actions=facial_actions(face), pose_parameterization="world-orient"
        )
    raised = [0.0, 0.0, -float(rest["rest_vertices"][0, :13380, 2].min())]
    return AnnyBody(
        posed["vertices"][0].double().numpy() + raised,
        posed["bone_poses"][0, :, :3, 3].double().numpy() + raised,
    )


def drawn(seed: int) -> Shape:
    return draw_shape(np.random.default_rng(seed))


def breadth(person: Person, bone: str) -> float:
    """How wide the body is at the height of a bone, without the arms."""
    points = person.vertices[:BODY_VERTICES]
    bones = np.array(person.bones)[person.weights[:BODY_VERTICES].toarray().argmax(axis=1)]
    of_arms = ("shoulder", "upperarm", "lowerarm", "wrist", "finger", "metacarpal")
    arms = np.any([np.char.startswith(bones, name) for name in of_arms], axis=0)
    level = (np.abs(points[:, 2] - person.head(bone)[2]) < 0.04) & ~arms
    return float(np.ptp(points[level, 0]))


def test_shapes_are_drawn_over_both_sexes_all_adult_ages_and_builds() -> None:
    shapes = [drawn(seed) for seed in range(400)]
    women = np.array([shape.gender > 0.5 for shape in shapes])
    assert 0.4 < women.mean() < 0.6
    gender = np.array([shape.gender for shape in shapes])
    # Nobody between the sexes, where Anny's mean of both is no likely body.
    assert ((gender <= 0.18) | (gender >= 0.82)).all()
    phenotypes = np.array([list(shape.phenotypes.values()) for shape in shapes])
    assert ((phenotypes >= 0) & (phenotypes <= 1)).all()
    # Anny's age is 1/3 for a child, 2/3 for a young adult and 1 for an old person.
    ages = phenotypes[:, PHENOTYPES.index("age")]
    assert ages.min() >= 0.6 and ages.max() > 0.9
    assert np.ptp(phenotypes[:, PHENOTYPES.index("weight")]) > 0.6
    assert np.ptp(phenotypes[:, PHENOTYPES.index("muscle")]) > 0.6
    assert len({shape.details for shape in shapes}) == len(shapes)


def test_drawn_bodies_have_the_sizes_of_adults() -> None:
    shapes = [drawn(seed) for seed in range(60)]
    people = [make_person(shape) for shape in shapes]
    heights = np.array([person.height for person in people])
    women = np.array([shape.gender > 0.5 for shape in shapes])
    # Of the world's adults, all but a few in a thousand.
    assert heights.min() > 1.40 and heights.max() < 2.10
    assert heights.std() > 0.05 and np.ptp(heights) > 0.25
    assert 0.05 < heights[~women].mean() - heights[women].mean() < 0.25
    waists = np.array([breadth(person, "spine04") for person in people])
    assert waists.min() > 0.2 and waists.max() < 0.6 and waists.max() / waists.min() > 1.3


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bodies_stand_on_the_floor_and_follow_their_bones_wholly(seed: int) -> None:
    person = make_person(drawn(seed))
    assert person.vertices[:BODY_VERTICES, 2].min() == 0.0
    for side in "LR":
        assert 0.04 < person.head(f"foot.{side}")[2] < 0.14
    assert person.head("head")[2] > 0.8 * person.height
    assert np.abs(person.weights.sum(axis=1) - 1).max() < 1e-12
    assert person.weights.min() >= 0
    assert person.weights.shape == (len(person.vertices), len(person.bones))


def test_the_same_shape_gives_the_same_body_and_another_another() -> None:
    first = make_person(drawn(3))
    make_person.cache_clear()
    again, other = make_person(drawn(3)), make_person(drawn(4))
    assert again is not first
    assert again.vertices.tobytes() == first.vertices.tobytes()
    assert again.heads.tobytes() == first.heads.tobytes()
    assert (again.weights != first.weights).nnz == 0
    assert np.abs(other.vertices - first.vertices).max() > 0.01


def test_every_detail_that_is_drawn_changes_the_body() -> None:
    """A name that the model does not know would be a change that is lost."""
    plain = make_person(Shape())
    labels = set(anny_model().local_change_labels)
    for name, _ in drawn(0).details:
        assert name in labels
    changed = [make_person(Shape(details=((name, 0.5),))) for name in ("nose-hump-incr", "torso-vshape-incr")]
    assert all(np.abs(person.vertices - plain.vertices).max() > 0.002 for person in changed)


def test_facial_actions_move_the_face_and_nothing_else() -> None:
    person = make_person()
    assert tuple(FACIAL_ACTIONS) == FACE_ACTIONS
    moved = np.linalg.norm(person.actions, axis=2)
    assert (moved.max(axis=1) > 0.004).all() and moved.max() < 0.05
    # The jaw takes the skin under it along, a little way down the neck.
    assert moved[:, person.vertices[:, 2] < person.head("neck01")[2] - 0.05].max() == 0.0
    for side, sign in (("left", 1.0), ("right", -1.0)):
        lid = moved[FACE_ACTIONS.index(f"blink_{side}"), :BODY_VERTICES]
        # Anny moves a few places inside the nose too.
        assert (sign * person.vertices[:BODY_VERTICES][lid > 0.5 * lid.max(), 0] > 0.01).mean() > 0.9


@pytest.mark.parametrize(("seed", "motion"), [(5, "dance"), (6, "signing"), (7, "walking")])
def test_anny_itself_poses_the_same_body(seed: int, motion: str) -> None:
    shape = drawn(seed)
    person = make_person(shape)
    place = Place(0.4, -0.3, 2.0)
    pose = make_motion(motion, person, np.random.default_rng(seed), 2.0, place).pose(1.3)
    bones = posed_bones(person, pose)
    face = np.random.default_rng(seed).uniform(0.1, 0.8, len(FACE_ACTIONS))
    at_rest = person.vertices + np.tensordot(face, person.actions, axes=1)
    ours, _ = skin(at_rest, person.weights, bones)
    heads = np.einsum("bij,bj->bi", bones[..., :3], person.heads) + bones[..., 3]

    theirs = by_anny(shape.phenotypes, dict(shape.details), bones[..., :3], heads[0] - person.heads[0], face)
    assert np.abs(theirs.vertices - ours).max() < _ROUNDING
    assert np.abs(theirs.joints - heads).max() < _ROUNDING
    # It is no small pose that they agree on.
    assert np.abs(ours - person.vertices).max() > 0.5


def test_anny_poses_the_body_of_the_labels_from_their_columns_alone(tmp_path: Path) -> None:
    spec = replace(
        Spec(), sizes=((96, 160),), fps=10.0, seconds=0.1, people=(1,), shots=(1,), motions=("gestures",)
    )
    labels = read_labels(labels_path(make_video(tmp_path, spec, 8, 0)))
    details = labels.facts["looks"][0]["shape"]["details"]
    face = np.asarray(labels.face[0])
    assert face.any()
    body = by_anny(
        dict(zip(PHENOTYPES, labels.phenotypes[0].tolist(), strict=True)),
        {name: amount for name, amount in details},
        Rotation.from_rotvec(labels.bone_rotations[0].copy()).as_matrix(),
        labels.root[0],
        face,
    )
    assert np.abs(body.joints - labels.joints[0]).max() < _ROUNDING
    # Nose, lids and lips are vertices: there they are, where the labels say.
    apart, _ = cKDTree(body.vertices).query(labels.keypoints_3d[0, _WITHOUT_BROWS])
    assert apart.max() < _ROUNDING
