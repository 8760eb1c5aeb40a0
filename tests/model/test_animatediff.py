"""AnimateDiff's motion modules load in each published version, and are written as they are read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from extractors.weights.errors import WeightsError
from model.unet.animatediff import (
    load_motion_modules,
    motion_settings_of,
    start_motion,
    write_motion_modules,
)
from model.unet.denoising_unet import DenoisingUNet
from model.unet.settings import MotionSettings, UNetSettings, make_motion_adapter, make_unet
from model.unet.weight_files import check_config

CHANNELS = (32, 32, 64, 64)
VERSIONS = {1: MotionSettings(24, 4), 2: MotionSettings(32, 4, mid=True), 3: MotionSettings(32, 4)}


def trained(settings: MotionSettings) -> Any:
    """Motion modules of random weights."""
    motion = make_motion_adapter(CHANNELS, settings)
    for weight in motion.parameters():
        weight.data.normal_()
    return motion


def published(settings: MotionSettings) -> dict[str, Tensor]:
    """Random weights in AnimateDiff's own names and shapes (its animatediff/models/motion_module.py), written
    down here without those of diffusers.
    """
    widths = {
        f"{part}_blocks.{level}.motion_modules.{layer}": CHANNELS[level if part == "down" else 3 - level]
        for part, layers in (("down", 2), ("up", 3))
        for level in range(4)
        for layer in range(layers)
    }
    if settings.mid:
        widths["mid_block.motion_modules.0"] = CHANNELS[3]
    state: dict[str, Tensor] = {}
    for module, width in widths.items():
        here = f"{module}.temporal_transformer"
        block = f"{here}.transformer_blocks.0"
        state |= {
            f"{part}.{kind}": torch.randn((width, width) if kind == "weight" and "proj" in part else width)
            for part in (f"{here}.norm", f"{here}.proj_in", f"{here}.proj_out", f"{block}.ff_norm")
            for kind in ("weight", "bias")
        }
        time = torch.arange(settings.positions)[:, None]
        angles = time * torch.exp(torch.arange(0, width, 2) * (-torch.log(torch.tensor(1e4)) / width))
        table = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[None]
        for attention in (0, 1):
            state[f"{block}.norms.{attention}.weight"] = torch.randn(width)
            state[f"{block}.norms.{attention}.bias"] = torch.randn(width)
            inside = f"{block}.attention_blocks.{attention}"
            for part in ("to_q", "to_k", "to_v", "to_out.0"):
                state[f"{inside}.{part}.weight"] = torch.randn(width, width)
            state[f"{inside}.to_out.0.bias"] = torch.randn(width)
            state[f"{inside}.pos_encoder.pe"] = table
        state[f"{block}.ff.net.0.proj.weight"] = torch.randn(8 * width, width)
        state[f"{block}.ff.net.0.proj.bias"] = torch.randn(8 * width)
        state[f"{block}.ff.net.2.weight"] = torch.randn(width, 4 * width)
        state[f"{block}.ff.net.2.bias"] = torch.randn(width)
    return state


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_loads_and_is_written_as_it_was(version: int, tmp_path: Path) -> None:
    state = published(VERSIONS[version])
    torch.save(state, tmp_path / "mm.ckpt")
    motion = make_motion_adapter(CHANNELS, VERSIONS[version])
    load_motion_modules(motion, tmp_path / "mm.ckpt")
    write_motion_modules(motion, tmp_path / "mm.safetensors")
    written = safetensors.torch.load_file(tmp_path / "mm.safetensors")
    assert written.keys() == state.keys()
    assert all(torch.equal(written[name], weight) for name, weight in state.items())
    own = motion.state_dict()
    here = "up_blocks.1.motion_modules.2"
    there = f"{here}.temporal_transformer.transformer_blocks.0"
    for mine, theirs in (
        ("attn2.to_k", "attention_blocks.1.to_k"),
        ("norm1", "norms.0"),
        ("norm3", "ff_norm"),
    ):
        assert torch.equal(
            own[f"{here}.transformer_blocks.0.{mine}.weight"], state[f"{there}.{theirs}.weight"]
        )


def test_wrapped_files_load_and_what_is_no_motion_module_is_left_aside(tmp_path: Path) -> None:
    """As AnimateDiff's own training writes them, and as its version 3 has its settings in the file."""
    state = published(VERSIONS[3])
    wrapped = {f"module.{name}": weight.half() for name, weight in state.items()}
    content = {
        "epoch": 1,
        "state_dict": wrapped | {"module.conv_in.weight": torch.ones(1), "animatediff_config": {"a": 1}},
    }
    torch.save(content, tmp_path / "wrapped.ckpt")
    motion = make_motion_adapter(CHANNELS, VERSIONS[3])
    load_motion_modules(motion, tmp_path / "wrapped.ckpt")
    name = "down_blocks.3.motion_modules.1.proj_out.weight"
    loaded = motion.state_dict()[name]
    assert loaded.dtype == torch.float32
    assert torch.equal(loaded, wrapped[f"module.{_theirs(name)}"].float())


