"""What of Anny's skeleton the fit moves, as angles about fixed axes, and where keypoints are then.

Every bone's rotation relative to its parent is `start @ exp(angles @ axes)`: one rotation in closed form
(`start.py`), then the angles that are refined. A hinge has one axis; the five bones of the spine share three.

Dimension names: frames F, bones B (those of Anny's that move or lead to a keypoint), angles A, points 133,
shapes 5 (the phenotypes in SHAPED).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from renderers.mannequin.keypoints import keypoint_places
from renderers.mannequin.person import Person, Shape, make_person
from renderers.mannequin.pose import SIDES, Rig, bend_between, rig_of

STANDARD = Shape(gender=0.5, age=0.67, muscle=0.5, weight=0.5, height=0.4, proportions=0.7)
"""A young adult between the sexes: what the fit begins with."""

SHAPED = {"gender": 0.4, "muscle": 0.15, "weight": 0.2, "height": 0.1, "proportions": 0.2}
"""The phenotypes that are fitted, and how far people commonly are from STANDARD. Keypoints show no age."""

_SHAPE_STEP = 0.05


@dataclass(frozen=True)
class Angle:
    """One angle of the fit: by what share it turns which bones, about which axis at rest.

    spread is how far it commonly strays from its middle, in radians; no body goes beyond low and high.
    """

    name: str
    shares: dict[str, float]
    axis: Float[np.ndarray, "3"]
    spread: float
    low: float = -np.pi
    high: float = np.pi
    middle: float = 0.0


@dataclass(frozen=True)
class FitRig:
    """A body at rest, and its angles.

    `used` are the numbers of the bones in the person's own list, parents before children. point_bone is the
    bone (a place in `used`) that a keypoint follows. head_shapes and point_shapes say how heads of bones and
    keypoints at rest move with each phenotype of SHAPED. parents are places, of all bones but the first. A
    level is the places of bones, and where their parents are in the level before.
    """

    shape: Shape
    person: Person
    rest: Rig
    used: Int[np.ndarray, "bones"]
    angles: tuple[Angle, ...]
    axes: Float[Tensor, "angles bones_3"]
    heads: Float[Tensor, "bones 3"]
    points: Float[Tensor, "points 3"]
    head_shapes: Float[Tensor, "shapes bones 3"]
    point_shapes: Float[Tensor, "shapes points 3"]
    point_bone: Int[Tensor, "points"]
    parents: Int[Tensor, "bones-1"]
    levels: tuple[tuple[slice, Tensor], ...]

    def angle(self, name: str) -> int:
        """The number of an angle."""
        return next(number for number, angle in enumerate(self.angles) if angle.name == name)

    def bone(self, name: str) -> int:
        """The place of a bone in `used`."""
        return int(np.flatnonzero(self.used == self.person.bone(name))[0])

    def at_rest(self, shape: Float[Tensor, "shapes"]) -> tuple[Tensor, Tensor]:
        """Heads of the bones and keypoints at rest of a body whose phenotypes differ by so much."""
        return (
            self.heads + torch.tensordot(shape, self.head_shapes, 1),
            self.points + torch.tensordot(shape, self.point_shapes, 1),
        )

    def local(
        self, start: Float[Tensor, "frames bones 3 3"], angles: Float[Tensor, "frames angles"]
    ) -> Float[Tensor, "frames bones 3 3"]:
        """Each bone's rotation relative to its parent."""
        return start @ rotation_of((angles @ self.axes).reshape(len(angles), -1, 3))

    def keypoints(
        self,
        local: Float[Tensor, "frames bones 3 3"],
        heads: Float[Tensor, "bones 3"],
        points: Float[Tensor, "points 3"],
    ) -> Float[Tensor, "frames 133 3"]:
        """Where the 133 keypoints are, with the first bone's beginning at 0 and the face at rest."""
        offsets = torch.cat([torch.zeros(1, 3), heads[1:] - heads[self.parents]])
        steps = torch.cat([local, offsets[:, :, None].expand(len(local), -1, -1, -1)], 3)
        # Rotation and shift as one matrix: a bone's place is its parent's, then its own step.
        steps = torch.cat([steps, _LAST_ROW.expand(*steps.shape[:2], 1, 4)], 2)
        placed = [steps[:, :1]]
        for here, above in self.levels:
            placed.append(placed[-1].index_select(1, above) @ steps[:, here])
        at_points = torch.cat(placed, 1).index_select(1, self.point_bone)
        from_head = (points - heads[self.point_bone])[..., None]
        return (at_points[..., :3, :3] @ from_head)[..., 0] + at_points[..., :3, 3]


