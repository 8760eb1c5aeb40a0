"""The conditions that are drawn from a surface, smpl_cs and hands, from the numbers of poses.npz: for the
pipelines at extraction, and for readers at any size afterwards.

Dimension names: frames F, hands 2 (left, right), joints J.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, UInt8

from renderers.body_models.errors import ModelFileError
from renderers.body_models.interface import BodyModel, BodyParameters
from renderers.body_models.load import load_body_model
from renderers.hands import Hand, draw_hands
from renderers.lit_meshes import PosedMesh
from renderers.smpl_cs import draw_smpl_cs
from shards.schema import BODY_PARAMETERS, HANDS_OF_BODY, LEFT, NO_MODEL, RIGHT, STORED_CONDITIONS

DRAWING_VERSION = 1
"""Raised with every change of drawing or coding that can change a stored image."""

_SIDES = {LEFT: "left", RIGHT: "right"}


class Models(Protocol):
    """Body models by name; `side`, left or right, is of a model that is a hand."""

    def __call__(self, name: str, **options: Any) -> BodyModel:
        """The model. Raises ModelFileError."""
        ...


def load_models(folder: Path | None = None, colours: Path | None = None) -> Models:
    """Models that are loaded when they are first asked for, and kept.

    `folder` holds the user's own files of the licensed models (smplx, mano), `colours` is a file of the
    colours of SMPL-X's vertices to be used instead of made ones.
    """

    @functools.cache
    def load(name: str, **options: Any) -> BodyModel:
        if name != "smplx" or colours is None:
            return load_body_model(name, folder, **options)
        try:
            return load_body_model(name, folder, colours=colours, **options)
        except ValueError as error:
            # The colours' own error is of a module that imports torch, which shards does not.
            raise ModelFileError(str(error)) from error

    return load


@dataclass(frozen=True)
class FrameSurfaces:
    """What stands before the cameras in one frame, in metres in OpenCV's camera axes.

    body is None where there is none. The cameras are K in pixels of the stored frame; the hands may have one
    of their own.
    """

    body: PosedMesh | None
    hands: tuple[Hand, ...]
    body_camera: Float[np.ndarray, "3 3"]
    hands_camera: Float[np.ndarray, "3 3"]


def drawable_conditions(poses: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """Which of smpl_cs and hands the sample has the parameters of."""
    has_body, has_hands = (str(poses[name][0]) != NO_MODEL for name in ("body_model", "hand_model"))
    return tuple(
        name for name, is_there in zip(STORED_CONDITIONS, (has_body, has_hands), strict=True) if is_there
    )


def frame_surfaces(poses: Mapping[str, np.ndarray], number: int, models: Models) -> FrameSurfaces:
    """The surfaces of that frame of a clip, from the arrays of POSES. Raises ModelFileError."""
    body, body_K = None, np.eye(3)
    patches: tuple[Hand, ...] = ()
    if poses["body_surface_valid"][number]:
        body_K = poses["camera_K"][number]
        model = models(str(poses["body_model"][0]))
        to_camera = poses["world_to_camera"][number]
        (vertices,) = model.surface(body_parameters(poses, [number])).vertices
        vertices = vertices @ to_camera[:3, :3].T + to_camera[:3, 3]
        body = PosedMesh(vertices, model.triangles, model.colours)
        patches = tuple(
            Hand(vertices[patch.vertices], patch.triangles, is_right=hand == RIGHT)
            for hand, patch in enumerate(model.hands)
        )
    valid = np.flatnonzero(poses["hand_surface_valid"][number]).tolist()
    if str(poses["hand_model"][0]) == HANDS_OF_BODY:
        return FrameSurfaces(body, tuple(patches[hand] for hand in valid), body_K, body_K)
    hands = tuple(_separate_hand(poses, number, hand, models) for hand in valid)
    return FrameSurfaces(body, hands, body_K, poses["hand_camera_K"][number] if hands else np.eye(3))


def body_parameters(poses: Mapping[str, np.ndarray], numbers: Sequence[int]) -> BodyParameters:
    """The body's parameters in those frames."""
    return BodyParameters(*(poses[name][list(numbers)] for name in BODY_PARAMETERS))


def _separate_hand(poses: Mapping[str, np.ndarray], number: int, hand: int, models: Models) -> Hand:
    """A hand of a model of its own, whose world is the hands' camera."""
    model = models(str(poses["hand_model"][0]), side=_SIDES[hand])
    pose, shape, translation = (
        poses[name][number, hand][None] for name in ("hand_pose", "hand_shape", "hand_translation")
    )
    no_expression = np.zeros((1, model.expression_count), np.float32)
    (vertices,) = model.surface(BodyParameters(pose, shape, no_expression, translation)).vertices
    return Hand(vertices, model.triangles, is_right=hand == RIGHT)


def draw_surface_condition(
    name: str, surfaces: FrameSurfaces, size: tuple[int, int], stored_size: tuple[int, int]
) -> UInt8[np.ndarray, "height width 3"]:
    """The image of smpl_cs or hands, RGB on black, of `size`, both sizes (height, width); black where nobody
    is. Raises OffscreenError, and ValueError for another name.
    """
    # A pixel's middle lies half a pixel in, so that scaling an image scales every coordinate.
    to_size = np.array([size[1] / stored_size[1], size[0] / stored_size[0], 1.0])[:, None]
    if name == "smpl_cs":
        people = [surfaces.body] if surfaces.body is not None else []
        return draw_smpl_cs(people, surfaces.body_camera * to_size, size)[0]
    if name == "hands":
        return draw_hands(surfaces.hands, surfaces.hands_camera * to_size, size)[0]
    raise ValueError(f"{name!r} is not drawn from a surface: smpl_cs and hands are")


def draw_surface_conditions(
    poses: Mapping[str, np.ndarray],
    numbers: Sequence[int],
    size: tuple[int, int],
    stored_size: tuple[int, int],
    models: Models,
) -> Iterator[tuple[UInt8[np.ndarray, "height width 3"], UInt8[np.ndarray, "height width 3"]]]:
    """The images of smpl_cs and hands for those frames, one frame's surface in memory at a time.

    size and stored_size are (height, width). Raises ModelFileError for a body model that cannot be loaded,
    and OffscreenError without an off-screen platform.
    """
    for number in numbers:
        surfaces = frame_surfaces(poses, number, models)
        yield (
            draw_surface_condition("smpl_cs", surfaces, size, stored_size),
            draw_surface_condition("hands", surfaces, size, stored_size),
        )
