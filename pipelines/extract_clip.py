"""One clip, from its video to the members of its sample: decode, keypoints, hand motion, body, hands,
conditions, stored frames, poses.npz, meta.json.

Dimension names: frames F, hands 2 (left, right), points 133 (COCO-WholeBody).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from extractors.hand_motion import hand_box, hand_movement, hand_sharpness
from extractors.interface import (
    FOUND_CONFIDENCE,
    BodyReader,
    Extractor,
    Frame,
    FramePose,
    HandReader,
    SeenBody,
    SeenHand,
)
from extractors.smoothing import smooth_boxes, smooth_surfaces
from pipelines.body_surface import (
    drawn_conditions,
    fitted_arrays,
    models_in,
    no_body,
    parts_seen,
    put_body,
    put_hands,
    unseen_body,
    unseen_hands,
)
from pipelines.content_keys import ContentKeys, content_keys
from pipelines.estimators import Estimators
from pipelines.frames import read_ahead, read_frames
from pipelines.presets import FITTED_MODELS
from pipelines.reasons import Reason
from pipelines.sample_meta import ClipJob, sample_meta
from renderers.wholebody import BODY, FACE, LEFT_HAND, RIGHT_HAND
from shards.drawn_with import drawing_facts, kept_facts, name_colours
from shards.meta_file import pack_meta, read_meta
from shards.poses_file import pack_poses, pack_some_poses, unpack_poses
from shards.schema import (
    BODY_ARRAYS,
    HAND_SURFACE_ARRAYS,
    LEFT,
    META_MEMBER,
    NO_MODEL,
    POSES,
    POSES_MEMBER,
    RAW_MEMBER,
    RIGHT,
    STORED_CONDITIONS,
    ClipRow,
    Member,
    PlanRow,
    Quality,
    Status,
    condition_name,
    frame_name,
)
from shards.surface_conditions import Models

HANDS = {LEFT: LEFT_HAND, RIGHT: RIGHT_HAND}


@dataclass(frozen=True)
class OldSample:
    """A sample of the same clip made earlier, whose parts are kept where their content keys are the same."""

    keys: ContentKeys
    members: Mapping[str, bytes]


def extract_clip(
    job: ClipJob,
    estimators: Estimators,
    old: OldSample | None = None,
    on_frame: Callable[[], object] = lambda: None,
) -> tuple[ClipRow, list[Member]]:
    """The clip's row and its members; filtered with no members where a person is found in too few frames.

    `on_frame` is called for each frame decoded and each batch of a network, in whatever thread that is.
    Raises VideoError where the frames of the plan cannot be read
    again; what an estimator raises is passed on.
    """
    keys = content_keys(job.clip, job.settings, estimators.lineages)
    clip = _Clip(job, estimators, keys, old, on_frame)
    images: list[bytes] = []
    poses = _empty_poses(job.clip)
    seen = _see(clip, poses, images)
    drawn = _Drawn([], {})
    is_final = estimators.body is not None and not estimators.smooth
    if is_final and not clip.keeps("conditions"):
        drawn = _draw(clip, poses, seen)
    deque(seen, maxlen=0)
    quality = _quality(poses)
    if quality.body_found < job.settings.min_found:
        wanted = job.settings.min_found
        error = f"a person was found in {quality.body_found:.0%} of the frames, {wanted:.0%} are wanted"
        return clip_row(job, keys.sample, Status.FILTERED, Reason.NO_PERSON, error, quality), []
    raw: dict[str, np.ndarray] = {}
    if job.settings.body_model != NO_MODEL:
        _fit_body(clip, poses)
        if estimators.smooth:
            smoothed = smooth_surfaces(poses, job.stored_size)
            raw = {name: poses[name] for name in smoothed}
            poses |= smoothed
        if clip.keeps("conditions"):
            drawn = _kept_conditions(clip)
        elif not drawn.images:
            drawn = _draw(clip, poses, None)
    members = [
        *(Member(frame_name(place), image) for place, image in enumerate(images)),
        *drawn.images,
        Member(POSES_MEMBER, pack_poses(poses)),
        *([Member(RAW_MEMBER, pack_some_poses(raw))] if raw else []),
        Member(META_MEMBER, pack_meta(sample_meta(job, keys, estimators.lineages, drawn.facts))),
    ]
    return clip_row(job, keys.sample, Status.OK, "", "", quality), members


def clip_row(
    job: ClipJob, content_key: str, status: Status, reason: str, error: str, quality: Quality | None = None
) -> ClipRow:
    """The row of a clip with that outcome; its members are filled in when the shard is written."""
    clip = job.clip
    width, height = job.stored_size
    count = len(clip.frames)
    span = clip.times[-1] - clip.times[0]
    fps = (count - 1) / span if count > 1 else 0.0
    return ClipRow(
        key=clip.key,
        shard=clip.shard,
        status=status,
        reason=reason,
        error=error,
        video_id=clip.video_id,
        shot=clip.shot,
        track_id=clip.track_id,
        first_frame=clip.first_frame,
        num_frames=count,
        start_s=clip.times[0],
        duration_s=span + 1 / fps if fps else 0.0,
        fps=fps,
        width=width,
        height=height,
        preset=job.settings.preset,
        content_key=content_key,
        **asdict(quality or Quality()),
    )


@dataclass(frozen=True)
class _Drawn:
    """The images of the stored conditions, and what meta.json says of each condition's drawing."""

    images: list[Member]
    facts: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class _Clip:
    """A clip at work: what is to be made of it, by what, and what there is of it."""

    job: ClipJob
    estimators: Estimators
    keys: ContentKeys
    old: OldSample | None
    on_frame: Callable[[], object]

    @property
    def models(self) -> Models:
        return models_in(self.estimators.body_models, self.job.settings.colours_file)

    @property
    def to_stored(self) -> Float[np.ndarray, "2"]:
        """From pixels of the video to those of the stored frame, in x and y."""
        source = self.job.source
        return np.array(self.job.stored_size, np.float32) / np.array(
            (source.width, source.height), np.float32
        )

    def keeps(self, part: str) -> bool:
        """Whether that part of the old sample, a field of ContentKeys, is still right."""
        return self.old is not None and getattr(self.old.keys, part) == getattr(self.keys, part)

    def old_poses(self) -> dict[str, np.ndarray]:
        """What the old sample's numbers were before they were smoothed."""
        assert self.old is not None
        poses = unpack_poses(self.old.members[POSES_MEMBER])
        return poses | (unpack_poses(self.old.members[RAW_MEMBER]) if RAW_MEMBER in self.old.members else {})


