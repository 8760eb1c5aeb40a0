"""Body-model files are read as arrays: those of real formats whole, hostile and damaged ones not at all."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from renderers.body_models.errors import ModelFileError
from renderers.body_models.load import load_body_model
from renderers.body_models.model_file import (
    Expected,
    Source,
    checked,
    find_model_file,
    kinematic_tree,
    read_model_file,
)
from tests.factories.damaged_bytes import damaged_bytes

RANDOM = np.random.default_rng(0)
DENSE = RANDOM.normal(size=(5, 7)) * (RANDOM.random((5, 7)) < 0.4)
SHAPES = RANDOM.normal(size=(6, 3, 4))


class Chumpy:
    """An object of chumpy as pickle sees it: a class of that name, and its attributes."""

    def __init__(self, **state: Any) -> None:
        self.__dict__.update(state, _dirty_vars=set(), _itr=None)


class Ch(Chumpy):
    """Numbers."""


class Select(Chumpy):
    """Elements of another."""


class MatVecMult(Chumpy):
    """A computation, which no body-model file holds."""


class Python2Pickler(pickle._Pickler):
    """Writes bytes and text as Python 2 did: strings of bytes."""

    def save_string(self, value: bytes | str) -> None:
        data = value if isinstance(value, bytes) else value.encode("latin1")
        self.write(b"T" + struct.pack("<i", len(data)) + data)  # type: ignore[attr-defined]
        self.memoize(value)  # type: ignore[attr-defined]

    dispatch = {  # noqa: RUF012 - the base class's name
        **pickle._Pickler.dispatch,
        bytes: save_string,  # type: ignore[dict-item]
        str: save_string,  # type: ignore[dict-item]
    }


def pickled(value: Any, protocol: int = 2, python2: bool = False) -> bytes:
    """A pickle that names chumpy's classes, which are there only while it is written."""
    modules = {"chumpy": (), "chumpy.ch": (Ch, MatVecMult), "chumpy.reordering": (Select,)}
    with pytest.MonkeyPatch.context() as patch:
        for name, classes in modules.items():
            module = types.ModuleType(name)
            for one in classes:
                setattr(module, one.__name__, one)
                patch.setattr(one, "__module__", name)
            patch.setitem(sys.modules, name, module)
        if not python2:
            return pickle.dumps(value, protocol)
        out = io.BytesIO()
        Python2Pickler(out, 2).dump(value)
        return out.getvalue().replace(b"scipy.sparse._csc", b"scipy.sparse.csc")


def model() -> dict[str, Any]:
    """All that body-model files hold, in small."""
    return {
        "v_template": SHAPES[..., 0],
        "posedirs": np.asfortranarray(SHAPES, np.float32),
        "f": np.arange(12, dtype=np.uint32).reshape(4, 3),
        "big": np.arange(3, dtype=">i4"),
        "flags": np.array([True, False]),
        "empty": np.zeros((0, 3)),
        "scalar": np.float64(0.25),
        "listed": [SHAPES[0], SHAPES[1]],
        "J_regressor": scipy.sparse.csc_matrix(DENSE),
        "rows": scipy.sparse.csr_array(DENSE),
        "places": scipy.sparse.coo_matrix(DENSE),
        "hands_mean": Ch(x=SHAPES[..., 1]),
        "shapedirs": Select(
            a=Ch(x=SHAPES),
            idxs=np.arange(SHAPES.size).reshape(SHAPES.shape)[..., :2].ravel(),
            preferred_shape=(6, 3, 2),
        ),
        "bs_type": "lrotmin",
        "part2num": {"head": 15},
        "names": np.array(["a", "b"]),
    }


EXPECTED: dict[str, np.ndarray] = {
    "v_template": SHAPES[..., 0],
    "posedirs": SHAPES.astype(np.float32),
    "f": np.arange(12).reshape(4, 3),
    "big": np.arange(3),
    "flags": np.array([True, False]),
    "empty": np.zeros((0, 3)),
    "scalar": np.array(0.25),
    "listed": SHAPES[:2],
    "J_regressor": DENSE,
    "rows": DENSE,
    "places": DENSE,
    "hands_mean": SHAPES[..., 1],
    "shapedirs": SHAPES[..., :2],
}


