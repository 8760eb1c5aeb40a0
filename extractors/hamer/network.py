"""HaMeR's network (arXiv:2312.05251, section 3): a vision transformer, and a decoder with one query whose
answer is the hand's pose, shape and camera.

Names of parameters are those of the released weights. Dimension names: b hands, c channels, n tokens,
m patches of the image.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from extractors.rotations import columns_to_matrix
from extractors.vision_transformer import VisionTransformer
from extractors.weights.checkpoint import load_state, read_checkpoint
from extractors.weights.errors import WeightsError

HamerSize = Literal["full", "small"]

_TRANSFORMERS = {
    "full": {"embed_dim": 1280, "depth": 32, "heads": 16},
    "small": {"embed_dim": 64, "depth": 2, "heads": 4},
}

SIDE = 256
"""Of the square crop, in pixels. The network looks at its middle columns."""

_LEFT_OUT = 32
"""Columns at either side that the network does not look at."""

_JOINTS, _SHAPES = 16, 10

_LAYERS, _WIDTH, _HEADS, _HEAD_WIDTH = 6, 1024, 8, 64

_INITIAL_CAMERA = (0.9, 0.0, 0.0)
"""Of the released mean parameters; pose and shape there are of a mean hand, here of the flat one."""

_OTHERS = re.compile(r"mano\.|discriminator\.|initialized$")
"""Names in the published file that are not of the network: a hand model, and what trained the network."""


class Hamer(nn.Module):
    """The network of the released weights (`full`), or one of the same parts that is quick (`small`)."""

    def __init__(self, size: HamerSize) -> None:
        super().__init__()
        self.backbone = VisionTransformer(**_TRANSFORMERS[size])
        self.mano_head = _ManoHead(_TRANSFORMERS[size]["embed_dim"])

    def forward(self, images: Float[Tensor, "b 3 256 256"]) -> dict[str, Tensor]:
        """Of crops (`crop.hand_crop`) of right hands, or of mirrored left ones.

        Gives matrices global_orient (b, 1, 3, 3) and hand_pose (b, 15, 3, 3) from the flat hand, betas
        (b, 10), and pred_cam (b, 3): a scale, and the hand's place x, y in metres from the crop's axis.
        """
        features, _ = self.backbone(images[..., _LEFT_OUT:-_LEFT_OUT])
        pose, betas, camera = self.mano_head(features.flatten(2).mT)
        turns = columns_to_matrix(pose.reshape(-1, _JOINTS, 6))
        return {"global_orient": turns[:, :1], "hand_pose": turns[:, 1:], "betas": betas, "pred_cam": camera}


def random_hamer(size: HamerSize, seed: int = 0) -> Hamer:
    """A network never trained, one for each seed: it sees hands nearly flat, in the crop's middle."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Hamer(size)


def load_hamer(path: Path, size: HamerSize = "full") -> Hamer:
    """The network with the weights of the published `hamer.ckpt`.

    The rest of that file, which trains the network or is a hand model, is left out. Raises WeightsError for
    a file that cannot be read or holds weights of another network.
    """
    state = read_checkpoint(path).get("state_dict")
    if not isinstance(state, Mapping):
        raise WeightsError(f"{path}: has no state_dict: give HaMeR's own file, hamer.ckpt.")
    # Memory for the weights, but no random numbers in it: they take longer than reading the file.
    with torch.device("meta"):
        network = Hamer(size)
    network = network.to_empty(device="cpu")
    load_state(
        network, {name: weight for name, weight in state.items() if not _OTHERS.match(str(name))}, path
    )
    return network


class _ManoHead(nn.Module):
    init_hand_pose: Tensor
    init_betas: Tensor
    init_cam: Tensor

    def __init__(self, context_width: int) -> None:
        super().__init__()
        self.transformer = _QueryDecoder(context_width)
        self.decpose = _near_zero(6 * _JOINTS)
        self.decshape = _near_zero(_SHAPES)
        self.deccam = _near_zero(3)
        self.register_buffer("init_hand_pose", torch.eye(3)[:2].flatten().repeat(_JOINTS)[None])
        self.register_buffer("init_betas", torch.zeros(1, _SHAPES))
        self.register_buffer("init_cam", torch.tensor([_INITIAL_CAMERA]))

    def forward(self, context: Float[Tensor, "b m c"]) -> tuple[Tensor, Tensor, Tensor]:
        """Six numbers for each joint's rotation, shape, and camera, each as a change of its initial value."""
        token = self.transformer(context)
        return (
            self.decpose(token) + self.init_hand_pose,
            self.decshape(token) + self.init_betas,
            self.deccam(token) + self.init_cam,
        )


