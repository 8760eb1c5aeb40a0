"""Every command that the README prints works as it is printed, in its order, beginning with `make demo`."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories.runs import ROOT, environment

README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent


def printed_commands() -> list[str]:
    """The lines of the README's indented blocks."""
    return [line.strip() for line in README.splitlines() if line.startswith("    ")]


def commands_of_demo() -> list[str]:
    """What `make demo` runs, set-up left out: that is done where tests run."""
    listed = subprocess.run(
        ["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [line.split("/bin/", 1)[1] for line in listed.splitlines() if "/bin/dancemill " in line]


def test_every_printed_command_is_make_or_dancemill() -> None:
    assert printed_commands()
    for command in printed_commands():
        word, *rest = command.split()
        assert word in ("make", "dancemill"), command
        if word == "make":
            assert re.search(rf"^{rest[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), command


def test_every_file_that_the_readme_names_is_there() -> None:
    names = re.findall(r"\]\(([^)#]+)\)", README)
    assert names
    assert [name for name in names if not (ROOT / name).exists()] == []


def without_smplx(folder: Path) -> Path:
    """A folder that hides the package smplx, which tests have and a newcomer has not."""
    hiding = folder / "hiding"
    hiding.mkdir()
    (hiding / "smplx.py").write_text("raise ModuleNotFoundError('smplx is not installed', name='smplx')\n")
    return hiding


@pytest.mark.slow
def test_every_command_works_as_printed(home: Path, tmp_path: Path) -> None:
    settings = environment(home)
    settings["PATH"] = f"{BIN}:{settings['PATH']}"
    settings["PYTHONPATH"] = str(without_smplx(tmp_path))
    commands = [*commands_of_demo(), *(line for line in printed_commands() if line.startswith("dancemill"))]
    assert len(commands) >= 10
    for command in commands:
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=900
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    (python,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", python], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    for name in ("preview.png", "sheet.png", "sheet.mp4"):
        assert (tmp_path / "demo" / name).stat().st_size > 10_000
