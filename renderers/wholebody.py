"""COCO-WholeBody-133 (Jin et al., ECCV 2020): which number is which point, and which is its mirror image.

"left" is the person's left.
"""

from __future__ import annotations

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
_HAND_NAMES = ("wrist", *(f"{finger}_{joint}" for finger in _FINGERS for joint in range(1, 5)))

NAMES: tuple[str, ...] = (
    *_BODY_NAMES,
    *_FEET_NAMES,
    *(f"face_{number}" for number in range(68)),
    *(f"left_{name}" for name in _HAND_NAMES),
    *(f"right_{name}" for name in _HAND_NAMES),
)
"""A name for each point. Face points are numbered as in iBUG 300-W; a finger's joints from the palm (1) to the tip (4)."""
