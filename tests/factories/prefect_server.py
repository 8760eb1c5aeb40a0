"""A Prefect server that outlasts the runs, as a site has one, so that not every run of a test begins with one
of its own.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.factories.runs import ROOT, end_group, environment

START_SECONDS = 90
STOP_SECONDS = 15


class PrefectServer:
    """A server, and what else is begun with it, driven as a user drives them. Whose PREFECT_HOME is `home`
    uses it.
    """

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.home = home
        self.api = f"http://127.0.0.1:{port}/api"
        (home / "profiles.toml").write_text(
            f'active = "tests"\n[profiles.tests]\nPREFECT_API_URL = "{self.api}"\n'
        )
        self._log = (home / "server.log").open("w")
        self._running: list[subprocess.Popen[bytes]] = []
        self.start("server", "start", "--port", str(port))

    def start(self, *arguments: str) -> None:
        """Begin `prefect ARGUMENTS`, which `stop` ends."""
        self._running.append(
            subprocess.Popen(
                _command(arguments),
                cwd=ROOT,
                env=environment(self.home),
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
            )
        )

    def call(self, *arguments: str) -> str:
        """What `prefect ARGUMENTS` prints."""
        done = subprocess.run(
            _command(arguments),
            cwd=ROOT,
            env=environment(self.home),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def wait(self) -> None:
        """Wait until the server answers."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"{self.api}/health", timeout=5):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.2)
        raise AssertionError(f"no Prefect server within {START_SECONDS} s: see {self._log.name}")

    def found(self, kind: str, **asked: object) -> list[dict[str, Any]]:
        """The server's records of a kind (`artifacts`, `task_runs`) by its filters."""
        request = urllib.request.Request(
            f"{self.api}/{kind}/filter",
            data=json.dumps(asked).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return list(json.load(answer))

    def stop(self) -> None:
        for process in reversed(self._running):
            process.terminate()
        for process in reversed(self._running):
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            end_group(process)
        self._log.close()


def _command(arguments: tuple[str, ...]) -> list[str]:
    return [str(Path(sys.executable).parent / "prefect"), *arguments]


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """One for all the tests of a process."""
    server = PrefectServer(tmp_path_factory.mktemp("prefect"))
    try:
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def home(prefect_server: PrefectServer) -> Path:
    """The PREFECT_HOME of runs that use that server."""
    return prefect_server.home
