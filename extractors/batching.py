"""How networks are run: on which device, in which precision, and over how many inputs at a time.

A batch never spans clips: rounding hangs on a batch's make-up, and a clip's numbers are to depend on nothing
but the clip.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

Precision = Literal["float32", "bfloat16", "float16"]

_AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}


Row = dict[str, np.ndarray]
"""A network's outputs of one input, by name."""


@dataclass(frozen=True)
class Running:
    """How a network is run.

    device: as torch names it. precision: float32 gives the official numbers; the others are faster on a GPU
    and differ in the third digit. channels_last: a memory layout that convolutions on GPUs prefer. compile:
    torch.compile, which pays off after some minutes. batch: inputs at a time; as many as memory allows.
    """

    device: str = "cpu"
    precision: Precision = "float32"
    channels_last: bool = False
    compile: bool = False
    batch: int = 16


@dataclass
class BatchCount:
    """What a network was given so far."""

    size: int
    batches: int = 0
    inputs: int = 0

    @property
    def fill(self) -> float:
        """Mean share of a batch that was used, in [0, 1]; 1 where there was none."""
        return self.inputs / (self.batches * self.size) if self.batches else 1.0


@dataclass
class Batched:
    """A network, ready to be run over batches of images, and the count of what it was given.

    `forward` takes a float32 batch on the device (or the prepared `network` itself does) and gives tensors by
    name, whose first axis is the batch.
    """

    network: nn.Module
    running: Running
    count: BatchCount = field(init=False)

    def __post_init__(self) -> None:
        network = self.network.eval().requires_grad_(False).to(self.running.device)
        if self.running.channels_last:
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network = network
        self._forward: Callable[..., Mapping[str, Tensor]] = (
            torch.compile(network) if self.running.compile else network
        )
        self.count = BatchCount(self.running.batch)

    def __call__(self, images: np.ndarray | Tensor) -> dict[str, np.ndarray]:
        """The network's outputs of one batch, in float32 on the CPU; images is (batch, channels, height,
        width), of at most `running.batch` images.
        """
        tensor = torch.as_tensor(images).to(self.running.device, torch.float32, non_blocking=True)
        if self.running.channels_last:
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        self.count.batches += 1
        self.count.inputs += len(tensor)
        kind = torch.device(self.running.device).type
        lower = _AUTOCAST.get(self.running.precision)
        casting = torch.autocast(kind, lower) if lower is not None else nullcontext()
        with torch.inference_mode(), casting:
            outputs = self._forward(tensor)
        return {name: value.float().cpu().numpy() for name, value in outputs.items()}


_NETWORKS = ThreadPoolExecutor(1, "networks")
"""Queued batches of a process run here, one after the other, while others decode, crop and draw."""

_AHEAD = 2
"""Batches that may wait or run: one on the device, one behind it."""


@dataclass
class Queue:
    """Inputs of one clip, run whenever a batch is full; a row of outputs for each input, in order. `on_batch`
    is called after each batch, in the thread that ran it.
    """

    run: Batched
    on_batch: Callable[[], object] = lambda: None
    _waiting: list[np.ndarray] = field(default_factory=list)
    _running: deque[Future[list[Row]]] = field(default_factory=deque)

    def add(self, image: np.ndarray) -> None:
        """Take an input (channels, height, width)."""
        self._waiting.append(image)
        if len(self._waiting) == self.run.running.batch:
            self._flush()

    def ready(self) -> list[Row]:
        """The outputs, by name, that came since they were last asked for."""
        rows: list[Row] = []
        while self._running and (len(self._running) > _AHEAD or self._running[0].done()):
            rows += self._running.popleft().result()
        return rows

    def finish(self) -> list[Row]:
        """Run what is left, and give the outputs that have not been given yet."""
        if self._waiting:
            self._flush()
        return [row for batch in self._running for row in batch.result()]

    def _flush(self) -> None:
        self._running.append(_NETWORKS.submit(_rows, self.run, np.stack(self._waiting), self.on_batch))
        self._waiting.clear()


def _rows(run: Batched, images: np.ndarray, on_batch: Callable[[], object]) -> list[Row]:
    outputs = run(images)
    on_batch()
    return [{name: values[place] for name, values in outputs.items()} for place in range(len(images))]
