"""The colours of SMPL-CS: distances and their scaling against closed forms, and the colours that Anny gets
against what is published of the released ones."""

import functools
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from renderers.body_models import colours
from renderers.body_models.batches import check_parameters
from renderers.body_models.colours import (
    COLOURS_VERSION,
    LEVELS,
    RELEASED,
    colour_scalar,
    jet,
    landmark_distances,
    read_colours,
    scaling,
    vertex_colours,
)
from renderers.body_models.errors import ColourFileError, ModelFileError
from renderers.body_models.interface import BodyParameters
from renderers.cache_folder import cache_folder
from renderers.mannequin.person import BODY_VERTICES, Person, make_person

Mesh = tuple[np.ndarray, np.ndarray]


def sheet(columns: int = 41, rows: int = 11, step: float = 0.05) -> Mesh:
    """A flat grid, longer in x than in y, its squares cut along alternating diagonals."""
    x, y = np.meshgrid(np.arange(columns) * step, np.arange(rows) * step)
    vertices = np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])
    corner = np.arange(x.size).reshape(rows, columns)
    a, b, c, d = (
        part.ravel() for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1])
    )
    even = (np.add.outer(np.arange(rows - 1), np.arange(columns - 1)) % 2 == 0).ravel()[:, None]
    first = np.where(even, np.column_stack([a, b, c]), np.column_stack([a, b, d]))
    second = np.where(even, np.column_stack([a, c, d]), np.column_stack([b, c, d]))
    return vertices, np.concatenate([first, second])


SHEET = sheet()
ENDS = {0: 50.0, 40: 200.0}


@pytest.fixture(scope="module")
def person() -> Person:
    return make_person()


@pytest.fixture(scope="module")
def anchors(person: Person) -> Mapping[str, int]:
    """The vertex of Anny for each point of RELEASED: nearest to Anny's landmark, or farthest along the last
    bone of the finger."""
    vertices = person.vertices[:BODY_VERTICES]
    fingers = ("thumb", "index", "middle", "ring", "little")
    found = {}
    for name in RELEASED:
        if name in person.landmarks:
            found[name] = int(((vertices - person.landmarks[name]) ** 2).sum(1).argmin())
        else:
            side, finger, _ = name.split("_")
            bone = f"finger{fingers.index(finger) + 1}-3.{side[0].upper()}"
            along = person.head(bone) - person.head(bone.replace("-3", "-2"))
            follows = person.weights[:BODY_VERTICES, [person.bone(bone)]].toarray()[:, 0] > 0.5
            found[name] = int(np.where(follows, vertices @ along, -np.inf).argmax())
    return found


@pytest.fixture(scope="module")
def anny_scalar(person: Person, anchors: Mapping[str, int]) -> np.ndarray:
    numbers = {vertex: RELEASED[name] for name, vertex in anchors.items()}
    return colour_scalar(person.vertices[:BODY_VERTICES], person.triangles["body"], numbers)


def test_distances_on_a_sphere_are_those_of_great_circles() -> None:
    sphere = trimesh.creation.icosphere(subdivisions=4)
    landmarks, distances = landmark_distances(sphere.vertices, sphere.faces, 3)
    for landmark, measured in zip(landmarks, distances, strict=True):
        expected = np.arccos(np.clip(sphere.vertices @ sphere.vertices[landmark], -1, 1))
        np.testing.assert_allclose(measured, expected, atol=0.02 * np.pi)


def test_distances_on_a_bent_sheet_are_those_on_the_flat_one() -> None:
    flat, triangles = sheet(41, 21)
    radius = 0.8
    bent = np.column_stack(
        [radius * np.sin(flat[:, 0] / radius), flat[:, 1], radius * np.cos(flat[:, 0] / radius)]
    )
    landmarks, distances = landmark_distances(bent, triangles, 4)
    for landmark, measured in zip(landmarks, distances, strict=True):
        expected = np.linalg.norm(flat - flat[landmark], axis=1)
        np.testing.assert_allclose(measured, expected, atol=0.03 * np.ptp(flat[:, 0]))


def test_each_landmark_is_the_vertex_farthest_from_those_before() -> None:
    landmarks, distances = landmark_distances(*SHEET, 10_000)
    assert sorted(landmarks) == list(range(len(SHEET[0])))
    for number in range(1, 60):
        to_nearest = distances[:number].min(0)
        assert to_nearest[landmarks[number]] == to_nearest.max() > 0


