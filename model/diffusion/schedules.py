"""How much noise each timestep adds: Stable Diffusion's schedules, zero terminal SNR (Lin et al., WACV 2024),
and HIA's shifted SNR (Xu et al., 2024, Algorithm 1). All are float64, and diffusers' schedulers take them.

Terms: beta_t is the variance that step t adds, abar_t the product of 1 - beta up to t, SNR abar / (1 - abar).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler, rescale_zero_terminal_snr
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from jaxtyping import Float
from torch import Tensor

from model.diffusion.prediction import Prediction, check_prediction

FIRST_BETA, LAST_BETA = 0.00085, 0.012
"""Stable Diffusion's, and HIA's."""

STEPS = 1000
"""Stable Diffusion's, and HIA's."""

Kind = Literal["linear", "scaled_linear", "literal"]
Spacing = Literal["linspace", "leading", "trailing"]

_DIFFUSERS_PREDICTION = {"epsilon": "epsilon", "v": "v_prediction", "x0": "sample"}


@dataclass(frozen=True)
class NoiseSchedule:
    """A schedule, and what the network predicts under it.

    Raises ValueError for an unknown kind or prediction, where gamma is outside (0, 1], and for epsilon under
    a zero terminal SNR: at the last step, which is noise alone, it says nothing of the image (Lin et al.,
    section 3.2).
    """

    kind: Kind = "scaled_linear"
    """`scaled_linear` is Stable Diffusion's, `linear` is HIA's. `literal` is HIA's Algorithm 1 as printed, to
    compare with: see `literal_shifted_betas`."""

    gamma: float = 1.0
    """The SNR is multiplied by it; 1 leaves the schedule as it is. HIA lowers it for large images, which keep
    more of themselves under the same noise; the paper does not say to what."""

    zero_terminal: bool = False
    """Whether the last step is noise alone. RealisDance needs it; HIA does not say so."""

    prediction: Prediction = "epsilon"

    def __post_init__(self) -> None:
        check_prediction(self.prediction)
        if self.kind not in get_args(Kind):
            raise ValueError(
                f"a noise schedule's kind cannot be {self.kind!r}: choose from {', '.join(get_args(Kind))}"
            )
        if not 0 < self.gamma <= 1:
            raise ValueError(
                f"a noise schedule's gamma is {self.gamma}: 0 < gamma <= 1 is needed (1: no shift)"
            )
        if self.zero_terminal and self.prediction == "epsilon":
            raise ValueError("under a zero terminal SNR epsilon says too little: set prediction to v or x0")

    @property
    def timesteps(self) -> range:
        """All that there are: as many as `schedule_betas` has betas."""
        return range(STEPS + (self.kind == "literal"))


REALISDANCE_SCHEDULE = NoiseSchedule(zero_terminal=True, prediction="v")
"""Of the paper ("zero-SNR") and of the released configs/stage2_hamer.yaml: zero_snr and v_pred."""

HIA_SCHEDULE = NoiseSchedule(kind="linear", gamma=0.5)
"""gamma is not published: 0.5 is this project's choice."""


def schedule_betas(schedule: NoiseSchedule, steps: int = STEPS) -> Float[Tensor, "timesteps"]:
    """The schedule's betas, in (0, 1]: `steps` of them, one more for `literal`. Raises ValueError for fewer
    than 2 steps, of which there is no line from the first to the last.
    """
    if steps < 2:
        raise ValueError(
            f"a noise schedule of {steps} steps has no first and last beta: 2 or more are needed"
        )
    if schedule.kind == "literal":
        betas = literal_shifted_betas(schedule.gamma, steps)
    else:
        betas = linear_betas(steps) if schedule.kind == "linear" else scaled_linear_betas(steps)
        if schedule.gamma != 1:
            betas = shifted_betas(betas, schedule.gamma)
    return rescale_zero_terminal_snr(betas) if schedule.zero_terminal else betas


