"""`dancemill shards info`: what a dataset holds, and what became of every input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
from cyclopts import Parameter

from shards.commands.output import print_json, print_line, print_table
from shards.index import FILE
from shards.schema import ClipRow, PlanRow, Status, VideoRow
from shards.settings_file import FILE as SETTINGS
from shards.settings_file import read_settings
from shards.tables import DatasetError, read_table


def info(dataset: Path, *, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Say what a dataset holds, and what became of every input and clip.

    Parameters
    ----------
    dataset
        The dataset's folder.
    json
        Print JSON.
    """
    facts = {
        "dataset": str(dataset),
        **_settings(dataset),
        **_samples(dataset),
        "inputs": _account(dataset / "videos.parquet", VideoRow),
        "clips": _account(dataset / "clips.parquet", PlanRow),
    }
    if json:
        print_json(facts)
    else:
        _print(facts)
    return 0


def _settings(dataset: Path) -> dict[str, Any]:
    settings = read_settings(dataset)
    try:
        facts = {name: settings[name] for name in ("preset", "code_version", "schema_version")}
    except KeyError as error:
        raise DatasetError(
            f"{dataset / SETTINGS} is not a dataset's settings ({error}): restore it"
        ) from error
    return facts | {"random_weights": bool(settings.get("random_weights", False))}


def _samples(dataset: Path) -> dict[str, Any]:
    """Totals of the index; a dataset that no run has finished yet has none."""
    path = dataset / FILE
    columns = ["shard", "num_frames", "duration_s", "fps", "width", "height"]
    has_index = path.exists()
    rows = read_table(path, ClipRow, columns) if has_index else pa.table({name: [] for name in columns})
    shards = sorted(pc.unique(rows["shard"]).to_pylist())
    return {
        "has_index": has_index,
        "samples": len(rows),
        "shards": len(shards),
        "bytes": sum(file.stat().st_size for file in (dataset / "shards").glob("*.tar")),
        "frames": pc.sum(rows["num_frames"]).as_py() or 0,
        "hours": (pc.sum(rows["duration_s"]).as_py() or 0.0) / 3600,
        "frames_per_sample": _range(rows["num_frames"]),
        "fps": _range(rows["fps"]),
        "sizes": _sizes(rows),
    }


def _range(values: pa.ChunkedArray) -> dict[str, float] | None:
    if not len(values):
        return None
    low, high = pc.min_max(values).as_py().values()
    return {"min": low, "median": pc.quantile(values, 0.5)[0].as_py(), "max": high}


def _sizes(rows: pa.Table) -> dict[str, int]:
    counts = rows.group_by(["width", "height"]).aggregate([([], "count_all")]).to_pylist()
    counts.sort(key=lambda count: (-count["count_all"], count["width"], count["height"]))
    return {f"{count['width']}x{count['height']}": count["count_all"] for count in counts}


def _account(path: Path, row_type: type) -> dict[str, Any]:
    """How many there are, by status, and by the reason of those that were filtered or failed."""
    rows = read_table(path, row_type, ["status", "reason"]).to_pylist()
    statuses = Counter(row["status"] for row in rows)
    if unknown := statuses.keys() - set(Status):
        raise DatasetError(
            f"{path} has rows of status {sorted(unknown)}, which no version writes: restore it"
        )
    reasons = Counter((row["status"], row["reason"]) for row in rows if row["reason"])
    by_reason: dict[str, dict[str, int]] = {}
    for (status, reason), count in sorted(reasons.items()):
        by_reason.setdefault(status, {})[reason] = count
    return {"total": len(rows), **{status.value: statuses[status] for status in Status}, "reasons": by_reason}


def _print(facts: Mapping[str, Any]) -> None:
    print_line(
        f"{facts['dataset']}: preset {facts['preset']}, code {facts['code_version']}, "
        f"schema {facts['schema_version']}"
    )
    if facts["random_weights"]:
        print_line("Made by untrained networks (--weights random): nothing to train on.")
    print_line(
        f"{facts['samples']} samples, {facts['frames']} frames, {facts['hours']:.4g} hours, "
        f"{facts['bytes'] / 1e6:.1f} MB in {facts['shards']} shards"
    )
    if not facts["has_index"]:
        print_line("No run has finished yet, so there is no index: dancemill extract goes on with it.")
    for name, unit in (("frames_per_sample", "frames a sample"), ("fps", "frames a second")):
        if facts[name]:
            low, median, high = facts[name].values()
            print_line(f"{low:.4g} to {high:.4g} {unit}, median {median:.4g}")
    if facts["sizes"]:
        print_line("pixels: " + ", ".join(f"{size} ({count})" for size, count in facts["sizes"].items()))
    print_line()
    accounts = [(name, facts[name]) for name in ("inputs", "clips")]
    columns = ("", "total", *Status)
    print_table(columns, [(name, *(account[column] for column in columns[1:])) for name, account in accounts])
    for name, account in accounts:
        for status, reasons in account["reasons"].items():
            counts = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
            print_line(f"{status} {name}: {counts}")
