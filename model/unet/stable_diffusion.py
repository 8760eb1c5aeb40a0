"""Stable Diffusion 1.5's UNet and VAE (Rombach et al., CVPR 2022), and those of models trained from them.

Two layouts are read: diffusers' folders, or one file of theirs; and single files in the names of the authors'
code, `model.diffusion_model.*` and `first_stage_model.*` (.safetensors or .ckpt). What else a single file
holds, the text encoder and the averages of training (`model_ema.*`), is left aside: neither paper needs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from jaxtyping import Float
from torch import Tensor

from extractors.weights.errors import WeightsError
from model.unet.settings import UNetSettings, make_unet
from model.unet.weight_files import check_config, fill, read_state, weights_file

VAE_CHANNELS = (128, 256, 512, 512)
"""Of the published VAE's four levels."""

_UNET = "model.diffusion_model."
_VAE = "first_stage_model."
_BESIDE_VAE = ("loss.", "model_ema.")
"""What files of a VAE alone, in the authors' names, may hold besides."""

_OTHER_FAMILIES = {1024: "Stable Diffusion 2's", 1280: "Stable Diffusion XL's", 2048: "Stable Diffusion XL's"}
"""By the width of the text tokens that cross-attention reads."""

_OLDER_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""What older versions of diffusers called the parts of the VAE's attention."""


def load_unet(
    path: Path, settings: UNetSettings | None = None, dtype: torch.dtype = torch.float32
) -> UNet2DConditionModel:
    """The UNet of a folder or file.

    path: a diffusers folder (of a whole pipeline, or the UNet's own), or a single file. settings: of the
    network; by default Stable Diffusion 1.5's. dtype: of the weights, whatever the file's.

    Raises WeightsError for what cannot be read, is of another layout or family, or lacks or exceeds what the
    network holds.
    """
    settings = settings or UNetSettings()
    with torch.device("meta"):
        unet = make_unet(settings)
    place = _component(path, "unet")
    file = weights_file(place)
    state = _unet_state(read_state(file), unet.config, file)
    _check_family(state, settings, file)
    if place.is_dir():
        check_config(place, unet.config)
    fill(unet, state, file, dtype)
    return unet


def load_vae(
    path: Path, channels: tuple[int, ...] = VAE_CHANNELS, dtype: torch.dtype = torch.float32
) -> AutoencoderKL:
    """The VAE of a folder or file, frozen and in `eval`.

    path: as of `load_unet`; also a file of a VAE alone, such as sd-vae-ft-mse, which RealisDance's authors
    use. Stable Diffusion XL's VAE has the same shape and another scale of latents: its folder is refused, but
    a lone file of it cannot be told.

    Raises WeightsError as `load_unet` does.
    """
    levels = len(channels)
    with torch.device("meta"):
        vae = AutoencoderKL(
            block_out_channels=channels,
            layers_per_block=2,
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
        )
    place = _component(path, "vae")
    file = weights_file(place)
    if place.is_dir():
        check_config(place, vae.config)
    state = _vae_state(read_state(file), vae.config, file)
    fill(vae, state, file, dtype)
    return vae.requires_grad_(False).eval()


def encode(
    vae: AutoencoderKL,
    images: Float[Tensor, "*batch 3 height width"],
    generator: torch.Generator | None = None,
    at_once: int = 8,
) -> Float[Tensor, "*batch 4 height//8 width//8"]:
    """Latents of RGB images in [-1, 1], scaled as the UNet takes them (by 0.18215), in the images' type; the
    VAE computes in its own.

    generator: draws them from the VAE's distribution, as in training; None takes its mean. at_once: images
    that are encoded together, which bounds the memory and changes nothing else.

    Raises ValueError for a side that the VAE does not divide, for no images, and for whole numbers.
    """
    step = 2 ** (len(vae.config["block_out_channels"]) - 1)
    if images.shape[-2] % step or images.shape[-1] % step:
        raise ValueError(
            f"images of {images.shape[-2]}x{images.shape[-1]} (height x width): the VAE takes multiples of "
            f"{step}; resize or crop them."
        )
    parts = _parts(images, vae.dtype, at_once)
    distribution = DiagonalGaussianDistribution(
        torch.cat([vae.encode(part).latent_dist.parameters for part in parts])
    )
    latents = distribution.mode() if generator is None else distribution.sample(generator)
    latents = (latents * vae.config["scaling_factor"]).to(images.dtype)
    return latents.view(*images.shape[:-3], *latents.shape[1:])


