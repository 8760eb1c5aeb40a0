"""RealisDance's network gives the released network's outputs, from a checkpoint in the released layout.

`pytest tests/model/test_released.py --fixture FILE.npz --inputs NAMES.json` takes other outputs and inputs:
NAMES.json maps stage -> input -> [name in the recipe, shape], or the numbers themselves for `timestep`.
"""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from model.realisdance.checkpoint import load_checkpoint, released_names, released_state, write_checkpoint
from model.realisdance.network import RealisDance, RealisDanceSettings
from model.unet.reference_attention import Reference
from model.unet.settings import MotionSettings, UNetSettings

INPUTS: dict[str, dict[str, Any]] = {
    "stage1": {
        "sample": ["sample1", [2, 4, 16, 12]],
        "reference": ["ref1", [2, 4, 16, 12]],
        "dwpose": ["dwpose1", [2, 3, 128, 96]],
        "hamer": ["hamer1", [2, 3, 128, 96]],
        "smpl": ["smpl1", [2, 3, 128, 96]],
        "timestep": [500, 37],
        "tokens": ["tokens1", [2, 7, 48]],
    },
    "stage2": {
        "sample": ["sample2", [1, 4, 4, 16, 12]],
        "reference": ["ref2", [1, 4, 16, 12]],
        "dwpose": ["dwpose2", [1, 3, 4, 128, 96]],
        "hamer": ["hamer2", [1, 3, 4, 128, 96]],
        "smpl": ["smpl2", [1, 3, 4, 128, 96]],
        "timestep": [731],
        "tokens": ["tokens2", [1, 7, 48]],
    },
}

CONDITIONS = {"skeleton": "dwpose", "hands": "hamer", "smpl_cs": "smpl"}
"""Ours by their names here: as the released network calls them."""

TOLERANCE = 1e-4


