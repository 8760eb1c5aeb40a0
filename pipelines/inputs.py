"""From what a user names (files, folders, globs, lists of paths) to the files to look at, in a fixed
order.
"""

from __future__ import annotations

import functools
import glob
from collections.abc import Iterable, Iterator
from pathlib import Path

from renderers.mannequin.labels import LABELS_SUFFIX
from shards.errors import UserError

LIST_SUFFIX = ".txt"


class InputError(UserError):
    """An input as named on the command line leads to nothing; the message says which and what was looked
    for.
    """


def expand_inputs(inputs: Iterable[str]) -> list[Path]:
    """Absolute paths of every file named: each once, sorted.

    A folder gives every file below it that is neither hidden nor part of a dataset, nor the labels of a
    made video; a glob what it matches (`**` crosses folders); a `.txt` file the paths in its lines,
    relative to its own folder, blank lines and lines that begin with # left out. A path that a list names
    is kept even where no file is: that belongs into the ledger.

    Raises InputError for an input that does not exist, a glob or folder or list that gives nothing.
    """
    paths: set[Path] = set()
    for name in inputs:
        found = set(_expand(name))
        if not found:
            raise InputError(
                f"input {name!r} holds no file: name a video, a folder of videos, a glob, or a .txt of paths"
            )
        paths |= found
    if not paths:
        raise InputError("no input was named: name a video, a folder of videos, a glob, or a .txt of paths")
    return sorted(paths)


def _expand(name: str) -> Iterator[Path]:
    path = _at_home(name)
    if path.is_dir():
        files = (file for file in path.rglob("*") if not _is_hidden(file.relative_to(path)))
        yield from (absolute(file) for file in files if _is_file_or_dead_link(file) and not _set_apart(file))
    elif path.suffix.lower() == LIST_SUFFIX and path.is_file():
        yield from _listed(path)
    elif path.exists():
        yield absolute(path)
    elif glob.has_magic(name):
        matches = (Path(match) for match in glob.iglob(str(path), recursive=True))  # noqa: PTH207
        yield from (absolute(match) for match in matches if match.is_file() and not _in_dataset(match))
    else:
        raise InputError(f"input {name!r} does not exist (looked for {path.absolute()})")


def absolute(path: Path) -> Path:
    """The path from the root. A link keeps its name; what leads to it is resolved."""
    return path.parent.resolve() / path.name


def _at_home(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise InputError(f"input {name!r}: {error}") from error


def _is_file_or_dead_link(path: Path) -> bool:
    """A link that leads nowhere belongs into the ledger."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def _set_apart(file: Path) -> bool:
    return file.name.endswith(LABELS_SUFFIX) or _in_dataset(file)


def _in_dataset(path: Path) -> bool:
    """Whether the file is part of a dataset, which may lie in a folder of videos."""
    return any(_is_dataset(folder) for folder in path.parents)


@functools.cache
def _is_dataset(folder: Path) -> bool:
    return (folder / "shards").is_dir() and (
        (folder / "dataset.json").exists() or (folder / ".work").exists()
    )


def _is_hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)


def _listed(path: Path) -> Iterator[Path]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file of paths: {error}") from error
    for line in lines:
        entry = line.strip()
        if entry and not entry.startswith("#"):
            yield absolute(path.parent / _at_home(entry))
