"""Anny as a body model: held to Anny's own code, and to its mirror image.

Dimension names: frames, joints 104, vertices.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from renderers.body_models.anny import PHENOTYPES, AnnyBody
from renderers.body_models.interface import BodyParameters
from renderers.body_models.load import load_body_model
from renderers.mannequin.keypoints import keypoint_places
from renderers.mannequin.person import FACIAL_ACTIONS, Person, Shape, facial_actions, make_person
from renderers.wholebody import FLIP
from tests.factories.anny_model import anny_model

_ROUNDING = 1e-5
"""Metres; Anny computes with 32 bits."""
_MIRRORED = 0.004
"""Metres by which a mirrored body may miss the mirror image; of 30 bodies the worst missed it by 2.8 mm. At
rest its skin is symmetric to 0.02 mm, but Anny's smile is not (1.1 mm), nor are the heads of two bones of the
neck: they are up to 5 mm off the middle, which moves the head as far as the neck turns."""
LEFT, RIGHT = 0, 1
ACTIONS = tuple(FACIAL_ACTIONS)
X_TURNED = np.array([-1.0, 1.0, 1.0])


@functools.cache
def body() -> AnnyBody:
    return AnnyBody()


def drawn_parameters(seed: int, frames: int = 1, *, turn: float = 0.3) -> BodyParameters:
    """Some body with a face, every joint of which is turned."""
    rng = np.random.default_rng(seed)
    shape = rng.uniform(0.1, 0.9, len(PHENOTYPES)).round(4)
    shape[PHENOTYPES.index("age")] = rng.uniform(0.6, 0.95)
    return BodyParameters(
        pose=rng.normal(0, turn, (frames, len(body().joint_names), 3)).astype(np.float32),
        shape=np.tile(shape, (frames, 1)).astype(np.float32),
        expression=rng.uniform(0, 1, (frames, len(ACTIONS))).astype(np.float32),
        translation=rng.normal(0, 1, (frames, 3)).astype(np.float32),
    )


def at_rest(shape: Float[np.ndarray, "frames 6"] | None = None) -> BodyParameters:
    if shape is None:
        shape = np.array([list(Shape().phenotypes.values())], np.float32)
    count = len(shape)
    return BodyParameters(
        pose=np.zeros((count, len(body().joint_names), 3), np.float32),
        shape=shape,
        expression=np.zeros((count, len(ACTIONS)), np.float32),
        translation=np.zeros((count, 3), np.float32),
    )


def person_of(parameters: BodyParameters) -> Person:
    values = parameters.shape[0].astype(float).round(4).tolist()
    return make_person(Shape(**dict(zip(PHENOTYPES, values, strict=True))))


def world_rotations(person: Person, pose: Float[np.ndarray, "joints 3"]) -> Float[np.ndarray, "joints 3 3"]:
    """Each bone's rotation from rest in world axes, by scipy."""
    local = Rotation.from_rotvec(pose.astype(float)).as_matrix()
    turned: list[np.ndarray] = []
    for own, parent in zip(local, person.parents, strict=True):
        turned.append(turned[parent] @ own if parent >= 0 else own)
    return np.stack(turned)


def drawn_vertices(person: Person) -> Int[np.ndarray, "vertices"]:
    groups = ("body", "helper-l-eye", "helper-r-eye")
    return np.unique(np.concatenate([person.triangles[group].ravel() for group in groups]))


def mirror_of_vertices() -> Int[np.ndarray, "vertices"]:
    """For each vertex the one that is its mirror image at rest."""
    rest = body().surface(at_rest()).vertices[0]
    apart, other = cKDTree(rest).query(rest * X_TURNED)
    assert apart.max() < 2e-5, "the body at rest is symmetric"
    assert (other[other] == np.arange(len(rest))).all()
    return np.asarray(other)


