"""HIA starts as Stable Diffusion, learns from both conditions, and forgets what it is told to."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from model.hia.network import HIA, HIASettings
from model.hia.pretrained import start_from_stable_diffusion
from model.unet.reference_attention import Reference
from model.unet.settings import make_unet
from tests.factories.as_if_trained import as_if_trained
from tests.factories.small_hia import IMAGES, UNET, VIDEOS, some_inputs, together, untrained


def _started(settings: HIASettings, folder: Path) -> tuple[HIA, nn.Module]:
    """A network that starts from a UNet's file, and the UNet."""
    torch.manual_seed(1)
    unet = make_unet(UNET).eval()
    safetensors.torch.save_model(unet, str(folder / "unet.safetensors"))
    network = untrained(settings)
    start_from_stable_diffusion(network, folder / "unet.safetensors")
    return network, unet


@torch.no_grad()
def test_before_training_it_is_the_unet_it_started_from(tmp_path: Path) -> None:
    """Whatever the pose: ControlNet and motion modules add nothing. diffusers' own forward, clip by clip."""
    network, unet = _started(VIDEOS, tmp_path)
    inputs = some_inputs()
    reference = network.read_reference(inputs.latent, inputs.tokens)
    control = network.guide(inputs.conditions, inputs.sample, inputs.timestep, reference.tokens)
    predicted = network.denoise(inputs.sample, inputs.timestep, control, Reference(reference.tokens))
    for clip, (frames, timestep, tokens) in enumerate(
        zip(inputs.sample, inputs.timestep, inputs.tokens, strict=True)
    ):
        expected = unet(frames, timestep, tokens.expand(len(frames), -1, -1)).sample
        torch.testing.assert_close(predicted[clip], expected, rtol=1e-4, atol=1e-5)


def test_the_controlnet_starts_as_the_unets_encoder(tmp_path: Path) -> None:
    network, unet = _started(IMAGES, tmp_path)
    started, untouched = network.controlnet.state_dict(), untrained(IMAGES).controlnet.state_dict()
    encoder = {
        name for name in unet.state_dict() if not name.startswith(("up_blocks.", "conv_norm_out", "conv_out"))
    }
    assert all(torch.equal(started[name], unet.state_dict()[name]) for name in encoder)
    assert all(torch.equal(started[name], untouched[name]) for name in started.keys() - encoder)


@torch.no_grad()
def test_what_starts_from_a_unet_reads_the_reference_with_it_too(tmp_path: Path) -> None:
    """A frame whose latents, timestep and tokens are the reference's sees itself twice, and so once."""
    network, _ = _started(IMAGES, tmp_path)
    inputs = some_inputs(batch=1, frames=1)
    same = replace(inputs, sample=inputs.latent[:, None], timestep=torch.zeros(1))
    reference = network.read_reference(same.latent, same.tokens)
    alone = network.denoise(same.sample, same.timestep, None, Reference(reference.tokens))
    both = network.denoise(same.sample, same.timestep, None, reference)
    torch.testing.assert_close(both, alone, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_dropped_sample_is_predicted_as_without_any_condition() -> None:
    network = as_if_trained(untrained(VIDEOS))
    inputs = some_inputs()
    predicted = inputs(network, torch.tensor([True, False]))
    kept, dropped = inputs.clip(0), inputs.clip(1)
    nothing = network.denoise(dropped.sample, dropped.timestep, None, network.unconditional(dropped.tokens))
    torch.testing.assert_close(predicted[0:1], kept(network), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(predicted[1:2], nothing, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(predicted[1:2], dropped(network), atol=1e-3)


def test_training_teaches_it_to_heed_the_reference_and_the_pose() -> None:
    """Three samples of the same noisy latents, of which only the first has both its reference and its pose:
    a network that does not heed the one or the other has a loss of 2/3 or more.
    """
    network = as_if_trained(untrained(IMAGES)).train()
    one, other = some_inputs(1, 1, size=(8, 8)), some_inputs(1, 1, seed=1, size=(8, 8))
    inverted = {name: 1 - images for name, images in one.conditions.items()}
    inputs = together(one, replace(one, latent=other.latent), replace(one, conditions=inverted))
    target = torch.tensor([1.0, -1.0, -1.0])[:, None, None, None, None]
    optimizer = torch.optim.Adam(network.parameters(), lr=4e-3, fused=True)
    losses = [1.0]
    while losses[-1] > 0.6 and len(losses) < 60:
        loss = (inputs(network) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] <= 0.6, losses


def test_gradient_checkpointing_runs_all_three_networks_again_and_changes_no_gradient() -> None:
    inputs = some_inputs(frames=2)
    kept = torch.tensor([True, False])

    def gradients(network: HIA) -> tuple[dict[str, Tensor], Counter[str]]:
        runs: Counter[str] = Counter()
        watched: dict[str, nn.Module] = {
            "encoder": network.appearance_encoder.down_blocks[0].resnets[0].conv1,
            "controlnet": network.controlnet.down_blocks[0].resnets[0].conv1,
            "unet": network.denoiser.unet.down_blocks[0].resnets[0].conv1,
        }
        for name, module in watched.items():
            module.register_forward_hook(lambda *_, name=name: runs.update([name]))
        inputs(network, kept).square().mean().backward()  # type: ignore[no-untyped-call]
        return {name: each.grad for name, each in network.named_parameters() if each.grad is not None}, runs

    plain, runs = gradients(as_if_trained(untrained(VIDEOS)).train())
    assert runs == {"encoder": 1, "controlnet": 1, "unet": 1}
    network = as_if_trained(untrained(VIDEOS)).train()
    network.enable_gradient_checkpointing()
    again, runs = gradients(network)
    assert runs == {"encoder": 2, "controlnet": 2, "unet": 2}
    torch.testing.assert_close(again, plain)


def test_a_condition_that_is_missing_is_named() -> None:
    network = untrained(IMAGES)
    inputs = some_inputs(frames=1)
    with pytest.raises(ValueError, match=r"no motion_blur among the conditions given \(skeleton\)"):
        network.guide(
            {"skeleton": inputs.conditions["skeleton"]}, inputs.sample, inputs.timestep, inputs.tokens
        )


@torch.no_grad()
def test_without_the_motion_blur_condition_the_skeleton_alone_guides() -> None:
    network = as_if_trained(untrained(replace(IMAGES, conditions=("skeleton",))))
    inputs = some_inputs(frames=1)
    blur = torch.zeros_like(inputs.conditions["motion_blur"])
    other = replace(inputs, conditions={**inputs.conditions, "motion_blur": blur})
    torch.testing.assert_close(other(network), inputs(network), rtol=0, atol=0)


@pytest.mark.parametrize("conditions", [(), ("skeleton", "skeleton")])
def test_conditions_are_one_or_more_each_once(conditions: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="give a tuple of one or more, each once"):
        HIASettings(conditions=conditions)
