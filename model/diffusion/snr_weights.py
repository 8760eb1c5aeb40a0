"""Min-SNR weights of the training loss (Hang et al., ICCV 2023): the squared error of x0 is weighted by
min(SNR, gamma), so that timesteps of little noise do not dominate. The errors of epsilon and v are SNR and
SNR + 1 times that of x0, and their weights are divided by as much.

For v this gives the last timestep of a zero-terminal schedule no weight at all, though sampling begins there.
Hence two forms: `published`, min(SNR, gamma) / (SNR + 1), which RealisDance's released training has too, and
`plus_one`, min(SNR + 1, gamma) / (SNR + 1), which gives that timestep weight 1 and is the default.
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from model.diffusion.prediction import Prediction

VelocityForm = Literal["plus_one", "published"]


def min_snr_weights(
    snr: Float[Tensor, "*batch"],
    prediction: Prediction,
    gamma: float = 5.0,
    velocity_form: VelocityForm = "plus_one",
) -> Float[Tensor, "*batch"]:
    """The weight of the squared error at each SNR in [0, inf]: from 0 to gamma for x0, from 0 to 1 otherwise.

    `velocity_form` counts for v alone. Raises ValueError where gamma is not positive, or a name unknown.
    """
    if not gamma > 0:
        raise ValueError(f"the min-SNR weights' gamma is {gamma}: it must be larger than 0 (published: 5)")
    match prediction, velocity_form:
        case "x0", _:
            return snr.clamp(max=gamma)
        case "epsilon", _:
            return (gamma / snr).clamp(max=1)
        case "v", "plus_one":
            return (gamma / (snr + 1)).clamp(max=1)
        case "v", "published":
            return snr.clamp(max=gamma) / (snr + 1)
    raise ValueError(
        f"there are no min-SNR weights for {prediction!r} in the form {velocity_form!r}: the prediction is "
        "epsilon, v or x0, the form plus_one or published"
    )