_LAST_ROW = torch.tensor([0.0, 0.0, 0.0, 1.0])


def rotation_of(vectors: Float[Tensor, "*some 3"]) -> Float[Tensor, "*some 3 3"]:
    """The rotations of rotation vectors, differentiable at 0."""
    square = (vectors * vectors).sum(-1)
    angle = torch.sqrt(square + 1e-16)
    first, second = torch.sin(angle) / angle, (1 - torch.cos(angle)) / (angle * angle)
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*vectors.shape, 3)
    outer = vectors[..., :, None] * vectors[..., None, :]
    return (
        torch.eye(3, dtype=vectors.dtype) * (1 - second * square)[..., None, None]
        + first[..., None, None] * skew
        + second[..., None, None] * outer
    )


def fit_rig(shape: Shape, may_change: bool = True) -> FitRig:
    """The rig of a body; with may_change False, of one whose phenotypes are settled."""
    person = make_person(shape)
    places = keypoint_places(person)
    angles = tuple(_angles(rig_of(person)))
    # A face's points follow the skin, which the neck and jaw move a little; the head is near enough.
    following = np.full(len(places.at_rest), person.bone("head"))
    rigid = [*range(5, 23), *range(91, 133)]
    following[rigid] = places.weights.toarray()[rigid].argmax(1)
    used, parents, levels = _used_bones(
        person, {*(person.bone(name) for angle in angles for name in angle.shares), *following.tolist()}
    )
    place = {int(bone): number for number, bone in enumerate(used)}
    axes = np.zeros((len(angles), len(used), 3))
    for number, angle in enumerate(angles):
        for name, share in angle.shares.items():
            axes[number, place[person.bone(name)]] = share * angle.axis
    head_shapes = np.zeros((len(SHAPED), *person.heads[used].shape))
    point_shapes = np.zeros((len(SHAPED), *places.at_rest.shape))
    for number, name in enumerate(SHAPED if may_change else ()):
        other = make_person(replace(shape, **{name: getattr(shape, name) + _SHAPE_STEP}))
        head_shapes[number] = (other.heads[used] - person.heads[used]) / _SHAPE_STEP
        point_shapes[number] = (keypoint_places(other).at_rest - places.at_rest) / _SHAPE_STEP
    return FitRig(
        shape=shape,
        person=person,
        rest=rig_of(person),
        used=used,
        angles=angles,
        axes=tensor(axes.reshape(len(angles), -1)),
        heads=tensor(person.heads[used]),
        points=tensor(places.at_rest),
        head_shapes=tensor(head_shapes),
        point_shapes=tensor(point_shapes),
        point_bone=torch.as_tensor([place[bone] for bone in following.tolist()]),
        parents=torch.as_tensor(parents[1:]),
        levels=tuple(
            (slice(here[0], here[-1] + 1), torch.as_tensor(parents[here] - before[0]))
            for before, here in pairwise([[0], *levels])
        ),
    )


def _used_bones(
    person: Person, wanted: set[int]
) -> tuple[Int[np.ndarray, "bones"], Int[np.ndarray, "bones"], list[list[int]]]:
    """The wanted bones and all that lead to them, by how many lead to each; the place of each one's parent;
    and the places of those at equal depth, from the second level on."""
    depth: dict[int, int] = {}

    def reach(bone: int) -> int:
        if bone not in depth:
            parent = person.parents[bone]
            depth[bone] = reach(parent) + 1 if parent >= 0 else 0
        return depth[bone]

    for bone in sorted(wanted):
        reach(bone)
    used = sorted(depth, key=lambda bone: (depth[bone], bone))
    parents = [used.index(person.parents[bone]) if person.parents[bone] >= 0 else -1 for bone in used]
    levels = [
        [place for place, bone in enumerate(used) if depth[bone] == level]
        for level in range(1, max(depth.values()) + 1)
    ]
    return np.array(used), np.array(parents), levels


def tensor(values: np.ndarray) -> Tensor:
    """The values in the fit's own precision, float32."""
    return torch.as_tensor(np.ascontiguousarray(values), dtype=torch.float32)


_SPINE = {f"spine0{number}": 0.2 for number in range(1, 6)}
_NECK = {"neck01": 0.2, "neck02": 0.2, "neck03": 0.2, "head": 0.4}
_FREE = (3.0, 3.0, 3.0)
"""Spreads of a joint that goes wherever what is seen says."""


