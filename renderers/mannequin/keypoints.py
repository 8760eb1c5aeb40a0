"""Where on the body each of COCO-WholeBody's 133 keypoints is.

Every point has a place at rest and follows the bones: one of them rigidly, or, on the face, as the skin
there does, which also moves with the facial actions. `DEFINITIONS` says in words where each point is. No
pose estimator had a part in choosing them.

Dimension names: points 133, bones 104, actions 8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array, lil_array

from renderers.mannequin.person import BODY_VERTICES, FACIAL_ACTIONS, Person, skin
from renderers.mannequin.skin import brow_height
from renderers.wholebody import FACE, NAMES

DEFINITIONS: tuple[tuple[str, str], ...] = (
    (
        "nose, eyes, ears",
        "by Anny's COCO regressors, read at rest: a centimetre behind the tip of the nose, middle of "
        "the eye, middle of the ear; with the head",
    ),
    (
        "shoulders",
        "centre of the shoulder joint: where Anny's bone `upperarm01` begins",
    ),
    (
        "elbows",
        "centre of the elbow: where `lowerarm01` begins",
    ),
    (
        "wrists, hand wrists",
        "centre of the wrist: where `wrist` begins; the body's and the hand's are one point",
    ),
    (
        "hips",
        "by Anny's COCO regressors, read at rest: 1 to 3 cm inward, in front and below the hip joint,"
        " where `upperleg01` begins; with the pelvis",
    ),
    (
        "knees",
        "centre of the knee: where `lowerleg01` begins",
    ),
    (
        "ankles",
        "centre of the ankle: where `foot` begins",
    ),
    (
        "big toes, small toes, heels",
        "by Anny's COCO regressors, read at rest on bare feet: tips of the toes, inside the heel 2 to"
        " 3 cm from its back; with the foot",
    ),
    (
        "face 0-16",
        "skin from right to left: before the ear at the height of the eye's outer corner, down from "
        "there and along the edge of the jaw, about evenly; 8 is the chin, where it turns under",
    ),
    (
        "face 17-26",
        "brows, right then left: five places on the middle line of the painted brow, 22, 12, 2, -8 "
        "and -17 mm outward of the middle of the eye",
    ),
    (
        "face 27-30",
        "bridge of the nose: the deepest place between the eyes, two at thirds of the way, the "
        "foremost place of the tip",
    ),
    (
        "face 31-35",
        "under the nose, right to left: where the wing meets the cheek, the sill of the nostril, "
        "where nose and upper lip meet in the middle, and the same on the left",
    ),
    (
        "face 36-47",
        "edges of the lids, right eye then left: corner, upper lid at a third and two thirds of the "
        "way from corner to corner, other corner, lower lid likewise back",
    ),
    (
        "face 48-59",
        "border of the lips' red: right corner, upper lip with both peaks (50, 52) and the dip (51), "
        "left corner, lower lip back",
    ),
    (
        "face 60-67",
        "where the lips part: right corner, three on the upper lip, left corner, three on the lower "
        "lip; shut lips bring upper and lower ones together",
    ),
    (
        "fingers 1-3",
        "centres of the finger's three joints, from the palm: where Anny's finger bones begin",
    ),
    (
        "fingers 4",
        "tip: the middle of the last 4 mm of the finger's surface, with its last bone",
    ),
)
"""Points by name or number, and where they are; left and right are the person's own."""

_LEFT_JAW_FROM_EAR = (12001, 7573, 7574, 7614, 7595, 10365, 7618, 11898)
_RIGHT_JAW_TO_CHIN = (5402, 868, 869, 912, 893, 3697, 916, 5292, 5296)
_BRIDGE = (132, 131, 201, 5054)
_UNDER_NOSE = (288, 359, 343, 7120, 7057)
_EYES = (1062, 0, 54, 1103, 1070, 1068, 7795, 6838, 6784, 7754, 7760, 7762)
_OUTER_LIPS = (3735, 5354, 454, 455, 7214, 11956, 10403, 7235, 7241, 492, 486, 480)
_INNER_LIPS = (3708, 515, 520, 7262, 10376, 7265, 523, 518)

_FACE_VERTICES: dict[int, int] = dict(
    [
        *enumerate((*_RIGHT_JAW_TO_CHIN, *reversed(_LEFT_JAW_FROM_EAR))),
        *enumerate((*_BRIDGE, *_UNDER_NOSE, *_EYES, *_OUTER_LIPS, *_INNER_LIPS), start=27),
    ]
)
"""Vertices of hm08 for iBUG's face points but the brows.

They were found by `DEFINITIONS` on the resting face of the standard body: lids and parting lips as the
edges of what is seen of eyes and mouth from the front, the red of the lips by Anny's mask, bridge, chin and
nose by the profile.
"""

_BROW_OUT = (0.022, 0.012, 0.002, -0.008, -0.017)

