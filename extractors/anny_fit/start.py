"""A first pose in closed form, frame by frame, from MediaPipe's 3D landmarks: trunk, head, palms and feet
from the axes that their points span, limbs and fingers from the directions of their bones.

Dimension names: frames F, bones B and angles A of a `FitRig`, landmarks 33 (body) or 21 (hand), hands 2.
World axes: x to the right of the picture, y away from the camera, z up; metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from extractors.anny_fit.rig import FitRig
from renderers.mannequin.pose import (
    FORWARD,
    SIDES,
    bend_between,
    cross,
    dot,
    frame,
    rotation_vector,
    swing,
    turned_by,
    unit,
)
from renderers.wholebody import FACE, LEFT_HAND, RIGHT_HAND

NOSE, LEFT_EYE, RIGHT_EYE, LEFT_EAR, RIGHT_EAR, LEFT_MOUTH, RIGHT_MOUTH = 0, 2, 5, 7, 8, 9, 10
SHOULDERS, ELBOWS, WRISTS, PINKIES, INDICES = (11, 12), (13, 14), (15, 16), (17, 18), (19, 20)
HIPS, KNEES, ANKLES, HEELS, TOES = (23, 24), (25, 26), (27, 28), (29, 30), (31, 32)
"""MediaPipe's numbers, left then right."""

_HEAD_LANDMARKS = [NOSE, LEFT_EYE, RIGHT_EYE, LEFT_EAR, RIGHT_EAR, LEFT_MOUTH, RIGHT_MOUTH]
_HEAD_POINTS = [0, 1, 2, 3, 4, FACE.start + 54, FACE.start + 48]
_PALM = [0, 1, 5, 9, 13, 17]
_HANDS = (LEFT_HAND, RIGHT_HAND)
_FEET = ((19, 17, 15), (22, 20, 16))
"""Keypoints of heel, big toe and ankle."""

_BENT_ENOUGH = 0.35
"""Sine of the angle from which on a limb's own bend says where its hinge is."""


@dataclass(frozen=True)
class Landmarks:
    """MediaPipe's 3D landmarks in world axes. Where hand_valid is False the hand's are not read."""

    body: Float[np.ndarray, "frames 33 3"]
    hands: Float[np.ndarray, "frames 2 21 3"]
    hand_valid: Bool[np.ndarray, "frames 2"]


@dataclass(frozen=True)
class Start:
    """Rotations from which the angles count (see `rig`), and the angles themselves."""

    rotations: Float[np.ndarray, "frames bones 3 3"]
    angles: Float[np.ndarray, "frames angles"]


def first_pose(rig: FitRig, landmarks: Landmarks) -> Start:
    """The pose that the landmarks' directions say, cut to the angles' limits."""
    body = landmarks.body
    rest = rig.points.double().numpy()
    pose = _PoseInMaking(rig, len(body))
    rest_up = (rest[5] + rest[6] - rest[11] - rest[12]) / 2
    up = (body[:, SHOULDERS].sum(1) - body[:, HIPS].sum(1)) / 2
    pelvis = frame(up, body[:, HIPS[0]] - body[:, HIPS[1]]) @ frame(rest_up, rest[11] - rest[12]).T
    chest = frame(up, body[:, SHOULDERS[0]] - body[:, SHOULDERS[1]]) @ frame(rest_up, rest[5] - rest[6]).T
    head = kabsch(rest[_HEAD_POINTS], body[:, _HEAD_LANDMARKS])
    pose.rotations[:, rig.bone("root")] = pelvis
    pose.put_ball("spine", _between(pelvis, chest))
    pose.put_ball("neck", _between(chest, head))
    for side in range(len(SIDES)):
        hand = _hand(rest, landmarks, side)
        _arm(pose, body, side, chest, hand)
        _fingers(pose, landmarks, side, hand, rest)
        _leg(pose, body, side, pelvis, rest)
    return Start(pose.rotations, pose.angles)


