"""What hands and forearms must not pass through: capsules about trunk, head and thighs, fitted to the body,
and the points of the arms that are kept off them and off each other.

Dimension names: poses, capsules, sides (left, right), points (of one arm).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from renderers.mannequin.person import BODY_VERTICES, Person
from renderers.mannequin.pose import SIDES, Rig, dot

_SLABS = (
    ("root", -0.04),
    ("spine05", 0.05),
    ("spine04", 0.02),
    ("spine03", 0.02),
    ("spine02", 0.04),
    ("spine01", 0.01),
)
_TRUNK = ("root", "pelvis", "spine", "clavicle", "breast", "neck01")
_HAND_BONES = (
    *("finger1-2", "finger1-3", "finger2-1", "finger3-1", "finger5-1"),
    *("finger2-2", "finger3-2", "finger4-2", "finger5-2"),
    *("finger2-3", "finger3-3", "finger4-3", "finger5-3"),
)
ARM_RADII = np.array(
    [0.045, 0.040, 0.032, 0.026, *(0.014, 0.012, 0.018, 0.018, 0.018), *[0.012] * 4, *[0.010] * 9]
)
"""How thick an arm is, in metres, about each of its points: elbow, the middle of the forearm, above the
wrist, wrist, thumb, knuckles, the fingers' middle and end joints and the tips of thumb and fingers."""

HAND_START = 3
"""The points from this one on are the hand's."""


@dataclass(frozen=True)
class Capsules:
    """Line segments at rest with a radius in metres, each going with one bone."""

    starts: Float[np.ndarray, "capsules 3"]
    ends: Float[np.ndarray, "capsules 3"]
    radii: Float[np.ndarray, "capsules"]
    bones: Int[np.ndarray, "capsules"]

    def posed(
        self, transforms: Float[np.ndarray, "poses bones 3 4"]
    ) -> tuple[Float[np.ndarray, "poses capsules 3"], Float[np.ndarray, "poses capsules 3"]]:
        """Where the segments start and end in poses."""
        moving = transforms[:, self.bones]
        starts = np.einsum("tcij,cj->tci", moving[..., :3], self.starts) + moving[..., 3]
        ends = np.einsum("tcij,cj->tci", moving[..., :3], self.ends) + moving[..., 3]
        return starts, ends


def body_capsules(person: Person) -> Capsules:
    """Capsules about pelvis, waist, chest, neck, head and thighs."""
    points = person.vertices[:BODY_VERTICES]
    follows = np.array(person.bones)[person.weights[:BODY_VERTICES].toarray().argmax(axis=1)]
    trunk = points[np.any([np.char.startswith(follows, name) for name in _TRUNK], axis=0)]
    found: list[tuple[str, np.ndarray, np.ndarray, float]] = []
    for bone, above in _SLABS:
        height = person.head(bone)[2] + above
        found.append((bone, *_across(trunk[np.abs(trunk[:, 2] - height) < 0.04], height)))
    left, right = (person.head(f"upperarm01.{side}") * [0.75, 1, 1] for side in SIDES)
    found.append(("spine01", left, right, 0.06))
    found.append(("neck01", person.head("neck01") - [0, 0, 0.02], person.head("head"), 0.055))
    skull = points[(follows == "head") & (points[:, 2] > person.head("head")[2] - 0.04)]
    radius = 0.5 * float(np.ptp(skull[:, 0])) + 0.008
    back, front = skull[:, 1].max() - radius, skull[:, 1].min() + radius + 0.015
    top, chin = skull[:, 2].max() - radius, person.head("head")[2] + 0.02
    found.append(("head", np.array([0, back, top]), np.array([0, front, top]), radius))
    found.append(("head", np.array([0, front, top]), np.array([0, front, chin]), 0.8 * radius))
    for side in SIDES:
        hip, knee = person.head(f"upperleg01.{side}"), person.head(f"lowerleg01.{side}")
        leg = points[np.char.startswith(follows, "upperleg") & np.char.endswith(follows, f".{side}")]
        slab = leg[np.abs(leg[:, 2] - (0.7 * hip + 0.3 * knee)[2]) < 0.03]
        radius = 0.25 * float(np.ptp(slab[:, 0]) + np.ptp(slab[:, 1]))
        middle = slab.mean(axis=0)
        found.append((f"upperleg01.{side}", middle + 0.3 * (hip - knee), 0.5 * (middle + knee), radius))
    bones, starts, ends, radii = zip(*found, strict=True)
    return Capsules(
        np.array(starts), np.array(ends), np.array(radii), np.array([person.bone(bone) for bone in bones])
    )


def _across(slab: Float[np.ndarray, "points 3"], height: float) -> tuple[np.ndarray, np.ndarray, float]:
    """A level capsule from side to side about a slab of the trunk."""
    back, front = slab[:, 1].max(), slab[:, 1].min()
    radius = (back - front) / 2
    reach = max(float(np.abs(slab[:, 0]).max()) - radius, 0.0)
    centre = np.array([0.0, (back + front) / 2, height])
    aside = np.array([reach, 0.0, 0.0])
    return centre - aside, centre + aside, radius


def off_capsules(
    points: Float[np.ndarray, "poses points 3"],
    starts: Float[np.ndarray, "poses capsules 3"],
    ends: Float[np.ndarray, "poses capsules 3"],
    radii: Float[np.ndarray, "capsules"],
) -> tuple[Float[np.ndarray, "poses points capsules"], Float[np.ndarray, "poses points capsules 3"]]:
    """How far points are outside capsules (negative inside), and the directions out of them."""
    along = (ends - starts)[:, None]
    offset = points[:, :, None] - starts[:, None]
    share = np.clip(dot(offset, along) / np.maximum(dot(along, along), 1e-9), 0, 1)
    away = offset - share[..., None] * along
    distance = np.sqrt(dot(away, away))
    return distance - radii, away / np.maximum(distance, 1e-6)[..., None]


def hand_points(
    rig: Rig, side: int, transforms: Float[np.ndarray, "poses bones 3 4"]
) -> Float[np.ndarray, "poses points 3"]:
    """The hand's points as seen from the wrist, along the hand's axes (along, palm, their cross product)."""
    name = SIDES[side]

    def places(bones: tuple[str, ...]) -> np.ndarray:
        numbers = [rig.number[f"{bone}.{name}"] for bone in bones]
        moving = transforms[:, numbers]
        return np.einsum("tbij,bj->tbi", moving[..., :3], rig.heads[numbers]) + moving[..., 3]

    wrist = places(("wrist",))
    joints = places(_HAND_BONES)
    last, before = (places(tuple(f"finger{finger}-{joint}" for finger in range(1, 6))) for joint in (3, 2))
    # The last bone of a finger has no bone after it that would say how long it is.
    points = np.concatenate([wrist, joints, last + 0.9 * (last - before)], axis=1) - wrist
    axes = transforms[:, rig.number[f"wrist.{name}"], :, :3] @ rig.arm_frames[side, 2]
    return points @ axes


def arm_points(
    elbow: Float[np.ndarray, "poses 3"],
    wrist: Float[np.ndarray, "poses 3"],
    hand: Float[np.ndarray, "poses 3 3"],
    in_hand: Float[np.ndarray, "poses hand_points 3"],
) -> Float[np.ndarray, "poses points 3"]:
    """The points of an arm, from its elbow, wrist, the hand's axes, and `hand_points`."""
    forearm = np.stack([elbow, 0.5 * (elbow + wrist), 0.2 * elbow + 0.8 * wrist], axis=1)
    return np.concatenate([forearm, wrist[:, None] + in_hand @ hand.swapaxes(1, 2)], axis=1)
