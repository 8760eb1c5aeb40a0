"""The progress bars of a run, on the terminal's stderr; nothing where that is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Bars:
    """One bar for each step of a run."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def step(self, name: str, total: int) -> Callable[[], None]:
        """A new bar; the function that is given moves it on by one."""
        bar = self._progress.add_task(name, total=total)
        return lambda: self._progress.advance(bar)


@contextmanager
def progress_bars() -> Iterator[Bars]:
    """Bars that are drawn until the context ends."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:>8}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield Bars(progress)
