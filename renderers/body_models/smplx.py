"""The body model `smplx`: a body with hands and face, on the package smplx and the user's own SMPL-X file.

Pose, shape and expression are as SMPLer-X stores them.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import smplx
import torch
from jaxtyping import Float, UInt8
from smplx.joint_names import JOINT_NAMES
from smplx.vertex_ids import vertex_ids

from renderers.body_models.batches import batches
from renderers.body_models.colours import RELEASED, kept_scalar, read_colours, vertex_colours
from renderers.body_models.errors import ModelFileError
from renderers.body_models.hand_patch import hand_patch
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

_SOURCE = Source(
    names=("SMPLX_NEUTRAL.npz", "SMPLX_NEUTRAL.pkl"),
    address="https://smpl-x.is.tue.mpg.de",
    terms="SMPL-X: non-commercial scientific research",
)

_SIDES = ("left", "right")

_VERTICES, _JOINTS, _TRIANGLES, _LANDMARKS = 10475, 55, 20908, 144

_EXPECTED = {
    "v_template": Expected((_VERTICES, 3)),
    "posedirs": Expected((_VERTICES, 3, 9 * (_JOINTS - 1))),
    "J_regressor": Expected((_JOINTS, _VERTICES)),
    "weights": Expected((_VERTICES, _JOINTS)),
    "f": Expected((_TRIANGLES, 3), below=_VERTICES),
    "lmk_faces_idx": Expected((51,), below=_TRIANGLES),
    "lmk_bary_coords": Expected((51, 3)),
    "dynamic_lmk_faces_idx": Expected((79, 17), below=_TRIANGLES),
    "dynamic_lmk_bary_coords": Expected((79, 17, 3)),
    "hands_meanl": Expected((45,)),
    "hands_meanr": Expected((45,)),
    "hands_componentsl": Expected((45, 45)),
    "hands_componentsr": Expected((45, 45)),
}

# Where the first of ten expressions is among the directions of a published file, by how many it has.
_EXPRESSIONS = {20: 10, 400: 300}

# What the package calls the vertices at places whose SMPL-CS colours are known (`colours.RELEASED`).
_FINGERS = {"thumb": "thumb", "index": "index", "middle": "middle", "ring": "ring", "pinky": "little"}
_FEET = {"BigToe": "big_toe", "SmallToe": "small_toe", "Heel": "heel"}
_PLACES = {
    "nose": "nose",
    **{f"{side[0]}ear": f"{side}_ear" for side in _SIDES},
    **{f"{side[0]}{tip}": f"{side}_{finger}_4" for side in _SIDES for tip, finger in _FINGERS.items()},
    **{f"{side[0].upper()}{own}": f"{side}_{part}" for side in _SIDES for own, part in _FEET.items()},
}


class Smplx:
    """The neutral SMPL-X body of 10475 vertices, in metres, y up and facing +z at rest.

    The pose is of the pelvis (the body's turn in the world), 21 joints of the body, jaw, left and right eye,
    and 15 joints of each hand, left first. Finger joints are turns from the file's mean hand pose
    (the package's flat_hand_mean=False), all others from the body at rest. Colours are the user's file of
    them, or else made from the template (`colours.vertex_colours`) when first asked for.
    """

    name = "smplx"
    licence = f"{_SOURCE.terms} ({_SOURCE.address})"
    units = "metre"
    joint_names: tuple[str, ...] = tuple(JOINT_NAMES[:_JOINTS])
    shape_count = 10
    expression_count = 10

    def __init__(self, folder: Path | None, colours: Path | None = None) -> None:
        """Load SMPLX_NEUTRAL.npz or .pkl, and a file of colours (`colours.read_colours`) if one is given.

        Raises ModelFileError or ColourFileError if a file is missing or not right.
        """
        self._own_colours = None if colours is None else read_colours(colours, _VERTICES)
        path = find_model_file(folder, _SOURCE)
        arrays = _arrays(path)
        self.triangles = arrays["f"]
        self._template = arrays["v_template"]
        self._weights = arrays["weights"]
        # The package reads its file with pickles allowed: it is given one that holds only checked arrays.
        # It prints that ten shapes and expressions are few: they are what estimators give.
        with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(io.StringIO()):
            clean = Path(place, "SMPLX_NEUTRAL.npz")
            np.savez(clean, **arrays)
            self._model = smplx.SMPLX(
                str(clean),
                ext="npz",
                use_pca=False,
                flat_hand_mean=False,
                use_face_contour=True,
                num_betas=self.shape_count,
                num_expression_coeffs=self.expression_count,
            )

    @cached_property
    def colours(self) -> UInt8[np.ndarray, "vertices 3"]:
        """The SMPL-CS colour of each vertex, RGB."""
        if self._own_colours is not None:
            return self._own_colours
        return vertex_colours(self._template, self.triangles, _anchors())

    @cached_property
    def colour_scalar(self) -> Float[np.ndarray, "vertices"]:
        """The number of each vertex that made colours are of, in [0, 1]."""
        return kept_scalar(self._template, self.triangles, _anchors())

    @cached_property
    def hands(self) -> tuple[HandPatch, ...]:
        """The left and right hand: what follows the wrist and finger joints by more than half."""
        return tuple(hand_patch(self.triangles, self._weights, _hand_joints(side)) for side in _SIDES)

    def surface(self, parameters: BodyParameters) -> Surface:
        """The body in every frame, float32. Raises ValueError for parameters that are not this model's."""
        vertices, points = self._posed(parameters)
        return Surface(vertices, points[:, :_JOINTS])

    def landmarks(self, parameters: BodyParameters) -> Float[np.ndarray, "frames 144 3"]:
        """The package's points in its order, in metres in the model's world: the joints, 21 vertices (nose to
        fingertips), 51 points of the face and 17 of its contour as seen from the front."""
        return self._posed(parameters)[1]

    def mirrored(self, parameters: BodyParameters) -> BodyParameters:
        """The parameters of the mirror image: joints of left and right change places.

        As exact as the file's template, shapes and mean hands are symmetric.
        """
        return replace(
            parameters,
            pose=parameters.pose[:, _OTHER_SIDE] * [1, -1, -1],
            translation=parameters.translation * [-1, 1, 1],
        )

    def _posed(
        self, parameters: BodyParameters
    ) -> tuple[Float[np.ndarray, "frames vertices 3"], Float[np.ndarray, "frames 144 3"]]:
        count = len(parameters.pose)
        vertices = np.empty((count, _VERTICES, 3), np.float32)
        points = np.empty((count, _LANDMARKS, 3), np.float32)
        with torch.no_grad():
            for batch in batches(self, parameters):
                pose = batch.pose
                body = self._model(
                    betas=batch.shape,
                    expression=batch.expression,
                    global_orient=pose[:, 0],
                    body_pose=pose[:, 1:22].flatten(1),
                    jaw_pose=pose[:, 22],
                    leye_pose=pose[:, 23],
                    reye_pose=pose[:, 24],
                    left_hand_pose=pose[:, 25:40].flatten(1),
                    right_hand_pose=pose[:, 40:].flatten(1),
                    transl=batch.translation,
                    return_shaped=False,
                )
                vertices[batch.frames] = body.vertices.numpy()
                points[batch.frames] = body.joints.numpy()
        return vertices, points


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """What the package reads, checked, with the first ten shapes and expressions only."""
    read = read_model_file(path)
    check_kind(read, path, is_among_stand_ins(path))
    arrays = checked(read, _EXPECTED, path)
    directions = read.get("shapedirs", np.empty((0, 0, 0)))
    counts = [count for count in _EXPRESSIONS if directions.shape == (_VERTICES, 3, count)]
    if not counts:
        raise ModelFileError(
            f"{path}: shapedirs is {directions.shape}, not ({_VERTICES}, 3, 20 or 400): is this the file of "
            "another model?"
        )
    first = _EXPRESSIONS[counts[0]]
    used = np.concatenate([directions[..., :10], directions[..., first : first + 10]], axis=2)
    arrays |= checked({"shapedirs": used}, {"shapedirs": Expected((_VERTICES, 3, 20))}, path)
    arrays["kintree_table"] = kinematic_tree(read, _JOINTS, path)
    return arrays


def _anchors() -> Mapping[int, float]:
    return {vertex_ids["smplx"][own]: RELEASED[place] for own, place in _PLACES.items()}


def _hand_joints(side: str) -> list[int]:
    first = Smplx.joint_names.index(f"{side}_index1")
    return [Smplx.joint_names.index(f"{side}_wrist"), *range(first, first + 15)]


def _other(name: str) -> str:
    side, _, rest = name.partition("_")
    return f"{_SIDES[side == 'left']}_{rest}" if side in _SIDES else name


_OTHER_SIDE = [Smplx.joint_names.index(_other(name)) for name in Smplx.joint_names]
