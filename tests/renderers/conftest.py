"""What tests of drawing may ask for: the off-screen platforms that work here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest

from renderers.offscreen import PLATFORMS
from tests.factories.platforms import Platform, draw_in_fork, process


@pytest.fixture(scope="session")
def platforms() -> Iterator[Mapping[str, Platform]]:
    """Those that work, by name, each with its processes, for as long as tests are run."""
    working = {}
    with ExitStack() as processes:
        for name in PLATFORMS:
            if works(name):
                own, released = (processes.enter_context(process(name)) for _ in range(2))
                working[name] = Platform(name, own, released, own.submit(draw_in_fork))
        yield working


def works(name: str) -> bool:
    """Tried in a process of its own: after it has tried OSMesa, a process's children cannot draw."""
    trial = "from renderers.offscreen import choose_platform; choose_platform()"
    environment = os.environ | {"PYOPENGL_PLATFORM": name}
    return subprocess.run([sys.executable, "-c", trial], env=environment, check=False).returncode == 0


@pytest.fixture(params=PLATFORMS)
def platform(request: pytest.FixtureRequest, platforms: Mapping[str, Platform]) -> Platform:
    """Each of them in turn; one that does not work is skipped."""
    if request.param not in platforms:
        pytest.skip(f"{request.param} does not work here")
    return platforms[request.param]