@dataclass(frozen=True)
class Released:
    """One stage: the network, its inputs in this project's layout, and the released outputs by name."""

    network: RealisDance
    sample: Tensor
    timestep: Tensor
    conditions: Mapping[str, Tensor]
    latent: Tensor
    features: Tensor
    outputs: Mapping[str, Tensor]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A stage is tested if there are inputs for it."""
    if "released" in metafunc.fixturenames:
        given = metafunc.config.getoption("--inputs")
        stages = json.loads(given.read_text()) if given else INPUTS
        metafunc.parametrize("released", stages, indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def two_threads() -> Iterator[None]:
    """As many as the released outputs were computed with. A sum's order hangs on it, and the first norm of
    the guider's motion modules magnifies its rounding two hundredfold: against float64 the released features
    themselves are off by 1.1e-4.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def released(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Released:
    """The stage of the parameter, from the files of the options or else from the folder of fixtures."""
    stage = request.param
    given = request.config.getoption("--inputs")
    inputs = (json.loads(given.read_text()) if given else INPUTS)[stage]
    shared: Path = request.getfixturevalue("shared")
    fixture = request.config.getoption("--fixture") or shared / "fixtures" / "realisdance_small_io.npz"
    with np.load(fixture) as file:
        outputs = {
            name.removeprefix(f"{stage}_"): torch.from_numpy(file[name])
            for name in file.files
            if name.startswith(f"{stage}_")
        }
    recipe = runpy.run_path(str(shared / "fixtures" / "recipe.py"))

    def made(name: str) -> Tensor:
        numbers = torch.from_numpy(recipe["z"](inputs[name][0], tuple(inputs[name][1])))
        return numbers if name in ("reference", "tokens") else frames_second(numbers)

    settings = settings_of(inputs, outputs)
    path = tmp_path_factory.mktemp(stage) / "released.ckpt"
    state = {f"module.{name}": weight for name, weight in released_weights(settings, recipe["fill"]).items()}
    torch.save({"epoch": 1, "global_step": 2, "state_dict": state}, path)
    return Released(
        load_checkpoint(path, settings).eval(),
        made("sample"),
        torch.tensor(inputs["timestep"]).reshape(-1).expand(inputs["sample"][1][0]),
        {ours: (made(theirs) + 1) / 2 for ours, theirs in CONDITIONS.items()},
        made("reference"),
        made("tokens"),
        outputs,
    )


def frames_second(numbers: Tensor) -> Tensor:
    """Images as videos of one frame; videos of the released layout (batch, channels, frames, ...) in ours."""
    return numbers.unsqueeze(1) if numbers.ndim == 4 else numbers.transpose(1, 2)


def settings_of(inputs: Mapping[str, Any], outputs: Mapping[str, Tensor]) -> RealisDanceSettings:
    """The network's size, by the shapes of its inputs and outputs."""
    channels = (
        outputs["guider0"].shape[1],
        outputs["guider2"].shape[1],
        outputs["guider3"].shape[1],
        outputs["guider4"].shape[1],
    )
    return RealisDanceSettings(
        unet=UNetSettings(channels, 8 if channels[0] == 320 else 4, outputs["tokens"].shape[-1]),
        motion=MotionSettings() if len(inputs["sample"][1]) == 5 else None,
        feature_width=inputs["tokens"][1][-1],
    )


def released_weights(settings: RealisDanceSettings, fill: Any) -> dict[str, Tensor]:
    """Every weight by its released name, with the values that the released outputs are of."""
    with torch.device("meta"):
        network = RealisDance(settings)
    return {
        name: sinusoids(*weight.shape[1:])
        if name.endswith("pos_encoder.pe")
        else torch.from_numpy(fill(name, tuple(weight.shape)))
        for own, weight in network.state_dict().items()
        for name in released_names(own)
    }


def sinusoids(positions: int, width: int) -> Tensor:
    """The table of positions of Vaswani et al. 2017, section 3.5."""
    angles = np.arange(positions)[:, None] / 10000 ** (np.arange(0, width, 2) / width)
    return torch.from_numpy(
        np.stack([np.sin(angles), np.cos(angles)], -1).reshape(1, positions, width)
    ).float()


def assert_released(found: Tensor, released: Tensor) -> None:
    torch.testing.assert_close(found, released, rtol=0, atol=TOLERANCE)


@torch.inference_mode()
def test_the_tokens_of_the_image_are_the_released_ones(released: Released) -> None:
    assert_released(released.network.projector(released.features), released.outputs["tokens"])


@torch.inference_mode()
def test_the_five_features_of_the_poses_are_the_released_ones(released: Released) -> None:
    levels = released.network.guide(released.network.encode_poses(released.conditions))
    assert len(levels) == 5
    for level, features in enumerate(levels):
        assert_released(features.flatten(0, 1), released.outputs[f"guider{level}"])


@torch.inference_mode()
def test_the_prediction_is_the_released_one(released: Released) -> None:
    found = released.network(
        released.sample, released.timestep, released.conditions, released.latent, released.features
    )
    assert_released(found, frames_second(released.outputs["sample"]))


@torch.inference_mode()
def test_the_prediction_without_the_reference_is_the_released_one(released: Released) -> None:
    network = released.network
    reference = Reference(network.projector(released.features))
    found = network.denoise(
        released.sample,
        released.timestep,
        network.guide(network.encode_poses(released.conditions)),
        reference,
    )
    assert_released(found, frames_second(released.outputs["drop"]))


def test_weights_written_are_those_that_were_read(released: Released, tmp_path: Path) -> None:
    network = released.network
    path = tmp_path / "written.safetensors"
    write_checkpoint(network, path)
    again = released_state(load_checkpoint(path, network.settings))
    for name, weight in released_state(network).items():
        assert torch.equal(again[name], weight), name


@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_the_names_and_shapes_of_the_weights_are_the_released_ones(shared: Path, stage: str) -> None:
    motion = MotionSettings() if stage == "stage2" else None
    with torch.device("meta"):
        network = RealisDance(RealisDanceSettings(motion=motion))
    found = {
        other: list(weight.shape)
        for name, weight in network.state_dict().items()
        for other in released_names(name)
    }
    assert found == json.loads((shared / "reference" / "realisdance_keys.json").read_text())[stage]
