"""Inputs are queued into full batches, and each one's outputs come once, in order."""

from __future__ import annotations

import numpy as np
import pytest
from torch import Tensor, nn

from extractors.batching import Batched, Queue, Running


class Doubled(nn.Module):
    """Twice what it is given."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"twice": 2 * images}


@pytest.mark.parametrize("asked", [False, True])
def test_outputs_come_once_in_order_and_a_batch_is_told_of(asked: bool) -> None:
    batched, told, rows = Batched(Doubled(), Running(batch=4)), [], []
    queue = Queue(batched, lambda: told.append(1))
    for number in range(11):
        queue.add(np.full((3, 2, 2), number, np.float32))
        rows += queue.ready() if asked else []
    rows += queue.finish()
    assert [row["twice"][0, 0, 0] for row in rows] == [2 * number for number in range(11)]
    assert len(told) == 3
    assert (batched.count.batches, batched.count.inputs) == (3, 11)
    assert batched.count.fill == pytest.approx(11 / 12)


def test_a_networks_error_reaches_the_one_who_asks() -> None:
    queue = Queue(Batched(nn.Conv2d(1, 1, 1), Running(batch=1)))
    queue.add(np.zeros((3, 2, 2), np.float32))
    with pytest.raises(RuntimeError, match="channels"):
        queue.finish()