def _fit_body(clip: _Clip, poses: dict[str, np.ndarray]) -> None:
    """Fill in the arrays of a body that is fitted to the keypoints."""
    if clip.job.settings.body_model in FITTED_MODELS:
        if clip.keeps("body"):
            kept = clip.old_poses()
            poses |= {name: kept[name] for name in BODY_ARRAYS}
        else:
            poses |= fitted_arrays(poses, clip.models, clip.job.stored_size, clip.on_frame)


def _kept_conditions(clip: _Clip) -> _Drawn:
    """The images of the old sample."""
    assert clip.old is not None
    names = [
        condition_name(condition, place)
        for condition in STORED_CONDITIONS
        for place in range(len(clip.job.clip.frames))
    ]
    meta = read_meta(clip.old.members[META_MEMBER])
    # They may have been drawn on another platform, or in other colours since.
    facts = {condition: kept_facts(meta, condition) for condition in STORED_CONDITIONS}
    return _Drawn([Member(name, clip.old.members[name]) for name in names], facts)


def _draw(clip: _Clip, poses: dict[str, np.ndarray], frames: Iterable[int] | None) -> _Drawn:
    """The images of all frames, or of each when it is given."""
    images = drawn_conditions(poses, clip.models, clip.job.stored_size, clip.on_frame, frames)
    colours = name_colours(clip.job.settings.colours_file)
    return _Drawn(images, {name: drawing_facts(name, colours) for name in STORED_CONDITIONS})


def _see(clip: _Clip, poses: dict[str, np.ndarray], images: list[bytes]) -> Iterator[int]:
    """Fill in the stored frames and the arrays of poses.npz, but for those of a fitted body; what the old
    sample holds under an equal key is taken from there, and the video is read once for all that is not.

    Gives the place of each frame as soon as its surfaces are in, so that it can be drawn meanwhile.
    """
    job, estimators, count = clip.job, clip.estimators, len(clip.job.clip.frames)
    if clip.keeps("frames") and clip.old is not None:
        images += [clip.old.members[frame_name(place)] for place in range(count)]
    needs_images, needs_keypoints = not images, not clip.keeps("keypoints")
    needs_motion = needs_keypoints or not clip.keeps("hand_motion")
    if not needs_keypoints:
        kept = clip.old_poses()
        poses |= {name: kept[name] for name in POSES.keys() - BODY_ARRAYS.keys()}
    surfaces = _Surfaces(clip, poses)
    if needs_images or needs_motion or surfaces.are_read:
        frames = read_ahead(read_frames(job.source, job.clip.frames, job.clip.times, clip.on_frame))
        posed: Iterator[Frame] = _with_boxes(frames, clip)
        if needs_keypoints:
            posed = _with_poses(posed, estimators.keypoints, poses, clip.to_stored)
        coding: list[Future[bytes]] = []
        with ThreadPoolExecutor(1, "encode") as encoder:
            for place, frame in enumerate(posed):
                if needs_images:
                    quality = job.settings.jpeg_quality
                    coding.append(encoder.submit(encode_jpeg, frame.image, job.stored_size, quality))
                if needs_motion:
                    _measure_sharpness(frame.image, poses, place, clip.to_stored)
                yield from surfaces.add(frame, place)
        images += [image.result() for image in coding]
        if needs_motion:
            _measure_movement(poses, min(job.stored_size))
    yield from surfaces.finish()


