"""The mirror image of a sample's numbers: left and right change places, and what lies at x lies at width - x.

Dimension names: frames F, hands 2 (left, right), landmarks 33 (MediaPipe's body), parts 8
(`renderers.wholebody.BODY_PARTS`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float

from renderers.body_models.interface import BodyModel
from renderers.wholebody import BODY_PARTS, FLIP
from shards.schema import BODY_PARAMETERS, NO_MODEL
from shards.surface_conditions import body_parameters, check_body

_HANDS = [1, 0]
_LANDMARKS = [0, 4, 5, 6, 1, 2, 3, *(number + 1 if number % 2 else number - 1 for number in range(7, 33))]
"""For each of MediaPipe's body landmarks the one of the other side: nose, inner to outer eyes, then pairs."""
_OTHER_SIDE = {"left": "right", "right": "left"}
_PARTS = [
    list(BODY_PARTS).index("_".join(_OTHER_SIDE.get(word, word) for word in part.split("_")))
    for part in BODY_PARTS
]
_MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])

_Array = np.ndarray


def flipped_poses(poses: Mapping[str, _Array], width: int, body_model: BodyModel | None) -> dict[str, _Array]:
    """The arrays of POSES of the horizontally mirrored frames, which are `width` pixels wide.

    The middle of the first pixel is at 0.5, so x becomes width - x. Body parameters are mirrored by
    `body_model`, which is None where poses names none. Flipped twice they are what they were, up to rounding.
    Raises ValueError without the body model that is needed, and SampleError for parameters that are not its.
    """
    return flipped_but_for_body(poses, width) | _flipped_body(poses, body_model)


def flipped_but_for_body(poses: Mapping[str, _Array], width: int) -> dict[str, _Array]:
    """The same, but without the body's parameters: for what is drawn without a body model."""
    flips: dict[str, Callable[[_Array], _Array]] = {
        "keypoints": lambda array: _points(array[:, FLIP], width),
        "confidence": lambda array: array[:, FLIP],
        "hand_valid": _exchanged,
        "person_box": lambda array: _boxes(array, width),
        "face_box": lambda array: _boxes(array, width),
        "hand_box": lambda array: _boxes(_exchanged(array), width),
        "sharpness": _exchanged,
        "sharpness_raw": _exchanged,
        "movement": lambda array: _x_negated(_exchanged(array)),
        "movement_raw": lambda array: _x_negated(_exchanged(array)),
        "movement_valid": _exchanged,
        "body_landmarks": lambda array: _x_negated(array[:, _LANDMARKS]),
        "body_visibility": lambda array: array[:, _LANDMARKS],
        "hand_landmarks": lambda array: _x_negated(_exchanged(array)),
        "camera_K": lambda array: _cameras(array, width),
        # A point x of the world is mirrored to M x, and a place y before the camera to M y.
        "world_to_camera": lambda array: _MIRROR @ array @ _MIRROR,
        "body_part_valid": lambda array: array[:, _PARTS],
        "hand_surface_valid": _exchanged,
        # A left hand is stored as the right hand that it is in a mirror.
        "hand_pose": _exchanged,
        "hand_shape": _exchanged,
        "hand_translation": lambda array: _x_negated(_exchanged(array)),
        "hand_camera_K": lambda array: _cameras(array, width),
    }
    return {
        name: flips[name](array) if name in flips else array
        for name, array in poses.items()
        if name not in BODY_PARAMETERS
    }


def _flipped_body(poses: Mapping[str, _Array], body_model: BodyModel | None) -> dict[str, _Array]:
    """The body's parameters in the frames that have any; the others stay NaN."""
    name = str(poses["body_model"][0])
    if name == NO_MODEL:
        return {part: poses[part] for part in BODY_PARAMETERS}
    if body_model is None or body_model.name != name:
        raise ValueError(f"the body parameters are of {name}: give that body model")
    valid = np.flatnonzero(poses["body_surface_valid"])
    if not len(valid):
        return {part: poses[part] for part in BODY_PARAMETERS}
    check_body(poses, body_model)
    mirrored = body_model.mirrored(body_parameters(poses, valid.tolist()))
    flipped = {name: poses[name].copy() for name in BODY_PARAMETERS}
    for name, array in flipped.items():
        array[valid] = getattr(mirrored, name.removeprefix("body_"))
    return flipped


def _exchanged(array: _Array) -> _Array:
    return array[:, _HANDS]


def _x_negated(vectors: Float[np.ndarray, "*any xyz"]) -> Float[np.ndarray, "*any xyz"]:
    negated = vectors.copy()
    negated[..., 0] *= -1
    return negated


def _points(points: Float[np.ndarray, "frames points 2"], width: int) -> Float[np.ndarray, "frames points 2"]:
    mirrored = points.copy()
    mirrored[..., 0] = width - points[..., 0]
    return mirrored


def _boxes(boxes: Float[np.ndarray, "*any 4"], width: int) -> Float[np.ndarray, "*any 4"]:
    mirrored = boxes.copy()
    mirrored[..., [2, 0]] = width - boxes[..., [0, 2]]
    return mirrored


def _cameras(K: Float[np.ndarray, "frames 3 3"], width: int) -> Float[np.ndarray, "frames 3 3"]:
    mirrored = K.copy()
    mirrored[..., 0, 1] *= -1
    mirrored[..., 0, 2] = width - K[..., 0, 2]
    return mirrored
