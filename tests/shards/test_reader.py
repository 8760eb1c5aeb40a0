"""Any sample by number or key, any frame by its byte offset; what a manifest says is never trusted."""

from __future__ import annotations

import hashlib
import multiprocessing
import pickle
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renderers.body_models.errors import ColourFileError
from renderers.body_models.interface import BodyParameters, Surface
from renderers.motion_blur import draw_motion_blur
from renderers.skeleton import REALISDANCE, draw_skeleton
from shards import reader
from shards.drawn_with import drawn_colours
from shards.reader import ConditionError, Dataset
from shards.schema import POSES, ClipRow, MemberSpan, SampleError, Status
from shards.tables import DatasetError, read_rows, write_rows
from shards.writer import tar_path
from tests.factories.dataset import MadeClip, made_image, made_meta, made_poses, make_dataset
from tests.factories.made_body import MADE_MODELS, MadeBody, load_made_body, made_model, surface_images

CLIPS = (
    MadeClip(3),
    MadeClip(1, frames=7, size=(64, 48)),
    MadeClip(2, status=Status.FAILED),
    MadeClip(0, frames=4, conditions=("smpl_cs",)),
    MadeClip(6, frames=1),
    MadeClip(7, frames=8, size=(64, 48), conditions=("hands",), body=True),
)
OK = {clip.key: clip for clip in CLIPS if clip.status is Status.OK}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dataset") / "made"
    make_dataset(path, CLIPS)
    return path


@pytest.fixture(scope="module")
def dataset(made: Path) -> Dataset:
    return Dataset(made)


def with_index(made: Path, **changes: object) -> Dataset:
    """The dataset with the first row of its index changed."""
    rows = read_rows(made / "index.parquet", ClipRow)
    write_rows(made / "index.parquet", ClipRow, [replace(rows[0], **changes), *rows[1:]])  # type: ignore[arg-type]
    return Dataset(made)


def test_samples_come_in_the_order_of_their_keys(dataset: Dataset) -> None:
    assert [sample.key for sample in dataset] == sorted(OK)
    assert len(dataset) == len(OK)
    assert dataset[-1].key == max(OK)
    assert dataset.column("num_frames").tolist() == [OK[key].frames for key in sorted(OK)]
    with pytest.raises(IndexError, match="5 samples"):
        dataset[5]


@settings(max_examples=60, deadline=None)
@given(choice=st.data())
def test_any_member_is_what_the_tar_holds(dataset: Dataset, choice: st.DataObject) -> None:
    sample = dataset.sample(choice.draw(st.sampled_from(sorted(OK))))
    name = choice.draw(st.sampled_from(sample.member_names))
    with tarfile.open(tar_path(dataset.path, sample.row.shard)) as tar:
        file = tar.extractfile(f"{sample.key}.{name}")
        assert file is not None
        data = file.read()
    assert sample.member(name) == data
    if name.startswith("rgb."):
        number = int(name.split(".")[1])
        assert sample.frame_bytes(number) == data
        wanted = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        np.testing.assert_array_equal(sample.frame(number), wanted)


def test_a_sample_has_its_row_poses_and_meta(dataset: Dataset) -> None:
    for key, clip in OK.items():
        sample = dataset.sample(key)
        assert (sample.row.key, sample.num_frames) == (key, clip.frames)
        assert sample.meta == made_meta(clip)
        for name, array in made_poses(clip).items():
            np.testing.assert_array_equal(sample.poses[name], array)
        assert sample.poses.keys() == POSES.keys()
        assert sample.frames().shape == (clip.frames, clip.size[1], clip.size[0], 3)


def test_the_index_and_the_shards_have_the_same_rows(dataset: Dataset) -> None:
    assert [sample.row for sample in dataset] == read_rows(dataset.path / "index.parquet", ClipRow)


@pytest.mark.parametrize("number", [-1, 7, 1000])
def test_a_frame_that_there_is_not_is_an_index_error(dataset: Dataset, number: int) -> None:
    sample = dataset.sample(CLIPS[1].key)
    for read in (sample.frame, sample.frame_bytes, lambda number: sample.condition("skeleton", [number])):
        with pytest.raises(IndexError, match="7 frames"):
            read(number)


