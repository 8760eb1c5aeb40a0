"""`dancemill doctor`: what this machine has of what runs need, and what to do about the rest."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from pipelines.doctor import Check, check_preset, examine, works
from shards.commands.output import print_json

_COLOURS = {"ok": "green", "missing": "yellow", "broken": "red"}


def doctor(
    *,
    preset: str = "embedded",
    out: Path | None = None,
    deep: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Say what this machine has of what runs need, a line for each thing, and what to do about the rest.

    Nothing is downloaded, installed or changed. Exit code: 0 if the preset can run, 1 if not.

    Parameters
    ----------
    preset
        The preset that the exit code is about.
    out
        A dataset's folder, to see whether there is room.
    deep
        Also start Ray, hash weights, and load body models: minutes.
    json
        Print JSON.
    """
    check_preset(preset)
    with Console(stderr=True).status("looking"):
        checks = examine(out, deep)
    can_run = works(preset, checks)
    if json:
        print_json({"preset": preset, "works": can_run, "checks": [asdict(check) for check in checks]})
    else:
        _print(preset, can_run, checks)
    return 0 if can_run else 1


def _print(preset: str, can_run: bool, checks: Sequence[Check]) -> None:
    console = Console(file=sys.stdout, highlight=False)
    width = max(len(check.name) for check in checks)
    for check in checks:
        fix = f" -> {check.fix}" if check.fix else ""
        line = Text.assemble(
            (f"{check.status:7}", _COLOURS[check.status]), f"  {check.name:{width}}  {check.found}{fix}"
        )
        console.print(line, soft_wrap=True)
    lacking = [check.name for check in checks if preset in check.presets and check.status != "ok"]
    verdict = "can run" if can_run else f"cannot run: {', '.join(lacking)}"
    console.print(Text(f"\nThe preset {preset} {verdict}."), soft_wrap=True)
