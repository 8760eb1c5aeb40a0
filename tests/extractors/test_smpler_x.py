"""SMPLer-X's network: its outputs are the released network's, in every size, and its weights are read."""

from __future__ import annotations

import json
import math
import runpy
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from extractors.smpler_x.network import Size, SmplerX, smpler_x_network
from extractors.smpler_x.weights import load_smpler_x, random_smpler_x
from extractors.weights.errors import WeightsError
from renderers.body_models.interface import BodyParameters

SIZES: tuple[Size, ...] = ("s32", "b32", "l32", "h32")

OUTPUTS = {
    "root_pose": "smplx_root_pose",
    "body_pose": "smplx_body_pose",
    "left_hand_pose": "smplx_lhand_pose",
    "right_hand_pose": "smplx_rhand_pose",
    "jaw_pose": "smplx_jaw_pose",
    "shape": "smplx_shape",
    "expression": "smplx_expr",
    "translation": "cam_trans",
    "joints": "joint_img",
}
"""What the released network calls them."""


@pytest.fixture(scope="module")
def recipe(shared: Path) -> Mapping[str, Any]:
    """What made the numbers that the released networks were given."""
    return runpy.run_path(str(shared / "fixtures" / "recipe.py"))


def filled(size: Size, fill: Callable[..., np.ndarray]) -> SmplerX:
    """The network with the weights that the released outputs were made with."""
    with torch.device("meta"):
        network = smpler_x_network(size)
    weights = {
        name: torch.from_numpy(np.asarray(fill(name, tuple(weight.shape))))
        for name, weight in network.state_dict().items()
    }
    network.load_state_dict(weights, assign=True)
    return network.eval()


@pytest.fixture(scope="module")
def small(recipe: Mapping[str, Any]) -> SmplerX:
    """The small network."""
    return filled("small", recipe["fill"])


@pytest.fixture(scope="module")
def images(recipe: Mapping[str, Any]) -> Float[Tensor, "2 3 256 192"]:
    """Every other pixel of the released networks' input."""
    return torch.from_numpy(0.5 * (recipe["z"]("smplerx.input.img", (2, 3, 512, 384)) + 1))[..., ::2, ::2]


def layout(network: nn.Module) -> dict[str, tuple[list[int], str]]:
    return {
        name: (list(weight.shape), str(weight.dtype).removeprefix("torch."))
        for name, weight in network.state_dict().items()
    }


@pytest.mark.parametrize("size", [*SIZES, "small"])
def test_weights_are_the_released_file_s(shared: Path, size: Size) -> None:
    manifest = json.loads((shared / "fixtures" / f"smplerx_{size}_manifest.json").read_text())
    with torch.device("meta"):
        network = smpler_x_network(size)
    assert layout(network) == {
        name.removeprefix("module."): (entry["shape"], entry["dtype"])
        for name, entry in manifest.get("network", manifest).items()
    }