def linear_betas(steps: int = STEPS) -> Float[Tensor, "steps"]:
    """Evenly spaced betas (Ho et al., NeurIPS 2020), between Stable Diffusion's ends."""
    return torch.linspace(FIRST_BETA, LAST_BETA, steps, dtype=torch.float64)


def scaled_linear_betas(steps: int = STEPS) -> Float[Tensor, "steps"]:
    """Betas whose roots are evenly spaced: Stable Diffusion's."""
    return torch.linspace(FIRST_BETA**0.5, LAST_BETA**0.5, steps, dtype=torch.float64) ** 2


def shifted_betas(betas: Float[Tensor, "steps"], gamma: float) -> Float[Tensor, "steps"]:
    """Betas whose SNR is gamma times that of `betas` at every step: HIA's Algorithm 1, beta_0 shifted too."""
    bars = _shifted_alphas_bar(betas, gamma)
    return 1 - torch.cat((bars[:1], bars[1:] / bars[:-1]))


def literal_shifted_betas(gamma: float, steps: int = STEPS) -> Float[Tensor, "steps_plus_one"]:
    """HIA's Algorithm 1 as printed, over t = 0..T: T + 1 betas, of which beta_1..beta_T are linear before the
    shift and beta_0 lies on the same line.

    It never shifts beta_0, so that every abar is too large by the factor 1 + beta_0 (1 / gamma - 1), and no
    SNR is gamma times the original's. Raises ValueError for fewer than 15 steps, where beta_0 is negative.
    """
    if steps < 15:
        raise ValueError(
            f"the printed shift of the SNR has no schedule of {steps} steps: it needs 15 or more"
        )
    share = torch.arange(-1, steps, dtype=torch.float64) / (steps - 1)
    betas = FIRST_BETA * (1 - share) + LAST_BETA * share
    bars = _shifted_alphas_bar(betas, gamma)
    return torch.cat((betas[:1], 1 - bars[1:] / bars[:-1]))


def alphas_bar(betas: Float[Tensor, "steps"]) -> Float[Tensor, "steps"]:
    """The share of the image's variance that is left after each step, in [0, 1)."""
    return (1 - betas).cumprod(0)


def signal_to_noise(alphas_bar: Float[Tensor, "*steps"]) -> Float[Tensor, "*steps"]:
    """SNR of each abar: 0 at 0, infinite at 1."""
    return alphas_bar / (1 - alphas_bar)


def ddim_scheduler(schedule: NoiseSchedule, spacing: Spacing = "linspace") -> DDIMScheduler:
    """DDIM sampling (Song et al., ICLR 2021) as RealisDance's released sampler sets it up.

    `linspace` and `trailing` begin at the last timestep, as a zero terminal SNR and HIA's initial noise need;
    `leading`, diffusers' own, begins before it (Lin et al., section 3.3). The rest is Stable Diffusion's
    configuration: nothing is clipped, and the last step ends at abar_0, not at 1, so that it changes nothing
    with `linspace`, whose last timestep is 0.
    """
    return DDIMScheduler(set_alpha_to_one=False, **_scheduler_settings(schedule, spacing))


def ddpm_scheduler(schedule: NoiseSchedule, spacing: Spacing = "linspace") -> DDPMScheduler:
    """Ancestral sampling (Ho et al., NeurIPS 2020); the settings are those of `ddim_scheduler`."""
    return DDPMScheduler(**_scheduler_settings(schedule, spacing))


def _scheduler_settings(schedule: NoiseSchedule, spacing: Spacing) -> dict[str, Any]:
    betas = schedule_betas(schedule).tolist()
    return {
        "num_train_timesteps": len(betas),
        "trained_betas": betas,
        "prediction_type": _DIFFUSERS_PREDICTION[schedule.prediction],
        "timestep_spacing": spacing,
        "steps_offset": 1,
        "clip_sample": False,
    }


def _shifted_alphas_bar(betas: Float[Tensor, "steps"], gamma: float) -> Float[Tensor, "steps"]:
    snr = gamma * signal_to_noise(alphas_bar(betas))
    return snr / (1 + snr)
