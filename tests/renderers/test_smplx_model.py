"""The body model SMPL-X: SMPLer-X's own body, its mirror image, its hands cut out and its colours."""

from __future__ import annotations

import os
import pickle
import runpy
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from renderers.body_models.errors import ColourFileError, ModelFileError
from renderers.body_models.hand_patch import hand_patch
from renderers.body_models.interface import BodyParameters, HandPatch

pytest.importorskip("smplx")

from renderers.body_models import smplx as smplx_model
from renderers.body_models.load import load_body_model
from renderers.body_models.smplx import Smplx

RANDOM = np.random.default_rng(2)
V = 10475


@pytest.fixture(scope="module")
def made(shared: Path) -> dict[str, np.ndarray]:
    """Random numbers in the layout of the published SMPLX_NEUTRAL.npz with 20 directions."""
    arrays: dict[str, np.ndarray] = runpy.run_path(str(shared / "fixtures" / "recipe.py"))["fake_smplx"](20)
    return arrays


@pytest.fixture(scope="module")
def folder(made: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the made file; like the published one it also holds a dictionary."""
    folder = tmp_path_factory.mktemp("smplx")
    np.savez(folder / "SMPLX_NEUTRAL.npz", **made, part2num=np.array({"head": 15}, object))
    return folder


@pytest.fixture(scope="module")
def body(folder: Path) -> Smplx:
    """The body of the made file."""
    return Smplx(folder)


def some(frames: int = 2) -> BodyParameters:
    """Parameters of some body."""
    return BodyParameters(
        pose=RANDOM.normal(size=(frames, 55, 3)) * 0.5,
        shape=RANDOM.normal(size=(frames, 10)),
        expression=RANDOM.normal(size=(frames, 10)),
        translation=RANDOM.normal(size=(frames, 3)),
    )


def released_parameters(released: Any) -> BodyParameters:
    """What SMPLer-X's layer was given."""
    eyes = np.zeros((2, 6), np.float32)
    parts = [released[f"in_{part}"] for part in ("global_orient", "body_pose", "jaw_pose")]
    hands = [released[f"in_{side}_hand_pose"] for side in ("left", "right")]
    return BodyParameters(
        pose=np.concatenate([*parts, eyes, *hands], axis=1).reshape(2, 55, 3),
        shape=released["in_betas"],
        expression=released["in_expression"],
        translation=np.zeros((2, 3), np.float32),
    )


def test_the_body_is_that_of_smpler_x(shared: Path, body: Smplx) -> None:
    with np.load(shared / "fixtures" / "smplx_layer.npz") as released:
        parameters = released_parameters(released)
        surface, landmarks = body.surface(parameters), body.landmarks(parameters)
        np.testing.assert_allclose(surface.vertices[:, ::25], released["vertices_every25"], rtol=0, atol=1e-5)
        np.testing.assert_allclose(landmarks, released["joints"], rtol=0, atol=1e-5)
        np.testing.assert_array_equal(surface.joints, landmarks[:, :55])


def test_the_pickle_with_400_directions_gives_the_same_body(
    made: dict[str, np.ndarray], body: Smplx, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """300 shapes and 100 expressions, of which the first ten each are used; a sparse regressor and a list."""
    directions = np.full((V, 3, 400), 1e3, np.float32)
    directions[..., :10], directions[..., 300:310] = made["shapedirs"][..., :10], made["shapedirs"][..., 10:]
    other = {
        **made,
        "shapedirs": directions,
        "J_regressor": scipy.sparse.csc_matrix(made["J_regressor"]),
        "dynamic_lmk_bary_coords": list(made["dynamic_lmk_bary_coords"]),
        "joint2num": {"pelvis": 0},
    }
    (tmp_path / "SMPLX_NEUTRAL.pkl").write_bytes(pickle.dumps(other, protocol=4))
    parameters = some()
    np.testing.assert_array_equal(
        load_body_model("smplx", tmp_path).surface(parameters).vertices, body.surface(parameters).vertices
    )
    assert capsys.readouterr().out == ""


def test_it_says_what_it_is(body: Smplx) -> None:
    assert (body.name, body.units, body.shape_count, body.expression_count) == ("smplx", "metre", 10, 10)
    assert "non-commercial" in body.licence and "https://smpl-x.is.tue.mpg.de" in body.licence
    assert body.joint_names[0] == "pelvis" and body.joint_names[22] == "jaw"
    assert body.joint_names[25] == "left_index1" and body.joint_names[54] == "right_thumb3"


def test_translation_moves_and_the_pelvis_turns(body: Smplx) -> None:
    parameters = replace(some(), translation=np.zeros((2, 3)))
    surface = body.surface(parameters)
    moved = body.surface(replace(parameters, translation=np.array([[1, 2, 3], [-4, 5, 6]])))
    np.testing.assert_allclose(moved.vertices[0], surface.vertices[0] + [1, 2, 3], rtol=0, atol=1e-5)
    np.testing.assert_allclose(moved.joints[1], surface.joints[1] + [-4, 5, 6], rtol=0, atol=1e-5)
    still = parameters.pose.copy()
    still[:, 0] = 0
    flat = body.surface(replace(parameters, pose=still))
    for frame in range(2):
        turn = Rotation.from_rotvec(parameters.pose[frame, 0]).as_matrix()
        pelvis = flat.joints[frame, 0]
        np.testing.assert_allclose(
            surface.vertices[frame], (flat.vertices[frame] - pelvis) @ turn.T + pelvis, rtol=0, atol=1e-5
        )


def test_frames_do_not_depend_on_each_other_nor_on_threads(body: Smplx) -> None:
    """More frames than are computed at a time, and two threads on one model."""
    parameters = some(35)
    last = BodyParameters(
        parameters.pose[-1:], parameters.shape[-1:], parameters.expression[-1:], parameters.translation[-1:]
    )
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(body.surface, [parameters, last])
    np.testing.assert_allclose(first.vertices[-1], second.vertices[0], rtol=0, atol=1e-5)
    assert body.surface(some(0)).vertices.shape == (0, V, 3)


def symmetric(made: dict[str, np.ndarray], names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The made body, averaged with its mirror image: vertex v is opposite to vertex V - 1 - v."""
    swap = [names.index(other_side(name)) for name in names]
    across = np.array([-1.0, 1, 1])
    turns = made["posedirs"].reshape(V, 3, 54, 3, 3)
    opposite = turns[::-1][:, :, np.array(swap[1:]) - 1] * across[:, None, None, None]
    return {
        **made,
        "v_template": (made["v_template"] + made["v_template"][::-1] * across) / 2,
        "shapedirs": (made["shapedirs"] + made["shapedirs"][::-1] * across[:, None]) / 2,
        "posedirs": ((turns + opposite * across[:, None] * across) / 2).reshape(V, 3, 486),
        "weights": (made["weights"] + made["weights"][::-1][:, swap]) / 2,
        "J_regressor": (made["J_regressor"] + made["J_regressor"][swap][:, ::-1]) / 2,
        "hands_meanr": (made["hands_meanl"].reshape(15, 3) * [1, -1, -1]).ravel(),
    }


def other_side(name: str) -> str:
    """The joint's name on the other side."""
    if name.startswith("left_"):
        return name.replace("left_", "right_", 1)
    return name.replace("right_", "left_", 1)


def test_the_mirror_image_of_a_symmetric_body_is_exact(
    made: dict[str, np.ndarray], body: Smplx, tmp_path: Path
) -> None:
    np.savez(tmp_path / "SMPLX_NEUTRAL.npz", **symmetric(made, body.joint_names))
    symmetrical = Smplx(tmp_path)
    parameters = some()
    ours, theirs = symmetrical.surface(parameters), symmetrical.surface(symmetrical.mirrored(parameters))
    np.testing.assert_allclose(theirs.vertices[:, ::-1], ours.vertices * [-1, 1, 1], rtol=0, atol=1e-5)
    swap = [body.joint_names.index(other_side(name)) for name in body.joint_names]
    np.testing.assert_allclose(theirs.joints[:, swap], ours.joints * [-1, 1, 1], rtol=0, atol=1e-5)


def test_mirrored_twice_is_the_same(body: Smplx) -> None:
    parameters = some()
    once = body.mirrored(parameters)
    assert (once.pose != parameters.pose).any()
    twice = body.mirrored(once)
    for name in ("pose", "shape", "expression", "translation"):
        np.testing.assert_array_equal(getattr(twice, name), getattr(parameters, name))


def test_parameters_of_another_model_are_told(body: Smplx) -> None:
    with pytest.raises(ValueError, match=r"pose is \(2, 16, 3\): for 2 frames smplx takes \(2, 55, 3\)"):
        body.surface(replace(some(), pose=np.zeros((2, 16, 3))))
    with pytest.raises(ValueError, match="pose has numbers that are not finite"):
        body.surface(replace(some(), pose=np.full((2, 55, 3), np.inf)))


def test_a_file_that_is_missing_or_not_right_is_told(made: dict[str, np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"SMPLX_NEUTRAL\.npz .*https://smpl-x\.is\.tue\.mpg\.de"):
        load_body_model("smplx", tmp_path)
    path = tmp_path / "SMPLX_NEUTRAL.npz"
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"shapedirs": made["shapedirs"][..., :19]}, r"shapedirs is \(10475, 3, 19\), not"),
        ({"f": np.full((20908, 3), V)}, "f holds numbers out of range"),
        ({"v_template": np.array([print], object)}, "names builtins.print"),
    ]
    for parts, named in wrong:
        np.savez(path, **{**made, **parts})
        with pytest.raises(ModelFileError, match=rf"SMPLX_NEUTRAL\.npz: {named}"):
            Smplx(tmp_path)


def test_colours_are_those_of_the_user_s_file(folder: Path, tmp_path: Path) -> None:
    colours = RANDOM.integers(0, 256, (V, 3), np.uint8)
    np.save(tmp_path / "colours.npy", colours)
    torch.save(torch.from_numpy(colours), tmp_path / "colours.pt")
    for name in ("colours.npy", "colours.pt"):
        np.testing.assert_array_equal(Smplx(folder, colours=tmp_path / name).colours, colours)
    np.save(tmp_path / "short.npy", colours[:-1])
    with pytest.raises(ColourFileError, match=r"short\.npy"):
        load_body_model("smplx", folder, colours=tmp_path / "short.npy")


def test_colours_are_made_from_the_released_ones_when_asked_for(
    made: dict[str, np.ndarray], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def vertex_colours(*given: Any) -> np.ndarray:
        calls.append(given)
        return np.zeros((V, 3), np.uint8)

    monkeypatch.setattr(smplx_model, "vertex_colours", vertex_colours)
    own = Smplx(folder)
    assert not calls
    assert own.colours is own.colours
    ((vertices, triangles, anchors),) = calls
    np.testing.assert_array_equal(vertices, made["v_template"].astype(np.float32))
    np.testing.assert_array_equal(triangles, made["f"])
    released = {
        **{9120: 205, 616: 191, 6: 187},
        **dict.fromkeys((5361, 4933, 5058, 5169, 5286), 121),
        **dict.fromkeys((8079, 7669, 7794, 7905, 8022), 238),
        **dict.fromkeys((5770, 5780, 8846), 10),
        **dict.fromkeys((8463, 8474, 8635), 58),
    }
    assert anchors.keys() == released.keys()
    for vertex, level in released.items():
        assert anchors[vertex] == pytest.approx(level, abs=1), vertex


def test_no_torch_until_a_model_is_asked_for() -> None:
    code = (
        "import sys, renderers.body_models.load; sys.exit('torch' in sys.modules or 'smplx' in sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )


def test_hands_are_cut_out_by_the_skinning_weights(made: dict[str, np.ndarray], body: Smplx) -> None:
    left, right = body.hands
    wrists = {"left": [20, *range(25, 40)], "right": [21, *range(40, 55)]}
    for patch, joints in ((left, wrists["left"]), (right, wrists["right"])):
        assert len(patch.vertices) > 100
        assert (made["weights"][patch.vertices][:, joints].sum(1) > 0.5).all()
        assert patch.triangles.max() == len(patch.vertices) - 1
    assert not np.isin(left.vertices, right.vertices).any()


def cut(mesh: trimesh.Trimesh, inside: Float[np.ndarray, "vertices"]) -> HandPatch:
    """The part of a mesh whose weight for a joint is over a half."""
    return hand_patch(mesh.faces, np.stack([1 - inside, inside], axis=1), [1])


def assert_watertight(triangles: Int[np.ndarray, "triangles 3"]) -> None:
    """Every edge is used twice, in opposite directions."""
    edges = Counter((int(t[n - 1]), int(t[n])) for t in triangles for n in range(3))
    assert set(edges.values()) == {1}
    assert all((b, a) in edges for a, b in edges)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([trimesh.creation.icosphere(2), trimesh.creation.uv_sphere(1.0, [9, 12])]),
    st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda way: np.linalg.norm(way) > 0.1),
    st.floats(-0.7, 0.7),
)
def test_a_cut_sphere_is_closed(mesh: trimesh.Trimesh, way: tuple[float, ...], height: float) -> None:
    along = mesh.vertices @ np.array(way) / np.linalg.norm(way)
    inside = (along > height).astype(float)
    patch = cut(mesh, inside)
    assert_watertight(patch.triangles)
    kept = mesh.faces[(inside[mesh.faces] > 0.5).all(1)]
    np.testing.assert_array_equal(patch.vertices[patch.triangles[: len(kept)]], kept)
    assert len(patch.triangles) == 2 * len(patch.vertices) - 4
    assert trimesh.Trimesh(mesh.vertices[patch.vertices], patch.triangles, process=False).volume > 0


@pytest.mark.parametrize("sections", [3, 4, 16])
def test_both_ends_of_a_tube_are_closed(sections: int) -> None:
    around = np.arange(sections)
    ring = [[(a, (a + 1) % sections), (a + sections, (a + 1) % sections + sections)] for a in around]
    wall = np.array([t for (a, b), (c, d) in ring for t in ((a, b, c), (b, d, c))])
    patch = hand_patch(wall, np.ones((2 * sections, 1)), [0])
    assert len(patch.triangles) == 2 * sections + 2 * (sections - 2)
    assert_watertight(patch.triangles)


def test_openings_that_share_a_vertex_are_closed_each_by_itself() -> None:
    two = np.array([[0, 1, 2], [0, 3, 4]])
    patch = hand_patch(two, np.ones((5, 1)), [0])
    assert len(patch.triangles) == 4
    assert_watertight(patch.triangles)


def test_a_body_without_that_hand_has_an_empty_patch() -> None:
    patch = hand_patch(np.array([[0, 1, 2]]), np.zeros((3, 1)), [0])
    assert patch.vertices.shape == (0,) and patch.triangles.shape == (0, 3)