@pytest.mark.parametrize(("seed", "turn"), [(0, 0.3), (1, 0.6), (2, 1.2), (3, 0.0)])
def test_the_surface_is_annys_own(seed: int, turn: float) -> None:
    """By the recipe of `renderers.mannequin.person`."""
    parameters = drawn_parameters(seed, turn=turn)
    if seed == 2:
        # Turns by next to 180 degrees, of the whole body and of an arm.
        parameters.pose[0, 0] = [0.0, 0.0, np.pi - 1e-4]
        parameters.pose[0, body().joint_names.index("upperarm01.L")] = [np.pi - 1e-3, 0.0, 0.01]
    person = person_of(parameters)
    phenotypes = {name: getattr(person_shape(parameters), name) for name in PHENOTYPES}
    model = anny_model()
    with torch.no_grad():
        rest = model(phenotype_kwargs=phenotypes)
        pose = rest["rest_bone_poses"].clone()
        turned = torch.tensor(world_rotations(person, parameters.pose[0]), dtype=pose.dtype)
        pose[:, :, :3, :3] = turned @ pose[:, :, :3, :3]
        pose[:, 0, :3, 3] += torch.tensor(parameters.translation[0] - person.heads[0], dtype=pose.dtype)
        posed = model(
            pose,
            phenotype_kwargs=phenotypes,
            facial_actions=facial_actions(parameters.expression[0].astype(float)),
            pose_parameterization="world-orient",
        )
    raised = np.array([0.0, 0.0, -float(rest["rest_vertices"][0, :13380, 2].min())])
    surface = body().surface(parameters)
    vertices = posed["vertices"][0].double().numpy()[drawn_vertices(person)] + raised
    assert np.abs(surface.vertices[0] - vertices).max() < _ROUNDING
    heads = posed["bone_poses"][0, :, :3, 3].double().numpy() + raised
    assert np.abs(surface.joints[0] - heads).max() < _ROUNDING


def person_shape(parameters: BodyParameters) -> Shape:
    return Shape(*parameters.shape[0].astype(float).round(4).tolist())


def test_the_first_bone_begins_at_the_translation_however_the_body_turns() -> None:
    parameters = drawn_parameters(4, frames=3)
    assert np.abs(body().surface(parameters).joints[:, 0] - parameters.translation).max() < 1e-9
    still = replace(parameters, translation=np.zeros((3, 3), np.float32))
    apart = body().surface(parameters).vertices - body().surface(still).vertices
    assert np.abs(apart - parameters.translation[:, None]).max() < 1e-6


def test_a_turn_of_the_first_bone_turns_the_whole_body_about_its_beginning() -> None:
    parameters = drawn_parameters(5)
    parameters.pose[0, 0] = 0
    before = body().surface(parameters)
    vector = np.array([0.4, -2.0, 1.5], np.float32)
    parameters.pose[0, 0] = vector
    after = body().surface(parameters)
    turn = Rotation.from_rotvec(vector.astype(float)).as_matrix()
    middle = parameters.translation[0]
    for one, other in ((before.vertices, after.vertices), (before.joints, after.joints)):
        assert np.abs((one[0] - middle) @ turn.T + middle - other[0]).max() < 1e-6


def test_at_rest_the_body_stands_upright_and_faces_away_from_y() -> None:
    surface = body().surface(at_rest())
    place = dict(zip(body().joint_names, surface.joints[0], strict=True))
    assert np.abs(place["root"]).max() < 1e-12
    assert place["head"][2] > 0.4 and place["foot.L"][2] < -0.7
    assert place["wrist.L"][0] > 0.3 and place["wrist.R"][0] < -0.3
    assert place["toe1-1.L"][1] < place["foot.L"][1] - 0.05
    nose = keypoint_places(make_person()).at_rest[0] - make_person().heads[0]
    assert nose[1] < place["head"][1]
    assert np.abs(surface.joints[0] - (make_person().heads - make_person().heads[0])).max() < 1e-9


