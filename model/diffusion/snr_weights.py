"""Min-SNR weights of the training loss (Hang et al., ICCV 2023): the squared error of x0 is weighted by
min(SNR, gamma), so that timesteps of little noise do not dominate. The errors of epsilon and v are SNR and
SNR + 1 times that of x0, and their weights are divided by as much.

The last timestep of a zero-terminal schedule then has no weight at all, though sampling begins there. Hence
two forms: `published`, which RealisDance's released training has too, and `plus_one`, the default, in which
x0's error is weighted by min(SNR + 1, gamma), v's by that over SNR + 1, and that timestep by 1. Epsilon has
the published form alone: no schedule with a zero terminal SNR predicts it, and min(SNR + 1, gamma) / SNR
would grow without bound as the SNR falls.
"""

from __future__ import annotations

from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor

from model.diffusion.prediction import Prediction, check_prediction

Form = Literal["plus_one", "published"]


def min_snr_weights(
    snr: Float[Tensor, "*batch"],
    prediction: Prediction,
    gamma: float = 5.0,
    form: Form = "plus_one",
) -> Float[Tensor, "*batch"]:
    """The weight of the squared error at each SNR in [0, inf]: from 0 to gamma for x0, from 0 to 1 otherwise.

    `form` makes no difference to epsilon. Raises ValueError where gamma is not positive, or a name unknown.
    """
    check_prediction(prediction)
    if not gamma > 0:
        raise ValueError(f"the min-SNR weights' gamma is {gamma}: it must be larger than 0 (published: 5)")
    if form not in get_args(Form):
        raise ValueError(f"min-SNR weights have no form {form!r}: choose from {', '.join(get_args(Form))}")
    if prediction == "epsilon":
        return (gamma / snr).clamp(max=1)
    of_x0 = (snr + (form == "plus_one")).clamp(max=gamma)
    return of_x0 if prediction == "x0" else of_x0 / (snr + 1)