def read(folder: Path, data: bytes) -> dict[str, np.ndarray]:
    """What is read from a file of these bytes."""
    path = folder / "model.file"
    path.write_bytes(data)
    return read_model_file(path)


def assert_same(arrays: dict[str, np.ndarray]) -> None:
    """The arrays are those of `model`, and the text and dictionaries are left out."""
    assert sorted(arrays) == sorted(EXPECTED)
    for name, expected in EXPECTED.items():
        np.testing.assert_array_equal(arrays[name], expected, err_msg=name)


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_every_protocol_are_read(tmp_path: Path, protocol: int) -> None:
    assert "chumpy" not in sys.modules
    assert_same(read(tmp_path, pickled(model(), protocol)))


def test_a_pickle_of_python_2_is_read(tmp_path: Path) -> None:
    data = pickled(model(), python2=True)
    assert b"scipy.sparse.csc\ncsc_matrix" in data
    assert b"__builtin__\nset" in data
    assert b"_codecs" not in data
    assert_same(read(tmp_path, data))


def test_a_pickle_of_numpy_2_is_read(tmp_path: Path) -> None:
    data = pickled(model()).replace(b"numpy.core.multiarray", b"numpy._core.multiarray")
    assert_same(read(tmp_path, data))


def test_an_npz_with_objects_is_read(tmp_path: Path) -> None:
    members = model()
    for name in ("hands_mean", "shapedirs"):
        del members[name]
    members["listed"] = np.stack(members["listed"])
    np.savez(tmp_path / "model.npz", **members)
    arrays = read_model_file(tmp_path / "model.npz")
    np.testing.assert_array_equal(arrays.pop("J_regressor"), DENSE)
    assert set(arrays) == set(members) - {"J_regressor", "part2num", "names", "bs_type"}
    np.testing.assert_array_equal(arrays["posedirs"], EXPECTED["posedirs"])


