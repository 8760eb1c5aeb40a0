"""A body model of a few boxes, mirror-symmetric as real ones are, that is loaded and posed in no time; and
made parameters for it in the arrays of a sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from renderers.body_models.errors import ModelFileError
from renderers.body_models.interface import BodyModel, BodyParameters, HandPatch, Surface
from shards.schema import HANDS_OF_BODY
from shards.surface_conditions import Models, draw_surface_condition, frame_surfaces

_BOX = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
_SIDES = np.array(
    [
        *([0, 1, 3], [0, 3, 2], [4, 7, 5], [4, 6, 7], [0, 5, 1], [0, 4, 5]),
        *([2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 7, 3], [1, 5, 7]),
    ]
)
_CENTRES = np.array([[0, 0, 0], [0.5, 0, 0.2], [-0.5, 0, 0.2]])
_HALF_SIDES = np.array([[0.25, 0.15, 0.6], [0.12, 0.08, 0.2], [0.12, 0.08, 0.2]])
WORLD_TO_CAMERA = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 3], [0, 0, 0, 1]])
"""A camera three metres before the body, level."""
COLOURS = ((200, 200, 200), (40, 40, 240), (240, 40, 40))
"""Of the trunk, the left and the right hand."""


class MadeBody:
    """A trunk with a hand on each side, under the name of a real model. Each box turns about its middle; the
    first shape number is the size of the hands. Its colours are those of a user's file (.npy), or its own.
    """

    name = "anny"
    licence = "Apache-2.0"
    units = "metre"
    joint_names: tuple[str, ...] = ("trunk", "hand.L", "hand.R")
    shape_count = 2
    expression_count = 1
    colour_scalar = None
    triangles = np.concatenate([_SIDES + 8 * box for box in range(3)])
    hands = tuple(HandPatch(np.arange(8 * box, 8 * box + 8), _SIDES) for box in (1, 2))

    def __init__(self, colours: Path | None = None) -> None:
        made = np.repeat(np.array(COLOURS, np.uint8), 8, axis=0)
        self.colours = made if colours is None else np.load(colours)

    def surface(self, parameters: BodyParameters) -> Surface:
        frames = len(parameters.pose)
        turned = Rotation.from_rotvec(parameters.pose.reshape(-1, 3)).as_matrix().reshape(frames, 3, 1, 3, 3)
        half_sides = np.tile(_HALF_SIDES, (frames, 1, 1))
        half_sides[:, 1:] *= parameters.shape[:, None, :1]
        boxes = np.einsum("fbcij,fbvj->fbvi", turned, _BOX * half_sides[:, :, None])
        moved = _CENTRES + parameters.translation[:, None]
        return Surface((boxes + moved[:, :, None]).reshape(frames, 24, 3), moved)

    def mirrored(self, parameters: BodyParameters) -> BodyParameters:
        return replace(
            parameters,
            pose=parameters.pose[:, [0, 2, 1]] * [1, -1, -1],
            translation=parameters.translation * [-1, 1, 1],
        )


def load_made_body(
    name: str, folder: Path | None = None, colours: Path | None = None, **options: Any
) -> BodyModel:
    """As `renderers.body_models.load.load_body_model`: the body of boxes, and no other."""
    if name != MadeBody.name:
        raise ModelFileError(f"There is no file of {name}.")
    return MadeBody(colours)


def made_model(name: str, **options: Any) -> BodyModel:
    """As `shards.surface_conditions.Models`: the same, in made colours."""
    return load_made_body(name, **options)


MADE_MODELS: Mapping[str, Models] = {"made": made_model}
"""As `shards.drawn_with.models_by_colours`."""


def surface_images(
    poses: Mapping[str, np.ndarray],
    numbers: Sequence[int],
    size: tuple[int, int],
    stored_size: tuple[int, int],
    models: Models,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """smpl_cs and hands of those frames, at `size` (height, width), as they are to be drawn."""
    for number in numbers:
        surfaces = frame_surfaces(poses, number, models)
        smpl_cs, hands = (
            draw_surface_condition(name, surfaces, size, stored_size) for name in ("smpl_cs", "hands")
        )
        yield smpl_cs, hands


def with_body(
    poses: dict[str, np.ndarray],
    size: tuple[int, int],
    random: np.random.Generator,
    model: BodyModel | None = None,
) -> dict[str, np.ndarray]:
    """The arrays of a sample with frames of `size` (width, height), with a surface in most of them: of the
    body of boxes, or of another model whose shape numbers lie in [0, 1].
    """
    model = model or MadeBody()
    frames, joints = len(poses["frame"]), len(model.joint_names)
    valid = random.random(frames) < 0.8
    valid[0] = True
    width, height = size
    K = np.array([[height * 1.4, 0, width * 0.47], [0, height * 1.4, height * 0.52], [0, 0, 1]])
    parameters = {
        "body_pose": random.normal(0, 0.2, (frames, joints, 3)),
        "body_shape": np.full((frames, model.shape_count), random.uniform(0.3, 0.8)),
        "body_expression": np.zeros((frames, model.expression_count)),
        "body_translation": random.normal(0, 0.1, (frames, 3)),
    }
    for array in parameters.values():
        array[~valid] = np.nan
    return {
        **poses,
        **{name: array.astype(np.float32) for name, array in parameters.items()},
        "body_model": np.array([model.name], "<U32"),
        "body_joints": np.array(model.joint_names, "<U32"),
        "hand_model": np.array([HANDS_OF_BODY], "<U32"),
        "body_surface_valid": valid,
        "body_part_valid": random.random((frames, 8)) < 0.8,
        "hand_surface_valid": valid[:, None] & (random.random((frames, 2)) < 0.7),
        "camera_K": np.tile(K, (frames, 1, 1)),
        "world_to_camera": np.tile(WORLD_TO_CAMERA, (frames, 1, 1)),
    }
