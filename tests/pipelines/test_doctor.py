"""`dancemill doctor`: what is there is found, what is not is told with what to do, and nothing ends it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from extractors.weights.registry import WEIGHTS
from pipelines import doctor
from pipelines.commands.doctor import doctor as command
from pipelines.doctor import (
    Check,
    ProbeError,
    checked,
    look_at_anny,
    look_at_body_models,
    look_at_disk,
    look_at_gpus,
    look_at_memory,
    look_at_packages,
    look_at_python,
    look_at_weights,
    probed,
    works,
)
from pipelines.presets import PRESETS
from renderers.body_models.model_file import read_model_file
from renderers.body_models.stand_ins import ENTRY
from shards.errors import UserError
from tests.factories.runs import dancemill

NETWORKS = [name for name, preset in PRESETS.items() if preset.wholebody != "mediapipe"]


def fake_module(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, content: str) -> None:
    """Have probes import this in a package's place."""
    (folder / f"{name}.py").write_text(content)
    monkeypatch.setenv("PYTHONPATH", str(folder))


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weights."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("DANCEMILL_WEIGHTS", str(folder))
    return folder


def test_what_is_here_is_found() -> None:
    assert look_at_python()[::2] == ("ok", "")
    assert look_at_packages()[0] == "ok"
    status, found, _ = look_at_memory()
    assert status == "ok" and found.startswith(f"{os.cpu_count()} processors")
    assert "h264" in probed("decode")
    assert "CPU" in probed("list_providers")


def test_packages_are_held_to_what_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\ndependencies = ["numpy<1", "scipy>=1"]\n')
    status, found, fix = look_at_packages()
    assert (
        status == "broken" and found.startswith("numpy 1.") and "scipy" not in found and "make setup" in fix
    )
    project.write_text('[project]\ndependencies = ["numpy", "no-such-package-at-all==3"]\n')
    status, found, fix = look_at_packages()
    assert (status, found) == ("missing", "no no-such-package-at-all==3") and "make setup" in fix
    project.unlink()
    check = checked("packages", look_at_packages, ("embedded",))
    assert check.status == "broken" and check.found.startswith("FileNotFoundError")


@pytest.mark.parametrize("preset", NETWORKS)
def test_weights_are_named_with_how_to_get_them(preset: str, weights: Path) -> None:
    status, found, fix = look_at_weights(preset, deep=False)
    names = [name for name, weight in WEIGHTS.items() if preset in weight.presets and not weight.by_hand]
    assert status == "missing" and str(weights) in found
    assert names and fix == f"dancemill weights fetch {' '.join(names)}"
    for name in names:
        (weights / WEIGHTS[name].file).write_bytes(b"not what is published")
    assert look_at_weights(preset, deep=False)[0] == "ok"


def test_wrong_weights_are_told_when_looked_at_deeply(weights: Path) -> None:
    for weight in WEIGHTS.values():
        (weights / weight.file).write_bytes(b"not what is published")
    status, found, _ = look_at_weights("realisdance", deep=True)
    assert status == "broken"
    assert "rtmdet-m is not the published file" in found and "smpler-x-h32 cannot be used" in found


def test_body_models_are_told_where_from_and_where_to(weights: Path) -> None:
    status, found, fix = look_at_body_models(deep=False)
    assert status == "missing" and "smplx, mano" in found and str(weights) in found
    assert "https://smpl-x.is.tue.mpg.de" in fix and "https://mano.is.tue.mpg.de" in fix
    (weights / "SMPLX_NEUTRAL.npz").write_bytes(b"")
    assert look_at_body_models(deep=False)[1].startswith("mano not in")
    (weights / "MANO_RIGHT.pkl").write_bytes(b"")
    assert look_at_body_models(deep=False)[0] == "ok"


