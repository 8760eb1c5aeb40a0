"""Runs of the command line as a user has them: in a process of their own, with a Prefect home of their
own.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a run that shares no Prefect record with another."""
    return {
        **os.environ,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        **(extra or {}),
    }


def start(arguments: list[str], home: Path, extra: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start `dancemill ARGUMENTS` in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "dancemill", *arguments],
        cwd=ROOT,
        env=environment(home, extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def dancemill(arguments: list[str], home: Path, extra: Mapping[str, str] | None = None) -> Finished:
    """Run `dancemill ARGUMENTS` to its end."""
    process = start(arguments, home, extra)
    try:
        stdout, stderr = process.communicate(timeout=300)
    finally:
        end_group(process)
    return Finished(process.returncode, stdout, stderr)


def kill(process: subprocess.Popen[str]) -> None:
    """kill -9 of the run itself; then of Prefect's temporary server, which would otherwise stay."""
    process.kill()
    process.wait()
    end_group(process)
    process.communicate()


def end_group(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """End what a run has left behind in its process group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def files_of(dataset: Path) -> dict[str, str]:
    """SHA-256 of every file of a dataset, by its path in it; the run's own notes are left out."""
    files = (path for path in dataset.rglob("*") if path.is_file() and ".work" not in path.parts)
    return {
        str(path.relative_to(dataset)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
    }


DYING = """
import os, sys

steps, last, folder = 0, int(sys.argv[1]), sys.argv[2]

def step(*_):
    global steps
    steps += 1
    if steps == last:
        os._exit(9)

def die_at(*events):
    fsync = os.fsync
    os.fsync = lambda file: (step(), fsync(file))
    sys.addaudithook(lambda event, given: event in events and str(given[0]).startswith(folder) and step())
"""
"""The beginning of a script that dies (exit code 9) before step number argv[1] of what it does to the folder
argv[2]: a file synced, or one of the audit events that it gives to `die_at`."""
