"""What a run is asked to do, checked as a whole before anything is started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.dataset_settings import DatasetSettings, settle
from pipelines.inputs import expand_inputs
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

    Raises UserError for what its caller must mend; where conditions are to be drawn, also OffscreenError if
    nothing draws, and ModelFileError for colours that are none.
    """
    try:
        dataset = Path(parameters["out"]).expanduser().resolve()
    except (RuntimeError, ValueError) as error:
        raise OutputError(f"--out {parameters['out']!r}: {error}") from error
    check_output(dataset)
    inputs = parameters["inputs"]
    settings = settle(dataset, parameters)
    if settings.sample.body_model != NO_MODEL:
        # Before any work is begun: workers draw, on this machine or on ones like it.
        choose_platform()
        if settings.sample.colours:
            _ = load_models(colours=settings.sample.colours_file)(settings.sample.body_model).colours
    goes_on = not inputs and (dataset / "videos.parquet").exists()
    return Request(
        dataset=dataset,
        paths=None if goes_on else expand_inputs(inputs),
        settings=settings,
        run=RunSettings(parameters["workers"], parameters["ray_address"], parameters["stall_seconds"]),
        retry_reasons=frozenset(parameters.get("retry_reasons") or ()),
    )
