"""Classifier-free guidance (Ho and Salimans, 2022), and what each model's unconditional branch keeps.

HIA's equation 4 (Xu et al., 2024, section 3.4) has the difference the other way round, e(none) + w (e(none) -
e(cond)), which leads away from the conditions. It is taken for a slip: both models use the same formula here.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Unconditional:
    """Which conditions the unconditional prediction keeps."""

    keeps_pose: bool
    keeps_reference: bool
    """The features of the reference image that the main network attends to."""

    keeps_image_tokens: bool
    """The tokens of the reference image for cross-attention; without them these are zeros."""


REALISDANCE_UNCONDITIONAL = Unconditional(keeps_pose=True, keeps_reference=False, keeps_image_tokens=False)
"""Of the released sampler: guidance strengthens the reference's appearance alone."""

HIA_UNCONDITIONAL = Unconditional(keeps_pose=False, keeps_reference=False, keeps_image_tokens=False)
"""HIA's animation-cfg: reference and pose are both omitted."""


def needs_unconditional(scale: float) -> bool:
    """Whether guidance of this scale uses the unconditional prediction at all: not at scale 1."""
    return scale != 1


def guided(
    conditional: Float[Tensor, "*dims"], unconditional: Float[Tensor, "*dims"] | None, scale: float
) -> Float[Tensor, "*dims"]:
    """e(none) + scale * (e(cond) - e(none)); at scale 1 exactly `conditional`, and the other may be None.

    Raises ValueError where the unconditional prediction is needed and None is given.
    """
    if not needs_unconditional(scale):
        return conditional
    if unconditional is None:
        raise ValueError(
            f"guidance of scale {scale} needs an unconditional prediction; only scale 1 does not"
        )
    return unconditional + scale * (conditional - unconditional)
