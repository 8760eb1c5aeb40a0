"""What a user names becomes files: folders, globs and lists, each file once, in a fixed order."""

from pathlib import Path

import pytest

from pipelines.inputs import InputError, expand_inputs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.mp4", "a.mp4", "deep/er/c.mov", ".hidden/d.mp4", ".e.mp4", "with space.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(paths: list[Path], folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in paths]


def test_a_folder_gives_every_file_below_it_that_is_not_hidden(folder: Path) -> None:
    assert names(expand_inputs([str(folder)]), folder) == [
        "a.mp4",
        "b.mp4",
        "deep/er/c.mov",
        "with space.mp4",
    ]


def test_globs_files_and_repeats_give_each_file_once(folder: Path) -> None:
    inputs = [str(folder / "*.mp4"), str(folder / "b.mp4"), str(folder / "**" / "*.mov")]
    assert names(expand_inputs(inputs), folder) == ["a.mp4", "b.mp4", "deep/er/c.mov", "with space.mp4"]


def test_a_list_names_paths_relative_to_itself_and_keeps_those_that_are_missing(folder: Path) -> None:
    (folder / "deep" / "list.txt").write_text("# ours\n\n../with space.mp4\n  er/c.mov  \ngone.mp4\n")
    found = expand_inputs([str(folder / "deep" / "list.txt")])
    assert {path.name for path in found} == {"with space.mp4", "c.mov", "gone.mp4"}


@pytest.mark.parametrize("name", ["nothing.mp4", "*.avi", "empty"])
def test_what_leads_to_nothing_is_an_error_that_names_it(name: str, folder: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match=name.replace("*", r"\*")):
        expand_inputs([str(folder / name)])


def test_no_input_at_all_is_an_error() -> None:
    with pytest.raises(InputError, match="no input"):
        expand_inputs([])


def test_a_list_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(InputError, match="not a text file"):
        expand_inputs([str(tmp_path / "list.txt")])


def test_a_dataset_in_a_folder_of_videos_is_no_input(folder: Path) -> None:
    (folder / "dataset" / "shards").mkdir(parents=True)
    for name in ("dataset.json", "videos.parquet", "shards/000000.tar"):
        (folder / "dataset" / name).touch()
    assert names(expand_inputs([str(folder)]), folder) == [
        "a.mp4",
        "b.mp4",
        "deep/er/c.mov",
        "with space.mp4",
    ]
    assert names(expand_inputs([str(folder / "**" / "*")]), folder) == names(
        expand_inputs([str(folder)]), folder
    )


def test_a_link_that_leads_nowhere_is_an_input_for_the_ledger(folder: Path) -> None:
    (folder / "dead.mp4").symlink_to(folder / "gone.mp4")
    assert "dead.mp4" in names(expand_inputs([str(folder)]), folder)


def test_a_byte_order_mark_is_no_part_of_the_first_path(folder: Path) -> None:
    (folder / "list.txt").write_bytes(b"\xef\xbb\xbfa.mp4\n")
    assert names(expand_inputs([str(folder / "list.txt")]), folder) == ["a.mp4"]
