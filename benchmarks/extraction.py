"""How much of MediaPipe's own speed is left when clips are extracted: decoding, JPEG, hand motion and packing
included; and with a body fitted and two conditions drawn and coded besides.

The peer is `mediapipe.solutions.holistic` 0.10.14 on the same frames, decoded before the clock starts. Both
sides give the same body, which is asserted (the solution sets two thresholds of the graph again, so not to
the last pixel). One process each, in turns; medians.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import mediapipe as mp
import numpy as np

from extractors.interface import Frame
from extractors.mediapipe_holistic import MediaPipeHolistic
from extractors.mediapipe_wholebody import BODY_FROM_POSE
from pipelines.body_surface import load_body
from pipelines.extract_clip import extract_clip
from pipelines.frames import VideoSource, read_frames
from pipelines.plan import clips_of_video
from pipelines.sample_meta import ClipJob
from pipelines.scan import scan_video
from pipelines.settings import BODY_MODELS, PlanSettings, SampleSettings
from renderers.mannequin.spec import FRONTAL
from renderers.mannequin.video import make_video
from shards.poses_file import unpack_poses

ROUNDS = 3


def bare(frames: list[Frame]) -> np.ndarray:
    """Pixels of the body's 33 landmarks in every frame, by MediaPipe's own solution."""
    found = []
    with mp.solutions.holistic.Holistic(model_complexity=1, refine_face_landmarks=True) as holistic:
        for frame in frames:
            height, width = frame.image.shape[:2]
            landmarks = holistic.process(frame.image).pose_landmarks.landmark
            found.append([(point.x * width, point.y * height) for point in landmarks])
    return np.array(found)


def main() -> None:
    """Print the ratio, after asserting that both sides found the same body."""
    with TemporaryDirectory() as folder:
        path = make_video(Path(folder), replace(FRONTAL, fps=30.0, seconds=3.0), seed=7, number=0)
        scan = scan_video(path, "0" * 16)
        clip = clips_of_video(scan, PlanSettings())[0]
        source = VideoSource(path, scan.video_id, scan.width, scan.height, 0, scan.codec, scan.exact_times)
        jobs = {body: ClipJob(clip, source, SampleSettings(body_model=body)) for body in BODY_MODELS}
        frames = list(read_frames(source, clip.frames, clip.times))
        extractor = MediaPipeHolistic()
        load_body()
        theirs: list[float] = []
        ours: dict[str, list[float]] = {body: [] for body in BODY_MODELS}
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            expected = bare(frames)
            theirs.append(time.perf_counter() - begun)
            for body, job in jobs.items():
                begun = time.perf_counter()
                _, members = extract_clip(job, extractor)
                ours[body].append(time.perf_counter() - begun)
    poses = unpack_poses({member.name: member.data for member in members}["poses.npz"])
    points, landmarks = list(BODY_FROM_POSE), list(BODY_FROM_POSE.values())
    difference = np.abs(poses["keypoints"][:, points] - expected[:, landmarks]).max(-1)
    median, most = np.percentile(difference, (50, 99)) / scan.height
    assert median < 0.002 and most < 0.01, (
        f"the sides differ by {median:.2%} of the picture's height, 1 in 100 points by {most:.2%}"
    )
    bare_ms = 1000 * statistics.median(theirs) / len(frames)
    print(f"MediaPipe alone: {bare_ms:.1f} ms a frame at {scan.width}x{scan.height}")
    for body, name in (("none", "extraction_throughput"), ("anny", "extraction_throughput_with_body")):
        our_ms = 1000 * statistics.median(ours[body]) / len(frames)
        print(f"extraction, body model {body}: {our_ms:.1f} ms a frame")
        print(f"ratio {name} {bare_ms / our_ms:.3f}")


if __name__ == "__main__":
    main()
