"""COCO-WholeBody-133 (Jin et al., ECCV 2020): which number is which point, and which is its mirror image.

"left" is the person's left.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Int

KEYPOINT_COUNT = 133

BODY = slice(0, 17)
FEET = slice(17, 23)
FACE = slice(23, 91)
LEFT_HAND = slice(91, 112)
RIGHT_HAND = slice(112, 133)

_BODY_NAMES = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
_FEET_NAMES = (
    "left_big_toe",
    "left_small_toe",
    "left_heel",
    "right_big_toe",
    "right_small_toe",
    "right_heel",
)
_FINGERS = ("thumb", "index", "middle", "ring", "little")
_HAND_NAMES = ("hand_wrist", *(f"{finger}_{joint}" for finger in _FINGERS for joint in range(1, 5)))

NAMES: tuple[str, ...] = (
    *_BODY_NAMES,
    *_FEET_NAMES,
    *(f"face_{number}" for number in range(68)),
    *(f"left_{name}" for name in _HAND_NAMES),
    *(f"right_{name}" for name in _HAND_NAMES),
)
"""A name for each point. Face points are numbered as in iBUG; finger joints from palm (1) to tip (4)."""

BODY_PARTS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "trunk": (5, 6, 11, 12),
        "head": (0, 1, 2, 3, 4),
        "left_arm": (5, 7, 9),
        "right_arm": (6, 8, 10),
        "left_leg": (11, 13, 15),
        "right_leg": (12, 14, 16),
        "left_hand": tuple(range(LEFT_HAND.start, LEFT_HAND.stop)),
        "right_hand": tuple(range(RIGHT_HAND.start, RIGHT_HAND.stop)),
    }
)
"""The parts that a body is told apart in, in the order of every `parts` axis, each with its points."""

_FACE_MIRROR = (
    *range(16, -1, -1),  # jaw
    *range(26, 16, -1),  # brows
    *range(27, 31),  # ridge of the nose
    *range(35, 30, -1),  # nostrils
    *(45, 44, 43, 42, 47, 46),  # right eye: corners, upper lid, lower lid
    *(39, 38, 37, 36, 41, 40),  # left eye
    *(*range(54, 47, -1), *range(59, 54, -1)),  # outer lips: upper, lower
    *(*range(64, 59, -1), *range(67, 64, -1)),  # inner lips: upper, lower
)

FLIP: Int[np.ndarray, "133"] = np.array(
    [
        *(0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15),
        *(20, 21, 22, 17, 18, 19),
        *(FACE.start + point for point in _FACE_MIRROR),
        *range(RIGHT_HAND.start, RIGHT_HAND.stop),
        *range(LEFT_HAND.start, LEFT_HAND.stop),
    ]
)
"""For each point, the one that takes its place in a mirrored image: `keypoints[:, FLIP]`, and x mirrored."""
FLIP.flags.writeable = False
