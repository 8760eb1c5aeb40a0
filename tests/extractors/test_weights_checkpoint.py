"""Checkpoints are read as tensors by name, in every layout that torch has written; nothing of them is run."""

from __future__ import annotations

import argparse
import collections
import copyreg
import functools
import io
import os
import pathlib
import pickle
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from torch import nn

from extractors.weights.checkpoint import Inert, check_state, load_state, read_checkpoint
from extractors.weights.errors import UnreadableError, WeightsError
from tests.factories.damaged_bytes import damaged_bytes

ARCHIVE, STREAM = True, False
LAYOUTS = pytest.mark.parametrize("layout", [ARCHIVE, STREAM], ids=["archive", "stream"])


class Settings(dict[str, Any]):
    """A dictionary with attributes besides, as yacs and mmengine have them."""


class Names(list[str]):
    """A list of a class of its own."""


def saved(values: Any, layout: bool = ARCHIVE, protocol: int = 2) -> bytes:
    """What torch.save writes."""
    file = io.BytesIO()
    torch.save(values, file, pickle_protocol=protocol, _use_new_zipfile_serialization=layout)
    return file.getvalue()


def read(folder: Path, data: bytes) -> Any:
    path = folder / "weights.pth"
    path.write_bytes(data)
    return read_checkpoint(path)


def tensors() -> dict[str, torch.Tensor]:
    """Tensors of each type, and views that share their storage."""
    base = torch.arange(24.0).reshape(4, 6)
    return {
        "base": base,
        "turned": base.t(),
        "part": base[1:3, 2:],
        "spread": torch.ones(4).expand(1, 4),
        "none": torch.empty(0, 5),
        "one": torch.tensor(3),
        "flags": torch.tensor([True, False, True]),
        "odd": torch.arange(3, dtype=torch.uint8),
        "half": torch.ones(3, dtype=torch.float16) / 3,
        "brain": torch.ones(3, dtype=torch.bfloat16) / 3,
        "double": torch.ones(3, dtype=torch.float64) / 3,
        "parameter": nn.Parameter(torch.ones(2)),
    }


@LAYOUTS
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_tensors_are_those_that_were_saved(tmp_path: Path, layout: bool, protocol: int) -> None:
    written = tensors()
    data = saved({"state": collections.OrderedDict(written), "n": [1, (2, "a")]}, layout, protocol)
    values = read(tmp_path, data)
    assert values["n"] == [1, (2, "a")]
    assert values["state"].keys() == written.keys()
    for name, tensor in written.items():
        assert values["state"][name].dtype == tensor.dtype
        assert torch.equal(values["state"][name], tensor), name


@LAYOUTS
def test_what_torch_itself_reads_is_read_alike(tmp_path: Path, layout: bool) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    data = saved({"state_dict": network.state_dict(), "epoch": 3}, layout)
    official = torch.load(io.BytesIO(data), weights_only=True)
    own = read(tmp_path, data)
    assert own["epoch"] == official["epoch"]
    for name, weight in official["state_dict"].items():
        assert torch.equal(own["state_dict"][name], weight)


@LAYOUTS
@pytest.mark.parametrize("protocol", [2, 5])
def test_objects_of_other_classes_are_inert(tmp_path: Path, layout: bool, protocol: int) -> None:
    """As Lightning keeps its settings, mmengine its logs, and trainers their paths."""
    with_state = Settings(a=1)
    with_state.__dict__["frozen"] = True
    others = {
        "settings": with_state,
        "namespace": argparse.Namespace(lr=1),
        "path": pathlib.PurePosixPath("a"),
        "array": np.arange(3),
        "scalar": np.float64(3),
        "lists": collections.defaultdict(list, {"a": [1]}),
        "one name": Names(["a"]),
        "names": Names(["a", "b"]),
        "class": functools.partial,
        "device": torch.device("cpu"),
    }
    values = read(tmp_path, saved({"weight": torch.ones(2), **others}, layout, protocol))
    assert torch.equal(values["weight"], torch.ones(2))
    assert all(isinstance(values[name], Inert) for name in others), values
    assert "Settings" in repr(values["settings"])


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.safetensors.part"])
def test_safetensors_are_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    safetensors.torch.save_file({"a": torch.arange(3)}, path)
    assert torch.equal(read_checkpoint(path)["a"], torch.arange(3))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="is damaged"):
        read_checkpoint(path)


