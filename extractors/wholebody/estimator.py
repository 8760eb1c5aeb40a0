"""Presets `realisdance` and `hia`: 133 keypoints of the person in each frame's box."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, UInt8

from extractors.batching import Batched, Running
from extractors.hand_boxes import SideKeeper, hands_exchanged, suppress_phantoms
from extractors.interface import FOUND_CONFIDENCE, Extractor, Frame, FramePose, Lineage
from extractors.wholebody.crops import Crop, into_images, take_crop
from extractors.wholebody.feet import with_feet
from extractors.wholebody.networks import WholebodyNetwork
from renderers.wholebody import BODY, FACE, KEYPOINT_COUNT, LEFT_HAND, RIGHT_HAND

_BODY_POINTS = 5
"""Found points of 17 that make a body: head and shoulders of a portrait have seven."""

_FACE_POINTS = 34
"""Found points of 68 that make a face: half of them, as in profile."""

_HAND_POINTS = 4
"""Found points of 21 that make a hand: HaMeR's rule, more than three."""

_Found = tuple[Float[np.ndarray, "people 133 2"], Float[np.ndarray, "people 133"]]


class WholebodyEstimator(Extractor):
    """Looks into the box of each frame that has one; nobody is looked for elsewhere.

    feet: a second network, whose toes and heels are taken, as HIA does. keep_hands: exchange the two hands'
    points where they changed sides against the frames before, and drop a hand that is not this person's.
    """

    def __init__(
        self,
        network: WholebodyNetwork,
        running: Running,
        lineage: Lineage,
        *,
        feet: WholebodyNetwork | None = None,
        keep_hands: bool = True,
    ) -> None:
        self.lineage = lineage
        networks = [network] if feet is None else [network, feet]
        self.runs = [Batched(each, running) for each in networks]
        self._input_sizes = [each.input_size for each in networks]
        self._batch = running.batch
        self._keep_hands = keep_hands

    def extract(self, frames: Iterable[Frame]) -> Iterator[FramePose]:
        """One pose per frame of one clip, in order; frames are read until a batch of them has boxes."""
        sides = SideKeeper() if self._keep_hands else None
        are_seen: list[bool] = []
        people: list[Sequence[Crop]] = []
        for frame in frames:
            are_seen.append(frame.is_seen)
            if frame.box is not None and frame.is_seen:
                people.append(self._crops(frame.image, frame.box))
            if len(people) == self._batch:
                yield from self._poses(are_seen, people, sides)
                are_seen, people = [], []
        yield from self._poses(are_seen, people, sides)

    def keypoints(
        self, people: Sequence[tuple[UInt8[np.ndarray, "_ _ 3"], Float[np.ndarray, "4"]]]
    ) -> _Found:
        """The points, in pixels of the image, of each person given as an image and a box x0 y0 x1 y1 in it,
        and their confidence in [0, 1]; nothing is made of what lies before or after.
        """
        crops = [self._crops(image, box) for image, box in people]
        batches = [crops[start : start + self._batch] for start in range(0, len(crops), self._batch)]
        found = [self._located(batch) for batch in batches]
        if not found:
            return np.zeros((0, KEYPOINT_COUNT, 2), np.float32), np.zeros((0, KEYPOINT_COUNT), np.float32)
        keypoints, confidence = zip(*found, strict=True)
        return np.concatenate(keypoints), np.concatenate(confidence)

    def _crops(self, image: UInt8[np.ndarray, "_ _ 3"], box: Float[np.ndarray, "4"]) -> Sequence[Crop]:
        """One for each network; networks of the same input share it."""
        crops = {size: take_crop(image, box, size) for size in set(self._input_sizes)}
        return [crops[size] for size in self._input_sizes]

    def _located(self, people: Sequence[Sequence[Crop]]) -> _Found:
        """The points of at most one batch of people."""
        found = []
        for run, crops in zip(self.runs, zip(*people, strict=True), strict=True):
            outputs = run(np.stack([crop.image for crop in crops]))
            keypoints = into_images(outputs["place"], crops).astype(np.float32)
            found.append((keypoints, outputs["score"].clip(0, 1)))
        return found[0] if len(found) == 1 else with_feet(*found[0], *found[1])

    def _poses(
        self, are_seen: Sequence[bool], people: Sequence[Sequence[Crop]], sides: SideKeeper | None
    ) -> Iterator[FramePose]:
        found = iter(zip(*self._located(people), strict=True) if people else ())
        for is_seen in are_seen:
            pose = _pose(*next(found)) if is_seen else FramePose()
            yield pose if sides is None else _with_own_hands(pose, sides)


def _pose(keypoints: Float[np.ndarray, "133 2"], confidence: Float[np.ndarray, "133"]) -> FramePose:
    found = confidence >= FOUND_CONFIDENCE
    left, right = (bool(found[hand].sum() >= _HAND_POINTS) for hand in (LEFT_HAND, RIGHT_HAND))
    return FramePose(
        keypoints=keypoints,
        confidence=confidence,
        body_valid=bool(found[BODY].sum() >= _BODY_POINTS),
        face_valid=bool(found[FACE].sum() >= _FACE_POINTS),
        hand_valid=(left, right),
    )


def _with_own_hands(pose: FramePose, sides: SideKeeper) -> FramePose:
    """The pose with each hand on its side, and without those that are not this person's."""
    keypoints, confidence, valid = pose.keypoints, pose.confidence, pose.hand_valid
    if sides.keep(keypoints, confidence):
        keypoints, confidence, valid = hands_exchanged(keypoints), hands_exchanged(confidence), valid[::-1]
    left, right = (
        is_valid and is_kept
        for is_valid, is_kept in zip(valid, suppress_phantoms(keypoints, confidence), strict=True)
    )
    confidence = confidence.copy()
    for hand, was_valid, is_kept in zip((LEFT_HAND, RIGHT_HAND), valid, (left, right), strict=True):
        if was_valid and not is_kept:
            confidence[hand] = 0
    return replace(pose, keypoints=keypoints, confidence=confidence, hand_valid=(left, right))
