"""The conditions that are drawn from a surface, smpl_cs and hands, from the numbers of poses.npz: for the
pipelines at extraction, and for readers at any size afterwards.

Dimension names: frames F, hands 2 (left, right), joints J.
"""

from __future__ import annotations

import functools
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, UInt8

from renderers.body_models.interface import BodyModel, BodyParameters
from renderers.body_models.load import load_body_model
from renderers.hands import Hand, draw_hands
from renderers.lit_meshes import PosedMesh
from renderers.smpl_cs import draw_smpl_cs
from shards.coding import encode_lossless
from shards.schema import (
    BODY_PARAMETERS,
    HANDS_OF_BODY,
    LEFT,
    NO_MODEL,
    RIGHT,
    STORED_CONDITIONS,
    Member,
    SampleError,
    condition_name,
)

DRAWING_VERSION = 1
"""Raised with every change of drawing or coding that can change a stored image."""

_SIDES = {LEFT: "left", RIGHT: "right"}

_OTHER_VERSION = "the sample is damaged, or of another version of the model, which is needed to draw it"


class Models(Protocol):
    """Body models by name; `side`, left or right, is of a model that is a hand."""

    def __call__(self, name: str, **options: Any) -> BodyModel:
        """The model. Raises ModelFileError."""
        ...


def load_models(folder: Path | None = None, colours: Path | None = None) -> Models:
    """Models that are loaded when they are first asked for, and kept.

    `folder` holds the user's own files of the licensed models (smplx, mano), `colours` is a file of the
    colours of a body's vertices to be used instead of made ones.
    """
    return functools.cache(functools.partial(load_body_model, folder=folder, colours=colours))


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
    """The surfaces of that frame of a clip, from the arrays of POSES.

    Raises ModelFileError, and SampleError for parameters that are not those of the model.
    """
    body, body_K = None, np.eye(3)
    patches: tuple[Hand, ...] = ()
    if poses["body_surface_valid"][number]:
        body_K = poses["camera_K"][number]
        model = models(str(poses["body_model"][0]))
        check_body(poses, model)
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


def check_body(poses: Mapping[str, np.ndarray], model: BodyModel) -> None:
    """Raise SampleError unless the body's parameters are those that the model takes: of its joints in their
    order, and as many numbers of shape and expression.
    """
    counts = {"body_shape": model.shape_count, "body_expression": model.expression_count}
    _check_parameters(poses, "body_joints", counts, model)


def _check_parameters(
    poses: Mapping[str, np.ndarray], joints: str, counts: Mapping[str, int], model: BodyModel
) -> None:
    """check_poses has seen that the pose has as many joints as are named."""
    names: list[str] = poses[joints].tolist()
    if tuple(names) != model.joint_names:
        pairs = itertools.zip_longest(names, model.joint_names, fillvalue="none")
        one, other = next(pair for pair in pairs if pair[0] != pair[1])
        raise SampleError(
            f"poses.npz: {joints} names {len(names)} joints, and {model.name} has {len(model.joint_names)} "
            f"here; the first to differ is {one}, where the model has {other}: {_OTHER_VERSION}"
        )
    for name, wanted in counts.items():
        if poses[name].shape[-1] != wanted:
            raise SampleError(
                f"poses.npz: {name} has {poses[name].shape[-1]} numbers, and {model.name} takes {wanted} "
                f"here: {_OTHER_VERSION}"
            )


def body_parameters(poses: Mapping[str, np.ndarray], numbers: Sequence[int]) -> BodyParameters:
    """The body's parameters in those frames."""
    return BodyParameters(*(poses[name][list(numbers)] for name in BODY_PARAMETERS))


def _separate_hand(poses: Mapping[str, np.ndarray], number: int, hand: int, models: Models) -> Hand:
    """A hand of a model of its own, whose world is the hands' camera."""
    model = models(str(poses["hand_model"][0]), side=_SIDES[hand])
    _check_parameters(poses, "hand_joints", {"hand_shape": model.shape_count}, model)
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


def condition_members(
    poses: Mapping[str, np.ndarray],
    conditions: Sequence[str],
    size: tuple[int, int],
    stored_size: tuple[int, int],
    models: Models,
    on_frame: Callable[[], object] = lambda: None,
    frames: Iterable[int] | None = None,
) -> Iterator[Member]:
    """The members of those of smpl_cs and hands, drawn one frame after the other and coded meanwhile.

    Without `frames` of all; with it, each when it is given, whose numbers must be in `poses` by then.

    size and stored_size are (height, width). `on_frame` is called after each frame. Raises ModelFileError for
    a body model that cannot be loaded, SampleError for parameters that are not its, and OffscreenError.
    """
    coding: deque[tuple[str, Future[bytes]]] = deque()
    with ThreadPoolExecutor(1, "code") as coder:
        for number in range(len(poses["frame"])) if frames is None else frames:
            surfaces = frame_surfaces(poses, number, models)
            for name in conditions:
                image = draw_surface_condition(name, surfaces, size, stored_size)
                coding.append((condition_name(name, number), coder.submit(encode_lossless, image)))
            while len(coding) > _WAITING:
                yield _coded(*coding.popleft())
            on_frame()
        while coding:
            yield _coded(*coding.popleft())


_WAITING = 4
"""Images that may wait to be coded, while the next ones are drawn."""


def _coded(name: str, data: Future[bytes]) -> Member:
    return Member(name, data.result())
