"""Which files of body models are stand-ins (`placeholder`), so that none is taken for a real one, nor the
other way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from renderers.body_models.errors import ModelFileError
from renderers.cache_folder import placeholder_folder

ENTRY = "placeholder"
"""The array that a stand-in has, and no published file."""


def check_kind(arrays: Mapping[str, np.ndarray], path: Path, is_stand_in: bool) -> None:
    """Raises ModelFileError unless these arrays of a file are of a stand-in, or else of a real model."""
    if is_stand_in and ENTRY not in arrays:
        raise ModelFileError(
            f"{path}: is no stand-in, and lies where they are kept: move it elsewhere if it is your own, and "
            "delete the folder, which is then written anew."
        )
    if not is_stand_in and ENTRY in arrays:
        raise ModelFileError(
            f"{path}: is a stand-in for dry runs, not the published body model: give the file that you have "
            "downloaded under its licence."
        )


def is_among_stand_ins(path: Path) -> bool:
    """Whether the file lies in the folder of stand-ins, so that it is to be one."""
    return path.parent.resolve() == placeholder_folder().resolve()
