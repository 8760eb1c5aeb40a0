"""Who is in a frame: mmdet's detectors over batches of frames."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

from extractors.batching import Batched, Running
from extractors.people.networks import DetectionNetwork
from extractors.people.tracks import People


class PersonDetector:
    """Finds people in frames, `batch` of them at a time. Where nobody is found, nobody is made up.

    `batched` counts what the network was given.
    """

    def __init__(self, network: DetectionNetwork, running: Running) -> None:
        self.batch = running.batch
        self.batched = Batched(network, running)
        self._largest = network.largest

    def detect(self, images: Sequence[UInt8[np.ndarray, "height width 3"]]) -> list[People]:
        """The people of each RGB image, from the highest score on; images are of one size.

        Boxes are in pixels of the image, and may reach beyond its edge.
        """
        return [
            people
            for first in range(0, len(images), self.batch)
            for people in self._people(images[first : first + self.batch])
        ]

    def _people(self, images: Sequence[UInt8[np.ndarray, "height width 3"]]) -> list[People]:
        height, width = images[0].shape[:2]
        size = _resized(width, height, self._largest)
        resized = np.stack([cv2.resize(image, size, interpolation=cv2.INTER_LINEAR) for image in images])
        found = self.batched(np.ascontiguousarray(resized.transpose(0, 3, 1, 2)))
        scale = np.array([width, height, width, height]) / np.array([*size, *size])
        are = np.isfinite(found["scores"])
        return [
            People((boxes[which] * scale).astype(np.float32), scores[which])
            for boxes, scores, which in zip(found["boxes"], found["scores"], are, strict=True)
        ]


def _resized(width: int, height: int, largest: tuple[int, ...]) -> tuple[int, int]:
    """The largest size of the same proportions whose longer and shorter sides are at most those."""
    scale = min(largest[0] / max(width, height), largest[1] / min(width, height))
    return int(width * scale + 0.5), int(height * scale + 0.5)
