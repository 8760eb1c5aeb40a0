"""The registry of weights, the folder that they are kept in, and the commands that look at them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import pickle
import subprocess
import sys
import tarfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from extractors.smpler_x.weights import random_smpler_x
from extractors.weights import registry, store
from extractors.weights.archive import extract_member
from extractors.weights.check import check_content, sha256_of
from extractors.weights.command import app
from extractors.weights.errors import WeightsError
from extractors.weights.page import page
from extractors.weights.registry import WEIGHTS, Weight, commercial_objections, weight_named
from extractors.weights.store import (
    hash_of,
    import_file,
    is_there,
    missing,
    require,
    verdict,
    weight_path,
    weights_folder,
)
from extractors.wholebody.networks import simcc_network
from pipelines.presets import PRESETS
from pipelines.settings import BODY_NETWORKS
from renderers.body_models.errors import ModelFileError
from renderers.body_models.load import load_body_model
from renderers.body_models.stand_ins import ENTRY

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weights."""
    monkeypatch.setenv(store.FOLDER, str(tmp_path / "weights"))
    return tmp_path / "weights"


def checkpoint(**tensors: torch.Tensor) -> bytes:
    file = BytesIO()
    torch.save({"state_dict": tensors or {"a": torch.ones(3)}}, file)
    return file.getvalue()


def publish(monkeypatch: pytest.MonkeyPatch, name: str, data: bytes) -> Weight:
    """Let these bytes be what is published under this name."""
    weight = replace(WEIGHTS[name], sha256=hashlib.sha256(data).hexdigest())
    known = {**WEIGHTS, name: weight}
    monkeypatch.setattr(registry, "WEIGHTS", known)
    monkeypatch.setattr(store, "WEIGHTS", known)
    return weight


def put(name: str, data: bytes) -> Path:
    path = weight_path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def run(*arguments: str) -> int | None:
    code: int | None = app(list(arguments), result_action="return_value", exit_on_error=False)
    return code


def test_what_presets_need_is_in_the_registry() -> None:
    for name, preset in PRESETS.items():
        networks = {preset.detector, preset.wholebody, preset.feet, *preset.body_models} & WEIGHTS.keys()
        assert networks <= {weight.name for weight in WEIGHTS.values() if name in weight.presets}
    assert set(BODY_NETWORKS) <= WEIGHTS.keys()
    assert {preset for weight in WEIGHTS.values() for preset in weight.presets} <= PRESETS.keys()


def test_every_entry_can_be_acted_on() -> None:
    assert len({file for weight in WEIGHTS.values() for file in weight.files}) == sum(
        len(weight.files) for weight in WEIGHTS.values()
    )
    for name, weight in WEIGHTS.items():
        assert weight.name == name and weight.address.startswith("https://")
        assert weight.licence and weight.code
        assert weight.sha256 is None or (len(weight.sha256) in (8, 64) and int(weight.sha256, 16))
        assert (
            weight.by_hand
            or weight.address_file == weight.file
            or weight.member.endswith(weight.file)
            or (weight.address_file == "model.safetensors" and weight.sha256)
        )
        if weight.commercial == "unknown":
            assert weight.note


def test_the_files_of_openmmlab_are_those_that_its_packages_name() -> None:
    text = ""
    for package in ("mmpose", "mmdet"):
        spec = importlib.util.find_spec(package)
        assert spec is not None and spec.origin is not None
        home = Path(spec.origin).parent
        paths = [*home.glob(".mim/configs/**/*.yml"), *home.glob(".mim/configs/**/dwpose/**/*.py")]
        for path in [*paths, *home.glob("apis/inferencers/utils/*.py")]:
            text += path.read_text("utf-8")
    for weight in WEIGHTS.values():
        if "openmmlab" in weight.address:
            assert weight.file in text
            assert weight.sha256 is None or weight.file.endswith(f"-{weight.sha256}.pth")


