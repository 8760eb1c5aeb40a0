"""`dancemill synth`: make videos of people and write the truth beside each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import Progress

from renderers.mannequin.errors import MannequinError
from renderers.mannequin.spec import FRONTAL, Spec, read_spec
from renderers.mannequin.video import MOST_VIDEOS, make_videos


def synth(
    *,
    out: Path,
    count: Annotated[int, Parameter(name=["--count", "-n"])] = 1,
    seed: int = 0,
    spec: Path | None = None,
    frontal: bool = False,
    processes: int | None = None,
) -> None:
    """Make videos of procedural people, with the true place of every keypoint beside each.

    The same seed and specification always give the same videos, and more of them go on where fewer stopped:
    what is there already is not made again.

    Parameters
    ----------
    out:
        The folder to write to: SEED-NUMBER.mp4 with SEED-NUMBER.labels.parquet beside it.
    count:
        How many videos.
    seed:
        Whole number from 0: another one gives other people, motions and places.
    spec:
        A TOML file of what to draw from: docs/synth.md lists its fields.
    frontal:
        Draw one person from the front in good light, whole in the picture, instead of anything.
    processes:
        How many videos are made at once; as many as there are cores, unless said.
    """
    if not 1 <= count <= MOST_VIDEOS:
        raise MannequinError(f"--count is {count}: give 1 to {MOST_VIDEOS}.")
    if seed < 0:
        raise MannequinError(f"--seed is {seed}: give 0 or more.")
    if processes is not None and processes < 1:
        raise MannequinError(f"--processes is {processes}: give 1 or more.")
    if spec is not None and frontal:
        raise MannequinError("--spec and --frontal both say what to draw from: give one of them.")
    drawn_from = read_spec(spec) if spec is not None else FRONTAL if frontal else Spec()
    try:
        with Progress(console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task("frames", total=count * drawn_from.frame_count)
            made = make_videos(
                out, drawn_from, seed, count, processes, lambda done: bars.update(task, completed=done)
            )
    except OSError as error:
        raise MannequinError(f"cannot write to {out}: {error.strerror or error}") from error
    console = Console(soft_wrap=True, highlight=False)
    for path in made:
        console.print(str(path), markup=False)