_BONE_OF_JOINT = {
    "shoulder": "upperarm01",
    "elbow": "lowerarm01",
    "wrist": "wrist",
    "hand_wrist": "wrist",
    "knee": "lowerleg01",
    "ankle": "foot",
}
_BONE_OF_LANDMARK = {
    "nose": "head",
    "eye": "head",
    "ear": "head",
    "hip": "root",
    "big_toe": "foot",
    "small_toe": "foot",
    "heel": "foot",
}
_FINGERS = ("thumb", "index", "middle", "ring", "little")


@dataclass(frozen=True)
class Places:
    """A place at rest for every keypoint, how much it follows each bone, and how far each facial action
    (`person.FACIAL_ACTIONS`) at full strength moves it."""

    at_rest: Float[np.ndarray, "points 3"]
    weights: csr_array
    actions: Float[np.ndarray, "actions points 3"]

    def posed(
        self, transforms: Float[np.ndarray, "bones 3 4"], face: Float[np.ndarray, "actions"]
    ) -> Float[np.ndarray, "points 3"]:
        """Where the keypoints are in a pose with a face, in world metres."""
        at_rest = self.at_rest + np.tensordot(face, self.actions, axes=1)
        return skin(at_rest, self.weights, transforms)[0]


def keypoint_places(person: Person) -> Places:
    """The places of all keypoints on a body."""
    at_rest = np.zeros((len(NAMES), 3))
    weights = lil_array((len(NAMES), len(person.bones)))
    for number, name in enumerate(NAMES):
        if not FACE.start <= number < FACE.stop:
            at_rest[number], bone = _place(person, name)
            weights[number, person.bone(bone)] = 1.0
    shares = _face_shares(person)
    at_rest[FACE] = shares @ person.vertices
    weights[FACE] = shares @ person.weights
    actions = np.zeros((len(FACIAL_ACTIONS), len(NAMES), 3))
    actions[:, FACE] = np.stack([shares @ action for action in person.actions])
    return Places(at_rest, csr_array(weights), actions)


def _place(person: Person, name: str) -> tuple[Float[np.ndarray, "3"], str]:
    if name == "nose":
        return person.landmarks["nose"], "head"
    side, part = name.split("_", 1)
    suffix = f".{side[0].upper()}"
    if part in _BONE_OF_JOINT:
        bone = _BONE_OF_JOINT[part] + suffix
        return person.head(bone), bone
    if part in _BONE_OF_LANDMARK:
        bone = _BONE_OF_LANDMARK[part]
        return person.landmarks[name], bone if bone in person.bones else bone + suffix
    finger, joint = part.split("_")
    number_of_finger = _FINGERS.index(finger) + 1
    if joint == "4":
        bone = f"finger{number_of_finger}-3{suffix}"
        return _tip(person, bone), bone
    bone = f"finger{number_of_finger}-{joint}{suffix}"
    return person.head(bone), bone


def _tip(person: Person, bone: str) -> Float[np.ndarray, "3"]:
    """The middle of the far end of a finger's surface."""
    on_finger = person.weights[:BODY_VERTICES, [person.bone(bone)]].toarray()[:, 0] > 0.5
    surface = person.vertices[:BODY_VERTICES][on_finger]
    before = person.head(bone[:-3] + "2" + bone[-2:])
    along = person.head(bone) - before
    distance = (surface - before) @ along / np.linalg.norm(along)
    return surface[distance > distance.max() - 0.004].mean(axis=0)


def _face_shares(person: Person) -> csr_array:
    """Of which vertices each of iBUG's points is the weighted mean."""
    shares = lil_array((FACE.stop - FACE.start, len(person.vertices)))
    for point, vertex in _FACE_VERTICES.items():
        shares[point, vertex] = 1.0
    for place, out in enumerate(_BROW_OUT):
        for point, side in ((17 + place, -1.0), (26 - place, 1.0)):
            corners, corner_shares = _on_brow(person, out, side)
            shares[point, corners] = corner_shares
    return csr_array(shares)


def _on_brow(person: Person, out: float, side: float) -> tuple[Int[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """The triangle of the skin in which a place on the middle line of a brow lies, seen from the front, and
    the shares of its corners."""
    eye = person.landmarks["left_eye"]
    place = np.array([side * (eye[0] + out), eye[2] + brow_height(np.array(out))])
    triangles = person.triangles["body"]
    corners = person.vertices[triangles]
    triangles = triangles[
        (corners[..., 1] < eye[1] + 0.05).all(axis=1) & (corners[..., 2] > eye[2]).all(axis=1)
    ]
    corners = person.vertices[triangles]
    flat = corners[..., [0, 2]]
    edges = np.stack([flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]], axis=-1)
    flat_enough = np.abs(np.linalg.det(edges)) > 1e-12
    triangles, corners, flat, edges = (values[flat_enough] for values in (triangles, corners, flat, edges))
    last = np.linalg.solve(edges, (place - flat[:, 0])[..., None])[..., 0]
    shares = np.column_stack([1 - last.sum(axis=1), last])
    depth = np.where((shares >= -1e-9).all(axis=1), np.einsum("tc,tc->t", shares, corners[..., 1]), np.inf)
    foremost = depth.argmin()
    return triangles[foremost], shares[foremost]
