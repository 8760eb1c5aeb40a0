"""Stand-ins for the licensed body models: loaded and drawn as those are, and never taken for them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from renderers.body_models.errors import ModelFileError
from renderers.body_models.interface import BodyParameters
from renderers.hands import Hand, draw_hands
from renderers.lit_meshes import PosedMesh
from renderers.smpl_cs import draw_smpl_cs
from tests.factories.platforms import Platform

pytest.importorskip("smplx")

from smplx.vertex_ids import vertex_ids

from renderers.body_models.colours import LEVELS
from renderers.body_models.load import load_body_model
from renderers.body_models.mano import Mano
from renderers.body_models.model_file import read_model_file
from renderers.body_models.placeholder import write_placeholders
from renderers.body_models.smplx import Smplx
from renderers.body_models.stand_ins import ENTRY
from renderers.cache_folder import placeholder_folder

SIZE = 400, 400
K = np.array([[450.0, 0, 200], [0, 450, 200], [0, 0, 1]])
TO_CAMERA = np.array([1.0, -1.0, -1.0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with stand-ins."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ANNY_CACHE_DIR", str(tmp_path_factory.mktemp("made")))
        yield write_placeholders()


@pytest.fixture(scope="module")
def body(folder: Path) -> Smplx:
    """The stand-in of SMPL-X."""
    model = load_body_model("smplx", folder)
    assert isinstance(model, Smplx)
    return model


@pytest.fixture(scope="module")
def hand(folder: Path) -> Mano:
    """The stand-in of MANO."""
    model = load_body_model("mano", folder)
    assert isinstance(model, Mano)
    return model


def still(model: Smplx | Mano) -> BodyParameters:
    """The model at rest."""
    counts = (len(model.joint_names), 3), (model.shape_count,), (model.expression_count,), (3,)
    return BodyParameters(*(np.zeros((1, *count), np.float32) for count in counts))


def are_inside(points: Float[np.ndarray, "points 3"], mesh: trimesh.Trimesh) -> bool:
    """Whether the mesh goes around each point, by its solid angle (van Oosterom and Strackee, 1983)."""
    a, b, c = np.moveaxis(mesh.triangles - points[:, None, None].astype(float), 2, 0)
    la, lb, lc = (np.linalg.norm(corner, axis=-1) for corner in (a, b, c))
    volume = np.einsum("pti,pti->pt", a, np.cross(b, c))
    dots = [np.einsum("pti,pti->pt", *pair) for pair in ((a, b), (b, c), (c, a))]
    around = 2 * np.arctan2(volume, la * lb * lc + dots[0] * lc + dots[1] * la + dots[2] * lb)
    return bool((around.sum(1) > 3.99 * np.pi).all())


def test_the_body_is_a_person_in_shape_and_size(body: Smplx) -> None:
    surface = body.surface(still(body))
    mesh = trimesh.Trimesh(surface.vertices[0], body.triangles, process=False)
    assert mesh.is_watertight and mesh.euler_number == 2, "a sphere, in shape"
    assert 0.05 < mesh.volume < 0.09
    width, height, depth = mesh.extents
    assert 1.6 < height < 1.9 and 0.9 < width / height < 1.1 and depth < 0.4
    joints = dict(zip(body.joint_names, surface.joints[0], strict=True))
    assert are_inside(surface.joints[0], mesh)
    assert joints["head"][1] > joints["neck"][1] > joints["pelvis"][1] > joints["left_knee"][1]
    assert joints["left_wrist"][0] > joints["left_elbow"][0] > 0 > joints["right_elbow"][0]
    assert joints["left_thumb3"][2] > joints["left_index3"][2] > joints["left_pinky3"][2]


def test_landmarks_are_on_the_face_hands_and_feet(body: Smplx) -> None:
    points = body.landmarks(still(body))[0]
    nose, right_eye, left_eye, right_ear, left_ear = points[55:60]
    head = points[15]
    assert nose[2] > left_eye[2] > left_ear[2] and abs(nose[0]) < 0.01
    assert right_ear[0] < right_eye[0] < 0 < left_eye[0] < left_ear[0]
    # Fingertips lie beyond the last joint of their finger; little and ring finger change places there.
    for side, tips, joints in ((1, points[66:71], points[25:40:3]), (-1, points[71:76], points[40:55:3])):
        assert (tips[:, 0] * side > joints[[4, 0, 1, 3, 2], 0] * side).all()
    face, contour = points[76:127], points[127:]
    assert np.linalg.norm(face - head, axis=1).max() < 0.2 and (face[:, 2] > head[2]).all()
    assert (np.diff(contour[:, 0]) > 0).all() and contour[8, 1] < face[:, 1].min()


def test_a_bent_elbow_moves_the_forearm_alone(body: Smplx) -> None:
    rest = body.surface(still(body))
    bent = still(body)
    elbow = body.joint_names.index("left_elbow")
    bent.pose[0, elbow] = [0, -np.pi / 2, 0]
    moved = body.surface(bent)
    distance = np.linalg.norm(moved.vertices - rest.vertices, axis=2)[0]
    assert set(np.flatnonzero(distance > 1e-5)) >= set(body.hands[0].vertices)
    assert rest.vertices[0, distance > 1e-5, 0].min() > rest.joints[0, elbow, 0] - 0.15
    middle = moved.vertices[0, body.hands[0].vertices].mean(0)
    expected = Rotation.from_rotvec(bent.pose[0, elbow]).apply(
        rest.vertices[0, body.hands[0].vertices].mean(0) - rest.joints[0, elbow]
    )
    np.testing.assert_allclose(middle, rest.joints[0, elbow] + expected, atol=1e-4)


@pytest.mark.parametrize("side", [0, 1])
def test_the_hands_of_the_body_are_closed_and_end_at_the_wrists(body: Smplx, side: int) -> None:
    surface, patch = body.surface(still(body)), body.hands[side]
    mesh = trimesh.Trimesh(surface.vertices[0, patch.vertices], patch.triangles, process=False)
    assert mesh.is_watertight and 2e-4 < mesh.volume < 4e-4
    wrist = surface.joints[0, body.joint_names.index("left_wrist" if side == 0 else "right_wrist")]
    assert (np.abs(mesh.vertices[:, 0]) > abs(wrist[0]) - 1e-6).all()


def test_colours_are_made_on_the_stand_in_as_on_the_real_one(body: Smplx) -> None:
    scalar = LEVELS * body.colour_scalar
    named = vertex_ids["smplx"]
    at = {name: scalar[named[name]] for name in ("nose", "lmiddle", "rmiddle", "LBigToe", "RBigToe")}
    assert sorted(at, key=lambda name: at[name]) == ["LBigToe", "RBigToe", "lmiddle", "nose", "rmiddle"]
    assert np.diff(sorted(at.values())).min() > 15
    assert body.colours.shape == (10475, 3)


def test_shapes_change_the_body_smoothly_and_expressions_the_face_alone(body: Smplx) -> None:
    one, none = 2 * np.eye(10, dtype=np.float32), np.zeros((10, 10), np.float32)
    poses = [
        BodyParameters(np.zeros((len(shape), 55, 3)), shape, expression, np.zeros((len(shape), 3)))
        for shape, expression in ((one, none), (none, one), (none[:1], none[:1]))
    ]
    shaped, smiling, rest = (body.surface(pose).vertices for pose in poses)
    moved, face = (np.linalg.norm(vertices - rest, axis=2) for vertices in (shaped, smiling))
    assert (moved.max(1) > 0.005).all() and moved.max() < 0.06
    one_end, other_end = body.triangles[:, 0], body.triangles[:, 1]
    assert np.abs(moved[:, one_end] - moved[:, other_end]).max() < 0.015
    assert (face.max(1) > 1e-3).all() and rest[0, (face > 1e-4).any(0), 1].min() > 0.15


def test_the_hand_is_closed_and_its_landmarks_run_to_the_tips(hand: Mano) -> None:
    surface = hand.surface(still(hand))
    mesh = trimesh.Trimesh(surface.vertices[0], hand.triangles, process=False)
    assert mesh.is_watertight and 2e-4 < mesh.volume < 4e-4
    assert are_inside(surface.joints[0, 1:], mesh)
    points = hand.landmarks(still(hand))[0]
    fingers = points[1:].reshape(5, 4, 3)
    assert (np.diff(fingers[..., 0], axis=1) < 0).all()
    assert (np.diff(fingers[:, 0, 2]) < 0).all(), "thumb to little finger"


def test_both_are_drawn(body: Smplx, hand: Mano, platform: Platform) -> None:
    vertices = body.surface(still(body)).vertices[0] * TO_CAMERA + [0, -0.43, 2.5]
    person = PosedMesh(vertices, body.triangles, body.colours)
    image, mask = platform.own(draw_smpl_cs, [person], K, SIZE)
    assert 0.05 < mask.mean() < 0.15
    # Head, arms stretched out and two legs.
    assert mask[50:, 200].any() and cv2.connectedComponents(mask[300:350].astype(np.uint8))[0] == 3
    assert len(np.unique(image[mask] // 32, axis=0)) > 10
    vertices = hand.surface(still(hand)).vertices[0] * TO_CAMERA
    turned = vertices @ Rotation.from_euler("x", 90, degrees=True).as_matrix().T + [0, 0, 0.4]
    image, mask = platform.own(draw_hands, [Hand(turned, hand.triangles, is_right=True)], K, SIZE)
    assert 0.05 < mask.mean() < 0.3
    # A column through the fingers meets the four of them.
    columns = [cv2.connectedComponents(mask[:, [column]].astype(np.uint8))[0] - 1 for column in range(400)]
    assert max(columns) >= 4


def test_the_same_bytes_come_each_time(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert before.keys() == {"MANO_RIGHT.pkl", "SMPLX_NEUTRAL.npz"}
    monkeypatch.setenv("ANNY_CACHE_DIR", str(tmp_path))
    again = write_placeholders()
    assert again.parent == tmp_path and [file.name for file in tmp_path.iterdir()] == [again.name]
    assert {file.name: file.read_bytes() for file in again.iterdir()} == before


def test_what_another_version_or_an_ended_process_has_left_is_not_used(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNY_CACHE_DIR", str(tmp_path))
    shutil.copytree(folder, placeholder_folder())
    monkeypatch.setattr("renderers.cache_folder.PLACEHOLDER_VERSION", 1000)

    def interrupted(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as ended, pytest.raises(KeyboardInterrupt):
        ended.setattr("pickle.dumps", interrupted)
        write_placeholders()
    assert not placeholder_folder().exists()
    assert isinstance(load_body_model("mano", placeholder_folder()), Mano)


def test_a_folder_that_another_process_was_first_to_write_is_taken(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNY_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(
        "pickle.dumps", lambda *given, **named: shutil.copytree(folder, placeholder_folder()) and b""
    )
    assert write_placeholders() == placeholder_folder()
    assert (placeholder_folder() / "MANO_RIGHT.pkl").stat().st_size > 0


@pytest.mark.parametrize("name", ["smplx", "mano"])
def test_stand_ins_and_real_files_are_told_apart(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in folder.iterdir():
        shutil.copy(file, tmp_path)
    with pytest.raises(ModelFileError, match="is a stand-in for dry runs, not the published body model"):
        load_body_model(name, tmp_path)
    monkeypatch.setenv("ANNY_CACHE_DIR", str(tmp_path))
    placeholder_folder().mkdir()
    with np.load(folder / "SMPLX_NEUTRAL.npz") as arrays:
        assert "not SMPL-X or MANO" in str(arrays["note"])
    for file in folder.iterdir():
        real = {name: array for name, array in read_model_file(file).items() if name != ENTRY}
        for place in (placeholder_folder(), tmp_path):
            with (place / file.name).open("wb") as out:
                np.savez(out, **real)
    load_body_model(name, tmp_path)
    with pytest.raises(ModelFileError, match="is no stand-in, and lies where they are kept"):
        load_body_model(name, placeholder_folder())
