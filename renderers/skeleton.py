"""The skeleton condition: keypoints drawn as DWPose (Yang et al., ICCVW 2023) draws them, to the pixel.

DWPose darkens the whole canvas between limbs and joints. Nothing is on it then but the limbs, so here they
are drawn in the darkened colour at once, and the canvas is gone over but once, when it is made.

Dimension names: people P, points 133 (COCO-WholeBody), joints 18 (OpenPose's body: DWPose draws no feet).
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from renderers.wholebody import FACE, KEYPOINT_COUNT, LEFT_HAND, NAMES, RIGHT_HAND


@dataclass(frozen=True)
class Style:
    """What of the drawing differs between the users of DWPose.

    hand_points_on_top: the points of a hand cover its lines, or the lines cover the points.
    """

    face: bool
    hand_points_on_top: bool


OFFICIAL = Style(face=True, hand_points_on_top=True)
"""DWPose's own drawing (ControlNet, Moore-AnimateAnyone)."""

REALISDANCE = Style(face=False, hand_points_on_top=False)
"""What RealisDance's networks are driven by."""

_NECK = KEYPOINT_COUNT
_JOINTS = np.array(
    [
        _NECK if name == "neck" else NAMES.index(name)
        for name in (
            *("nose", "neck"),
            *("right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist"),
            *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
            *("right_eye", "left_eye", "right_ear", "left_ear"),
        )
    ]
)
_SHOULDERS = [NAMES.index("left_shoulder"), NAMES.index("right_shoulder")]
_LIMBS = (
    *((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7)),
    *((1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13)),
    *((1, 0), (0, 14), (14, 16), (0, 15), (15, 17)),
)
_COLOURS = (
    *((255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0)),
    *((0, 255, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255)),
    *((0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85)),
)
_LIMB_COLOURS = tuple(tuple(int(level * 0.6) for level in colour) for colour in _COLOURS[: len(_LIMBS)])
_BONES = tuple((0 if joint % 4 == 1 else joint - 1, joint) for joint in range(1, 21))
_BONE_COLOURS = tuple(
    tuple(level * 255 for level in colorsys.hsv_to_rgb(bone / len(_BONES), 1, 1))
    for bone in range(len(_BONES))
)
_HAND_POINT_COLOUR = (0, 0, 255)
_FACE_COLOUR = (255, 255, 255)

_LIMB_HALF_WIDTH = 4
_BONE_WIDTH = 2
POINT_RADIUS = 4
"""Pixels around a joint of the body or a point of a hand."""
_FACE_RADIUS = 3

_FAR = 2**15
"""Pixels of the drawing at which a point is taken for an estimator's failure: OpenCV would overflow later."""


def draw_skeleton(
    keypoints: Float[np.ndarray, "people 133 2"],
    confidence: Float[np.ndarray, "people 133"],
    size: tuple[int, int],
    source_size: tuple[int, int],
    style: Style = OFFICIAL,
    threshold: float = 0.3,
) -> UInt8[np.ndarray, "height width 3"]:
    """The skeletons of all people on black, RGB, of `size` (height, width).

    keypoints are in pixels of a frame of `source_size` (height, width); they are scaled to `size`. Left out,
    with the lines that end in them, are points less confident than `threshold` (the body's also at the
    threshold), points that are not finite or more than 32767 pixels of the drawing away, and points of hands
    and face in or before the first row or column, where DWPose takes them for missing. The neck is the middle
    of the shoulders, drawn where both are.

    Raises ValueError where the shapes of keypoints and confidence do not fit.
    """
    people = len(keypoints)
    if keypoints.shape != (people, KEYPOINT_COUNT, 2) or confidence.shape != (people, KEYPOINT_COUNT):
        raise ValueError(
            f"keypoints {keypoints.shape} and confidence {confidence.shape} must be of shapes (people, 133, "
            "2) and (people, 133): give one person's as keypoints[None], confidence[None]"
        )
    canvas = np.zeros((*size, 3), np.uint8)
    points, sure = _with_neck(keypoints.astype(np.float64), confidence > threshold)
    points, near = _in_drawing(points, size, source_size)
    joints = points[:, _JOINTS]
    _draw_bodies(canvas, joints, joints.astype(np.int32), (sure & near)[:, _JOINTS])

    pixels, shown = shown_points(keypoints, confidence, size, source_size, threshold)
    for hand in (LEFT_HAND, RIGHT_HAND):
        for hand_pixels, hand_shown in zip(pixels[:, hand].tolist(), shown[:, hand].tolist(), strict=True):
            _draw_hand(canvas, hand_pixels, hand_shown, style)
    if style.face:
        for centre in pixels[:, FACE][shown[:, FACE]].tolist():
            cv2.circle(canvas, centre, _FACE_RADIUS, _FACE_COLOUR, cv2.FILLED)
    return canvas