@pytest.mark.parametrize("name", ["smplx", "mano"])
def test_body_models_lie_where_their_loader_looks(name: str, folder: Path) -> None:
    with pytest.raises(ModelFileError) as raised:
        load_body_model(name, folder)
    for part in (*WEIGHTS[name].files, WEIGHTS[name].address, str(folder)):
        assert part in str(raised.value)


def test_an_unknown_name_is_told_with_those_close_to_it() -> None:
    with pytest.raises(WeightsError, match=r"no weights 'rtmpose_l': did you mean rtmpose-l or "):
        weight_named("rtmpose_l")
    with pytest.raises(WeightsError, match=r"no weights 'xyz': give one of rtmdet-m, .*mano"):
        weight_path("xyz")


def test_what_may_not_be_used_commercially_is_told_with_its_licence() -> None:
    assert commercial_objections(["yolox-l", "faster-rcnn"]) == []
    lines = commercial_objections(["yolox-l", "smpler-x-h32", "rtmpose-l", "mano"])
    assert [line.partition(":")[0] for line in lines] == [
        "smpler-x-h32 (S-Lab License 1.0)",
        "rtmpose-l (Apache-2.0)",
        f"mano ({WEIGHTS['mano'].licence})",
    ]
    assert "not for commercial use" in lines[0] and "COCO-WholeBody" in lines[1]
    with pytest.raises(WeightsError, match="did you mean"):
        commercial_objections(["yolox"])


def test_the_page_is_that_of_the_registry() -> None:
    assert (ROOT / "docs" / "weights.md").read_text("utf-8") == page()
    for weight in WEIGHTS.values():
        for part in (*weight.files, weight.address, weight.licence, weight.note, weight.sha256 or ""):
            assert part in page()


def test_the_folder_is_in_the_users_cache_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.FOLDER, "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert weights_folder() == Path("/cache/dancemill/weights")


def test_any_of_the_names_of_a_file_will_do(folder: Path) -> None:
    assert weight_path("smplx") == folder / "SMPLX_NEUTRAL.npz"
    folder.mkdir()
    (folder / "SMPLX_NEUTRAL.pkl").touch()
    assert weight_path("smplx") == folder / "SMPLX_NEUTRAL.pkl" and is_there("smplx")
    assert missing(["smplx", "mano", "hamer"]) == ["mano", "hamer"]


def test_a_file_is_hashed_again_only_when_it_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Path] = []

    def counted(path: Path) -> str:
        hashed.append(path)
        return sha256_of(path)

    monkeypatch.setattr("extractors.weights.store.sha256_of", counted)
    path = put("hamer", b"first")
    first = hashlib.sha256(b"first").hexdigest()
    assert [hash_of("hamer"), hash_of("hamer")] == [first, first]
    assert len(hashed) == 1
    assert hash_of("hamer", anew=True) == first
    assert len(hashed) == 2
    path.write_bytes(b"other")
    os.utime(path, ns=(1, 1))
    assert hash_of("hamer") == hashlib.sha256(b"other").hexdigest()
    for damaged in (b"", b"abc", b"\xff\xfe 1 2", b"0" * 64 + b" 5 2"):
        (path.parent / ".hamer.ckpt.sha256").write_bytes(damaged)
        assert hash_of("hamer") == hashlib.sha256(b"other").hexdigest()


def test_a_hash_needs_no_folder_that_can_be_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    path = put("hamer", b"data")
    (path.parent / ".hamer.ckpt.sha256").mkdir()
    assert hash_of("hamer") == hashlib.sha256(b"data").hexdigest()


