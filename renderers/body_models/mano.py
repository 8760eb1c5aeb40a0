"""The body model `mano`: one hand, on the package smplx and the user's own MANO_RIGHT.pkl.

A left hand is the mirror image of the right one, as HaMeR has it: its pose and shape are those of the right
hand that it is in a mirror, and its translation is its own.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import numpy as np
import smplx
import torch
from jaxtyping import Float
from smplx.joint_names import JOINT_NAMES
from smplx.vertex_ids import vertex_ids

from renderers.body_models.batches import batches
from renderers.body_models.interface import BodyParameters, HandPatch, Surface
from renderers.body_models.model_file import (
    Expected,
    Source,
    checked,
    find_model_file,
    kinematic_tree,
    read_model_file,
)
from renderers.body_models.stand_ins import check_kind, is_among_stand_ins
from renderers.hands import LEFT_COLOUR, MANO_WRIST, RIGHT_COLOUR

_SOURCE = Source(
    names=("MANO_RIGHT.pkl",),
    address="https://mano.is.tue.mpg.de",
    terms="MANO: non-commercial scientific research",
)

_VERTICES, _JOINTS = 778, 16

_EXPECTED = {
    "v_template": Expected((_VERTICES, 3)),
    "shapedirs": Expected((_VERTICES, 3, 10)),
    "posedirs": Expected((_VERTICES, 3, 9 * (_JOINTS - 1))),
    "J_regressor": Expected((_JOINTS, _VERTICES)),
    "weights": Expected((_VERTICES, _JOINTS)),
    "hands_mean": Expected((3 * (_JOINTS - 1),)),
    "hands_components": Expected((3 * (_JOINTS - 1), 3 * (_JOINTS - 1))),
    "f": Expected((1538, 3), below=_VERTICES),
}

# From the 16 joints and 5 tips to the order of OpenPose's hand: wrist, then thumb to little finger, each from
# its root to its tip.
_LANDMARKS = [0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20]

_COLOURS = {"left": LEFT_COLOUR, "right": RIGHT_COLOUR}


class Mano:
    """A hand of 778 vertices, in metres, in the axes of the published file.

    The pose is of the wrist (the hand's turn in the world) and 15 finger joints, from the flat hand: the
    file's mean pose is not added. Both sides take the parameters of a right hand. Colours are one for the
    whole hand: those that RealisDance draws left and right hands in.
    """

    name = "mano"
    licence = f"{_SOURCE.terms} ({_SOURCE.address})"
    units = "metre"
    joint_names: tuple[str, ...] = (
        "wrist",
        *(name.removeprefix("right_") for name in JOINT_NAMES[40:55]),
    )
    shape_count = 10
    expression_count = 0
    hands: tuple[HandPatch, ...] = ()
    colour_scalar = None

    def __init__(self, folder: Path | None, side: Literal["left", "right"] = "right") -> None:
        """Load the hand. Raises ModelFileError if the file is missing or not right."""
        if side not in _COLOURS:
            raise ValueError(f"side is {side!r}: give left or right.")
        path = find_model_file(folder, _SOURCE)
        read = read_model_file(path)
        check_kind(read, path, is_among_stand_ins(path))
        arrays = checked(read, _EXPECTED, path)
        arrays["kintree_table"] = kinematic_tree(read, _JOINTS, path)
        self.side = side
        closed = np.concatenate([arrays["f"], MANO_WRIST])
        self.triangles = closed if side == "right" else closed[:, [0, 2, 1]]
        self.colours = np.full((_VERTICES, 3), _COLOURS[side], np.uint8)
        # The package prints that ten shapes are few: they are what estimators give.
        with contextlib.redirect_stdout(io.StringIO()):
            self._model = smplx.MANO(
                "",
                data_struct=SimpleNamespace(**arrays),
                is_rhand=True,
                use_pca=False,
                flat_hand_mean=True,
            )
        self._tips = list(vertex_ids["mano"].values())

    def surface(self, parameters: BodyParameters) -> Surface:
        """The hand in every frame, float32. Raises ValueError for parameters that are not a hand's."""
        count = len(parameters.pose)
        vertices = np.empty((count, _VERTICES, 3), np.float32)
        joints = np.empty((count, _JOINTS, 3), np.float32)
        across = np.array([1 if self.side == "right" else -1, 1, 1], np.float32)
        with torch.no_grad():
            for batch in batches(self, parameters):
                hand = self._model(
                    betas=batch.shape,
                    global_orient=batch.pose[:, 0],
                    hand_pose=batch.pose[:, 1:].flatten(1),
                    transl=torch.zeros_like(batch.translation),
                )
                moved = batch.translation.numpy()[:, None]
                vertices[batch.frames] = hand.vertices.numpy() * across + moved
                joints[batch.frames] = hand.joints.numpy() * across + moved
        return Surface(vertices, joints)

    def landmarks(self, parameters: BodyParameters) -> Float[np.ndarray, "frames 21 3"]:
        """The joints and fingertips in OpenPose's order, in metres in the model's world."""
        surface = self.surface(parameters)
        points = np.concatenate([surface.joints, surface.vertices[:, self._tips]], axis=1)
        return points[:, _LANDMARKS]

    def mirrored(self, parameters: BodyParameters) -> BodyParameters:
        """The parameters of the mirror image, which is a hand of the other side. Exact."""
        return replace(parameters, translation=parameters.translation * [-1, 1, 1])