def decode(
    vae: AutoencoderKL, latents: Float[Tensor, "*batch 4 height width"], at_once: int = 8
) -> Float[Tensor, "*batch 3 8*height 8*width"]:
    """RGB images of scaled latents, about in [-1, 1] and not clipped, in the latents' type; the VAE computes
    in its own. Gradients reach the latents.

    at_once: images that are decoded together. Raises ValueError for no latents.
    """
    parts = _parts(latents / vae.config["scaling_factor"], vae.dtype, at_once)
    images = torch.cat([vae.decode(part).sample for part in parts]).to(latents.dtype)
    return images.view(*latents.shape[:-3], *images.shape[1:])


def _parts(images: Float[Tensor, "*batch _ _ _"], dtype: torch.dtype, at_once: int) -> tuple[Tensor, ...]:
    """The images, one behind the other, in batches of so many."""
    if at_once < 1 or not images.numel() or not images.is_floating_point():
        raise ValueError(
            f"{at_once} images at once, of {images.dtype} of shape {tuple(images.shape)}: the VAE takes 1 or "
            "more, of floats."
        )
    return torch.split(images.to(dtype).reshape(-1, *images.shape[-3:]), at_once)


def _component(path: Path, name: str) -> Path:
    """The folder of this network, where `path` is that of a pipeline of several."""
    return path / name if (path / name).is_dir() else path


def _unet_state(state: Mapping[str, Any], config: Mapping[str, Any], path: Path) -> dict[str, Any]:
    authors = {name: weight for name, weight in state.items() if name.startswith(_UNET)}
    if authors:
        return _converted(authors, convert_ldm_unet_checkpoint, config, path)
    if "conv_in.weight" in state:
        return dict(state)
    raise WeightsError(
        f"{path}: holds no UNet: neither names of diffusers (conv_in.weight) nor those of a single file "
        f"({_UNET}*). Give a diffusers folder, or the file of a whole model, not a LoRA or ControlNet."
    )


def _vae_state(state: Mapping[str, Any], config: Mapping[str, Any], path: Path) -> dict[str, Any]:
    if any(name.startswith(_VAE) for name in state):
        state = {name.removeprefix(_VAE): weight for name, weight in state.items() if name.startswith(_VAE)}
    if any(name.startswith("encoder.down.") for name in state):
        alone = {name: weight for name, weight in state.items() if not name.startswith(_BESIDE_VAE)}
        return _converted(alone, convert_ldm_vae_checkpoint, config, path)
    if "encoder.conv_in.weight" in state:
        return {_newer(name): weight for name, weight in state.items()}
    raise WeightsError(
        f"{path}: holds no VAE: neither names of diffusers (encoder.conv_in.weight) nor those of a single "
        f"file ({_VAE}*). Give a diffusers folder, the file of a whole model, or that of a VAE."
    )


def _newer(name: str) -> str:
    return re.sub(
        r"(\.attentions\.\d+)\.(query|key|value|proj_attn)\.",
        lambda found: f"{found[1]}.{_OLDER_ATTENTION[found[2]]}.",
        name,
    )


def _converted(
    state: dict[str, Any],
    convert: Callable[[Mapping[str, Tensor], Mapping[str, Any]], Mapping[str, Tensor | None]],
    config: Mapping[str, Any],
    path: Path,
) -> dict[str, Any]:
    """Weights in diffusers' names. What it has no name for keeps its own, so that a check tells of it."""
    places: set[int] = set()
    for name, weight in state.items():
        if not isinstance(weight, Tensor) or not weight.numel():
            raise WeightsError(f"{path}: {name} is no weight: the file is damaged; get it again.")
        # What was converted is told by its place in memory, which two names may have in common.
        state[name] = weight.clone() if weight.data_ptr() in places else weight
        places.add(weight.data_ptr())
    try:
        found = convert(state, config)
    except KeyError as error:
        raise WeightsError(f"{path}: lacks {error.args[0]}: the file is incomplete; get it again.") from error
    converted = {name: weight for name, weight in found.items() if weight is not None}
    known = {weight.data_ptr() for weight in converted.values()}
    return converted | {name: weight for name, weight in state.items() if weight.data_ptr() not in known}


def _check_family(state: Mapping[str, Any], settings: UNetSettings, path: Path) -> None:
    """By the shapes in which the families differ; the rest is left to the check of all shapes."""
    channels = _inputs(state.get("conv_in.weight"))
    width = _inputs(next((state[name] for name in state if name.endswith("attn2.to_k.weight")), None))
    if channels in (None, 4) and width in (None, settings.token_width):
        return
    family = (
        "an inpainting or editing model's"
        if channels not in (None, 4)
        else _OTHER_FAMILIES.get(width or 0, "another")
    )
    raise WeightsError(
        f"{path}: is {family} UNet, with {channels} input channels and tokens of {width} numbers, and not 4 "
        f"and {settings.token_width}: give Stable Diffusion 1.5's, or that of a model trained from it."
    )


def _inputs(weight: Any) -> int | None:
    return weight.shape[1] if isinstance(weight, Tensor) and weight.ndim > 1 else None
