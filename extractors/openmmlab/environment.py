"""Makes mmpose and mmdet importable where torchvision's or mmcv's compiled operators are missing.

Their inference needs one operator that is compiled elsewhere, non-maximum suppression, and mmcv-lite has no
compiled part at all. What is compiled and loads is left as it is.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from extractors.openmmlab.suppression import suppressed_nms
from extractors.torchvision_operators import declare_missing

_MMCV_EXTENSION = "mmcv._ext"

_operators: dict[str, Callable[..., Any]] = {"nms": suppressed_nms}


def prepare() -> None:
    """To be called before mmpose, mmdet or torchvision is first imported; calling it again does nothing."""
    declare_missing()
    if not any(isinstance(finder, _ExtensionFinder) for finder in sys.meta_path):
        sys.meta_path.append(_ExtensionFinder())  # last: what is installed is found before
    for message in _WARNINGS:
        warnings.filterwarnings("ignore", message=message)


def provide_operator(name: str, function: Callable[..., Any]) -> None:
    """Serve a function as one of mmcv's compiled operators, where mmcv has no compiled ones of its own."""
    _operators[name] = function


_WARNINGS = (
    r"pkg_resources is deprecated",
    r"`torch\.cuda\.amp\.autocast\(args\.\.\.\)` is deprecated",
    r"torch.meshgrid: in an upcoming release",
)
"""What the packages say on every import about themselves, and a user can do nothing about."""


class _ExtensionFinder(MetaPathFinder):
    """Finds `mmcv._ext` where nothing else does."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _MMCV_EXTENSION:
            return None
        return ModuleSpec(fullname, _ExtensionLoader(), origin=__file__)


class _ExtensionLoader(Loader):
    """Fills the module with what every attribute of it is: an operator, or the refusal of one."""

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__getattr__"] = _operator


def _operator(name: str) -> Callable[..., Any]:
    if name.startswith("__"):
        raise AttributeError(f"module {_MMCV_EXTENSION!r} has no attribute {name!r}")

    def run(*arguments: Any, **settings: Any) -> Any:
        if name not in _operators:
            raise NotImplementedError(
                f"The operator {name} of mmcv is compiled, and the installed mmcv-lite has no compiled ones: "
                "this network needs the full mmcv (pip install mmcv==2.1.0 compiles it)."
            )
        return _operators[name](*arguments, **settings)

    return run
