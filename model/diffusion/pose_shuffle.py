"""Pose shuffle (RealisDance, Zhou et al., 2024, section 2): in training a clip's poses are now and then out
of order, so that the motion modules learn to mistrust a pose that does not fit its neighbours.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Int

Form = Literal["swap", "released"]


def shuffled_pose_order(
    frames: int, conditions: int, generator: np.random.Generator, rate: float = 0.05, form: Form = "swap"
) -> Int[np.ndarray, "conditions frames"]:
    """For each condition (skeleton, hands, body surface) the order in which to take its frames.

    `swap` is the paper's: with probability `rate`, two frames change places, the same two in every condition.
    `released` is that of the released train.py: in each condition by itself, with probability `rate`, a frame
    is overwritten by another, which also stays in its own place. The frame to overwrite is any of the clip's,
    but nothing happens where it is the first (1 of 16 times for clips of 16 frames).

    The video's own frames keep their order. Raises ValueError where `rate` is outside [0, 1] or `form` is
    unknown.
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"the rate of pose shuffle is {rate}: a probability from 0 to 1 is needed")
    order = np.tile(np.arange(frames), (conditions, 1))
    if frames < 2:
        return order
    match form:
        case "swap":
            if generator.random() < rate:
                pair = generator.choice(frames, 2, replace=False)
                order[:, pair] = pair[::-1]
        case "released":
            for condition in order:
                if generator.random() < rate:
                    overwritten, shown = generator.choice(frames, 2, replace=False)
                    if overwritten != 0:
                        condition[overwritten] = shown
        case _:
            raise ValueError(f"there is no form {form!r} of pose shuffle: it is swap or released")
    return order
