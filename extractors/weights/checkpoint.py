"""Reads checkpoints of torch (.pth, .pt, .ckpt, .pth.tar) and .safetensors, and runs nothing that is in them.

What torch.save writes is a pickle, a program that may name any function of any module, with the bytes of the
tensors beside it. Here no name is ever looked up. It stands for itself (`Inert`), and a call of one makes
what this module makes of it: a tensor, a dictionary, or nothing, so that a trainer's settings and logs need
no library and cannot do anything. The tensors are views of the mapped file.

Layouts: torch.serialization's archive (since torch 1.6), and its older stream of pickles and bytes, in which
OpenMMLab publishes.
"""

from __future__ import annotations

import io
import math
import mmap
import pickle
import pickletools
import struct
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import safetensors.torch
import torch
from torch import Tensor, nn

from extractors.weights.errors import UnreadableError, WeightsError

_MOST_OPCODES = 1_000_000
"""Steps of a file's pickles, and entries of the dictionaries that it has made of lists; a tensor takes some
thirty. Bounds the memory that a small file can ask for."""

_LARGEST_PICKLE = 2**28
"""Bytes of an archive's pickle, which is read whole; the tensors are not in it."""

_MOST_SIDES = 64
"""Dimensions of a tensor."""

_MOST_SHOWN = 3
"""Names in an error."""

_AGAIN = "get it again (`dancemill weights list` says from where)"

_STORED = {
    f"torch.{kind}Storage": dtype
    for kind, dtype in {
        "BFloat16": torch.bfloat16,
        "Bool": torch.bool,
        "Byte": torch.uint8,
        "Char": torch.int8,
        "Double": torch.float64,
        "Float": torch.float32,
        "Half": torch.float16,
        "Int": torch.int32,
        "Long": torch.int64,
        "Short": torch.int16,
    }.items()
}

_MAGIC = 0x1950A86A20F9469CFC6C
_LAYOUT = 1001
"""What the first two pickles of the older layout hold."""

_Find = Callable[[str, torch.dtype, int], Tensor | None]
"""From the key, type and length of some stored numbers to the numbers; None where only the key is wanted."""


