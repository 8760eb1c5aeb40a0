"""What every body model takes and gives: parameters in; vertices, joints, triangles and colours out, and of
a whole body the scalar that its colours are made of.

Dimension names: frames F, joints J (of the model), vertices V, triangles T, hands 2 (left, right).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float, Int, UInt8


@dataclass(frozen=True)
class BodyParameters:
    """One person, or one hand, over the frames of a clip.

    pose is each joint's rotation from rest relative to its parent, as a rotation vector in radians, in the
    axes of the model at rest; shape and expression are the model's own numbers; translation is how far the
    posed body is moved, in metres, in the model's world.
    """

    pose: Float[np.ndarray, "frames joints 3"]
    shape: Float[np.ndarray, "frames shapes"]
    expression: Float[np.ndarray, "frames expressions"]
    translation: Float[np.ndarray, "frames 3"]


@dataclass(frozen=True)
class Surface:
    """Where a body is, in metres in the model's world. The joints are those of `BodyModel.joint_names`."""

    vertices: Float[np.ndarray, "frames vertices 3"]
    joints: Float[np.ndarray, "frames joints 3"]


@dataclass(frozen=True)
class HandPatch:
    """The part of a body's surface that is a hand: which of the body's vertices, and the triangles between
    them (numbered within the patch), with the wrist closed."""

    vertices: Int[np.ndarray, "patch"]
    triangles: Int[np.ndarray, "triangles 3"]


class BodyModel(Protocol):
    """A loaded body model.

    `name` is its name in poses.npz; `licence` the terms of its data; `units` those of its lengths.
    `joint_names` names the joints axis of `pose`; shape_count and expression_count are the lengths of those
    axes.
    """

    name: str
    licence: str
    units: str
    joint_names: tuple[str, ...]
    shape_count: int
    expression_count: int
    triangles: Int[np.ndarray, "triangles 3"]

    @property
    def colours(self) -> UInt8[np.ndarray, "vertices 3"]:
        """The SMPL-CS colour of each vertex, RGB: made ones, or those of a file of the user's own."""
        ...

    @property
    def colour_scalar(self) -> Float[np.ndarray, "vertices"] | None:
        """The number of each vertex, in [0, 1], of which the made colours are OpenCV's JET (`colours.jet`).

        None for a hand, which has one colour. A file of colours of the user's own does not change it.
        """
        ...

    @property
    def hands(self) -> tuple[HandPatch, ...]:
        """The left and right hand's patches; empty where the model is a hand itself."""
        ...

    def surface(self, parameters: BodyParameters) -> Surface:
        """The body in every frame."""
        ...

    def mirrored(self, parameters: BodyParameters) -> BodyParameters:
        """The parameters of the mirror image, x negated in the model's world: left and right change places.

        Exact for a model whose template and shapes are symmetric.
        """
        ...
