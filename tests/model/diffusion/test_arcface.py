"""ArcFace's network: the published names and sizes, the published order of operations, and files."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from extractors.weights.errors import WeightsError
from model.diffusion.arcface import BLOCKS, IResNet, load_arcface


def on_meta(depth: int) -> IResNet:
    with torch.device("meta"):
        return IResNet(depth)


@pytest.fixture(scope="module")
def trained() -> IResNet:
    """A network of depth 18 whose normalisations do something, as a trained one's do."""
    torch.manual_seed(0)
    network = IResNet(18).requires_grad_(False).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(0, 0.1)
    network.features.weight.fill_(1)
    return network


NORM = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}


def published_keys(blocks: tuple[int, ...]) -> set[str]:
    """The names in arcface_torch's backbone.pth, from its description of the network."""
    convolutions, scales = {"conv1"}, {"prelu"}
    norms = {"bn1", "bn2", "features"}
    for layer, count in enumerate(blocks, start=1):
        for block in range(count):
            here = f"layer{layer}.{block}"
            convolutions |= {f"{here}.conv1", f"{here}.conv2"}
            scales |= {f"{here}.prelu"}
            norms |= {f"{here}.bn1", f"{here}.bn2", f"{here}.bn3"}
        convolutions |= {f"layer{layer}.0.downsample.0"}
        norms |= {f"layer{layer}.0.downsample.1"}
    return {
        *(f"{name}.weight" for name in convolutions | scales | {"fc"}),
        "fc.bias",
        *(f"{name}.{kind}" for name in norms for kind in NORM),
    }


@pytest.mark.parametrize("depth", BLOCKS)
def test_names_are_those_of_the_published_weights(depth: int) -> None:
    assert set(on_meta(depth).state_dict()) == published_keys(BLOCKS[depth])


def test_names_of_depth_50_are_as_many_as_published() -> None:
    counts = Counter(re.split(r"\.", name)[0] for name in on_meta(50).state_dict())
    # A block has 3 norms of 5 tensors, 2 convolutions, 1 PReLU; each layer's first block 6 more.
    assert counts == {
        **{"conv1": 1, "bn1": 5, "prelu": 1, "bn2": 5, "fc": 2, "features": 5},
        **{"layer1": 3 * 18 + 6, "layer2": 4 * 18 + 6, "layer3": 14 * 18 + 6, "layer4": 3 * 18 + 6},
    }


def test_shapes_are_those_of_the_published_weights() -> None:
    shapes = {name: tuple(weight.shape) for name, weight in on_meta(100).state_dict().items()}
    assert shapes["conv1.weight"] == (64, 3, 3, 3)
    assert shapes["layer1.0.downsample.0.weight"] == (64, 64, 1, 1)
    assert shapes["layer2.0.bn1.weight"] == (64,)
    assert shapes["layer2.0.conv1.weight"] == (128, 64, 3, 3)
    assert shapes["layer3.29.conv2.weight"] == (256, 256, 3, 3)
    assert shapes["layer4.0.prelu.weight"] == (512,)
    assert shapes["bn2.running_var"] == (512,)
    assert shapes["fc.weight"] == (512, 512 * 7 * 7)
    assert shapes["features.running_mean"] == (512,)


@pytest.mark.parametrize(
    ("depth", "published_bytes"),
    [
        (50, 174_383_860),  # w600k_r50.onnx of InsightFace's buffalo_l
        (100, 260_665_334),  # glintr100.onnx of its antelopev2
    ],
)
def test_numbers_are_as_many_as_in_the_published_files(depth: int, published_bytes: int) -> None:
    network = on_meta(depth)
    # The export to ONNX makes of a convolution and the norm behind it one convolution with a bias; norms that
    # come before a convolution, and the last, keep their four tensors.
    numbers = 0
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            numbers += module.weight.numel() + module.out_channels
        elif isinstance(module, nn.PReLU | nn.Linear):
            numbers += sum(weight.numel() for weight in module.parameters())
        elif re.fullmatch(r"layer.*\.bn1|bn2|features", name):
            numbers += 4 * module.weight.numel()
    graph = published_bytes - 4 * numbers
    # What else is in the file: names and attributes of its nodes, about 7 in each block.
    assert 30 < graph / (7 * sum(BLOCKS[depth])) < 200


def published_forward(weights: dict[str, Tensor], blocks: tuple[int, ...], faces: Tensor) -> Tensor:
    """arcface_torch's order of operations, on the published names."""

    def norm(x: Tensor, name: str) -> Tensor:
        kinds = ("running_mean", "running_var", "weight", "bias")
        mean, variance, scale, shift = (
            weights[f"{name}.{kind}"].reshape(1, -1, *[1] * (x.ndim - 2)) for kind in kinds
        )
        return (x - mean) / (variance + 1e-5) ** 0.5 * scale + shift

    def convolve(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = weights[f"{name}.weight"]
        return functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    def bend(x: Tensor, name: str) -> Tensor:
        return torch.where(x > 0, x, x * weights[f"{name}.weight"][:, None, None])

    x = bend(norm(convolve(faces, "conv1"), "bn1"), "prelu")
    for layer, count in enumerate(blocks, start=1):
        for block in range(count):
            here, stride = f"layer{layer}.{block}", 2 if block == 0 else 1
            inner = convolve(norm(x, f"{here}.bn1"), f"{here}.conv1")
            inner = convolve(bend(norm(inner, f"{here}.bn2"), f"{here}.prelu"), f"{here}.conv2", stride)
            if block == 0:
                x = norm(convolve(x, f"{here}.downsample.0", 2), f"{here}.downsample.1")
            x = norm(inner, f"{here}.bn3") + x
    x = norm(x, "bn2").reshape(len(x), 512 * 7 * 7)
    return norm(x @ weights["fc.weight"].T + weights["fc.bias"], "features")


def test_embeddings_are_those_of_the_published_order_of_operations(trained: IResNet) -> None:
    faces = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(0)) * 2 - 1
    embeddings = trained(faces)
    assert embeddings.shape == (2, 512)
    expected = published_forward(trained.state_dict(), (2, 2, 2, 2), faces)
    torch.testing.assert_close(embeddings, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_published_file_gives_a_frozen_network_of_its_depth(
    trained: IResNet, tmp_path: Path, prefix: str
) -> None:
    path = tmp_path / "backbone.pth"
    torch.save({prefix + name: weight for name, weight in trained.state_dict().items()}, path)
    loaded = load_arcface(path)
    assert not loaded.training
    assert not any(weight.requires_grad for weight in loaded.parameters())
    expected = trained.state_dict()
    assert all(torch.equal(weight, expected[name]) for name, weight in loaded.state_dict().items())


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"layer1.0.conv1.weight": torch.zeros(64, 64, 1, 1)}, path)
    with pytest.raises(WeightsError, match=r"other\.pth: has \(1, 0, 0, 0\) blocks .*backbone\.pth"):
        load_arcface(path)


def test_a_file_that_lacks_a_weight_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "backbone.pth"
    names = on_meta(18).state_dict().keys() - {"fc.bias"}
    torch.save({name: torch.zeros(1) for name in names}, path)
    with pytest.raises(WeightsError, match=r"1 missing \(fc\.bias\)"):
        load_arcface(path)


def test_an_unknown_depth_is_refused() -> None:
    with pytest.raises(ValueError, match=r"depth 51 is known: choose from \[18, 34, 50, 100\]"):
        on_meta(51)
