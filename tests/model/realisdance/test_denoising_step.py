"""One step over a video: what is kept for the video gives what is computed for each window."""

from __future__ import annotations

import pytest
import torch

from model.diffusion.guidance import guided
from model.diffusion.windows import WindowSchedule, step_windows
from model.realisdance.denoising_step import predict_video
from tests.factories.as_if_trained import as_if_trained
from tests.factories.small_realisdance import VIDEOS, some_inputs, untrained


@pytest.mark.parametrize("scale", [1.0, 2.0])
@torch.no_grad()
def test_a_video_of_one_window_is_a_guided_prediction(scale: float) -> None:
    network, inputs = as_if_trained(untrained(VIDEOS)), some_inputs(frames=4)
    found = predict_video(
        network,
        inputs.sample,
        inputs.timestep,
        network.encode_poses(inputs.conditions),
        network.read_reference(inputs.latent, inputs.features),
        network.unconditional(inputs.features),
        scale,
        step_windows(WindowSchedule(size=8, overlap=2), frames=4, step=0),
    )
    nothing = inputs(network, kept=torch.tensor([False, False]))
    torch.testing.assert_close(found, guided(inputs(network), nothing, scale), rtol=0, atol=2e-5)


@torch.no_grad()
def test_frames_of_several_windows_have_their_mean() -> None:
    network, inputs = as_if_trained(untrained(VIDEOS)), some_inputs(batch=1, frames=6)
    windows = step_windows(WindowSchedule(size=4, overlap=2, shift="none", closed=False), 6, 0)
    poses = network.encode_poses(inputs.conditions)
    reference = network.read_reference(inputs.latent, inputs.features)

    def predicted(frames: slice) -> torch.Tensor:
        pose = network.guide(poses[:, frames])
        return network.denoise(inputs.sample[:, frames], inputs.timestep, pose, reference)

    found = predict_video(network, inputs.sample, inputs.timestep, poses, reference, reference, 1.0, windows)
    first, second = predicted(slice(0, 4)), predicted(slice(2, 6))
    expected = torch.cat([first[:, :2], (first[:, 2:] + second[:, :2]) / 2, second[:, 2:]], dim=1)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)


@torch.no_grad()
def test_one_token_stands_for_all_that_are_the_same() -> None:
    network, inputs = as_if_trained(untrained(VIDEOS)), some_inputs()
    assert network.unconditional(inputs.features).tokens.shape[1] == 1
    pose = network.guide(network.encode_poses(inputs.conditions))
    found = network.denoise(inputs.sample, inputs.timestep, pose, network.unconditional(inputs.features))
    every = network.unconditional(inputs.features)
    five = type(every)(every.tokens.expand(-1, 5, -1))
    expected = network.denoise(inputs.sample, inputs.timestep, pose, five)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)


@torch.no_grad()
def test_the_unconditional_prediction_may_have_no_pose() -> None:
    network, inputs = as_if_trained(untrained(VIDEOS)), some_inputs(frames=4)
    poses = network.encode_poses(inputs.conditions)
    reference = network.read_reference(inputs.latent, inputs.features)
    nothing = network.unconditional(inputs.features)
    windows = step_windows(WindowSchedule(size=8, overlap=2), frames=4, step=0)
    found = predict_video(
        network,
        inputs.sample,
        inputs.timestep,
        poses,
        reference,
        nothing,
        2.0,
        windows,
        keeps_pose=False,
    )
    without = network.denoise(inputs.sample, inputs.timestep, None, nothing)
    torch.testing.assert_close(found, guided(inputs(network), without, 2.0), rtol=0, atol=2e-5)