def test_scaling_lays_a_bent_sheet_flat_its_long_side_first() -> None:
    flat, triangles = SHEET
    bent = np.column_stack([np.sin(flat[:, 0]), flat[:, 1], np.cos(flat[:, 0])])
    places = scaling(*landmark_distances(bent, triangles, 60), 2)
    for axis, place in enumerate(places.T):
        place = place * np.sign(place @ (flat[:, axis] - flat[:, axis].mean()))
        np.testing.assert_allclose(place - place.mean(), flat[:, axis] - flat[:, axis].mean(), atol=0.06)


def test_the_scalar_goes_evenly_from_anchor_to_anchor() -> None:
    scalar = colour_scalar(*SHEET, ENDS)
    np.testing.assert_allclose(scalar * LEVELS, 50 + 150 * SHEET[0][:, 0] / 2, atol=10)


def test_numbers_beyond_the_anchors_are_squeezed_into_the_range() -> None:
    scalar = colour_scalar(*SHEET, {10: 25, 30: 225})
    assert (scalar.min(), scalar.max()) == (0, 1)
    assert 0 < scalar[10] < scalar[20] < scalar[30] < 1


def test_other_parts_take_the_number_of_the_nearest_vertex() -> None:
    vertices, triangles = SHEET
    ball = trimesh.creation.icosphere(subdivisions=1, radius=0.01)
    parted = np.concatenate([ball.vertices + vertices[25] + [0, 0, 0.1], vertices, [[2.1, 0.5, 0.0]]])
    first = len(ball.vertices)
    both = np.concatenate([ball.faces, triangles + first])
    scalar = colour_scalar(parted, both, {first + vertex: number for vertex, number in ENDS.items()})
    np.testing.assert_array_equal(scalar[first:-1], colour_scalar(*SHEET, ENDS))
    np.testing.assert_array_equal(scalar[:first], np.full(first, scalar[first + 25]))
    assert scalar[-1] == scalar[-2], "a vertex without a triangle"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "two different"),
        ({0: 5, 40: 5}, "two different"),
        ({0: 5, 40: 255}, "vertex 40 is 255"),
        ({0: 5, 451: 7}, "vertex 451 is not on"),
        ({0: 5, 5000: 7}, "vertex 5000 is not on"),
    ],
)
def test_anchors_that_cannot_be_used_are_named(given: Mapping[int, float], said: str) -> None:
    vertices, triangles = SHEET
    with pytest.raises(ValueError, match=said):
        colour_scalar(np.concatenate([vertices, [[9.0, 9.0, 9.0]]]), triangles, given)


def test_a_template_that_is_not_finite_is_refused() -> None:
    vertices, triangles = SHEET
    with pytest.raises(ValueError, match="finite"):
        colour_scalar(np.where(vertices == 0, np.nan, vertices), triangles, ENDS)


def test_anny_gets_the_released_numbers_where_they_are_known(
    anchors: Mapping[str, int], anny_scalar: np.ndarray
) -> None:
    assert len(set(anchors.values())) == len(RELEASED) == 19
    levels = {name: anny_scalar[vertex] * LEVELS for name, vertex in anchors.items()}
    for name, level in levels.items():
        assert level == pytest.approx(RELEASED[name], abs=6), name


def test_anny_left_and_right_differ_at_hands_and_feet_and_the_head_is_between(
    anchors: Mapping[str, int], anny_scalar: np.ndarray
) -> None:
    level = {name: anny_scalar[vertex] * LEVELS for name, vertex in anchors.items()}
    assert level["right_middle_4"] - level["left_middle_4"] > 100
    assert level["right_heel"] - level["left_heel"] > 35
    assert level["left_middle_4"] < level["left_ear"] < level["nose"] < level["right_middle_4"]


def test_the_scalar_of_anny_is_smooth(person: Person, anny_scalar: np.ndarray) -> None:
    triangles = person.triangles["body"]
    ends = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    lengths = np.linalg.norm(person.vertices[ends[:, 0]] - person.vertices[ends[:, 1]], axis=1)
    steps = np.abs(anny_scalar[ends[:, 0]] - anny_scalar[ends[:, 1]]) * LEVELS
    assert anny_scalar.min() >= 0 and anny_scalar.max() <= 1
    assert steps.max() < 10 and np.median(steps) < 1
    assert (steps < 1 + 300 * lengths).all(), "levels, by metres"


