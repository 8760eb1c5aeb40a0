"""A checkpoint gives back the network that was written, and a wrong one is refused with its reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from extractors.weights.errors import WeightsError
from model.hia.checkpoint import load_checkpoint, write_checkpoint
from tests.factories.as_if_trained import as_if_trained
from tests.factories.small_hia import IMAGES, VIDEOS, some_inputs, untrained


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
    torch.save(wrapped.state_dict(), tmp_path / "saved_as_it_is.ckpt")
    load_checkpoint(tmp_path / "saved_as_it_is.ckpt", IMAGES)
