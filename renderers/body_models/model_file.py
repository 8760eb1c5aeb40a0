"""Reads the files of licensed body models, .npz or .pkl, as arrays, and runs nothing that is in them.

A pickle is a program that may name any function of any module. Here each name that a body-model file needs
stands for a record of what it was called with (`_Made`); arrays are made afterwards from the records, by this
module alone. Any other name is refused. The layout of the records is that of NumPy's, SciPy's and chumpy's
own pickles.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.lib import format as npy

from renderers.body_models.errors import ModelFileError

_LARGEST = 2**30
"""Bytes of a file, and of all its arrays: four times what SMPL-X takes with 400 directions in float64."""

_MOST_OPCODES = 20_000
"""Steps of a pickle; an array takes some tens. Bounds how deep values nest and how far the memo
grows: the interpreter itself fails on tuples nested some hundred thousand deep."""

_AGAIN = "download it again from its official address"


@dataclass(frozen=True)
class Expected:
    """What an array of a model file must be: its shape, and for whole numbers that number something, how
    many there are (`below`); without it the array holds finite real numbers."""

    shape: tuple[int, ...]
    below: int | None = None


@dataclass(frozen=True)
class Source:
    """Where the user gets a licensed file: its names (any will do), official address and terms."""

    names: tuple[str, ...]
    address: str
    terms: str


def find_model_file(folder: Path | None, source: Source) -> Path:
    """The first of the source's files that is in the folder. Raises ModelFileError if there is none."""
    if folder is not None:
        for name in source.names:
            if (folder / name).is_file():
                return folder / name
    place = "no folder was given" if folder is None else f"it is not in {folder}"
    there = "name the folder" if folder is None else "put it there"
    raise ModelFileError(
        f"{' or '.join(source.names)} is needed and {place}: register at {source.address}, download it "
        f"yourself under its licence ({source.terms}) and {there}."
    )


def read_model_file(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a body-model file by their names, read-only; sparse matrices and chumpy's arrays dense.

    Arrays of numbers, numbers of NumPy and lists of equal arrays are kept; text, dictionaries and other
    values are left out. Pickles may be of protocol 0 to 5, and of Python 2 (text read as latin1).

    Raises ModelFileError for a file that cannot be read, is damaged, claims more than it holds or more than
    1 GiB, or is a pickle that names anything which arrays do not need.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ModelFileError(f"{path}: is over {_LARGEST // 2**20} MiB, larger than any body model.")
        data = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror}): give a body-model file.") from error
    if not data:
        raise ModelFileError(f"{path}: is empty: {_AGAIN}.")
    try:
        values = _members(data) if data.startswith(b"PK") else _unpickled(data)
        if not isinstance(values, dict):
            raise ModelFileError(f"{path}: holds no arrays by name: give a body-model file.")
        return _Arrays().kept(values)
    except _RefusedError as refused:
        raise ModelFileError(
            f"{path}: names {refused}, which no body model needs and which could run code; nothing of it was "
            f"run. Delete the file and {_AGAIN}."
        ) from None
    except ModelFileError:
        raise
    # What damaged bytes make pickle, zipfile and NumPy raise is not documented and has no common class.
    except Exception as error:
        raise ModelFileError(
            f"{path}: is damaged or no body-model file ({type(error).__name__}): {_AGAIN}."
        ) from error


def checked(
    arrays: Mapping[str, np.ndarray], expected: Mapping[str, Expected], path: Path
) -> dict[str, np.ndarray]:
    """The expected arrays: real numbers as float32, whole numbers as int64.

    Raises ModelFileError for one that is missing, has another shape, or holds a number out of range.
    """
    out = {}
    for name, wanted in expected.items():
        if name not in arrays:
            raise ModelFileError(f"{path}: has no {name}: {_AGAIN}.")
        array = arrays[name]
        if array.shape != wanted.shape:
            raise ModelFileError(
                f"{path}: {name} is {array.shape}, not {wanted.shape}: is this the file of another model?"
            )
        if wanted.below is None:
            with np.errstate(over="ignore"):
                out[name] = np.ascontiguousarray(array, np.float32)
            good = bool(np.isfinite(out[name]).all())
        else:
            out[name] = np.ascontiguousarray(array, np.int64)
            good = bool(array.dtype.kind in "iu" and (array >= 0).all() and (array < wanted.below).all())
        if not good:
            raise ModelFileError(f"{path}: {name} holds numbers out of range: {_AGAIN}.")
    return out


