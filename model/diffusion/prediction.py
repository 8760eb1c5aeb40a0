"""The noising process and what a network predicts of it: the noise (epsilon), the clean latents (x0), or the
velocity v (Salimans and Ho, ICLR 2022), and how each follows from the others (Ho et al., NeurIPS 2020).

    x_t = sqrt(abar_t) x0 + sqrt(1 - abar_t) epsilon,    v = sqrt(abar_t) epsilon - sqrt(1 - abar_t) x0

`alpha_bar` is abar at each sample's own timestep, `alphas_bar[timesteps]`, one number in [0, 1] a sample. It
and the timesteps are to be on the CPU, wherever the latents are: their values are looked at, for which a GPU
would have to be waited for. Results are on the latents' device, and of their type, to which they are rounded
once.

Raises ValueError for an unknown kind of prediction, and unless there is one abar a sample.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from model.diffusion.losses import at_least_float32

Prediction = Literal["epsilon", "v", "x0"]

REGIONAL_TIMESTEPS = range(125)
"""Of HIA's regional stage: x0 predicted from them in one step is clear enough for a loss on pixels (3.3)."""


def draw_timesteps(count: int, timesteps: range, generator: torch.Generator) -> Int[Tensor, "count"]:
    """`count` timesteps, each of `timesteps` equally likely, on the generator's device, which should be the
    CPU. Raises ValueError where `timesteps` is empty.
    """
    if not timesteps:
        raise ValueError(f"no timestep lies in {timesteps}: its end must be larger than its start")
    chosen = torch.randint(len(timesteps), (count,), generator=generator, device=generator.device)
    return timesteps.start + timesteps.step * chosen


def check_prediction(prediction: str) -> None:
    """Raises ValueError for what is no `Prediction`."""
    if prediction not in get_args(Prediction):
        raise ValueError(
            f"a prediction cannot be {prediction!r}: choose from {', '.join(get_args(Prediction))} "
            "(diffusers calls v v_prediction, and x0 sample)"
        )


def add_noise(
    x0: Float[Tensor, "batch *dims"], noise: Float[Tensor, "batch *dims"], alpha_bar: Float[Tensor, "batch"]
) -> Float[Tensor, "batch *dims"]:
    """x_t of clean latents and noise."""
    of_x0, of_noise = _coefficients(alpha_bar, x0)
    return (of_x0 * x0 + of_noise * noise).to(x0.dtype)


def velocity(
    x0: Float[Tensor, "batch *dims"], noise: Float[Tensor, "batch *dims"], alpha_bar: Float[Tensor, "batch"]
) -> Float[Tensor, "batch *dims"]:
    """v of clean latents and noise."""
    of_x0, of_noise = _coefficients(alpha_bar, x0)
    return (of_x0 * noise - of_noise * x0).to(x0.dtype)


def training_target(
    prediction: Prediction,
    x0: Float[Tensor, "batch *dims"],
    noise: Float[Tensor, "batch *dims"],
    alpha_bar: Float[Tensor, "batch"],
) -> Float[Tensor, "batch *dims"]:
    """What a network of this kind of prediction should have given."""
    check_prediction(prediction)
    match prediction:
        case "epsilon":
            return noise
        case "v":
            return velocity(x0, noise, alpha_bar)
        case "x0":
            return x0


def predicted_x0(
    prediction: Prediction,
    output: Float[Tensor, "batch *dims"],
    noisy: Float[Tensor, "batch *dims"],
    alpha_bar: Float[Tensor, "batch"],
) -> Float[Tensor, "batch *dims"]:
    """The clean latents, in one step, by a network's output for `noisy` (x_t): HIA's regional stage (3.3).

    Raises ValueError for predicted noise where abar is 0: x_t is then all noise and says nothing about x0.
    """
    check_prediction(prediction)
    of_x0, of_noise = _coefficients(alpha_bar, noisy)
    match prediction:
        case "epsilon":
            if (alpha_bar == 0).any():
                raise ValueError(
                    "x0 does not follow from predicted noise at abar = 0, the last step of a zero-terminal "
                    "schedule: predict v or x0, or draw timesteps before the last"
                )
            return ((noisy - of_noise * output) / of_x0).to(noisy.dtype)
        case "v":
            return (of_x0 * noisy - of_noise * output).to(noisy.dtype)
        case "x0":
            return output


def predicted_noise(
    prediction: Prediction,
    output: Float[Tensor, "batch *dims"],
    noisy: Float[Tensor, "batch *dims"],
    alpha_bar: Float[Tensor, "batch"],
) -> Float[Tensor, "batch *dims"]:
    """The noise by a network's output for `noisy` (x_t).

    Raises ValueError for predicted x0 where abar is 1: x_t then holds no noise.
    """
    check_prediction(prediction)
    of_x0, of_noise = _coefficients(alpha_bar, noisy)
    match prediction:
        case "epsilon":
            return output
        case "v":
            return (of_x0 * output + of_noise * noisy).to(noisy.dtype)
        case "x0":
            if (alpha_bar == 1).any():
                raise ValueError(
                    "the noise does not follow from predicted x0 at abar = 1, where there is none: the betas "
                    "of a schedule must be larger than 0"
                )
            return ((noisy - of_x0 * output) / of_noise).to(noisy.dtype)


def predicted_velocity(
    prediction: Prediction,
    output: Float[Tensor, "batch *dims"],
    noisy: Float[Tensor, "batch *dims"],
    alpha_bar: Float[Tensor, "batch"],
) -> Float[Tensor, "batch *dims"]:
    """v by a network's output for `noisy` (x_t). Raises what `predicted_x0` and `predicted_noise` raise."""
    if prediction == "v":
        return output
    precise = at_least_float32(output), at_least_float32(noisy), alpha_bar
    x0, noise = predicted_x0(prediction, *precise), predicted_noise(prediction, *precise)
    return velocity(x0, noise, alpha_bar).to(noisy.dtype)


def _coefficients(
    alpha_bar: Float[Tensor, "batch"], latents: Float[Tensor, "batch *dims"]
) -> tuple[Tensor, Tensor]:
    """sqrt(abar) and sqrt(1 - abar) to multiply the latents by, in float32 at least: products with them are
    too. The roots are taken in abar's own type.
    """
    if alpha_bar.shape != latents.shape[:1]:
        raise ValueError(
            f"alpha_bar is of shape {tuple(alpha_bar.shape)}: give one for each of {len(latents)} samples"
        )
    dtype = torch.promote_types(latents.dtype, torch.float32)
    shaped = alpha_bar.reshape(-1, *[1] * (latents.ndim - 1))
    of_x0, of_noise = (
        root.to(dtype).to(latents.device, non_blocking=True) for root in (shaped.sqrt(), (1 - shaped).sqrt())
    )
    return of_x0, of_noise
