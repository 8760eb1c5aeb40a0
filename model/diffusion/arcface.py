"""ArcFace's network (Deng et al., CVPR 2019, section 3.1: a ResNet of improved units, then BN, dropout, FC
and BN): what HIA's face identity loss looks at faces with.

Its weights have the names of those published for PyTorch by InsightFace
(https://github.com/deepinsight/insightface, recognition/arcface_torch), so that such a file loads as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from extractors.weights.checkpoint import load_state
from extractors.weights.errors import WeightsError
from model.unet.weight_files import read_state

INPUT_SIDE = 112
"""Pixels of the aligned face, in both directions."""

EMBEDDING_SIZE = 512

BLOCKS: Mapping[int, tuple[int, int, int, int]] = MappingProxyType(
    {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}
)
"""Blocks in each layer of the published depths."""

_WIDTHS = (64, 128, 256, 512)


class Block(nn.Module):
    """BN, convolution, BN, PReLU, convolution, BN, added to the input. With stride 2 the second convolution
    halves the image, and a 1x1 convolution and BN bring the input to the same shape."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.prelu = nn.PReLU(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.downsample = None
        if stride != 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(
        self, features: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch width height_out width_out"]:
        inner = self.prelu(self.bn2(self.conv1(self.bn1(features))))
        kept = features if self.downsample is None else self.downsample(features)
        return self.bn3(self.conv2(inner)) + kept


class IResNet(nn.Module):
    """Embeddings of aligned faces. Raises ValueError for a depth that is not in `BLOCKS`.

    The published network has dropout before `fc`, which has no weights and does nothing once trained. The
    scale of `features`, the last BN, is 1 and was never trained.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        if depth not in BLOCKS:
            raise ValueError(f"no ArcFace network of depth {depth} is known: choose from {[*BLOCKS]}")
        self.conv1 = nn.Conv2d(3, _WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTHS[0])
        self.prelu = nn.PReLU(_WIDTHS[0])
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            _layer(channels, width, blocks)
            for channels, width, blocks in zip((_WIDTHS[0], *_WIDTHS), _WIDTHS, BLOCKS[depth], strict=False)
        )
        self.bn2 = nn.BatchNorm2d(_WIDTHS[-1])
        # Each of the four layers halves the image.
        self.fc = nn.Linear(_WIDTHS[-1] * (INPUT_SIDE // 16) ** 2, EMBEDDING_SIZE)
        self.features = nn.BatchNorm1d(EMBEDDING_SIZE)

    def forward(self, faces: Float[Tensor, "batch 3 112 112"]) -> Float[Tensor, "batch 512"]:
        """Embeddings of any length of faces in RGB, in [-1, 1], aligned by `face_identity.aligned_faces`."""
        maps = self.prelu(self.bn1(self.conv1(faces)))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            maps = layer(maps)
        return self.features(self.fc(self.bn2(maps).flatten(1)))


def load_arcface(path: Path) -> IResNet:
    """The network with the weights of the file, of the depth that its names tell; frozen and in `eval`.

    Raises WeightsError where the file cannot be read, or is not of a network of `BLOCKS`.
    """
    state = read_state(path)
    network = IResNet(_depth(state, path))
    load_state(network, state, path)
    return network.requires_grad_(False).eval()


def _layer(channels: int, width: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(Block(channels, width, 2), *(Block(width, width, 1) for _ in range(blocks - 1)))


def _depth(state: Mapping[str, Any], path: Path) -> int:
    found = tuple(
        sum(name.startswith(f"layer{layer}.") and name.endswith(".conv1.weight") for name in state)
        for layer in range(1, 5)
    )
    for depth, blocks in BLOCKS.items():
        if found == blocks:
            return depth
    known = ", ".join(f"{blocks} of depth {depth}" for depth, blocks in BLOCKS.items())
    raise WeightsError(
        f"{path}: has {found} blocks in layers 1 to 4, as no ArcFace network known here ({known}): give the "
        "backbone.pth of InsightFace's arcface_torch."
    )
