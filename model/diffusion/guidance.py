"""Classifier-free guidance (Ho and Salimans, 2022).

What the unconditional prediction keeps is each model's: RealisDance's released sampler keeps the pose, so
that guidance strengthens the reference's appearance alone; HIA's animation-cfg drops pose and reference both.

HIA's equation 4 (Xu et al., 2024, section 3.4) has the difference the other way round, e(none) + w (e(none) -
e(cond)), which leads away from the conditions. It is taken for a slip: both models use the same formula here.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


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