# Each would leave a file behind if it were called: the argument is a shell command, Python code or a path.
HOSTILE = (
    ("os", "system"),
    ("posix", "system"),
    ("subprocess", "check_call"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("__builtin__", "execfile"),
    ("builtins", "getattr"),
    ("builtins", "__import__"),
    ("builtins", "open"),
    ("pickle", "loads"),
    ("marshal", "loads"),
    ("types", "FunctionType"),
    ("numpy", "load"),
    ("numpy", "memmap"),
    ("numpy", "ndarray.tofile"),
    ("numpy.core.multiarray", "fromfile"),
    ("numpy.testing._private.utils", "runstring"),
    ("scipy.sparse._csc", "csc_matrix.__init__.__globals__"),
    ("scipy.io", "loadmat"),
    ("torch", "load"),
    ("chumpy.ch", "MatVecMult"),
    ("renderers.body_models.model_file", "_Made"),
)


def calls(module: str, name: str, argument: str) -> list[bytes]:
    """Pickles that call a function of a module with some text, in the ways that there are."""
    text = pickle.dumps(argument, 2)[2:-1]
    by_stack = pickle.dumps(module, 2)[2:-1] + pickle.dumps(name, 2)[2:-1] + b"\x93"
    named = f"{module}\n{name}\n".encode()
    return [
        b"c" + named + text + b"\x85R.",
        b"(" + text + b"i" + named + b".",
        b"(c" + named + text + b"o.",
        b"c" + named + text + b"\x85\x81.",
        b"\x80\x04" + by_stack + text + b"\x85R.",
        b"\x80\x04}U\x01a" + by_stack + text + b"\x85Rs.",
    ]


@pytest.mark.parametrize(("module", "name"), HOSTILE)
def test_a_pickle_that_names_anything_else_is_refused_by_name(tmp_path: Path, module: str, name: str) -> None:
    trace = tmp_path / "trace"
    for argument in (f"touch {trace}", f"open({str(trace)!r}, 'w')", str(trace)):
        for data in calls(module, name, argument):
            with pytest.raises(ModelFileError, match=f"names {module}.{name}") as raised:
                read(tmp_path, data)
            assert "\n" not in str(raised.value)
    assert not trace.exists()


class Evil:
    """Runs a command when it is unpickled in the ordinary way."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, (f"touch {self.trace}",)


@pytest.mark.parametrize("protocol", range(6))
def test_what_is_hidden_inside_arrays_is_refused(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "trace"
    evil = Evil(trace)
    nested = np.empty(2, object)
    nested[:] = [np.array([evil], object), 1]
    sparse = scipy.sparse.csc_matrix(DENSE)
    sparse.maxprint = evil
    for value in (evil, [evil], np.array(evil, object), nested, Ch(x=evil), sparse, {evil: 1}):
        with pytest.raises(ModelFileError, match=r"posix.system|nt.system"):
            read(tmp_path, pickled({"v_template": value}, protocol))
    np.savez(tmp_path / "model.npz", v_template=SHAPES, more=nested)
    with pytest.raises(ModelFileError, match=r"posix.system|nt.system"):
        read_model_file(tmp_path / "model.npz")
    assert not trace.exists()


def test_a_pickle_changes_nothing_of_the_reader(tmp_path: Path) -> None:
    """BUILD on an admitted class would set its attributes, were it not given a record to set."""
    for state in (b"}U\x01aK\x01s", b"N}U\x0c__setstate__NsN\x86"):
        with pytest.raises(ModelFileError):
            read(tmp_path, b"\x80\x02cnumpy\nndarray\n" + state + b"b.")
    assert_same(read(tmp_path, pickled(model())))


def test_extension_codes_and_persistent_ids_are_refused(tmp_path: Path) -> None:
    for data in (b"\x80\x02\x82\x01.", b"\x80\x02K\x01Q.", b"Pname\n."):
        with pytest.raises(ModelFileError):
            read(tmp_path, data)


def npz_claiming(shape: tuple[int, ...]) -> bytes:
    """An .npz whose array says it has this shape and has eight bytes."""
    member, archive = io.BytesIO(), io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(member, header)  # type: ignore[no-untyped-call]
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.npy", member.getvalue() + bytes(8))
    return archive.getvalue()


def sparse_claiming(**state: Any) -> bytes:
    """A pickle of a sparse matrix with some of its parts changed."""
    matrix = scipy.sparse.csc_matrix(DENSE)
    matrix.__dict__.update(state)
    return pickled({"J_regressor": matrix})


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x05\x96" + struct.pack("<Q", 2**38) + b"a.",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"a.",
        b"\x80\x02T" + struct.pack("<i", -1) + b"a.",
        b"\x80\x02K\x01r" + struct.pack("<I", 2**32 - 1) + b".",
        b"K\x01p99999999999\n.",
        b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"a.",
        b"\x80\x02}U\x01a(" + b"(" * 300_000 + b"t" * 300_000 + b"ts.",
        b"\x80\x02}" + b")" + b"\x85" * 300_000 + b"K\x01s.",
        npz_claiming((2**60,)),
        npz_claiming((2**31, 2**31, 2**31)),
        npz_claiming((-1,)),
        sparse_claiming(_shape=(2**40, 2**40)),
        sparse_claiming(indptr=np.array([0, 2**40])),
        sparse_claiming(indices=np.full(np.count_nonzero(DENSE), 2**31 - 1, np.int32)),
        pickled({"a": SHAPES}).replace(
            struct.pack("<BBB", 6, ord("K"), 3), struct.pack("<BBB", 7, ord("K"), 3)
        ),
    ],
    ids=[
        "a bytearray of 2**38",
        "bytes of 2**62",
        "a string of -1",
        "a memo of 2**32",
        "a memo of 99999999999",
        "a number of 2**31 bytes",
        "marks and tuples, 300,000 deep",
        "a tuple of 300,000 levels",
        "an array of 2**60",
        "an array of 2**93",
        "an array of -1",
        "a sparse matrix of 2**80",
        "a row of 2**40",
        "a column of 2**31",
        "a memo that was never kept",
    ],
)
def test_claims_beyond_what_is_there_are_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ModelFileError, match=r"is damaged or no body-model file.*download it again"):
        read(tmp_path, data)


def test_lists_that_hold_each_other_take_no_time(tmp_path: Path) -> None:
    value: Any = SHAPES
    for _ in range(200):
        value = [value, value]
    assert read(tmp_path, pickled({"a": value})) == {}
    loop = Ch()
    loop.__dict__["x"] = loop
    with pytest.raises(ModelFileError, match="RecursionError"):
        read(tmp_path, pickled({"a": loop}))


def chosen_twice(value: Any, levels: int) -> Any:
    """Selections whose array and numbers are each the selection before."""
    for _ in range(levels):
        value = Select(a=value, idxs=value)
    return value


def sparse_twice(value: Any, levels: int) -> Any:
    """Sparse matrices whose parts are each the matrix before."""
    for _ in range(levels):
        matrix = scipy.sparse.csc_matrix((1, 1))
        matrix.__dict__.update(data=value, indices=value, indptr=value)
        value = matrix
    return value


def test_parts_that_stand_at_many_places_are_made_once(tmp_path: Path) -> None:
    chain = chosen_twice(np.arange(2), 150)
    for value in (chain, Ch(x=chain), [chain, chain]):
        np.testing.assert_array_equal(
            read(tmp_path, pickled({"a": value}))["a"].reshape(-1, 2)[0], np.arange(2)
        )
    with pytest.raises(ModelFileError, match="is damaged"):
        read(tmp_path, pickled({"a": sparse_twice(np.zeros(1, int), 60)}))


def zeros(kind: str, size: int) -> Any:
    """A sparse matrix without elements, of this type and size."""
    return scipy.sparse.csc_matrix((size, 1), dtype=kind)


@pytest.mark.parametrize("how", ["chain", "list", "names"])
def test_a_small_file_cannot_ask_for_more_work_than_the_largest_model(tmp_path: Path, how: str) -> None:
    many = zeros("i4", 2**24)
    value: Any = np.zeros(1, np.uint8)
    match how:
        case "chain":
            for _ in range(150):
                value = Select(a=value, idxs=many)
            values = {"a": value}
        case "list":
            values = {"a": [Select(a=value, idxs=many) for _ in range(150)]}
        case _:
            values = {f"a{number}": Select(a=value, idxs=many) for number in range(150)}
    with pytest.raises(ModelFileError, match="is damaged"):
        read(tmp_path, pickled(values))


@pytest.mark.parametrize(
    "parts",
    [
        {"indices": np.zeros((5000, 1), int), "indptr": np.array([0, 5000])},
        {"indices": np.zeros(1, int), "indptr": np.array([0, 1])},
        {"indices": np.zeros(5000, int), "indptr": np.array([[0, 5000]])},
    ],
)
def test_the_parts_of_a_sparse_matrix_are_of_one_length(tmp_path: Path, parts: dict[str, Any]) -> None:
    with pytest.raises(ModelFileError, match="is damaged"):
        read(tmp_path, sparse_claiming(_shape=(1, 1), data=np.ones(5000), **parts))


@pytest.mark.parametrize(
    "filled",
    [b"}%bK\x01s", b"}(%bK\x01u", b"(%bK\x01d", b"\x8f(%b\x90", b"(%b\x91"],
    ids=["SETITEM", "SETITEMS", "DICT", "ADDITEMS", "FROZENSET"],
)
def test_keys_that_take_for_ever_to_hash_are_refused(tmp_path: Path, filled: bytes) -> None:
    """Tuples that each hold the one before twice: 34 of them would take minutes, in 80 bytes."""
    data = b"\x80\x04" + filled.replace(b"%b", b")" + b"2\x86" * 34) + b"."
    with pytest.raises(ModelFileError, match="is damaged"):
        read(tmp_path, data)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "is empty"),
        (b"<html>Please sign in</html>", "is damaged or no body-model file"),
        (b"PK\x03\x04", "is damaged or no body-model file"),
        (pickle.dumps([SHAPES]), "holds no arrays by name"),
        (pickle.dumps({"a": SHAPES})[:-200], "is damaged or no body-model file"),
    ],
)
def test_other_files_are_told_in_one_line(tmp_path: Path, data: bytes, named: str) -> None:
    with pytest.raises(ModelFileError, match=rf"model\.file: {named}") as raised:
        read(tmp_path, data)
    assert "\n" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"absent\.pkl: cannot be read"):
        read_model_file(tmp_path / "absent.pkl")
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_model_file(tmp_path)
    with (tmp_path / "vast.npz").open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(ModelFileError, match="over 1024 MiB"):
        read_model_file(tmp_path / "vast.npz")


def _npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=SHAPES, f=np.arange(3), J=scipy.sparse.csc_matrix(DENSE))
    return file.getvalue()


GOOD = [*(pickled(model(), protocol) for protocol in range(6)), pickled(model(), python2=True), _npz()]


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged=damaged_bytes(GOOD))
def test_damaged_bytes_raise_nothing_but_the_one_error(tmp_path: Path, damaged: bytes) -> None:
    try:
        arrays = read(tmp_path, damaged)
    except ModelFileError as error:
        assert "model.file" in str(error)
    else:
        assert all(array.dtype.kind in "biuf" for array in arrays.values())


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(lambda tail: b"\x80\x02}" + tail)))
def test_any_bytes_raise_nothing_but_the_one_error(tmp_path: Path, data: bytes) -> None:
    try:
        read(tmp_path, data)
    except ModelFileError as error:
        assert "model.file" in str(error)


def test_arrays_are_held_to_what_is_expected() -> None:
    path = Path("model.npz")
    arrays: dict[str, np.ndarray] = {"weights": np.eye(3), "f": np.array([[0, 1, 2]], np.uint32)}
    expected = {"weights": Expected((3, 3)), "f": Expected((1, 3), below=3)}
    out = checked(arrays, expected, path)
    assert out["weights"].dtype == np.float32 and out["f"].dtype == np.int64
    bad: list[tuple[dict[str, np.ndarray], str]] = [
        ({"f": arrays["f"]}, "has no weights"),
        ({**arrays, "weights": np.eye(4)}, r"weights is \(4, 4\), not \(3, 3\)"),
        ({**arrays, "weights": np.full((3, 3), np.nan)}, "weights holds numbers out of range"),
        ({**arrays, "weights": np.full((3, 3), 1e300)}, "weights holds numbers out of range"),
        ({**arrays, "f": np.array([[0, 1, 3]])}, "f holds numbers out of range"),
        ({**arrays, "f": np.array([[0, 1, -1]])}, "f holds numbers out of range"),
        ({**arrays, "f": np.array([[0.0, 1.0, 2.0]])}, "f holds numbers out of range"),
    ]
    for wrong, named in bad:
        with pytest.raises(ModelFileError, match=rf"model\.npz: {named}"):
            checked(wrong, expected, path)


def test_joints_make_a_tree() -> None:
    path = Path("model.npz")
    table = np.array([[2**32 - 1, 0, 0, 2], [0, 1, 2, 3]], np.uint32)
    assert kinematic_tree({"kintree_table": table}, 4, path)[0].tolist() == [-1, 0, 0, 2]
    table[0, 1] = 3
    with pytest.raises(ModelFileError, match="is no tree"):
        kinematic_tree({"kintree_table": table}, 4, path)
    for wrong in ({}, {"kintree_table": table[:1]}):
        with pytest.raises(ModelFileError, match="no kintree_table of 4 joints"):
            kinematic_tree(wrong, 4, path)


def test_a_missing_file_says_where_to_get_it(tmp_path: Path) -> None:
    source = Source(("A.npz", "A.pkl"), "https://example.org", "for research")
    with pytest.raises(ModelFileError) as raised:
        find_model_file(tmp_path, source)
    for part in ("A.npz or A.pkl", str(tmp_path), "https://example.org", "for research", "put it there"):
        assert part in str(raised.value)
    with pytest.raises(ModelFileError, match="no folder was given"):
        find_model_file(None, source)
    (tmp_path / "A.pkl").touch()
    assert find_model_file(tmp_path, source).name == "A.pkl"
    (tmp_path / "A.npz").touch()
    assert find_model_file(tmp_path, source).name == "A.npz"


def test_an_unknown_body_model_is_told_with_those_known() -> None:
    with pytest.raises(ModelFileError, match="'smpl': give one of anny, smplx, mano"):
        load_body_model("smpl")
