"""`dancemill shards rerender`: conditions drawn again into files or in place, and nothing lost by a kill."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from renderers.offscreen import choose_platform
from shards.commands import app
from shards.errors import UserError
from shards.lint import problems
from shards.lock import BusyError, hold_dataset
from shards.reader import Dataset
from shards.schema import Status
from shards.surface_conditions import DRAWING_VERSION
from shards.tables import DatasetError
from shards.writer import stage_clip, staged_row
from tests.factories.dataset import MadeClip, made_members, made_row, make_dataset
from tests.factories.made_body import MadeBody, load_made_body, made_model, surface_images
from tests.factories.runs import DYING, ROOT

CLIPS = (
    MadeClip(0, frames=3, conditions=("smpl_cs", "hands"), body=True),
    MadeClip(1, status=Status.FAILED),
    MadeClip(2, frames=2, conditions=("smpl_cs",), body=True),
    MadeClip(3, frames=2, conditions=("hands",)),
    MadeClip(4, frames=2, body=True),
)


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("shards.surface_conditions.load_body_model", load_made_body)
    make_dataset(tmp_path / "made", CLIPS)
    return tmp_path / "made"


def run(*arguments: object) -> int:
    code = app(["rerender", *map(str, arguments)], result_action="return_value", exit_on_error=False)
    assert isinstance(code, int)
    return code


def bytes_of(dataset: Path) -> dict[str, bytes]:
    files = [*dataset.glob("*.parquet"), *dataset.glob("shards/*")]
    return {str(path.relative_to(dataset)): path.read_bytes() for path in files}


def wanted_images(dataset: Path, clip: MadeClip, size: tuple[int, int]) -> dict[str, list[np.ndarray]]:
    poses = Dataset(dataset).sample(clip.key).poses
    stored = (clip.size[1], clip.size[0])
    pairs = list(surface_images(poses, range(clip.frames), size, stored, made_model))
    return {name: [pair[place] for pair in pairs] for place, name in enumerate(("smpl_cs", "hands"))}


@pytest.mark.parametrize(
    ("options", "size"),
    [((), (64, 48)), (("--size", "30x50"), (50, 30)), (("--short-side", "96"), (128, 96))],
)
def test_images_become_files_at_any_size(
    dataset: Path, tmp_path: Path, options: tuple[str, ...], size: tuple[int, int]
) -> None:
    before, out = bytes_of(dataset), tmp_path / "out"
    assert run(dataset, "--out", out, *options) == 0
    assert bytes_of(dataset) == before
    assert {path.name for path in out.iterdir()} == {CLIPS[number].key for number in (0, 2, 4)}
    for name, images in wanted_images(dataset, CLIPS[4], size).items():
        for number, image in enumerate(images):
            written = cv2.imread(str(out / CLIPS[4].key / f"{name}.{number:03d}.png"), cv2.IMREAD_COLOR_RGB)
            np.testing.assert_array_equal(written, image)


def test_keys_and_conditions_say_what_is_drawn(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--keys", f"{CLIPS[0].key}, {CLIPS[3].key}", "--conditions", "hands", "--json")
    assert run(dataset, "--out", tmp_path / "out", *options) == 0
    assert json.loads(capsys.readouterr().out) == {"samples": 1, "left_out": 1, "shards": 0}
    files = {str(path.relative_to(tmp_path / "out")) for path in tmp_path.glob("out/*/*")}
    assert files == {f"{CLIPS[0].key}/hands.{number:03d}.png" for number in range(3)}
    assert run(dataset, "--out", tmp_path / "none", "--keys", CLIPS[3].key) == 1


def test_in_place_what_samples_hold_is_replaced_and_nothing_else(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {
        sample.key: {name: sample.member(name) for name in sample.member_names} for sample in Dataset(dataset)
    }
    assert run(dataset, "--json") == 0
    drawn = {CLIPS[0].key, CLIPS[2].key}
    # Shard 2 has no image to draw again.
    assert json.loads(capsys.readouterr().out) == {"samples": 2, "left_out": 2, "shards": 2}
    assert list(problems(dataset)) == []
    for sample in Dataset(dataset):
        assert sample.member_names == list(before[sample.key])
        for name in sample.member_names:
            # The images that can be drawn, and what meta.json says of them.
            is_new = sample.key in drawn and name.startswith(("smpl_cs", "hands", "meta"))
            assert (sample.member(name) != before[sample.key][name]) == is_new
    for clip, names in ((CLIPS[0], ("smpl_cs", "hands")), (CLIPS[2], ("smpl_cs",))):
        for name in names:
            images = wanted_images(dataset, clip, (64, 48))[name]
            np.testing.assert_array_equal(Dataset(dataset).sample(clip.key).condition(name), images)
    after = bytes_of(dataset)
    assert run(dataset, "--json") == 0
    assert json.loads(capsys.readouterr().out)["shards"] == 0
    assert bytes_of(dataset) == after


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--size", "30x50"), "name a folder with --out"),
        (("--short-side", "30"), "name a folder with --out"),
        (("--out", "out", "--size", "30x50", "--short-side", "5"), "give one of them"),
        (("--out", "out", "--size", "30"), "must be as 512x768"),
        (("--out", "out", "--size", "0x30"), "must be as 512x768"),
        (("--out", "out", "--short-side", "0"), "must be 1 to"),
        (("--conditions", "hands,skeleton"), "names skeleton, but can be smpl_cs or hands"),
        (("--out", "out", "--short-side", "7000"), "are 7000x9333: give a smaller one"),
        (("--keys", "lost"), "has no sample lost"),
        (("--colours", "lost.npy"), r"lost\.npy.*check the path"),
    ],
)
def test_a_wrong_option_is_one_message(dataset: Path, options: tuple[str, ...], message: str) -> None:
    before = bytes_of(dataset)
    with pytest.raises(UserError, match=message):
        run(dataset, *options)
    assert bytes_of(dataset) == before


def test_a_body_model_that_is_not_there_is_one_message(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "shards.surface_conditions.load_body_model", lambda name, **options: made_model("lost")
    )
    before = bytes_of(dataset)
    with pytest.raises(UserError, match=r"no file of lost.*--body-models"):
        run(dataset)
    assert bytes_of(dataset) == before


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """A file of one colour."""
    np.save(tmp_path / "grey.npy", np.full((24, 3), 90, np.uint8))
    return tmp_path / "grey.npy"


def drawn_with(dataset: Path, clip: MadeClip) -> dict[str, dict[str, object]]:
    """What meta.json says of how its conditions were drawn."""
    conditions = Dataset(dataset).sample(clip.key).meta["conditions"]
    return {name: conditions[name] for name in ("smpl_cs", "hands") if name in conditions}


def test_in_place_meta_says_how_the_images_were_drawn(dataset: Path, colours: Path) -> None:
    here = {"drawing": DRAWING_VERSION, "platform": choose_platform()}
    hashed = hashlib.sha256(colours.read_bytes()).hexdigest()
    keys = Dataset(dataset).sample(CLIPS[0].key).meta["content_keys"]
    assert drawn_with(dataset, CLIPS[0]) == {}
    assert run(dataset, "--conditions", "hands") == 0
    assert drawn_with(dataset, CLIPS[0]) == {"hands": here}
    assert run(dataset, "--colours", colours) == 0
    assert drawn_with(dataset, CLIPS[0]) == {"smpl_cs": here | {"colours": hashed}, "hands": here}
    assert list(problems(dataset)) == []
    grey = Dataset(dataset).sample(CLIPS[0].key).condition("smpl_cs", [0])
    # Other colours are drawn only where they are asked for.
    before = bytes_of(dataset)
    with pytest.raises(UserError, match=rf"SHA-256 is {hashed}.*--colours"):
        run(dataset)
    assert bytes_of(dataset) == before
    assert run(dataset, "--conditions", "hands") == 0
    assert bytes_of(dataset) == before
    assert run(dataset, "--colours", "made") == 0
    assert drawn_with(dataset, CLIPS[0])["smpl_cs"] == here | {"colours": "made"}
    sample = Dataset(dataset).sample(CLIPS[0].key)
    assert (sample.condition("smpl_cs", [0]) != grey).any()
    assert sample.meta["content_keys"] == keys


def test_files_of_other_colours_are_drawn_only_where_they_are_asked_for(
    dataset: Path, colours: Path, tmp_path: Path
) -> None:
    assert run(dataset, "--colours", colours) == 0
    options = ("--out", tmp_path / "out", "--keys", CLIPS[0].key)
    with pytest.raises(UserError, match="SHA-256"):
        run(dataset, *options)
    assert not (tmp_path / "out").exists()
    assert run(dataset, *options, "--colours", "made") == 0


def test_parameters_of_another_version_of_the_model_are_one_message(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(MadeBody, "shape_count", 3)
    before = bytes_of(dataset)
    for options in ((), ("--out", tmp_path / "out")):
        with pytest.raises(UserError, match="body_shape has 2 numbers, and anny takes 3"):
            run(dataset, *options)
    assert bytes_of(dataset) == before


def test_what_cannot_be_read_is_not_what_cannot_be_written(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def unreadable(name: str, **options: object) -> None:
        raise PermissionError(13, "Permission denied", "models/SMPLX_NEUTRAL.npz")

    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=f"cannot write to {tmp_path / 'file'}.*: Not a directory"):
        run(dataset, "--out", tmp_path / "file")
    (dataset / ".work" / "lock").unlink(missing_ok=True)
    (dataset / ".work" / "lock").mkdir()
    with pytest.raises(UserError, match=r"cannot write to .*lock: Is a directory"):
        run(dataset)
    (dataset / ".work" / "lock").rmdir()
    monkeypatch.setattr("shards.surface_conditions.load_body_model", unreadable)
    for options in ((), ("--out", tmp_path / "out")):
        with pytest.raises(UserError, match=r"^models/SMPLX_NEUTRAL\.npz cannot be read: Permission denied"):
            run(dataset, *options)


def test_a_dataset_that_another_run_works_on_is_left_alone(dataset: Path) -> None:
    with hold_dataset(dataset), pytest.raises(BusyError, match="another run is at work"):
        run(dataset)


def test_a_damaged_shard_is_one_message(dataset: Path) -> None:
    tar = dataset / "shards" / "000001.tar"
    tar.write_bytes(tar.read_bytes()[:-1])
    with pytest.raises(DatasetError, match="shard 000001 is damaged"):
        run(dataset)


def test_clips_that_an_unfinished_run_extracted_again_are_not_lost(dataset: Path) -> None:
    newer = replace(made_row(CLIPS[2]), content_key="newer")
    staging = dataset / ".work" / "staging"
    stage_clip(staging, newer, made_members(CLIPS[2]))
    with pytest.raises(DatasetError, match="finish it with dancemill extract"):
        run(dataset)
    waiting = staged_row(staging, CLIPS[2].key)
    assert waiting is not None
    assert waiting.content_key == "newer"


KILLED_RUN = f"""{DYING}
from pathlib import Path
from shards.rerender import Rerender, rerender_in_place
from tests.factories.made_body import MADE_MODELS

die_at("os.rename", "os.remove")
rerender_in_place(Path(folder), None, Rerender(("smpl_cs", "hands"), MADE_MODELS))
print(steps)
"""


def rerender_and_die(dataset: Path, step: int) -> int | None:
    """Draw again in a process that dies before that step: a file synced, moved or removed. How many steps
    there were, if it did not come to that one.
    """
    finished = subprocess.run(
        [sys.executable, "-c", KILLED_RUN, str(step), str(dataset)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert finished.returncode in (0, 9), finished.stderr
    return int(finished.stdout) if finished.returncode == 0 else None


def test_killed_at_any_step_the_rerun_loses_nothing(dataset: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(dataset, whole)
    steps = rerender_and_die(whole, 0)
    assert steps is not None
    uncommitted = 0
    for step in np.linspace(1, steps, 7).astype(int):
        killed = tmp_path / f"killed{step}"
        shutil.copytree(dataset, killed)
        assert rerender_and_die(killed, step) is None
        uncommitted += len(list(killed.glob("shards/*.parquet"))) < len(list(whole.glob("shards/*.parquet")))
        assert run(killed) == 0
        assert bytes_of(killed) == bytes_of(whole)
        assert not list((killed / ".work" / "staging").iterdir())
    assert uncommitted
