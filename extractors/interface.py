"""What every extractor takes and gives: the frames of one clip in, one pose per frame out, and its lineage.

Dimension names: points 133 (COCO-WholeBody), landmarks 33 (body) or 21 (hand), hands 2 (left, right).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from jaxtyping import Float, UInt8

FOUND_CONFIDENCE = 0.3
"""A keypoint counts as found from here on: the threshold that DWPose draws with."""


@dataclass(frozen=True)
class Licences:
    """Under what terms a number may be used, as SPDX identifiers or names. Unknown is not allowed."""

    code: str
    weights: str
    body_model: str


@dataclass(frozen=True)
class Lineage:
    """Where an extractor's numbers come from.

    `version` is raised with every change of the extractor's own code that can change a number; `package`
    names the estimator's package and version; `weights` maps each weight file to its SHA-256.
    """

    extractor: str
    version: int
    package: str
    weights: Mapping[str, str]
    licences: Licences


@dataclass(frozen=True)
class Frame:
    """A decoded frame: its number in presentation order, presentation time in seconds, and RGB image."""

    number: int
    time: float
    image: UInt8[np.ndarray, "height width 3"]


def _missing(*shape: int) -> np.ndarray:
    return np.full(shape, np.nan, np.float32)


@dataclass(frozen=True)
class FramePose:
    """What was found of one person in one frame.

    keypoints are in pixels of the frame's image, confidence in [0, 1]; a point that was not found has
    confidence 0. The landmarks are in metres, NaN where nothing was found; body_visibility is in [0, 1].
    """

    keypoints: Float[np.ndarray, "133 2"] = field(default_factory=lambda: np.zeros((133, 2), np.float32))
    confidence: Float[np.ndarray, "133"] = field(default_factory=lambda: np.zeros(133, np.float32))
    body_valid: bool = False
    face_valid: bool = False
    hand_valid: tuple[bool, bool] = (False, False)
    body_landmarks: Float[np.ndarray, "33 3"] = field(default_factory=lambda: _missing(33, 3))
    body_visibility: Float[np.ndarray, "33"] = field(default_factory=lambda: np.zeros(33, np.float32))
    hand_landmarks: Float[np.ndarray, "2 21 3"] = field(default_factory=lambda: _missing(2, 21, 3))


class Extractor(Protocol):
    """A loaded pose estimator. Between clips it keeps its models, and nothing that could change a result."""

    lineage: Lineage

    def extract(self, frames: Iterable[Frame]) -> Iterator[FramePose]:
        """One pose per frame of one clip, in order. It may read ahead to fill a batch."""
        ...
