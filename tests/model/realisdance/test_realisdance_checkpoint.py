"""RealisDance's checkpoints: what is read of a file, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from extractors.weights.errors import WeightsError
from model.realisdance.checkpoint import load_checkpoint, released_state, write_checkpoint
from tests.factories.small_realisdance import IMAGES, VIDEOS, as_if_trained, some_inputs, untrained


@torch.no_grad()
def test_a_checkpoint_of_images_begins_a_network_of_videos(tmp_path: Path) -> None:
    images = as_if_trained(untrained(IMAGES))
    write_checkpoint(images, tmp_path / "images.safetensors")
    videos = load_checkpoint(tmp_path / "images.safetensors", replace(VIDEOS, frame_norm="per_frame")).eval()
    inputs = some_inputs()
    torch.testing.assert_close(inputs(videos), inputs(images), rtol=0, atol=1e-5)


def test_a_loaded_network_is_trainable_and_owns_its_weights(tmp_path: Path) -> None:
    path = tmp_path / "videos.safetensors"
    write_checkpoint(untrained(VIDEOS), path)
    network = load_checkpoint(path, VIDEOS)
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert any(parameter.any() for parameter in network.reference_network.conv_in.parameters())
    some_inputs()(network).sum().backward()  # type: ignore[no-untyped-call]
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_a_checkpoint_of_videos_does_not_fit_a_network_of_images(tmp_path: Path) -> None:
    write_checkpoint(untrained(VIDEOS), tmp_path / "videos.safetensors")
    with pytest.raises(WeightsError, match=r"videos.safetensors: does not fit RealisDance .*unknown"):
        load_checkpoint(tmp_path / "videos.safetensors", IMAGES)


def test_another_number_of_conditions_does_not_fit(tmp_path: Path) -> None:
    write_checkpoint(untrained(IMAGES), tmp_path / "three.safetensors")
    with pytest.raises(WeightsError, match="of another shape"):
        load_checkpoint(tmp_path / "three.safetensors", replace(IMAGES, conditions=("skeleton",)))


def test_a_missing_weight_is_named(tmp_path: Path) -> None:
    state = released_state(untrained(IMAGES))
    del state["clip_projector.post_proj.bias"]
    safetensors.torch.save_file(state, tmp_path / "less.safetensors")
    with pytest.raises(WeightsError, match=r"1 missing \(projector.post_proj.bias"):
        load_checkpoint(tmp_path / "less.safetensors", IMAGES)


def test_two_tables_of_positions_in_one_motion_module_are_refused(tmp_path: Path) -> None:
    state = released_state(untrained(VIDEOS))
    name = next(name for name in state if name.endswith("attention_blocks.1.pos_encoder.pe"))
    state[name] += 1
    safetensors.torch.save_file(state, tmp_path / "odd.safetensors")
    with pytest.raises(WeightsError, match="differ"):
        load_checkpoint(tmp_path / "odd.safetensors", VIDEOS)


def test_a_file_without_weights_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": [1, 2]}, tmp_path / "list.ckpt")
    with pytest.raises(WeightsError, match=r"list.ckpt: its state_dict holds nothing by name"):
        load_checkpoint(tmp_path / "list.ckpt", IMAGES)