def shown_points(
    keypoints: Float[np.ndarray, "people 133 2"],
    confidence: Float[np.ndarray, "people 133"],
    size: tuple[int, int],
    source_size: tuple[int, int],
    threshold: float,
) -> tuple[Int[np.ndarray, "people 133 2"], Bool[np.ndarray, "people 133"]]:
    """Where each keypoint is in the drawing, in whole pixels (int32), and which of hands and face
    `draw_skeleton` shows, given the same; the body's are decided on otherwise.
    """
    points, near = _in_drawing(keypoints.astype(np.float64), size, source_size)
    pixels = points.astype(np.int32)
    return pixels, (confidence >= threshold) & near & (pixels > 0).all(-1)


def _in_drawing(
    points: Float[np.ndarray, "people points 2"], size: tuple[int, int], source_size: tuple[int, int]
) -> tuple[Float[np.ndarray, "people points 2"], Bool[np.ndarray, "people points"]]:
    """The points in pixels of the drawing, and which are near enough to be drawn; the others are put at 0."""
    points = points / source_size[::-1] * size[::-1]
    near = (np.abs(points) < _FAR).all(-1)
    points[~near] = 0
    return points, near


def _with_neck(
    keypoints: Float[np.ndarray, "people 133 2"], sure: Bool[np.ndarray, "people 133"]
) -> tuple[Float[np.ndarray, "people 134 2"], Bool[np.ndarray, "people 134"]]:
    with np.errstate(invalid="ignore"):  # of infinite shoulders; what is not finite is left out later
        neck = keypoints[:, _SHOULDERS].mean(1, keepdims=True)
    return (
        np.concatenate([keypoints, neck], 1),
        np.concatenate([sure, sure[:, _SHOULDERS].all(1, keepdims=True)], 1),
    )


def _draw_bodies(
    canvas: UInt8[np.ndarray, "height width 3"],
    joints: Float[np.ndarray, "people 18 2"],
    pixels: Int[np.ndarray, "people 18 2"],
    shown: Bool[np.ndarray, "people 18"],
) -> None:
    """Limb by limb and joint by joint, not person by person: a later limb covers all earlier ones."""
    places = joints.tolist()
    for (start, end), colour in zip(_LIMBS, _LIMB_COLOURS, strict=True):
        for person in np.flatnonzero(shown[:, start] & shown[:, end]):
            _draw_limb(canvas, places[person][start], places[person][end], colour)
    for joint, colour in enumerate(_COLOURS):
        for centre in pixels[shown[:, joint], joint].tolist():
            cv2.circle(canvas, centre, POINT_RADIUS, colour, cv2.FILLED)


def _draw_limb(
    canvas: UInt8[np.ndarray, "height width 3"],
    start: Sequence[float],
    end: Sequence[float],
    colour: Sequence[int],
) -> None:
    across, down = start[0] - end[0], start[1] - end[1]
    middle = int((start[0] + end[0]) / 2), int((start[1] + end[1]) / 2)
    half_length = int((down**2 + across**2) ** 0.5 / 2)
    degrees = int(math.degrees(math.atan2(down, across)))
    outline = cv2.ellipse2Poly(middle, (half_length, _LIMB_HALF_WIDTH), degrees, 0, 360, 1)
    cv2.fillConvexPoly(canvas, outline, colour)


def _draw_hand(
    canvas: UInt8[np.ndarray, "height width 3"],
    pixels: Sequence[Sequence[int]],
    shown: Sequence[bool],
    style: Style,
) -> None:
    layers = (_draw_bones, _draw_hand_points)
    for draw in layers if style.hand_points_on_top else reversed(layers):
        draw(canvas, pixels, shown)


def _draw_bones(
    canvas: UInt8[np.ndarray, "height width 3"], pixels: Sequence[Sequence[int]], shown: Sequence[bool]
) -> None:
    for (start, end), colour in zip(_BONES, _BONE_COLOURS, strict=True):
        if shown[start] and shown[end]:
            cv2.line(canvas, pixels[start], pixels[end], colour, _BONE_WIDTH)


def _draw_hand_points(
    canvas: UInt8[np.ndarray, "height width 3"], pixels: Sequence[Sequence[int]], shown: Sequence[bool]
) -> None:
    for centre, drawn in zip(pixels, shown, strict=True):
        if drawn:
            cv2.circle(canvas, centre, POINT_RADIUS, _HAND_POINT_COLOUR, cv2.FILLED)
