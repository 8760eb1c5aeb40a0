"""Made people as an extractor would see them, without one: their keypoints in a picture, and landmarks like
MediaPipe's, from the true places of their joints.

Dimension names: frames, points 133 (COCO-WholeBody), landmarks 33 (body) or 21 (hand), bones 104, actions 8.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from extractors.anny_fit.fit import SeenPerson
from extractors.mediapipe_wholebody import BODY_FROM_POSE
from renderers.mannequin.camera import Camera, facing
from renderers.mannequin.keypoints import Places, keypoint_places
from renderers.mannequin.motion import make_motion
from renderers.mannequin.person import Person, Shape, make_person
from renderers.mannequin.pose import FACE_ACTIONS, Place, Pose, posed_bones
from renderers.wholebody import FACE, FLIP, LEFT_HAND, RIGHT_HAND

WIDTH, HEIGHT = 720, 1280
HANDS = (LEFT_HAND, RIGHT_HAND)
SMALL_TOES = [18, 21]
"""MediaPipe has no landmark on them."""

MAN = Shape(gender=0.1, age=0.67, muscle=0.5, weight=0.45, height=0.42, proportions=0.7)
WOMAN = Shape(gender=0.92, age=0.67, muscle=0.4, weight=0.55, height=0.36, proportions=0.6)
STOUT = Shape(gender=0.15, age=0.85, muscle=0.6, weight=0.75, height=0.38, proportions=0.8)
"""Adults such as `person.draw_shape` draws, but for its details, of which Anny's phenotypes know nothing."""

_OTHER_LANDMARKS = {
    **{1: FACE.start + 42, 3: FACE.start + 45, 4: FACE.start + 39, 6: FACE.start + 36},  # corners of the eyes
    **{9: FACE.start + 54, 10: FACE.start + 48},  # of the mouth
    **{17: LEFT_HAND.start + 17, 19: LEFT_HAND.start + 5, 21: LEFT_HAND.start + 2},  # knuckles
    **{18: RIGHT_HAND.start + 17, 20: RIGHT_HAND.start + 5, 22: RIGHT_HAND.start + 2},
}
"""MediaPipe's landmarks that are none of COCO's body points, and the keypoints that they are taken to be."""
_POINT_OF_LANDMARK = {landmark: point for point, landmark in BODY_FROM_POSE.items()} | _OTHER_LANDMARKS
_POINTS = [_POINT_OF_LANDMARK[landmark] for landmark in range(33)]
_MIRRORED_LANDMARKS = [_POINTS.index(int(FLIP[point])) for point in _POINTS]


@dataclass(frozen=True)
class Acted:
    """Somebody over a clip: what takes each bone from rest to its pose in the world, the strengths of the
    facial actions, the camera, and where the keypoints are in its axes, in metres."""

    bones: Float[np.ndarray, "frames bones 3 4"]
    face: Float[np.ndarray, "frames actions"]
    camera: Camera
    keypoints: Float[np.ndarray, "frames points 3"]

    @property
    def pixels(self) -> Float[np.ndarray, "frames points 2"]:
        """Where the keypoints are seen."""
        ahead = self.keypoints[..., :2] / self.keypoints[..., 2:]
        return ahead * self.camera.K[[0, 1], [0, 1]] + self.camera.K[:2, 2]


def level_camera(*, frame: float = 2.3, up: float = 0.95) -> Camera:
    """A camera 3.4 m from the world's origin that looks straight ahead, so that its axes are those of the
    fit; `frame` is the height in metres that it sees there."""
    return facing(WIDTH, HEIGHT, eye=(0.0, -3.4, up), target=(0.0, 0.0, up), frame=frame)


def acted(shape: Shape, poses: Sequence[Pose], camera: Camera) -> Acted:
    """A body of this shape in these poses, one for each frame."""
    person, places = _body(shape)
    bones = np.stack([posed_bones(person, pose) for pose in poses])
    face = np.array([[getattr(pose.face, action) for action in FACE_ACTIONS] for pose in poses])
    points = np.stack([places.posed(*frame) for frame in zip(bones, face, strict=True)])
    return Acted(bones, face, camera, camera.view(points))


@functools.lru_cache(maxsize=8)
def _body(shape: Shape) -> tuple[Person, Places]:
    person = make_person(shape)
    return person, keypoint_places(person)


@functools.lru_cache(maxsize=8)
def motion_poses(
    kind: str, shape: Shape, frames: int, *, seed: int, heading: float = 0.0
) -> tuple[Pose, ...]:
    """Poses of a motion at 25 frames a second, as made videos have it."""
    person, _ = _body(shape)
    times = 0.2 + np.arange(frames) / 25
    motion = make_motion(kind, person, np.random.default_rng(seed), float(times[-1]), Place(heading=heading))
    return tuple(motion.pose(float(time)) for time in times)


def as_seen(person: Acted, *, pixels: float = 0.0, metres: float = 0.0, seed: int = 0) -> SeenPerson:
    """What an extractor says of somebody wholly found, with normally distributed errors: of keypoints in
    pixels, of the body's landmarks in metres, of the hands' in a quarter of these."""
    rng = np.random.default_rng(seed)
    count = len(person.keypoints)
    keypoints = person.pixels + pixels * rng.standard_normal((count, 133, 2))
    confidence = np.ones((count, 133), np.float32)
    keypoints[:, SMALL_TOES] = confidence[:, SMALL_TOES] = 0
    body = person.keypoints[:, _POINTS] - person.keypoints[:, [11, 12]].mean(1, keepdims=True)
    hands = np.stack([person.keypoints[:, hand] for hand in HANDS], axis=1)
    hands = hands - hands.mean(2, keepdims=True)
    return SeenPerson(
        time=np.arange(count) / 25,
        keypoints=keypoints.astype(np.float32),
        confidence=confidence,
        body_valid=np.ones(count, bool),
        hand_valid=np.ones((count, 2), bool),
        body_landmarks=(body + metres * rng.standard_normal(body.shape)).astype(np.float32),
        body_visibility=np.ones((count, 33), np.float32),
        hand_landmarks=(hands + metres / 4 * rng.standard_normal(hands.shape)).astype(np.float32),
        size=(person.camera.width, person.camera.height),
    )


def in_a_mirror(seen: SeenPerson) -> SeenPerson:
    """What is seen of the mirrored picture: x runs the other way, and left and right change names."""
    x_turned = np.array([-1, 1, 1], np.float32)
    keypoints = seen.keypoints[:, FLIP].copy()
    keypoints[..., 0] = seen.size[0] - keypoints[..., 0]
    return replace(
        seen,
        keypoints=keypoints,
        confidence=seen.confidence[:, FLIP],
        hand_valid=seen.hand_valid[:, ::-1],
        body_landmarks=seen.body_landmarks[:, _MIRRORED_LANDMARKS] * x_turned,
        body_visibility=seen.body_visibility[:, _MIRRORED_LANDMARKS],
        hand_landmarks=seen.hand_landmarks[:, ::-1] * x_turned,
    )
