"""The deployment that prefect.yaml names does what the plain command does, with the commands of
docs/operations.md.
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

import pytest

from tests.factories.runs import ROOT, dancemill, end_group, environment, files_of
from tests.factories.videos import write_numbered_video

pytestmark = pytest.mark.slow

SERVER_SECONDS = 90


class Prefect:
    """A server and a worker of its own, driven as a user drives them."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.api = f"http://127.0.0.1:{self.port}/api"
        self.environment = environment(home, {"PREFECT_API_URL": self.api})
        self.log = (home / "prefect.log").open("w")
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> None:
        command = [str(Path(sys.executable).parent / "prefect"), *arguments]
        self.running.append(
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdout=self.log,
                stderr=self.log,
                start_new_session=True,
            )
        )

    def call(self, *arguments: str) -> str:
        command = [str(Path(sys.executable).parent / "prefect"), *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def wait_for_server(self) -> None:
        end = time.monotonic() + SERVER_SECONDS
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"{self.api}/health", timeout=5):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.5)
        raise AssertionError(f"no Prefect server within {SERVER_SECONDS} s")

    def artifacts(self) -> list[str]:
        request = urllib.request.Request(
            f"{self.api}/artifacts/filter",
            data=b"{}",
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return [artifact["data"] for artifact in json.load(answer)]

    def stop(self) -> None:
        for process in reversed(self.running):
            process.terminate()
        for process in reversed(self.running):
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            end_group(process)
        self.log.close()


@pytest.fixture
def prefect(tmp_path: Path) -> Iterator[Prefect]:
    home = tmp_path / "home"
    home.mkdir()
    prefect = Prefect(home)
    prefect.start("server", "start", "--port", str(prefect.port))
    try:
        prefect.wait_for_server()
        yield prefect
    finally:
        prefect.stop()


def test_a_deployment_run_gives_the_bytes_of_the_plain_command(prefect: Prefect, tmp_path: Path) -> None:
    video = write_numbered_video(tmp_path / "video.mp4", count=72)
    prefect.call("work-pool", "create", "dancemill", "--type", "process")
    prefect.call("--no-prompt", "deploy", "--all")
    prefect.start("worker", "start", "--pool", "dancemill")
    out = tmp_path / "deployed"
    prefect.call(
        *("deployment", "run", "extract-poses/extract-poses", "--watch", "--watch-timeout", "110"),
        *("--param", f"inputs={json.dumps([str(video)])}", "--param", f"out={out}"),
        *("--param", "min_found=0", "--param", "clip_seconds=1", "--param", "body_model=none"),
    )
    (summary,) = prefect.artifacts()
    assert "| clips | 3 | 0 | 0 | 0 |" in summary
    direct = dancemill(
        [
            *("extract", str(video), "--out", str(tmp_path / "direct")),
            *("--min-found", "0", "--clip-seconds", "1", "--body-model", "none"),
        ],
        tmp_path / "direct-home",
    )
    assert direct.code == 0, direct.stderr
    assert files_of(out) == files_of(tmp_path / "direct")
