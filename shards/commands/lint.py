"""`dancemill shards lint`: check every byte of a dataset."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from shards.commands.output import print_json, print_line
from shards.lint import problems


def lint(dataset: Path, *, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Check every byte of a dataset: tars, offsets, checksums, alignment, index and ledger.

    Each problem is one line that says where, what, and what to do. Exit code 1 if there is any.

    Parameters
    ----------
    dataset
        The dataset's folder.
    json
        Print JSON.
    """
    found = 0
    listed = []
    for problem in problems(dataset):
        found += 1
        if json:
            listed.append(asdict(problem))
        else:
            print_line(f"{problem.where}: {problem.what}; {problem.todo}")
    if json:
        print_json(listed)
    elif not found:
        print_line(f"{dataset}: nothing is wrong")
    return 1 if found else 0
