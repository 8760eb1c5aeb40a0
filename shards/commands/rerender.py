"""`dancemill shards rerender`: the stored conditions, drawn again from body parameters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import Progress

from renderers.body_models.errors import ColourFileError, ModelFileError
from shards.commands.output import print_json, print_line
from shards.commands.selection import reading
from shards.drawn_with import MADE_COLOURS, models_by_colours, name_colours
from shards.errors import UserError
from shards.reader import Dataset, Sample
from shards.rerender import Drawn, Rerender, rerender_in_place, rerender_to_folder
from shards.schema import STORED_CONDITIONS
from shards.settings_file import body_model_folder

_LARGEST_SIDE = 8192
"""Pixels of either side of an image that is asked for, so that a mistyped number does not fill the memory.
Where OpenGL draws less, drawing says so.
"""


class RerenderError(UserError):
    """The conditions cannot be drawn again; the message says why."""


def rerender(
    dataset: Path,
    *,
    out: Path | None = None,
    size: str | None = None,
    short_side: int | None = None,
    keys: str | None = None,
    conditions: str = ",".join(STORED_CONDITIONS),
    body_models: Path | None = None,
    colours: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Draw smpl_cs and hands again from the samples' body parameters, at the stored size or another.

    With --out the images become files, and the dataset stays as it is. Without it those that the samples
    hold are replaced in the dataset's shards, as after a change of the renderer or of the colours, and each
    sample's meta.json says how they were drawn; stopped, the same command goes on. Exit code 1 where no
    sample has what they are drawn from.

    Parameters
    ----------
    dataset
        The dataset's folder.
    out
        The folder for the images: KEY/smpl_cs.000.png. Files of the same names are replaced.
    size
        Width and height of the images, as 512x768; needs --out.
    short_side
        Instead of --size: the pixels of the shorter side, each sample in its own shape; needs --out.
    keys
        Keys of samples, with commas between them; all samples without it.
    conditions
        Which, with commas between them.
    body_models
        The folder of your own files of SMPL-X and MANO, for samples with such bodies.
    colours
        Your own file of the colours of the body's vertices: .npy, .npz or .pt, uint8, vertices x 3; or made
        for those that are made from the body. Without it, each sample keeps the colours that it was drawn in.
    json
        Print the counts as JSON.
    """
    if out is None and (size is not None or short_side is not None):
        raise RerenderError("images of another size do not go into the dataset: name a folder with --out")
    if size is not None and short_side is not None:
        raise RerenderError("--size and --short-side both say how large: give one of them")
    wanted = _conditions(conditions)
    fixed_size = _parse_size(size) if size is not None else None
    if short_side is not None and not 1 <= short_side <= _LARGEST_SIDE:
        raise RerenderError(f"--short-side is {short_side}, but must be 1 to {_LARGEST_SIDE}")
    samples = Dataset(dataset, random_weights=True)
    chosen = None if keys is None else [key.strip() for key in keys.split(",")]
    targets = [samples.sample(key) for key in chosen] if chosen is not None else list(samples)
    sizes = {sample.key: fixed_size or _scaled(sample, short_side) for sample in targets}
    drawn = Drawn()
    try:
        own_colours = None if colours is None or str(colours) == MADE_COLOURS else colours
        models = models_by_colours(body_model_folder(dataset, body_models), own_colours)
        chosen_colours = None if colours is None else name_colours(own_colours)
        console = Console(stderr=True)
        with (
            reading(dataset),
            Progress(console=console, transient=True, disable=not console.is_terminal) as bars,
        ):
            task = bars.add_task("frames", total=sum(sample.num_frames for sample in targets))
            how = Rerender(wanted, models, chosen_colours, lambda count: bars.advance(task, count))
            if out is None:
                drawn = rerender_in_place(dataset, chosen, how)
            else:
                for sample in targets:
                    how.models_of(sample.key, sample.meta, wanted)
                for sample in targets:
                    drawn += rerender_to_folder(sample, out, sizes[sample.key], how)
    except ColourFileError as error:
        raise RerenderError(str(error)) from error
    except ModelFileError as error:
        raise RerenderError(f"{error} (--body-models names the folder of your own models)") from error
    if json:
        print_json({"samples": drawn.samples, "left_out": drawn.left_out, "shards": drawn.shards})
    else:
        done = f"in {out}" if out is not None else f"{drawn.shards} shards changed"
        print_line(f"{drawn.samples} samples drawn, {done}; {drawn.left_out} have nothing to draw")
    return 0 if drawn.samples else 1


def _conditions(named: str) -> tuple[str, ...]:
    names = [name.strip() for name in named.split(",")]
    if unknown := [name for name in names if name not in STORED_CONDITIONS]:
        raise RerenderError(
            f"--conditions names {', '.join(unknown)}, but can be {' or '.join(STORED_CONDITIONS)}"
        )
    return tuple(dict.fromkeys(names))


def _parse_size(size: str) -> tuple[int, int]:
    """(height, width)"""
    match = re.fullmatch(r"(\d{1,6})x(\d{1,6})", size)
    width, height = map(int, match.groups()) if match else (0, 0)
    if not (1 <= width <= _LARGEST_SIDE and 1 <= height <= _LARGEST_SIDE):
        raise RerenderError(f"--size is {size}, but must be as 512x768, each side 1 to {_LARGEST_SIDE}")
    return height, width


def _scaled(sample: Sample, short_side: int | None) -> tuple[int, int]:
    """(height, width) of the sample's frames, or as large that the shorter side has so many pixels."""
    stored = (sample.row.height, sample.row.width)
    if short_side is None:
        return stored
    height, width = (round(side * short_side / min(stored)) for side in stored)
    if max(height, width) > _LARGEST_SIDE:
        raise RerenderError(
            f"--short-side is {short_side}, with which images of {sample.key} are {width}x{height}: give a "
            f"smaller one, so that no side has more than {_LARGEST_SIDE} pixels"
        )
    return height, width