@LAYOUTS
def test_a_file_stays_as_it_is_when_its_tensors_are_written_to(tmp_path: Path, layout: bool) -> None:
    data = saved({"a": torch.ones(1000)}, layout)
    read(tmp_path, data)["a"].zero_()
    assert (tmp_path / "weights.pth").read_bytes() == data


class Evil:
    """Runs something when it is unpickled in the ordinary way."""

    def __init__(self, called: Callable[..., Any], *args: Any) -> None:
        self.call = called, args

    def __reduce__(self) -> Any:
        return self.call


@LAYOUTS
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_nothing_in_a_checkpoint_is_called(tmp_path: Path, layout: bool, protocol: int) -> None:
    trace = tmp_path / "trace"
    evil = Evil(os.system, f"touch {trace}")
    state = collections.OrderedDict(a=torch.ones(1))
    hidden = {
        "plain": evil,
        "listed": [1, (evil,)],
        "opened": Evil(open, str(trace), "w"),
        "evaluated": Evil(eval, f"open({str(trace)!r}, 'w')"),
        "bound": Evil(getattr, "a", "upper"),
        "state": Evil(torch._utils._rebuild_parameter, evil, False, state),
        "settings": Settings(a=evil),
        "array": np.array([evil], object),
        "key": {Evil(os.system, f"touch {trace}"): 1},
    }
    values = read(tmp_path, saved({"a": torch.ones(1), **hidden}, layout, protocol))
    assert torch.equal(values["a"], torch.ones(1))
    assert repr(values["plain"]).endswith(f"{os.system.__module__}.system>")
    assert not trace.exists()


