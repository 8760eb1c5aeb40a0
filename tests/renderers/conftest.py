"""What tests of drawing may ask for: each off-screen platform that works here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from renderers.offscreen import PLATFORMS, OffscreenError, choose_platform
from tests.factories.platforms import Platform, process


@pytest.fixture(scope="session", params=PLATFORMS)
def platform(request: pytest.FixtureRequest) -> Iterator[Platform]:
    """Each of them in turn; one that does not work is skipped."""
    with process(request.param) as own, process(request.param) as released:
        try:
            own.submit(choose_platform).result()
        except OffscreenError as error:
            pytest.skip(str(error))
        yield Platform(request.param, own, released)
