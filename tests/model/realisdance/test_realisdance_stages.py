"""Which parts of RealisDance each stage of training changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed as distributed
from torch.nn.parallel import DistributedDataParallel

from model.realisdance.network import RealisDanceSettings
from model.realisdance.training_stages import STAGES, freeze_others
from tests.factories.as_if_trained import as_if_trained
from tests.factories.small_realisdance import IMAGES, VIDEOS, some_inputs, untrained


@pytest.mark.parametrize("settings", [IMAGES, VIDEOS], ids=["images", "videos"])
def test_images_train_all_that_is_read_but_motion_modules(settings: RealisDanceSettings) -> None:
    network = as_if_trained(untrained(settings))
    trained = freeze_others(network, STAGES["images"])
    some_inputs()(network).square().sum().backward()  # type: ignore[no-untyped-call]
    with_gradient = [parameter for parameter in network.parameters() if parameter.grad is not None]
    assert list(map(id, with_gradient)) == list(map(id, trained))
    frozen = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    # After the reference network's last norm1 nothing is read.
    last = "reference_network.up_blocks.3.attentions.2."
    after = (last, "reference_network.conv_norm_out", "reference_network.conv_out")
    assert frozen and all("motion" in name or name.startswith(after) for name in frozen)


@pytest.mark.parametrize("stage", ["videos", "released_videos"])
def test_videos_train_motion_modules_alone(stage: str) -> None:
    network = as_if_trained(untrained(VIDEOS))
    trained = freeze_others(network, STAGES[stage])
    some_inputs()(network).square().sum().backward()  # type: ignore[no-untyped-call]
    with_gradient = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert len(with_gradient) == len(trained) > 0
    assert all("motion" in name for name in with_gradient)


def test_a_network_of_images_cannot_train_motion() -> None:
    with pytest.raises(ValueError, match="give RealisDanceSettings a motion"):
        freeze_others(untrained(IMAGES), STAGES["videos"])


@torch.no_grad()
def test_a_stage_unfreezes_what_another_froze() -> None:
    network = untrained(VIDEOS)
    first = freeze_others(network, STAGES["images"])
    freeze_others(network, STAGES["videos"])
    assert list(map(id, freeze_others(network, STAGES["images"]))) == list(map(id, first))


def test_images_train_in_parallel(tmp_path: Path) -> None:
    """Every parameter that is not frozen must get a gradient, or the second step fails."""
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1)
    try:
        network = as_if_trained(untrained(IMAGES))
        freeze_others(network, STAGES["images"])
        network.enable_gradient_checkpointing()
        parallel = DistributedDataParallel(network)
        for _ in range(2):
            some_inputs(frames=1)(parallel).square().mean().backward()  # type: ignore[no-untyped-call]
    finally:
        distributed.destroy_process_group()