def run(network: SmplerX, images: Tensor) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The outputs, and those of each module."""
    inner: dict[str, Any] = {}
    hooks = [
        module.register_forward_hook(lambda _, __, given, name=name: inner.__setitem__(name, given))
        for name, module in network.named_children()
    ]
    with torch.inference_mode():
        outputs = network(images)
    for hook in hooks:
        hook.remove()
    return outputs, inner


def assert_released(outputs: dict[str, Tensor], inner: dict[str, Any], shared: Path, size: Size) -> None:
    """All that the released network gives, and what its modules do, is the same."""
    features, tokens = inner["encoder"]
    centres, sizes = inner["box_net"]
    channels = features.shape[1]
    root, body, shape, camera = inner["body_regressor"]
    expression, jaw = inner["face_regressor"]
    ours = {
        **{theirs: outputs[name] for name, theirs in OUTPUTS.items()},
        "mid_img_feat": features[:, :: max(1, channels // 32)],
        "mid_task_tokens": tokens[..., :: max(1, channels // 64)],
        "mid_body_joint_img": inner["body_position_net"][1],
        **{"mid_root6d": root, "mid_body6d": body, "mid_shape": shape, "mid_cam_param": camera},
        **{f"mid_box_{part}c": centres[:, place] for place, part in enumerate("lrf")},
        **{f"mid_box_{part}s": sizes[:, place] for place, part in enumerate("lrf")},
        "mid_hand_feat": inner["hand_roi_net"][:, :: max(1, channels // 16)],
        "mid_hand_joint_img": inner["hand_position_net"][1],
        "mid_hand6d": inner["hand_regressor"],
        **{"mid_expr": expression, "mid_jaw6d": jaw},
    }
    boxes = {"lhand_bbox": "left_hand_box", "rhand_bbox": "right_hand_box", "face_bbox": "face_box"}
    with np.load(shared / "fixtures" / f"smplerx_{size}_io.npz") as released:
        of_body_model = {"smplx_mesh_cam_every25", "smplx_joint_proj"}
        assert ours.keys() | boxes.keys() | of_body_model == set(released.files)
        for name, values in ours.items():
            theirs = released[name]
            np.testing.assert_allclose(
                values.numpy().reshape(theirs.shape), theirs, rtol=0, atol=1e-4, err_msg=name
            )
        for theirs, name in boxes.items():
            # Theirs are in pixels of an image twice as large.
            np.testing.assert_allclose(
                2 * outputs[name].numpy(), released[theirs], rtol=0, atol=5e-4, err_msg=name
            )


def test_outputs_are_the_released(small: SmplerX, images: Tensor, shared: Path) -> None:
    assert_released(*run(small, images), shared, "small")


@pytest.mark.large
@pytest.mark.parametrize("size", SIZES)
def test_outputs_of_real_sizes_are_the_released(
    recipe: Mapping[str, Any], images: Tensor, shared: Path, size: Size
) -> None:
    assert_released(*run(filled(size, recipe["fill"]), images), shared, size)


def test_the_body_in_front_of_the_camera_is_the_released(
    recipe: Mapping[str, Any], small: SmplerX, images: Tensor, shared: Path, tmp_path: Path
) -> None:
    pytest.importorskip("smplx")
    from renderers.body_models.smplx import Smplx

    np.savez(tmp_path / "SMPLX_NEUTRAL.npz", **recipe["fake_smplx"](20))
    found = {name: values.numpy() for name, values in run(small, images)[0].items()}
    turns = ("root_pose", "body_pose", "jaw_pose", "eyes", "left_hand_pose", "right_hand_pose")
    found["eyes"] = np.zeros((2, 2, 3), np.float32)
    parameters = BodyParameters(
        pose=np.concatenate([found[name].reshape(2, -1, 3) for name in turns], axis=1),
        shape=found["shape"],
        expression=found["expression"],
        translation=found["translation"],
    )
    body = Smplx(tmp_path)
    with np.load(shared / "fixtures" / "smplx_layer.npz") as layer:
        points = body.landmarks(parameters)[:, layer["joint_idx"]]
    # A tenth of a millimetre is added to the depth in the released projection, and the unit is 16 pixels.
    projected = (points[..., :2] / (points[..., 2:] + 1e-4) * 5000 + [96, 128]) / 16
    with np.load(shared / "fixtures" / "smplerx_small_io.npz") as released:
        np.testing.assert_allclose(
            body.surface(parameters).vertices[:, ::25],
            released["smplx_mesh_cam_every25"],
            rtol=0,
            atol=1e-4,
        )
        np.testing.assert_allclose(projected, released["smplx_joint_proj"], rtol=0, atol=5e-4)


def test_random_weights_are_those_of_the_seed_and_give_a_body_near_rest() -> None:
    state = torch.random.get_rng_state()
    first, again, other = random_smpler_x("small"), random_smpler_x("small"), random_smpler_x("small", 1)
    assert torch.equal(torch.random.get_rng_state(), state)
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name
    image = torch.rand(1, 3, 256, 192, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        outputs, others = first(image), other(image)
    assert not torch.equal(outputs["body_pose"], others["body_pose"])
    for name, values in outputs.items():
        assert values.isfinite().all(), name
    # The body's y points up, the camera's down: upright is half a turn about x.
    upright = torch.tensor([math.pi, 0, 0])
    assert (outputs["root_pose"].abs() - upright).norm(dim=-1).max() < 0.8
    for name in ("body_pose", "left_hand_pose", "right_hand_pose", "jaw_pose"):
        assert outputs[name].norm(dim=-1).max() < 0.8, name
    for name in ("left_hand_box", "right_hand_box", "face_box"):
        assert (outputs[name][:, 2:] - outputs[name][:, :2] > 16).all(), name
    assert (outputs["translation"][:, 2] > 10).all() and outputs["translation"][:, :2].abs().max() < 0.1


def renamed(state: Mapping[str, Tensor], prefix: str, names: Mapping[str, str]) -> dict[str, Tensor]:
    parts = [(name.partition("."), weight) for name, weight in state.items()]
    return OrderedDict({f"{prefix}{names.get(module, module)}.{rest}": w for (module, _, rest), w in parts})


@pytest.mark.parametrize("prefix", ["module.", ""])
@pytest.mark.parametrize(
    "names",
    [
        {},
        {
            "encoder": "backbone",
            "body_regressor": "body_rotation_net",
            "hand_regressor": "hand_rotation_net",
        },
    ],
)
def test_weights_are_read_by_either_of_their_names(
    tmp_path: Path, prefix: str, names: dict[str, str]
) -> None:
    network = random_smpler_x("small", 4)
    state = renamed(network.state_dict(), prefix, names)
    state[f"{prefix}smplx_layer.v_template"] = torch.zeros(10475, 3)
    path = tmp_path / "smpler_x.pth.tar"
    torch.save({"epoch": 3, "network": state, "optimizer": {"state": {}}}, path)
    loaded = load_smpler_x(path, "small")
    assert not loaded.training
    for name, weight in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight), name


def test_a_file_that_is_not_this_network_s_is_told(tmp_path: Path) -> None:
    path = tmp_path / "smpler_x.pth.tar"
    state = random_smpler_x("small").state_dict()

    def told(values: Mapping[str, Any], size: Size = "small") -> str:
        torch.save(values, path)
        with pytest.raises(WeightsError) as error:
            load_smpler_x(path, size)
        assert str(path) in str(error.value)
        return str(error.value)

    assert "is SMPLer-X of size small, not s32" in told({"network": state}, "s32")
    assert "no `network`" in told({"state_dict": state})
    missing = {name: weight for name, weight in state.items() if name != "box_net.bbox_center.0.bias"}
    assert "box_net.bbox_center.0.bias" in told({"network": missing})
    assert "neck.weight" in told({"network": {**state, "neck.weight": torch.zeros(2)}})
    shape = "face_regressor.expr_out.0.bias"
    assert f"{shape} is (50,), not (10,)" in told({"network": {**state, shape: torch.zeros(50)}})
