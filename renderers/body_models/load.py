"""Body models by name. A model's module, and what that needs (torch, smplx), is imported when asked for."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from renderers.body_models.errors import ModelFileError
from renderers.body_models.interface import BodyModel
from renderers.cache_folder import placeholder_folder

_MODELS = {
    "anny": ("renderers.body_models.anny", "AnnyBody", ("colours",)),
    "smplx": ("renderers.body_models.smplx", "Smplx", ("folder", "colours")),
    "mano": ("renderers.body_models.mano", "Mano", ("folder",)),
}
"""Module and class of each, and the user's own files that it takes: licensed ones in a folder, colours of a
body (a hand has one colour)."""


_OF_SMPLX = ("smplx", "mano")
"""Those that are run by the package smplx."""


def _require_smplx(name: str) -> None:
    if find_spec("smplx") is None:
        raise ModelFileError(
            f"the body model {name} cannot be loaded without the package smplx, which is not installed: "
            "pip install smplx==0.1.28, under its licence (non-commercial scientific research)."
        )


def load_body_model(
    name: str, folder: Path | None = None, colours: Path | None = None, **options: Any
) -> BodyModel:
    """The body model of this name: anny, smplx or mano.

    `folder` holds the user's own licensed files of smplx and mano; anny has none and ignores it. If it is
    `placeholder_folder`, stand-ins are loaded in their place, and written first. `colours` is the user's own
    file of the colours of a body's vertices, in place of made ones; mano ignores it. The other options are
    those of the model's class. Raises ModelFileError for another name, for the package smplx missing, and for
    a file that is missing or not right.
    """
    if name not in _MODELS:
        raise ModelFileError(f"There is no body model {name!r}: give one of {', '.join(_MODELS)}.")
    module, model, own_files = _MODELS[name]
    if name in _OF_SMPLX:
        _require_smplx(name)
        if folder == placeholder_folder():
            from renderers.body_models.placeholder import write_placeholders

            write_placeholders()
    made = getattr(import_module(module), model)
    files = {"folder": folder, "colours": colours}
    body: BodyModel = made(**{file: files[file] for file in own_files}, **options)
    return body
