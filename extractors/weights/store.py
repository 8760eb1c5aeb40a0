"""Where weights are kept, which of them are there, and whether they are the right ones.

All are in one folder: DANCEMILL_WEIGHTS, or else `dancemill/weights` in the user's cache. Files of body
models lie there too, so it is the folder that `renderers.body_models` is to look in.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from platformdirs import user_cache_path

from extractors.weights.archive import extract_member
from extractors.weights.check import check_content, check_file, sha256_of
from extractors.weights.errors import WeightsError
from extractors.weights.registry import WEIGHTS, Weight, how_to_get, weight_named
from renderers.body_models.errors import ModelFileError

FOLDER = "DANCEMILL_WEIGHTS"
"""The environment variable that names another folder."""

Verdict = Literal["ok", "wrong", "unknown"]
"""unknown: there is no published hash to hold the file to."""


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
    return _hash(path, anew)


def _hash(path: Path, anew: bool = False) -> str:
    kept = _note(path, "sha256")
    try:
        facts = path.stat()
        of = [str(facts.st_size), str(facts.st_mtime_ns)]
        if not anew and kept.is_file():
            digest, *kept_of = kept.read_text("utf-8", "replace").split() or [""]
            if kept_of == of and len(digest) == 64:
                return digest
        digest = sha256_of(path)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}).") from error
    _write_note(kept, " ".join([digest, *of]))
    return digest


def _note(path: Path, kind: str) -> Path:
    """What is known of a file, beside it."""
    return path.with_name(f".{path.name}.{kind}")


def _write_note(note: Path, text: str) -> None:
    # A folder that others look after cannot be written to: then it is found out again next time.
    with contextlib.suppress(OSError):
        note.write_text(text, "utf-8")


def note_checked(path: Path) -> None:
    """Keep beside the file that `check_content` found nothing wrong with it as it is now."""
    _write_note(_note(path, "checked"), _hash(path))


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
        if (problem := problem_of(weight.name)) is not None
    ]
    if lines:
        raise WeightsError(
            f"weights are needed that are not in {weights_folder()} ({FOLDER} names another folder):\n  "
            + "\n  ".join(lines)
        )


def problem_of(name: str, anew: bool = False) -> str | None:
    """What is wrong with the file of these weights, or None. Where no hash is published its content is
    checked, once for each content. `anew` and what is raised are those of `hash_of`.
    """
    if not is_there(name):
        return "is missing"
    found = verdict(name, anew)
    if found != "unknown":
        return "is not the published file" if found == "wrong" else None
    path = weight_path(name)
    checked = _note(path, "checked")
    if checked.is_file() and checked.read_text("utf-8", "replace") == hash_of(name, anew):
        return None
    try:
        check_content(name, path)
    except (WeightsError, ModelFileError) as error:
        return f"cannot be used ({error})"
    note_checked(path)
    return None


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
    folder = weights_folder()
    kept_as = next((file for file in weight.files if Path(file).suffix == path.suffix), weight.file)
    for file in weight.files:
        if file != kept_as and (folder / file).exists():
            raise WeightsError(
                f"{folder / file}: holds {weight.name} already, and two files of it may not be there: delete "
                "that one, and give the same command again."
            )
    try:
        if not is_archive:
            check_file(weight, path)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".import-", dir=folder) as partials:
            partial = Path(partials) / kept_as
            if is_archive:
                extract_member(path, weight.member, partial)
                check_file(weight, partial)
            else:
                shutil.copyfile(path, partial)
            placed = partial.replace(folder / kept_as)
    except OSError as error:
        raise WeightsError(f"{path} cannot be copied to {folder}: {error.strerror or error}.") from error
    if weight.sha256 is None:
        note_checked(placed)
    return placed


def _recognised(path: Path) -> Weight:
    for weight in WEIGHTS.values():
        if path.name in weight.files or (weight.member and path.name == weight.address_file):
            return weight
    raise WeightsError(
        f"{path}: no weights are published under the name {path.name}: say which these are, with --as and "
        f"one of {', '.join(WEIGHTS)}."
    )