def read_checkpoint(path: Path) -> Mapping[str, Any]:
    """What the file holds by name: tensors on the CPU, in dictionaries, lists and tuples as they were saved.

    Any object of another class, NumPy's arrays too, is an `Inert`. Tensors are views of the file: load or
    clone them before it is replaced. The file stays as it is whatever is written to them.

    Raises UnreadableError for a file that cannot be read here, and WeightsError for one that is damaged,
    claims more than it holds, or holds nothing by name.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            if not size:
                raise WeightsError(f"{path}: is empty: {_AGAIN}.")
            file.seek(0)
            start = file.read(64).lstrip().lower()
            if start.startswith((b"<!doctype", b"<html")):
                raise WeightsError(f"{path}: is a web page, not weights: {_AGAIN}, by hand if it must be.")
            values = _values(path, file)
    except WeightsError:
        raise
    except (OSError, MemoryError) as error:
        reason = error.strerror if isinstance(error, OSError) else "there is too little memory"
        raise UnreadableError(f"{path}: cannot be read ({reason}): give a file of weights.") from error
    # What damaged bytes make pickle, zipfile and torch raise is not documented and has no common class.
    except Exception as error:
        raise WeightsError(f"{path}: is damaged or no checkpoint ({_reason(error)}): {_AGAIN}.") from error
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise WeightsError(f"{path}: holds nothing by name: give a checkpoint, not a whole model or a list.")
    return values


def load_state(network: nn.Module, state: Mapping[str, Any], path: Path) -> None:
    """Give the network its weights. Raises what `check_state` does."""
    check_state(network, state, path)
    network.load_state_dict(dict(state))


def check_state(network: nn.Module, state: Mapping[str, Any], path: Path) -> None:
    """That these are the network's weights, each one it has, and none that it has not. It may be on the meta
    device.

    Raises WeightsError if a weight is missing, unknown or of another shape; `path` is where they were read.
    """
    own = network.state_dict()
    wrong = [
        f"{name} is {_shape(state[name])}, not {tuple(weight.shape)}"
        for name, weight in own.items()
        if name in state and _shape(state[name]) != tuple(weight.shape)
    ]
    found = {
        "missing": [name for name in own if name not in state],
        "unknown": [name for name in state if name not in own],
        "of another shape": wrong,
    }
    said = "; ".join(f"{len(names)} {what} ({_few(names)})" for what, names in found.items() if names)
    if said:
        raise WeightsError(
            f"{path}: does not fit {type(network).__name__} ({len(own)} weights): {said}. "
            "Is it the file of another network or size?"
        )


def _shape(value: Any) -> tuple[int, ...] | str:
    return tuple(value.shape) if isinstance(value, Tensor) else "no tensor"


def _few(names: list[str]) -> str:
    return ", ".join(names[:_MOST_SHOWN]) + (", ..." if len(names) > _MOST_SHOWN else "")


def _reason(error: Exception) -> str:
    text = (str(error).splitlines() or [""])[0][:120]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _values(path: Path, file: BinaryIO) -> Any:
    # Not closed here: it lives as long as the tensors that are views of it.
    data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    # 8 bytes of length, then JSON. A download that is still to be checked ends in .part.
    if path.suffix == ".safetensors" or data[8:9] == b"{":
        return safetensors.torch.load_file(path)
    return _archive(file, data) if data[:2] == b"PK" else _stream(data)


def _archive(file: BinaryIO, data: mmap.mmap) -> Any:
    """The layout since torch 1.6: a zip of `NAME/data.pkl` and a member `NAME/data/KEY` for each storage."""
    with zipfile.ZipFile(file) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        folder = name.removesuffix("data.pkl")
        order = f"{folder}byteorder"
        if order in archive.namelist() and _content(archive, order) != b"little":
            raise ValueError("its numbers are big-endian")
        program = io.BytesIO(_content(archive, name))
        made: dict[str, Tensor] = {}
        left = len(data)

        def find(key: str, dtype: torch.dtype, count: int) -> Tensor:
            nonlocal left
            if key not in made:
                member = _stored(archive, f"{folder}data/{key}")
                # Members of a hostile file may lie over each other, and each could be copied.
                left -= member.file_size
                if member.file_size != count * dtype.itemsize or left < 0:
                    raise ValueError("a storage is of another size than it says")
                made[key] = _numbers(data, _start(data, member), dtype, count)
            return _same(made[key], dtype, count)

        _check_steps([program])
        program.seek(0)
        return _Unpickler(program, find).load()


def _stored(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError("a member is compressed, which torch's are not")
    return member


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    member = _stored(archive, name)
    if member.file_size > _LARGEST_PICKLE:
        raise ValueError("its pickle is larger than a checkpoint's")
    return archive.read(member)


def _start(data: mmap.mmap, member: zipfile.ZipInfo) -> int:
    """Where the member's bytes begin: behind its own header, whose length the directory does not tell."""
    header = data[member.header_offset : member.header_offset + 30]
    if header[:4] != b"PK\x03\x04":
        raise ValueError("a storage is not where the directory says")
    name, extra = struct.unpack("<HH", header[26:30])
    return member.header_offset + len(header) + name + extra


def _stream(data: mmap.mmap) -> Any:
    """The layout before torch 1.6: five pickles, the fourth being the values and the fifth the keys of their
    storages; then for each key the count of its numbers, in 8 bytes, and the numbers.
    """
    _check_steps([data] * 5)
    data.seek(0)
    types: dict[str, torch.dtype] = {}

    def note(key: str, dtype: torch.dtype, count: int) -> None:
        types.setdefault(key, dtype)

    magic, layout, system = (_Unpickler(data, note).load() for _ in range(3))
    if magic != _MAGIC or layout != _LAYOUT or not system["little_endian"]:
        raise ValueError("not as torch saves")
    values = data.tell()
    _Unpickler(data, note).load()
    storages: dict[str, Tensor] = {}
    for key in _Unpickler(data, note).load():
        count = int.from_bytes(data.read(8), "little")
        storages[key] = _numbers(data, data.tell(), types[key], count)
        data.seek(count * types[key].itemsize, io.SEEK_CUR)

    def find(key: str, dtype: torch.dtype, count: int) -> Tensor:
        return _same(storages[key], dtype, count)

    data.seek(values)
    return _Unpickler(data, find).load()