def test_every_frame_is_the_same_as_if_it_were_alone() -> None:
    both = [drawn_parameters(seed) for seed in (6, 7)]
    together = BodyParameters(
        **{
            name: np.concatenate([getattr(one, name) for one in both])
            for name in ("pose", "shape", "expression", "translation")
        }
    )
    surface = body().surface(together)
    for frame, one in enumerate(both):
        alone = body().surface(one)
        assert (surface.vertices[frame] == alone.vertices[0]).all()
        assert (surface.joints[frame] == alone.joints[0]).all()


def test_keypoints_are_where_their_definitions_say_on_the_posed_body() -> None:
    parameters = drawn_parameters(8, frames=2)
    person = person_of(parameters)
    joints = body().surface(parameters).joints
    ours = body().keypoints(parameters)
    for frame in range(2):
        turned = world_rotations(person, parameters.pose[frame])
        move = joints[frame] - np.einsum("bij,bj->bi", turned, person.heads)
        bones = np.concatenate([turned, move[..., None]], axis=2)
        expected = keypoint_places(person).posed(bones, parameters.expression[frame].astype(float))
        assert np.abs(ours[frame] - expected).max() < 1e-6


def test_mirrored_twice_is_the_same() -> None:
    parameters = drawn_parameters(9, frames=2)
    twice = body().mirrored(body().mirrored(parameters))
    for name in ("pose", "shape", "expression", "translation"):
        before, after = getattr(parameters, name), getattr(twice, name)
        assert after.dtype == before.dtype and (after == before).all(), name


@pytest.mark.parametrize("seed", [10, 11, 12])
def test_a_mirrored_body_is_the_mirror_image(seed: int) -> None:
    parameters = drawn_parameters(seed)
    one, other = body().surface(parameters), body().surface(body().mirrored(parameters))
    of_vertex = mirror_of_vertices()
    apart = np.linalg.norm(other.vertices[0][of_vertex] - one.vertices[0] * X_TURNED, axis=-1)
    assert apart.max() < _MIRRORED and np.median(apart) < 0.001
    # It is no symmetric pose that they agree on.
    itself = np.linalg.norm(one.vertices[0][of_vertex] - one.vertices[0] * X_TURNED, axis=-1)
    assert itself.max() > 0.1
    points, mirrored = body().keypoints(parameters), body().keypoints(body().mirrored(parameters))
    assert np.linalg.norm(mirrored[0, FLIP] - points[0] * X_TURNED, axis=-1).max() < _MIRRORED


def test_but_for_neck_and_mouth_a_mirrored_body_is_the_mirror_image_to_a_tenth_of_a_millimetre() -> None:
    parameters = drawn_parameters(13)
    necks = [number for number, name in enumerate(body().joint_names) if name.startswith("neck")]
    parameters.pose[0, necks] = 0
    parameters.expression[0, [ACTIONS.index(name) for name in ("jaw_open", "smile", "frown", "pucker")]] = 0
    one, other = body().surface(parameters), body().surface(body().mirrored(parameters))
    of_vertex = mirror_of_vertices()
    assert np.abs(other.vertices[0][of_vertex] - one.vertices[0] * X_TURNED).max() < 1e-4


def test_a_mirrored_blink_is_the_other_eyes() -> None:
    parameters = at_rest()
    parameters.expression[0, ACTIONS.index("blink_left")] = 0.7
    mirrored = body().mirrored(parameters).expression[0]
    assert mirrored[ACTIONS.index("blink_right")] == np.float32(0.7)
    assert np.count_nonzero(mirrored) == 1
    assert parameters.expression[0, ACTIONS.index("blink_left")] == np.float32(0.7), "left as it was"


def test_a_mirrored_bodys_right_hand_is_the_left_ones_mirror_image() -> None:
    parameters = drawn_parameters(14)
    one, other = (body().surface(each).vertices[0] for each in (parameters, body().mirrored(parameters)))
    left, right = body().hands
    assert len(left.vertices) == len(right.vertices) and len(left.triangles) == len(right.triangles)
    apart, _ = cKDTree(other[right.vertices]).query(one[left.vertices] * X_TURNED)
    assert apart.max() < _MIRRORED
    assert set(mirror_of_vertices()[left.vertices].tolist()) == set(right.vertices.tolist())


