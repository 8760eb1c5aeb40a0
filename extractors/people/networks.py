"""mmdet's detectors, from images of any size to the boxes of the people in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from extractors.openmmlab.environment import provide_operator
from extractors.openmmlab.networks import build_network, load_checkpoint, packaged_config
from extractors.people.published import NETWORKS
from extractors.people.region_align import roi_align_forward

_PERSON = 0
"""The class of people among COCO's; the only one of networks that find nothing else."""

_PAD = 114.0
"""The grey beside an image that is no square, as RTMDet and YOLOX saw it in training."""


class DetectionNetwork(nn.Module):
    """Images in, people out, as mmdet's own `inference_detector` finds them.

    detector: of mmdet. config: its configuration (mmengine.Config), which says how images are prepared.
    largest: the longer and the shorter side that an image is to have at most, in pixels.
    """

    _mean: Tensor
    _std: Tensor

    def __init__(self, detector: nn.Module, config: Any, score_above: float) -> None:
        super().__init__()
        from mmdet.utils import get_test_pipeline_cfg

        self.detector: Any = detector
        self.score_above = score_above
        steps = {step["type"]: step for step in get_test_pipeline_cfg(config)}
        self.largest = tuple(sorted(steps["Resize"]["scale"], reverse=True))
        self._is_padded = "Pad" in steps
        prepare = config.model.data_preprocessor
        self._takes_rgb: bool = prepare.get("bgr_to_rgb", False)
        self._divisor: int = prepare.get("pad_size_divisor", 1)
        for name, default in (("mean", [0.0] * 3), ("std", [1.0] * 3)):
            values = torch.tensor(prepare.get(name, default), dtype=torch.float32)
            self.register_buffer(f"_{name}", values[:, None, None], persistent=False)

    def forward(self, images: Float[Tensor, "images 3 height width"]) -> dict[str, Tensor]:
        """images are RGB in [0, 255], resized to `largest`.

        `boxes` (images, people, 4) are x0 y0 x1 y1 in their pixels and may reach beside the image; `scores`
        (images, people) are in [0, 1], from the highest on. NaN where an image has fewer people than another.
        """
        height, width = images.shape[2:]
        if self._is_padded:
            side = self.largest[0]
            images = functional.pad(images, (0, side - width, 0, side - height), value=_PAD)
            height = width = side  # to mmdet, what is beside the image is part of it
        images = images if self._takes_rgb else images.flip(1)
        images = (images - self._mean) / self._std
        images = functional.pad(images, (0, -width % self._divisor, 0, -height % self._divisor))
        return self._people(self.detector.extract_feat(images), height, width)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _people(self, features: tuple[Tensor, ...], height: int, width: int) -> dict[str, Tensor]:
        """The heads, in float32: in bfloat16 a box would be some pixels off."""
        from mmdet.structures import DetDataSample

        samples = [DetDataSample(metainfo={"img_shape": (height, width)}) for _ in features[0]]
        with torch.autocast(features[0].device.type, enabled=False):
            maps = tuple(level.float() for level in features)
            if hasattr(self.detector, "roi_head"):
                regions = self.detector.rpn_head.predict(maps, samples, rescale=False)
                found = self.detector.roi_head.predict(maps, regions, samples, rescale=False)
            else:
                found = self.detector.bbox_head.predict(maps, samples, rescale=False)
        kept = [one[(one.labels == _PERSON) & (one.scores > self.score_above)] for one in found]
        most = max(len(one) for one in kept)
        return {
            name: torch.stack([_filled(getattr(one, of), most) for one in kept])
            for name, of in (("boxes", "bboxes"), ("scores", "scores"))
        }


def _filled(values: Tensor, count: int) -> Tensor:
    filled = values.new_full((count, *values.shape[1:]), torch.nan)
    filled[: len(values)] = values
    return filled


def detection_network(name: str, weights: Path | None, seed: int = 0) -> DetectionNetwork:
    """A network of `published.NETWORKS` with the weights of mmdet's file; random ones without a file.

    Raises WeightsError for a file that cannot be read or belongs to another network.
    """
    published = NETWORKS[name]
    config = packaged_config(published.package, published.config)
    config.merge_from_dict(dict(published.changes))
    provide_operator("roi_align_forward", roi_align_forward)
    detector = build_network("mmdet", config, seed)
    if weights is not None:
        load_checkpoint(detector, weights)
    return DetectionNetwork(detector, config, published.score_above)