def archive(pickled: bytes, **members: bytes) -> bytes:
    """An archive of this pickle and these storages."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        out.writestr("a/data.pkl", pickled)
        for name, data in members.items():
            out.writestr(f"a/data/{name.strip('_')}", data)
    return file.getvalue()


def calls(module: str, name: str, argument: str) -> list[bytes]:
    """Pickles of a dictionary of what a function gives for some text, called in the ways that there are."""
    text = pickle.dumps(argument, 2)[2:-1]
    by_stack = pickle.dumps(module, 2)[2:-1] + pickle.dumps(name, 2)[2:-1] + b"\x93"
    named = f"{module}\n{name}\n".encode()
    ways = [
        b"c" + named + text + b"\x85R",
        b"(" + text + b"i" + named,
        b"(c" + named + text + b"o",
        b"c" + named + text + b"\x85\x81",
        b"c" + named + text + b"\x85}\x92",
        by_stack + text + b"\x85R",
        b"c" + named + b"}U\x01a" + text + b"sb",
        b"c" + named + b"N}U\x07__doc__" + text + b"s\x86b",
    ]
    return [b"\x80\x04}U\x01a" + way + b"s." for way in ways]


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("builtins", "__import__"),
        ("torch", "load"),
        ("torch.hub", "load_state_dict_from_url"),
        ("torch._utils", "_rebuild_tensor_v2.__globals__"),
        ("extractors.weights.checkpoint", "_Unpickler"),
    ],
)
def test_a_name_stays_a_name_however_it_is_called(tmp_path: Path, module: str, name: str) -> None:
    trace = tmp_path / "trace"
    for argument in (f"touch {trace}", f"open({str(trace)!r}, 'w')", str(trace)):
        for pickled in calls(module, name, argument):
            (value,) = read(tmp_path, archive(pickled)).values()
            assert isinstance(value, Inert) and value.name == f"{module}.{name}"
    assert not trace.exists()


@pytest.mark.parametrize(
    "step",
    [
        b"U\x01aU\x01b\x85R",
        b"K\x01}U\x01aK\x01sb",
        b"]}U\x01aK\x01sb",
        b"Pstorage\n",
        b"K\x01Q",
        b"(U\x07storagectorch\nNoStorage\nU\x010U\x03cpuK\x01tQ",
        b"(U\x07storagecos\nFloatStorage\nU\x010U\x03cpuK\x01tQ",
    ],
    ids=repr,
)
def test_steps_that_no_checkpoint_has_are_refused(tmp_path: Path, step: bytes) -> None:
    with pytest.raises(WeightsError, match=r"is damaged or no checkpoint.*get it again"):
        read(tmp_path, archive(b"\x80\x04}U\x01a" + step + b"s.", _0=bytes(4)))


def test_what_other_code_has_unpickled_is_not_had_by_its_number(tmp_path: Path) -> None:
    copyreg.add_extension("os", "system", 127)
    try:
        assert pickle.loads(b"\x82\x7f.") is os.system
        with pytest.raises(WeightsError, match="an extension code"):
            read(tmp_path, archive(b"\x80\x02}U\x01a\x82\x7fs."))
    finally:
        copyreg.remove_extension("os", "system", 127)


def tensor_pickle(
    count: int, offset: int, size: tuple[Any, ...], stride: tuple[Any, ...], keys: Sequence[str] = ("0",)
) -> bytes:
    """A dictionary of a tensor of the floats of each of these storages."""

    class Pickler(pickle._Pickler):
        def persistent_id(self, value: Any) -> Any:
            is_storage = isinstance(value, bytes)
            return ("storage", torch.FloatStorage, value.decode(), "cpu", count) if is_storage else None

    file = io.BytesIO()
    Pickler(file, 2).dump(
        {
            f"tensor {key}": Evil(
                torch._utils._rebuild_tensor_v2, key.encode(), offset, size, stride, False, {}
            )
            for key in keys
        }
    )
    return file.getvalue()


@pytest.mark.parametrize(
    ("count", "offset", "size", "stride"),
    [
        (4, 0, (5,), (1,)),
        (4, 1, (4,), (1,)),
        (4, 0, (2, 3), (3, 1)),
        (4, -1, (2,), (1,)),
        (4, 2, (2,), (-1,)),
        (4, 0, (2,), (2**62,)),
        (4, 0, (2**62, 2**62), (1, 1)),
        (4, 0, (2, 2), (1,)),
        (4, 0, (1.5,), (1,)),
        (2**40, 0, (4,), (1,)),
        (-4, 0, (0,), (1,)),
        (5, 0, (4,), (1,)),
        (4, 0, (5,), (0,)),
        (4, 0, (2**40,), (0,)),
        (4, 0, (2, 3), (0, 1)),
        (4, 0, (1,) * 65, (1,) * 65),
    ],
)
def test_tensors_beyond_their_data_are_refused(
    tmp_path: Path, count: int, offset: int, size: tuple[Any, ...], stride: tuple[Any, ...]
) -> None:
    good = read(tmp_path, archive(tensor_pickle(4, 0, (2, 2), (2, 1)), _0=np.arange(4, dtype="f4").tobytes()))
    assert good["tensor 0"].tolist() == [[0, 1], [2, 3]]
    with pytest.raises(WeightsError, match="is damaged"):
        read(tmp_path, archive(tensor_pickle(count, offset, size, stride), _0=bytes(16)))


def with_member(data: bytes, name: str, content: bytes, **options: Any) -> bytes:
    """The archive with one member more or another."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        for member in old.infolist():
            if member.filename != name:
                new.writestr(member.filename, old.read(member))
        new.writestr(name, content, **options)
    return file.getvalue()


def test_archives_that_torch_does_not_write_are_refused(tmp_path: Path) -> None:
    good = archive(tensor_pickle(4, 0, (4,), (1,)), _0=bytes(16))
    directory = good.rindex(b"PK\x01\x02")
    (place,) = struct.unpack("<I", good[directory + 42 : directory + 46])
    bad = {
        "compressed": with_member(good, "a/data/0", bytes(16), compress_type=zipfile.ZIP_DEFLATED),
        "a compressed pickle": with_member(
            good, "a/data.pkl", tensor_pickle(4, 0, (4,), (1,)), compress_type=zipfile.ZIP_DEFLATED
        ),
        "big-endian": with_member(good, "a/byteorder", b"big"),
        "two pickles": with_member(good, "b/data.pkl", b"\x80\x02}."),
        "no storage": archive(tensor_pickle(4, 0, (4,), (1,))),
        "no pickle": with_member(archive(b""), "a/data.pkl", b""),
        "elsewhere": good[: directory + 42] + struct.pack("<I", place + 1) + good[directory + 46 :],
        "cut short": good[:-1],
    }
    assert read(tmp_path, good)["tensor 0"].tolist() == [0, 0, 0, 0]
    for what, data in bad.items():
        with pytest.raises(WeightsError, match="is damaged"):
            pytest.fail(f"{what}: {read(tmp_path, data)}")


