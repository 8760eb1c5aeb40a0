"""Weights of Stable Diffusion load from folders and from single files, and what does not fit is told."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor

from extractors.weights.errors import WeightsError
from model.realisdance.network import RealisDance, RealisDanceSettings
from model.realisdance.pretrained import start_from_stable_diffusion
from model.unet.settings import UNetSettings, make_unet
from model.unet.stable_diffusion import VAE_CHANNELS, decode, encode, load_unet, load_vae
from model.unet.weight_files import check_config

SMALL = UNetSettings((32, 32, 64, 64), 4, 32)
CHANNELS = (32, 32, 32, 64)

State = dict[str, Tensor]


def filled(module: torch.nn.Module) -> State:
    """Its weights, each of them other numbers."""
    generator = torch.Generator().manual_seed(0)
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape, generator=generator) / max(1, weight[0].numel()) ** 0.5
    return dict(module.state_dict())


@pytest.fixture(scope="module")
def unet() -> Any:
    made = make_unet(SMALL)
    filled(made)
    return made


@pytest.fixture(scope="module")
def vae() -> AutoencoderKL:
    made = AutoencoderKL(
        block_out_channels=CHANNELS,
        layers_per_block=2,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )
    filled(made)
    return made.requires_grad_(False).eval()


@pytest.fixture(scope="module")
def pipeline(unet: Any, vae: AutoencoderKL, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of diffusers."""
    folder = tmp_path_factory.mktemp("pipeline")
    unet.save_pretrained(folder / "unet")
    vae.save_pretrained(folder / "vae")
    return folder


