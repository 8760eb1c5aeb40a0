"""Two people who walk past each other: each is one track, and has a clip with conditions of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from jaxtyping import Float, UInt8

from extractors.mediapipe_holistic import MediaPipeHolistic
from extractors.people.tracks import People
from pipelines.estimators import fitting
from pipelines.extract_clip import extract_clip
from pipelines.frames import VideoSource
from pipelines.people import find_people
from pipelines.plan import VideoPeople, clips_of_video
from pipelines.sample_meta import ClipJob
from pipelines.scan import VideoScan, scan_video
from pipelines.settings import PlanSettings, SampleSettings
from renderers.mannequin.labels import Labels, labels_path, read_labels
from renderers.mannequin.spec import Spec
from renderers.mannequin.video import make_video
from shards.check_sample import check_sample
from shards.poses_file import unpack_poses
from shards.schema import STORED_CONDITIONS, Status, condition_name

pytestmark = pytest.mark.slow

SPEC = replace(
    Spec(),
    sizes=((480, 360),),
    people=(2,),
    crossing=(True,),
    backgrounds=("studio",),
    framings=("full",),
    lightings=("bright",),
    shots=(1,),
    props=(0,),
    exposures=(0.0,),
    moving_camera=(False,),
    fps=15.0,
    seconds=3.0,
)
SEED = 5

SEEN_SHARE = 0.35
"""Of a person's box must be seen for the detector to find the person."""


@dataclass
class DetectorFromLabels:
    """Finds everybody who is not mostly hidden, where they are but for some pixels, as a good detector does,
    in no order. It is asked for each frame once, in their order.
    """

    labels: Labels
    batch: int = 8
    asked: int = 0

    def detect(self, images: Sequence[UInt8[np.ndarray, "height width 3"]]) -> list[People]:
        first, self.asked = self.asked, self.asked + len(images)
        return [self._people(frame) for frame in range(first, self.asked)]

    def _people(self, frame: int) -> People:
        random = np.random.default_rng(frame)
        boxes = []
        for row in random.permutation(np.flatnonzero(self.labels.frame == frame)):
            whole, seen = self.labels.box[row], self.labels.visible_box[row]
            if area(seen) > SEEN_SHARE * area(whole):
                boxes.append(seen + random.normal(0, 1.5, 4))
        return People(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), 0.9, np.float32))


def area(box: Float[np.ndarray, "4"]) -> float:
    return float(np.prod(box[2:] - box[:2]))


@dataclass(frozen=True)
class Crossing:
    """The video, the truth about it, and who was found in it."""

    path: Path
    labels: Labels
    scan: VideoScan
    people: VideoPeople
    frames_detected: int

    def middle(self, person: int) -> Float[np.ndarray, "frames"]:
        """Where the person is in each frame, from left to right."""
        box = self.labels.box[self.labels.person == person]
        return (box[:, 0] + box[:, 2]) / 2

    def who(self, track: int) -> int:
        """Whom the track begins with."""
        found = self.people.shots[0][track]
        x = (found.boxes[0, 0] + found.boxes[0, 2]) / 2
        return int(np.argmin([abs(self.middle(person)[found.first] - x) for person in (0, 1)]))


@pytest.fixture(scope="module")
def crossing(tmp_path_factory: pytest.TempPathFactory) -> Crossing:
    path = make_video(tmp_path_factory.mktemp("crossing"), SPEC, SEED, 0)
    labels, scan = read_labels(labels_path(path)), scan_video(path, "c" * 16)
    detector = DetectorFromLabels(labels)
    people = find_people(path, scan, 30.0, detector)
    return Crossing(path, labels, scan, people, detector.asked)


def test_identities_hold_while_two_people_cross(crossing: Crossing) -> None:
    assert crossing.frames_detected == len(crossing.scan.times), "each frame is looked at once"
    (tracks,) = crossing.people.shots
    assert len(tracks) == 2 and {crossing.who(0), crossing.who(1)} == {0, 1}
    apart = crossing.middle(0) - crossing.middle(1)
    assert apart.min() < -40 and apart.max() > 40, "they do change sides"
    for number, track in enumerate(tracks):
        there = slice(track.first, track.first + len(track.boxes))
        own, other = (crossing.middle(abs(crossing.who(number) - one))[there] for one in (0, 1))
        x = (track.boxes[:, 0] + track.boxes[:, 2]) / 2
        clear = np.isfinite(x) & (np.abs(own - other) > 30)
        assert (np.abs(x - own) < np.abs(x - other))[clear].all() and clear.sum() > 20


def test_each_of_them_has_a_clip_with_conditions_of_their_own(crossing: Crossing) -> None:
    settings = PlanSettings(detector="rtmdet-m", min_person_height=64)
    clips = clips_of_video(crossing.scan, settings, crossing.people)
    assert [(clip.track_id, clip.status) for clip in clips] == [(0, Status.PENDING), (1, Status.PENDING)]
    extractor = MediaPipeHolistic()
    for clip in clips:
        job = ClipJob(clip, VideoSource.of(crossing.path, crossing.scan), SampleSettings())
        row, members = extract_clip(job, fitting(extractor, "anny"))
        assert row.status is Status.OK and row.body_found > 0.7
        check_sample(row, members)
        data = {member.name: member.data for member in members}
        poses = unpack_poses(data["poses.npz"])
        person = crossing.who(clip.track_id)
        own, other = (crossing.middle(who)[poses["frame"]] for who in (person, 1 - person))
        clear = np.abs(own - other) > 60
        found = poses["body_valid"] & clear
        x = poses["keypoints"][:, 5:13, 0].mean(1)
        assert (np.abs(x - own) < np.abs(x - other))[found].mean() > 0.95
        drawn = poses["body_surface_valid"] & clear
        assert drawn.sum() > 10
        for place in np.flatnonzero(drawn)[::4]:
            surface, hands = (image_of(data, name, place) for name in STORED_CONDITIONS)
            middle = np.flatnonzero(surface.any((0, 2))).mean()
            assert abs(middle - own[place]) < abs(middle - other[place])
            assert not hands.any() or abs(np.flatnonzero(hands.any((0, 2))).mean() - own[place]) < 90


def image_of(data: dict[str, bytes], name: str, place: int) -> UInt8[np.ndarray, "height width 3"]:
    image = cv2.imdecode(np.frombuffer(data[condition_name(name, place)], np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image