class _PoseInMaking:
    """The rotations and angles of all frames, while they are found part by part."""

    def __init__(self, rig: FitRig, frames: int) -> None:
        self.rig = rig
        self.rotations = np.tile(np.eye(3), (frames, len(rig.used), 1, 1))
        self.angles = np.zeros((frames, len(rig.angles)))

    def put(self, name: str, values: Float[np.ndarray, "frames"]) -> None:
        number = self.rig.angle(name)
        angle = self.rig.angles[number]
        self.angles[:, number] = np.clip(values, angle.low, angle.high)

    def put_ball(self, name: str, vectors: Float[np.ndarray, "frames 3"]) -> None:
        for letter, values in zip("xyz", vectors.T, strict=True):
            self.put(f"{name}.{letter}", values)


def kabsch(
    rest: Float[np.ndarray, "points 3"], now: Float[np.ndarray, "frames points 3"]
) -> Float[np.ndarray, "frames 3 3"]:
    """The rotations that best take points at rest to where they are, but for a shift (Kabsch 1976)."""
    covariance = np.einsum("fpi,pj->fij", now - now.mean(1, keepdims=True), rest - rest.mean(0))
    left, _, right = np.linalg.svd(covariance)
    left[..., -1] *= np.sign(np.linalg.det(left @ right))[:, None]
    return left @ right


def _between(
    first: Float[np.ndarray, "frames 3 3"], second: Float[np.ndarray, "frames 3 3"]
) -> Float[np.ndarray, "frames 3"]:
    """The rotation vectors from one rotation to another, in the axes of the first."""
    return rotation_vector(first.swapaxes(-1, -2) @ second)


def _hand(
    rest: Float[np.ndarray, "133 3"], landmarks: Landmarks, side: int
) -> Float[np.ndarray, "frames 3 3"]:
    """The hand's rotation in the world: from its own landmarks, else from the body's three on it."""
    at_rest = rest[_HANDS[side]]
    wrist, index, pinky = (landmarks.body[:, numbers[side]] for numbers in (WRISTS, INDICES, PINKIES))
    turned = frame((index + pinky) / 2 - wrist, index - pinky) @ (
        frame((at_rest[5] + at_rest[17]) / 2 - at_rest[0], at_rest[5] - at_rest[17]).T
    )
    valid = landmarks.hand_valid[:, side]
    if valid.any():
        turned[valid] = kabsch(at_rest[_PALM], landmarks.hands[valid, side][:, _PALM])
    return turned


def _hinge(
    upper: Float[np.ndarray, "frames 3"],
    lower: Float[np.ndarray, "frames 3"],
    sign: float,
    when_straight: Float[np.ndarray, "frames 3"],
) -> Float[np.ndarray, "frames 3"]:
    """The axis that two bones bend about: across both where they are bent enough, else as given."""
    across = sign * cross(unit(upper), unit(lower))
    sine = np.sqrt(dot(across, across))[:, None]
    share = np.clip(sine / _BENT_ENOUGH, 0, 1)
    return share * across / np.maximum(sine, 1e-9) + (1 - share) * when_straight


def _arm(
    pose: _PoseInMaking,
    body: Float[np.ndarray, "frames 33 3"],
    side: int,
    chest: Float[np.ndarray, "frames 3 3"],
    hand: Float[np.ndarray, "frames 3 3"],
) -> None:
    letter = SIDES[side]
    upper_rest, fore_rest, hand_rest = pose.rig.rest.arm_frames[side]
    upper = body[:, ELBOWS[side]] - body[:, SHOULDERS[side]]
    fore = body[:, WRISTS[side]] - body[:, ELBOWS[side]]
    swung = swing(chest @ upper_rest[:, 0], unit(upper)) @ chest
    turned = frame(upper, _hinge(upper, fore, 1.0, swung @ upper_rest[:, 1])) @ upper_rest.T
    pose.rotations[:, pose.rig.bone(f"upperarm01.{letter}")] = chest.swapaxes(1, 2) @ turned
    bent = np.arccos(np.clip(upper_rest[:, 0] @ fore_rest[:, 0], -1, 1))
    elbow = np.arccos(np.clip(dot(unit(upper), unit(fore)), -1, 1)) - bent
    pose.put(f"elbow.{letter}", elbow)
    relative = (turned @ turned_by(elbow[:, None] * fore_rest[:, 1])).swapaxes(1, 2) @ hand
    pose.put(f"forearm.{letter}", _twist(relative, fore_rest[:, 0]))
    twist = pose.angles[:, pose.rig.angle(f"forearm.{letter}")]
    wrist = rotation_vector(turned_by(-twist[:, None] * fore_rest[:, 0]) @ relative)
    pose.put(f"wrist_bend.{letter}", wrist @ np.cross(hand_rest[:, 0], hand_rest[:, 1]))
    pose.put(f"wrist_aside.{letter}", wrist @ hand_rest[:, 1])
    pose.put(f"wrist_twist.{letter}", wrist @ hand_rest[:, 0])


