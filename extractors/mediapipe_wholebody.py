"""From MediaPipe Holistic's landmarks to COCO-WholeBody-133.

Sources: the landmark numbers are those of MediaPipe's BlazePose (33 points), hand (21 points) and face mesh
(468 points) topologies; the target is COCO-WholeBody (Jin et al., ECCV 2020), whose 68 face points follow
iBUG 300-W. Where iBUG's point lies between mesh vertices (the brows, whose points run along the middle), it
is their mean.

Dimension names: points 133, body 33, hand 21, mesh 468 or more.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from renderers.wholebody import FACE, LEFT_HAND, RIGHT_HAND

BODY_FROM_POSE: dict[int, int] = {
    0: 0,  # nose
    1: 2,  # left eye
    2: 5,  # right eye
    3: 7,  # left ear
    4: 8,  # right ear
    5: 11,  # left shoulder
    6: 12,  # right shoulder
    7: 13,  # left elbow
    8: 14,  # right elbow
    9: 15,  # left wrist
    10: 16,  # right wrist
    11: 23,  # left hip
    12: 24,  # right hip
    13: 25,  # left knee
    14: 26,  # right knee
    15: 27,  # left ankle
    16: 28,  # right ankle
    17: 31,  # left big toe: "left foot index"
    19: 29,  # left heel
    20: 32,  # right big toe: "right foot index"
    22: 30,  # right heel
}
"""COCO-WholeBody number of a body or foot point -> BlazePose number. Small toes (18, 21) have none."""

_JAW = (127, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356)
_BROWS = (
    *((70, 46), (63, 53), (105, 52), (66, 65), (107, 55)),
    *((336, 285), (296, 295), (334, 282), (293, 283), (300, 276)),
)
_NOSE = (168, 197, 5, 4, 98, 97, 2, 326, 327)
_EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
_LIPS = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87)

FACE_FROM_MESH: tuple[tuple[int, ...], ...] = tuple(
    vertices if isinstance(vertices, tuple) else (vertices,)
    for vertices in (*_JAW, *_BROWS, *_NOSE, *_EYES, *_LIPS)
)
"""For each of the 68 face points, the face-mesh vertices whose mean it is."""

_COCO = np.array(list(BODY_FROM_POSE))
_POSE = np.array(list(BODY_FROM_POSE.values()))
_FIRST = np.array([vertices[0] for vertices in FACE_FROM_MESH])
_LAST = np.array([vertices[-1] for vertices in FACE_FROM_MESH])


def wholebody_keypoints(
    body: Float[np.ndarray, "33 2"] | None,
    body_visibility: Float[np.ndarray, "33"] | None,
    face: Float[np.ndarray, "mesh 2"] | None,
    face_score: float,
    hands: tuple[Float[np.ndarray, "21 2"] | None, Float[np.ndarray, "21 2"] | None],
    hand_scores: tuple[float, float],
) -> tuple[Float[np.ndarray, "133 2"], Float[np.ndarray, "133"]]:
    """Keypoints and confidences of one person, in the units of the landmarks given.

    A body point's confidence is its visibility; a face or hand point's is the presence score of its face or
    hand. What is None was not found: its points are at (0, 0) with confidence 0, as are the small toes
    always.
    """
    keypoints = np.zeros((133, 2), np.float32)
    confidence = np.zeros(133, np.float32)
    if body is not None and body_visibility is not None:
        keypoints[_COCO], confidence[_COCO] = body[_POSE], body_visibility[_POSE]
    if face is not None:
        keypoints[FACE] = (face[_FIRST] + face[_LAST]) / 2
        confidence[FACE] = face_score
    for points, hand, score in zip((LEFT_HAND, RIGHT_HAND), hands, hand_scores, strict=True):
        if hand is not None:
            keypoints[points], confidence[points] = hand, score
    return keypoints, np.clip(confidence, 0, 1)
