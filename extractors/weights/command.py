"""`dancemill weights`: which weights there are, and to get and check them."""

from __future__ import annotations

import json as json_format
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from extractors.weights.errors import WeightsError
from extractors.weights.registry import WEIGHTS, Weight, weight_named
from extractors.weights.store import (
    check_fetchable,
    import_file,
    is_there,
    problem_of,
    weight_path,
    weights_folder,
)

_WIDTH_WITHOUT_TERMINAL = 1000

app = App(name="weights", help="The weights of networks: which there are, and to get and check them.")


@app.command(name="list", sort_key=0)
def list_weights(*, json: Annotated[bool, Parameter(negative="")] = False) -> None:
    """All weights: what for, how large, under which licence, and which are there.

    Parameters
    ----------
    json
        Print JSON, with addresses, hashes and notes.
    """
    if json:
        known = [
            {
                **asdict(weight),
                "path": str(weight_path(weight.name)),
                "is_there": is_there(weight.name),
            }
            for weight in WEIGHTS.values()
        ]
        print(json_format.dumps(known, indent=2, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "there", "for", "size", "licence", "commercial use"):
        table.add_column(column, justify="right" if column == "size" else "left")
    for weight in WEIGHTS.values():
        table.add_row(
            weight.name,
            "yes" if is_there(weight.name) else "by hand" if weight.by_hand else "no",
            weight.purpose,
            readable_size(weight.size),
            weight.licence,
            weight.commercial,
        )
    _console().print(table)
    print(f"\nThey are kept in {weights_folder()}")


@app.command(sort_key=1)
def fetch(*names: str, yes: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Download weights, after their licence and size have been agreed to.

    A download that breaks off goes on when the command is given again.

    Parameters
    ----------
    names
        As `dancemill weights list` has them.
    yes
        Agree without being asked.
    """
    if not names:
        raise WeightsError("fetch which weights? `dancemill weights list` has their names.")
    wanted = [weight for name in dict.fromkeys(names) if not _is_right(weight := weight_named(name))]
    for weight in wanted:
        check_fetchable(weight)
    if wanted and not yes and not sys.stdin.isatty():
        licences = ", ".join(f"{weight.name}: {weight.licence}" for weight in wanted)
        raise WeightsError(f"nobody can be asked to agree to the licences ({licences}): give --yes to agree.")
    # All before anything is loaded, so that no question comes hours later.
    for weight in wanted:
        _ask(weight, yes)
    for weight in wanted:
        _load(weight)


def _is_right(weight: Weight) -> bool:
    if problem_of(weight.name) is not None:
        return False
    print(f"{weight.name}: is there, {weight_path(weight.name)}")
    return True


def _ask(weight: Weight, agreed: bool) -> None:
    from extractors.weights.fetch import download_size

    print(f"{weight.name}: {weight.purpose}")
    print(f"  from      {weight.address}")
    print(f"  size      {readable_size(download_size(weight))}")
    print(f"  licence   {weight.licence} (commercial use: {weight.commercial})")
    if weight.note:
        print(f"  note      {weight.note}")
    if not agreed and input("Load it under this licence? [y/N] ").strip().lower() not in ("y", "yes"):
        raise WeightsError(f"{weight.name}: not loaded, as you did not agree.")


def _load(weight: Weight) -> None:
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    from extractors.weights.fetch import fetch

    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        bar = bars.add_task(weight.name, total=weight.size)
        path = fetch(weight, lambda done, total: bars.update(bar, completed=done, total=total))
    print(f"{weight.name}: {path}")


@app.command(sort_key=2)
def verify() -> int:
    """Hash every file that is there, and compare with what is published; where that is no hash, look whether
    it is of the right network. Exit code 1 if one is wrong.
    """
    problems = {name: problem_of(name, anew=True) for name in WEIGHTS if is_there(name)}
    for name, problem in problems.items():
        right = "ok" if weight_named(name).sha256 else "ok: no hash is published, but what is in it fits"
        print(f"{name}: {f'wrong: {problem}; delete it and get it again' if problem else right}")
    if not problems:
        print(f"there are no weights in {weights_folder()}")
    return 1 if any(problems.values()) else 0


@app.command(name="import", sort_key=3)
def import_weights(file: Path, *, named: Annotated[str | None, Parameter(name="--as")] = None) -> None:
    """Check a file of weights that you have, and copy it to where the others are.

    Parameters
    ----------
    file
        The file, or the archive that it is published in.
    named
        Which weights it holds, where its own name does not tell.
    """
    print(import_file(file, named))


def readable_size(size: int | None) -> str:
    """In the unit that gives it one to three digits before the point."""
    if size is None:
        return "not published"
    return f"{size / 10**9:.1f} GB" if size >= 10**9 else f"{size / 10**6:.0f} MB"


def _console() -> Console:
    terminal = sys.stdout.isatty()
    return Console(width=None if terminal else _WIDTH_WITHOUT_TERMINAL, highlight=False, markup=False)
