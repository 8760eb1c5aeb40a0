"""A short video of a made person and its labels, made once for all the tests that want one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from renderers.mannequin.labels import Labels, labels_path, read_labels
from renderers.mannequin.spec import FRONTAL
from renderers.mannequin.video import make_video

SPEC = replace(FRONTAL, seconds=2.0, motions=("signing",), backgrounds=("room",), lightings=("bright",))
SEED = 3


@dataclass(frozen=True)
class PersonVideo:
    """Where the video lies, its width in pixels, and the truth about it."""

    path: Path
    width: int
    labels: Labels


@pytest.fixture(scope="session")
def person_video(tmp_path_factory: pytest.TempPathFactory) -> PersonVideo:
    """Two seconds of somebody who signs, seen from the front; 540x960 at 25 frames per second."""
    path = make_video(tmp_path_factory.mktemp("person"), SPEC, SEED, 0)
    return PersonVideo(path, SPEC.sizes[0][0], read_labels(labels_path(path)))