def _same(storage: Tensor, dtype: torch.dtype, count: int) -> Tensor:
    if storage.dtype != dtype or len(storage) != count:
        raise ValueError("a storage is of another type or size than it says")
    return storage


def _numbers(data: mmap.mmap, start: int, dtype: torch.dtype, count: int) -> Tensor:
    """The numbers at this place of the file."""
    size = count * dtype.itemsize
    if count < 0 or start + size > len(data):
        raise ValueError("less data than it says")
    if not count:
        return torch.empty(0, dtype=dtype)
    if start % dtype.itemsize:
        return torch.frombuffer(bytearray(memoryview(data)[start : start + size]), dtype=dtype)
    return torch.frombuffer(data, dtype=dtype, count=count, offset=start)


class Inert:
    """Stands in a checkpoint's values for a function or class, and for any object of one: its name, and
    nothing else of it. The name is never looked up.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<inert {self.name}>"


def _is_quickly_hashed(key: Any) -> bool:
    """Not so nested tuples and vast numbers, whose hash is made anew from all of them each time."""
    parts = key if isinstance(key, tuple) else (key,)
    return len(parts) <= 8 and not any(
        isinstance(part, tuple) or (isinstance(part, int) and part.bit_length() > 64) for part in parts
    )


def _hashed(keys: list[Any]) -> list[Any]:
    """The keys, refused where one takes long to hash."""
    if not all(map(_is_quickly_hashed, keys)):
        raise ValueError("a key that no checkpoint has")
    return keys


def _entries(items: list[Any]) -> dict[Any, Any]:
    """Of keys and values in turn."""
    return dict(zip(_hashed(items[::2]), items[1::2], strict=True))


class _Unpickler(pickle._Unpickler):
    """Makes tensors, dictionaries and inert objects. Every step that could call or change something else is
    this class's own; Python's implementation is used since the one in C has no steps that can be.
    """

    def __init__(self, file: Any, find: _Find) -> None:
        super().__init__(file, encoding="latin1")
        self._find = find
        self._entries_left = _MOST_OPCODES

    def find_class(self, module: str, name: str) -> Inert:
        return Inert(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Tensor | None:
        match pid:
            case ("storage", Inert(name=kind), str(key), _, int(count), *views) if not any(views):
                return self._find(key, _STORED[kind], count)
        raise ValueError("a storage of an unknown kind")

    def _instantiate(self, called: Any, args: Any) -> None:
        self.append(self._made(called, args))  # type: ignore[attr-defined]

    def _load_call(self) -> None:
        args, called = self._pop(), self._pop()
        self._instantiate(called, args)

    def _load_call_by_name(self) -> None:
        self._pop()
        self._load_call()

    def _load_build(self) -> None:
        # What torch adds to a dictionary or tensor, and all that an inert object is given, is dropped.
        self._pop()
        if not isinstance(self.stack[-1], Inert | dict | Tensor):  # type: ignore[attr-defined]
            raise ValueError("gives attributes to what has none")

    # Base-class steps fill whatever has a method for it: a tensor would be added to, or written to, and that
    # could take more memory than there is. An inert object, which may be of a class of lists, keeps nothing.
    def _extend(self, items: list[Any]) -> None:
        match self.stack[-1]:  # type: ignore[attr-defined]
            case list() as filled:
                filled.extend(items)
            case Inert():
                pass
            case _:
                raise ValueError("puts items into what is no list")

    def _update(self, items: list[Any]) -> None:
        match self.stack[-1]:  # type: ignore[attr-defined]
            case dict() as filled:
                filled.update(_entries(items))
            case Inert():
                pass
            case _:
                raise ValueError("puts items into what is no dictionary")

    def _load_append(self) -> None:
        self._extend([self._pop()])

    def _load_appends(self) -> None:
        self._extend(self._pop_mark())

    def _load_setitem(self) -> None:
        value, key = self._pop(), self._pop()
        self._update([key, value])

    def _load_setitems(self) -> None:
        self._update(self._pop_mark())

    def _load_additems(self) -> None:
        items, filled = self._pop_mark(), self.stack[-1]  # type: ignore[attr-defined]
        if not isinstance(filled, set):
            raise ValueError("puts items into what is no set")
        filled.update(_hashed(items))

    def _load_dict(self) -> None:
        items = self._pop_mark()
        self.append(_entries(items))  # type: ignore[attr-defined]

    def _load_frozenset(self) -> None:
        items = self._pop_mark()
        self.append(frozenset(_hashed(items)))  # type: ignore[attr-defined]

    def _load_bytearray(self) -> None:
        # The base class's makes it as long as is claimed, and then reads.
        (size,) = struct.unpack("<Q", self.read(8))  # type: ignore[attr-defined]
        self.append(self.read(size))  # type: ignore[attr-defined]

    def _made(self, called: Any, args: Any) -> Any:
        """What a call of a name makes."""
        if not isinstance(called, Inert) or not isinstance(args, list | tuple):
            raise ValueError("calls what is no name, or with no arguments")
        match called.name:
            case "collections.OrderedDict":
                return self._ordered(*args)
            case "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2":
                return _tensor(*args[:4])
            case "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state":
                return args[0]
        return called

    def _ordered(self, pairs: Any = ()) -> dict[Any, Any]:
        """A list may be made a dictionary of many times, so the entries are counted."""
        if not isinstance(pairs, list | tuple) or len(pairs) > self._entries_left:
            raise ValueError("a dictionary that no checkpoint has")
        self._entries_left -= len(pairs)
        if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
            raise ValueError("a dictionary of no pairs")
        _hashed([key for key, _ in pairs])
        return dict(pairs)

    def _pop(self) -> Any:
        return self.stack.pop()  # type: ignore[attr-defined]

    def _pop_mark(self) -> list[Any]:
        items: list[Any] = self.pop_mark()  # type: ignore[attr-defined]
        return items

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        **pickle._Unpickler.dispatch,
        pickle.APPEND[0]: _load_append,
        pickle.APPENDS[0]: _load_appends,
        pickle.SETITEM[0]: _load_setitem,
        pickle.SETITEMS[0]: _load_setitems,
        pickle.ADDITEMS[0]: _load_additems,
        pickle.DICT[0]: _load_dict,
        pickle.FROZENSET[0]: _load_frozenset,
        pickle.REDUCE[0]: _load_call,
        pickle.NEWOBJ[0]: _load_call,
        pickle.NEWOBJ_EX[0]: _load_call_by_name,
        pickle.BUILD[0]: _load_build,
        pickle.BYTEARRAY8[0]: _load_bytearray,
    }


def _tensor(storage: Any, offset: Any, size: Any, stride: Any) -> Tensor | None:
    if storage is None:
        return None
    if not all(isinstance(sides, list | tuple) and len(sides) <= _MOST_SIDES for sides in (size, stride)):
        raise ValueError("a tensor of no shape")
    if not all(isinstance(number, int) and number >= 0 for number in (offset, *size, *stride)):
        raise ValueError("a tensor of no size")
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    # Steps of zero would make a tensor of any size of one number, and a copy of it take all memory.
    if 0 not in size and (last >= len(storage) or math.prod(size) > len(storage)):
        raise ValueError("a tensor is larger than its data")
    return storage.as_strided(size, stride, 0 if 0 in size else offset)


def _check_steps(files: Iterable[Any]) -> None:
    """Go through the pickles, one after the other, without doing what they say."""
    count = 0
    for file in files:
        for opcode, _, _ in pickletools.genops(file):
            count += 1
            if count > _MOST_OPCODES:
                raise ValueError("more steps than a checkpoint has")
            # These may yield objects that other code of this process unpickled before.
            if opcode.name.startswith("EXT"):
                raise ValueError("an extension code")
