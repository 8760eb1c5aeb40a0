"""The labels beside a made video are the truth about it."""

from __future__ import annotations

from itertools import pairwise

import av
import cv2
import numpy as np

from renderers.wholebody import FACE, LEFT_HAND, NAMES, RIGHT_HAND
from tests.factories.person_video import PersonVideo

NUMBER = {name: number for number, name in enumerate(NAMES)}
FINGERS = ("thumb", "index", "middle", "ring", "little")


def bones() -> list[tuple[str, str]]:
    """Pairs of keypoints that a rigid bone joins."""
    pairs = []
    for side in ("left", "right"):
        pairs += [(f"{side}_{a}", f"{side}_{b}") for a, b in pairwise(("shoulder", "elbow", "wrist"))]
        pairs += [(f"{side}_knee", f"{side}_ankle"), (f"{side}_heel", f"{side}_big_toe")]
        for finger in FINGERS:
            chain = [f"{side}_{finger}_{joint}" for joint in range(1, 5)]
            pairs += [*pairwise(chain), (f"{side}_wrist", chain[0])]
    return [*pairs, ("nose", "left_ear"), ("left_hip", "right_hip"), ("face_0", "face_16")]


def angle(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Degrees between directions."""
    cosine = (
        np.sum(first * second, axis=-1) / np.linalg.norm(first, axis=-1) / np.linalg.norm(second, axis=-1)
    )
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def test_every_frame_of_the_video_has_its_row(person_video: PersonVideo) -> None:
    labels = person_video.labels
    with av.open(str(person_video.path)) as container:
        frames = list(container.decode(video=0))
    assert labels.frame.tolist() == list(range(len(frames))) == list(range(person_video.spec.frame_count))
    assert np.abs(labels.time - [frame.time for frame in frames]).max() < 1e-6
    assert {(frame.width, frame.height) for frame in frames} == {(540, 960)}


def test_places_in_the_picture_are_the_projections_of_places_in_the_room(person_video: PersonVideo) -> None:
    labels = person_video.labels
    for row in range(len(labels.frame)):
        camera = labels.world_to_camera[row]
        turn = cv2.Rodrigues(camera[:3, :3])[0]
        projected, _ = cv2.projectPoints(labels.keypoints_3d[row], turn, camera[:3, 3], labels.K[row], None)
        assert np.abs(projected[:, 0] - labels.keypoints_2d[row]).max() < 0.05


def test_bones_keep_their_length(person_video: PersonVideo) -> None:
    places = person_video.labels.keypoints_3d
    for start, end in bones():
        lengths = np.linalg.norm(places[:, NUMBER[start]] - places[:, NUMBER[end]], axis=1)
        assert np.ptp(lengths) < 1e-4, (start, end)
        assert lengths[0] > 0.005, (start, end)


def test_a_person_has_a_persons_proportions_and_sides(person_video: PersonVideo) -> None:
    places = person_video.labels.keypoints_3d
    assert 1.5 < np.ptp(places[0, :, 2]) < 2.0
    for name in ("eye", "shoulder", "hip", "knee", "ankle"):
        left, right = places[:, NUMBER[f"left_{name}"]], places[:, NUMBER[f"right_{name}"]]
        assert (left[:, 0] > right[:, 0]).all(), name
    palms = [
        np.linalg.norm(places[0, hand.start] - places[0, hand.start + 9]) for hand in (LEFT_HAND, RIGHT_HAND)
    ]
    assert np.allclose(palms, 0.105, atol=0.02)


def test_one_foot_stands_at_any_time_and_does_not_slide(person_video: PersonVideo) -> None:
    places = person_video.labels.keypoints_3d
    ankles = places[:, [NUMBER["left_ankle"], NUMBER["right_ankle"]]]
    standing = ankles[..., 2] < ankles[..., 2].min() + 0.001
    assert standing.any(axis=1).all()
    assert not standing.all(), "no foot is ever raised"
    for foot in range(2):
        assert np.ptp(ankles[standing[:, foot], foot], axis=0).max() < 0.002


def test_joints_stay_within_their_limits(person_video: PersonVideo) -> None:
    places = person_video.labels.keypoints_3d

    def bend(first: str, middle: str, last: str) -> np.ndarray:
        a, b, c = (places[:, NUMBER[name]] for name in (first, middle, last))
        return angle(b - a, c - b)

    for side in ("left", "right"):
        elbow = bend(f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist")
        knee = bend(f"{side}_hip", f"{side}_knee", f"{side}_ankle")
        wrist = bend(f"{side}_elbow", f"{side}_wrist", f"{side}_middle_1")
        assert elbow.min() > 5 and elbow.max() < 150
        assert knee.max() < 140
        assert wrist.max() < 75
        for finger in FINGERS:
            for joint in (1, 2):
                names = [f"{side}_{finger}_{number}" for number in range(joint, joint + 3)]
                assert bend(*names).max() < 115, names


def test_the_person_moves_and_never_jumps(person_video: PersonVideo) -> None:
    places = person_video.labels.keypoints_3d
    metres_a_frame = np.linalg.norm(np.diff(places, axis=0), axis=-1)
    assert metres_a_frame.max() < 0.15
    for name in ("left_wrist", "right_wrist"):
        assert np.ptp(places[:, NUMBER[name]], axis=0).max() > 0.3
    for hand in (LEFT_HAND, RIGHT_HAND):
        reach = np.linalg.norm(places[:, hand.start + 16] - places[:, hand.start], axis=1)
        assert np.ptp(reach) > 0.03, "the ring finger never curls"


def test_palms_face_the_camera_and_fingers_curl_into_them(person_video: PersonVideo) -> None:
    """Where the thumb's side is tells a left palm from the back of a right hand."""
    places = person_video.labels.keypoints_3d
    for hand, thumb_side in ((LEFT_HAND, -1.0), (RIGHT_HAND, 1.0)):
        wrist, index, ring, little = (places[:, hand.start + point] for point in (0, 5, 13, 17))
        palm = -thumb_side * np.cross(little - wrist, index - wrist)
        palm /= np.linalg.norm(palm, axis=1, keepdims=True)
        assert (palm[:, 1] < -0.5).all()
        ring_tip = places[:, hand.start + 16]
        curled = np.linalg.norm(ring_tip - ring, axis=1) < 0.05
        assert curled.any()
        assert (np.sum((ring_tip - ring) * palm, axis=1)[curled] > 0).all()


def test_the_whole_person_is_in_the_picture_and_in_the_box(person_video: PersonVideo) -> None:
    points, box = person_video.labels.keypoints_2d, person_video.labels.box
    assert ((points > 0) & (points < [540, 960])).all()
    assert (points >= box[:, None, :2] - 1).all() and (points <= box[:, None, 2:] + 1).all()
    assert (box[:, 3] - box[:, 1] > 480).all()


def test_most_points_are_visible_and_the_turned_away_are_not(person_video: PersonVideo) -> None:
    visible = person_video.labels.visible
    assert visible[:, : FACE.start].mean() > 0.95
    assert visible[:, FACE].mean() > 0.9
    assert 0.8 < visible[:, LEFT_HAND.start :].mean() < 1.0
