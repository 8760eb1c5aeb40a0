"""HaMeR's network: the released outputs, and the weights of its published file."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from extractors.hamer.network import Hamer, HamerSize, load_hamer, random_hamer
from extractors.weights.errors import WeightsError


def released_network(shared: Path, size: HamerSize) -> Hamer:
    """The network with the weights that its released outputs are of."""
    recipe = runpy.run_path(str(shared / "fixtures" / "recipe.py"))
    mean = recipe["fake_mano_mean_params"]()
    state = {
        "mano_head.init_hand_pose": mean["pose"][None],
        "mano_head.init_betas": mean["shape"][None],
        "mano_head.init_cam": mean["cam"][None],
    }
    with torch.device("meta"):
        network = Hamer(size)
    state |= {
        name: recipe["fill"](name, weight.shape)
        for name, weight in network.state_dict().items()
        if name not in state
    }
    network.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()}, assign=True)
    return network.eval()


def assert_released_outputs(shared: Path, network: Hamer, size: HamerSize, every: int) -> None:
    """The outputs are the released ones; of the features every `every`th channel."""
    made = runpy.run_path(str(shared / "fixtures" / "recipe.py"))["z"]
    images = torch.from_numpy(2 * made("hamer.input.img", (2, 3, 256, 256)))
    features = []
    network.backbone.register_forward_hook(lambda *called: features.append(called[2][0]))
    with torch.inference_mode():
        outputs = network(images)
    with np.load(shared / "fixtures" / f"hamer_{size}_io.npz") as released:
        np.testing.assert_allclose(features[0][:, ::every], released["feats_slice"], rtol=0, atol=1e-4)
        for name in ("global_orient", "hand_pose", "betas", "pred_cam"):
            np.testing.assert_allclose(outputs[name], released[name], rtol=0, atol=1e-4)


@pytest.fixture(scope="module")
def small(shared: Path) -> Hamer:
    """The small one."""
    return released_network(shared, "small")


def test_outputs_are_the_released_ones(shared: Path, small: Hamer) -> None:
    assert_released_outputs(shared, small, "small", every=1)


@pytest.mark.large
def test_outputs_of_the_real_size_are_the_released_ones(shared: Path) -> None:
    assert_released_outputs(shared, released_network(shared, "full"), "full", every=40)


@pytest.mark.parametrize("size", ["small", "full"])
def test_weights_have_the_released_names_and_shapes(shared: Path, size: HamerSize) -> None:
    file = "hamer_small_manifest.json" if size == "small" else "hamer_manifest.json"
    released: dict[str, Any] = json.loads((shared / "fixtures" / file).read_text())
    with torch.device("meta"):
        own = Hamer(size).state_dict()
    expected = {name: weight["shape"] for name, weight in released.get("network", released).items()}
    assert {name: list(weight.shape) for name, weight in own.items()} == expected


def test_the_published_file_is_loaded_without_what_trained_it(tmp_path: Path) -> None:
    network = random_hamer("small", seed=3)
    others = ("mano.faces_tensor", "discriminator.D_conv1.weight", "initialized")
    state = network.state_dict() | {name: torch.zeros(3) for name in others}
    path = tmp_path / "hamer.ckpt"
    torch.save({"epoch": 1, "state_dict": state, "hyper_parameters": {"cfg": Path()}}, path)
    loaded = load_hamer(path, "small").state_dict()
    assert loaded.keys() == network.state_dict().keys()
    assert all(torch.equal(weight, loaded[name]) for name, weight in network.state_dict().items())


def test_weights_of_another_network_are_told(tmp_path: Path) -> None:
    path = tmp_path / "other.ckpt"
    state = {"encoder.pos_embed": torch.zeros(2), "mano_head.deccam.bias": torch.zeros(7)}
    torch.save({"state_dict": state}, path)
    with pytest.raises(WeightsError) as told:
        load_hamer(path, "small")
    for part in (str(path), "encoder.pos_embed", r"mano_head.deccam.bias is (7,), not (3,)", "142 missing"):
        assert part in str(told.value)
    torch.save({"network": state}, path)
    with pytest.raises(WeightsError, match=r"other\.ckpt: has no state_dict"):
        load_hamer(path)


def test_an_untrained_network_is_the_same_each_time_and_sees_a_hand_ahead() -> None:
    before = torch.get_rng_state()
    first, again, other = (random_hamer("small", seed).eval() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    images = torch.randn(2, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        outputs, same, different = first(images), again(images), other(images)
    for name, value in outputs.items():
        assert torch.equal(value, same[name]) and not torch.equal(value, different[name])
    rest = torch.eye(3).expand(2, 16, 3, 3)
    turns = torch.cat([outputs["global_orient"], outputs["hand_pose"]], 1)
    assert 0 < (turns - rest).abs().max() < 0.2
    assert outputs["betas"].abs().max() < 0.2
    torch.testing.assert_close(outputs["pred_cam"], torch.tensor([[0.9, 0, 0]] * 2), rtol=0, atol=0.2)
    assert not torch.equal(turns[0], turns[1])
