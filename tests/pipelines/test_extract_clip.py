"""One clip from frames to members: aligned, measured, and made anew only where what it depends on has
changed.
"""

import functools
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from extractors import hand_motion
from extractors.interface import Extractor, Frame, FramePose, Licences, Lineage
from pipelines import content_keys as content_keys_module
from pipelines import extract_clip as extract_clip_module
from pipelines.content_keys import ContentKeys, content_keys
from pipelines.estimators import fitting, fitting_lineages
from pipelines.extract_clip import OldSample, extract_clip
from pipelines.frames import VideoSource
from pipelines.lineages import Lineages
from pipelines.plan import clips_of_video
from pipelines.reasons import Reason
from pipelines.sample_meta import ClipJob, stored_size
from pipelines.scan import scan_video
from pipelines.settings import PlanSettings, SampleSettings
from renderers.body_models.anny import AnnyBody
from renderers.mannequin.labels import VISIBLE
from renderers.wholebody import LEFT_HAND
from shards.check_sample import check_sample
from shards.poses_file import unpack_poses
from shards.schema import LEFT, RIGHT, STORED_CONDITIONS, ClipRow, Member, Status, condition_name
from shards.surface_conditions import body_parameters
from tests.factories.person_video import PersonVideo
from tests.factories.videos import read_number, write_numbered_video

LINEAGE = Lineage("drawn", 1, "none", {}, Licences("Apache-2.0", "none", "none"))


class LeftHandOnly(Extractor):
    """Finds a body and a left hand that moves 2 pixels to the right with each frame, except in frame 5."""

    lineage = LINEAGE

    def extract(self, frames: Iterable[Frame]) -> Iterator[FramePose]:
        for frame in frames:
            keypoints = np.full((133, 2), 50, np.float32)
            keypoints[LEFT_HAND] = np.linspace(20, 60, 21)[:, None] + [2 * frame.number, 0]
            yield FramePose(
                keypoints=keypoints,
                confidence=np.full(133, 0.9, np.float32),
                body_valid=True,
                hand_valid=(frame.number != 5, False),
            )


class Nobody(Extractor):
    """Finds nobody."""

    lineage = LINEAGE

    def extract(self, frames: Iterable[Frame]) -> Iterator[FramePose]:
        return (FramePose() for _ in frames)


class NotToBeAsked(Extractor):
    """Fails the test that asks it."""

    lineage = LINEAGE

    def extract(self, frames: Iterable[Frame]) -> Iterator[FramePose]:
        raise AssertionError("the keypoints were to be kept")


class Forgetful(Extractor):
    """Gives one pose too few."""

    lineage = LINEAGE

    def extract(self, frames: Iterable[Frame]) -> Iterator[FramePose]:
        return (FramePose() for _ in list(frames)[1:])


@pytest.fixture
def job(tmp_path: Path) -> ClipJob:
    settings = SampleSettings(short_side=96, body_model="none")
    return job_of(write_numbered_video(tmp_path / "video.mp4", count=24, fps=24), settings)


def by(job: ClipJob, extractor: Extractor, old: OldSample | None = None) -> tuple[ClipRow, list[Member]]:
    """The clip as that extractor sees it."""
    return extract_clip(job, fitting(extractor, job.settings.body_model), old)


def keys_of(job: ClipJob, lineage: Lineage = LINEAGE) -> ContentKeys:
    return content_keys(job.clip, job.settings, fitting_lineages(lineage, job.settings.body_model))


def job_of(path: Path, settings: SampleSettings) -> ClipJob:
    scan = scan_video(path, "a" * 16)
    clip = replace(clips_of_video(scan, PlanSettings(min_clip_seconds=0.5))[0], shard=0)
    source = VideoSource(
        path, scan.video_id, scan.width, scan.height, scan.rotation, scan.codec, scan.exact_times
    )
    return ClipJob(clip, source, settings)


def data_of(members: list[Member]) -> dict[str, bytes]:
    return {member.name: member.data for member in members}


