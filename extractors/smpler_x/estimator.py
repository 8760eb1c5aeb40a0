"""SMPLer-X as an estimator of bodies: from the boxes of people to surfaces in front of the frame's camera."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from extractors.batching import Batched, Queue, Row, Running
from extractors.interface import BodyEstimator, BodyReader, Frame, Lineage, SeenBody
from extractors.smpler_x.crop import crop_person
from extractors.smpler_x.network import SmplerX

_EYES = np.zeros((2, 3), np.float32)


class SmplerXEstimator(BodyEstimator):
    """The network with what is needed around it."""

    body_model = "smplx"

    def __init__(
        self, network: SmplerX, running: Running, lineage: Lineage, compat_bgr: bool = False
    ) -> None:
        """compat_bgr: give the network BGR, which is what RealisDance's script does."""
        self.lineage = lineage
        self.compat_bgr = compat_bgr
        self.batched = Batched(network, running)

    def reader(self, on_batch: Callable[[], object] = lambda: None) -> SmplerXReader:
        """For one clip."""
        return SmplerXReader(Queue(self.batched, on_batch), self.compat_bgr)


@dataclass
class SmplerXReader(BodyReader):
    """The bodies of one clip."""

    _queue: Queue
    compat_bgr: bool
    _cameras: deque[Float[np.ndarray, "3 3"] | None] = field(default_factory=deque)

    def add(self, frame: Frame) -> None:
        """Crop the person where there is a box."""
        crop = None
        if frame.box is not None and frame.is_seen:
            crop = crop_person(frame.image, frame.box, self.compat_bgr)
        if crop is not None:
            self._queue.add(crop.image)
        self._cameras.append(None if crop is None else crop.K)

    def ready(self) -> list[SeenBody | None]:
        """None where there was no box, or none of it in the image, or where the network gives numbers that
        are not finite.
        """
        return self._bodies(self._queue.ready())

    def finish(self) -> list[SeenBody | None]:
        """As `ready`, of all frames that are left."""
        return self._bodies(self._queue.finish())

    def _bodies(self, outputs: list[Row]) -> list[SeenBody | None]:
        """Of the frames up to the first whose outputs have not come yet."""
        rows, bodies = deque(outputs), []
        while self._cameras and (self._cameras[0] is None or rows):
            K = self._cameras.popleft()
            bodies.append(None if K is None else _seen_body(rows.popleft(), K))
        return bodies


def _seen_body(outputs: Mapping[str, np.ndarray], K: Float[np.ndarray, "3 3"]) -> SeenBody | None:
    body = SeenBody(
        pose=np.concatenate(
            [
                outputs["root_pose"][None],
                outputs["body_pose"],
                outputs["jaw_pose"][None],
                _EYES,
                outputs["left_hand_pose"],
                outputs["right_hand_pose"],
            ]
        ),
        shape=outputs["shape"],
        expression=outputs["expression"],
        translation=outputs["translation"],
        K=K,
    )
    # Rotations that are not finite are zero by now, but what they are made of is in the joints.
    numbers = (outputs["joints"], body.shape, body.expression, body.translation)
    return body if all(np.isfinite(values).all() for values in numbers) else None
