"""Whether this machine has what runs need: one check for each thing, each with what to do where it is not so.

What may take long, print, or crash is tried out in processes of its own (`pipelines.probes`). Nothing is
downloaded, installed or changed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from pipelines.presets import MEDIAPIPE, PRESETS
from shards.errors import UserError

ROOT = Path(__file__).resolve().parents[1]

PROBE_SECONDS = 180.0
"""A probe that takes longer is ended. Ray starts in 10 s; where all processors are busy, in a minute."""

LEAST_MEMORY, LEAST_DISK = 4e9, 1e9
"""Bytes. A worker of `embedded` takes 0.9 GB, the driver, Ray and Prefect some more; a shard 0.3 GB."""

_AT_ONCE = 4
"""Checks; most of their time goes into reading files."""

_SETUP = "rm -f .venv/.ready; make setup"

Status = Literal["ok", "missing", "broken"]
Finding = tuple[Status, str, str]
"""Status, what was found, and what to do, which is empty where there is nothing to do."""


@dataclass(frozen=True)
class Check:
    """What was found of one thing; fix is what to do about it. `presets` cannot run while it is not ok."""

    name: str
    status: Status
    found: str
    fix: str = ""
    presets: tuple[str, ...] = ()


class ProbeError(Exception):
    """A probe failed; the message is the error's first line."""


def examine(out: Path | None = None, deep: bool = False) -> list[Check]:
    """All checks, from what all runs need to what some do.

    `out` is a folder for a dataset, whose disk is looked at. `deep` also starts Ray, hashes weights and loads
    body models, which takes minutes.
    """
    every = tuple(PRESETS)
    embedded = tuple(name for name, preset in PRESETS.items() if preset.wholebody == MEDIAPIPE)
    networks = tuple(name for name in every if name not in embedded)
    licensed = tuple(name for name in every if "smplx" in PRESETS[name].body_models)
    drawn = tuple(name for name in every if set(PRESETS[name].body_models) & {"anny", "smplx"})
    looks: list[tuple[str, Callable[[], Finding], tuple[str, ...]]] = [
        ("Python", look_at_python, every),
        ("packages", look_at_packages, every),
        ("processors and memory", look_at_memory, ()),
        ("torch", _probing("multiply", _SETUP), every),
        ("GPUs", look_at_gpus, ()),
        ("videos", _probing("decode", _SETUP), every),
        ("OpenGL", _probing("draw", "sh setup/system.sh .venv/bin/python"), drawn),
        ("Ray", _probing("start_ray" if deep else "import_ray", _SETUP), every),
        ("Prefect", _probing("import_prefect", _SETUP), every),
        ("MediaPipe", _probing("look_for_a_person", _SETUP), embedded),
        ("Anny", look_at_anny, ()),
        ("mmpose, mmdet and trackers", _probing("import_networks", _SETUP), networks),
        ("ONNX Runtime", _probing("list_providers", _SETUP), ()),
        *((f"weights of {name}", partial(look_at_weights, name, deep), (name,)) for name in networks),
        ("package smplx", look_at_smplx, licensed),
        ("body models", partial(look_at_body_models, deep), licensed),
    ]
    if out is not None:
        looks.append((f"disk of {out}", partial(look_at_disk, out), every))
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(lambda look: checked(*look), looks))


def works(preset: str, checks: Iterable[Check]) -> bool:
    """Whether all that the preset needs is ok."""
    return all(check.status == "ok" for check in checks if preset in check.presets)


def check_preset(preset: str) -> None:
    """Raises UserError for a name that there is not."""
    if preset not in PRESETS:
        raise UserError(f"preset is {preset}, but must be one of: {', '.join(PRESETS)}")


def look_at_python() -> Finding:
    """The one minor version that all packages have wheels for."""
    found = f"Python {sys.version.split()[0]}"
    if sys.version_info[:2] == (3, 11):
        return "ok", found, ""
    return "broken", f"{found}, not 3.11", "rm -r .venv; make setup PYTHON=/path/to/python3.11"


def look_at_packages() -> Finding:
    """Whether the versions that are installed are those that pyproject.toml asks for."""
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [Requirement(line) for line in project["dependencies"]]
    absent, other = [], []
    for requirement in wanted:
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            absent.append(str(requirement))
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            other.append(f"{requirement.name} {installed}, not {requirement.specifier}")
    if absent:
        return "missing", f"no {', '.join(absent)}", _SETUP
    if other:
        return "broken", "; ".join(other), _SETUP
    return "ok", f"torch {version('torch')} and {len(wanted) - 1} others as pyproject.toml asks", ""


def look_at_memory() -> Finding:
    """Those of the machine, or of the container where that has less memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text().strip()).isdecimal():
        memory = min(memory, int(text))
    found = f"{os.cpu_count()} processors, {memory / 1e9:.1f} GB"
    if memory < LEAST_MEMORY:
        return "missing", found, f"have {LEAST_MEMORY / 1e9:.0f} GB, or try --workers 1"
    return "ok", found, ""


def look_at_gpus() -> Finding:
    """What the driver has, and what of it torch can count on. None is needed."""
    fix = (
        "see that CUDA_VISIBLE_DEVICES does not hide them, and install the same torch as it is built for "
        "the driver's CUDA (https://pytorch.org/get-started)"
    )
    try:
        by_torch = probed("count_on_gpus")
    except ProbeError as error:
        return "broken", str(error), fix
    if by_torch:
        return "ok", by_torch, ""
    by_driver = _nvidia_smi()
    if by_driver:
        return "broken", f"the driver has {by_driver}, which torch cannot use", fix
    return "missing", "no NVIDIA driver: networks run on processors", "with an NVIDIA GPU, install its driver"


def _nvidia_smi() -> str:
    """The GPUs and their driver's version, as the driver's own program lists them; empty without it."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    query = [program, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    run = subprocess.run(query, capture_output=True, text=True, errors="replace", timeout=30, check=False)
    return "; ".join(run.stdout.split("\n")).strip("; ") if run.returncode == 0 else ""