def old_sample(job: ClipJob, members: list[Member]) -> OldSample:
    return OldSample(
        ContentKeys(**json.loads(data_of(members)["meta.json"])["content_keys"]), data_of(members)
    )


def test_a_sample_holds_what_the_schema_says_and_its_frames_in_order(job: ClipJob) -> None:
    row, members = by(job, LeftHandOnly())
    check_sample(row, members)
    assert (row.status, row.width, row.height, row.num_frames) == (Status.OK, 120, 96, 24)
    data = data_of(members)
    for place in range(24):
        image = cv2.imdecode(np.frombuffer(data[f"rgb.{place:03d}.jpg"], np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (96, 120, 3)
        assert read_number(image) == place
    meta = json.loads(data["meta.json"])
    assert meta["person_selection"].startswith("most prominent")
    assert meta["conditions"]["skeleton"]["lineage"]["licences"]["code"] == "Apache-2.0"
    assert meta["body_model"] == "none" and set(meta["streams"]) == {"target", "driving", "reference"}


def test_keypoints_are_in_pixels_of_the_stored_frame(job: ClipJob) -> None:
    poses = unpack_poses(data_of(by(job, LeftHandOnly())[1])["poses.npz"])
    np.testing.assert_allclose(poses["keypoints"][0, 0], [50 * 120 / 160, 50 * 96 / 128], rtol=1e-6)


def test_no_hand_is_nan_and_invalid_and_never_zero(job: ClipJob) -> None:
    poses = unpack_poses(data_of(by(job, LeftHandOnly())[1])["poses.npz"])
    for name in ("sharpness", "sharpness_raw", "movement", "movement_raw", "hand_box"):
        assert np.isnan(poses[name][:, RIGHT]).all(), name
        assert np.isnan(poses[name][5, LEFT]).all(), name
    assert np.isfinite(poses["sharpness"][[0, 4, 6], LEFT]).all()
    assert list(np.flatnonzero(~poses["movement_valid"][:, LEFT])) == [0, 5, 6]
    assert not poses["movement_valid"][:, RIGHT].any()


def test_movement_depends_neither_on_the_stored_size_nor_on_the_frame_rate(tmp_path: Path) -> None:
    found = []
    for fps, short_side in ((24, 128), (24, 64), (12, 128)):
        path = write_numbered_video(tmp_path / f"{fps}-{short_side}.mp4", count=24, fps=fps)
        poses = unpack_poses(
            data_of(by(job_of(path, SampleSettings(short_side=short_side)), LeftHandOnly())[1])["poses.npz"]
        )
        found.append(poses["movement"][3, LEFT] / fps)
    np.testing.assert_allclose(found, [[2 / 128, 0]] * 3, rtol=1e-5, atol=1e-7)


def test_a_clip_without_a_person_is_filtered(job: ClipJob) -> None:
    row, members = by(job, Nobody())
    assert (row.status, row.reason, members) == (Status.FILTERED, Reason.NO_PERSON, [])
    assert row.body_found == 0
    allowed = replace(job, settings=replace(job.settings, min_found=0.0))
    assert by(allowed, Nobody())[0].status is Status.OK


def test_a_pose_too_few_is_an_error(job: ClipJob) -> None:
    with pytest.raises(RuntimeError, match="gave no pose for 1 frames"):
        by(job, Forgetful())


def test_the_same_clip_gives_the_same_bytes(job: ClipJob) -> None:
    assert by(job, LeftHandOnly()) == by(job, LeftHandOnly())


def test_another_jpeg_quality_codes_the_frames_again_and_keeps_the_keypoints(job: ClipJob) -> None:
    _, members = by(job, LeftHandOnly())
    changed = replace(job, settings=replace(job.settings, jpeg_quality=40))
    row, again = by(changed, NotToBeAsked(), old_sample(job, members))
    assert (row, again) == by(changed, LeftHandOnly())
    assert data_of(again)["poses.npz"] == data_of(members)["poses.npz"]
    assert len(data_of(again)["rgb.000.jpg"]) < len(data_of(members)["rgb.000.jpg"])


def test_another_measure_of_the_hands_keeps_frames_and_keypoints(
    job: ClipJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, members = by(job, LeftHandOnly())
    monkeypatch.setattr(hand_motion, "VERSION", 99)
    assert by(job, NotToBeAsked(), old_sample(job, members)) == by(job, LeftHandOnly())


def test_another_checkpoint_keeps_the_frames(job: ClipJob, monkeypatch: pytest.MonkeyPatch) -> None:
    _, members = by(job, LeftHandOnly())
    marked = {**data_of(members), "rgb.000.jpg": b"kept"}
    old = OldSample(old_sample(job, members).keys, marked)
    other = LeftHandOnly()
    other.lineage = replace(LINEAGE, weights={"model": "ff"})
    _, again = by(job, other, old)
    assert data_of(again)["rgb.000.jpg"] == b"kept"


def test_content_keys_follow_from_bytes_code_weights_and_parameters_alone(
    job: ClipJob, tmp_path: Path
) -> None:
    def differing(job: ClipJob, lineage: Lineage = LINEAGE) -> set[str]:
        keys = keys_of(job, lineage)
        return {name for name in everything if getattr(keys, name) != getattr(first, name)}

    first = keys_of(job)
    everything = {field.name for field in fields(ContentKeys)}
    assert differing(replace(job, source=replace(job.source, path=Path("/elsewhere/other.mp4")))) == set()
    assert differing(replace(job, clip=replace(job.clip, shard=7))) == set()
    assert differing(replace(job, settings=replace(job.settings, jpeg_quality=50))) == {"frames", "sample"}
    assert differing(replace(job, settings=replace(job.settings, min_found=0.9))) == {"sample"}
    assert differing(replace(job, settings=replace(job.settings, short_side=64))) == everything
    assert differing(replace(job, clip=replace(job.clip, video_id="b" * 16))) == everything
    assert differing(replace(job, clip=replace(job.clip, boxes=(0.0, 0.0, 9.0, 9.0)))) == everything - {
        "frames"
    }
    # Where there is no body it depends on nothing that is found.
    of_keypoints = everything - {"frames", "body"}
    assert differing(job, replace(LINEAGE, version=2)) == of_keypoints
    assert differing(job, replace(LINEAGE, weights={"model": "ff"})) == of_keypoints
    assert differing(job, replace(LINEAGE, parameters={"flip_test": True})) == of_keypoints
    with_body = replace(job, settings=replace(job.settings, body_model="anny"))
    assert differing(with_body) == {"body", "hands", "conditions", "sample"}
    first = keys_of(with_body)
    colours = tmp_path / "colours.npy"
    np.save(colours, np.zeros((3, 3), np.uint8))
    of_own = replace(with_body, settings=replace(with_body.settings, colours=str(colours)))
    assert differing(of_own) == {"conditions", "sample"}
    first = keys_of(of_own)
    renamed = colours.rename(tmp_path / "renamed.npy")
    assert differing(replace(of_own, settings=replace(of_own.settings, colours=str(renamed)))) == set()


def test_another_checkpoint_redoes_just_what_depends_on_it(job: ClipJob) -> None:
    def changed(**lineages: Lineage) -> set[str]:
        keys = content_keys(seen.clip, seen.settings, replace(each_its_own, **lineages))
        return {name for name, key in asdict(keys).items() if key != getattr(first, name)}

    seen = replace(job, settings=SampleSettings(preset="realisdance", body_model="smplx"))
    each_its_own = Lineages(LINEAGE, LINEAGE, replace(LINEAGE, extractor="body"), LINEAGE)
    first = content_keys(seen.clip, seen.settings, each_its_own)
    other = replace(LINEAGE, weights={"model": "ff"})
    drawn = {"conditions", "sample"}
    assert changed(keypoints=other) == {"keypoints", "hand_motion", "hands", *drawn}
    assert changed(body=other) == {"body", *drawn}
    assert changed(hands=other) == {"hands", *drawn}
    assert changed(people=other) == set(), "its boxes count, which are in the plan"


@pytest.mark.parametrize(
    ("width", "height", "short_side", "stored"),
    [
        (1080, 1920, 768, (768, 1364)),
        (540, 960, 768, (540, 960)),
        (541, 961, 768, (540, 960)),
        (131, 1079, 768, (130, 1078)),
        (3840, 2160, 512, (910, 512)),
    ],
)
def test_stored_frames_are_even_and_never_larger_than_the_videos(
    width: int, height: int, short_side: int, stored: tuple[int, int]
) -> None:
    assert stored_size(width, height, short_side) == stored


Extracted = tuple[ClipJob, ClipRow, list[Member]]


@pytest.fixture(scope="module")
def extracted(person_video: PersonVideo) -> Extracted:
    """The made person, by the embedded preset as it is by default but for a smaller picture."""
    from extractors.mediapipe_holistic import MediaPipeHolistic

    job = job_of(person_video.path, SampleSettings(short_side=360))
    return job, *by(job, MediaPipeHolistic())


def test_the_embedded_preset_finds_the_made_person_where_she_is(
    extracted: Extracted, person_video: PersonVideo
) -> None:
    _, row, members = extracted
    check_sample(row, members)
    assert row.body_found >= 0.99 and row.face_found >= 0.99
    assert row.left_hand_found >= 0.95 and row.right_hand_found >= 0.95
    poses = unpack_poses(data_of(members)["poses.npz"])
    truth = person_video.labels.keypoints_2d[poses["frame"]] * (row.width / person_video.width)
    seen = person_video.labels.visibility[poses["frame"]] == VISIBLE
    height = np.ptp(truth[..., 1], axis=1)[:, None]
    error = np.linalg.norm(poses["keypoints"] - truth, axis=-1)
    body = (error / height)[:, :17][seen[:, :17]]
    assert body.mean() < 0.02
    for side, points in enumerate((slice(91, 112), slice(112, 133))):
        # Its longest in the picture, as a hand that points at the camera has next to no length there.
        palm = np.linalg.norm(truth[:, points.start + 9] - truth[:, points.start], axis=-1).max()
        assert (error[:, points].mean(1) / palm)[poses["hand_valid"][:, side]].mean() < 0.15
    for name in ("sharpness", "movement"):
        assert np.isfinite(poses[name][1:][poses["movement_valid"][1:]]).all()


def true_points(person_video: PersonVideo, poses: dict[str, np.ndarray]) -> np.ndarray:
    """The labels' keypoints in metres in camera axes."""
    labels, frames = person_video.labels, poses["frame"]
    rotation, shift = labels.world_to_camera[frames, :3, :3], labels.world_to_camera[frames, None, :3, 3]
    return np.einsum("fij,fpj->fpi", rotation, labels.keypoints_3d[frames]) + shift


def fitted_points(poses: dict[str, np.ndarray]) -> np.ndarray:
    """The fitted body's keypoints in metres in camera axes."""
    points = AnnyBody().keypoints(body_parameters(poses, range(len(poses["frame"]))))
    return points @ poses["world_to_camera"][0, :3, :3].T


def test_the_body_in_3d_lies_on_the_made_person(extracted: Extracted, person_video: PersonVideo) -> None:
    _, row, members = extracted
    poses = unpack_poses(data_of(members)["poses.npz"])
    assert poses["body_surface_valid"].all() and poses["body_part_valid"][:, :4].all()
    assert (np.ptp(poses["body_shape"], axis=0) == 0).all() and (np.ptp(poses["camera_K"], axis=0) == 0).all()
    points, truth = fitted_points(poses), true_points(person_video, poses)
    pixels = points @ poses["camera_K"][0].T
    pixels = pixels[..., :2] / pixels[..., 2:]
    seen = person_video.labels.keypoints_2d[poses["frame"]] * (row.width / person_video.width)
    visible = person_video.labels.visibility[poses["frame"]] == VISIBLE
    height = np.ptp(seen[..., 1], axis=1)[:, None]
    off = np.linalg.norm(pixels - seen, axis=-1) / height
    assert off[:, 5:17][visible[:, 5:17]].mean() < 0.025
    assert off[:, 91:][visible[:, 91:] & np.repeat(poses["hand_surface_valid"], 21, axis=1)].mean() < 0.02
    root = points - points[:, [11, 12]].mean(1, keepdims=True)
    true_root = truth - truth[:, [11, 12]].mean(1, keepdims=True)
    assert np.linalg.norm(root - true_root, axis=-1)[:, 5:17].mean() < 0.12


def test_the_drawn_body_covers_the_person_and_the_drawn_hands_are_where_hands_are(
    extracted: Extracted, person_video: PersonVideo
) -> None:
    _, row, members = extracted
    data = data_of(members)
    poses = unpack_poses(data["poses.npz"])
    for number in (0, 30):
        images = {
            name: cv2.imdecode(
                np.frombuffer(data[condition_name(name, number)], np.uint8), cv2.IMREAD_COLOR_RGB
            )
            for name in STORED_CONDITIONS
        }
        assert all(image.shape == (row.height, row.width, 3) for image in images.values())
        scale = row.width / person_video.width
        box = person_video.labels.visible_box[poses["frame"][number]] * scale
        drawn = np.argwhere(images["smpl_cs"].any(-1))
        np.testing.assert_allclose(drawn.min(0), box[[1, 0]], atol=0.08 * row.height)
        np.testing.assert_allclose(drawn.max(0), box[[3, 2]], atol=0.08 * row.height)
        for hand, (points, strong) in enumerate(((slice(91, 112), 1), (slice(112, 133), 0))):
            if poses["hand_surface_valid"][number, hand]:
                x, y = poses["keypoints"][number, points].mean(0).astype(int)
                colour = images["hands"][y - 6 : y + 7, x - 6 : x + 7].max((0, 1)).astype(int)
                assert colour[strong] > colour[1 - strong], "left hands are green, right ones red"


def test_another_fit_keeps_the_keypoints_and_another_drawing_keeps_the_body(
    extracted: Extracted, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, _, members = extracted
    old = old_sample(job, members)

    class Asked(NotToBeAsked):
        @functools.cached_property
        def lineage(self) -> Lineage:  # type: ignore[override]
            from extractors.mediapipe_holistic import MediaPipeHolistic

            return MediaPipeHolistic().lineage

    def refuse(*_: object) -> dict[str, np.ndarray]:
        raise AssertionError("the body was to be kept")

    without = replace(job, settings=replace(job.settings, body_model="none"))
    poses = unpack_poses(data_of(by(without, Asked(), old)[1])["poses.npz"])
    assert poses["body_model"].tolist() == ["none"] and not poses["body_surface_valid"].any()

    images = [name for name in old.members if name.startswith(STORED_CONDITIONS)]
    meta = json.loads(old.members["meta.json"])
    assert meta["conditions"]["smpl_cs"]["colours"] == "made"
    meta["conditions"]["smpl_cs"]["platform"] = "another"
    told = {**{name: b"kept" for name in images}, "meta.json": json.dumps(meta).encode()}
    marked = OldSample(old.keys, {**old.members, **told})
    monkeypatch.setattr(extract_clip_module, "fitted_arrays", refuse)
    kept = data_of(by(replace(job), Asked(), marked)[1])
    assert {kept[name] for name in images} == {b"kept"}
    assert json.loads(kept["meta.json"])["conditions"]["smpl_cs"]["platform"] == "another"
    monkeypatch.setattr(content_keys_module, "DRAWING_VERSION", 99)
    again = data_of(by(job, Asked(), marked)[1])
    assert {name: again[name] for name in images} == {name: old.members[name] for name in images}
