"""What a run would come to, without running it: hours, clips, shards and bytes from the files' headers, time
from a short measured calibration on one of them.
"""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import av
import numpy as np

from pipelines.dataset_settings import DatasetSettings
from pipelines.estimators import load_detector, load_with_body
from pipelines.extract_clip import extract_clip
from pipelines.frames import VideoSource
from pipelines.people import Detector, find_people
from pipelines.plan import chosen_frames, clips_of_video
from pipelines.reasons import Reason
from pipelines.sample_meta import ClipJob
from pipelines.scan import VideoScan, declared_rate, presentation_times
from pipelines.settings import PlanSettings
from pipelines.video import Damage, VideoError, decode, display_size, open_video, rotation
from shards.errors import UserError
from shards.schema import PlanRow, Status

CALIBRATION_SECONDS = 2.0
"""Of a video: so much is really extracted."""

START_SECONDS = 30.0
"""What Prefect's server and Ray take before the first video."""


class ForecastError(UserError):
    """There is nothing to measure with; the message says why."""


@dataclass(frozen=True)
class Header:
    """What a video's file says of itself; it is not decoded."""

    path: Path
    seconds: float
    fps: float


@dataclass(frozen=True)
class Calibration:
    """Measured on one video, in seconds of one worker for each frame: decoding for the scan, finding people,
    and extraction with all that is stored. people are the clips that stand beside each other, bytes those of
    a stored frame with its share of everything else.
    """

    video: Path
    frames: int
    scan_s: float
    people_s: float
    extract_s: float
    people: float
    bytes: float


@dataclass(frozen=True)
class Forecast:
    """What a run would come to; frames and clips count each person of a video by itself. left_out are inputs
    that are no videos or too short, by reason.
    """

    videos: int
    left_out: dict[str, int]
    hours: float
    clips: int
    frames: int
    shards: int
    bytes: float
    seconds: float
    workers: int
    calibration: Calibration


def read_header(path: Path) -> Header:
    """Raises VideoError for what is no video."""
    with open_video(path) as (container, stream):
        fps = declared_rate(stream)
        if stream.duration is not None and stream.time_base is not None:
            seconds = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            seconds = container.duration / av.time_base
        else:
            seconds = stream.frames / fps
        return Header(path, seconds, fps)


def forecast(
    paths: Sequence[Path],
    settings: DatasetSettings,
    workers: int,
    on_input: Callable[[], object] = lambda: None,
) -> Forecast:
    """What extracting those files would come to with so many workers like this process.

    Of a video whose clips are not cut yet, its shots are not known: each counts as one. Raises ForecastError
    where no file can be measured with, and what loading networks raises.
    """
    headers: list[Header] = []
    left_out: Counter[str] = Counter()
    for path in paths:
        try:
            header = read_header(path)
        except VideoError as error:
            left_out[str(error.reason)] += 1
        else:
            if header.seconds < settings.plan.min_clip_seconds:
                left_out[str(Reason.TOO_SHORT)] += 1
            else:
                headers.append(header)
        on_input()
    if not headers:
        raise ForecastError(f"of {len(paths)} inputs none is a video that is long enough: {dict(left_out)}")
    measured = calibrate(headers, settings)
    plan = settings.plan
    cut = [row for header in headers for row in _clips(header, plan)]
    clips = round(len(cut) * measured.people)
    frames = round(sum(len(row.frames) for row in cut) * measured.people)
    stored = [header.seconds * min(header.fps, plan.fps) for header in headers]
    scanning = measured.scan_s * sum(header.seconds * header.fps for header in headers)
    finding = measured.people_s * sum(stored)
    return Forecast(
        videos=len(headers),
        left_out=dict(left_out),
        hours=sum(header.seconds for header in headers) / 3600,
        clips=clips,
        frames=frames,
        shards=-(-clips // plan.clips_per_shard),
        bytes=frames * measured.bytes,
        seconds=START_SECONDS + (scanning + finding + measured.extract_s * frames) / workers,
        workers=workers,
        calibration=measured,
    )


def _clips(header: Header, plan: PlanSettings) -> list[PlanRow]:
    """Those of a video of one shot and one track."""
    times = np.arange(max(1, round(header.seconds * header.fps))) / header.fps
    scan = VideoScan("0" * 16, times=tuple(times.tolist()), shots=((0, len(times)),))
    return [row for row in clips_of_video(scan, plan) if row.status is Status.PENDING]


def calibrate(headers: Sequence[Header], settings: DatasetSettings) -> Calibration:
    """Extract the beginning of the video of median length, or of the next one that can be. Raises
    ForecastError.
    """
    by_length = sorted(headers, key=lambda header: header.seconds)
    middle = len(by_length) // 2
    failures = []
    detector = functools.cache(lambda: load_detector(settings))
    for header in by_length[middle:] + by_length[:middle][::-1]:
        try:
            return _measured(header, settings, detector)
        except VideoError as error:
            failures.append(f"{header.path.name}: {error.message}")
    raise ForecastError(f"no input could be measured with: {failures[0]}")


def _measured(header: Header, settings: DatasetSettings, detector: Callable[[], Detector]) -> Calibration:
    wanted = round(CALIBRATION_SECONDS * header.fps)
    begun = time.perf_counter()
    scan = _scan_beginning(header.path, wanted)
    scan_s = (time.perf_counter() - begun) / len(scan.times)
    plan = replace(settings.plan, min_clip_seconds=min(settings.plan.min_clip_seconds, scan.duration_s))
    people, people_s = None, 0.0
    if plan.finds_people:
        loaded = detector()
        begun = time.perf_counter()
        people = find_people(header.path, scan, plan.fps, loaded)
        people_s = (time.perf_counter() - begun) / len(chosen_frames(scan, 0, plan.fps)[0])
    cut = clips_of_video(scan, plan, people)
    clips = [row for row in cut if row.status is Status.PENDING]
    if not clips:
        raise VideoError(Reason.NO_PERSON, f"nobody to extract in its first seconds ({cut[0].error})")
    estimators = load_with_body(settings)
    sample = replace(settings.sample, min_found=0.0)
    job = ClipJob(clips[0], VideoSource.of(header.path, scan), sample)
    begun = time.perf_counter()
    row, members = extract_clip(job, estimators)
    seconds = time.perf_counter() - begun
    return Calibration(
        video=header.path,
        frames=row.num_frames,
        scan_s=scan_s,
        people_s=people_s,
        extract_s=seconds / row.num_frames,
        people=len({row.track_id for row in clips}),
        bytes=sum(len(member.data) for member in members) / row.num_frames,
    )


def _scan_beginning(path: Path, frames: int) -> VideoScan:
    """As a scan gives it, of the first frames alone, without looking for cuts."""
    with open_video(path) as (container, stream):
        pts: list[int | None] = []
        for frame in islice(decode(container, stream, Damage()), max(1, frames)):
            if not pts:
                size, turned = display_size(frame, stream), rotation(frame)
            pts.append(frame.pts)
        if not pts:
            raise VideoError(Reason.NO_FRAMES, "no frame of it can be decoded")
        times = presentation_times(pts, stream.time_base)
        fps = declared_rate(stream)
        return VideoScan(
            "0" * 16,
            codec=stream.codec_context.name,
            width=size[0],
            height=size[1],
            rotation=turned,
            times=times if times is not None else tuple(number / fps for number in range(len(pts))),
            exact_times=times is not None,
            shots=((0, len(pts)),),
        )