class _Surfaces:
    """The surfaces of body and hands that networks see in a clip, filled in as they come; those of the old
    sample where they are still right.
    """

    def __init__(self, clip: _Clip, poses: dict[str, np.ndarray]) -> None:
        self._clip, self._poses = clip, poses
        self._bodies: BodyReader | None = None
        self._hands: HandReader | None = None
        count, estimators = len(clip.job.clip.frames), clip.estimators
        self._bodies_done = self._hands_done = count
        self._given = count if estimators.body is None else 0
        if estimators.body is not None:
            if clip.keeps("body"):
                self._keep(BODY_ARRAYS.keys() - HAND_SURFACE_ARRAYS)
            else:
                poses |= unseen_body(count, clip.models(estimators.body.body_model))
                self._bodies, self._bodies_done = estimators.body.reader(clip.on_frame), 0
        if estimators.hands is not None:
            if clip.keeps("hands"):
                self._keep(HAND_SURFACE_ARRAYS)
            else:
                poses |= unseen_hands(count, clip.models(estimators.hands.hand_model, side="right"))
                self._hands, self._hands_done = estimators.hands.reader(clip.on_frame), 0

    def _keep(self, names: Iterable[str]) -> None:
        kept = self._clip.old_poses()
        self._poses |= {name: kept[name] for name in names}

    @property
    def are_read(self) -> bool:
        """Whether some of them are to be seen in the frames."""
        return self._bodies is not None or self._hands is not None

    def add(self, frame: Frame, place: int) -> Iterator[int]:
        """Take the next frame, whose keypoints are in; gives the frames that are complete by now."""
        if self._bodies is not None:
            self._bodies.add(frame)
            self._put(self._bodies.ready(), ())
        if self._hands is not None:
            # As they are stored, so that kept keypoints give the same hands.
            keypoints = self._poses["keypoints"][place] / self._clip.to_stored
            left, right = map(bool, self._poses["hand_valid"][place])
            self._hands.add(frame, keypoints, self._poses["confidence"][place], (left, right))
            self._put((), self._hands.ready())
        if self.are_read:
            yield from self._complete()

    def finish(self) -> Iterator[int]:
        """The rest of the frames."""
        if self._bodies is not None:
            self._put(self._bodies.finish(), ())
        if self._hands is not None:
            self._put((), self._hands.finish())
        if self._clip.estimators.body is not None:
            valid = self._poses["body_surface_valid"]
            self._poses["body_part_valid"] = parts_seen(self._poses["confidence"], valid)
        yield from self._complete()

    def _put(
        self, bodies: Iterable[SeenBody | None], hands: Iterable[tuple[SeenHand | None, SeenHand | None]]
    ) -> None:
        for body in bodies:
            put_body(self._poses, self._bodies_done, body, self._clip.to_stored)
            self._bodies_done += 1
        for pair in hands:
            put_hands(self._poses, self._hands_done, pair, self._clip.to_stored)
            self._hands_done += 1
        self._clip.on_frame()

    def _complete(self) -> Iterator[int]:
        while self._given < min(self._bodies_done, self._hands_done):
            self._given += 1
            yield self._given - 1


def _with_boxes(frames: Iterable[Frame], clip: _Clip) -> Iterator[Frame]:
    """The frames, each with where the plan says that the clip's person was detected."""
    boxes = np.array(clip.job.clip.boxes, np.float32).reshape(-1, 4)
    if clip.estimators.smooth and len(boxes):
        boxes = smooth_boxes(boxes, np.array(clip.job.clip.times)).astype(np.float32)
    for place, frame in enumerate(frames):
        yield replace(frame, box=boxes[place]) if len(boxes) else frame


