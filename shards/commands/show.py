"""`dancemill shards show`: one sample's numbers, members and meta."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from shards.commands.output import print_json, print_line, print_table
from shards.commands.selection import reading, sample_or_first
from shards.reader import Sample
from shards.schema import POSES


def show(
    dataset: Path,
    key: str | None = None,
    *,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show one sample: its arrays with shape, type and range, its members, and what it says of itself.

    Parameters
    ----------
    dataset
        The dataset's folder.
    key
        The sample's key, as `dancemill shards ls` lists it; the first sample without one.
    json
        Print JSON.
    """
    sample = sample_or_first(dataset, key)
    row = asdict(sample.row)
    members = row.pop("members")
    with reading(dataset):
        arrays = [_array_facts(name, sample.poses[name]) for name in POSES]
        meta = sample.meta
    if json:
        print_json({"row": row, "arrays": arrays, "members": members, "meta": meta})
        return 0
    print_table(("column", "value"), list(row.items()))
    print_line()
    columns = ("array", "shape", "type", "min", "max", "nan", "meaning")
    print_table(columns, [tuple(facts.values()) for facts in arrays])
    print_line()
    print_table(("member", "files", "bytes"), _streams(sample))
    print_line()
    print_json(meta)
    return 0


def _array_facts(name: str, array: np.ndarray) -> dict[str, Any]:
    """Range over the numbers in it, and the share that are NaN; of names the first and the last."""
    known = array[~np.isnan(array)] if array.dtype.kind == "f" else array
    low, high = None, None
    if known.size:
        ends = (known[0], known[-1]) if array.dtype.kind == "U" else (known.min(), known.max())
        low, high = (end.item() for end in ends)
    return {
        "array": name,
        "shape": "x".join(map(str, array.shape)),
        "type": str(array.dtype),
        "min": low,
        "max": high,
        "nan": 1 - known.size / array.size if array.size else 0.0,
        "meaning": POSES[name].meaning,
    }


def _streams(sample: Sample) -> list[tuple[str, int, int]]:
    """Files and bytes of each kind of member: `rgb.*.jpg` is one."""
    totals: dict[str, tuple[int, int]] = {}
    for span in sample.row.members:
        parts = span.name.split(".")
        kind = f"{parts[0]}.*.{parts[-1]}" if len(parts) > 2 else span.name
        files, size = totals.get(kind, (0, 0))
        totals[kind] = (files + 1, size + span.size)
    return [(kind, files, size) for kind, (files, size) in totals.items()]