def _twist(
    rotation: Float[np.ndarray, "frames 3 3"], axis: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "frames"]:
    """By how much a rotation turns about an axis, its swing away from it taken off."""
    swung = swing(np.broadcast_to(axis, (len(rotation), 3)), rotation @ axis)
    return rotation_vector(swung.swapaxes(1, 2) @ rotation) @ axis


def _fingers(
    pose: _PoseInMaking,
    landmarks: Landmarks,
    side: int,
    hand: Float[np.ndarray, "frames 3 3"],
    rest: Float[np.ndarray, "133 3"],
) -> None:
    """Each finger's bends, by the directions of its bones in the hand's axes; at rest where no hand is."""
    letter, rig = SIDES[side], pose.rig
    at_rest, palm = rest[_HANDS[side]], rig.rest.palms[side]
    valid = landmarks.hand_valid[:, side]
    for finger in range(1, 6):
        joints = slice(4 * finger - 3, 4 * finger + 1)
        axis = rig.rest.finger_axes[side, finger - 1]
        before = unit(np.diff(at_rest[joints], axis=0))
        bones = np.tile(before, (len(valid), 1, 1))
        bones[valid] = unit(np.diff(landmarks.hands[valid, side, joints], axis=1) @ hand[valid])
        first = bones[:, 0]
        if finger == 1:
            pose.put_ball(
                f"thumb.{letter}", rotation_vector(swing(np.broadcast_to(before[0], first.shape), first))
            )
        else:
            pose.put(f"finger{finger}_1.{letter}", bend_between(before[0], first, axis))
            # Of a bent finger, how far it points aside cannot be read off its direction.
            aside = bend_between(before[0], first, palm) * dot(first, before[0]).clip(0, 1)
            pose.put(f"finger{finger}_aside.{letter}", aside)
        for joint in (1, 2):
            bend = bend_between(bones[:, joint - 1], bones[:, joint], axis)
            bend = bend - bend_between(before[joint - 1], before[joint], axis)
            pose.put(f"finger{finger}_{joint + 1}.{letter}", bend)


def _leg(
    pose: _PoseInMaking,
    body: Float[np.ndarray, "frames 33 3"],
    side: int,
    pelvis: Float[np.ndarray, "frames 3 3"],
    rest: Float[np.ndarray, "133 3"],
) -> None:
    letter = SIDES[side]
    thigh_rest, shin_rest = pose.rig.rest.leg_frames[side]
    thigh = body[:, KNEES[side]] - body[:, HIPS[side]]
    shin = body[:, ANKLES[side]] - body[:, KNEES[side]]
    foot = body[:, TOES[side]] - body[:, HEELS[side]]
    forward = unit(foot) + pelvis @ FORWARD
    axes = frame(thigh, _hinge(thigh, shin, -1.0, frame(thigh, forward)[..., 2]))
    turned = axes @ thigh_rest.T
    pose.rotations[:, pose.rig.bone(f"upperleg01.{letter}")] = pelvis.swapaxes(1, 2) @ turned
    knee = bend_between(unit(thigh), unit(shin), axes[..., 1])
    knee = knee - bend_between(thigh_rest[:, 0], shin_rest[:, 0], shin_rest[:, 1])
    pose.put(f"knee.{letter}", knee)
    heel, toe, ankle = rest[list(_FEET[side])]
    foot_now = frame(foot, body[:, ANKLES[side]] - body[:, HEELS[side]])
    shin_now = turned @ turned_by(knee[:, None] * shin_rest[:, 1])
    pose.put_ball(f"foot.{letter}", _between(shin_now, foot_now @ frame(toe - heel, ankle - heel).T))