def test_anny_has_the_hues_of_the_released_colours(
    anchors: Mapping[str, int], anny_scalar: np.ndarray
) -> None:
    red, green, blue = jet(anny_scalar).astype(int).T
    assert jet(anny_scalar).dtype == np.uint8
    at = anchors
    assert blue[at["left_heel"]] > 100 and red[at["left_heel"]] == green[at["left_heel"]] == 0
    assert blue[at["right_heel"]] == 255 and red[at["right_heel"]] == 0
    assert red[at["nose"]] == 255 and 50 < green[at["nose"]] < 150 and blue[at["nose"]] == 0
    assert red[at["right_middle_4"]] > 150 and green[at["right_middle_4"]] < 30
    assert green[at["left_middle_4"]] == 255 and blue[at["left_middle_4"]] > 100


def test_jet_is_its_closed_form_in_rgb() -> None:
    levels = np.arange(LEVELS + 1)
    peaks = np.array([3, 2, 1])  # of red, green and blue, in quarters of a byte's range
    expected = np.clip(1.5 - np.abs(4 * levels[:, None] / 255 - peaks), 0, 1) * 255
    np.testing.assert_allclose(jet(levels / LEVELS), expected, atol=1)


SCALAR_DIGEST = """
import hashlib
from tests.renderers.test_smpl_cs_colours import ENDS, SHEET
from renderers.body_models.colours import colour_scalar
print(hashlib.sha256(colour_scalar(*SHEET, ENDS)).hexdigest())
"""


def test_the_scalar_does_not_depend_on_the_number_of_threads() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", SCALAR_DIGEST],
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(digests) == 1


def test_the_cache_gives_what_was_computed_and_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNY_CACHE_DIR", str(tmp_path / "new"))
    fresh = vertex_colours(*SHEET, ENDS)
    np.testing.assert_array_equal(fresh, jet(colour_scalar(*SHEET, ENDS)))
    (cached,) = (tmp_path / "new").iterdir()
    np.testing.assert_array_equal(np.load(cached), colour_scalar(*SHEET, ENDS))
    with monkeypatch.context() as patched:
        patched.setattr(colours, "colour_scalar", None)
        np.testing.assert_array_equal(vertex_colours(*SHEET, ENDS), fresh)
    vertex_colours(*SHEET, {**ENDS, 40: 210.0})
    assert len(list((tmp_path / "new").iterdir())) == 2, "other inputs are kept apart"


