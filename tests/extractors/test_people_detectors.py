"""Detectors of people: they find what mmdet's own inference finds, in batches, and nobody where nobody is."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
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
from extractors.openmmlab.environment import provide_operator
from extractors.openmmlab.networks import build_network, packaged_config
from extractors.people.detectors import PersonDetector
from extractors.people.networks import DetectionNetwork, detection_network
from extractors.people.published import NETWORKS
from extractors.people.region_align import align_regions, roi_align_forward
from extractors.people.tracks import People
from extractors.weights.errors import WeightsError

FEW_CLASSES = {"model.roi_head.bbox_head.num_classes": 3}
"""So that what a random network takes things for is people, often enough."""

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
        "model.neck.out_channels": 32,
        "model.rpn_head.in_channels": 32,
        "model.rpn_head.feat_channels": 32,
        "model.roi_head.bbox_roi_extractor.out_channels": 32,
        "model.roi_head.bbox_head.in_channels": 32,
        "model.roi_head.bbox_head.fc_out_channels": 32,
        **FEW_CLASSES,
        "model.test_cfg.rpn.nms_pre": 100,
        "model.test_cfg.rpn.max_per_img": 100,
        "test_dataloader.dataset.pipeline.1.scale": (256, 160),
    },
}
"""The published configurations made cheap; how images are prepared and boxes chosen is left as it is."""


SCORE = 0.3

LAST_LAYERS = {
    "rtm_cls": (-8.0, 3.0),
    "rtm_reg": (1.0, 0.3),
    "conv_cls": (1.0, 3.0),
    "conv_obj": (0.0, 2.0),
    "conv_reg": (1.0, 0.3),
    "rpn_cls": (-3.0, 3.0),
    "rpn_reg": (0.0, 0.3),
    "fc_cls": (0.0, 4.0),
    "fc_reg": (0.0, 1.0),
}
"""The mean of what each is to give, and how far it is to be spread."""


def detector_of(name: str, changes: Mapping[str, object], pictures: int = 8) -> Any:
    """mmdet's detector with random weights that finds many things in such pictures: an untrained one scores
    everything the same.
    """
    published = NETWORKS[name]
    config = packaged_config(published.package, published.config)
    config.merge_from_dict(dict(changes))
    provide_operator("roi_align_forward", roi_align_forward)
    detector: Any = build_network("mmdet", config)
    hooks = []
    for key, layer in detector.named_modules():
        name = re.sub(r"\.\d+$", "", key).rpartition(".")[2].removeprefix("multi_level_")
        if name in LAST_LAYERS and hasattr(layer, "weight"):
            hooks.append(layer.register_forward_hook(partial(spread_out, *LAST_LAYERS[name])))
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.momentum = 1.0  # it takes what it sees for what it always sees
    network = DetectionNetwork(detector, config, 1.0).train()
    long, short = network.largest
    seen = np.stack([picture(short, long, seed) for seed in range(90, 90 + pictures)])
    with torch.no_grad():
        network(torch.from_numpy(seen).permute(0, 3, 1, 2).float())
    for hook in hooks:
        hook.remove()
    detector.cfg = config
    return detector.eval()


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Where others compute too, threads that wait for each other take many times as long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=SMALLER)
def detector(request: pytest.FixtureRequest) -> Any:
    return detector_of(request.param, SMALLER[request.param])


def spread_out(mean: float, spread: float, layer: Any, _: object, output: torch.Tensor) -> torch.Tensor:
    """Change the layer so that for this input every channel has the mean, and all have the spread."""
    axes = [axis for axis in range(output.ndim) if axis != 1]
    was, factor = output.mean(axes), spread / output.std()
    layer.weight.mul_(factor)
    layer.bias.sub_(was).mul_(factor).add_(mean)
    shape = [-1 if axis == 1 else 1 for axis in range(output.ndim)]
    return (output - was.reshape(shape)) * factor + mean


def picture(height: int, width: int, seed: int) -> UInt8[np.ndarray, "height width 3"]:
    """RGB, with finer and coarser grains of every colour, and more red than blue."""
    random = np.random.default_rng(seed)
    image = np.full((height, width, 3), [150.0, 120.0, 90.0])
    for grain in (1.0, 3.0):
        grains = cv2.GaussianBlur(random.normal(size=image.shape), None, grain)
        image += grains * (30 / grains.std())
    return np.clip(image, 0, 255).astype(np.uint8)


def found_by_mmdet(
    detector: nn.Module, image: UInt8[np.ndarray, "height width 3"], score_above: float
) -> People:
    from mmdet.apis import inference_detector
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope("mmdet"):
        found = inference_detector(detector, cv2.cvtColor(image, cv2.COLOR_RGB2BGR)).pred_instances
    people = found[(found.labels == 0) & (found.scores > score_above)]
    return People(people.bboxes.numpy(), people.scores.numpy())


def distances(ones: People, others: People) -> Float[np.ndarray, "pairs"]:
    """Of each of the fewer to another of the more, in pixels and hundredths of a score, in whatever order:
    cells beside the image see the same grey, so that boxes there have equal scores.
    """
    assert (np.diff(ones.scores) <= 0).all()
    rows, columns = (np.column_stack([one.boxes, one.scores * 100]) for one in (ones, others))
    distance = np.abs(rows[:, None] - columns).max(axis=2)
    return distance[linear_sum_assignment(distance)]


def assert_finds_what_mmdet_finds(detector: Any, sizes: list[tuple[int, int]]) -> None:
    network = DetectionNetwork(detector, detector.cfg, SCORE)
    mine = PersonDetector(network, Running(batch=1))
    seen = 0
    for seed, size in enumerate(sizes):
        image = picture(*size, seed)
        (people,) = mine.detect([image])
        expected = found_by_mmdet(detector, image, SCORE)
        assert people.boxes.shape == expected.boxes.shape
        assert distances(people, expected).max(initial=0) < 1e-2
        seen += len(people.scores)
    assert seen > 10


def test_finds_what_mmdets_own_inference_finds(detector: Any) -> None:
    assert_finds_what_mmdet_finds(detector, [(96, 160), (250, 141), (480, 360)])


@pytest.mark.large
@pytest.mark.parametrize("name", SMALLER)
def test_finds_what_mmdets_own_inference_finds_at_the_published_sizes(name: str) -> None:
    changes = FEW_CLASSES if name == "faster-rcnn" else {}
    detector = detector_of(name, changes, pictures=1)
    long, short = DetectionNetwork(detector, detector.cfg, SCORE).largest
    assert_finds_what_mmdet_finds(detector, [(short, long)])


def test_what_is_found_hangs_on_the_image_alone(detector: Any) -> None:
    """But for rounding, by which one of two boxes that overlap by the limit may be dropped or not."""
    images = [picture(480, 360, seed) for seed in range(5)]
    counts, found = [], []
    for batch in (1, 3):
        network = DetectionNetwork(detector, detector.cfg, SCORE)
        people = PersonDetector(network, Running(batch=batch))
        found.append(people.detect(images))
        counts.append((people.batched.count.batches, people.batched.count.inputs))
    assert counts == [(5, 5), (2, 5)]
    assert len({len(people.scores) for people in found[0]}) > 1
    pairs = list(zip(*found, strict=True))
    assert sum(abs(len(alone.scores) - len(together.scores)) for alone, together in pairs) <= 2
    apart = np.concatenate([distances(alone, together) for alone, together in pairs])
    assert np.quantile(apart, 0.9) < 1e-2


def test_boxes_are_exact_in_lower_precision() -> None:
    """It is the features' alone: in bfloat16 a box's edges would go in steps of some pixels."""
    detector = detector_of("rtmdet-m", SMALLER["rtmdet-m"])
    network = DetectionNetwork(detector, detector.cfg, SCORE)
    people = PersonDetector(network, Running(precision="bfloat16"))
    (found,) = people.detect([picture(256, 256, 0)])
    boxes = torch.from_numpy(found.boxes)
    assert len(boxes) > 10
    assert (boxes.bfloat16().float() == boxes).float().mean() < 0.5


def test_nobody_is_nobody() -> None:
    people = PersonDetector(detection_network("small", None), Running(batch=4))
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