def _ball(name: str, shares: dict[str, float], spreads: tuple[float, float, float]) -> Iterator[Angle]:
    for axis, letter, spread in zip(np.eye(3), "xyz", spreads, strict=True):
        yield Angle(f"{name}.{letter}", shares, axis, spread)


def _angles(rest: Rig) -> Iterator[Angle]:
    """All angles. Ranges of motion are those of `renderers.mannequin.limits` (AAOS), with some room."""
    yield from _ball("root", {"root": 1.0}, _FREE)
    yield from _ball("spine", _SPINE, (0.35, 0.25, 0.35))
    yield from _ball("neck", _NECK, (0.5, 0.4, 0.7))
    for side, letter in enumerate(SIDES):
        yield from _arm_angles(rest, side, letter)
        yield from _thumb_angles(rest, side, letter)
        for finger in range(2, 6):
            yield from _finger_angles(rest, side, letter, finger)
        yield from _leg_angles(rest, side, letter)


def _arm_angles(rest: Rig, side: int, letter: str) -> Iterator[Angle]:
    upper, fore, hand = rest.arm_frames[side]
    bent = float(np.arccos(np.clip(upper[:, 0] @ fore[:, 0], -1, 1)))
    elbow, forearm, wrist = ({f"{bone}.{letter}": 1.0} for bone in ("lowerarm01", "lowerarm02", "wrist"))
    yield from _ball(f"clavicle.{letter}", {f"clavicle.{letter}": 1.0}, (0.03, 0.15, 0.15))
    yield from _ball(f"upperarm.{letter}", {f"upperarm01.{letter}": 1.0}, _FREE)
    yield Angle(f"elbow.{letter}", elbow, fore[:, 1], 1.2, -0.1 - bent, 2.6 - bent, 0.8)
    yield Angle(f"forearm.{letter}", forearm, fore[:, 0], 0.8, -1.7, 1.7)
    yield Angle(f"wrist_bend.{letter}", wrist, np.cross(hand[:, 0], hand[:, 1]), 0.5, -1.4, 1.4)
    yield Angle(f"wrist_aside.{letter}", wrist, hand[:, 1], 0.25, -0.6, 0.6)
    yield Angle(f"wrist_twist.{letter}", wrist, hand[:, 0], 0.2, -0.5, 0.5)


def _thumb_angles(rest: Rig, side: int, letter: str) -> Iterator[Angle]:
    axis = rest.finger_axes[side, 0]
    yield from _ball(f"thumb.{letter}", {f"finger1-1.{letter}": 1.0}, (0.4, 0.4, 0.4))
    yield Angle(f"finger1_2.{letter}", {f"finger1-2.{letter}": 1.0}, axis, 0.4, -0.3, 1.2, 0.2)
    yield Angle(f"finger1_3.{letter}", {f"finger1-3.{letter}": 1.0}, axis, 0.5, -0.5, 1.4, 0.3)


def _finger_angles(rest: Rig, side: int, letter: str, finger: int) -> Iterator[Angle]:
    axis, bent = rest.finger_axes[side, finger - 1], rest.straight[side, finger - 1]
    base, middle, end = ({f"finger{finger}-{joint}.{letter}": 1.0} for joint in (1, 2, 3))
    yield Angle(f"finger{finger}_1.{letter}", base, axis, 0.6, -0.6 - bent[0], 1.7 - bent[0], 0.3)
    yield Angle(f"finger{finger}_aside.{letter}", base, rest.palms[side], 0.2, -0.5, 0.5)
    yield Angle(f"finger{finger}_2.{letter}", middle, axis, 0.7, -0.1 - bent[1], 1.9 - bent[1], 0.5)
    yield Angle(f"finger{finger}_3.{letter}", end, axis, 0.5, -0.2, 1.5, 0.3)


def _leg_angles(rest: Rig, side: int, letter: str) -> Iterator[Angle]:
    thigh, shin = rest.leg_frames[side]
    bent = float(bend_between(thigh[:, 0], shin[:, 0], shin[:, 1]))
    knee = {f"lowerleg01.{letter}": 1.0}
    yield from _ball(f"thigh.{letter}", {f"upperleg01.{letter}": 1.0}, _FREE)
    # About this axis a knee bends backwards.
    yield Angle(f"knee.{letter}", knee, shin[:, 1], 1.0, -2.6 - bent, 0.05 - bent, -0.3)
    yield from _ball(f"foot.{letter}", {f"foot.{letter}": 1.0}, (0.4, 0.2, 0.3))
