"""Made videos come out the same for the same seed, differ for others, and survive stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from jaxtyping import UInt8

from renderers.mannequin.command import synth
from renderers.mannequin.damage import MEANING
from renderers.mannequin.encoding import CODECS
from renderers.mannequin.errors import MannequinError
from renderers.mannequin.labels import VISIBLE, labels_path, read_labels
from renderers.mannequin.numbering import read_number
from renderers.mannequin.plan import draw_plan
from renderers.mannequin.spec import Spec, read_spec
from renderers.mannequin.video import make_video, make_videos
from renderers.wholebody import FACE, LEFT_HAND, RIGHT_HAND
from tests.factories.person_video import PersonVideo
from tests.factories.runs import ROOT

SMALL = replace(Spec(), sizes=((180, 320),), fps=20.0, seconds=0.25, people=(1,), shots=(1,))


def decoded(path: Path) -> UInt8[np.ndarray, "frames height width 3"]:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_hands_and_face_have_the_colour_of_skin_where_the_labels_are(person_video: PersonVideo) -> None:
    labels = person_video.labels
    for image, points, state in zip(
        decoded(person_video.path)[::5], labels.keypoints_2d[::5], labels.visibility[::5], strict=True
    ):
        for part in (slice(FACE.start + 27, FACE.start + 36), LEFT_HAND, RIGHT_HAND):
            column, row = points[part][state[part] == VISIBLE].astype(int).T
            red, green, blue = np.median(image[row, column], axis=0)
            assert red > green > blue


def test_the_same_seed_gives_the_same_video_and_another_seed_another(tmp_path: Path) -> None:
    first = make_video(tmp_path / "first", SMALL, 1, 0)
    second = make_video(tmp_path / "second", SMALL, 1, 0)
    other = make_video(tmp_path / "other", SMALL, 2, 0)
    assert first.read_bytes() == second.read_bytes()
    assert labels_path(first).read_bytes() == labels_path(second).read_bytes()
    assert labels_path(first).read_bytes() != labels_path(other).read_bytes()


def test_a_video_of_a_seed_is_the_same_however_many_are_made_and_wherever(tmp_path: Path) -> None:
    """Made alone in this process, or among others in processes of their own with one thread each."""
    alone = make_video(tmp_path / "alone", SMALL, 1, 1)
    _, among = make_videos(tmp_path / "among", SMALL, 1, 2, processes=2)
    assert among.name == alone.name
    assert labels_path(among).read_bytes() == labels_path(alone).read_bytes()
    assert np.abs(decoded(among).astype(int) - decoded(alone)).max() <= 1


def test_what_is_there_is_not_made_again_unless_the_plan_is_another(tmp_path: Path) -> None:
    video = make_video(tmp_path, SMALL, 1, 0)
    made: list[int] = []
    make_video(tmp_path, SMALL, 1, 0, lambda: made.append(1))
    assert made == []
    labels_path(video).write_bytes(b"half a file")
    make_video(tmp_path, SMALL, 1, 0, lambda: made.append(1))
    assert len(made) == 5
    make_video(tmp_path, replace(SMALL, exposures=(0.9,)), 1, 0, lambda: made.append(1))
    assert len(made) == 10


def test_an_interrupted_video_leaves_nothing(tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_video(tmp_path, SMALL, 1, 0, interrupt)
    assert not list(tmp_path.iterdir())


def test_frames_carry_their_numbers_where_asked(tmp_path: Path) -> None:
    spec = replace(SMALL, numbered=True, variable_rate=(True,), crf=(28,))
    video = make_video(tmp_path, spec, 1, 0)
    assert [read_number(image) for image in decoded(video)] == [0, 1, 2, 3, 4]
    with av.open(str(video)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert np.abs(np.array(times) - read_labels(labels_path(video)).time).max() < 1e-6
    assert len({round(step, 4) for step in np.diff(times)}) > 1


def test_parts_of_a_plan_draw_from_streams_of_their_own() -> None:
    """Other exposures and places leave the people and what they do as they are."""
    first = draw_plan(SMALL, 4, 2)
    second = draw_plan(replace(SMALL, exposures=(0.1, 0.2, 0.3), backgrounds=("beach",)), 4, 2)
    assert first.looks == second.looks
    assert [shot.roles for shot in first.shots] == [shot.roles for shot in second.shots]
    assert draw_plan(SMALL, 4, 3).looks != first.looks


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"sizes": ((0, 100),)}, "sizes"),
        ({"sizes": ((10_000, 100),)}, "sizes"),
        ({"sizes": ()}, "sizes"),
        ({"seconds": 0.0}, "seconds"),
        ({"seconds": float("nan")}, "seconds"),
        ({"seconds": 0.001}, "frame"),
        ({"fps": float("inf")}, "fps"),
        ({"people": (0,)}, "people"),
        ({"motions": ("flying",)}, "motions.*flying.*dance"),
        ({"lightings": ("bright", "lightning")}, "lightings.*lightning"),
        ({"turns": (20.0, -20.0)}, "turns"),
        ({"exposures": (1.5,)}, "exposures"),
        ({"shots": (40,), "seconds": 1.0}, "shots"),
        ({"sizes": ((4096, 4096),)}, "sizes.*pixels"),
        ({"damages": ("scratched",)}, "damages.*zero_bytes"),
    ],
)
def test_what_cannot_be_made_is_refused_by_name(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(MannequinError, match=named):
        replace(Spec(), **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("people = [", "TOML"),
        ("persons = [1]", "persons.*people"),
        ("people = 'two'", "people"),
        ("people = [1.5]", "people"),
        ("people = [9]", r"wrong\.toml: people has 9: give 1 to 6\.$"),
        ("people = 2", r"people: give a list in brackets\.$"),
        ("turns = [1]", r"turns\[1\]: there are too few values\.$"),
        ("exposures = [nan]", r"exposures has nan: give 0 to 1\.$"),
        ("sizes = [[540]]", "sizes"),
        ("poses = 'nowhere.toml'", "nowhere"),
    ],
)
def test_a_specification_that_is_wrong_is_refused_with_its_file(
    tmp_path: Path, text: str, named: str
) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(MannequinError, match=named) as raised:
        read_spec(path)
    assert "wrong.toml" in str(raised.value)


def test_a_specification_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_text(
        'people = [2]\nmotions = ["dance", "walking"]\nsizes = [[320, 180]]\nturns = [-10, 10.5]\n'
    )
    spec = read_spec(path)
    assert (spec.people, spec.motions, spec.sizes) == ((2,), ("dance", "walking"), ((320, 180),))
    assert spec.turns == (-10.0, 10.5) and spec.fps == Spec().fps


def test_the_command_names_the_videos_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text("sizes = [[96, 160]]\nseconds = 0.1\nshots = [1]\npeople = [1]\n")
    synth(out=tmp_path / "new", count=2, seed=5, spec=spec, processes=1)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [str(tmp_path / "new" / f"5-0000{number}.mp4") for number in (0, 1)]
    assert all(Path(line).exists() and labels_path(Path(line)).exists() for line in lines)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"count": 0}, "--count"),
        ({"count": 10**9}, "--count"),
        ({"seed": -1}, "--seed"),
        ({"processes": 0}, "--processes"),
    ],
)
def test_the_command_refuses_numbers_that_make_no_sense(
    tmp_path: Path, wrong: dict[str, int], named: str
) -> None:
    with pytest.raises(MannequinError, match=named):
        synth(out=tmp_path, **wrong)  # type: ignore[arg-type]


def test_a_damaged_video_keeps_its_labels(tmp_path: Path) -> None:
    video = make_video(tmp_path, replace(SMALL, damages=("zero_bytes",)), 1, 0)
    assert video.stat().st_size == 0
    assert len(read_labels(labels_path(video)).frame) == 5


@pytest.mark.parametrize("codec", CODECS)
def test_odd_sizes_are_coded_whole(tmp_path: Path, codec: str) -> None:
    video = make_video(tmp_path, replace(SMALL, sizes=((97, 161),), codecs=(codec,)), 1, 0)
    assert decoded(video).shape == (5, 161, 97, 3)


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="Linux alone tells")
def test_coding_leaves_the_process_no_priority_over_others(tmp_path: Path) -> None:
    before = os.sched_getscheduler(0)
    make_video(tmp_path, replace(SMALL, codecs=("av1",)), 1, 0)
    assert os.sched_getscheduler(0) == before


def test_another_damage_takes_the_place_of_the_video(tmp_path: Path) -> None:
    wrong_ending = make_video(tmp_path, replace(SMALL, damages=("wrong_extension",)), 1, 0)
    whole = make_video(tmp_path, SMALL, 1, 0)
    assert (wrong_ending.suffix, whole.suffix) == (".avi", ".mp4")
    assert sorted(tmp_path.iterdir()) == [labels_path(whole), whole]


def test_a_stop_between_video_and_labels_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels of one plan never lie beside the video of another."""
    made = make_video(tmp_path, SMALL, 1, 0)
    moves: list[Path] = []
    replaced = Path.replace

    def stopped(path: Path, target: Path) -> Path:
        moves.append(path)
        if len(moves) == 2:
            raise KeyboardInterrupt
        return replaced(path, target)

    other = replace(SMALL, exposures=(0.9,))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", stopped)
        make_video(tmp_path, other, 1, 0)
    assert not labels_path(made).exists() and made.exists()
    frames: list[int] = []
    make_video(tmp_path, other, 1, 0, lambda: frames.append(1))
    assert len(frames) == 5 and read_labels(labels_path(made)).facts["exposure"] == 0.9