def _theirs(name: str) -> str:
    return re.sub(r"(motion_modules\.\d)", r"\1.temporal_transformer", name)


def test_a_folder_of_diffusers_loads(tmp_path: Path) -> None:
    motion = trained(VERSIONS[2])
    motion.save_pretrained(tmp_path)
    found = make_motion_adapter(CHANNELS, VERSIONS[2])
    load_motion_modules(found, tmp_path)
    assert all(torch.equal(found.state_dict()[name], weight) for name, weight in motion.state_dict().items())
    other = make_motion_adapter(CHANNELS, MotionSettings(32, 8, mid=True))
    with pytest.raises(WeightsError, match="motion_num_attention_heads is 4, not 8"):
        load_motion_modules(other, tmp_path)


CONFIG = {
    "_class_name": "MotionAdapter",
    "_diffusers_version": "0.26.0.dev0",
    "block_out_channels": [320, 640, 1280, 1280],
    "conv_in_channels": None,
    "motion_layers_per_block": 2,
    "motion_max_seq_length": 32,
    "motion_mid_block_layers_per_block": 1,
    "motion_norm_num_groups": 32,
    "motion_num_attention_heads": 8,
    "use_motion_mid_block": False,
}
"""config.json of a published motion adapter, of AnimateDiff's version 3. PIA's has another first layer of the
UNet besides, of 9 channels, which is no motion module."""


def test_published_settings_fit(tmp_path: Path) -> None:
    with torch.device("meta"):
        motion = make_motion_adapter(UNetSettings().channels, MotionSettings())
    for config in (CONFIG, CONFIG | {"conv_in_channels": 9}):
        (tmp_path / "config.json").write_text(json.dumps(config))
        check_config(tmp_path, motion.config)


def test_a_file_of_another_version_says_what_would_fit(tmp_path: Path) -> None:
    for version, settings in VERSIONS.items():
        torch.save(published(settings), tmp_path / f"{version}.ckpt")
        assert motion_settings_of(published(settings), tmp_path) == MotionSettings(
            settings.positions, 8, settings.mid
        )
    third = make_motion_adapter(CHANNELS, VERSIONS[3])
    with pytest.raises(
        WeightsError,
        match=r"1\.ckpt: has 24 positions and no module in the middle block, as version 1; .*32 positions "
        r"and no module.* MotionSettings\(positions=24, mid=False\)",
    ):
        load_motion_modules(third, tmp_path / "1.ckpt")
    with pytest.raises(
        WeightsError, match=r"and a module in the .* as version 2; .*\(positions=32, mid=True\)"
    ):
        load_motion_modules(third, tmp_path / "2.ckpt")
    torch.save(published(MotionSettings(16, 4)), tmp_path / "16.ckpt")
    with pytest.raises(WeightsError, match=r"no module in the middle block; the network"):
        load_motion_modules(third, tmp_path / "16.ckpt")
    # Nothing was loaded by halves.
    assert not third.down_blocks[0].motion_modules[0].proj_out.weight.any()


def test_what_is_missing_unknown_or_no_motion_module_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mm.ckpt"
    motion = make_motion_adapter(CHANNELS, VERSIONS[3])
    state = published(VERSIONS[3])
    first = "down_blocks.0.motion_modules.0.temporal_transformer"
    torch.save({name: weight for name, weight in state.items() if name != f"{first}.norm.bias"}, path)
    with pytest.raises(WeightsError, match=r"1 missing \(down_blocks\.0\.motion_modules\.0\.norm\.bias\)"):
        load_motion_modules(motion, path)
    torch.save(state | {f"{first}.extra": torch.ones(1)}, path)
    with pytest.raises(WeightsError, match=r"1 unknown \(.*temporal_transformer\.extra\)"):
        load_motion_modules(motion, path)
    torch.save({"conv_in.weight": torch.ones(1)}, path)
    with pytest.raises(WeightsError, match="holds no motion modules with positions"):
        load_motion_modules(motion, path)


def test_a_denoising_unet_starts_with_the_file_if_it_is_of_videos(tmp_path: Path) -> None:
    state = published(VERSIONS[3])
    torch.save(state, tmp_path / "mm.ckpt")
    unet = make_unet(UNetSettings(CHANNELS, 4, 32))
    denoiser = DenoisingUNet(unet, make_motion_adapter(CHANNELS, VERSIONS[3]))
    start_motion(denoiser, tmp_path / "mm.ckpt")
    name = "up_blocks.3.motion_modules.0.proj_in.bias"
    assert torch.equal(denoiser.state_dict()[f"motion.{name}"], state[_theirs(name)])
    with pytest.raises(ValueError, match="one of images"):
        start_motion(DenoisingUNet(unet, None), tmp_path / "mm.ckpt")