def test_all_that_is_missing_or_wrong_is_told_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, "dwpose-l", b"right")
    put("dwpose-l", b"wrong")
    put("smpler-x-h32", b"whatever")
    with pytest.raises(WeightsError) as raised:
        require(["rtmdet-m", "dwpose-l", "smpler-x-h32", "smplx", "rtmdet-m"])
    first, *lines = str(raised.value).splitlines()
    assert str(folder) in first and store.FOLDER in first
    assert len(lines) == 4
    assert "rtmdet-m" in lines[0] and lines[0].endswith("is missing: dancemill weights fetch rtmdet-m")
    assert lines[1].endswith("is not the published file: dancemill weights fetch dwpose-l")
    assert "cannot be used" in lines[2] and lines[2].endswith("dancemill weights fetch smpler-x-h32")
    for part in ("SMPLX_NEUTRAL.npz", "https://smpl-x.is.tue.mpg.de", "dancemill weights import FILE"):
        assert part in lines[3]
    put("dwpose-l", b"right")
    os.utime(weight_path("dwpose-l"), ns=(1, 1))
    require(["dwpose-l"])


def test_a_file_is_right_wrong_or_without_a_published_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = hashlib.sha256(b"data").hexdigest()[:8]
    known = {**WEIGHTS, "yolox-l": replace(WEIGHTS["yolox-l"], sha256=digits)}
    monkeypatch.setattr(registry, "WEIGHTS", known)
    for name in ("yolox-l", "rtmdet-m", "rtmpose-l"):
        put(name, b"data")
    assert [verdict(name) for name in ("yolox-l", "rtmdet-m", "rtmpose-l")] == ["ok", "wrong", "unknown"]
    with pytest.raises(WeightsError, match=r"mano: .* is not there: get MANO_RIGHT\.pkl yourself"):
        hash_of("mano")