def test_a_folder_that_cannot_be_written_to_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MannequinError, match=r"cannot write to .*file") as raised:
        synth(out=tmp_path / "file", count=3, processes=1)
    assert "video" not in str(raised.value)


def test_the_page_says_what_each_damage_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "synth.md").read_text(encoding="utf-8")
    for damage, meaning in MEANING.items():
        assert f"| `{damage}` | {meaning} |" in page


@pytest.mark.slow
def test_ctrl_c_stops_within_seconds_and_leaves_nothing_half_made(tmp_path: Path) -> None:
    """As a terminal sends it: to the command and to all its processes."""
    out, spec = tmp_path / "out", tmp_path / "spec.toml"
    spec.write_text("sizes = [[180, 320]]\npeople = [1]\nshots = [1]\n")
    command = [sys.executable, "-m", "dancemill", "synth", "--out", str(out), "--count", "4"]
    command += ["--spec", str(spec)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True) as run:
        while not list(out.glob(".making-*/*.mp4")):
            assert run.poll() is None
            time.sleep(0.1)
        os.killpg(run.pid, signal.SIGINT)
        _, told = run.communicate(timeout=100)
    assert run.returncode == 130, told
    assert b"Traceback" not in told
    assert [path for path in out.iterdir() if path.suffix not in (".mp4", ".parquet")] == []
