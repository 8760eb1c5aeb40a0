"""What every test may ask for: the folder of fixtures and clips beside the project, where it is there."""

import signal
from pathlib import Path

import pytest

pytest_plugins = ["tests.factories.person_video", "tests.factories.prefect_server"]

ROOT = Path(__file__).resolve().parent.parent

LONG = (
    "test_exactly_once.py",
    "test_readme.py",
    "test_lost_workers.py",
    "test_networks_run.py",
    "test_deployment.py",
)
"""They are begun first, so that none is left for one process at the end, while the other is idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of long files first; the others stay in their order."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a long check be made longer than the suite has time for, and released outputs be others."""
    parser.addoption("--kills", type=int, default=3, help="how many runs are killed at random moments")
    parser.addoption("--fixture", type=Path, help="outputs of RealisDance's released network (.npz)")
    parser.addoption("--inputs", type=Path, help="the inputs that they are of (.json), by stage and name")


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
