"""One denoising step over a video of 80 frames, against the way of RealisDance's released sampler, which runs
the reference network for every window.

The peer calls the same network as the released sampler does (damo-cv/RealisDance, pipeline.py): for every
window the reference network, the projector and the whole pose guider, and the last two again for the branch
without a reference. Its layers are ours, so what is compared is what is kept and shared. What is once per
video here (the reference, the poses frame by frame) is charged to every step at a fiftieth, as a video is
sampled in 50. Sides in turns, medians, outputs equal. Untrained weights cost what trained ones do.

`python -m benchmarks.sampling full` takes the released widths (10 GB, some minutes a side); by default the
UNets are a tenth as wide, while the encoders of the poses are as released, so that these weigh more.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

from model.diffusion.guidance import guided
from model.diffusion.windows import REALISDANCE_WINDOWS, average_windows, step_windows
from model.realisdance.denoising_step import predict_video
from model.realisdance.network import RealisDance, RealisDanceSettings
from model.unet.reference_attention import Reference
from model.unet.settings import MotionSettings, UNetSettings
from tests.factories.as_if_trained import as_if_trained

FRAMES, STEPS, STEP, SCALE = 80, 50, 1, 2.0
ROUNDS = 3
TOKENS = 375
TOLERANCE = 1e-3

SMALL = RealisDanceSettings(unet=UNetSettings((32, 64, 128, 128), 4, 64), motion=MotionSettings())
FULL = RealisDanceSettings()


P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Video:
    """What one step is given."""

    sample: Tensor
    timestep: Tensor
    conditions: Mapping[str, Tensor]
    latent: Tensor
    features: Tensor


def made_network(settings: RealisDanceSettings) -> RealisDance:
    """Untrained, but with no layer that gives nothing."""
    torch.manual_seed(0)
    return as_if_trained(RealisDance(settings).eval())


def made_video(settings: RealisDanceSettings, height: int, width: int) -> Video:
    """Of latents of that size."""
    generator = torch.Generator().manual_seed(1)
    return Video(
        torch.randn(1, FRAMES, 4, height, width, generator=generator),
        torch.tensor([731]),
        {
            name: torch.rand(1, FRAMES, 3, 8 * height, 8 * width, generator=generator)
            for name in settings.conditions
        },
        torch.randn(1, 4, height, width, generator=generator),
        torch.randn(1, TOKENS, settings.feature_width, generator=generator),
    )


def released_way(network: RealisDance, video: Video, kept: Reference | None = None) -> Tensor:
    """A step as the released sampler takes it; or the same but for a reference that is kept."""
    windows = step_windows(REALISDANCE_WINDOWS, FRAMES, STEP)
    predictions = []
    for window in windows:
        frames = torch.from_numpy(window)
        conditions = {name: images[:, frames] for name, images in video.conditions.items()}

        def pose(conditions: Mapping[str, Tensor] = conditions) -> list[Tensor]:
            return network.guide(network.encode_poses(conditions))

        reference = kept or network.read_reference(video.latent, video.features)
        part = video.sample[:, frames]
        conditional = network.denoise(part, video.timestep, pose(), reference)
        nothing = Reference(network.projector(torch.zeros_like(video.features)))
        without = network.denoise(part, video.timestep, pose(), nothing)
        predictions.append(guided(conditional, without, SCALE))
    return average_windows(windows, predictions, FRAMES)


def once(network: RealisDance, video: Video) -> tuple[Tensor, Reference, Reference]:
    """What is kept for all steps."""
    return (
        network.encode_poses(video.conditions),
        network.read_reference(video.latent, video.features),
        network.unconditional(video.features),
    )


def our_step(network: RealisDance, video: Video, kept: tuple[Tensor, Reference, Reference]) -> Tensor:
    """A step from what is kept."""
    windows = step_windows(REALISDANCE_WINDOWS, FRAMES, STEP)
    return predict_video(network, video.sample, video.timestep, *kept, SCALE, windows)


def timed(work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> tuple[float, T]:
    """Seconds of the clock, and what the work gave."""
    begun = time.perf_counter()
    result = work(*arguments, **options)
    return time.perf_counter() - begun, result


def check(found: Tensor, expected: Tensor) -> None:
    """Raises AssertionError unless the two are the same up to rounding."""
    error = float((found - expected).abs().max() / expected.abs().max())
    assert error < TOLERANCE, f"the two ways differ by {error:.1e} of the largest value"


@torch.inference_mode()
def main() -> None:
    """Print the seconds of a step and the ratios, after asserting equal outputs."""
    full = "full" in sys.argv[1:]
    settings, size, rounds = (FULL, (16, 12), 1) if full else (SMALL, (12, 8), ROUNDS)
    network, video = made_network(settings), made_video(settings, *size)
    times: dict[str, list[float]] = {"released": [], "reference kept": [], "once": [], "ours": []}
    for _ in range(rounds):
        once_s, kept = timed(once, network, video)
        released_s, expected = timed(released_way, network, video)
        reference_s, same = timed(released_way, network, video, kept[1])
        ours_s, found = timed(our_step, network, video, kept)
        check(same, expected)
        check(found, expected)
        for side, taken in zip(times, (released_s, reference_s, once_s, ours_s), strict=True):
            times[side].append(taken)
    median = {side: statistics.median(taken) for side, taken in times.items()}
    step = median["ours"] + median["once"] / STEPS
    suffix = "_full" if full else ""
    print(f"{'released' if full else 'small'} size, {FRAMES} frames of {8 * size[0]}x{8 * size[1]}, seconds:")
    print(", ".join(f"{side} {taken:.2f}" for side, taken in median.items()))
    alone = median["released"] / median["reference kept"]
    print(f"ratio sampling_step{suffix}_of_the_reference_alone {alone:.3f}")
    print(f"ratio sampling_step{suffix} {median['released'] / step:.3f}")


if __name__ == "__main__":
    main()
