"""Anny's own model, on the project's cache of its data: what the project's body is held to."""

from __future__ import annotations

import functools
from typing import Any

import anny
from anny.models.model_data import ModelData

from renderers.mannequin.person import build_cache


@functools.cache
def anny_model() -> Any:
    """The model, with linear blend skinning."""
    return anny.Anny.from_model_data(
        ModelData.load_safetensors(build_cache()),
        skinning_method="lbs",
        bone_orientation="cached",
        root_identity_orientation=False,
    )
