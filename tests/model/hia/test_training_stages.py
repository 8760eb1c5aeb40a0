"""Each stage of HIA trains the parts that the paper says, and no other."""

from __future__ import annotations

import pytest
import torch

from model.hia.training_stages import STAGES, Part, TrainingStage, freeze_others
from tests.factories.as_if_trained import as_if_trained
from tests.factories.small_hia import IMAGES, VIDEOS, some_inputs, untrained

PREFIXES: dict[Part, str] = {
    "appearance_encoder": "appearance_encoder.",
    "controlnet": "controlnet.",
    "unet": "denoiser.unet.",
    "temporal_layers": "denoiser.motion.",
}


def test_gradients_reach_what_a_stage_trains_and_nothing_else() -> None:
    """All stages one after the other on one network, as training goes on."""
    network = as_if_trained(untrained(VIDEOS)).train()
    inputs = some_inputs(frames=2)
    trained: dict[str, tuple[Part, ...]] = {
        "spatial": ("appearance_encoder", "controlnet", "unet"),
        "regional": ("appearance_encoder",),
        "temporal_half": ("temporal_layers",),
        "temporal_full": ("temporal_layers",),
    }
    assert list(STAGES) == list(trained)
    for name, stage in STAGES.items():
        parameters = freeze_others(network, stage)
        network.zero_grad(set_to_none=True)
        inputs(network).square().mean().backward()  # type: ignore[no-untyped-call]
        reached = {each for each, parameter in network.named_parameters() if parameter.grad is not None}
        prefixes = tuple(PREFIXES[part] for part in trained[name])
        assert reached == {each for each, _ in network.named_parameters() if each.startswith(prefixes)}, name
        assert {id(each) for each in parameters} == {
            id(parameter) for each, parameter in network.named_parameters() if each in reached
        }
        for prefix in prefixes:
            of_part = [
                p.grad for n, p in network.named_parameters() if n.startswith(prefix) and p.grad is not None
            ]
            assert torch.stack([grad.norm() for grad in of_part]).norm() > 1e-4, prefix


def test_the_spatial_stages_need_no_temporal_layers_and_the_others_do() -> None:
    network = untrained(IMAGES)
    assert freeze_others(network, STAGES["spatial"])
    assert freeze_others(network, STAGES["regional"])
    with pytest.raises(ValueError, match="temporal_layers, and the network has none"):
        freeze_others(network, STAGES["temporal_half"])


def test_the_stages_are_those_of_the_paper() -> None:
    """Section 3.3 and appendix A.5."""
    stages = list(STAGES.values())
    assert [stage.iterations for stage in stages] == [35_000, 4_000, 20_000, 1_000]
    assert [(stage.batch, stage.accumulation) for stage in stages] == [(32, 4), (32, 4), (8, 1), (8, 1)]
    assert [stage.resolution for stage in stages] == [1, 1, 0.5, 1]
    assert [stage.timesteps for stage in stages] == [None, range(125), None, None]
    assert [stage.regional_losses for stage in stages] == [False, True, False, False]
    assert [stage.static_images for stage in stages] == [False, False, False, True]


@pytest.mark.parametrize("trains", [(), ("unet", "vae")])
def test_a_stage_trains_parts_of_the_network(trains: tuple[Part, ...]) -> None:
    with pytest.raises(ValueError, match="give one or more of appearance_encoder, controlnet, unet, temp"):
        TrainingStage(trains=trains, iterations=1, batch=1)
