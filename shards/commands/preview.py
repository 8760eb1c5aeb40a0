"""`dancemill shards preview`: one sample as a picture, and as a video."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from shards.commands.output import print_json, print_line
from shards.commands.selection import reading, sample_or_first
from shards.errors import UserError, writing


class PreviewError(UserError):
    """The picture or video cannot be made of such options; the message says why."""


def preview(
    dataset: Path,
    key: str | None = None,
    *,
    out: Path,
    video: Path | None = None,
    rows: int = 3,
    body_models: Path | None = None,
    colours: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Draw one sample: frames, their conditions, and how sharp and fast its hands are.

    Parameters
    ----------
    dataset
        The dataset's folder.
    key
        The sample's key, as `dancemill shards ls` lists it; the first sample without one.
    out
        The picture's file, a .png.
    video
        A file for a video, an .mp4: the frame and its conditions, side by side.
    rows
        Rows of pictures.
    body_models
        The folder of your own files of SMPL-X and MANO, for bodies that are not stored as images.
    colours
        Your own file of colours that the samples were drawn with, for smpl_cs that is not stored as images.
    json
        Print the paths as JSON.
    """
    if out.suffix.lower() != ".png":
        raise PreviewError(f"--out is {out}, but must end in .png")
    if video is not None and video.suffix.lower() != ".mp4":
        raise PreviewError(f"--video is {video}, but must end in .mp4")
    if rows < 1:
        raise PreviewError(f"--rows is {rows}, but must be 1 or more")
    sample = sample_or_first(dataset, key, body_models, colours)
    from shards.contact_sheet import contact_sheet, write_video

    with reading(dataset):
        sheet = contact_sheet(sample, rows)
        with writing(out):
            sheet.savefig(out)
        if video is not None:
            with writing(video):
                write_video(sample, video)
    written = [str(path) for path in (out, video) if path is not None]
    if json:
        print_json({"key": sample.key, "written": written})
    else:
        print_line(f"{sample.key}: {', '.join(written)}")
    return 0
