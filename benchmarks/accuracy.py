"""How accurate a preset is, measured on made people: makes the fixed corpus of videos, extracts a dataset
from them, compares every frame with the labels, and writes the accuracy part of docs/results.md.

    python -m benchmarks.accuracy [--preset embedded] [--corpus full|quick] [--keep DIR]

The quick corpus, of four videos, is for trying things out. Its part is printed, as that of every other preset
is, and the page stays as it is.
With --keep, videos and dataset are kept in that folder, and what is there already is used again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import cyclopts
import numpy as np

from benchmarks.accuracy_parts.body import fit_of
from benchmarks.accuracy_parts.compare import Comparison, compare, joined, truth_of
from benchmarks.accuracy_parts.corpus import CELLS, FRONTAL, Cell, Video, full_corpus, quick_corpus
from benchmarks.accuracy_parts.tables import Making, Report, Row, lines, replaced, section
from renderers.mannequin.labels import labels_path, read_labels
from renderers.mannequin.video import make_video, video_pool
from shards.reader import Dataset
from shards.schema import VideoRow
from shards.tables import read_rows

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results.md"
PROCESSES = 2
RECORDED = "embedded"
"""The preset whose figures the page holds."""


def make_corpus(videos: Sequence[Video], folder: Path) -> list[Path]:
    """The videos' paths, in their order. How long it took is added to what `folder` remembers."""
    begun = time.perf_counter()
    with video_pool(PROCESSES) as (pool, _):
        work = [pool.submit(_make, folder / video.kind, video) for video in videos]
        made = []
        for number, future in enumerate(work, start=1):
            made.append(future.result())
            print(f"\rvideo {number} of {len(videos)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    frames = sum(count for _, count in made)
    if frames:
        earlier = making(folder)
        seconds = earlier.seconds + time.perf_counter() - begun
        (folder / "making.json").write_text(
            json.dumps({"seconds": seconds, "frames": earlier.frames + frames, "processes": PROCESSES})
        )
    return [path for path, _ in made]


def _make(folder: Path, video: Video) -> tuple[Path, int]:
    """The video, and how many frames of it had to be made."""
    frames = 0

    def count() -> None:
        nonlocal frames
        frames += 1

    return make_video(folder, video.spec, video.seed, video.number, count), frames


def making(folder: Path) -> Making:
    """How long the videos in the folder took."""
    record = folder / "making.json"
    if not record.exists():
        return Making(0.0, 0, PROCESSES)
    return Making(**json.loads(record.read_text()))


def extract(paths: Sequence[Path], dataset: Path, preset: str) -> None:
    """Extract the videos as a user would, but leave no frame out: neither short shots nor clips in which
    nobody is found."""
    listed = dataset.with_suffix(".txt")
    listed.write_text("".join(f"{path}\n" for path in paths))
    command = [sys.executable, "-m", "dancemill", "extract", str(listed), "--out", str(dataset)]
    settings = ["--preset", preset, "--min-found", "0", "--min-clip-seconds", "0.01", "--strict"]
    subprocess.run([*command, *settings], check=True)


def compare_all(paths: Sequence[Path], dataset: Path) -> Comparison:
    """Every frame of every sample against the labels; videos are numbered by their places in `paths`."""
    rows = {Path(row.path): row for row in read_rows(dataset / "videos.parquet", VideoRow)}
    place_of = {rows[path].video_id: place for place, path in enumerate(paths)}
    truths = [truth_of(read_labels(labels_path(path))) for path in paths]
    parts = []
    for clip, sample in enumerate(Dataset(dataset)):
        if sample.row.video_id not in place_of:
            continue
        place = place_of[sample.row.video_id]
        row = rows[paths[place]]
        parts.append(
            compare(
                sample.poses,
                fit_of(sample.poses),
                truths[place],
                stored_size=(sample.row.width, sample.row.height),
                video_size=(row.width, row.height),
                video=place,
                clip=clip,
            )
        )
    frames = joined(parts)
    labelled = sum(len(truth.time) for truth in truths)
    assert len(frames) == labelled, f"{len(frames)} frames were extracted of {labelled} made"
    return frames


def frames_of(cell: Cell, videos: Sequence[Video], frames: Comparison) -> Comparison:
    """The frames that the cell is about."""
    chosen = np.array([video.kind in cell.kinds for video in videos])
    low, high = cell.turn
    is_turned_so = (frames.turn >= low) & (frames.turn < high)
    return frames.where(chosen[frames.video] & (is_turned_so if cell.turn != Cell.turn else True))


def main(
    *, preset: str = "embedded", corpus: Literal["full", "quick"] = "full", keep: Path | None = None
) -> None:
    """Measure a preset, print its figures, and write them into docs/results.md (the full corpus only)."""
    videos = full_corpus() if corpus == "full" else quick_corpus()
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(TemporaryDirectory(prefix="dancemill-accuracy-")))
        folder = folder.resolve() / corpus
        (folder / "videos").mkdir(parents=True, exist_ok=True)
        paths = make_corpus(videos, folder / "videos")
        extract(paths, folder / preset, preset)
        frames = compare_all(paths, folder / preset)
        made = making(folder / "videos")
    report = Report(
        preset=preset,
        corpus=corpus,
        everything=frames,
        frontal=frames_of(FRONTAL, videos, frames),
        rows=[Row(cell.factor, cell.value, frames_of(cell, videos, frames)) for cell in CELLS],
        making=made,
    )
    if corpus == "full" and preset == RECORDED:
        PAGE.write_text(replaced(PAGE.read_text(), section(report)))
    else:
        print(section(report))
    print("\n".join(lines(report)))


if __name__ == "__main__":
    cyclopts.run(main)
