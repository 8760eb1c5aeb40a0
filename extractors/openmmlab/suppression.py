"""Non-maximum suppression for where no compiled one fits the installed PyTorch."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_BLOCK = 256
"""Boxes that are settled at a time: enough that the work is in matrices, few enough that those are small."""


def suppressed_nms(
    boxes: Float[Tensor, "boxes 4"], scores: Float[Tensor, "boxes"], iou_threshold: float, offset: int = 0
) -> Int[Tensor, "kept"]:
    """Numbers of the boxes that are kept, from the highest score to the lowest.

    A box (x0, y0, x1, y1) is dropped if its intersection over union with a kept one of a higher score is
    above the threshold. offset is added to every width and height: 1 where corners are the numbers of
    pixels. As `torchvision.ops.nms` (offset 0) and `mmcv.ops.nms` define it.
    """
    order = torch.argsort(scores, descending=True, stable=True)
    corners = boxes[order].detach().float().cpu().numpy()
    waiting = np.arange(len(corners))
    kept: list[Int[np.ndarray, "some"]] = []
    while len(waiting):
        block, waiting = waiting[:_BLOCK], waiting[_BLOCK:]
        overlap = _iou(corners[block], corners[block], offset) > np.float32(iou_threshold)
        chosen = block[_first_come(overlap)]
        kept.append(chosen)
        hidden = (_iou(corners[chosen], corners[waiting], offset) > np.float32(iou_threshold)).any(axis=0)
        waiting = waiting[~hidden]
    places = np.concatenate(kept) if kept else np.zeros(0, np.int64)
    return order[torch.from_numpy(places).to(order.device)]


def _first_come(overlap: Bool[np.ndarray, "boxes boxes"]) -> Bool[np.ndarray, "boxes"]:
    """Which are kept when each, in order, drops those after it that it overlaps."""
    kept = np.ones(len(overlap), bool)
    for place, row in enumerate(overlap):
        if kept[place]:
            kept[place + 1 :] &= ~row[place + 1 :]
    return kept


def _iou(
    these: Float[np.ndarray, "these 4"], those: Float[np.ndarray, "those 4"], offset: int
) -> Float[np.ndarray, "these those"]:
    low = np.maximum(these[:, None, :2], those[None, :, :2])
    high = np.minimum(these[:, None, 2:], those[None, :, 2:])
    width, height = np.moveaxis(np.maximum(high - low + np.float32(offset), 0), -1, 0)
    shared = width * height
    areas = [
        (boxes[:, 2] - boxes[:, 0] + np.float32(offset)) * (boxes[:, 3] - boxes[:, 1] + np.float32(offset))
        for boxes in (these, those)
    ]
    with np.errstate(divide="ignore", invalid="ignore"):  # two boxes without area: never above a threshold
        return shared / (areas[0][:, None] + areas[1][None, :] - shared)