def test_a_file_is_imported_by_its_name(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = checkpoint()
    publish(monkeypatch, "smpler-x-s32", data)
    (tmp_path / "smpler_x_s32.pth.tar").write_bytes(data)
    placed = import_file(tmp_path / "smpler_x_s32.pth.tar")
    assert placed == weight_path("smpler-x-s32") == folder / "smpler_x_s32.pth.tar"
    assert placed.read_bytes() == data
    assert [path.name for path in folder.iterdir()] == [placed.name]


def test_a_file_of_another_name_is_imported_as_what_it_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.pth"
    path.write_bytes(checkpoint())
    publish(monkeypatch, "rtmpose-m", path.read_bytes())
    with pytest.raises(WeightsError, match=r"under the name mine\.pth: say which these are, with --as"):
        import_file(path)
    assert import_file(path, "rtmpose-m") == weight_path("rtmpose-m")
    np.savez(tmp_path / "model.npz", v_template=np.zeros((3, 3)))
    assert import_file(tmp_path / "model.npz", "smplx").name == "SMPLX_NEUTRAL.npz"


def test_an_imported_file_is_held_to_what_is_published(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "dw-ll_ucoco_384.pth"
    path.write_bytes(checkpoint())
    with pytest.raises(WeightsError, match=r"is not the file that is published as dwpose-l.*fetch dwpose-l"):
        import_file(path)
    publish(monkeypatch, "dwpose-l", path.read_bytes())
    assert import_file(path).read_bytes() == path.read_bytes()
    for name in ("rtmpose-m", "smplx", "smpl-cs-colours"):
        bad = tmp_path / f"bad{Path(WEIGHTS[name].file).suffix}"
        bad.write_bytes(b"not that")
        with pytest.raises((WeightsError, ModelFileError), match="bad"):
            import_file(bad, name)
        assert not is_there(name)
    with pytest.raises(WeightsError, match="there is no such file"):
        import_file(tmp_path / "hamer.ckpt")
    assert [file.name for file in folder.iterdir()] == ["dw-ll_ucoco_384.pth"]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest networks are in the registry, and nobody publishes their hashes."""
    known = dict(WEIGHTS)
    for name, like in (("small", "rtmpose-m"), ("smpler-x-small", "smpler-x-s32")):
        known[name] = replace(WEIGHTS[like], name=name, files=(f"{name}.pth",))
    monkeypatch.setattr(registry, "WEIGHTS", known)
    monkeypatch.setattr(store, "WEIGHTS", known)


def saved(path: Path, network: torch.nn.Module, entry: str, without: str = "-") -> Path:
    """A file of the network's weights, without those that are named like this."""
    state = {name: weight for name, weight in network.state_dict().items() if without not in name}
    torch.save({entry: state}, path)
    return path


@pytest.mark.parametrize("name", ["small", "smpler-x-small"])
def test_without_a_published_hash_a_file_is_held_to_its_network(
    name: str, small: None, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = "state_dict" if name == "small" else "network"
    network = simcc_network("small", None) if name == "small" else random_smpler_x("small")
    part = next(iter(network.state_dict()))
    fitting = saved(tmp_path / f"{name}.pth", network, entry).read_bytes()
    wrong = saved(tmp_path / "wrong.pth", network, entry, without=part)
    with pytest.raises(WeightsError, match=rf"wrong\.pth: does not fit .*1 missing \({part}\)"):
        import_file(wrong, name)
    assert not is_there(name)
    # What was put there by hand is looked into when it is needed, and once it is known to fit, no more.
    looked: list[Path] = []

    def counted(name: str, path: Path) -> None:
        looked.append(path)
        check_content(name, path)

    monkeypatch.setattr("extractors.weights.store.check_content", counted)
    put(name, wrong.read_bytes())
    with pytest.raises(WeightsError, match=rf"{name} .* cannot be used \(.*1 missing \({part}\)"):
        require([name])
    path = put(name, fitting)
    os.utime(path, ns=(1, 1))
    require([name])
    require([name])
    assert looked == [path, path]
    put(name, wrong.read_bytes())
    with pytest.raises(WeightsError, match="cannot be used"):
        require([name])
    import_file(tmp_path / f"{name}.pth")
    looked.clear()
    require([name])
    assert looked == []


def test_only_one_file_of_a_body_model_is_kept(tmp_path: Path, folder: Path) -> None:
    np.savez(tmp_path / "SMPLX_NEUTRAL.npz", v_template=np.zeros((3, 3)))
    placed = import_file(tmp_path / "SMPLX_NEUTRAL.npz")
    (tmp_path / "SMPLX_NEUTRAL.pkl").write_bytes(pickle.dumps({"v_template": np.ones((3, 3))}, 2))
    with pytest.raises(WeightsError, match=rf"{placed}: holds smplx already.*delete that one"):
        import_file(tmp_path / "SMPLX_NEUTRAL.pkl")
    assert import_file(tmp_path / "SMPLX_NEUTRAL.npz") == placed
    placed.unlink()
    assert import_file(tmp_path / "SMPLX_NEUTRAL.pkl") == weight_path("smplx")


def test_a_stand_in_is_not_taken_for_a_body_model(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = tmp_path / "MANO_RIGHT.pkl"
    stand_in.write_bytes(pickle.dumps({"v_template": np.ones((3, 3)), ENTRY: np.array(1)}, 2))
    with pytest.raises(ModelFileError, match=r"MANO_RIGHT\.pkl: is a stand-in for dry runs"):
        import_file(stand_in)
    put("mano", stand_in.read_bytes())
    with pytest.raises(WeightsError, match=r"mano .* cannot be used \(.*is a stand-in for dry runs"):
        require(["mano"])
    monkeypatch.setenv(store.FOLDER, str(tmp_path))
    with pytest.raises(WeightsError, match="is a stand-in for dry runs"):
        require(["mano"])


def tar(path: Path, members: list[tuple[str, bytes]], mode: Any = "w:gz") -> Path:
    with tarfile.open(path, mode) as out:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, BytesIO(data))
    return path


def test_an_archive_is_imported_by_its_one_member(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = checkpoint()
    weight = publish(monkeypatch, "hamer", data)
    archive = tar(
        tmp_path / weight.address_file,
        [("../../outside", b"x"), ("_DATA/other.pth", b"y"), (f"./{weight.member}", data), ("/etc/z", b"z")],
    )
    assert import_file(archive).read_bytes() == data
    assert [path.name for path in folder.iterdir()] == ["hamer.ckpt"]
    assert not (tmp_path / "outside").exists() and not (tmp_path.parent / "outside").exists()


def test_hostile_and_damaged_archives_are_refused(tmp_path: Path) -> None:
    path, target = tmp_path / "a.tar.gz", tmp_path / "out"
    whole = tar(path, [("a/b", os.urandom(100_000))]).read_bytes()
    path.write_bytes(whole[:-5000])
    with pytest.raises(WeightsError, match=r"a\.tar\.gz: is damaged"):
        extract_member(path, "a/b", target)
    path.write_bytes(b"<html>")
    with pytest.raises(WeightsError, match=r"is damaged or no \.tar\.gz"):
        extract_member(path, "a/b", target)
    tar(path, [("a/c", b"x")])
    with pytest.raises(WeightsError, match="has no a/b"):
        extract_member(path, "a/b", target)
    with tarfile.open(path, "w:gz") as out:
        link = tarfile.TarInfo("a/b")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        out.addfile(link)
        header = tarfile.TarInfo("PaxHeaders")
        header.type, header.size = tarfile.XHDTYPE, 2**22
        out.addfile(header, BytesIO(bytes(2**22)))
    with pytest.raises(WeightsError, match="longer than any name"):
        extract_member(path, "a/b", target)
    with tarfile.open(path, "w:gz") as out:
        vast = tarfile.TarInfo("a/b")
        vast.size = 2**40
        out.fileobj.write(vast.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(WeightsError, match="larger than any weights"):
        extract_member(path, "a/b", target)


def test_list_tells_what_there_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put("hamer", b"data")
    run("list")
    out = capsys.readouterr().out
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert rows.keys() >= WEIGHTS.keys()
    assert " yes " in rows["hamer"] and "6.0 GB" in rows["hamer"]
    assert "by hand" in rows["smplx"] and "not published" in rows["rtmpose-l"]
    assert str(folder) in out
    run("list", "--json")
    (hamer,) = (row for row in json.loads(capsys.readouterr().out) if row["name"] == "hamer")
    assert hamer["is_there"] and hamer["path"] == str(folder / "hamer.ckpt")
    assert hamer["sha256"] == WEIGHTS["hamer"].sha256


def test_verify_hashes_what_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("verify") == 0
    assert "no weights" in capsys.readouterr().out
    publish(monkeypatch, "dwpose-l", b"right")
    path = put("dwpose-l", b"right")
    model = pickle.dumps({"v_template": np.ones((3, 3))}, 2)
    put("mano", model)
    assert run("verify") == 0
    assert capsys.readouterr().out.splitlines() == [
        "dwpose-l: ok",
        "mano: ok: no hash is published, but what is in it fits",
    ]
    # A byte that has changed on the disk, which neither size nor time tell.
    times = path.stat()
    path.write_bytes(b"wrong")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert run("verify") == 1
    assert "dwpose-l: wrong" in capsys.readouterr().out
    put("dwpose-l", b"right")
    put("mano", model[:-1])
    assert run("verify") == 1
    assert "mano: wrong: cannot be used (" in capsys.readouterr().out


def test_import_says_where_the_file_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.pth").write_bytes(checkpoint())
    publish(monkeypatch, "rtmpose-x", (tmp_path / "mine.pth").read_bytes())
    run("import", str(tmp_path / "mine.pth"), "--as", "rtmpose-x")
    assert capsys.readouterr().out.strip() == str(weight_path("rtmpose-x"))


def test_the_commands_are_in_the_program_and_load_no_torch() -> None:
    code = (
        "import sys, dancemill; sys.argv = ['dancemill', 'weights', 'list']\n"
        "try: dancemill.main()\n"
        "except SystemExit as done: print('torch' in sys.modules, 'httpx' in sys.modules, done.code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert "rtmdet-m" in done.stdout
    assert done.stdout.splitlines()[-1] == "False False 0"


def test_a_mistake_is_one_message(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dancemill", "weights", "fetch", "smplx"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: smplx cannot be fetched: get SMPLX_NEUTRAL.npz")
    assert done.stderr.count("\n") == 1
    assert not folder.exists()
