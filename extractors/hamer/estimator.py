"""HaMeR as an estimator of hands: from keypoints to boxes, from crops to surfaces in the full frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float

from extractors.batching import Batched, Queue, Row, Running
from extractors.hamer.crop import hand_crop
from extractors.hamer.geometry import cam_crop_to_full, full_frame_camera
from extractors.hamer.network import Hamer
from extractors.hand_boxes import BoxRule, hand_boxes
from extractors.interface import Frame, HandEstimator, HandReader, Lineage, SeenHand
from extractors.rotations import matrix_to_axis_angle


class HamerEstimator(HandEstimator):
    """The network with what is needed around it. Frames' hands of either side share its batches."""

    hand_model = "mano"

    def __init__(
        self,
        network: Hamer,
        running: Running,
        lineage: Lineage,
        rule: BoxRule = "realisdance",
        rescale: float = 2.0,
    ) -> None:
        """`rule` is how keypoints make boxes, and `rescale` how many times as large crops are: the official
        program's 2.0 leaves a hand room for what keypoints miss of it.
        """
        self.lineage = lineage
        self.rule = rule
        self.rescale = rescale
        self.batched = Batched(network, running)

    def reader(self, on_batch: Callable[[], object] = lambda: None) -> HamerReader:
        """For one clip."""
        return HamerReader(Queue(self.batched, on_batch), self.rule, self.rescale)


@dataclass(frozen=True)
class _Place:
    """Where a crop was taken: which side (0 left, 1 right), and the frame's width and height."""

    side: int
    center: Float[np.ndarray, "2"]
    size: float
    image_size: tuple[int, int]


HandPair = tuple[SeenHand | None, SeenHand | None]
"""Left and right."""


@dataclass
class HamerReader(HandReader):
    """The hands of one clip."""

    _queue: Queue
    rule: BoxRule
    rescale: float
    _frames: deque[list[_Place]] = field(default_factory=deque)
    _rows: deque[Row] = field(default_factory=deque)

    def add(
        self,
        frame: Frame,
        keypoints: Float[np.ndarray, "133 2"],
        confidence: Float[np.ndarray, "133"],
        valid: tuple[bool, bool],
    ) -> None:
        """Cut out the valid hands that the keypoints make a box for."""
        height, width = frame.image.shape[:2]
        places = []
        for side, box in enumerate(hand_boxes(keypoints, confidence, self.rule)):
            if valid[side] and np.isfinite(box).all():
                crop = hand_crop(frame.image, box, is_left=side == 0, rescale=self.rescale)
                self._queue.add(crop.input)
                places.append(_Place(side, crop.center, crop.size, (width, height)))
        self._frames.append(places)

    def ready(self) -> list[HandPair]:
        """None where there was no box, or where the network places the hand behind the camera."""
        self._rows += self._queue.ready()
        return self._pairs()

    def finish(self) -> list[HandPair]:
        """As `ready`, of all frames that are left."""
        self._rows += self._queue.finish()
        return self._pairs()

    def _pairs(self) -> list[HandPair]:
        """Of the frames up to the first of whose hands an output has not come yet."""
        pairs: list[HandPair] = []
        while self._frames and len(self._frames[0]) <= len(self._rows):
            hands: dict[int, SeenHand | None] = {
                place.side: _seen_hand(place, self._rows.popleft()) for place in self._frames.popleft()
            }
            pairs.append((hands.get(0), hands.get(1)))
        return pairs


def _seen_hand(place: _Place, outputs: Mapping[str, np.ndarray]) -> SeenHand | None:
    K = full_frame_camera(*place.image_size)
    # The network saw a left hand in a mirror, so its x goes the other way.
    across = 1 if place.side else -1
    (translation,) = cam_crop_to_full(
        outputs["pred_cam"][None].astype(np.float64) * [1, across, 1],
        place.center[None],
        np.array([place.size]),
        np.array([place.image_size]),
        K[0, 0],
    )
    if not (np.isfinite(translation).all() and translation[2] > 0):
        return None
    turns = np.concatenate([outputs["global_orient"], outputs["hand_pose"]])
    return SeenHand(
        pose=matrix_to_axis_angle(torch.from_numpy(turns).double()).float().numpy(),
        shape=outputs["betas"],
        translation=translation.astype(np.float32),
        K=K,
    )
