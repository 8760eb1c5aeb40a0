"""Whether a file is of the weights that it is to be."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import cast

from extractors.weights.errors import WeightsError
from extractors.weights.registry import Weight, how_to_get

_SMPLX_VERTICES = 10475


def check_file(weight: Weight, path: Path) -> None:
    """Raises WeightsError if the file is not the published one; and what `check_content` does, if no hash is
    published.
    """
    if weight.sha256 is None:
        check_content(weight.name, path)
    elif not (digest := sha256_of(path)).startswith(weight.sha256):
        raise WeightsError(
            f"{path}: is not the file that is published as {weight.name}: its SHA-256 begins with "
            f"{digest[:16]}, not with {weight.sha256[:16]}. To get it: {how_to_get(weight)}."
        )


def check_content(name: str, path: Path) -> None:
    """Raises WeightsError if the file does not hold what the network of these weights needs, and the errors
    of `renderers.body_models` if it is to be of a body model, and is not or is a stand-in.
    """
    from extractors.wholebody.published import NETWORKS

    if name in ("smplx", "mano"):
        from renderers.body_models.model_file import read_model_file
        from renderers.body_models.stand_ins import check_kind

        check_kind(read_model_file(path), path, is_stand_in=False)
    elif name == "smpl-cs-colours":
        from renderers.body_models.colours import read_colours

        read_colours(path, _SMPLX_VERTICES)
    elif name in NETWORKS:
        from extractors.wholebody.networks import simcc_network

        simcc_network(name, path)
    elif name.startswith("smpler-x-"):
        from extractors.smpler_x.network import Size
        from extractors.smpler_x.weights import check_smpler_x

        check_smpler_x(path, cast(Size, name.removeprefix("smpler-x-")))
    else:
        from extractors.weights.checkpoint import read_checkpoint

        read_checkpoint(path)


def sha256_of(path: Path) -> str:
    """Of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