@pytest.mark.parametrize("damage", ["empty", "short", "flipped", "text"])
def test_a_damaged_cache_is_made_again(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNY_CACHE_DIR", str(tmp_path))
    fresh = vertex_colours(*SHEET, ENDS)
    (cached,) = tmp_path.iterdir()
    whole = cached.read_bytes()
    middle = len(whole) // 2
    cached.write_bytes(
        {
            "empty": b"",
            "short": whole[:middle],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "text": b"not an array",
        }[damage]
    )
    np.testing.assert_array_equal(vertex_colours(*SHEET, ENDS), fresh)
    assert cached.read_bytes() == whole


def test_without_a_folder_for_the_cache_the_colours_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ANNY_CACHE_DIR", str(tmp_path / "file" / "below"))
    np.testing.assert_array_equal(vertex_colours(*SHEET, ENDS), jet(colour_scalar(*SHEET, ENDS)))


GIVEN = np.arange(36, dtype=np.uint8).reshape(12, 3)


@pytest.mark.parametrize("name", ["own.npy", "own.npz", "smplx_color.pt", "OWN.PTH"])
def test_a_colour_file_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name.endswith(".npy"):
        np.save(path, GIVEN)
    elif name.endswith(".npz"):
        np.savez_compressed(path, anything=GIVEN)
    else:
        import torch

        torch.save(torch.from_numpy(GIVEN), path)
    np.testing.assert_array_equal(read_colours(path, 12), GIVEN)
    with pytest.raises(ColourFileError, match=rf"{name}.*uint8 \(12, 3\).*uint8 \(10475, 3\)"):
        read_colours(path, 10475)


class Harmful:
    """What a pickle may do: run code when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return os.mkdir, ("harm",)


@pytest.mark.parametrize("name", ["own.npy", "own.npz", "own.pt"])
def test_no_code_in_a_colour_file_is_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    harmful = np.array([Harmful()], dtype=object)
    if name.endswith(".npy"):
        np.save(name, harmful)
    elif name.endswith(".npz"):
        np.savez(name, colours=harmful)
    else:
        torch.save(Harmful(), name)
    with pytest.raises(ColourFileError, match=f"{name}.*save"):
        read_colours(name, 12)
    assert not Path("harm").exists()


@pytest.mark.parametrize("name", ["own.npy", "own.npz", "own.pt"])
@pytest.mark.parametrize("content", [b"", b"not a colour file", b"PK\x03\x04 cut off", b"\x93NUMPY\x01\x00"])
def test_a_damaged_colour_file_is_an_error_that_names_it(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ColourFileError, match=name):
        read_colours(tmp_path / name, 12)


def test_what_is_not_a_colour_file_is_an_error_that_says_what_to_give(tmp_path: Path) -> None:
    import torch

    with pytest.raises(ColourFileError, match=r"colours\.png.*must end in \.npy"):
        read_colours(tmp_path / "colours.png", 12)
    with pytest.raises(ColourFileError, match="no such file"):
        read_colours(tmp_path / "missing.npy", 12)
    np.save(tmp_path / "float.npy", GIVEN / 255)
    with pytest.raises(ColourFileError, match=r"float64.*needs uint8"):
        read_colours(tmp_path / "float.npy", 12)
    np.savez(tmp_path / "two.npz", a=GIVEN, b=GIVEN)
    with pytest.raises(ColourFileError, match="2 arrays"):
        read_colours(tmp_path / "two.npz", 12)
    torch.save({"colours": torch.from_numpy(GIVEN)}, tmp_path / "dict.pt")
    with pytest.raises(ColourFileError, match="dict"):
        read_colours(tmp_path / "dict.pt", 12)
    torch.save(torch.from_numpy(GIVEN).bfloat16(), tmp_path / "half.pt")
    with pytest.raises(ColourFileError, match="bfloat16"):
        read_colours(tmp_path / "half.pt", 12)
    for number, tensor in enumerate([torch.from_numpy(GIVEN).to_sparse(), torch.empty(12, 3, device="meta")]):
        torch.save(tensor, tmp_path / f"{number}.pt")
        with pytest.raises(ColourFileError, match=rf"{number}\.pt.*save the colours"):
            read_colours(tmp_path / f"{number}.pt", 12)


def npy_of(header: bytes, content: bytes = bytes(36)) -> bytes:
    """A .npy file of any header."""
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


UNREADABLE = {
    "trillions.npy": npy_of(b"{'descr': '|u1', 'fortran_order': False, 'shape': (3298534883328, 3)}"),
    "short.npy": npy_of(b"{'descr': '|u1', 'fortran_order': False, 'shape': (12, 3)}", bytes(35)),
    "long.npy": npy_of(b"{'descr': '|u1', 'fortran_order': False, 'shape': (12, 3)}", bytes(37)),
    "no_token.npy": npy_of(b"{'descr': (("),
    "nested.npy": npy_of(b"(" * 9000),
    "three.pt": b"abc",
    "assertion.pt": b"K\x01Q.",
    "text.pt": b"X\x02\x00\x00\x00\xff\xff.",
    "vast.npy": bytes(2**24 + 1),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_an_error_that_says_what_to_do(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(UNREADABLE[name])
    with pytest.raises(ColourFileError, match=rf"{name}.*save") as raised:
        read_colours(tmp_path / name, 12)
    assert len(str(raised.value).splitlines()) == 1


def test_a_file_that_may_not_be_opened_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    np.save(tmp_path / "own.npy", GIVEN)
    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(ColourFileError, match=r"own\.npy: cannot be read \(Permission denied\)"):
        read_colours(tmp_path / "own.npy", 12)
    with pytest.raises(ColourFileError, match="cannot be read"):
        read_colours(tmp_path / ("long" * 100 + ".npy"), 12)


@pytest.mark.parametrize("name", ["own.npz", "own.pt"])
def test_no_more_is_unpacked_than_colours_need(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("colours.npy", bytes(2**26))
    with pytest.raises(ColourFileError, match=name):
        read_colours(tmp_path / name, 12)


def test_columns_first_is_read_as_it_was_saved(tmp_path: Path) -> None:
    np.save(tmp_path / "own.npy", np.asfortranarray(GIVEN))
    np.testing.assert_array_equal(read_colours(tmp_path / "own.npy", 12), GIVEN)


KINDS = ("a.npy", "a.npz", "b.npz", "a.pt", "b.pth")


@functools.cache
def good_files() -> dict[str, bytes]:
    """A colour file of each kind, by its name."""
    import torch

    npy, npz, small, new, old = (io.BytesIO() for _ in range(5))
    np.save(npy, GIVEN)
    np.savez(npz, colours=GIVEN)
    np.savez_compressed(small, colours=GIVEN)
    torch.save(torch.from_numpy(GIVEN), new)
    torch.save(torch.from_numpy(GIVEN), old, _use_new_zipfile_serialization=False)
    return {name: file.getvalue() for name, file in zip(KINDS, (npy, npz, small, new, old), strict=True)}


@pytest.mark.filterwarnings("ignore")  # torch and NumPy warn of what damaged files claim
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_raise_nothing_but_the_one_error(tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(KINDS))
    damaged = bytearray(good_files()[name])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged)))
        removed = data.draw(st.sampled_from([0, 1, 1, 1, 8, len(damaged)]))
        damaged[place : place + removed] = data.draw(st.binary(max_size=4))
    path = tmp_path / name
    path.write_bytes(damaged)
    try:
        assert read_colours(path, 12).shape == (12, 3)
    except ColourFileError as error:
        assert str(path) in str(error) and "save" in str(error)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(KINDS), content=st.binary(max_size=40))
def test_any_bytes_raise_nothing_but_the_one_error(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ColourFileError, match=name):
        read_colours(tmp_path / name, 12)


def test_the_error_of_a_colour_file_is_one_of_body_models_and_needs_nothing_imported() -> None:
    assert issubclass(ColourFileError, ModelFileError)
    heavy = "{'torch', 'potpourri3d', 'cv2', 'numpy'} & set(sys.modules)"
    code = f"import sys; from renderers.body_models.errors import ColourFileError; assert not {heavy}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_version_of_the_colours_names_what_they_depend_on() -> None:
    assert str(colours._VERSION) in COLOURS_VERSION.split()
    assert version("potpourri3d") in COLOURS_VERSION
    heavy = "{'torch', 'potpourri3d'} & set(sys.modules)"
    code = f"import sys; from renderers.body_models.colours import COLOURS_VERSION; assert not {heavy}"
    subprocess.run([sys.executable, "-c", code], check=True)


SQUARE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1]], float)


@pytest.mark.parametrize(
    ("vertices", "triangles"),
    [
        (SQUARE, [[0, 1, 2], [1, 0, 3], [0, 1, 4]]),
        (SQUARE, [[0, 1, 2], [0, 3, 4]]),
        (SQUARE, [[0, 1, 2], [0, 2, 2]]),
        (0 * SQUARE, [[0, 1, 2], [0, 2, 3]]),
        (1e200 * SQUARE, [[0, 1, 2], [0, 2, 4]]),
    ],
    ids=["three at an edge", "meeting in a vertex", "two corners", "without extent", "too large"],
)
def test_a_mesh_that_cannot_be_measured_is_told_with_what_to_do(
    vertices: np.ndarray, triangles: list[list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNY_CACHE_DIR", str(tmp_path))
    with pytest.raises(ModelFileError, match=r"mesh cannot be measured .*give a file of its colours"):
        vertex_colours(vertices, np.array(triangles), {0: 5.0, 2: 50.0})
    assert not list(tmp_path.iterdir())


def test_the_cache_of_colours_is_beside_that_of_the_body(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNY_CACHE_DIR", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.setenv("ANNY_CACHE_DIR", "")
    root = Path(__file__).resolve().parents[2]
    assert cache_folder() == root / ".cache" / "anny"
    monkeypatch.delenv("ANNY_CACHE_DIR")
    assert cache_folder() == root / ".cache" / "anny"


class Counts:
    """How many numbers a small body model takes."""

    name = "small"
    joint_names: tuple[str, ...] = ("root", "arm")
    shape_count = 4
    expression_count = 0


def parameters(**changed: np.ndarray) -> BodyParameters:
    """Three frames of its parameters, some of them changed."""
    right: dict[str, np.ndarray] = {
        "pose": np.zeros((3, 2, 3)),
        "shape": np.zeros((3, 4), np.float32),
        "expression": np.zeros((3, 0)),
        "translation": np.zeros((3, 3)),
    }
    return BodyParameters(**{**right, **changed})


@pytest.mark.parametrize(
    ("name", "numbers", "said"),
    [
        ("pose", np.zeros((3, 3, 3)), r"is \(3, 3, 3\): for 3 frames small takes \(3, 2, 3\)"),
        ("pose", np.array(0.0), r"is \(\)"),
        ("shape", np.zeros((2, 4)), r"is \(2, 4\)"),
        ("shape", np.full((3, 4), np.nan), "has numbers that are not finite"),
        ("expression", np.zeros((3, 1)), r"is \(3, 1\)"),
        ("translation", np.zeros(3), r"is \(3,\)"),
        ("translation", np.full((3, 3), "x"), "is of <U1: small takes real numbers"),
        ("translation", np.full((3, 3), None), "is of object: small takes real numbers"),
    ],
)
def test_parameters_of_another_model_are_told_by_name(name: str, numbers: np.ndarray, said: str) -> None:
    check_parameters(Counts(), parameters())
    with pytest.raises(ValueError, match=f"{name} {said}"):
        check_parameters(Counts(), parameters(**{name: numbers}))
