"""The hand model: HaMeR's own hand, on the right and in the mirror."""

from __future__ import annotations

import pickle
import runpy
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from renderers.body_models.errors import ModelFileError
from renderers.body_models.interface import BodyParameters

pytest.importorskip("smplx")

from renderers.body_models.load import load_body_model
from renderers.body_models.mano import Mano

RANDOM = np.random.default_rng(1)


@pytest.fixture(scope="module")
def folder(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a made MANO_RIGHT.pkl: random numbers in the layout of the published one."""
    folder = tmp_path_factory.mktemp("mano")
    made = runpy.run_path(str(shared / "fixtures" / "recipe.py"))["fake_mano"]()
    (folder / "MANO_RIGHT.pkl").write_bytes(pickle.dumps(made, protocol=2))
    return folder


@pytest.fixture(scope="module")
def right(folder: Path) -> Mano:
    """The right hand."""
    return Mano(folder)


def some(frames: int = 3) -> BodyParameters:
    """Parameters of some hand."""
    return BodyParameters(
        pose=RANDOM.normal(size=(frames, 16, 3)),
        shape=RANDOM.normal(size=(frames, 10)),
        expression=np.zeros((frames, 0)),
        translation=RANDOM.normal(size=(frames, 3)),
    )


def test_the_hand_is_that_of_hamer(shared: Path, right: Mano) -> None:
    with np.load(shared / "fixtures" / "mano_layer.npz") as released:
        turns = Rotation.from_matrix(released["rotmat"].reshape(-1, 3, 3).astype(float))
        parameters = BodyParameters(
            pose=turns.as_rotvec().reshape(3, 16, 3),
            shape=released["betas"],
            expression=np.zeros((3, 0)),
            translation=np.zeros((3, 3)),
        )
        np.testing.assert_allclose(
            right.surface(parameters).vertices, released["vertices"], rtol=0, atol=1e-5
        )
        np.testing.assert_allclose(right.landmarks(parameters), released["joints21"], rtol=0, atol=1e-5)


def test_it_is_loaded_by_its_name(folder: Path, right: Mano) -> None:
    loaded = load_body_model("mano", folder, side="left")
    assert loaded.name == "mano" and loaded.units == "metre"
    assert "non-commercial" in loaded.licence and "https://mano.is.tue.mpg.de" in loaded.licence
    assert (loaded.shape_count, loaded.expression_count, loaded.hands) == (10, 0, ())
    assert len(loaded.joint_names) == 16 and loaded.joint_names[:2] == ("wrist", "index1")
    np.testing.assert_array_equal(loaded.triangles, right.triangles[:, [0, 2, 1]])


def test_joints_are_the_surface_s_own(right: Mano) -> None:
    parameters = some()
    surface, landmarks = right.surface(parameters), right.landmarks(parameters)
    assert surface.joints.shape == (3, 16, 3)
    order = ["wrist", *(f"{finger}{n}" for finger in ("thumb", "index") for n in (1, 2, 3))]
    own = [right.joint_names.index(name) for name in order]
    np.testing.assert_array_equal(surface.joints[:, own], landmarks[:, [0, 1, 2, 3, 5, 6, 7]])
    np.testing.assert_array_equal(surface.vertices[:, [744, 671]], landmarks[:, [4, 20]])


@pytest.mark.parametrize("side", ["left", "right"])
def test_translation_moves_and_the_wrist_turns(folder: Path, side: str) -> None:
    hand = load_body_model("mano", folder, side=side)
    parameters = replace(some(2), translation=np.zeros((2, 3)))
    surface = hand.surface(parameters)
    moved = hand.surface(replace(parameters, translation=np.array([[1, 2, 3], [-4, 5, 6]])))
    np.testing.assert_allclose(moved.vertices[0], surface.vertices[0] + [1, 2, 3], rtol=0, atol=1e-5)
    np.testing.assert_allclose(moved.joints[1], surface.joints[1] + [-4, 5, 6], rtol=0, atol=1e-5)

    still = parameters.pose.copy()
    still[:, 0] = 0
    flat = hand.surface(replace(parameters, pose=still))
    across = np.array([1 if side == "right" else -1, 1, 1])
    for frame in range(2):
        turn = Rotation.from_rotvec(parameters.pose[frame, 0]).as_matrix() * across[:, None] * across
        wrist = flat.joints[frame, 0]
        np.testing.assert_allclose(
            surface.vertices[frame], turned(flat.vertices[frame], turn, wrist), rtol=0, atol=1e-5
        )


def turned(
    points: Float[np.ndarray, "points 3"], turn: Float[np.ndarray, "3 3"], about: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "points 3"]:
    """Points turned about a point."""
    return (points - about) @ turn.T + about


def test_a_left_hand_is_the_mirror_image(folder: Path, right: Mano) -> None:
    left = Mano(folder, side="left")
    parameters = some(40)
    mirrored = right.mirrored(parameters)
    ours, theirs = right.surface(parameters), left.surface(mirrored)
    np.testing.assert_allclose(theirs.vertices, ours.vertices * [-1, 1, 1], rtol=0, atol=1e-6)
    np.testing.assert_allclose(theirs.joints, ours.joints * [-1, 1, 1], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(mirrored.pose, parameters.pose)
    np.testing.assert_array_equal(left.mirrored(mirrored).translation, parameters.translation)
    assert (left.colours[0] != right.colours[0]).any()


def test_the_wrist_is_closed(right: Mano) -> None:
    """16 vertices round the wrist, 14 triangles between them, as HaMeR's renderer has them."""
    assert right.triangles.shape == (1538 + 14, 3)
    ends = right.triangles[-14:]
    assert ends[0].tolist() == [92, 38, 234] and ends[-1].tolist() == [78, 108, 79]
    edges = Counter((int(t[n]), int(t[n - 2])) for t in ends for n in range(3))
    rim = [edge for edge in edges if edge[::-1] not in edges]
    assert max(edges.values()) == 1 and len(edges) == 42 and len(rim) == 16
    assert len({a for a, _ in rim}) == len({b for _, b in rim}) == 16


def test_parameters_that_are_no_hand_s_are_told(right: Mano) -> None:
    parameters = some()
    assert right.surface(some(0)).vertices.shape == (0, 778, 3)
    wrong = [
        (replace(parameters, pose=np.zeros((3, 55, 3))), r"pose is .* mano takes \(3, 16, 3\)"),
        (replace(parameters, shape=np.zeros((1, 10))), "shape is"),
        (replace(parameters, expression=np.zeros((3, 10))), "expression is"),
        (replace(parameters, translation=np.full((3, 3), np.nan)), "translation has numbers that are not"),
    ]
    for given, named in wrong:
        with pytest.raises(ValueError, match=named):
            right.surface(given)


def test_a_file_that_is_missing_or_of_another_model_is_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ModelFileError, match=r"MANO_RIGHT\.pkl .*https://mano\.is\.tue\.mpg\.de"):
        load_body_model("mano", tmp_path)
    with pytest.raises(ModelFileError, match="no folder was given"):
        load_body_model("mano")
    made = pickle.loads((folder / "MANO_RIGHT.pkl").read_bytes())
    made["weights"] = made["weights"][:, :15]
    (tmp_path / "MANO_RIGHT.pkl").write_bytes(pickle.dumps(made))
    with pytest.raises(ModelFileError, match=r"weights is \(778, 15\), not \(778, 16\)"):
        load_body_model("mano", tmp_path)
    with pytest.raises(ValueError, match="give left or right"):
        load_body_model("mano", folder, side="both")
    assert capsys.readouterr().out == ""
