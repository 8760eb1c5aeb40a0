"""A clip's body and what is drawn of it: from the keypoints and landmarks of poses.npz to its surface's
arrays, and from those to the images of smpl_cs and hands.

Dimension names: frames F, hands 2 (left, right), parts 8.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np

from shards.schema import (
    BODY_ARRAYS,
    BODY_PARAMETERS,
    HANDS_OF_BODY,
    METRE,
    NO_MODEL,
    POSES,
    STORED_CONDITIONS,
    Member,
)
from shards.surface_conditions import Models, condition_members, load_models


@functools.cache
def _models(colours: Path | None = None) -> Models:
    """A worker's body models, loaded once."""
    return load_models(colours=colours)


def load_body(colours: Path | None = None) -> None:
    """Load what a body is fitted with and drawn from: some seconds, or minutes where nothing is cached."""
    from extractors.anny_fit.fit import standard_rig

    model = _models(colours)("anny")
    _ = standard_rig(), model.colours, model.hands


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
    poses: Mapping[str, np.ndarray], size: tuple[int, int], on_step: Callable[[], object]
) -> dict[str, np.ndarray]:
    """The arrays of Anny's body, fitted to the person in `poses`; size is (width, height) of the stored
    frame. `on_step` is called all along.

    Frames in which nobody was found, or no body fits, have body_surface_valid False.
    """
    from extractors.anny_fit.fit import SeenPerson, fit_body

    model = _models()("anny")
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


def drawn_conditions(
    poses: Mapping[str, np.ndarray],
    size: tuple[int, int],
    colours: Path | None,
    on_frame: Callable[[], object],
) -> list[Member]:
    """The images of smpl_cs and hands, one of each for every frame; size is (width, height) of the stored
    frame, colours a file of the user's own. `on_frame` is called after each frame. Raises OffscreenError.
    """
    shape = size[::-1]
    return list(condition_members(poses, STORED_CONDITIONS, shape, shape, _models(colours), on_frame))