class _QueryDecoder(nn.Module):
    """One learned query that asks the image: what it is at first is an embedded zero, so its bias."""

    def __init__(self, context_width: int) -> None:
        super().__init__()
        self.to_token_embedding = nn.Linear(1, _WIDTH)
        self.pos_embedding = nn.Parameter(torch.randn(1, 1, _WIDTH))
        self.transformer = _Layers(context_width)

    def forward(self, context: Float[Tensor, "b m c"]) -> Float[Tensor, "b 1024"]:
        query = self.to_token_embedding(context.new_zeros(len(context), 1, 1)) + self.pos_embedding
        token: Tensor = self.transformer(query, context)
        return token.squeeze(1)


class _Layers(nn.Module):
    def __init__(self, context_width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(context_width) for _ in range(_LAYERS))

    def forward(
        self, tokens: Float[Tensor, "b n 1024"], context: Float[Tensor, "b m c"]
    ) -> Float[Tensor, "b n 1024"]:
        for layer in self.layers:
            tokens = layer(tokens, context)
        return tokens


class _Layer(nn.ModuleList):
    """Tokens look at each other, then at the image. The released weights number the parts."""

    def __init__(self, context_width: int) -> None:
        super().__init__(
            [_Normed(_SelfAttention()), _Normed(_CrossAttention(context_width)), _Normed(_FeedForward())]
        )

    def forward(
        self, tokens: Float[Tensor, "b n 1024"], context: Float[Tensor, "b m c"]
    ) -> Float[Tensor, "b n 1024"]:
        tokens = tokens + self[0](tokens)
        tokens = tokens + self[1](tokens, context)
        result: Tensor = tokens + self[2](tokens)
        return result


class _Normed(nn.Module):
    """A part that sees its tokens normalised."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(_WIDTH)
        self.fn = part

    def forward(self, tokens: Float[Tensor, "b n 1024"], *context: Tensor) -> Float[Tensor, "b n 1024"]:
        result: Tensor = self.fn(self.norm(tokens), *context)
        return result


class _SelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.to_qkv = nn.Linear(_WIDTH, 3 * _HEADS * _HEAD_WIDTH, bias=False)
        self.to_out = nn.Sequential(nn.Linear(_HEADS * _HEAD_WIDTH, _WIDTH))

    def forward(self, tokens: Float[Tensor, "b n 1024"]) -> Float[Tensor, "b n 1024"]:
        result: Tensor = self.to_out(_attended(*self.to_qkv(tokens).chunk(3, dim=-1)))
        return result


class _CrossAttention(nn.Module):
    def __init__(self, context_width: int) -> None:
        super().__init__()
        self.to_kv = nn.Linear(context_width, 2 * _HEADS * _HEAD_WIDTH, bias=False)
        self.to_q = nn.Linear(_WIDTH, _HEADS * _HEAD_WIDTH, bias=False)
        self.to_out = nn.Sequential(nn.Linear(_HEADS * _HEAD_WIDTH, _WIDTH))

    def forward(
        self, tokens: Float[Tensor, "b n 1024"], context: Float[Tensor, "b m c"]
    ) -> Float[Tensor, "b n 1024"]:
        result: Tensor = self.to_out(_attended(self.to_q(tokens), *self.to_kv(context).chunk(2, dim=-1)))
        return result


class _FeedForward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        # The third part drops tokens out in training; it is here for the numbering of the released weights.
        self.net = nn.Sequential(
            nn.Linear(_WIDTH, _WIDTH), nn.GELU(), nn.Identity(), nn.Linear(_WIDTH, _WIDTH)
        )

    def forward(self, tokens: Float[Tensor, "b n 1024"]) -> Float[Tensor, "b n 1024"]:
        result: Tensor = self.net(tokens)
        return result


def _attended(
    query: Float[Tensor, "b n 512"], key: Float[Tensor, "b m 512"], value: Float[Tensor, "b m 512"]
) -> Float[Tensor, "b n 512"]:
    query, key, value = (
        tensor.reshape(*tensor.shape[:2], _HEADS, _HEAD_WIDTH).transpose(1, 2)
        for tensor in (query, key, value)
    )
    return functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)


def _near_zero(outputs: int) -> nn.Linear:
    layer = nn.Linear(_WIDTH, outputs)
    nn.init.xavier_uniform_(layer.weight, gain=0.01)
    return layer
