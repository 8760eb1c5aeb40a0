"""Makes a worker process die or hang at a clip: Python imports this by itself when its folder is on
PYTHONPATH.

FAULTS are the words `die` and `hang`, one for each time that the clip is begun; FAULT_MARKS is a folder where
each fault leaves a file. The clip is the one that begins with frame FAULT_FRAME. A worker that replaces one
that was lost takes RESTART_SECONDS, as on a busy machine.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

RESTART_SECONDS = 4.0
"""Longer than Ray waits, two seconds, before it refuses a job of an actor that is being restarted."""


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, changes: dict[str, Callable[[ModuleType], None]]) -> None:
        self._waiting = changes

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in self._waiting:
            return None
        change = self._waiting.pop(name)
        spec = importlib.util.find_spec(name)
        assert spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader)
        run = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run(module)
            change(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _break(module: ModuleType) -> None:
    extract = module.MediaPipeHolistic.extract

    def faulty(self: Any, frames: Iterable[Any]) -> Iterator[Any]:
        yield from extract(self, _seen(frames))

    module.MediaPipeHolistic.extract = faulty


def _delay(module: ModuleType) -> None:
    start = module.Worker.__init__

    def slow(self: Any, *arguments: Any) -> None:
        if any(Path(os.environ["FAULT_MARKS"]).iterdir()):
            time.sleep(RESTART_SECONDS)
        start(self, *arguments)

    module.Worker.__init__ = slow


def _seen(frames: Iterable[Any]) -> Iterator[Any]:
    for place, frame in enumerate(frames):
        if place == 0 and frame.number == int(os.environ["FAULT_FRAME"]):
            faults, marks = os.environ["FAULTS"].split(), Path(os.environ["FAULT_MARKS"])
            count = len(list(marks.iterdir()))
            if count < len(faults):
                (marks / str(count)).touch()
                _fail(faults[count])
        yield frame


def _fail(fault: str) -> None:
    if fault == "die":
        os._exit(1)
    while True:
        time.sleep(1)


if "FAULTS" in os.environ:
    changes: dict[str, Callable[[ModuleType], None]] = {
        "extractors.mediapipe_holistic": _break,
        "pipelines.workers": _delay,
    }
    sys.meta_path.insert(0, _Finder(changes))