def test_the_skeleton_is_drawn_at_the_stored_size_or_another(dataset: Dataset) -> None:
    sample = dataset.sample(CLIPS[1].key)
    assert sample.condition("skeleton").shape == (7, 48, 64, 3)
    (drawn,) = sample.condition("skeleton", [2], size=(96, 128), style=REALISDANCE)
    keypoints, confidence = sample.poses["keypoints"][[2]], sample.poses["confidence"][[2]]
    np.testing.assert_array_equal(
        drawn, draw_skeleton(keypoints, confidence, (96, 128), (48, 64), REALISDANCE)
    )


def test_a_stored_condition_is_read_and_a_missing_one_named(dataset: Dataset) -> None:
    stored = dataset.sample(CLIPS[3].key)
    assert stored.conditions == ["skeleton", "motion_blur", "smpl_cs"]
    wanted = [made_image(CLIPS[3], place) for place in (3, 1)]
    np.testing.assert_array_equal(stored.condition("smpl_cs", [3, 1]), wanted)
    np.testing.assert_array_equal(stored.condition("smpl_cs", [3, 1], size=(64, 48)), wanted)
    with pytest.raises(ConditionError, match="no parameters to draw it from"):
        stored.condition("smpl_cs", size=(10, 10))
    with pytest.raises(ConditionError, match="no parameters to draw it from"):
        stored.flipped().condition("smpl_cs")
    with pytest.raises(ConditionError, match="has no condition hands: it has skeleton, motion_blur, smpl_cs"):
        stored.condition("hands")


@pytest.mark.parametrize("name", ["rgb", "rgb.000", "poses"])
def test_a_frame_of_the_video_is_never_a_condition(dataset: Dataset, name: str) -> None:
    with pytest.raises(ConditionError, match=f"has no condition {name}"):
        dataset[0].condition(name)


def test_motion_blur_is_drawn_as_planes(dataset: Dataset) -> None:
    sample = dataset.sample(CLIPS[1].key)
    planes = sample.condition("motion_blur", [3], size=(96, 128))
    assert (planes.dtype, planes.shape) == (np.float32, (1, 96, 128, 3))
    names = ("keypoints", "confidence", "movement", "sharpness")
    keypoints, confidence, movement, sharpness = (sample.poses[name][[3]] for name in names)
    np.testing.assert_array_equal(
        planes[0], draw_motion_blur(keypoints, confidence, movement, sharpness, (96, 128), (48, 64))
    )


def test_surfaces_are_drawn_where_they_are_not_stored_at_that_size(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "_models", MADE_MODELS)
    sample = dataset.sample(CLIPS[5].key)
    assert sample.conditions == ["skeleton", "motion_blur", "smpl_cs", "hands"]
    np.testing.assert_array_equal(sample.condition("hands", [0])[0], made_image(CLIPS[5], 0))
    drawn = {name: sample.condition(name, size=(60, 80)) for name in ("smpl_cs", "hands")}
    pairs = surface_images(sample.poses, range(8), (60, 80), (48, 64), made_model)
    for frame, images in enumerate(pairs):
        for name, image in zip(drawn, images, strict=True):
            np.testing.assert_array_equal(drawn[name][frame], image)
            assert image.any() == sample.validity(name)[frame]
    (twice,) = sample.condition("smpl_cs", [0], size=(96, 128))
    seen = cv2.resize(twice.any(-1).astype(np.uint8), (64, 48), interpolation=cv2.INTER_NEAREST)
    assert (seen != sample.condition("smpl_cs", [0])[0].any(-1)).mean() < 0.03


