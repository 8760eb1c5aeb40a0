"""RealisDance's parts and their whole: sizes, what each sees, what the untrained network leaves unchanged."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from model.realisdance.image_tokens import TokenProjector
from model.realisdance.network import RealisDance, RealisDanceSettings
from model.realisdance.pose_gating import PoseGating
from model.unet.reference_attention import Reference
from tests.factories.as_if_trained import as_if_trained
from tests.factories.small_realisdance import IMAGES, VIDEOS, some_inputs, untrained


def count(module: nn.Module | None) -> int:
    return 0 if module is None else sum(parameter.numel() for parameter in module.parameters())


def test_every_component_has_as_many_parameters_as_the_released_one() -> None:
    with torch.device("meta"):
        network = RealisDance(RealisDanceSettings())
    guider = network.pose_guider
    assert count(network.reference_network) == count(network.denoiser.unet) == 859_520_964
    assert count(network.denoiser.motion) == 417_137_600
    assert count(guider.gating.encoders) == 1_046_640
    assert count(guider.gating.gate) == 903_683
    assert count(guider.gating.merge) + count(guider.blocks) == 59_235_520
    assert count(guider.projections) == 3_895_040
    assert count(guider.motion_modules) == 85_687_040
    assert count(network.projector) == 7_151_360
    assert count(network) == 2_294_098_811


@pytest.mark.parametrize("settings", [IMAGES, VIDEOS], ids=["images", "videos"])
@torch.no_grad()
def test_untrained_parts_leave_the_unet_as_it_is(settings: RealisDanceSettings) -> None:
    network = untrained(replace(settings, frame_norm="per_frame"))
    inputs = some_inputs()
    found = network.denoise(
        inputs.sample,
        inputs.timestep,
        network.guide(network.encode_poses(inputs.conditions)),
        Reference(network.projector(inputs.features)),
    )
    no_tokens = inputs.sample.new_zeros(6, 5, 32)
    expected = network.denoiser.unet(
        inputs.sample.flatten(0, 1), inputs.timestep.repeat_interleave(3), no_tokens, return_dict=False
    )[0]
    torch.testing.assert_close(found.flatten(0, 1), expected, rtol=0, atol=2e-5)


@torch.no_grad()
def test_a_dropped_reference_is_the_unconditional_branch_of_guidance() -> None:
    network, inputs = as_if_trained(untrained(VIDEOS)), some_inputs()
    found = inputs(network, torch.tensor([True, False]))
    pose = network.guide(network.encode_poses(inputs.conditions))
    unconditional = network.denoise(
        inputs.sample, inputs.timestep, pose, network.unconditional(inputs.features)
    )
    torch.testing.assert_close(found[1], unconditional[1], rtol=0, atol=1e-5)
    torch.testing.assert_close(found[0], inputs(network)[0], rtol=0, atol=1e-5)
    assert not torch.allclose(found[0], unconditional[0], atol=1e-3)


@torch.no_grad()
def test_the_reference_and_every_condition_matter_once_trained() -> None:
    network, inputs = as_if_trained(untrained(VIDEOS)), some_inputs()
    found = inputs(network)
    for name, images in inputs.conditions.items():
        other = replace(inputs, conditions={**inputs.conditions, name: 1 - images})
        assert not torch.allclose(other(network), found, atol=1e-4), name
    for other in (replace(inputs, latent=-inputs.latent), replace(inputs, features=-inputs.features)):
        assert not torch.allclose(other(network), found, atol=1e-4)


@pytest.mark.parametrize("conditions", [("skeleton",), ("skeleton", "hands", "smpl_cs", "motion_blur")])
@torch.no_grad()
def test_any_number_of_conditions_drives_the_network(conditions: tuple[str, ...]) -> None:
    network = untrained(replace(VIDEOS, conditions=conditions))
    assert some_inputs(conditions=conditions)(network).shape == (2, 3, 4, 16, 8)


def test_a_missing_condition_is_named() -> None:
    inputs = some_inputs(conditions=("skeleton", "hands"))
    with pytest.raises(ValueError, match="no smpl_cs among the conditions given"):
        inputs(untrained(IMAGES))


def test_a_condition_of_another_size_is_named() -> None:
    inputs = some_inputs()
    conditions = {**inputs.conditions, "hands": inputs.conditions["hands"][..., :32]}
    with pytest.raises(ValueError, match=r"'hands': \(2, 3, 3, 128, 32\).*give all of one shape"):
        untrained(IMAGES).encode_poses(conditions)
    narrow = {name: images[..., :60] for name, images in inputs.conditions.items()}
    with pytest.raises(ValueError, match="128x60: height and width must be multiples of 8"):
        untrained(IMAGES).encode_poses(narrow)


def test_poses_of_more_frames_than_positions_are_refused() -> None:
    network = untrained(VIDEOS)
    with pytest.raises(ValueError, match="9 frames at a time"):
        network.guide(torch.zeros(1, 9, 32, 16, 8))


def test_gradient_checkpointing_runs_both_unets_and_the_encoders_again() -> None:
    network, inputs = as_if_trained(untrained(IMAGES)), some_inputs(frames=1)
    runs: list[str] = []
    watched = {
        "reference": network.reference_network.mid_block.resnets[0].conv1,
        "main": network.denoiser.unet.mid_block.resnets[0].conv1,
        "encoders": network.pose_guider.gating.encoders,
    }
    for name, module in watched.items():
        module.register_forward_hook(lambda *_, name=name: runs.append(name))
    gradients = []
    for _ in range(2):
        network.zero_grad()
        inputs(network).square().sum().backward()  # type: ignore[no-untyped-call]
        gradients.append({name: each.grad for name, each in network.named_parameters()})
        network.enable_gradient_checkpointing()
    assert sorted(runs) == sorted(3 * list(watched))
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("conditions", [(), ("skeleton", "skeleton"), "hands"])
def test_conditions_that_make_no_network_are_refused(conditions: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="one or more, each once"):
        replace(IMAGES, conditions=conditions)


@torch.no_grad()
def test_each_condition_is_encoded_by_itself() -> None:
    gating = PoseGating(conditions=3, out_channels=32)
    images = torch.rand(1, 9, 64, 64)
    other = images.clone()
    other[:, 3:6] = 0
    changed = (gating.encoders(images) != gating.encoders(other)).flatten(2).any(-1)[0].view(3, 256).any(-1)
    assert changed.tolist() == [False, True, False]


@torch.no_grad()
def test_a_condition_whose_gate_is_shut_does_not_count() -> None:
    gating = PoseGating(conditions=2, out_channels=32)
    last = gating.gate[2]
    assert isinstance(last, nn.Conv2d) and last.bias is not None
    nn.init.zeros_(last.weight)
    last.bias.copy_(torch.tensor([0.0, -100.0]))
    images = torch.rand(1, 6, 64, 64)
    other = images.clone()
    other[:, 3:] = 0
    torch.testing.assert_close(gating(images), gating(other))


@torch.no_grad()
def test_the_guidance_of_a_video_is_smoothed_by_motion_modules() -> None:
    inputs = some_inputs()
    other = {name: images.clone() for name, images in inputs.conditions.items()}
    other["skeleton"][:, 2] = 0

    def first_frame_changes(settings: RealisDanceSettings) -> bool:
        network = as_if_trained(untrained(settings))
        before, after = (
            network.guide(network.encode_poses(conditions))[2][:, 0]
            for conditions in (inputs.conditions, other)
        )
        return not torch.allclose(before, after, atol=1e-5)

    assert first_frame_changes(VIDEOS)
    assert not first_frame_changes(IMAGES)


def test_gradients_through_the_projector_are_right() -> None:
    torch.manual_seed(0)
    projector = TokenProjector(4, 3).double()
    nn.init.normal_(projector.post_proj.weight)
    features = torch.randn(1, 2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(projector, features)
