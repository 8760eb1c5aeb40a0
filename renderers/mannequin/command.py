"""`dancemill mannequin`: make a video of a person and write the truth beside it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from renderers.mannequin.errors import MannequinError
from renderers.mannequin.video import VideoSpec, render_video


def mannequin(
    path: Path, *, seconds: float = 5.0, fps: float = 25.0, width: int = 540, height: int = 960
) -> None:
    """Make a video of a dancing, signing person, with the true place of every keypoint beside it.

    Parameters
    ----------
    path:
        The .mp4 to write. The labels go beside it, as NAME.labels.parquet.
    seconds:
        How long the video is.
    fps:
        Frames per second.
    width:
        Width in pixels; even.
    height:
        Height in pixels; even.
    """
    spec = VideoSpec(width=width, height=height, fps=fps, seconds=seconds)
    try:
        with Progress(console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task(f"{path.name}", total=spec.frame_count)
            labels = render_video(path, spec, lambda done: bars.update(task, completed=done))
    except OSError as error:
        raise MannequinError(f"cannot write {path}: {error.strerror or error}") from error
    Console(soft_wrap=True, highlight=False).print(f"{path} and {labels}", markup=False)