def test_a_body_model_that_is_not_there_is_named(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = {"made": lambda name, **options: made_model(f"{name}'s file")}
    monkeypatch.setattr(dataset, "_models", lost)
    sample = dataset.sample(CLIPS[5].key)
    assert sample.condition("hands").shape == (8, 48, 64, 3)
    with pytest.raises(ConditionError, match=r"body of anny.*no file of anny's file.*body_models="):
        sample.condition("hands", size=(60, 80))


def test_conditions_of_no_frame_are_empty(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_models", MADE_MODELS)
    sample = dataset.sample(CLIPS[5].key)
    assert sample.frames([]).shape == (0, 48, 64, 3)
    for one in (sample, sample.flipped()):
        for name in one.conditions:
            images = one.condition(name, [], size=(30, 40))
            assert (images.shape, images.dtype) == ((0, 30, 40, 3), one.condition(name, [0]).dtype)
    assert sample.condition("hands", []).shape == (0, 48, 64, 3)


def test_one_surface_serves_both_conditions(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_models", MADE_MODELS)
    posed, surface = [], MadeBody.surface

    def counted(body: MadeBody, parameters: BodyParameters) -> Surface:
        posed.append(parameters.pose)
        return surface(body, parameters)

    monkeypatch.setattr(MadeBody, "surface", counted)
    sample = dataset.sample(CLIPS[5].key)
    frames = np.flatnonzero(sample.validity("smpl_cs")).tolist()
    drawn = [sample.condition(name, [n], size=(30, 40)) for n in frames for name in ("smpl_cs", "hands")]
    assert len(posed) == len(frames) > 1
    again = [
        dataset.sample(CLIPS[5].key).condition(name, [n], size=(30, 40))
        for n in frames
        for name in ("smpl_cs", "hands")
    ]
    np.testing.assert_array_equal(drawn, again)


def test_parameters_that_are_not_the_models_are_one_message(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "_models", MADE_MODELS)
    monkeypatch.setattr(MadeBody, "joint_names", ("trunk", "hand.L"))
    sample = dataset.sample(CLIPS[5].key)
    for one in (sample, sample.flipped()):
        with pytest.raises(SampleError, match="body_joints names 3 joints, and anny has 2"):
            one.condition("smpl_cs")


def test_what_is_drawn_anew_has_the_colours_that_the_sample_was_drawn_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shards.surface_conditions.load_body_model", load_made_body)
    for level in (90, 120):
        np.save(tmp_path / f"{level}.npy", np.full((24, 3), level, np.uint8))
    hashed = hashlib.sha256((tmp_path / "90.npy").read_bytes()).hexdigest()
    clips = [
        MadeClip(number, frames=1, size=(64, 48), body=True, colours=colours)
        for number, colours in enumerate((hashed, "made", ""))
    ]
    make_dataset(tmp_path / "made", clips)
    wanted = rf"SHA-256 is {hashed}.*Dataset\(\.\.\., colours=\.\.\.\) or --colours"
    for colours in (None, tmp_path / "120.npy"):
        sample = Dataset(tmp_path / "made", colours=colours).sample(clips[0].key)
        for one in (sample, sample.flipped()):
            with pytest.raises(ConditionError, match=wanted):
                one.condition("smpl_cs")
            assert one.condition("hands").shape == (1, 48, 64, 3)
    dataset = Dataset(tmp_path / "made", colours=tmp_path / "90.npy")
    for opened in (dataset, pickle.loads(pickle.dumps(dataset))):
        own, *made = (opened.sample(clip.key) for clip in clips)
        for sample in (own, own.flipped()):
            (image,) = sample.condition("smpl_cs", [0])
            assert image.any()
            # Grey is equal in all channels, but for the rounding of its shading.
            assert np.ptp(image.astype(int), axis=-1).max() <= 1
        for sample in made:
            (image,) = sample.condition("smpl_cs", [0])
            assert np.ptp(image.astype(int), axis=-1).max() > 50
    with pytest.raises(ColourFileError, match=r"lost\.npy"):
        Dataset(tmp_path / "made", colours=tmp_path / "lost.npy")


@pytest.mark.parametrize("facts", [{"conditions": {"smpl_cs": []}}, {"conditions": 3}])
def test_a_meta_that_does_not_say_it_rightly_is_named(facts: dict[str, Any]) -> None:
    with pytest.raises(SampleError, match="no JSON object"):
        drawn_colours(facts)
    assert drawn_colours({}) == "made"


@pytest.mark.parametrize("key", [clip.key for clip in CLIPS if clip.status is Status.OK])
def test_validity_says_in_which_frames_there_is_something(dataset: Dataset, key: str) -> None:
    sample = dataset.sample(key)
    poses = sample.poses
    np.testing.assert_array_equal(sample.validity("skeleton"), poses["body_valid"])
    np.testing.assert_array_equal(sample.validity("motion_blur"), poses["hand_valid"].any(1))
    np.testing.assert_array_equal(sample.validity("smpl_cs"), poses["body_surface_valid"])
    np.testing.assert_array_equal(sample.validity("hands"), poses["hand_surface_valid"].any(1))
    with pytest.raises(ConditionError, match="depth is no condition"):
        sample.validity("depth")


def read_first(dataset: Dataset, queue: multiprocessing.Queue[bytes]) -> None:
    queue.put(dataset[0].frame_bytes(0))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_can_read_an_open_dataset(dataset: Dataset, method: str) -> None:
    wanted = dataset[0].frame_bytes(0)
    context: Any = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=read_first, args=(dataset, queue))
    process.start()
    assert queue.get(timeout=60) == wanted
    process.join()
    assert pickle.loads(pickle.dumps(dataset))[0].frame_bytes(0) == wanted


def test_more_shards_than_may_be_open_are_read(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "OPEN_TARS", 1)
    dataset = Dataset(made)
    for _ in range(2):
        for sample in dataset:
            assert sample.frame(0).any()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A dataset to damage."""
    make_dataset(tmp_path / "made", CLIPS)
    return tmp_path / "made"


@pytest.mark.parametrize("path", ["none", "empty"])
def test_a_folder_that_is_no_dataset_is_named(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=f"{path}/index.parquet is not there"):
        Dataset(tmp_path / path)


def test_a_key_that_there_is_not_is_named(dataset: Dataset) -> None:
    with pytest.raises(DatasetError, match="has no sample lost"):
        dataset.sample("lost")


@pytest.mark.parametrize(
    "changes",
    [
        {"shard": -1},
        {"status": Status.FAILED},
        {"num_frames": 0},
        {"width": 0},
        {"height": 10**6},
        {"members": (MemberSpan("rgb.000.jpg", -1, 10, 0),)},
        {"members": (MemberSpan("rgb.000.jpg", 512, -10, 0),)},
    ],
)
def test_an_index_that_cannot_be_right_is_refused(own: Path, changes: dict[str, object]) -> None:
    with pytest.raises(DatasetError, match="holds what no index can"):
        with_index(own, **changes)


@pytest.mark.parametrize("offset", [1024, 513, 2**62])
def test_bytes_that_are_not_the_members_are_refused(own: Path, offset: int) -> None:
    first = Dataset(own)[0].row
    spans = tuple(replace(span, offset=offset) for span in first.members)
    with pytest.raises(SampleError, match="is not where the index says"):
        with_index(own, members=spans)[0].frame_bytes(0)


def test_a_size_beyond_the_end_of_the_tar_is_refused(own: Path) -> None:
    spans = tuple(replace(span, size=2**40) for span in Dataset(own)[0].row.members)
    with pytest.raises(SampleError, match="is not where the index says"):
        with_index(own, members=spans)[0].frame_bytes(0)


def test_a_key_that_is_a_path_opens_no_file(own: Path) -> None:
    sample = with_index(own, key="../../../../etc/passwd")[0]
    assert sample.key == "../../../../etc/passwd"
    with pytest.raises(SampleError, match="is not where the index says"):
        sample.member("meta.json")


def test_a_shard_that_is_not_there_is_named(own: Path) -> None:
    with pytest.raises(DatasetError, match=r"000999\.tar cannot be read"):
        with_index(own, shard=999)[0].frame_bytes(0)


def test_an_image_of_another_size_is_refused_before_it_is_decoded(own: Path) -> None:
    with pytest.raises(SampleError, match="is not 50x64"):
        with_index(own, width=50)[0].frame(0)
