"""The distributions of RTMPose and DWPose by ONNX Runtime: from a file exported here, or a published one."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from extractors.weights.errors import WeightsError

if TYPE_CHECKING:
    import onnxruntime

_LOG = logging.getLogger(__name__)

_INPUT, _OUTPUTS = "input", ("simcc_x", "simcc_y")
"""The names in DWPose's own dw-ll_ucoco_384.onnx, which others' tools ask for."""

OPSET = 17
"""The version of ONNX's operators that networks are exported in."""


class OnnxSimcc(nn.Module):
    """An .onnx file: normalised crops in, the distributions over x and y out; always in float32."""

    def __init__(self, path: Path, input_size: tuple[int, int], device: str = "cpu") -> None:
        """device: CUDA is used where ONNX Runtime has it. Raises WeightsError for a file that cannot be read,
        or whose input or outputs are not those of an RTMPose with this input (width, height).
        """
        super().__init__()
        self._session = _session(path, device)
        (shape, *others) = [given.shape for given in self._session.get_inputs()]
        names = {output.name for output in self._session.get_outputs()}
        if others or len(shape) != 4 or not names.issuperset(_OUTPUTS):
            raise WeightsError(
                f"{path}: not a SimCC network: its outputs are {', '.join(sorted(names))}, where "
                f"{' and '.join(_OUTPUTS)} were expected; get the file that is named for this network."
            )
        width, height = input_size
        if any(
            isinstance(has, int) and has != wanted
            for has, wanted in zip(shape[1:], (3, height, width), strict=True)
        ):
            raise WeightsError(
                f"{path}: takes images of {shape[3]}x{shape[2]} pixels, not {width}x{height}: it is another "
                "network; get the file that is named for this one."
            )
        self._input = self._session.get_inputs()[0].name
        self._only_one = shape[0] == 1

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(
        self, images: Float[Tensor, "crops 3 height width"]
    ) -> tuple[Float[Tensor, "crops points columns"], Float[Tensor, "crops points rows"]]:
        """One after another where the file was exported for one at a time."""
        crops = images.float().cpu().contiguous().numpy()
        batches = np.split(crops, len(crops)) if self._only_one else [crops]
        parts = [self._session.run(_OUTPUTS, {self._input: batch}) for batch in batches]
        x, y = (
            torch.from_numpy(np.concatenate(values)).to(images.device) for values in zip(*parts, strict=True)
        )
        return x, y


def export_simcc(network: nn.Module, input_size: tuple[int, int], path: Path) -> None:
    """Write the network as an .onnx file for batches of any size, with the names of DWPose's own file."""
    width, height = input_size
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    try:
        with warnings.catch_warnings(), torch.inference_mode(), _onnx_package():
            warnings.simplefilter("ignore")  # the tracer's own, on code of mmpose and on its age
            torch.onnx.export(
                network,
                (torch.zeros(1, 3, height, width),),
                str(partial),
                input_names=[_INPUT],
                output_names=list(_OUTPUTS),
                dynamic_axes={name: {0: "batch"} for name in (_INPUT, *_OUTPUTS)},
                opset_version=OPSET,
                dynamo=False,
            )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _onnx_package() -> Iterator[None]:
    """The exporter looks through what it wrote for functions of onnxscript, and reads it with package onnx to
    do so. There are none here: where the package is not installed, it is told that the graph is empty.
    """
    if importlib.util.find_spec("onnx") is not None:
        yield
        return
    package = ModuleType("onnx")
    package.__dict__["load_model_from_string"] = lambda _: SimpleNamespace(graph=SimpleNamespace(node=()))
    sys.modules["onnx"] = package
    try:
        yield
    finally:
        del sys.modules["onnx"]


def _session(path: Path, device: str) -> onnxruntime.InferenceSession:
    # Not needed by those who run networks by PyTorch.
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    unreadable = (
        state.Fail,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NoModel,
        state.NoSuchFile,
        state.InvalidArgument,
        state.NotImplemented,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors; below that it reports what it optimised
    providers = ["CPUExecutionProvider"]
    if torch.device(device).type == "cuda":
        if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            providers.insert(0, "CUDAExecutionProvider")
        else:
            _LOG.warning(
                "%s is run on the CPU: the installed ONNX Runtime has no CUDA; onnxruntime-gpu has.",
                path.name,
            )
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except unreadable as error:
        raise WeightsError(
            f"{path}: ONNX Runtime cannot read it ({str(error).splitlines()[0]}); get the file again."
        ) from error
