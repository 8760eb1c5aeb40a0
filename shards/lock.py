"""One process at a time changes a dataset: who does holds the lock in its `.work/`."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shards.errors import UserError


class BusyError(UserError):
    """Another run is at work on the same dataset."""


@contextmanager
def hold_dataset(dataset: Path) -> Iterator[None]:
    """Hold the dataset against other runs until the context ends; the lock goes with the process.

    Raises BusyError, and OSError where `.work/` cannot be written to.
    """
    folder = dataset / ".work"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(f"another run is at work on {dataset}: wait for it to end, or stop it") from error
        yield
