"""From what a user names (files, folders, globs, lists of paths) to the files to look at, in a fixed
order.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path

from shards.errors import UserError

LIST_SUFFIX = ".txt"


class InputError(UserError):
    """An input as named on the command line leads to nothing; the message says which and what was looked
    for.
    """


def expand_inputs(inputs: Iterable[str]) -> list[Path]:
    """Absolute paths of every file named: each once, sorted.

    A folder gives every file below it that is not hidden; a glob what it matches (`**` crosses folders); a
    `.txt` file the paths in its lines, relative to its own folder, blank lines and lines that begin with #
    left out. A path that a list names is kept even where no file is: that belongs into the ledger.

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
    path = Path(name).expanduser()
    if path.is_dir():
        yield from (
            absolute(file)
            for file in path.rglob("*")
            if file.is_file() and not _is_hidden(file.relative_to(path))
        )
    elif path.suffix.lower() == LIST_SUFFIX and path.is_file():
        yield from _listed(path)
    elif path.exists():
        yield absolute(path)
    elif glob.has_magic(name):
        matches = (Path(match) for match in glob.iglob(str(path), recursive=True))  # noqa: PTH207
        yield from (absolute(match) for match in matches if match.is_file())
    else:
        raise InputError(f"input {name!r} does not exist (looked for {path.absolute()})")


def absolute(path: Path) -> Path:
    """The path from the root. A link keeps its name; what leads to it is resolved."""
    return path.parent.resolve() / path.name


def _is_hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)


def _listed(path: Path) -> Iterator[Path]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file of paths: {error}") from error
    for line in lines:
        entry = line.strip()
        if entry and not entry.startswith("#"):
            yield absolute(path.parent / Path(entry).expanduser())
