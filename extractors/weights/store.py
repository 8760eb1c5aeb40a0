"""Where weights are kept, which of them are there, and whether they are the right ones.

All are in one folder: DANCEMILL_WEIGHTS, or else `dancemill/weights` in the user's cache. Files of body
models lie there too, so it is the folder that `renderers.body_models` is to look in.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from platformdirs import user_cache_path

from extractors.weights.archive import extract_member
from extractors.weights.errors import WeightsError
from extractors.weights.registry import WEIGHTS, Weight, weight_named

FOLDER = "DANCEMILL_WEIGHTS"
"""The environment variable that names another folder."""

Verdict = Literal["ok", "wrong", "unknown"]
"""unknown: there is no published hash to hold the file to."""

_SMPLX_VERTICES = 10475
_DWPOSE_INPUT = (288, 384)


def weights_folder() -> Path:
    """The folder of weights. It need not exist yet."""
    named = os.environ.get(FOLDER)
    return Path(named) if named else user_cache_path("dancemill") / "weights"


def weight_path(name: str) -> Path:
    """Where the file of these weights is, or would be. Raises WeightsError for a name that there is not."""
    places = [weights_folder() / file for file in weight_named(name).files]
    return next((place for place in places if place.is_file()), places[0])


def is_there(name: str) -> bool:
    """Whether there is a file of these weights, right or wrong."""
    return weight_path(name).is_file()


def missing(names: Iterable[str]) -> list[str]:
    """Those of the names whose file is not there."""
    return [name for name in names if not is_there(name)]


def hash_of(name: str, anew: bool = False) -> str:
    """The SHA-256, in hexadecimal, of the file of these weights.

    It is kept beside the file, and made again when size or time of change of the file are others, or `anew`.
    Raises WeightsError if the file is not there or cannot be read.
    """
    path = weight_path(name)
    if not path.is_file():
        raise WeightsError(f"{name}: {path} is not there: {how_to_get(weight_named(name))}.")
    kept = path.with_name(f".{path.name}.sha256")
    try:
        facts = path.stat()
        of = [str(facts.st_size), str(facts.st_mtime_ns)]
        if not anew and kept.is_file():
            digest, *kept_of = kept.read_text("utf-8", "replace").split() or [""]
            if kept_of == of and len(digest) == 64:
                return digest
        digest = sha256_of(path)
    except OSError as error:
        raise WeightsError(f"{name}: {path} cannot be read ({error.strerror}).") from error
    # A folder that others look after cannot be written to: then it is hashed again next time.
    with contextlib.suppress(OSError):
        kept.write_text(" ".join([digest, *of]), "utf-8")
    return digest


def verdict(name: str, anew: bool = False) -> Verdict:
    """Whether the file that is there is the published one. Raises what `hash_of` does."""
    published = weight_named(name).sha256
    if published is None:
        return "unknown"
    return "ok" if hash_of(name, anew).startswith(published) else "wrong"


def require(names: Iterable[str]) -> None:
    """Raises one WeightsError that names all weights that are not there or wrong, each with how to get it."""
    wanted = [weight_named(name) for name in dict.fromkeys(names)]
    lines = [
        f"{weight.name} ({weight.purpose}) {problem}: {how_to_get(weight)}"
        for weight in wanted
        if (problem := _problem(weight)) is not None
    ]
    if lines:
        raise WeightsError(
            f"weights are needed that are not in {weights_folder()} ({FOLDER} names another folder):\n  "
            + "\n  ".join(lines)
        )


def _problem(weight: Weight) -> str | None:
    if not is_there(weight.name):
        return "is missing"
    return "is not the published file" if verdict(weight.name) == "wrong" else None


def how_to_get(weight: Weight) -> str:
    """What the user is to do to have these weights."""
    if not weight.by_hand:
        return f"dancemill weights fetch {weight.name}"
    return (
        f"get {' or '.join(weight.files)} yourself at {weight.address}, under its licence "
        f"({weight.licence}), and give it to: dancemill weights import FILE"
    )


def check_fetchable(weight: Weight) -> None:
    """Raises WeightsError, which says what to do instead, if the weights are to be got by hand."""
    if weight.by_hand:
        raise WeightsError(f"{weight.name} cannot be fetched: {how_to_get(weight)}.")


def import_file(path: Path, name: str | None = None) -> Path:
    """Copy the user's own file of weights to its place, which is given back, once it has been checked.

    Without a name the file's own tells which weights it holds. It may be the archive that they are published
    in. Raises WeightsError if it does not, or if the file is not of these weights or cannot be read.
    """
    weight = weight_named(name) if name else _recognised(path)
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such file.")
    is_archive = bool(weight.member) and path.name == weight.address_file
    if not is_archive:
        check_file(weight, path)
    folder = weights_folder()
    kept_as = next((file for file in weight.files if Path(file).suffix == path.suffix), weight.file)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".import-", dir=folder) as partials:
            partial = Path(partials) / kept_as
            if is_archive:
                extract_member(path, weight.member, partial)
                check_file(weight, partial)
            else:
                shutil.copyfile(path, partial)
            return partial.replace(folder / kept_as)
    except OSError as error:
        raise WeightsError(f"{path} cannot be copied to {folder}: {error.strerror or error}.") from error


def _recognised(path: Path) -> Weight:
    for weight in WEIGHTS.values():
        if path.name in weight.files or (weight.member and path.name == weight.address_file):
            return weight
    raise WeightsError(
        f"{path}: no weights are published under the name {path.name}: say which these are, with --as and "
        f"one of {', '.join(WEIGHTS)}."
    )


def check_file(weight: Weight, path: Path) -> None:
    """Raises WeightsError if the file is not the published one, or cannot be opened as what it is to be; and
    the errors of `renderers.body_models` if it is of a body model.
    """
    if weight.sha256 is not None and not (digest := sha256_of(path)).startswith(weight.sha256):
        raise WeightsError(
            f"{path}: is not the file that is published as {weight.name}: its SHA-256 begins with "
            f"{digest[:16]}, not with {weight.sha256[:16]}. To get it: {how_to_get(weight)}."
        )
    if weight.file.endswith(".onnx"):
        from extractors.wholebody.onnx_network import OnnxSimcc

        OnnxSimcc(path, _DWPOSE_INPUT)
    elif weight.name in ("smplx", "mano"):
        from renderers.body_models.model_file import read_model_file

        read_model_file(path)
    elif weight.name == "smpl-cs-colours":
        from renderers.body_models.colours import read_colours

        read_colours(path, _SMPLX_VERTICES)
    else:
        from extractors.weights.checkpoint import read_checkpoint

        read_checkpoint(path)


def sha256_of(path: Path) -> str:
    """Of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
