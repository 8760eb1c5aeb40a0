"""What the networks are trained to make small: the denoising loss, and the regional losses of HIA (Xu et al.,
2024, section 3.1, equation 1), which count the face and the hands by themselves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor


def denoising_loss(
    predicted: Float[Tensor, "batch *rest"],
    target: Float[Tensor, "batch *rest"],
    weights: Float[Tensor, "batch"] | None = None,
) -> Float[Tensor, ""]:
    """The mean over samples of each one's mean squared error times its weight; without weights, 1.

    predicted and target are noise, velocity or latents, as the schedule's prediction type says; weights are
    non-negative, min-SNR's for instance. Summed in float32 at least, whatever the precision of the network.

    Raises ValueError where the shapes do not fit.
    """
    _check_same_shape(predicted, target)
    if weights is not None and weights.shape != predicted.shape[:1]:
        raise ValueError(
            f"weights are of shape {tuple(weights.shape)}: give one for each of {len(predicted)}"
        )
    errors = (at_least_float32(predicted) - at_least_float32(target)).square().flatten(1).mean(1)
    return (errors if weights is None else errors * weights.to(errors)).mean()


def regional_loss(
    predicted: Float[Tensor, "*batch channels height width"],
    target: Float[Tensor, "*batch channels height width"],
    mask: Float[Tensor, "*batch 1 height width"],
) -> Float[Tensor, ""]:
    """L_face or L_hand of equation 1, sum |(I_tgt - I_pre) * M|^2 / sum M, as the mean over the images that
    have the region.

    predicted and target are images or latents, mask that of `model.diffusion.regions` at their size. sum M
    counts each pixel once, not once for every channel: the loss is the mean squared length of the pixels'
    differences, of images three times the mean squared error of their colours. An image whose mask is empty
    does not count; where no image has the region the loss is 0, and so is its gradient.

    Raises ValueError where the shapes do not fit.
    """
    _check_same_shape(predicted, target)
    wanted = (*predicted.shape[:-3], 1, *predicted.shape[-2:])
    if mask.shape != wanted:
        raise ValueError(
            f"the mask is of shape {tuple(mask.shape)}, not {wanted}: draw it at the images' size"
        )
    area = at_least_float32(mask).sum((-3, -2, -1))
    errors = ((at_least_float32(target) - at_least_float32(predicted)) * mask).square().sum((-3, -2, -1))
    return mean_of_counted(errors / area.where(area > 0, 1), area > 0)


def mean_of_counted(values: Float[Tensor, "*batch"], counted: Bool[Tensor, "*batch"]) -> Float[Tensor, ""]:
    """The mean of those values that count; where none does, 0 with a gradient of 0."""
    return values.where(counted, 0).sum() / counted.sum().clamp(min=1)


@dataclass(frozen=True)
class RegionalWeights:
    """What each term counts in the regional stage. The paper gives no weights, so all are 1; nor does it
    say whether the denoising loss stays beside the terms it adds: 0 leaves a term out.

    Raises ValueError where a weight is negative.
    """

    denoising: float = 1.0
    face: float = 1.0
    hand: float = 1.0
    identity: float = 1.0

    def __post_init__(self) -> None:
        for name, weight in vars(self).items():
            if not weight >= 0:
                raise ValueError(
                    f"the weight of the {name} loss is {weight}: give 0, which leaves it out, or more"
                )


@dataclass(frozen=True)
class RegionalLosses:
    """The terms of the regional stage (HIA sections 3.1 and 3.3), apart, so that each can be watched."""

    denoising: Float[Tensor, ""]
    face: Float[Tensor, ""]
    hand: Float[Tensor, ""]
    identity: Float[Tensor, ""]

    def total(self, weights: RegionalWeights) -> Float[Tensor, ""]:
        """What the stage makes small: the terms' sum by weight."""
        return (
            weights.denoising * self.denoising
            + weights.face * self.face
            + weights.hand * self.hand
            + weights.identity * self.identity
        )


def at_least_float32(values: Shaped[Tensor, "*any"]) -> Shaped[Tensor, "*any"]:
    """The values in a precision that sums and cosines can be trusted in."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _check_same_shape(predicted: Tensor, target: Tensor) -> None:
    # Shapes that broadcast would give a loss, and a wrong one.
    if predicted.shape != target.shape:
        raise ValueError(
            f"predicted and target are of shapes {tuple(predicted.shape)} and {tuple(target.shape)}: "
            "they must be the same"
        )