def kinematic_tree(arrays: Mapping[str, np.ndarray], joints: int, path: Path) -> np.ndarray:
    """The (2, joints) table of each joint's parent and number, the root's parent being -1.

    Raises ModelFileError if it is missing or a parent does not come before its child.
    """
    table = arrays.get("kintree_table")
    if table is None or table.shape != (2, joints) or table.dtype.kind not in "iu":
        raise ModelFileError(f"{path}: has no kintree_table of {joints} joints: {_AGAIN}.")
    parents = table[0].astype(np.int64)
    if (parents[1:] < 0).any() or (parents[1:] >= np.arange(1, joints)).any():
        raise ModelFileError(f"{path}: kintree_table is no tree: {_AGAIN}.")
    parents[0] = -1
    return np.stack([parents, np.arange(joints)])


class _RefusedError(Exception):
    """A pickle names what no array needs."""


class _Made:
    """What a name in a pickle was called with, and the state it was then given. Inert."""

    __slots__ = ("args", "state")
    called: ClassVar[str]
    args: tuple[Any, ...]
    state: Any

    def __new__(cls, *args: Any) -> _Made:
        made = object.__new__(cls)
        made.args, made.state = args, None
        return made

    # Defined for the class too, so that a pickle's BUILD on a class fails and sets no attribute of it.
    def __setstate__(self, state: Any) -> None:
        self.state = state


_SPARSE = ("csc", "csr", "coo")

_NAMES: dict[tuple[str, str], str] = {
    ("chumpy.ch", "Ch"): "chumpy",
    ("chumpy.reordering", "Select"): "chumpy selection",
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "encode",
    **{
        (f"numpy.{core}.{module}", name): called
        for core in ("core", "_core")
        for module, name, called in (
            ("multiarray", "_reconstruct", "reconstruct"),
            ("multiarray", "scalar", "scalar"),
            ("numeric", "_frombuffer", "frombuffer"),
        )
    },
    **{
        (f"scipy.sparse.{private}{kind}", f"{kind}_{form}"): kind
        for kind in _SPARSE
        for private in ("", "_")
        for form in ("matrix", "array")
    },
    **{(module, "_reconstructor"): "reconstruct" for module in ("copyreg", "copy_reg")},
    **{
        (module, name): name
        for module in ("builtins", "__builtin__")
        for name in ("object", "set", "bytes", "bytearray")
    },
}
"""What a pickle may name, as it is written there, and what it is called here."""

_CLASSES = {
    called: type("_Made", (_Made,), {"__slots__": (), "called": called})
    for called in sorted(set(_NAMES.values()))
}


_HASHED = {
    pickle.SETITEM: slice(-2, -1),
    pickle.SETITEMS: slice(None, None, 2),
    pickle.DICT: slice(None, None, 2),
    pickle.ADDITEMS: slice(None),
    pickle.FROZENSET: slice(None),
}
"""What of the stack each step of a pickle hashes that fills a dictionary or a set."""


def _without_tuples(step: Callable[[Any], None], hashed: slice) -> Callable[[Any], None]:
    """The step, refused where it would hash a tuple.

    A tuple's hash is made anew each time from all that it holds: of forty tuples, each holding the one before
    twice, it takes hours.
    """

    def checked_step(unpickler: Any) -> None:
        if any(isinstance(key, tuple) for key in unpickler.stack[hashed]):
            raise ValueError("a key that no body model has")
        step(unpickler)

    return checked_step


class _Unpickler(pickle._Unpickler):
    # Python's own implementation: the one in C has no steps that can be refused.
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        **pickle._Unpickler.dispatch,
        **{
            opcode[0]: _without_tuples(pickle._Unpickler.dispatch[opcode[0]], hashed)
            for opcode, hashed in _HASHED.items()
        },
    }

    def find_class(self, module: str, name: str) -> Any:
        called = _NAMES.get((module, name))
        if called is None:
            raise _RefusedError(f"{module}.{name}"[:200])
        return _CLASSES[called]


