"""`dataset.json`: what it says to those who read a dataset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from renderers.cache_folder import placeholder_folder
from shards.tables import DatasetError

FILE = "dataset.json"


def read_settings(dataset: Path) -> dict[str, Any]:
    """The values of the dataset's dataset.json. Raises DatasetError where it is not there or damaged."""
    path = dataset / FILE
    try:
        values = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is not there: name the folder of a dataset") from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is not a dataset's settings ({error}): restore it") from error
    if not isinstance(values, dict):
        raise DatasetError(f"{path} is not a dataset's settings: restore it")
    return values


def is_of_random_weights(dataset: Path) -> bool:
    """Whether an untrained network made some of the dataset's numbers; a copy that came without its
    dataset.json does not say so. Raises DatasetError.
    """
    is_said = (dataset / FILE).exists()
    return is_said and bool(read_settings(dataset).get("random_weights", False))


def body_model_folder(dataset: Path, named: Path | None) -> Path | None:
    """Where the files of SMPL-X and MANO are looked for: in the folder that the user named, or else, for a
    dataset that untrained networks made, where their stand-ins are. Raises DatasetError.
    """
    if named is None and is_of_random_weights(dataset):
        return placeholder_folder()
    return named