def authors_unet(state: State) -> State:
    """In the names of the authors' code (ldm/modules/diffusionmodules/openaimodel.py), block by block: its
    encoder and decoder are lists in which a level's layers and its resampling follow each other.
    """
    places = {
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "conv_in": "input_blocks.0.0",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
    }
    for level in range(4):
        for layer in range(2):
            places[f"down_blocks.{level}.resnets.{layer}"] = f"input_blocks.{1 + 3 * level + layer}.0"
            places[f"down_blocks.{level}.attentions.{layer}"] = f"input_blocks.{1 + 3 * level + layer}.1"
        places[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{3 + 3 * level}.0.op"
        for layer in range(3):
            places[f"up_blocks.{level}.resnets.{layer}"] = f"output_blocks.{3 * level + layer}.0"
            places[f"up_blocks.{level}.attentions.{layer}"] = f"output_blocks.{3 * level + layer}.1"
        after = 1 if level == 0 else 2
        places[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{3 * level + 2}.{after}.conv"
    parts = {
        "norm1": "in_layers.0",
        "conv1": "in_layers.2",
        "time_emb_proj": "emb_layers.1",
        "norm2": "out_layers.0",
        "conv2": "out_layers.3",
        "conv_shortcut": "skip_connection",
    }
    renamed = {}
    for name, weight in state.items():
        place = max((each for each in places if name.startswith(f"{each}.")), key=len)
        part, _, kind = name.removeprefix(f"{place}.").rpartition(".")
        if ".resnets." in name:
            part = parts[part]
        renamed["model.diffusion_model." + ".".join(filter(None, (places[place], part, kind)))] = weight
    return renamed


def authors_vae(state: State) -> State:
    """As ldm/modules/diffusionmodules/model.py names them: attention is of 1x1 convolutions, and the
    decoder's levels are counted from the finest.
    """
    attention = {"to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out", "group_norm": "norm"}
    renamed = {}
    for name, weight in state.items():
        coder, *rest = name.split(".")
        match rest:
            case ["down_blocks", level, "resnets", layer, *end]:
                new = [coder, "down", level, "block", layer, *end]
            case ["down_blocks", level, "downsamplers", "0", *end]:
                new = [coder, "down", level, "downsample", *end]
            case ["up_blocks", level, "resnets", layer, *end]:
                new = [coder, "up", str(3 - int(level)), "block", layer, *end]
            case ["up_blocks", level, "upsamplers", "0", *end]:
                new = [coder, "up", str(3 - int(level)), "upsample", *end]
            case ["mid_block", "resnets", layer, *end]:
                new = [coder, "mid", f"block_{int(layer) + 1}", *end]
            case ["mid_block", "attentions", "0", *end]:
                part = ".".join(end[:-1])
                new = [coder, "mid", "attn_1", attention[part], end[-1]]
                weight = weight[:, :, None, None] if weight.ndim == 2 else weight
            case _:
                new = [coder, *(part.replace("conv_norm_out", "norm_out") for part in rest)]
        renamed["first_stage_model." + ".".join(new).replace("conv_shortcut", "nin_shortcut")] = weight
    return renamed


@pytest.fixture(scope="module")
def single(unet: Any, vae: AutoencoderKL) -> State:
    """What a file of a whole model holds."""
    beside = {"cond_stage_model.transformer.x": torch.ones(2), "model_ema.decay": torch.ones(1)}
    return authors_unet(unet.state_dict()) | authors_vae(vae.state_dict()) | beside


def check_same(found: torch.nn.Module, expected: torch.nn.Module, dtype: torch.dtype = torch.float32) -> None:
    state = found.state_dict()
    assert state.keys() == expected.state_dict().keys()
    for name, weight in expected.state_dict().items():
        assert state[name].dtype == dtype and torch.equal(state[name], weight.to(dtype)), name


def test_a_single_file_has_the_authors_names(single: State) -> None:
    """Names that are written in published files of the model."""
    for name in (
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
        "model.diffusion_model.input_blocks.7.0.skip_connection.weight",
        "model.diffusion_model.output_blocks.2.1.conv.weight",
        "model.diffusion_model.output_blocks.5.2.conv.bias",
        "model.diffusion_model.output_blocks.11.1.proj_out.weight",
        "first_stage_model.encoder.down.2.downsample.conv.weight",
        "first_stage_model.decoder.up.0.block.2.conv2.bias",
        "first_stage_model.decoder.mid.attn_1.q.weight",
        "first_stage_model.post_quant_conv.weight",
    ):
        assert name in single


@pytest.mark.parametrize("kind", ["safetensors", "ckpt"])
def test_single_files_load(
    kind: str, single: State, unet: Any, vae: AutoencoderKL, tmp_path: Path, no_network: None
) -> None:
    path = tmp_path / f"model.{kind}"
    if kind == "ckpt":
        torch.save({"global_step": 1, "state_dict": single}, path)
    else:
        safetensors.torch.save_file({name: weight.contiguous() for name, weight in single.items()}, path)
    check_same(load_unet(path, SMALL), unet)
    check_same(load_vae(path, CHANNELS), vae)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", refuse)
    yield


def test_folders_load_and_so_do_their_parts(
    pipeline: Path, unet: Any, vae: AutoencoderKL, no_network: None
) -> None:
    for path in (pipeline, pipeline / "unet", pipeline / "unet" / "diffusion_pytorch_model.safetensors"):
        check_same(load_unet(path, SMALL), unet)
    for path in (pipeline, pipeline / "vae", pipeline / "vae" / "diffusion_pytorch_model.safetensors"):
        loaded = load_vae(path, CHANNELS)
        check_same(loaded, vae)
    assert not loaded.training and not any(weight.requires_grad for weight in loaded.parameters())
    check_same(load_unet(pipeline, SMALL, torch.bfloat16), unet, torch.bfloat16)


def test_a_loaded_unet_computes_what_the_saved_one_does(pipeline: Path, unet: Any) -> None:
    inputs = (torch.randn(1, 4, 8, 8), torch.tensor([5]), torch.randn(1, 3, 32))
    with torch.no_grad():
        torch.testing.assert_close(load_unet(pipeline, SMALL)(*inputs).sample, unet(*inputs).sample)


def test_a_loaded_network_owns_its_weights(
    single: State, unet: Any, vae: AutoencoderKL, tmp_path: Path
) -> None:
    """Whatever becomes of the file, in which weights may share memory or lie transposed."""
    path = tmp_path / "model.ckpt"
    tied, other = (f"model.diffusion_model.middle_block.{block}.out_layers.0.bias" for block in (0, 2))
    across = "model.diffusion_model.time_embed.0.weight"
    torch.save(single | {tied: single[other], across: single[across].T.contiguous().T}, path)
    loaded, loaded_vae = load_unet(path, SMALL), load_vae(path, CHANNELS)
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    check_same(loaded_vae, vae)
    norms = [resnet.norm2.bias for resnet in loaded.mid_block.resnets]
    with torch.no_grad():
        norms[1].zero_()
    assert torch.equal(norms[0], single[other])
    first = loaded.time_embedding.linear_1.weight
    assert torch.equal(first, unet.time_embedding.linear_1.weight) and first.is_contiguous()


def test_half_precision_and_pickled_variants_load(pipeline: Path, unet: Any, tmp_path: Path) -> None:
    config = (pipeline / "unet" / "config.json").read_text()
    half = {name: weight.half() for name, weight in unet.state_dict().items()}
    for name in ("diffusion_pytorch_model.fp16.safetensors", "diffusion_pytorch_model.bin"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(config)
        if name.endswith("bin"):
            torch.save(half, folder / name)
        else:
            safetensors.torch.save_file(half, folder / name)
        loaded = load_unet(folder, SMALL)
        for name, weight in loaded.state_dict().items():
            assert weight.dtype == torch.float32 and torch.equal(weight, half[name].float())


def test_a_vae_alone_loads_in_the_authors_names_and_in_old_ones_of_diffusers(
    single: State, vae: AutoencoderKL, tmp_path: Path
) -> None:
    alone = {
        name.removeprefix("first_stage_model."): weight
        for name, weight in single.items()
        if name.startswith("first_stage_model.")
    }
    beside = {"loss.logvar": torch.ones(1), "model_ema.decay": torch.ones(1)}
    torch.save({"state_dict": alone | beside}, tmp_path / "alone.ckpt")
    check_same(load_vae(tmp_path / "alone.ckpt", CHANNELS), vae)
    older = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    state = dict(vae.state_dict())
    for coder in ("encoder", "decoder"):
        for new, old in older.items():
            for kind in ("weight", "bias"):
                here = f"{coder}.mid_block.attentions.0"
                state[f"{here}.{old}.{kind}"] = state.pop(f"{here}.{new}.{kind}")
    torch.save(state, tmp_path / "old.bin")
    check_same(load_vae(tmp_path / "old.bin", CHANNELS), vae)


@pytest.mark.parametrize(
    ("settings", "others", "family"),
    [
        (SMALL, {"in_channels": 9}, "an inpainting or editing model's"),
        (UNetSettings((32, 32, 64, 64), 4, 1024), {}, "Stable Diffusion 2's"),
        (UNetSettings((32, 32, 64, 64), 4, 2048), {}, "Stable Diffusion XL's"),
    ],
)
def test_other_families_are_told(
    settings: UNetSettings, others: dict[str, int], family: str, tmp_path: Path
) -> None:
    network = make_unet(settings)
    config = {name: value for name, value in network.config.items() if not name.startswith("_")}
    other = type(network)(**config | others)
    other.save_pretrained(tmp_path)
    torch.save(authors_unet(other.state_dict()), tmp_path / "single.ckpt")
    for path in (tmp_path, tmp_path / "single.ckpt"):
        with pytest.raises(WeightsError, match=rf"is {family} UNet.* give Stable Diffusion 1\.5's"):
            load_unet(path, SMALL)


def test_the_family_is_told_without_the_first_layer(tmp_path: Path) -> None:
    block = "model.diffusion_model.input_blocks.4.1.transformer_blocks.0"
    torch.save({f"{block}.attn2.to_k.weight": torch.ones(64, 2048)}, tmp_path / "part.ckpt")
    with pytest.raises(WeightsError, match="is Stable Diffusion XL's UNet"):
        load_unet(tmp_path / "part.ckpt", SMALL)


UNET_CONFIG = {
    "_class_name": "UNet2DConditionModel",
    "_diffusers_version": "0.6.0",
    "act_fn": "silu",
    "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280],
    "center_input_sample": False,
    "cross_attention_dim": 768,
    "down_block_types": [*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "norm_num_groups": 32,
    "out_channels": 4,
    "sample_size": 64,
    "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 3],
}
"""unet/config.json of Stable Diffusion 1.5."""

VAE_CONFIG = {
    "_class_name": "AutoencoderKL",
    "_diffusers_version": "0.6.0",
    "act_fn": "silu",
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "in_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "out_channels": 3,
    "sample_size": 512,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
"""vae/config.json of Stable Diffusion 1.5."""


def test_published_settings_fit_with_those_that_have_no_effect(vae: AutoencoderKL, tmp_path: Path) -> None:
    with torch.device("meta"):
        unet = make_unet(UNetSettings())
    for config in (UNET_CONFIG, UNET_CONFIG | {"upcast_attention": True}):
        (tmp_path / "config.json").write_text(json.dumps(config))
        check_config(tmp_path, unet.config)
    for config in (VAE_CONFIG, VAE_CONFIG | {"force_upcast": False}):
        (tmp_path / "config.json").write_text(json.dumps(config))
        check_config(tmp_path, dict(vae.config) | {"block_out_channels": VAE_CHANNELS})


def test_a_number_may_be_written_once_for_each_level(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"attention_head_dim": [8, 8, 8, 8], "only_cross_attention": [False] * 4}))
    wanted = {"attention_head_dim": 8, "only_cross_attention": False, "block_out_channels": (32, 32)}
    check_config(tmp_path, wanted)
    for wrong in ({"attention_head_dim": [8, 8, 8, 4]}, {"block_out_channels": [32]}):
        path.write_text(json.dumps(wrong))
        with pytest.raises(WeightsError, match=r"\] is|is \[.*\], not"):
            check_config(tmp_path, wanted)


def test_lists_in_lists_without_end_are_told(tmp_path: Path) -> None:
    """Also where they can just be read, and not compared or shown."""
    for depth in (*range(800, 1000), 100_000):
        (tmp_path / "config.json").write_text('{"layers_per_block": ' + "[" * depth + "]" * depth + "}")
        with pytest.raises(WeightsError, match=r"config\.json: "):
            check_config(tmp_path, {"layers_per_block": 2})


def test_settings_that_no_shape_tells_are_read_from_the_folder(pipeline: Path, tmp_path: Path) -> None:
    for part, change, said in (
        ("unet", {"attention_head_dim": 8}, "attention_head_dim is 8, not 4"),
        ("vae", {"scaling_factor": 0.13025}, r"scaling_factor is 0\.13025, not 0\.18215"),
    ):
        folder = tmp_path / part
        folder.mkdir()
        (folder / "diffusion_pytorch_model.safetensors").symlink_to(
            pipeline / part / "diffusion_pytorch_model.safetensors"
        )
        config = json.loads((pipeline / part / "config.json").read_text())

        def load(part: str = part) -> None:
            if part == "unet":
                load_unet(tmp_path, SMALL)
            else:
                load_vae(tmp_path, CHANNELS)

        (folder / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(WeightsError, match=rf"config\.json: is of another network.*: {said}"):
            load()
        (folder / "config.json").write_text("[1]" if part == "vae" else "{")
        with pytest.raises(WeightsError, match=r"config\.json: .* get the whole folder again"):
            load()
        # What an older version of diffusers did not write yet is as it is by default.
        kept = {name: config[name] for name in ("block_out_channels", "layers_per_block", "down_block_types")}
        (folder / "config.json").write_text(json.dumps(kept | {"use_linear_projection": None}))
        load()


def test_what_is_missing_or_unknown_in_a_single_file_is_told(single: State, tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"

    def save(state: dict[str, Any]) -> None:
        torch.save(state, path)

    save(single | {"model.diffusion_model.label_emb.0.0.weight": torch.ones(2)})
    with pytest.raises(WeightsError, match=r"1 unknown \(model\.diffusion_model\.label_emb\.0\.0\.weight\)"):
        load_unet(path, SMALL)
    save({name: weight for name, weight in single.items() if not name.endswith("input_blocks.3.0.op.bias")})
    with pytest.raises(WeightsError, match=r"1 missing \(down_blocks\.0\.downsamplers\.0\.conv\.bias\)"):
        load_unet(path, SMALL)
    save(single | {"first_stage_model.encoder.extra.weight": torch.ones(2)})
    with pytest.raises(WeightsError, match=r"1 unknown \(encoder\.extra\.weight\)"):
        load_vae(path, CHANNELS)
    for bad in ("no tensor", torch.empty(0)):
        save(single | {"first_stage_model.encoder.mid.attn_1.q.weight": bad})
        with pytest.raises(WeightsError, match=r"encoder\.mid\.attn_1\.q\.weight is no weight"):
            load_vae(path, CHANNELS)
    known = single["model.diffusion_model.out.0.bias"]
    save(single | {"model.diffusion_model.out.0.extra": known})
    with pytest.raises(WeightsError, match=r"1 unknown \(model\.diffusion_model\.out\.0\.extra\)"):
        load_unet(path, SMALL)
    save(single)
    with pytest.raises(WeightsError, match=r"does not fit UNet2DConditionModel .* of another shape"):
        load_unet(path, UNetSettings((32, 64, 64, 64), 4, 32))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("model.diffusion_model.time_embed.0.bias", r"time_embedding\.linear_1\.bias"),
        ("model.diffusion_model.input_blocks.0.0.weight", r"conv_in\.weight"),
        ("model.diffusion_model.input_blocks.3.0.op.weight", r"downsamplers\.0\.conv\.weight"),
        ("model.diffusion_model.middle_block.1.proj_in.weight", r"mid_block\.attentions\.0\.proj_in\.weight"),
        ("model.diffusion_model.middle_block.2.in_layers.0.bias", r"mid_block\.resnets\.1\.norm1\.bias"),
        ("model.diffusion_model.output_blocks.2.1.conv.weight", r"upsamplers\.0\.conv\.weight"),
        ("model.diffusion_model.output_blocks.2.1.conv.bias", r"lacks output_blocks\.2\.1\.conv\.bias"),
        ("model.diffusion_model.output_blocks.5.2.conv.bias", r"lacks output_blocks\.5\.2\.conv\.bias"),
        ("model.diffusion_model.out.2.bias", r"conv_out\.bias"),
        ("first_stage_model.encoder.down.1.downsample.conv.bias", r"downsamplers\.0\.conv\.bias"),
        ("first_stage_model.encoder.mid.attn_1.q.weight", r"mid_block\.attentions\.0\.to_q\.weight"),
        ("first_stage_model.decoder.up.2.upsample.conv.bias", r"lacks decoder\.up\.2\.upsample\.conv\.bias"),
        ("first_stage_model.quant_conv.weight", r"quant_conv\.weight"),
    ],
)
def test_whatever_weight_a_single_file_lacks_is_named(
    name: str, said: str, single: State, tmp_path: Path
) -> None:
    part = name.split(".")[0]
    kept = {other: weight for other, weight in single.items() if other.startswith(part) and other != name}
    torch.save(kept, tmp_path / "model.ckpt")
    with pytest.raises(WeightsError, match=said):
        if part == "model":
            load_unet(tmp_path / "model.ckpt", SMALL)
        else:
            load_vae(tmp_path / "model.ckpt", CHANNELS)


def test_files_of_something_else_are_told(tmp_path: Path) -> None:
    path = tmp_path / "lora.ckpt"
    torch.save({"lora_unet_down.alpha": torch.ones(1)}, path)
    with pytest.raises(WeightsError, match=r"lora\.ckpt: holds no UNet"):
        load_unet(path)
    with pytest.raises(WeightsError, match=r"lora\.ckpt: holds no VAE"):
        load_vae(path)
    torch.save({"state_dict": [1]}, path)
    with pytest.raises(WeightsError, match="state_dict holds nothing by name"):
        load_unet(path)
    with pytest.raises(WeightsError, match=r"has none of diffusion_pytorch_model\.safetensors"):
        load_unet(tmp_path)
    with pytest.raises(WeightsError, match="cannot be read"):
        load_vae(tmp_path / "absent.safetensors")


def test_realisdance_starts_with_the_unet_twice(pipeline: Path, unet: Any) -> None:
    network = RealisDance(RealisDanceSettings(unet=SMALL, motion=None, feature_width=16))
    before = {name: weight.clone() for name, weight in network.projector.state_dict().items()}
    start_from_stable_diffusion(network, pipeline)
    check_same(network.reference_network, unet)
    check_same(network.denoiser.unet, unet)
    with torch.no_grad():
        network.reference_network.conv_in.weight.zero_()
    check_same(network.denoiser.unet, unet)
    for name, weight in network.projector.state_dict().items():
        assert torch.equal(weight, before[name])


def test_latents_are_the_scaled_mean_and_do_not_depend_on_how_many_are_encoded_together(
    vae: AutoencoderKL,
) -> None:
    video = torch.rand(2, 3, 3, 16, 24) * 2 - 1
    latents = encode(vae, video)
    assert latents.shape == (2, 3, 4, 2, 3)
    mean, _ = vae.quant_conv(vae.encoder(video[1, 2:])).chunk(2, dim=1)
    torch.testing.assert_close(latents[1, 2], 0.18215 * mean[0])
    torch.testing.assert_close(encode(vae, video, at_once=1), latents)
    with pytest.raises(ValueError, match=r"images of 20x16 .* multiples of 8"):
        encode(vae, torch.zeros(1, 3, 20, 16))
    for images, at_once in ((video, 0), (video, -1), (video[:0], 8)):
        with pytest.raises(ValueError, match="the VAE takes 1 or more"):
            encode(vae, images, at_once=at_once)
        with pytest.raises(ValueError, match="the VAE takes 1 or more"):
            decode(vae, latents[: len(images)], at_once=at_once)
    with pytest.raises(ValueError, match=r"of torch\.uint8 .* of floats"):
        encode(vae, video.byte())


def test_the_vae_may_be_of_another_precision_than_what_it_is_given(vae: AutoencoderKL) -> None:
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    latents, half = encode(vae, image), copy.deepcopy(vae).bfloat16()
    for network, dtype in ((half, torch.float32), (vae, torch.bfloat16)):
        found = encode(network, image.to(dtype)), decode(network, latents.to(dtype))
        for result, expected in zip(found, (latents, decode(vae, latents)), strict=True):
            assert result.dtype == dtype
            assert (result - expected).abs().max() < 0.1 * expected.std()


def test_drawn_latents_have_the_encoded_mean_and_variance(vae: AutoencoderKL) -> None:
    image = torch.rand(1, 3, 8, 16) * 2 - 1
    mean, log_variance = vae.quant_conv(vae.encoder(image)).chunk(2, dim=1)
    spread = 0.18215 * (0.5 * log_variance[0]).exp()
    drawn = encode(vae, image.expand(600, -1, -1, -1), torch.Generator().manual_seed(1), at_once=200)
    torch.testing.assert_close(drawn.std(0), spread, rtol=0.15, atol=0)
    assert ((drawn.mean(0) - 0.18215 * mean[0]).abs() < spread / 600**0.5 * 5).all()
    few = torch.rand(3, 3, 8, 16)
    one, three = (encode(vae, few, torch.Generator().manual_seed(2), at_once=number) for number in (1, 3))
    torch.testing.assert_close(one, three)


def test_decoded_images_are_the_vaes_and_give_gradients_to_the_latents(vae: AutoencoderKL) -> None:
    latents = (0.18215 * torch.randn(2, 3, 4, 2, 2)).requires_grad_()
    images = decode(vae, latents, at_once=2)
    assert images.shape == (2, 3, 3, 16, 16)
    plain = latents.detach()[1, 2:].clone().requires_grad_()
    expected = vae.decoder(vae.post_quant_conv(plain / 0.18215))
    torch.testing.assert_close(images[1, 2], expected[0])
    (found,) = torch.autograd.grad(images[1, 2].square().sum(), latents)
    (wanted,) = torch.autograd.grad(expected.square().sum(), plain)
    torch.testing.assert_close(found[1, 2], wanted[0], rtol=1e-4, atol=1e-4)
    assert found.count_nonzero() == found[1, 2].count_nonzero() > 0
