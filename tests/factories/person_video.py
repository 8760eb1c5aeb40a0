"""A short video of a made person and its labels, made once for all the tests that want one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from renderers.mannequin.labels import Labels, read_labels
from renderers.mannequin.video import VideoSpec, render_video


@dataclass(frozen=True)
class PersonVideo:
    """Where the video lies, what was asked for, and the truth about it."""

    path: Path
    spec: VideoSpec
    labels: Labels


@pytest.fixture(scope="session")
def person_video(tmp_path_factory: pytest.TempPathFactory) -> PersonVideo:
    """Two seconds of a dancing, signing person; 540x960 at 25 frames per second."""
    path = tmp_path_factory.mktemp("person") / "person.mp4"
    spec = VideoSpec(seconds=2.0)
    return PersonVideo(path, spec, read_labels(render_video(path, spec)))
