"""RealisDance's checkpoints: what is read of a file, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from extractors.weights.errors import WeightsError
from model.realisdance.checkpoint import load_checkpoint, released_state, write_checkpoint
from tests.factories.as_if_trained import as_if_trained
from tests.factories.small_realisdance import IMAGES, VIDEOS, some_inputs, untrained


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


def test_a_loaded_network_is_of_the_wanted_type_and_owns_its_weights(tmp_path: Path) -> None:
    network = untrained(VIDEOS).half()
    path = tmp_path / "half.safetensors"
    write_checkpoint(network, path)
    dtypes = (torch.bfloat16, torch.float16, torch.float32)
    loaded = {dtype: load_checkpoint(path, VIDEOS, dtype).state_dict() for dtype in dtypes}
    path.write_bytes(bytes(path.stat().st_size))
    for dtype, state in loaded.items():
        for name, weight in network.state_dict().items():
            assert state[name].dtype == dtype
            assert torch.equal(state[name], weight.to(dtype)), name


def test_compiled_and_wrapped_networks_are_written_under_their_plain_names(tmp_path: Path) -> None:
    network = untrained(IMAGES)
    expected = dict(network.state_dict())
    compiled: Any = torch.compile(network.denoiser)
    network.denoiser = compiled
    wrapped = nn.DataParallel(network)
    assert "module.denoiser._orig_mod.unet.conv_in.weight" in wrapped.state_dict()
    write_checkpoint(wrapped, tmp_path / "wrapped.safetensors")
    read = load_checkpoint(tmp_path / "wrapped.safetensors", IMAGES).state_dict()
    assert all(torch.equal(read[name], weight) for name, weight in expected.items())


def test_a_weight_by_two_names_is_refused(tmp_path: Path) -> None:
    state = released_state(untrained(IMAGES))
    state["projector.post_proj.bias"] = torch.ones(32)
    safetensors.torch.save_file(state, tmp_path / "two.safetensors")
    with pytest.raises(WeightsError, match=r"has projector.post_proj.bias by two names"):
        load_checkpoint(tmp_path / "two.safetensors", IMAGES)
