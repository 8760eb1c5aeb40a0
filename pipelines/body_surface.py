"""A clip's body and hands, and what is drawn of them: from what was fitted or seen to the arrays of
poses.npz, and from those to the images of smpl_cs and hands.

Dimension names: frames F, hands 2 (left, right), parts 8.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
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


def seen_body_arrays(
    bodies: Sequence[SeenBody | None], model: BodyModel, to_stored: Float[np.ndarray, "2"]
) -> dict[str, np.ndarray]:
    """The body's arrays but body_part_valid, from what a network saw in each frame of the clip; to_stored
    scales x and y from pixels of the video to those of the stored frame.
    """
    valid = np.array([body is not None for body in bodies], bool)
    arrays = {name: array for name, array in no_body(len(bodies)).items() if name not in HAND_SURFACE_ARRAYS}
    arrays |= {
        "body_model": np.array([model.name], POSES["body_model"].dtype),
        "body_joints": np.array(model.joint_names, POSES["body_joints"].dtype),
        "body_surface_valid": valid,
        "world_to_camera": np.tile(np.eye(4), (len(bodies), 1, 1)),
        "camera_K": np.full((len(bodies), 3, 3), np.nan),
        "body_pose": np.full((len(bodies), len(model.joint_names), 3), np.nan, np.float32),
        "body_shape": np.full((len(bodies), model.shape_count), np.nan, np.float32),
        "body_expression": np.full((len(bodies), model.expression_count), np.nan, np.float32),
        "body_translation": np.full((len(bodies), 3), np.nan, np.float32),
    }
    for place, body in enumerate(bodies):
        if body is not None:
            values = (body.pose, body.shape, body.expression, body.translation)
            for name, value in zip(BODY_PARAMETERS, values, strict=True):
                arrays[name][place] = value
            arrays["camera_K"][place] = _scaled(body.K, to_stored)
    return arrays


def seen_hand_arrays(
    hands: Sequence[tuple[SeenHand | None, SeenHand | None]],
    model: BodyModel,
    to_stored: Float[np.ndarray, "2"],
) -> dict[str, np.ndarray]:
    """The hands' arrays, from what a network saw in each frame of the clip."""
    shape = (len(hands), 2)
    arrays = {
        "hand_model": np.array([model.name], POSES["hand_model"].dtype),
        "hand_joints": np.array(model.joint_names, POSES["hand_joints"].dtype),
        "hand_surface_valid": np.array([[hand is not None for hand in pair] for pair in hands], bool),
        "hand_pose": np.full((*shape, len(model.joint_names), 3), np.nan, np.float32),
        "hand_shape": np.full((*shape, model.shape_count), np.nan, np.float32),
        "hand_translation": np.full((*shape, 3), np.nan, np.float32),
        "hand_camera_K": np.full((len(hands), 3, 3), np.nan),
    }
    for place, pair in enumerate(hands):
        for side, hand in enumerate(pair):
            if hand is not None:
                arrays["hand_pose"][place, side] = hand.pose
                arrays["hand_shape"][place, side] = hand.shape
                arrays["hand_translation"][place, side] = hand.translation
                arrays["hand_camera_K"][place] = _scaled(hand.K, to_stored)
    return arrays


def _scaled(K: Float[np.ndarray, "3 3"], scale: Float[np.ndarray, "2"]) -> Float[np.ndarray, "3 3"]:
    return K * np.array([scale[0], scale[1], 1.0])[:, None]


def drawn_conditions(
    poses: Mapping[str, np.ndarray],
    models: Models,
    size: tuple[int, int],
    on_frame: Callable[[], object],
) -> list[Member]:
    """The images of smpl_cs and hands, one of each for every frame; size is (width, height) of the stored
    frame. `on_frame` is called after each frame. Raises OffscreenError.
    """
    shape = size[::-1]
    return list(condition_members(poses, STORED_CONDITIONS, shape, shape, models, on_frame))
