"""What smpl_cs and hands are drawn with, and how a sample's meta.json says so: a picture that is drawn anew
must have the colours of those beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from renderers.body_models.errors import ColourFileError
from renderers.offscreen import choose_platform
from shards.schema import SampleError
from shards.surface_conditions import DRAWING_VERSION, Models, load_models
from shards.tables import DatasetError

MADE_COLOURS = "made"
"""In `colours`: those that are made from the body itself."""


class ConditionError(DatasetError):
    """The sample cannot give the condition; the message says what it has, or what is missing."""


def name_colours(file: Path | None) -> str:
    """What meta.json calls the colours: MADE_COLOURS without a file of the user's own, else its SHA-256.

    Raises ColourFileError where it cannot be read.
    """
    if file is None:
        return MADE_COLOURS
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise ColourFileError(
            f"colour file {file}: it cannot be read ({error.strerror}); check the path"
        ) from error


def models_by_colours(folder: Path | None = None, colours: Path | None = None) -> dict[str, Models]:
    """Body models that are loaded when first asked for, by the name of the colours that they have: made ones,
    and with a file of the user's own those of the file.

    `folder` is that of `load_models`. Raises ColourFileError where the file cannot be read.
    """
    models = {MADE_COLOURS: load_models(folder)}
    if colours is not None:
        models[name_colours(colours)] = load_models(folder, colours)
    return models


def drawing_facts(condition: str, colours: str = MADE_COLOURS) -> dict[str, Any]:
    """What `conditions` of meta.json says of how that condition's images are drawn here and now; hands have
    no colours to choose. Raises OffscreenError where nothing draws.
    """
    facts = {"drawing": DRAWING_VERSION, "platform": choose_platform()}
    return facts | ({"colours": colours} if condition == "smpl_cs" else {})


def kept_facts(meta: Mapping[str, Any], condition: str) -> dict[str, Any]:
    """What that meta.json says of how that condition's images were drawn. Raises SampleError."""
    facts = _condition_facts(meta, condition)
    return {name: facts[name] for name in ("drawing", "platform", "colours") if name in facts}


def drawn_colours(meta: Mapping[str, Any]) -> str:
    """The name of the colours that the sample's smpl_cs was drawn in: MADE_COLOURS where meta.json does not
    say. Raises SampleError.
    """
    colours = _condition_facts(meta, "smpl_cs").get("colours", MADE_COLOURS)
    if not isinstance(colours, str):
        raise SampleError(f"meta.json: the colours of smpl_cs are {colours!r}, not a name")
    return colours


def drawn_anew(meta: Mapping[str, Any], conditions: Collection[str], colours: str) -> dict[str, Any]:
    """The values of meta.json once those conditions were drawn again in those colours.

    Raises SampleError, and OffscreenError where nothing draws.
    """
    facts = {name: {**_condition_facts(meta, name), **drawing_facts(name, colours)} for name in conditions}
    return {**meta, "conditions": {**meta.get("conditions", {}), **facts}}


def _condition_facts(meta: Mapping[str, Any], condition: str) -> Mapping[str, Any]:
    conditions = meta.get("conditions", {})
    facts = conditions.get(condition, {}) if isinstance(conditions, dict) else None
    if not isinstance(facts, dict):
        raise SampleError(f"meta.json: what it says of {condition} in conditions is no JSON object")
    return facts


def models_as_drawn(
    key: str, meta: Mapping[str, Any], models: Mapping[str, Models], conditions: Collection[str]
) -> Models:
    """Of models by their colours those that the sample was drawn with, to draw those conditions anew.

    hands look the same with any. Raises ConditionError for smpl_cs where the colours are not among them, and
    SampleError.
    """
    colours = drawn_colours(meta)
    if colours not in models and "smpl_cs" in conditions:
        raise ConditionError(
            f"{key} has its smpl_cs in the colours of a user's own file, and is drawn anew only with that: "
            f"give the file whose SHA-256 is {colours}, with Dataset(..., colours=...) or --colours"
        )
    return models.get(colours, models[MADE_COLOURS])