def _unpickled(data: bytes) -> Any:
    # The unpickler trusts the sizes and places in the memo that a pickle claims: check them first. Its own
    # reader of opcodes fails on a claim that goes beyond the data.
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if count >= _MOST_OPCODES or ("PUT" in opcode.name and int(argument or 0) >= _MOST_OPCODES):
            raise ValueError("more steps than a body model has")
        # Extension codes may yield objects that other code of this process unpickled before.
        if opcode.name.startswith("EXT"):
            raise _RefusedError("an extension code")
    return _Unpickler(io.BytesIO(data), encoding="latin1").load()


def _members(data: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        if sum(info.file_size for info in members) > _LARGEST:
            raise ValueError("more than the largest body model")
        return {info.filename[: -len(".npy")]: _npy(archive.read(info)) for info in members}


def _npy(data: bytes) -> Any:
    file = io.BytesIO(data)
    if npy.read_magic(file) == (1, 0):  # type: ignore[no-untyped-call]
        shape, fortran, dtype = npy.read_array_header_1_0(file)  # type: ignore[no-untyped-call]
    else:
        shape, fortran, dtype = npy.read_array_header_2_0(file)  # type: ignore[no-untyped-call]
    content = data[file.tell() :]
    return _unpickled(content) if dtype.hasobject else _from_bytes(content, dtype, shape, fortran)


class _Arrays:
    """Makes arrays of what a file holds, each once.

    A value may stand at many places, and a few hundred bytes of them for more work than there is time for: so
    the bytes that are read or made are counted, and have a limit.
    """

    def __init__(self) -> None:
        self._made: dict[int, np.ndarray | None] = {}
        self._size = 0

    def kept(self, values: dict[Any, Any]) -> dict[str, np.ndarray]:
        """Those values that are arrays, numbers of NumPy or lists of equal arrays, read-only."""
        arrays: dict[str, np.ndarray] = {}
        for name, value in values.items():
            array = self._stacked(value) if isinstance(value, list | tuple) else self._array(value)
            if isinstance(name, str) and array is not None:
                self._count(array)
                array.flags.writeable = False
                arrays[name] = array
        return arrays

    def _count(self, array: np.ndarray) -> None:
        self._size += array.nbytes
        if self._size > _LARGEST:
            raise ValueError("more than the largest body model")

    def _array(self, value: Any) -> np.ndarray | None:
        """A value as an array of numbers, or None where it is something else."""
        if isinstance(value, np.ndarray):
            return value
        if not isinstance(value, _Made):
            return None
        # The values live as long as their arrays are made, so that no two have one identity.
        if id(value) not in self._made:
            self._made[id(value)] = self._array_of(value)
        return self._made[id(value)]

    def _array_of(self, value: _Made) -> np.ndarray | None:
        match value.called:
            case "chumpy":
                return self._array(value.state["x"])
            case "chumpy selection":
                return self._selected(value.state)
            case "scalar":
                dtype = _dtype(value.args[0])
                return None if dtype is None else _from_bytes(_bytes(value.args[1]), dtype, ())
            case "frombuffer":
                data, kind, shape, order = value.args
                dtype = _dtype(kind)
                return None if dtype is None else _from_bytes(_bytes(data), dtype, shape, order == "F")
            case "reconstruct":
                return self._reconstructed(value.args[0], value.state)
            # Made by NEWOBJ, in protocol 2 and later.
            case "csc" | "csr" | "coo":
                return self._dense(value.called, value.state)
        return None

    def _reconstructed(self, kind: Any, state: Any) -> np.ndarray | None:
        """What a class given as an argument would have made: an array, a sparse matrix or a chumpy array."""
        if not (isinstance(kind, type) and issubclass(kind, _Made)):
            raise ValueError("no class")
        if kind.called == "chumpy":
            return self._array(state["x"])
        if kind.called == "chumpy selection":
            return self._selected(state)
        if kind.called in _SPARSE:
            return self._dense(kind.called, state)
        if kind.called != "ndarray":
            return None
        _, shape, described, fortran, data = state
        dtype = _dtype(described)
        if dtype is None:
            # An array of one object, as NumPy keeps a matrix or dictionary in an .npz.
            return self._array(data[0]) if shape == () and isinstance(data, list) else None
        return _from_bytes(_bytes(data), dtype, shape, bool(fortran))

    def _numbers(self, value: Any) -> np.ndarray:
        """A part of another array. It is counted each time: what is made of it takes as much time anew."""
        array = self._array(value)
        if array is None:
            raise ValueError("no numbers")
        self._count(array)
        return array

    def _stacked(self, values: list[Any] | tuple[Any, ...]) -> np.ndarray | None:
        # Not for lists within lists: some lists that hold another twice are soon more than there is time for.
        if id(values) in self._made:
            return self._made[id(values)]
        numbers: list[np.ndarray] = []
        for value in values:
            array = self._array(value)
            if array is None or (numbers and array.shape != numbers[0].shape):
                break
            self._count(array)
            numbers.append(array)
        whole = bool(numbers) and len(numbers) == len(values)
        self._made[id(values)] = np.stack(numbers) if whole else None
        return self._made[id(values)]

    def _selected(self, state: Any) -> np.ndarray:
        """chumpy's Select: elements of another array, by their numbers in C order, in a shape of its own."""
        chosen = self._numbers(state["a"]).reshape(-1)[self._numbers(state["idxs"])]
        shape = state.get("preferred_shape")
        if shape is None:
            return chosen
        return chosen.reshape(shape if isinstance(shape, tuple) else self._numbers(shape))

    def _dense(self, kind: str, state: Any) -> np.ndarray:
        """A sparse matrix from its parts. SciPy itself would trust the places of its elements."""
        rows, columns = state["_shape"] if "_shape" in state else state["shape"]
        data = self._numbers(state["data"])
        if not 0 < rows * columns <= _LARGEST // 8 or rows < 0:
            raise ValueError("no size of a matrix")
        if kind == "coo":
            row, column = state["coords"] if "coords" in state else (state["row"], state["col"])
            places = self._numbers(row), self._numbers(column)
        else:
            indices, starts = self._numbers(state["indices"]), self._numbers(state["indptr"]).astype(np.int64)
            counts = np.diff(starts)
            if starts.ndim != 1 or starts[0] != 0 or starts[-1] != len(indices) or (counts < 0).any():
                raise ValueError("not as many elements as the matrix says")
            lines = np.repeat(np.arange(len(counts)), counts)
            places = (indices, lines) if kind == "csc" else (lines, indices)
        # Of other shapes NumPy would make each pair of them an element.
        if data.ndim != 1 or any(place.shape != data.shape for place in places):
            raise ValueError("not as many places as elements")
        dense = np.zeros((rows, columns), data.dtype)
        np.add.at(dense, places, data)
        return dense


def _dtype(described: Any) -> np.dtype | None:
    """The type of numbers that a record of numpy.dtype stands for; None for types of anything else."""
    if not (isinstance(described, _Made) and described.called == "dtype"):
        raise ValueError("no type")
    code = described.args[0]
    if code not in ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"):
        return None
    big = described.state is not None and described.state[1] == ">"
    return np.dtype(code).newbyteorder(">" if big else "<")


def _bytes(data: Any) -> bytes | bytearray:
    # Python 2 pickled bytes as text; Python 3 before protocol 3 as a call that encodes text.
    if isinstance(data, _Made) and data.called == "encode" and data.args[1] == "latin1":
        data = data.args[0]
    elif isinstance(data, _Made) and data.called in ("bytes", "bytearray"):
        if not data.args:
            return b""
        data = data.args[0]
    if isinstance(data, str):
        return data.encode("latin1")
    if isinstance(data, _Made):
        return _bytes(data)
    if not isinstance(data, bytes | bytearray):
        raise ValueError("no bytes")
    return data


def _from_bytes(
    data: bytes | bytearray, dtype: np.dtype, shape: Any, fortran: bool = False
) -> np.ndarray | None:
    if dtype.kind not in "biuf":
        return None
    if not isinstance(shape, tuple) or any(not isinstance(side, int) or side < 0 for side in shape):
        raise ValueError("no shape")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError("not as many bytes as its shape says")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
