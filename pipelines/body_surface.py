"""A clip's body and hands, and what is drawn of them: from what was fitted or seen to the arrays of
poses.npz, and from those to the images of smpl_cs and hands.

Dimension names: frames F, hands 2 (left, right), parts 8.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from extractors.interface import FOUND_CONFIDENCE, SeenBody, SeenHand
from pipelines.presets import FITTED_MODELS
from renderers.body_models.interface import BodyModel
from renderers.wholebody import BODY_PARTS
from shards.schema import (
    BODY_ARRAYS,
    BODY_PARAMETERS,
    HAND_SURFACE_ARRAYS,
    HANDS_OF_BODY,
    METRE,
    NO_MODEL,
    POSES,
    STORED_CONDITIONS,
    Member,
)
from shards.surface_conditions import Models, condition_members, load_models


@functools.cache
def models_in(folder: Path | None, colours: Path | None) -> Models:
    """A worker's body models, loaded once; see `load_models`."""
    return load_models(folder, colours)


def load_body(name: str, models: Models) -> None:
    """Load what a body is fitted with and drawn from: some seconds, or minutes where nothing is cached."""
    model = models(name)
    _ = model.colours, model.hands
    if name in FITTED_MODELS:
        from extractors.anny_fit.fit import standard_rig

        _ = standard_rig()
    else:
        for side in ("left", "right"):
            models("mano", side=side)


def no_body(frames: int) -> dict[str, np.ndarray]:
    """The arrays where there is no body model: named and typed, and empty or False."""
    arrays = {}
    for name, spec in BODY_ARRAYS.items():
        shape = [0 if isinstance(length, str) else length for length in spec.shape]
        count = [] if spec.of_clip else [0 if spec.optional else frames]
        arrays[name] = np.zeros([*count, *shape], spec.dtype)
    arrays["body_model"][:] = arrays["hand_model"][:] = NO_MODEL
    arrays["body_units"][:] = METRE
    return arrays


def fitted_arrays(
    poses: Mapping[str, np.ndarray], models: Models, size: tuple[int, int], on_step: Callable[[], object]
) -> dict[str, np.ndarray]:
    """The arrays of Anny's body, fitted to the person in `poses`; size is (width, height) of the stored
    frame. `on_step` is called all along.

    Frames in which nobody was found, or no body fits, have body_surface_valid False.
    """
    from extractors.anny_fit.fit import SeenPerson, fit_body

    model = models("anny")
    seen = {field.name: poses[field.name] for field in fields(SeenPerson) if field.name != "size"}
    fitted = fit_body(SeenPerson(**seen, size=size), on_step)
    parameters = fitted.parameters
    arrays = no_body(len(fitted.valid)) | {
        "camera_K": fitted.K,
        "world_to_camera": fitted.world_to_camera,
        "body_model": np.array([model.name], POSES["body_model"].dtype),
        "body_joints": np.array(model.joint_names, POSES["body_joints"].dtype),
        "body_surface_valid": fitted.valid,
        "body_part_valid": fitted.part_valid,
        "hand_model": np.array([HANDS_OF_BODY], POSES["hand_model"].dtype),
        "hand_surface_valid": fitted.hand_valid,
    }
    values = (parameters.pose, parameters.shape, parameters.expression, parameters.translation)
    return arrays | dict(zip(BODY_PARAMETERS, values, strict=True))


def parts_seen(
    confidence: Float[np.ndarray, "frames 133"], valid: Bool[np.ndarray, "frames"]
) -> Bool[np.ndarray, "frames parts"]:
    """Whether at least half of a part's keypoints were found, in frames with a body that a network saw: the
    network gives every part in any case.
    """
    found = confidence >= FOUND_CONFIDENCE
    parts = [found[:, points].mean(1) >= 0.5 for points in map(list, BODY_PARTS.values())]
    return np.stack(parts, 1) & valid[:, None]


def unseen_body(frames: int, model: BodyModel) -> dict[str, np.ndarray]:
    """The body's arrays before a network has seen any of it: NaN and False."""
    arrays = {name: array for name, array in no_body(frames).items() if name not in HAND_SURFACE_ARRAYS}
    return arrays | {
        "body_model": np.array([model.name], POSES["body_model"].dtype),
        "body_joints": np.array(model.joint_names, POSES["body_joints"].dtype),
        "world_to_camera": np.tile(np.eye(4), (frames, 1, 1)),
        "camera_K": np.full((frames, 3, 3), np.nan),
        "body_pose": np.full((frames, len(model.joint_names), 3), np.nan, np.float32),
        "body_shape": np.full((frames, model.shape_count), np.nan, np.float32),
        "body_expression": np.full((frames, model.expression_count), np.nan, np.float32),
        "body_translation": np.full((frames, 3), np.nan, np.float32),
    }


def put_body(
    poses: Mapping[str, np.ndarray], place: int, body: SeenBody | None, to_stored: Float[np.ndarray, "2"]
) -> None:
    """Fill in that frame's row; to_stored scales x and y from pixels of the video to those of the stored
    frame.
    """
    if body is not None:
        poses["body_surface_valid"][place] = True
        values = (body.pose, body.shape, body.expression, body.translation)
        for name, value in zip(BODY_PARAMETERS, values, strict=True):
            poses[name][place] = value
        poses["camera_K"][place] = _scaled(body.K, to_stored)


def unseen_hands(frames: int, model: BodyModel) -> dict[str, np.ndarray]:
    """The hands' arrays before a network has seen any of them."""
    return {
        "hand_model": np.array([model.name], POSES["hand_model"].dtype),
        "hand_joints": np.array(model.joint_names, POSES["hand_joints"].dtype),
        "hand_surface_valid": np.zeros((frames, 2), bool),
        "hand_pose": np.full((frames, 2, len(model.joint_names), 3), np.nan, np.float32),
        "hand_shape": np.full((frames, 2, model.shape_count), np.nan, np.float32),
        "hand_translation": np.full((frames, 2, 3), np.nan, np.float32),
        "hand_camera_K": np.full((frames, 3, 3), np.nan),
    }


def put_hands(
    poses: Mapping[str, np.ndarray],
    place: int,
    hands: tuple[SeenHand | None, SeenHand | None],
    to_stored: Float[np.ndarray, "2"],
) -> None:
    """Fill in that frame's row, as `put_body`."""
    for side, hand in enumerate(hands):
        if hand is not None:
            poses["hand_surface_valid"][place, side] = True
            poses["hand_pose"][place, side] = hand.pose
            poses["hand_shape"][place, side] = hand.shape
            poses["hand_translation"][place, side] = hand.translation
            poses["hand_camera_K"][place] = _scaled(hand.K, to_stored)


def _scaled(K: Float[np.ndarray, "3 3"], scale: Float[np.ndarray, "2"]) -> Float[np.ndarray, "3 3"]:
    return K * np.array([scale[0], scale[1], 1.0])[:, None]


def drawn_conditions(
    poses: Mapping[str, np.ndarray],
    models: Models,
    size: tuple[int, int],
    on_frame: Callable[[], object],
    frames: Iterable[int] | None = None,
) -> list[Member]:
    """The images of smpl_cs and hands, one of each for every frame, or for `frames` as they come; size is
    (width, height) of the stored frame. `on_frame` is called after each frame. Raises OffscreenError.
    """
    shape = size[::-1]
    return list(condition_members(poses, STORED_CONDITIONS, shape, shape, models, on_frame, frames))
