"""RTMPose and DWPose, from an image's crop to the peaks of its points."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from extractors.openmmlab.networks import build_network, load_checkpoint, packaged_config
from extractors.wholebody import VERSION
from extractors.wholebody.onnx_network import OPSET, OnnxSimcc, export_simcc
from extractors.wholebody.published import NETWORKS
from extractors.wholebody.simcc import decode_simcc, unmirrored

_MEAN = (123.675, 116.28, 103.53)
_DEVIATION = (58.395, 57.12, 57.375)
"""Of ImageNet's red, green and blue, in [0, 255]."""

_RANDOM_SCORE = 0.8
"""What a random network's points are scored at, so that a dry run finds what it looks for, with the mirrored
crop's scores too."""


class Simcc(nn.Module):
    """mmpose's backbone and head: normalised crops in, the distributions over x and y out."""

    def __init__(self, estimator: Any) -> None:
        super().__init__()
        self.backbone: nn.Module = estimator.backbone
        self.head: Any = estimator.head

    def forward(
        self, images: Float[Tensor, "crops 3 height width"]
    ) -> tuple[Float[Tensor, "crops points columns"], Float[Tensor, "crops points rows"]]:
        """The head is run in float32: in bfloat16 the columns next to a peak would be as high as it."""
        features = self.backbone(images)
        with torch.autocast(images.device.type, enabled=False):
            return self.head(tuple(map(torch.Tensor.float, features)))


class WholebodyNetwork(nn.Module):
    """Crops in, the peaks of the 133 points out.

    flip_test: average with what is seen in the mirrored crop, as in the published accuracies; twice the work.
    compat_bgr: blue in red's place, which is how DWPose's own script and its many copies feed their network.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        simcc: nn.Module,
        input_size: tuple[int, int],
        *,
        flip_test: bool = False,
        compat_bgr: bool = False,
    ) -> None:
        super().__init__()
        self.simcc = simcc
        self.input_size = input_size
        self.flip_test = flip_test
        self.compat_bgr = compat_bgr
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(_DEVIATION)[:, None, None], persistent=False)

    def forward(self, images: Float[Tensor, "crops 3 height width"]) -> dict[str, Tensor]:
        """images are RGB in [0, 255]. `place` (crops, points, 2) is in pixels of the crop, `score` (crops,
        points) as `decode_simcc` gives it.
        """
        if self.compat_bgr:
            images = images.flip(1)
        images = (images - self.mean) / self.deviation
        x, y = self.simcc(images)
        if self.flip_test:
            mirrored_x, mirrored_y = unmirrored(*self.simcc(images.flip(-1)))
            x, y = (x + mirrored_x) * 0.5, (y + mirrored_y) * 0.5
        place, score = decode_simcc(x, y)
        return {"place": place, "score": score}


def simcc_network(name: str, weights: Path | None, seed: int = 0) -> Simcc:
    """A network of `published.NETWORKS` with the weights of mmpose's file; random ones without a file.

    Raises WeightsError for a file that cannot be read or belongs to another network.
    """
    published = NETWORKS[name]
    config = packaged_config("mmpose", published.config)
    config.merge_from_dict(dict(published.changes))
    estimator = build_network("mmpose", config, seed)
    if weights is not None:
        load_checkpoint(estimator, weights)
        return Simcc(estimator)
    network = Simcc(estimator)
    _bring_scores_into_range(network, published.input_size, seed)
    return network


def load_wholebody(
    name: str,
    weights: Path | None,
    *,
    flip_test: bool = False,
    compat_bgr: bool = False,
    device: str = "cpu",
    onnx_folder: Path | None = None,
) -> WholebodyNetwork:
    """A network of `published.NETWORKS`, ready for `WholebodyEstimator`.

    weights: mmpose's .pth, or an .onnx of the same network, which is run by ONNX Runtime; None for random
    ones. onnx_folder: run by ONNX Runtime what would be run by PyTorch; the exported file is kept there, and
    used the next time for the same weights.

    Raises WeightsError for a file that cannot be read or belongs to another network.
    """
    size = NETWORKS[name].input_size
    settings = {"flip_test": flip_test, "compat_bgr": compat_bgr}
    if weights is not None and weights.suffix == ".onnx":
        return WholebodyNetwork(OnnxSimcc(weights, size, device), size, **settings)
    network = simcc_network(name, weights)
    if onnx_folder is None:
        return WholebodyNetwork(network, size, **settings)
    exported = onnx_folder / f"{name}-{_digest(network)}.onnx"
    if not exported.exists():
        export_simcc(network, size, exported)
    return WholebodyNetwork(OnnxSimcc(exported, size, device), size, **settings)


def _digest(network: nn.Module) -> str:
    """Of all that an exported file is made from: the weights, this code and the exporter."""
    digest = hashlib.sha256(f"{VERSION} {OPSET} {torch.__version__}".encode())
    for name, weight in network.state_dict().items():
        digest.update(f"{name} {tuple(weight.shape)}".encode())
        digest.update(weight.numpy().tobytes())
    return digest.hexdigest()[:16]


def _bring_scores_into_range(network: Simcc, input_size: tuple[int, int], seed: int) -> None:
    """Scale the last two layers so that the points of an image of noise are scored at _RANDOM_SCORE; as they
    are drawn, at a hundred thousandth.
    """
    width, height = input_size
    noise = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        _, score = decode_simcc(*network(noise))
    factor = _RANDOM_SCORE / float(score.median())
    for layer in (network.head.cls_x, network.head.cls_y):
        layer.weight.mul_(factor)
