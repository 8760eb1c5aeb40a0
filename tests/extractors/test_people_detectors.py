"""Detectors of people: they find what mmdet's own inference finds, in batches, and nobody where nobody is."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from jaxtyping import Float, UInt8
from scipy.optimize import linear_sum_assignment
from torch import nn

from extractors.batching import Running
from extractors.interface import RANDOM, Licences, Lineage
from extractors.openmmlab.environment import provide_operator
from extractors.openmmlab.networks import build_network, packaged_config
from extractors.people.detectors import PersonDetector
from extractors.people.networks import DetectionNetwork, detection_network
from extractors.people.published import NETWORKS
from extractors.people.region_align import align_regions, roi_align_forward
from extractors.people.tracks import People
from extractors.weights.errors import WeightsError

LINEAGE = Lineage("mmdet: small", 1, "mmdet", {"small": RANDOM}, Licences("Apache-2.0", "none", "none"))

SMALLER: Mapping[str, Mapping[str, object]] = {
    "rtmdet-m": {
        "model.backbone.widen_factor": 0.125,
        "model.backbone.deepen_factor": 0.1,
        "model.neck.in_channels": [32, 64, 128],
        "model.neck.out_channels": 32,
        "model.neck.num_csp_blocks": 1,
        "model.bbox_head.in_channels": 32,
        "model.bbox_head.feat_channels": 32,
        "test_dataloader.dataset.pipeline.1.scale": (256, 256),
        "test_dataloader.dataset.pipeline.2.size": (256, 256),
    },
    "yolox-l": {
        "model.backbone.widen_factor": 0.125,
        "model.backbone.deepen_factor": 0.1,
        "model.neck.in_channels": [32, 64, 128],
        "model.neck.out_channels": 32,
        "model.neck.num_csp_blocks": 1,
        "model.bbox_head.in_channels": 32,
        "model.bbox_head.feat_channels": 32,
        "test_dataloader.dataset.pipeline.1.scale": (256, 256),
    },
    "faster-rcnn": {
        "model.backbone.depth": 18,
        "model.neck.in_channels": [64, 128, 256, 512],
        "model.roi_head.bbox_head.fc_out_channels": 32,
        "model.test_cfg.rpn.nms_pre": 100,
        "model.test_cfg.rpn.max_per_img": 100,
        "test_dataloader.dataset.pipeline.1.scale": (333, 200),
    },
}
"""The published configurations made cheap; how images are prepared and boxes chosen is left as it is."""


SPREADS = {
    "rtm_cls": 3.0,
    "rtm_reg": 0.7,
    "conv_cls": 3.0,
    "conv_obj": 3.0,
    "conv_reg": 0.7,
    "rpn_cls": 3.0,
    "rpn_reg": 0.3,
    "fc_cls": 5.0,
    "fc_reg": 1.0,
}
"""Last layers, and how far what they give is to be spread."""


def detector_of(name: str, changes: Mapping[str, object]) -> Any:
    """mmdet's detector with random weights that finds many things: the scores of an untrained one are all the
    same.
    """
    published = NETWORKS[name]
    config = packaged_config(published.package, published.config)
    config.merge_from_dict(dict(changes))
    provide_operator("roi_align_forward", roi_align_forward)
    detector: Any = build_network("mmdet", config)
    hooks = []
    for key, layer in detector.named_modules():
        spread = next(
            (spread for part, spread in SPREADS.items() if re.search(rf"{part}(\.\d+)?$", key)), None
        )
        if spread is not None and hasattr(layer, "weight"):
            hooks.append(layer.register_forward_hook(partial(spread_out, spread)))
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0  # it takes what it sees for what it always sees
    network = DetectionNetwork(detector, config, 1.0).train()
    with torch.no_grad():
        network(torch.from_numpy(picture(*network.largest[::-1], 99)).permute(2, 0, 1)[None].float())
    for hook in hooks:
        hook.remove()
    detector.cfg = config
    return detector.eval()


def spread_out(spread: float, layer: Any, _: object, output: torch.Tensor) -> torch.Tensor:
    """Scale the layer so that what it gives for this input is spread so far around zero."""
    axes = [axis for axis in range(output.ndim) if axis != 1]
    mean, factor = output.mean(axes), spread / output.std()
    layer.weight.mul_(factor)
    layer.bias.sub_(mean).mul_(factor)
    shape = [-1 if axis == 1 else 1 for axis in range(output.ndim)]
    return (output - mean.reshape(shape)) * factor


def picture(height: int, width: int, seed: int) -> UInt8[np.ndarray, "height width 3"]:
    """RGB, with large and small forms, and more red than blue."""
    random = np.random.default_rng(seed)
    image = np.full((height, width, 3), [170.0, 120.0, 70.0])
    for rough in (4, 16, 64):
        forms = random.normal(0, 40, (rough, rough, 3))
        image += cv2.resize(forms, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(image, 0, 255).astype(np.uint8)


def found_by_mmdet(
    detector: nn.Module, image: UInt8[np.ndarray, "height width 3"], score_above: float
) -> tuple[Float[np.ndarray, "n 4"], Float[np.ndarray, "n"]]:
    from mmdet.apis import inference_detector
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope("mmdet"):
        found = inference_detector(detector, cv2.cvtColor(image, cv2.COLOR_RGB2BGR)).pred_instances
    people = found[(found.labels == 0) & (found.scores > score_above)]
    return people.bboxes.numpy(), people.scores.numpy()


def assert_same_people(ones: People, others: People) -> None:
    """In any order: beside the image all cells see the same grey, so boxes there have equal scores."""
    assert ones.boxes.shape == others.boxes.shape
    assert (np.diff(ones.scores) <= 0).all()
    rows, columns = (np.column_stack([one.boxes, one.scores * 100]) for one in (ones, others))
    distance = np.abs(rows[:, None] - columns).max(axis=2)
    assert distance[linear_sum_assignment(distance)].max(initial=0) < 1e-2


def assert_finds_what_mmdet_finds(
    name: str, changes: Mapping[str, object], score_above: float, sizes: list[tuple[int, int]]
) -> None:
    detector = detector_of(name, changes)
    network = DetectionNetwork(detector, detector.cfg, score_above)
    mine = PersonDetector(network, Running(batch=2), LINEAGE)
    seen = 0
    for seed, (height, width) in enumerate(sizes):
        images = [picture(height, width, seed), picture(height, width, seed + 50)]
        for image, people in zip(images, mine.detect(images), strict=True):
            boxes, scores = found_by_mmdet(detector, image, score_above)
            assert_same_people(people, People(boxes, scores))
            seen += len(boxes)
    assert seen > 10


@pytest.mark.parametrize("name", SMALLER)
def test_finds_what_mmdets_own_inference_finds(name: str) -> None:
    sizes = [(96, 160), (250, 141), (480, 360)]
    assert_finds_what_mmdet_finds(name, SMALLER[name], 0.3, sizes)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALLER)
def test_finds_what_mmdets_own_inference_finds_at_the_published_sizes(name: str) -> None:
    assert_finds_what_mmdet_finds(name, {}, 0.2, [(540, 960)])


@pytest.mark.parametrize("name", SMALLER)
def test_what_is_found_hangs_on_the_image_alone(name: str) -> None:
    detector = detector_of(name, SMALLER[name])
    images = [picture(120, 90, seed) for seed in range(5)]
    counts, found = [], []
    for batch in (1, 3):
        network = DetectionNetwork(detector, detector.cfg, 0.3)
        people = PersonDetector(network, Running(batch=batch), LINEAGE)
        found.append(people.detect(images))
        counts.append((people.count.batches, people.count.inputs))
    assert counts == [(5, 5), (2, 5)]
    assert len({len(people.scores) for people in found[0]}) > 1
    for alone, together in zip(*found, strict=True):
        assert_same_people(alone, together)


def test_lower_precision_leaves_boxes_where_they_are() -> None:
    """Only the features are computed in it: of a box in bfloat16, the edges would be pixels off."""
    detector = detector_of("rtmdet-m", SMALLER["rtmdet-m"])
    images = [picture(256, 256, seed) for seed in range(3)]
    exact, rounded = (
        PersonDetector(
            DetectionNetwork(detector, detector.cfg, 0.3), Running(precision=precision), LINEAGE
        ).detect(images)
        for precision in ("float32", "bfloat16")
    )
    distances = [
        np.abs(mine.boxes[:, None] - others.boxes).max(axis=2).min(axis=1)
        for mine, others in zip(exact, rounded, strict=True)
    ]
    assert np.median(np.concatenate(distances)) < 2


def test_nobody_is_nobody() -> None:
    people = PersonDetector(detection_network("small", None), Running(batch=4), LINEAGE)
    found = people.detect([np.zeros((90, 160, 3), np.uint8)] * 2)
    assert [(one.boxes.shape, one.scores.shape) for one in found] == [((0, 4), (0,))] * 2
    assert people.detect([]) == []


def test_a_network_reads_the_file_that_its_package_publishes(tmp_path: Path) -> None:
    written = detection_network("small", None, seed=1)
    path = tmp_path / "small.pth"
    torch.save({"meta": {}, "state_dict": written.detector.state_dict()}, path)
    read = detection_network("small", path)
    fresh = detection_network("small", None)
    images = torch.from_numpy(picture(320, 320, 1)).permute(2, 0, 1)[None].float()
    features = [network.detector.extract_feat(images)[0] for network in (written, read, fresh)]
    assert torch.equal(features[0], features[1])
    assert not torch.equal(features[0], features[2])
    torch.save({"state_dict": {"backbone.stem.weight": torch.zeros(1)}}, path)
    with pytest.raises(WeightsError, match="missing"):
        detection_network("small", path)


def region_align_by_definition(
    features: Float[np.ndarray, "channels height width"], box: Float[np.ndarray, "4"], side: int, scale: float
) -> Float[np.ndarray, "channels side side"]:
    """One region, sample by sample."""
    height, width = features.shape[1:]
    x0, y0, x1, y1 = box * scale - 0.5
    across, down = (x1 - x0) / side, (y1 - y0) / side
    columns, rows = math.ceil(across), math.ceil(down)
    out = np.zeros((len(features), side, side))
    for row, column in np.ndindex(side, side):
        for i, j in np.ndindex(rows, columns):
            y = y0 + (row + (i + 0.5) / rows) * down
            x = x0 + (column + (j + 0.5) / columns) * across
            if not (-1 <= y <= height and -1 <= x <= width):
                continue
            y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
            top, left = int(y), int(x)
            low, right = min(top + 1, height - 1), min(left + 1, width - 1)
            b, a = y - top, x - left
            out[:, row, column] += (1 - b) * (
                (1 - a) * features[:, top, left] + a * features[:, top, right]
            ) + b * ((1 - a) * features[:, low, left] + a * features[:, low, right])
    return out / max(rows * columns, 1)


def test_regions_are_aligned_by_their_definition() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(2, 3, 12, 17)).astype(np.float32)
    low = random.uniform([-20, -20], [120, 80], (60, 2))
    regions = np.hstack([random.integers(0, 2, (60, 1)), low, low + random.uniform(1, 90, (60, 2))])
    regions[0, 3:] = regions[0, 1:3]  # a region of no size
    aligned = align_regions(torch.from_numpy(features), torch.from_numpy(regions).float(), 7, 0.125)
    for region, mine in zip(regions, aligned.numpy(), strict=True):
        expected = region_align_by_definition(features[int(region[0])], region[1:], 7, 0.125)
        np.testing.assert_allclose(mine, expected, atol=1e-4)


def test_a_ramp_is_read_where_the_parts_middles_are() -> None:
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(60.0), indexing="ij")
    region = torch.tensor([[0.0, 16.0, 8.0, 16 + 70.0, 8 + 35.0]])
    aligned = align_regions(torch.stack([x, y])[None], region, 7, 0.5)
    middles = torch.arange(7) + 0.5
    assert torch.allclose(aligned[0, 0, 3], 8 - 0.5 + 5 * middles, atol=1e-4)
    assert torch.allclose(aligned[0, 1, :, 3], 4 - 0.5 + 2.5 * middles, atol=1e-4)


def test_what_is_published_is_known_without_torch() -> None:
    code = "import sys, extractors.people.published; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
