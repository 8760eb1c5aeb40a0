"""Networks of mmpose and mmdet, made from the configurations that the packages carry.

Nothing is downloaded: a configuration's own pretrained parts are left out, since a whole checkpoint is read
afterwards, or none.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from extractors.openmmlab.environment import prepare
from extractors.weights.checkpoint import load_state, read_checkpoint
from extractors.weights.errors import WeightsError

Package = Literal["mmpose", "mmdet"]

_IGNORED = ("data_preprocessor.", "ema_")
"""Beginnings of what some published state_dicts hold besides the network: the means that are taken off an
image, which the configuration tells too, and a copy that averaged the weights in training.
"""


def packaged_config(package: Package, path: str) -> Any:
    """A configuration (mmengine.Config) that the package carries, by its path in the package's repository."""
    prepare()
    from mmengine.config import Config

    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package} is not installed", name=package)
    return Config.fromfile(Path(spec.origin).parent / ".mim" / path)


def build_network(package: Package, config: Any, seed: int = 0) -> nn.Module:
    """The network of a configuration, in evaluation mode, its weights random and the same for the same seed.

    config is as `packaged_config` gives it, and may have been changed.
    """
    prepare()
    from mmengine.config import ConfigDict
    from mmengine.model.utils import revert_sync_batchnorm
    from mmengine.registry import DefaultScope

    importlib.import_module(f"{package}.models")
    models = importlib.import_module(f"{package}.registry").MODELS
    settings = ConfigDict(_without_pretrained(config.model.to_dict()) | {"train_cfg": None})
    level = logging.root.manager.disable
    with DefaultScope.overwrite_default_scope(package), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        logging.disable(logging.INFO)  # it says of every weight how it was made
        try:
            network = models.build(settings)
            network.init_weights()
        finally:
            logging.disable(level)
    return revert_sync_batchnorm(network).eval().requires_grad_(False)


def load_checkpoint(network: nn.Module, path: Path) -> None:
    """Give the network the weights of a file as mmpose and mmdet publish them: all it has, and no others.

    Raises WeightsError for a file that cannot be read or belongs to another network.
    """
    checkpoint = read_checkpoint(path)
    state = checkpoint.get("state_dict", checkpoint)
    if not isinstance(state, Mapping):
        raise WeightsError(
            f"{path}: holds no state_dict, so it is not of mmpose or mmdet; get the file that is named "
            "for this network."
        )
    weights = {name: value for name, value in state.items() if not name.startswith(_IGNORED)}
    load_state(network, weights, path)


def _without_pretrained(settings: Any) -> Any:
    if isinstance(settings, Mapping):
        return {
            name: _without_pretrained(value)
            for name, value in settings.items()
            if not (name == "init_cfg" and _is_pretrained(value))
        }
    if isinstance(settings, list | tuple):
        return type(settings)(_without_pretrained(value) for value in settings)
    return settings


def _is_pretrained(init: Any) -> bool:
    return isinstance(init, Mapping) and init.get("type") == "Pretrained"