@pytest.mark.slow
def test_body_models_are_loaded_when_looked_at_deeply(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("smplx")
    from renderers.body_models.placeholder import write_placeholders

    monkeypatch.setenv("ANNY_CACHE_DIR", str(tmp_path))
    stand_ins = write_placeholders()
    monkeypatch.setenv("DANCEMILL_WEIGHTS", str(stand_ins))
    status, found, fix = look_at_body_models(deep=True)
    assert status == "broken" and found.count("is a stand-in for dry runs") == 2
    assert "https://smpl-x.is.tue.mpg.de" in fix
    monkeypatch.setenv("DANCEMILL_WEIGHTS", str(weights))
    for file in ("SMPLX_NEUTRAL.npz", "MANO_RIGHT.pkl"):
        arrays = read_model_file(stand_ins / file)
        with (weights / file).open("wb") as out:
            np.savez(out, **{name: array for name, array in arrays.items() if name != ENTRY})
    assert look_at_body_models(deep=True)[1].startswith("smplx with 55 joints, mano with 16 joints in")
    # An array is missing, which only loading the model tells.
    np.savez(weights / "SMPLX_NEUTRAL.npz", v_template=np.zeros((3, 3)))
    status, found, fix = look_at_body_models(deep=True)
    assert status == "broken" and "SMPLX_NEUTRAL.npz" in found and "https://smpl-x" in fix
    (weights / "MANO_RIGHT.pkl").write_bytes(b"\x80\x02no model.")
    status, found, _ = look_at_body_models(deep=True)
    assert status == "broken" and "MANO_RIGHT.pkl" in found


def test_the_disk_is_that_of_the_nearest_folder_there_is(tmp_path: Path) -> None:
    status, found, _ = look_at_disk(tmp_path / "not" / "there")
    assert status == "ok" and found.endswith("GB free")
    (tmp_path / "file").touch()
    status, found, fix = look_at_disk(tmp_path / "file" / "in")
    assert status == "broken" and str(tmp_path / "file") in found and fix


def test_a_body_that_is_not_built_yet_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNY_CACHE_DIR", str(tmp_path))
    status, _, fix = look_at_anny()
    assert status == "missing" and "python -m renderers.body_models.anny" in fix


def test_gpus_that_torch_cannot_use_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """nvidia-smi is found by PATH; what torch has is that of a machine whose GPUs are hidden."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'A Card, 580.1'\necho 'Another, 580.1'\n")
    program.chmod(0o755)
    status, found, fix = look_at_gpus()
    assert status == "broken" and "A Card, 580.1; Another, 580.1" in found and "CUDA_VISIBLE_DEVICES" in fix


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("raise ImportError('no lib\\nand more')", "ImportError: no lib"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "its process was ended by SIGSEGV"),
        ("import sys; sys.exit('gave up')", "gave up"),
        ("import time; time.sleep(60)", "no end after 3 s"),
    ],
)
def test_what_breaks_in_a_probe_is_one_line_of_a_check(
    content: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "PROBE_SECONDS", 3.0)
    fake_module(monkeypatch, tmp_path, "onnxruntime", content)
    with pytest.raises(ProbeError, match=f"^{told}$"):
        probed("list_providers")


@pytest.mark.parametrize("package", ["torch", "trackers"])
def test_a_package_that_does_not_load_is_told_with_what_to_do(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_module(monkeypatch, tmp_path, package, "raise ImportError('no lib')")
    if package == "torch":
        status, found, fix = look_at_gpus()
        assert (status, found) == ("broken", "ImportError: no lib") and "pytorch.org" in fix
    else:
        with pytest.raises(ProbeError, match="ImportError: no lib"):
            probed("import_networks")


def test_what_a_package_prints_does_not_hide_what_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = "print('hello'); __version__ = '7'; get_available_providers = lambda: ['XExecutionProvider']"
    fake_module(monkeypatch, tmp_path, "onnxruntime", content)
    assert probed("list_providers") == "onnxruntime 7 on X"


def test_no_opengl_is_told_as_drawing_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYOPENGL_PLATFORM", "none")
    with pytest.raises(ProbeError, match="OffscreenError: PYOPENGL_PLATFORM is 'none': set it to egl or"):
        probed("draw")


def test_a_preset_works_when_what_it_needs_is_ok() -> None:
    checks = [
        Check("all", "ok", "", presets=("embedded", "hia")),
        Check("weights", "missing", "", presets=("hia",)),
        Check("GPUs", "broken", ""),
    ]
    assert works("embedded", checks) and not works("hia", checks)


def test_another_preset_is_refused() -> None:
    with pytest.raises(UserError, match="preset is no, but must be one of: embedded, realisdance, hia"):
        command(preset="no")


def test_each_check_is_a_line_with_its_fix_and_the_exit_code_is_of_the_preset(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = [
        Check("torch", "ok", "torch 2", presets=("embedded", "hia")),
        Check("weights of hia", "missing", "[a] in /x", "dancemill weights fetch a", ("hia",)),
    ]
    monkeypatch.setattr("pipelines.commands.doctor.examine", lambda out, deep: checks)
    assert command() == 0
    assert capsys.readouterr().out.splitlines() == [
        "ok       torch           torch 2",
        "missing  weights of hia  [a] in /x -> dancemill weights fetch a",
        "",
        "The preset embedded can run.",
    ]
    assert command(preset="hia") == 1
    assert capsys.readouterr().out.endswith("\nThe preset hia cannot run: weights of hia.\n")
    assert command(preset="hia", json=True) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["preset"], report["works"], len(report["checks"])) == ("hia", False, 2)


@pytest.mark.slow
def test_the_command_looks_at_everything(tmp_path: Path) -> None:
    """Here `embedded` runs, as other tests show, and presets with weights do not."""
    lacking = {"DANCEMILL_WEIGHTS": str(tmp_path / "none")}
    run = dancemill(["doctor", "--json", "--out", str(tmp_path / "new")], tmp_path, lacking)
    assert run.code == 0, run.stdout
    checks = json.loads(run.stdout)["checks"]
    statuses = {check["name"]: check["status"] for check in checks}
    assert {name for name, status in statuses.items() if status != "ok"} <= {
        *("GPUs", "Anny", "package smplx", "body models", "weights of realisdance", "weights of hia")
    }
    assert statuses[f"disk of {tmp_path / 'new'}"] == statuses["OpenGL"] == statuses["MediaPipe"] == "ok"
    (networks,) = (check["found"] for check in checks if check["name"] == "mmpose, mmdet and trackers")
    assert re.fullmatch(r"trackers \S+, mmpose \S+, mmdet \S+", networks)
    assert not (tmp_path / "new").exists()
