"""What the inspection commands print: tables for people, JSON for programs. Nothing else of shards prints."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

_WIDTH_WITHOUT_TERMINAL = 1000
"""Lines of a table that goes into a pipe or file are not cut."""


def print_line(text: str = "") -> None:
    """One line, as it is."""
    sys.stdout.write(f"{text}\n")


def print_json(values: Any) -> None:
    """The values as JSON; what is not a number is null."""
    print_line(json.dumps(_plain(values), indent=2, allow_nan=False, ensure_ascii=False))


def _plain(values: Any) -> Any:
    if isinstance(values, dict):
        return {str(name): _plain(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [_plain(value) for value in values]
    if isinstance(values, float) and not math.isfinite(values):
        return None
    return values


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table with those headings; numbers stand to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    texts = [[_cell(value) for value in row] for row in rows]
    for number, column in enumerate(columns):
        right = all(_is_number(row[number]) for row in texts)
        table.add_column(column, justify="right" if right else "left", no_wrap=True)
    for row in texts:
        table.add_row(*row)
    terminal = sys.stdout.isatty()
    Console(width=None if terminal else _WIDTH_WITHOUT_TERMINAL, highlight=False, markup=False).print(table)


def _cell(value: Any) -> str:
    """Text of files may hold what moves a terminal's cursor; it is shown escaped."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(value))


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(".", "", 1).replace("-", "", 1).replace("e", "", 1).isdigit()
