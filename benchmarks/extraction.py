"""How much of its estimators' own speed a preset keeps from end to end: decoding, cropping, hand motion, the
drawing and coding of conditions, JPEG and packing included.

The peer is the bare estimators on the same inputs. For `embedded` they are `mediapipe.solutions.holistic`
0.10.14 on frames decoded before the clock starts, and where a body is stored the fit to what it found. For
`realisdance`, with untrained networks of the small size, they are its four networks on the very batches that
the preset gave them. Each case is one process and one thread of torch; the sides in turns; medians.

That both sides give the same is asserted: MediaPipe's body to a share of the picture (the solution sets two
thresholds of the graph again, so not to the last pixel); the networks' numbers to those of batches of one.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

# Of torch, in whatever thread it runs; read when it is imported.
os.environ["OMP_NUM_THREADS"] = "1"

import mediapipe as mp
import numpy as np
from torch import Tensor, nn

from extractors.batching import Batched
from extractors.hamer.estimator import HamerEstimator
from extractors.interface import Frame
from extractors.mediapipe_holistic import MediaPipeHolistic
from extractors.mediapipe_wholebody import BODY_FROM_POSE
from extractors.people.dry_run import DryRunDetector
from extractors.smpler_x.estimator import SmplerXEstimator
from extractors.wholebody.estimator import WholebodyEstimator
from pipelines.body_surface import fitted_arrays, load_body, models_in
from pipelines.dataset_settings import DatasetSettings, settle
from pipelines.estimators import Estimators, fitting, load_detector, load_estimators
from pipelines.extract_clip import extract_clip
from pipelines.frames import VideoSource, read_frames
from pipelines.people import find_people
from pipelines.plan import clips_of_video
from pipelines.sample_meta import ClipJob
from pipelines.scan import VideoScan, scan_video
from pipelines.settings import RANDOM_SMALL, PlanSettings, SampleSettings
from renderers.mannequin.spec import FRONTAL
from renderers.mannequin.video import make_video
from shards.poses_file import unpack_poses
from shards.schema import BODY_ARRAYS, Member

ROUNDS = 3
BATCH = 15
SECONDS, FPS = 3.0, 30.0

MIN_FILL = 0.9
"""Mean share of a batch that is used, over the batches of all networks."""

EQUAL = 1e-3
"""Radians, metres or pixels by which numbers from full batches may differ from those of batches of one."""


def main() -> None:
    """Print each case's ratio, after its assertions."""
    with TemporaryDirectory() as folder:
        path = make_video(Path(folder), replace(FRONTAL, fps=FPS, seconds=SECONDS), seed=7, number=0)
        scan = scan_video(path, "0" * 16)
        embedded(path, scan)
        realisdance(path, scan)


def embedded(path: Path, scan: VideoScan) -> None:
    """MediaPipe without a body, and with one."""
    (clip,) = clips_of_video(scan, PlanSettings())
    source = VideoSource.of(path, scan)
    frames = list(read_frames(source, clip.frames, clip.times))
    extractor, models = MediaPipeHolistic(), models_in(None, None)
    load_body("anny", models)
    jobs = {body: ClipJob(clip, source, SampleSettings(body_model=body)) for body in ("none", "anny")}
    poses: dict[str, np.ndarray] = {}
    times = Times()
    for _ in range(ROUNDS):
        with times.of("MediaPipe alone"):
            expected = bare_mediapipe(frames)
        for body, job in jobs.items():
            with times.of(f"embedded, body model {body}"):
                _, members = extract_clip(job, fitting(extractor, body))
            poses = poses_of(members)
        with times.of("fit alone"):
            fitted_arrays(poses, models, jobs["anny"].stored_size, lambda: None)
    points, landmarks = list(BODY_FROM_POSE), list(BODY_FROM_POSE.values())
    difference = np.abs(poses["keypoints"][:, points] - expected[:, landmarks]).max(-1)
    median, most = np.percentile(difference, (50, 99)) / scan.height
    assert median < 0.002 and most < 0.01, (
        f"the sides differ by {median:.2%} of the picture's height, 1 in 100 points by {most:.2%}"
    )
    times.report(len(frames), scan)
    alone, fit = times.median("MediaPipe alone"), times.median("fit alone")
    print(f"ratio extraction_throughput {alone / times.median('embedded, body model none'):.3f}")
    with_body = times.median("embedded, body model anny")
    print(f"ratio extraction_throughput_with_body {(alone + fit) / with_body:.3f}")


