"""The plain vision transformer that HaMeR and SMPLer-X look at a person with (ViTPose, arXiv:2204.12484,
section 3): a crop in, a map of features and the task tokens (SMPLer-X, arXiv:2309.17448, section 4) out.

Names of parameters are those of the released weights. Dimension names: b images, c channels (embed_dim),
t task tokens, n tokens in all: task tokens, then the 16 rows of 12 patches.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

HEIGHT, WIDTH = 256, 192
"""Size of the image, in pixels."""

ROWS, COLUMNS = 16, 12
"""Size of the map of features: one for every patch of 16 x 16 pixels."""

_PATCH = 16
_PADDING = 2
"""Patches begin this many pixels before the image, as in the released networks."""

_EPSILON = 1e-6


class VisionTransformer(nn.Module):
    """`depth` blocks of self-attention of `heads` heads over patches and `task_tokens` learned tokens."""

    def __init__(
        self, embed_dim: int, depth: int, heads: int, mlp_ratio: float = 4.0, task_tokens: int = 0
    ) -> None:
        super().__init__()
        if task_tokens:
            self.task_tokens = nn.Parameter(torch.zeros(1, task_tokens, embed_dim))
        else:
            self.register_parameter("task_tokens", None)
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + ROWS * COLUMNS, embed_dim))
        self.patch_embed = _PatchEmbedding(embed_dim)
        self.blocks = nn.ModuleList(_Block(embed_dim, heads, mlp_ratio) for _ in range(depth))
        self.last_norm = nn.LayerNorm(embed_dim, eps=_EPSILON)

    def forward(
        self, images: Float[Tensor, "b 3 256 192"]
    ) -> tuple[Float[Tensor, "b c 16 12"], Float[Tensor, "b t c"]]:
        """Features of every patch, and the task tokens.

        The first position belongs to a class token that these networks do not have; it is added to all.
        """
        patches = self.patch_embed(images) + self.pos_embed[:, 1:] + self.pos_embed[:, :1]
        tokens = patches
        if self.task_tokens is not None:
            tokens = torch.cat([self.task_tokens.expand(len(images), -1, -1), patches], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        tokens = self.last_norm(tokens)
        task_tokens, patches = tokens[:, : -ROWS * COLUMNS], tokens[:, -ROWS * COLUMNS :]
        return patches.transpose(1, 2).unflatten(2, (ROWS, COLUMNS)), task_tokens


class _PatchEmbedding(nn.Module):
    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, embed_dim, _PATCH, stride=_PATCH, padding=_PADDING)

    def forward(self, images: Float[Tensor, "b 3 256 192"]) -> Float[Tensor, "b 192 c"]:
        patches: Tensor = self.proj(images)
        return patches.flatten(2).transpose(1, 2)


class _Block(nn.Module):
    def __init__(self, embed_dim: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dim, eps=_EPSILON)
        self.attn = _Attention(embed_dim, heads)
        self.norm2 = nn.LayerNorm(embed_dim, eps=_EPSILON)
        self.mlp = _MultilayerPerceptron(embed_dim, int(embed_dim * mlp_ratio))

    def forward(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        tokens = tokens + self.attn(self.norm1(tokens))
        result: Tensor = tokens + self.mlp(self.norm2(tokens))
        return result


class _Attention(nn.Module):
    def __init__(self, embed_dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim)
        self.proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        query, key, value = self.qkv(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(query, key, value)
        result: Tensor = self.proj(attended.transpose(1, 2).flatten(2))
        return result


class _MultilayerPerceptron(nn.Module):
    def __init__(self, embed_dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(embed_dim, hidden)
        self.fc2 = nn.Linear(hidden, embed_dim)

    def forward(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        result: Tensor = self.fc2(functional.gelu(self.fc1(tokens)))
        return result
