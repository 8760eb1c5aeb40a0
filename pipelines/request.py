"""What a run is asked to do, checked as a whole before anything is started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from extractors.weights.store import require
from pipelines.dataset_settings import DatasetSettings, settle
from pipelines.estimators import body_model_folder, needed_weights
from pipelines.inputs import expand_inputs
from pipelines.policy import check_policy
from pipelines.presets import FITTED_MODELS
from pipelines.settings import RunSettings
from pipelines.workspace import OutputError, check_output
from renderers.offscreen import choose_platform
from shards.schema import NO_MODEL
from shards.surface_conditions import load_models


@dataclass(frozen=True)
class Request:
    """A run that can be begun. `paths` is None for the inputs of the dataset's own ledger."""

    dataset: Path
    paths: list[Path] | None
    settings: DatasetSettings
    run: RunSettings
    retry_reasons: frozenset[str]


def check_request(parameters: Mapping[str, Any]) -> Request:
    """The request that the flow's parameters make.

    Raises UserError for what its caller must mend; WeightsError that names every file that is missing or
    wrong; where conditions are to be drawn, also OffscreenError if nothing draws, and ModelFileError for
    colours that are none.
    """
    try:
        dataset = Path(parameters["out"]).expanduser().resolve()
    except (RuntimeError, ValueError) as error:
        raise OutputError(f"--out {parameters['out']!r}: {error}") from error
    check_output(dataset)
    inputs = parameters["inputs"]
    settings = settle(dataset, parameters)
    check_policy(parameters.get("policy"), settings)
    check_settings(settings)
    goes_on = not inputs and (dataset / "videos.parquet").exists()
    return Request(
        dataset=dataset,
        paths=None if goes_on else expand_inputs(inputs),
        settings=settings,
        run=RunSettings(**{name: parameters[name] for name in _OF_RUN if name in parameters}),
        retry_reasons=frozenset(parameters.get("retry_reasons") or ()),
    )


_OF_RUN = [field.name for field in fields(RunSettings)]


def check_settings(settings: DatasetSettings) -> None:
    """That what these settings need is here: weights, body models, colours, something to draw with; before
    any work is begun, since workers run on this machine or on ones like it.

    Raises WeightsError, OffscreenError and ModelFileError.
    """
    require(needed_weights(settings))
    name = settings.sample.body_model
    if name != NO_MODEL:
        choose_platform()
        models = load_models(body_model_folder(settings), settings.sample.colours_file)
        if settings.sample.colours:
            _ = models(name).colours
        if name not in FITTED_MODELS:
            models(name)
            models("mano", side="right")
