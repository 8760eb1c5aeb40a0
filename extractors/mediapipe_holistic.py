"""MediaPipe Holistic 0.10.14, whose wheel carries its models: 2D and 3D points of the most prominent person.

The graph is run directly, not through `mp.solutions`: that gives the hands' metric landmarks and presence
scores, which the solution drops, and feeds the landmark smoothing with the frames' true times, where the
solution counts 1/30 s a frame.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("GLOG_minloglevel", "2")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import cv2
import mediapipe as mp
import numpy as np
from jaxtyping import Float
from mediapipe.python import packet_creator, packet_getter
from mediapipe.python._framework_bindings import calculator_graph, resource_util

from extractors.interface import FOUND_CONFIDENCE, Extractor, Frame, FramePose, Licences, Lineage
from extractors.mediapipe_wholebody import wholebody_keypoints
from renderers.wholebody import BODY

_MODULES = Path(mp.__file__).parent / "modules"
_GRAPH = _MODULES / "holistic_landmark" / "holistic_landmark_cpu.binarypb"
_WEIGHTS = (
    "face_detection/face_detection_short_range.tflite",
    "face_landmark/face_landmark_with_attention.tflite",
    "hand_landmark/hand_landmark_full.tflite",
    "holistic_landmark/hand_recrop.tflite",
    "pose_detection/pose_detection.tflite",
    "pose_landmark/pose_landmark_full.tflite",
)

_HAND = "handlandmarksleftandrightcpu__handlandmarksfromposecpu_{}__handlandmarkcpu__"
_FACE_SCORE = "facelandmarksfromposecpu__facelandmarkcpu__face_presence_score"
_HAND_SCORES = tuple(f"{_HAND.format(side)}hand_presence_score" for side in (1, 2))
_HAND_METRIC = tuple(f"{_HAND.format(side)}hand_world_landmarks" for side in (1, 2))
_HANDS = ("left_hand_landmarks", "right_hand_landmarks")
_LANDMARKS = ("pose_landmarks", "pose_world_landmarks", "face_landmarks", *_HANDS, *_HAND_METRIC)
_SCORES = (_FACE_SCORE, *_HAND_SCORES)


class MediaPipeHolistic(Extractor):
    """The extractor of preset `embedded`. A new graph for every clip: no result depends on another clip."""

    def __init__(self) -> None:
        resource_util.set_resource_dir(str(_MODULES.parent.parent))

    @functools.cached_property
    def lineage(self) -> Lineage:  # type: ignore[override]
        """Read from the installed wheel: the weights' hashes are of the files that run."""
        return Lineage(
            extractor="mediapipe_holistic",
            version=1,
            package=f"mediapipe=={mp.__version__}",
            weights={name: _sha256(_MODULES / name) for name in _WEIGHTS},
            licences=Licences(code="Apache-2.0", weights="Apache-2.0", body_model="none"),
        )

    def extract(self, frames: Iterable[Frame]) -> Iterator[FramePose]:
        """One pose per frame; times must increase by at least a microsecond from frame to frame.

        With a box, only a square around it is looked at, in which the person stays in the middle.
        """
        with _running_graph() as run:
            for frame in frames:
                if frame.box is None:
                    height, width = frame.image.shape[:2]
                    yield _pose(run(frame), np.array([width, height], np.float32))
                elif frame.is_seen:
                    yield _in_frame(run, frame, frame.box)
                else:
                    yield FramePose()


CROP_MARGIN = 1.25
"""Side of the square around a person, in longer sides of the box: as much as RTMPose is given."""

CROP_SIDE = 640
"""Its pixels: twice and more what MediaPipe's networks take of a body."""


OWN_SHARE = 0.75
"""Of the body's points must lie in the box, or they are of somebody else who walks through the square."""