def test_storages_that_lie_over_each_other_are_refused(tmp_path: Path) -> None:
    """They could be copied many times over: a file of kilobytes could ask for all memory."""
    keys = [str(number) for number in range(30)]
    pickled = tensor_pickle(40, 0, (40,), (1,), keys)
    data = archive(pickled, **{f"_{key}": bytes(4 * 40) for key in keys})
    assert len(read(tmp_path, data)) == len(keys)
    # Every entry of the directory is led to the first storage, and what follows that is left out.
    first = data.index(b"PK\x03\x04", 4)
    second = data.index(b"PK\x03\x04", first + 4)
    directory, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entries = data[directory:end].split(b"PK\x01\x02")[1:]
    led = [entries[0], *(entry[:38] + struct.pack("<I", first) + entry[42:] for entry in entries[1:])]
    tail = data[end : end + 16] + struct.pack("<I", second) + data[end + 20 :]
    with pytest.raises(WeightsError, match="of another size than it says"):
        read(tmp_path, data[:second] + b"".join(b"PK\x01\x02" + entry for entry in led) + tail)


def test_a_stream_that_claims_more_than_it_has_is_refused(tmp_path: Path) -> None:
    good = saved({"a": torch.ones(4)}, STREAM)
    assert good.endswith(struct.pack("<Q", 4) + torch.ones(4).numpy().tobytes())
    head = good[:-24]
    for count in (2**62, 2**63, 5, 3):
        with pytest.raises(WeightsError, match="is damaged"):
            read(tmp_path, head + struct.pack("<Q", count) + bytes(16))
    with pytest.raises(WeightsError, match="is damaged"):
        read(tmp_path, good[:-1])


@pytest.mark.parametrize(
    "pickled",
    [
        b"\x80\x05}U\x01a\x96" + struct.pack("<Q", 2**38) + b"as.",
        b"\x80\x04}U\x01a\x8e" + struct.pack("<Q", 2**62) + b"as.",
        b"\x80\x02}U\x01a\x8b" + struct.pack("<i", 2**31 - 1) + b"as.",
        b"\x80\x02}U\x01a" + b"]" * 1_000_001 + b".",
        b"\x80\x02}" + b")" + b"2\x86" * 34 + b"K\x01s.",
        b"\x80\x02}(" + b")" + b"2\x86" * 34 + b"K\x01u.",
        b"\x80\x02ccollections\nOrderedDict\n]]" + b")" + b"2\x86" * 34 + b"K\x01eaa\x85R.",
        b"\x80\x02}\x8b" + struct.pack("<i", 4000) + b"a" * 4000 + b"K\x01s.",
    ],
    ids=lambda data: f"{len(data)} bytes {data[:20]!r}",
)
def test_small_files_cannot_ask_for_all_memory_or_time(tmp_path: Path, pickled: bytes) -> None:
    with pytest.raises(WeightsError, match="is damaged"):
        read(tmp_path, archive(pickled))


TENSOR = (
    b"ctorch._utils\n_rebuild_tensor_v2\n"
    b"((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x01tQK\x00K\x01\x85K\x01\x85tR"
)


@pytest.mark.parametrize(
    "step",
    [
        TENSOR + b"(K\x01\x90",
        TENSOR + b"K\x00K\x01s",
        TENSOR + b"(K\x00K\x01u",
        TENSOR + b"K\x01a",
        TENSOR + b"(K\x01e",
        b"}(K\x01\x90",
        b"}K\x01a",
        b"](K\x00K\x01u",
        b"\x8f(K\x01e",
        b"ccollections\nOrderedDict\n(" + TENSOR + b"tR",
        b"ccollections\nOrderedDict\n" + TENSOR + b"R",
        b"ccollections\nOrderedDict\n]" + TENSOR + b"a\x85R",
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + TENSOR + b"K\x00" + TENSOR + TENSOR + b"tR",
    ],
    ids=repr,
)
def test_only_what_a_step_is_for_is_filled_or_gone_through(tmp_path: Path, step: bytes) -> None:
    assert read(tmp_path, archive(b"\x80\x04}U\x01a" + TENSOR + b"s.", _0=bytes(4)))["a"].tolist() == [0]
    with pytest.raises(WeightsError, match="is damaged or no checkpoint"):
        read(tmp_path, archive(b"\x80\x04}U\x01a" + step + b"s.", _0=bytes(4)))


