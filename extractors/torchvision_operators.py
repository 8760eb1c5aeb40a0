"""Makes torchvision importable where it was built for another PyTorch than the installed one.

Such a torchvision fails on import, since its compiled operators are not there, and with it mmpose, mmdet,
diffusers and transformers. Of those operators their use here needs one, non-maximum suppression. What is
compiled and loads is left as it is.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import torch

from extractors.openmmlab.suppression import suppressed_nms

_declared: list[Any] = []
"""Operators are withdrawn with the library that declared them, so it is kept."""


def declare_missing() -> None:
    """To be called before torchvision is first imported; calling it again does nothing."""
    if "torchvision" not in sys.modules and not _has_compiled() and not _declared:
        _declare()


def _has_compiled() -> bool:
    operators: Any = torch.ops
    spec = importlib.util.find_spec("torchvision")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for suffix in EXTENSION_SUFFIXES:
            library = Path(folder) / f"_C{suffix}"
            if library.is_file():
                try:
                    operators.load_library(library)
                except OSError:
                    return False
                return True
    return False


def _declare() -> None:
    """`nms`, and of `qnms`, which is for quantised tensors, only that it exists: torchvision's import asks
    for both.
    """
    torch_library: Any = torch.library
    library = torch_library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.impl("nms", suppressed_nms, "CompositeExplicitAutograd")
    _declared.append(library)
