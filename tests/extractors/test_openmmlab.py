"""mmpose's and mmdet's networks without compiled operators: what is served instead, and how they are made."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from jaxtyping import Float

from extractors.openmmlab.environment import prepare
from extractors.openmmlab.networks import build_network, load_checkpoint, packaged_config
from extractors.openmmlab.suppression import suppressed_nms
from extractors.weights.errors import WeightsError

_ROOT = Path(__file__).resolve().parents[2]
_CONFIG = "configs/wholebody_2d_keypoint/rtmpose/ubody/rtmpose-t_8xb64-270e_coco-ubody-wholebody-256x192.py"


def _one_by_one(
    boxes: Float[np.ndarray, "boxes 4"], scores: Float[np.ndarray, "boxes"], threshold: float, offset: int
) -> list[int]:
    """Non-maximum suppression as it is defined."""
    kept: list[int] = []
    for number in np.argsort(-scores, kind="stable"):
        x0, y0, x1, y1 = boxes[number]
        for other in kept:
            a0, b0, a1, b1 = boxes[other]
            wide = np.float32(min(x1, a1) - max(x0, a0) + offset)
            high = np.float32(min(y1, b1) - max(y0, b0) + offset)
            shared = max(wide, np.float32(0)) * max(high, np.float32(0))
            areas = (x1 - x0 + offset) * (y1 - y0 + offset), (a1 - a0 + offset) * (b1 - b0 + offset)
            if shared > 0 and shared / (areas[0] + areas[1] - shared) > np.float32(threshold):
                break
        else:
            kept.append(int(number))
    return kept


@settings(max_examples=60, deadline=None)
@given(
    corners=arrays(np.int16, st.tuples(st.integers(0, 40), st.just(4)), elements=st.integers(0, 12)),
    seed=st.integers(0, 99),
    threshold=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    offset=st.sampled_from([0, 1]),
)
def test_nms_drops_what_overlaps_a_kept_box_of_a_higher_score(
    corners: np.ndarray, seed: int, threshold: float, offset: int
) -> None:
    boxes = np.concatenate(
        [np.minimum(corners[:, :2], corners[:, 2:]), np.maximum(corners[:, :2], corners[:, 2:])], axis=1
    ).astype(np.float32)
    scores = np.random.default_rng(seed).integers(0, 5, len(boxes)).astype(np.float32)
    kept = suppressed_nms(torch.from_numpy(boxes), torch.from_numpy(scores), threshold, offset)
    assert kept.tolist() == _one_by_one(boxes, scores, threshold, offset)


def test_nms_of_many_boxes_is_that_of_a_few() -> None:
    random = np.random.default_rng(0)
    corner = random.uniform(0, 400, (400, 2))
    boxes = np.concatenate([corner, corner + random.uniform(5, 40, (400, 2))], axis=1).astype(np.float32)
    scores = random.random(400).astype(np.float32)
    kept = suppressed_nms(torch.from_numpy(boxes), torch.from_numpy(scores), 0.4)
    assert kept.tolist() == _one_by_one(boxes, scores, 0.4, 0)
    assert 256 < len(kept) < 390


def test_packages_are_quiet_and_name_the_operator_that_is_missing() -> None:
    _run_alone(
        """
        from extractors.openmmlab.environment import prepare, provide_operator
        prepare()
        prepare()
        import mmcv.ops, torchvision, torch, importlib.util
        boxes = torch.tensor([[0, 0, 2, 2], [0, 0, 2, 2.1], [5, 5, 6, 6]])
        scores = torch.tensor([0.5, 1, 0.7])
        assert torch.ops.torchvision.nms(boxes, scores, 0.5).tolist() == [1, 2]
        assert mmcv.ops.nms(boxes, scores, 0.5)[1].tolist() == [1, 2]
        if importlib.util.find_spec("mmcv._ext").origin.endswith("environment.py"):
            try:
                mmcv.ops.roi_align(torch.zeros(1, 1, 8, 8), torch.zeros(1, 5), (2, 2))
            except NotImplementedError as error:
                assert "roi_align_forward" in str(error)
            else:
                raise AssertionError("was run")
            provide_operator("roi_align_forward", lambda image, places, output, *_, **__: output.fill_(7))
            assert mmcv.ops.roi_align(torch.zeros(1, 1, 8, 8), torch.zeros(1, 5), (2, 2)).max() == 7
        from tests.extractors.test_openmmlab import _estimator
        _estimator(0).backbone(torch.zeros(1, 3, 64, 64))
        """
    )


def test_compiled_operators_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare()
    import mmcv

    compiled = tmp_path / "_ext.py"
    compiled.touch()
    monkeypatch.setattr(mmcv, "__path__", [*mmcv.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "mmcv._ext", raising=False)
    spec = importlib.util.find_spec("mmcv._ext")
    assert spec is not None and spec.origin == str(compiled)


def _run_alone(program: str) -> None:
    """In a Python of its own, which must say nothing."""
    lines = "\n".join(line.removeprefix(" " * 8) for line in program.splitlines())
    run = subprocess.run([sys.executable, "-c", lines], cwd=_ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stdout + run.stderr) == (0, "")


def _estimator(seed: int) -> Any:
    config = packaged_config("mmpose", _CONFIG)
    config.merge_from_dict({"model.backbone.widen_factor": 0.0625, "model.head.in_channels": 64})
    return build_network("mmpose", config, seed)


def test_random_weights_are_the_same_for_the_same_seed_without_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was to be downloaded")

    monkeypatch.setattr(socket, "socket", refuse)
    state = torch.random.get_rng_state()
    first, again, other = (_estimator(seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["head.cls_x.weight"], other["head.cls_x.weight"])


def test_a_checkpoint_gives_all_weights_or_says_which_do_not_fit(tmp_path: Path) -> None:
    network, other = _estimator(0), _estimator(1)
    path = tmp_path / "published.pth"
    beside = {"data_preprocessor.mean": torch.zeros(3, 1, 1), "ema_head_cls_x_weight": torch.zeros(2)}
    torch.save({"meta": {"epoch": 270}, "state_dict": {**other.state_dict(), **beside}}, path)
    load_checkpoint(network, path)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in network.state_dict().items())

    state = other.state_dict()
    state["head.cls_z.weight"] = state.pop("head.cls_x.weight")
    torch.save({"state_dict": state}, path)
    with pytest.raises(WeightsError, match=r"(?s)published\.pth.*cls_x.*cls_z"):
        load_checkpoint(network, path)
    torch.save({"state_dict": [1, 2]}, path)
    with pytest.raises(WeightsError, match="no state_dict"):
        load_checkpoint(network, path)
