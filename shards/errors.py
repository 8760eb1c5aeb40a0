"""The kinds of error that a user can cause: the message says what was wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class UserError(Exception):
    """Ends a command with its message alone, no traceback, and exit code 2."""


class WriteError(UserError):
    """A file cannot be written; the message names it, or its folder, and says why."""


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """What the system refuses in here is a WriteError, so nothing but `place` is to be opened in here."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise WriteError(f"cannot write to {error.filename or place}: {reason}") from error