def test_dictionaries_of_one_list_are_counted(tmp_path: Path) -> None:
    """Ten thousand pairs, a hundred times: each dictionary takes its own memory."""
    pairs = b"](" + b"".join(b"M" + struct.pack("<H", number) + b"N\x86" for number in range(10_000)) + b"e"

    def times(count: int) -> bytes:
        made = b"]q\x00(ccollections\nOrderedDict\nq\x01h\x02\x85R" + b"h\x01h\x02\x85R" * (count - 1) + b"e"
        return archive(b"\x80\x04" + pairs + b"q\x020}U\x01a" + made + b"s.")

    assert read(tmp_path, times(3))["a"] == [dict.fromkeys(range(10_000))] * 3
    with pytest.raises(WeightsError, match="a dictionary that no checkpoint has"):
        read(tmp_path, times(101))


def test_too_little_memory_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*given: object, **named: object) -> None:
        raise MemoryError

    monkeypatch.setattr("mmap.mmap", no_memory)
    with pytest.raises(UnreadableError, match=r"weights\.pth: cannot be read \(there is too little memory\)"):
        read(tmp_path, saved({"a": torch.ones(1)}))


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "is empty"),
        (b"\n<!DOCTYPE html><html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1", "is damaged or no checkpoint"),
        (b"PK\x03\x04", "is damaged or no checkpoint"),
        (saved([torch.ones(1)]), "holds nothing by name"),
        (saved({1: torch.ones(1)}), "holds nothing by name"),
        (saved(nn.Linear(1, 1)), "holds nothing by name"),
        (pickle.dumps({"a": 1}), "is damaged or no checkpoint"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_other_files_are_told_in_one_line(tmp_path: Path, data: bytes, named: str) -> None:
    with pytest.raises(WeightsError, match=rf"weights\.pth: {named}") as raised:
        read(tmp_path, data)
    assert "\n" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.pth", tmp_path):
        with pytest.raises(UnreadableError, match=rf"{path}: cannot be read"):
            read_checkpoint(path)


GOOD = [
    saved({"state": tensors(), "settings": Settings(a=np.arange(3))}, layout, protocol)
    for layout in (ARCHIVE, STREAM)
    for protocol in (2, 5)
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged=damaged_bytes(GOOD))
def test_damaged_bytes_raise_nothing_but_the_one_error(tmp_path: Path, damaged: bytes) -> None:
    try:
        values = read(tmp_path, damaged)
    except WeightsError as error:
        assert "weights.pth" in str(error)
    else:
        assert isinstance(values, dict)


def test_a_network_is_given_its_weights() -> None:
    torch.manual_seed(0)
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    load_state(one, other.state_dict(), Path("w.pth"))
    assert torch.equal(one.weight, other.weight) and torch.equal(one.bias, other.bias)


def test_weights_are_held_to_a_network_without_numbers() -> None:
    state = nn.Linear(3, 2).state_dict()
    check_state(nn.Linear(3, 2, device="meta"), state, Path("w.pth"))
    with pytest.raises(WeightsError, match=r"w\.pth: does not fit Linear .*weight is \(2, 3\), not \(2, 4\)"):
        check_state(nn.Linear(4, 2, device="meta"), state, Path("w.pth"))


def test_weights_that_do_not_fit_are_named_and_counted() -> None:
    network = nn.Sequential(*(nn.Linear(2, 2) for _ in range(5)))
    own = {name: weight.clone() for name, weight in network.state_dict().items()}
    state: dict[str, Any] = {name.replace("1.", "x."): weight + 1 for name, weight in own.items()}
    state["0.weight"], state["2.bias"] = torch.ones(3, 2), Inert("numpy.ndarray")
    with pytest.raises(WeightsError) as raised:
        load_state(network, state, Path("w.pth"))
    for part in (
        "w.pth: does not fit Sequential (10 weights)",
        "2 missing (1.weight, 1.bias)",
        "2 unknown (x.weight, x.bias)",
        "2 of another shape (0.weight is (3, 2), not (2, 2), 2.bias is no tensor, not (2,))",
    ):
        assert part in str(raised.value)
    assert "\n" not in str(raised.value)
    assert all(torch.equal(weight, own[name]) for name, weight in network.state_dict().items())
    many = nn.Sequential(*(nn.Linear(1, 1) for _ in range(40)))
    with pytest.raises(WeightsError, match=r"80 missing \(0.weight, 0.bias, 1.weight, \.\.\.\)"):
        load_state(many, {}, Path("w.pth"))
