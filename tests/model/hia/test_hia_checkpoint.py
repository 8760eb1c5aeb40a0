"""A checkpoint gives back the network that was written, and a wrong one is refused with its reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from extractors.weights.errors import WeightsError
from model.hia.checkpoint import load_checkpoint, write_checkpoint
from tests.factories.small_hia import IMAGES, VIDEOS, as_if_trained, some_inputs, untrained


@torch.no_grad()
def test_what_is_read_predicts_what_was_written_predicts(tmp_path: Path) -> None:
    network = as_if_trained(untrained(VIDEOS))
    write_checkpoint(network, tmp_path / "hia.safetensors")
    read = load_checkpoint(tmp_path / "hia.safetensors", VIDEOS).eval()
    inputs = some_inputs()
    torch.testing.assert_close(inputs(read), inputs(network), rtol=0, atol=0)
    written = safetensors.torch.load_file(tmp_path / "hia.safetensors")
    assert set(written) == set(network.state_dict())


@torch.no_grad()
def test_the_temporal_stages_begin_with_the_spatial_stages_predictions(tmp_path: Path) -> None:
    network = as_if_trained(untrained(IMAGES))
    write_checkpoint(network, tmp_path / "regional.safetensors")
    video = load_checkpoint(tmp_path / "regional.safetensors", VIDEOS).eval()
    inputs = some_inputs()
    torch.testing.assert_close(inputs(video), inputs(network), rtol=1e-4, atol=1e-5)
    assert any(name.startswith("denoiser.motion.") for name in video.state_dict())


def test_weights_of_another_network_are_refused_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "hia.safetensors"
    write_checkpoint(untrained(IMAGES), path)
    with pytest.raises(WeightsError, match=r"cond_embedding.conv_in.weight is \(16, 6, 3, 3\), not \(16, 3,"):
        load_checkpoint(path, replace(IMAGES, conditions=("skeleton",)))
    state = safetensors.torch.load_file(path)
    del state["denoiser.unet.conv_out.bias"]
    safetensors.torch.save_file(state, path)
    with pytest.raises(WeightsError, match=r"1 missing \(denoiser.unet.conv_out.bias\)"):
        load_checkpoint(path, IMAGES)
    write_checkpoint(untrained(VIDEOS), path)
    with pytest.raises(WeightsError, match=r"unknown \(denoiser.motion"):
        load_checkpoint(path, IMAGES)