def realisdance(path: Path, scan: VideoScan) -> None:
    """The four networks of `realisdance`, untrained and small."""
    settings, single = (small_settings(batch) for batch in (BATCH, 1))
    estimators, detector = load_estimators(settings), load_detector(settings)
    assert isinstance(detector, DryRunDetector)
    load_body("smplx", models_in(estimators.body_models, None))

    def end_to_end(settings: DatasetSettings, estimators: Estimators) -> tuple[ClipJob, list[Member]]:
        people = find_people(path, scan, settings.plan.fps, detector)
        (clip,) = clips_of_video(scan, settings.plan, people)
        job = ClipJob(clip, VideoSource.of(path, scan), settings.sample)
        return job, extract_clip(job, estimators)[1]

    networks = {"detector": detector.detector.batched, **networks_of(estimators)}
    with recorded(networks) as batches:
        job, members = end_to_end(settings, estimators)
    frames = len(job.clip.frames)
    assert networks["detector"].count.inputs == frames, "each frame is looked at once"
    for name, run in networks.items():
        print(f"{name}: {run.count.inputs} inputs in {run.count.batches} batches, {run.count.fill:.0%} full")
    batch_count = sum(run.count.batches for run in networks.values())
    fill = sum(run.count.inputs for run in networks.values()) / (BATCH * batch_count)
    assert fill >= MIN_FILL, f"batches are {fill:.0%} full"
    times = Times()
    for _ in range(ROUNDS):
        with times.of("bare networks"):
            for name, inputs in batches.items():
                for batch in inputs:
                    networks[name](batch)
        with times.of("realisdance, random-small"):
            end_to_end(settings, estimators)
    one_by_one = poses_of(end_to_end(single, load_estimators(single))[1])
    for name, array in poses_of(members).items():
        if array.dtype.kind == "f" and name in ("keypoints", "confidence", *BODY_ARRAYS):
            np.testing.assert_allclose(array, one_by_one[name], rtol=EQUAL, atol=EQUAL, err_msg=name)
    times.report(frames, scan)
    ratio = times.median("bare networks") / times.median("realisdance, random-small")
    print(f"ratio extraction_throughput_realisdance_small {ratio:.3f}")


def small_settings(batch: int) -> DatasetSettings:
    return settle(None, {"preset": "realisdance", "weights": RANDOM_SMALL, "batch": batch})


def networks_of(estimators: Estimators) -> dict[str, Batched]:
    """The networks of `realisdance` but the detector, by name."""
    keypoints, body, hands = estimators.keypoints, estimators.body, estimators.hands
    assert isinstance(keypoints, WholebodyEstimator)
    assert isinstance(body, SmplerXEstimator) and isinstance(hands, HamerEstimator)
    return {"keypoints": keypoints.runs[0], "body": body.batched, "hands": hands.batched}


@contextmanager
def recorded(networks: Mapping[str, Batched]) -> Iterator[dict[str, list[Tensor]]]:
    """The batches that each network is given in the context."""
    batches: dict[str, list[Tensor]] = {name: [] for name in networks}

    def keeping(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda _, inputs: batches[name].append(inputs[0].clone())

    hooks = [run.network.register_forward_pre_hook(keeping(name)) for name, run in networks.items()]
    try:
        yield batches
    finally:
        for hook in hooks:
            hook.remove()


def bare_mediapipe(frames: list[Frame]) -> np.ndarray:
    """Pixels of the body's 33 landmarks in every frame, by MediaPipe's own solution."""
    found = []
    with mp.solutions.holistic.Holistic(model_complexity=1, refine_face_landmarks=True) as holistic:
        for frame in frames:
            height, width = frame.image.shape[:2]
            landmarks = holistic.process(frame.image).pose_landmarks.landmark
            found.append([(point.x * width, point.y * height) for point in landmarks])
    return np.array(found)


def poses_of(members: list[Member]) -> dict[str, np.ndarray]:
    return unpack_poses({member.name: member.data for member in members}["poses.npz"])


@dataclass(frozen=True)
class Times:
    """Seconds that each side took, round by round."""

    taken: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def of(self, side: str) -> Iterator[None]:
        """What is done in the context counts as one round of that side."""
        begun = time.perf_counter()
        yield
        self.taken.setdefault(side, []).append(time.perf_counter() - begun)

    def median(self, side: str) -> float:
        return statistics.median(self.taken[side])

    def report(self, frames: int, scan: VideoScan) -> None:
        """Print each side's milliseconds for a frame."""
        for side in self.taken:
            milliseconds = 1000 * self.median(side) / frames
            print(f"{side}: {milliseconds:.1f} ms a frame at {scan.width}x{scan.height}")


if __name__ == "__main__":
    main()