def look_at_anny() -> Finding:
    """The body that `embedded` fits, which is built once."""
    from renderers.cache_folder import cache_folder

    built = sorted(cache_folder().glob(f"mannequin-anny-{version('anny')}-*.safetensors"))
    if built:
        return "ok", f"anny {version('anny')}, built in {cache_folder()}", ""
    return (
        "missing",
        "not built yet",
        "the first run builds it (a minute), or: python -m renderers.body_models.anny",
    )


def look_at_weights(preset: str, deep: bool) -> Finding:
    """The files of networks that the preset reads, as it is by default."""
    from extractors.weights.registry import WEIGHTS, how_to_get
    from extractors.weights.store import missing, weights_folder

    names = [
        name for name, weight in WEIGHTS.items() if preset in weight.presets and name not in _BODY_MODELS
    ]
    absent = missing(names)
    if absent:
        fetched = [name for name in absent if not WEIGHTS[name].by_hand]
        fixes = [how_to_get(WEIGHTS[name]) for name in absent if WEIGHTS[name].by_hand]
        if fetched:
            fixes.insert(0, f"dancemill weights fetch {' '.join(fetched)}")
        return "missing", f"{', '.join(absent)} not in {weights_folder()}", "; ".join(fixes)
    if deep and (wrong := _wrong_weights(names)):
        return "broken", wrong, f"delete and fetch them: {weights_folder()}"
    return "ok", f"{', '.join(names)} in {weights_folder()}", ""


_BODY_MODELS = ("smplx", "mano")


def _wrong_weights(names: Iterable[str]) -> str:
    """What is wrong with the files of these weights, which are there; empty if nothing is."""
    from extractors.weights.errors import WeightsError
    from extractors.weights.store import hash_of

    try:
        for name in names:
            hash_of(name, anew=True)
        return probed("look_into_weights", *names)
    except (ProbeError, WeightsError) as error:
        return str(error)


def look_at_smplx() -> Finding:
    """The package that SMPL-X and MANO are loaded with."""
    try:
        return "ok", f"smplx {version('smplx')}", ""
    except PackageNotFoundError:
        fix = "pip install --no-deps smplx==0.1.28, under its licence (non-commercial scientific research)"
        return "missing", "it is not installed", fix


def look_at_body_models(deep: bool) -> Finding:
    """The user's own files of SMPL-X and MANO."""
    from extractors.weights.registry import WEIGHTS, how_to_get
    from extractors.weights.store import missing, weights_folder

    absent = missing(_BODY_MODELS)
    if absent:
        fixes = "; ".join(how_to_get(WEIGHTS[name]) for name in absent)
        return "missing", f"{', '.join(absent)} not in {weights_folder()}", fixes
    if not deep:
        return "ok", f"{', '.join(_BODY_MODELS)} in {weights_folder()}", ""
    fix = "; ".join(how_to_get(WEIGHTS[name]) for name in _BODY_MODELS)
    if wrong := _wrong_weights(_BODY_MODELS):
        return "broken", wrong, fix
    try:
        return "ok", f"{probed('load_body_models', str(weights_folder()))} in {weights_folder()}", ""
    except ProbeError as error:
        return "broken", str(error), fix


def look_at_disk(out: Path) -> Finding:
    """The room where a dataset would be written, and whether it may be."""
    place = out.resolve()
    while not place.exists():
        place = place.parent
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        return "broken", f"{place} cannot be written to", "name another folder, or change its permissions"
    free = shutil.disk_usage(place).free
    found = f"{free / 1e9:.1f} GB free"
    return ("ok", found, "") if free >= LEAST_DISK else ("missing", found, "make room, or name another disk")


def checked(name: str, look: Callable[[], Finding], presets: tuple[str, ...]) -> Check:
    """The check of what is looked at; a look that fails is a check too."""
    try:
        return Check(name, *look(), presets)
    except Exception as error:
        return Check(name, "broken", _first_line(f"{type(error).__name__}: {error}"), presets=presets)


def _probing(probe: str, fix: str) -> Callable[[], Finding]:
    def look() -> Finding:
        try:
            return "ok", probed(probe), ""
        except ProbeError as error:
            return "broken", str(error), fix

    return look


def probed(name: str, *arguments: str) -> str:
    """What the probe found. Raises ProbeError."""
    command = [sys.executable, "-m", "pipelines.probes", name, *arguments]
    try:
        run = subprocess.run(
            command,
            cwd=ROOT,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ProbeError(f"no end after {PROBE_SECONDS:.0f} s") from None
    if run.returncode < 0:
        raise ProbeError(f"its process was ended by {signal.Signals(-run.returncode).name}")
    if run.returncode > 0:
        raise ProbeError(run.stderr.strip().split("\n")[-1])
    outcome: dict[str, str] = json.loads(run.stdout.strip().split("\n")[-1])
    if "error" in outcome:
        raise ProbeError(_first_line(outcome["error"]))
    return outcome["found"]


def _first_line(text: str) -> str:
    return text.strip().split("\n")[0]