@pytest.mark.parametrize(("side", "letter"), [(LEFT, "L"), (RIGHT, "R")])
def test_a_hand_is_closed_and_is_all_of_that_hand_and_nothing_else(side: int, letter: str) -> None:
    assert len(body().hands) == 2
    patch = body().hands[side]
    surface = body().surface(at_rest())
    vertices = surface.vertices[0][patch.vertices]
    mesh = trimesh.Trimesh(vertices, patch.triangles, process=False)
    assert mesh.is_watertight and mesh.is_winding_consistent
    assert 1e-4 < mesh.volume < 6e-4, "a hand has a quarter of a litre or so"
    assert (vertices[:, 0] > 0).all() if side == LEFT else (vertices[:, 0] < 0).all()
    bones = [
        number
        for number, name in enumerate(body().joint_names)
        if name.startswith(("wrist", "finger", "metacarpal")) and name.endswith(letter)
    ]
    assert cKDTree(surface.joints[0][bones]).query(vertices)[0].max() < 0.045
    points = keypoint_places(make_person())
    hand = points.at_rest[91 + 21 * side :][:21] - make_person().heads[0]
    # The tips' definition is the middle of the last of the skin.
    assert cKDTree(vertices).query(hand[4::4])[0].max() < 0.008


def test_the_surface_is_closed_and_faces_outward() -> None:
    vertices = body().surface(at_rest()).vertices[0]
    triangles = body().triangles
    assert triangles.min() == 0 and triangles.max() == len(vertices) - 1
    assert len(np.unique(triangles)) == len(vertices), "every vertex is drawn"
    mesh = trimesh.Trimesh(vertices, triangles, process=False)
    assert mesh.is_watertight and mesh.is_winding_consistent
    parts = sorted((part.volume for part in mesh.split()), reverse=True)
    assert len(parts) == 3, "skin and two eyes"
    assert 0.03 < parts[0] < 0.12 and all(volume > 1e-6 for volume in parts[1:])


def colour_near(joint: str, reach: float = 0.1) -> Float[np.ndarray, "3"]:
    surface = body().surface(at_rest())
    place = surface.joints[0][body().joint_names.index(joint)]
    near = np.linalg.norm(surface.vertices[0] - place, axis=1) < reach
    return np.asarray(body().colours[near].mean(0))


def test_colours_tell_left_from_right_and_the_head_is_warm() -> None:
    colours = body().colours
    assert colours.dtype == np.uint8 and colours.shape == (len(body().surface(at_rest()).vertices[0]), 3)
    for limb in ("wrist", "foot"):
        assert np.abs(colour_near(f"{limb}.L") - colour_near(f"{limb}.R")).max() > 50, limb
    red, _, blue = colour_near("head")
    assert red > blue + 100
    ends = [colour_near(f"{limb}.{side}") for limb in ("wrist", "foot") for side in "LR"] + [
        colour_near("head")
    ]
    apart = [np.abs(a - b).max() for number, a in enumerate(ends) for b in ends[:number]]
    assert min(apart) > 40


def test_it_is_loaded_by_name_and_says_what_it_takes() -> None:
    model = load_body_model("anny")
    assert isinstance(model, AnnyBody)
    assert (model.name, model.licence, model.units) == ("anny", "CC0-1.0", "metre")
    assert len(set(model.joint_names)) == len(model.joint_names) == 104
    assert model.joint_names[0] == "root"
    assert (model.shape_count, model.expression_count) == (len(PHENOTYPES), len(ACTIONS)) == (6, 8)
    surface = model.surface(drawn_parameters(15, frames=2))
    assert surface.joints.shape == (2, len(model.joint_names), 3)
    assert surface.vertices.shape == (2, len(model.colours), 3)
    assert model.surface(at_rest(np.zeros((0, 6), np.float32))).vertices.shape == (0, len(model.colours), 3)