def _with_poses(
    frames: Iterable[Frame],
    extractor: Extractor,
    poses: dict[str, np.ndarray],
    to_stored: Float[np.ndarray, "2"],
) -> Iterator[Frame]:
    """The frames, each when its pose is in place in `poses`. The extractor may read ahead."""
    waiting: deque[Frame] = deque()

    def handed_over() -> Iterator[Frame]:
        for frame in frames:
            waiting.append(frame)
            yield frame

    for place, pose in enumerate(extractor.extract(handed_over())):
        _store_pose(poses, place, pose, to_stored)
        yield waiting.popleft()
    if waiting:
        raise RuntimeError(f"{extractor.lineage.extractor} gave no pose for {len(waiting)} frames")


def _empty_poses(clip: PlanRow) -> dict[str, np.ndarray]:
    """Every array of the schema, with nothing found yet and no body."""
    count = len(clip.frames)
    poses = {}
    for name, spec in POSES.items():
        if name not in BODY_ARRAYS:
            missing = np.nan if spec.dtype.kind == "f" else 0
            poses[name] = np.full((count, *map(int, spec.shape)), missing, spec.dtype)
    poses["frame"][:] = clip.frames
    poses["time"][:] = clip.times
    return poses | no_body(count)


def _store_pose(
    poses: dict[str, np.ndarray], place: int, pose: FramePose, to_stored: Float[np.ndarray, "2"]
) -> None:
    keypoints = (pose.keypoints * to_stored).astype(np.float32)
    found = pose.confidence >= FOUND_CONFIDENCE
    poses["keypoints"][place] = keypoints
    poses["confidence"][place] = pose.confidence
    poses["body_valid"][place] = pose.body_valid
    poses["face_valid"][place] = pose.face_valid
    poses["hand_valid"][place] = pose.hand_valid
    if pose.body_valid and found.any():
        poses["person_box"][place] = _box(keypoints[found])
    if pose.face_valid:
        poses["face_box"][place] = _box(keypoints[FACE])
    poses["body_landmarks"][place] = pose.body_landmarks
    poses["body_visibility"][place] = pose.body_visibility
    poses["hand_landmarks"][place] = pose.hand_landmarks


def _box(points: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "4"]:
    return np.concatenate([points.min(0), points.max(0)])


def _measure_sharpness(
    image: UInt8[np.ndarray, "height width 3"],
    poses: dict[str, np.ndarray],
    place: int,
    to_stored: Float[np.ndarray, "2"],
) -> None:
    """Sharpness is the video's own: measured on its pixels, before they are scaled and coded."""
    for hand, points in HANDS.items():
        if poses["hand_valid"][place, hand]:
            box = hand_box(poses["keypoints"][place, points])
            poses["hand_box"][place, hand] = box
            sharpness = hand_sharpness(image, box / np.tile(to_stored, 2))
            poses["sharpness"][place, hand], poses["sharpness_raw"][place, hand] = sharpness


def _measure_movement(poses: dict[str, np.ndarray], short_side: int) -> None:
    hands = np.stack([poses["keypoints"][:, points] for points in HANDS.values()], axis=1)
    motion = hand_movement(hands, poses["hand_valid"], poses["time"], short_side)
    poses["movement"], poses["movement_raw"], poses["movement_valid"] = (
        motion.movement,
        motion.raw,
        motion.valid,
    )


def encode_jpeg(image: UInt8[np.ndarray, "height width 3"], size: tuple[int, int], quality: int) -> bytes:
    """The RGB image at `size` (width, height) as a baseline JPEG with 4:2:0 chroma, which every decoder reads
    fast.
    """
    if (image.shape[1], image.shape[0]) != size:
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    ]
    coded, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    if not coded:
        raise RuntimeError(f"a frame of {size[0]}x{size[1]} could not be coded as JPEG")
    return data.tobytes()


def _quality(poses: dict[str, np.ndarray]) -> Quality:
    confidence = poses["confidence"][poses["body_valid"]][:, BODY]
    speed = np.linalg.norm(poses["movement"], axis=-1)
    hands = poses["hand_valid"].mean(0)
    return Quality(
        body_found=float(poses["body_valid"].mean()),
        face_found=float(poses["face_valid"].mean()),
        left_hand_found=float(hands[LEFT]),
        right_hand_found=float(hands[RIGHT]),
        confidence=float(confidence.mean()) if confidence.size else float("nan"),
        hand_sharpness=_median(poses["sharpness"]),
        hand_movement=_median(speed),
    )


def _median(values: Float[np.ndarray, "frames 2"]) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else float("nan")
