"""What every extractor takes and gives: the frames of one clip in, and out what was found in each of them,
a pose, a body surface or a pair of hand surfaces; and its lineage.

Dimension names: points 133 (COCO-WholeBody), landmarks 33 (body) or 21 (hand), hands 2 (left, right), joints,
shapes and expressions as many as the body model has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
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
    names the estimator's package and version; `weights` maps each weight file to its SHA-256, or to RANDOM;
    `parameters` are the settings that can change a number.
    """

    extractor: str
    version: int
    package: str
    weights: Mapping[str, str]
    licences: Licences
    parameters: Mapping[str, str | int | float | bool] = field(default_factory=dict)


RANDOM = "random"
"""In `Lineage.weights`: not a trained network, and nothing to train on."""


@dataclass(frozen=True)
class Frame:
    """A decoded frame: its number in presentation order, presentation time in seconds, and RGB image.

    `box` is where a detector saw the person, x0 y0 x1 y1 in pixels of the image: NaN in a frame in which it
    did not, and None where nobody looked for people and the extractor is to find one.
    """

    number: int
    time: float
    image: UInt8[np.ndarray, "height width 3"]
    box: Float[np.ndarray, "4"] | None = None

    @property
    def is_seen(self) -> bool:
        """Whether there is a box to look into."""
        return self.box is not None and bool(np.isfinite(self.box).all())


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


@dataclass(frozen=True)
class SeenBody:
    """A body surface in one frame, in metres in the axes of the camera (OpenCV's), whose intrinsics K are in
    pixels of the frame's image. The parameters are as `renderers.body_models.interface.BodyParameters` has
    them.
    """

    pose: Float[np.ndarray, "joints 3"]
    shape: Float[np.ndarray, "shapes"]
    expression: Float[np.ndarray, "expressions"]
    translation: Float[np.ndarray, "3"]
    K: Float[np.ndarray, "3 3"]


@dataclass(frozen=True)
class SeenHand:
    """A hand surface in one frame; pose and shape are of the right hand that a left one is in a mirror."""

    pose: Float[np.ndarray, "joints 3"]
    shape: Float[np.ndarray, "shapes"]
    translation: Float[np.ndarray, "3"]
    K: Float[np.ndarray, "3 3"]


class BodyReader(Protocol):
    """The bodies of one clip. Frames are added in their order; crops are taken at once, so none is kept."""

    def add(self, frame: Frame) -> None:
        """Take what is needed of the frame, and have the network run when a batch is full."""
        ...

    def ready(self) -> list[SeenBody | None]:
        """One for each of the next frames that are done, in the order in which they were added, each frame
        once; None where no person was seen.
        """
        ...

    def finish(self) -> list[SeenBody | None]:
        """Those of all frames that were not given yet."""
        ...


class HandReader(Protocol):
    """The hands of one clip, found from its keypoints."""

    def add(
        self,
        frame: Frame,
        keypoints: Float[np.ndarray, "133 2"],
        confidence: Float[np.ndarray, "133"],
        valid: tuple[bool, bool],
    ) -> None:
        """Keypoints are in pixels of the frame's image; a hand that is not valid is not looked at."""
        ...

    def ready(self) -> list[tuple[SeenHand | None, SeenHand | None]]:
        """Left and right hand of each of the next frames that are done, in the order in which they were
        added, each frame once; None where there is none.
        """
        ...

    def finish(self) -> list[tuple[SeenHand | None, SeenHand | None]]:
        """Those of all frames that were not given yet."""
        ...


class BodyEstimator(Protocol):
    """A loaded network for bodies, with the name of the body model that its numbers belong to."""

    lineage: Lineage
    body_model: str

    def reader(self, on_batch: Callable[[], object] = lambda: None) -> BodyReader:
        """For one clip. `on_batch` is called after each batch of the network."""
        ...


class HandEstimator(Protocol):
    """A loaded network for hands, with the name of the hand model that its numbers belong to."""

    lineage: Lineage
    hand_model: str

    def reader(self, on_batch: Callable[[], object] = lambda: None) -> HandReader:
        """For one clip. `on_batch` is called after each batch of the network."""
        ...
