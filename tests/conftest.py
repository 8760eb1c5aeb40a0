"""What every test may ask for: the folder of fixtures and clips beside the project, where it is there."""

import signal
from pathlib import Path

import pytest

pytest_plugins = ["tests.factories.person_video"]

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a long check be made longer than the suite has time for."""
    parser.addoption("--kills", type=int, default=3, help="how many runs are killed at random moments")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of released outputs and real clips; without it, tests that ask for it are skipped."""
    folder = ROOT.parent / "shared"
    if not (folder / "fixtures").is_dir():
        pytest.skip(f"no fixtures at {folder}")
    return folder


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background jobs ignore Ctrl-C, and so would the runs that tests begin and stop by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