def _in_frame(
    run: Callable[[Frame], Mapping[str, Any]], frame: Frame, box: Float[np.ndarray, "4"]
) -> FramePose:
    """The pose of the person in the box, in pixels of the whole image."""
    side = CROP_MARGIN * float(max(box[2:] - box[:2], default=0))
    scale = CROP_SIDE / max(side, 1.0)
    corner = (box[:2] + box[2:]) / 2 - CROP_SIDE / scale / 2
    to_crop = np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]]])
    crop = cv2.warpAffine(frame.image, to_crop, (CROP_SIDE, CROP_SIDE), flags=cv2.INTER_LINEAR)
    pose = _pose(run(replace(frame, image=crop)), np.full(2, CROP_SIDE, np.float32))
    keypoints = np.where(pose.confidence[:, None] > 0, pose.keypoints / scale + corner, 0)
    body = keypoints[BODY][pose.confidence[BODY] >= FOUND_CONFIDENCE]
    inside = ((body >= box[:2]) & (body <= box[2:])).all(1)
    if not len(inside) or inside.mean() < OWN_SHARE:
        return FramePose()
    return replace(pose, keypoints=keypoints.astype(np.float32))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _running_graph() -> Iterator[Any]:
    """A new Holistic graph; yields a function from a frame to the packets of its output streams."""
    graph = calculator_graph.CalculatorGraph(binary_graph_path=str(_GRAPH))
    packets: dict[str, Any] = {}
    for stream in (*_LANDMARKS, *_SCORES):
        graph.observe_output_stream(stream, packets.__setitem__, True)
    graph.start_run(
        {
            "model_complexity": packet_creator.create_int(1),
            "smooth_landmarks": packet_creator.create_bool(True),
            "enable_segmentation": packet_creator.create_bool(False),
            "smooth_segmentation": packet_creator.create_bool(False),
            "refine_face_landmarks": packet_creator.create_bool(True),
            "use_prev_landmarks": packet_creator.create_bool(True),
        }
    )
    first_time: float | None = None

    def run(frame: Frame) -> Mapping[str, Any]:
        nonlocal first_time
        first_time = frame.time if first_time is None else first_time
        packets.clear()
        image = packet_creator.create_image_frame(
            image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(frame.image)
        )
        microseconds = 1 + round((frame.time - first_time) * 1e6)
        graph.add_packet_to_input_stream(stream="image", packet=image.at(microseconds))
        graph.wait_until_idle()
        return packets

    try:
        yield run
    finally:
        graph.close()


def _pose(packets: Mapping[str, Any], size: Float[np.ndarray, "2"]) -> FramePose:
    landmarks = {name: _landmarks(packets[name]) for name in _LANDMARKS if _is_given(packets, name)}
    scores = {name: packet_getter.get_float(packets[name]) for name in _SCORES if _is_given(packets, name)}
    if "pose_landmarks" not in landmarks:
        return FramePose()
    pixels = {name: landmarks[name][:, :2] * size for name in landmarks.keys() - set(_HAND_METRIC)}
    visibility = np.array(
        [point.visibility for point in packet_getter.get_proto(packets["pose_landmarks"]).landmark],
        np.float32,
    )
    keypoints, confidence = wholebody_keypoints(
        pixels["pose_landmarks"],
        visibility,
        pixels.get("face_landmarks"),
        scores.get(_FACE_SCORE, 0.0),
        (pixels.get(_HANDS[0]), pixels.get(_HANDS[1])),
        (scores.get(_HAND_SCORES[0], 0.0), scores.get(_HAND_SCORES[1], 0.0)),
    )
    missing = np.full((21, 3), np.nan, np.float32)
    return FramePose(
        keypoints=keypoints,
        confidence=confidence,
        body_valid=True,
        face_valid="face_landmarks" in landmarks,
        hand_valid=(_HANDS[0] in landmarks, _HANDS[1] in landmarks),
        body_landmarks=landmarks["pose_world_landmarks"],
        body_visibility=np.clip(visibility, 0, 1),
        hand_landmarks=np.stack([landmarks.get(name, missing) for name in _HAND_METRIC]),
    )


def _is_given(packets: Mapping[str, Any], name: str) -> bool:
    return name in packets and not packets[name].is_empty()


def _landmarks(packet: Any) -> Float[np.ndarray, "landmarks 3"]:
    return np.array(
        [(point.x, point.y, point.z) for point in packet_getter.get_proto(packet).landmark], np.float32
    )
