"""The inspection commands: what they say, their exit codes, and that a mistake is one clear message."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from shards.commands import app
from shards.errors import UserError
from shards.reader import Dataset
from shards.schema import ClipRow, Status
from shards.tables import DatasetError, read_rows, write_rows
from shards.writer import tar_path
from tests.factories.dataset import DEFAULT_CLIPS, MadeClip, made_members, make_dataset
from tests.factories.made_body import load_made_body

ROOT = Path(__file__).resolve().parents[2]
OK = [clip for clip in DEFAULT_CLIPS if clip.status is Status.OK]
KEYS = sorted(clip.key for clip in OK)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dataset") / "made"
    make_dataset(path)
    return path


def run(*arguments: object) -> int:
    code = app([str(argument) for argument in arguments], result_action="return_value", exit_on_error=False)
    assert isinstance(code, int)
    return code


def run_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    run(*arguments, "--json")
    return json.loads(capsys.readouterr().out)


def test_info_adds_up_the_ledger(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = run_json(capsys, "info", dataset)
    assert facts["samples"] == len(OK)
    assert facts["frames"] == sum(clip.frames for clip in OK)
    assert facts["bytes"] == sum(path.stat().st_size for path in (dataset / "shards").glob("*.tar"))
    assert facts["sizes"] == {"48x64": 3, "64x48": 1}
    assert facts["fps"] == {"min": 25.0, "median": 25.0, "max": 25.0}
    for account in (facts["inputs"], facts["clips"]):
        assert account["total"] == len(DEFAULT_CLIPS) == sum(account[status] for status in Status)
        assert account["reasons"] == {"failed": {"timeout": 1}, "filtered": {"no_person": 1}}


def test_info_is_read_by_people_too(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", dataset) == 0
    printed = capsys.readouterr().out
    assert "4 samples, 21 frames" in printed
    assert "failed inputs: 1 timeout" in printed


def test_info_of_a_dataset_that_no_run_has_finished(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_dataset(tmp_path / "made")
    (tmp_path / "made" / "index.parquet").unlink()
    assert run("info", tmp_path / "made") == 0
    assert "no index: dancemill extract goes on with it" in capsys.readouterr().out


def test_info_of_an_empty_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_dataset(tmp_path / "made", [])
    assert run_json(capsys, "info", tmp_path / "made")["samples"] == 0
    assert run("info", tmp_path / "made") == 0


def keys(rows: Any) -> list[str]:
    return [row["key"] for row in rows]


def test_ls_lists_every_sample(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert keys(run_json(capsys, "ls", dataset)) == KEYS
    assert run("ls", dataset) == 0
    assert all(key in capsys.readouterr().out for key in KEYS[:1])


def test_ls_filters_and_sorts_and_what_has_no_number_comes_last(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {clip.key: (float("nan") if clip.number % 3 == 2 else 20.0 * clip.number) for clip in OK}
    known = [key for key in values if values[key] == values[key]]
    rows = run_json(capsys, "ls", dataset, "--sort=-hand_sharpness", "--columns", "key,hand_sharpness")
    assert keys(rows)[: len(known)] == sorted(known, key=lambda key: -values[key])
    assert rows[-1]["hand_sharpness"] is None
    rows = run_json(capsys, "ls", dataset, "--where", "hand_sharpness > 10 and num_frames >= 5")
    assert keys(rows) == [DEFAULT_CLIPS[3].key]
    rows = run_json(capsys, "ls", dataset, "--sort", "width,-num_frames", "--limit", "2")
    assert keys(rows) == [OK[3].key, min(OK[0].key, OK[2].key)]


def test_ls_says_how_many_more_there_are(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("ls", dataset, "--limit", "1")
    assert "... and 3 more" in capsys.readouterr().out


def test_ls_all_lists_clips_that_came_to_nothing(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run_json(capsys, "ls", dataset, "--all", "--where", "status <> 'ok'")
    assert {row["reason"] for row in rows} == {"no_person", "timeout"}


def test_ls_ends_with_1_where_nothing_matches(dataset: Path) -> None:
    assert run("ls", dataset, "--where", "num_frames > 1000") == 1


@pytest.mark.parametrize(
    "where",
    [
        "no_such_column > 1",
        "num_frames >",
        "true); DROP TABLE samples; --",
        "true) UNION SELECT * FROM read_text('/etc/hostname') --",
        "(SELECT count(*) FROM read_text('/etc/hostname')) > 0",
        "(SELECT count(*) FROM '/etc/hostname') > 0",
    ],
)
def test_a_condition_reads_columns_and_nothing_else(dataset: Path, where: str) -> None:
    with pytest.raises(UserError, match="--where"):
        run("ls", dataset, "--where", where)


@pytest.mark.parametrize(
    ("option", "value"), [("--sort", "beauty"), ("--columns", "key,beauty"), ("--sort", '"key"; --')]
)
def test_a_column_that_there_is_not_is_named(dataset: Path, option: str, value: str) -> None:
    with pytest.raises(UserError, match="there is no column"):
        run("ls", dataset, option, value)


def test_show_lists_arrays_members_and_meta(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = run_json(capsys, "show", dataset, DEFAULT_CLIPS[5].key)
    arrays = {array["array"]: array for array in shown["arrays"]}
    assert arrays["keypoints"]["shape"] == "8x133x2"
    assert 0 < arrays["movement"]["nan"] < 1
    assert arrays["camera_K"]["min"] is None
    assert len(shown["members"]) == 10
    assert shown["meta"]["key"] == DEFAULT_CLIPS[5].key
    assert run("show", dataset) == 0
    assert KEYS[0] in capsys.readouterr().out


def test_extract_writes_the_members(dataset: Path, tmp_path: Path) -> None:
    clip = DEFAULT_CLIPS[1]
    for _ in range(2):
        assert run("extract", dataset, clip.key, "--out", tmp_path / "new" / "folder") == 0
    written = {path.name: path.read_bytes() for path in (tmp_path / "new" / "folder").iterdir()}
    assert written == {member.name: member.data for member in made_members(clip)}


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a/b.txt", ".hidden", "evil", "a.txt\n"])
def test_extract_writes_nothing_for_a_name_that_is_no_plain_file(tmp_path: Path, name: str) -> None:
    make_dataset(tmp_path / "made", [MadeClip(0)])
    (row,) = read_rows(tmp_path / "made" / "index.parquet", ClipRow)
    spans = (*row.members[1:], replace(row.members[0], name=name))
    write_rows(tmp_path / "made" / "index.parquet", ClipRow, [replace(row, members=spans)])
    with pytest.raises(UserError, match="no plain file name"):
        run("extract", tmp_path / "made", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_extract_refuses_damaged_bytes(tmp_path: Path) -> None:
    (row,) = make_dataset(tmp_path / "made", [MadeClip(0)])
    data = bytearray(tar_path(tmp_path / "made", 0).read_bytes())
    data[row.members[4].offset + 99] ^= 1
    tar_path(tmp_path / "made", 0).write_bytes(data)
    with pytest.raises(DatasetError, match="damaged"):
        run("extract", tmp_path / "made", "--out", tmp_path / "out")


def test_preview_draws_a_picture_and_a_video_with_true_times(dataset: Path, tmp_path: Path) -> None:
    clip = DEFAULT_CLIPS[1]
    out, video = tmp_path / "sheet.png", tmp_path / "sheet.mp4"
    assert run("preview", dataset, clip.key, "--out", out, "--video", video) == 0
    sheet = cv2.imread(str(out))
    assert sheet.shape[1] == 1200
    assert (sheet == 255).all(-1).mean() < 0.9
    with av.open(str(video)) as container:
        frames = list(container.decode(video=0))
    assert [float(frame.time) for frame in frames] == pytest.approx([0, 0.04, 0.08], abs=1e-4)
    picture = frames[0].to_ndarray(format="rgb24")
    # Frame, skeleton over it, skeleton, motion_blur.
    assert picture.shape == (48, 4 * 64, 3)
    stored = cv2.imdecode(np.frombuffer(made_members(clip)[2].data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(picture[:, :64].astype(int) - stored).mean() < 12


@pytest.mark.parametrize(
    "options", [("--out", "a.jpg"), ("--out", "a.png", "--video", "a.avi"), ("--out", "a.png", "--rows", "0")]
)
def test_preview_names_a_wrong_option(dataset: Path, options: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="but must"):
        run("preview", dataset, *options)


COMMANDS = (
    ("info",),
    ("ls",),
    ("show",),
    ("extract", "--out", "out"),
    ("preview", "--out", "out.png"),
    ("rerender", "--out", "out"),
    ("lint",),
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_folder_that_is_no_dataset_is_one_message(tmp_path: Path, command: tuple[str, ...]) -> None:
    name, *options = command
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(DatasetError, match="name the folder of a dataset"):
            run(name, folder, *options)


@pytest.mark.parametrize(
    "command", [command for command in COMMANDS if command[0] != "lint"], ids=lambda c: c[0]
)
def test_a_damaged_dataset_is_one_message(tmp_path: Path, command: tuple[str, ...]) -> None:
    name, *options = command
    make_dataset(tmp_path / "made", [MadeClip(0)])
    index = tmp_path / "made" / "index.parquet"
    index.write_bytes(index.read_bytes()[:-100])
    with pytest.raises(DatasetError, match=r"index\.parquet cannot be read"):
        run(name, tmp_path / "made", *options)


def test_preview_shows_every_condition_that_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shards.surface_conditions.load_body_model", load_made_body)
    make_dataset(tmp_path / "made", [MadeClip(0, size=(48, 64), conditions=("hands",), body=True)])
    out, video = tmp_path / "sheet.png", tmp_path / "sheet.mp4"
    assert run("preview", tmp_path / "made", "--out", out, "--video", video) == 0
    # Frame, skeleton over it and alone, smpl_cs over it and alone, hands, motion_blur.
    assert cv2.imread(str(out)).shape[1] == 7 * 240
    with av.open(str(video)) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert picture.shape == (64, 7 * 48, 3)
    sample = Dataset(tmp_path / "made")[0]
    for place, condition in ((2, "skeleton"), (4, "smpl_cs"), (5, "hands")):
        wanted = sample.condition(condition, [0])[0].astype(int)
        assert np.abs(picture[:, place * 48 : place * 48 + 48] - wanted).mean() < 20


def test_show_names_joints_and_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_dataset(tmp_path / "made", [MadeClip(0, body=True)])
    arrays = {array["array"]: array for array in run_json(capsys, "show", tmp_path / "made")["arrays"]}
    assert arrays["body_model"]["min"] == arrays["body_model"]["max"] == "anny"
    assert (arrays["body_joints"]["min"], arrays["body_joints"]["max"]) == ("trunk", "hand.R")
    assert run("show", tmp_path / "made") == 0


@pytest.mark.parametrize("command", ["show", "preview"])
def test_a_truncated_tar_is_one_message(tmp_path: Path, command: str) -> None:
    make_dataset(tmp_path / "made", [MadeClip(0)])
    tar = tar_path(tmp_path / "made", 0)
    tar.write_bytes(tar.read_bytes()[:600])
    options = ["--out", tmp_path / "a.png"] if command == "preview" else []
    with pytest.raises(UserError, match="is not where the index says"):
        run(command, tmp_path / "made", *options)


@pytest.mark.parametrize("command", ["show", "extract", "preview"])
def test_a_dataset_without_samples_is_one_message(tmp_path: Path, command: str) -> None:
    make_dataset(tmp_path / "made", [])
    options = {"show": []}.get(command, ["--out", tmp_path / "a.png"])
    with pytest.raises(DatasetError, match="has no samples"):
        run(command, tmp_path / "made", *options)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_commands_load_only_what_they_need(dataset: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    name, *options = command
    script = (
        "import sys; from shards.commands import app\n"
        "code = app(sys.argv[1:], result_action='return_value')\n"
        "print(code, *sys.modules, file=sys.stderr)"
    )
    options = [str(tmp_path / option) if option.startswith("out") else option for option in options]
    finished = subprocess.run(
        [sys.executable, "-c", script, name, str(dataset), *options], cwd=ROOT, capture_output=True, text=True
    )
    code, *modules = finished.stderr.split()
    # The dataset has no bodies to draw again.
    assert code == ("1" if name == "rerender" else "0"), finished.stderr
    unwanted = {"torch", "ray", "prefect", "mediapipe", "webdataset"}
    if name != "preview":
        unwanted |= {"matplotlib", "av"}
    assert not unwanted & set(modules)
