"""The settings that a dataset was begun with, kept in its dataset.json: what a later run does not name is
taken from there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from extractors.anny_fit.lineage import body_lineage
from extractors.interface import Lineage
from pipelines.settings import PlanSettings, SampleSettings, SettingsError
from pipelines.workspace import PLAN, Workspace, read_json, write_text
from shards.schema import NO_MODEL, SCHEMA_VERSION

FILE = "dataset.json"


@dataclass(frozen=True)
class DatasetSettings:
    """How a dataset's videos are cut, and what is stored of them."""

    plan: PlanSettings
    sample: SampleSettings


def settle(dataset: Path, named: Mapping[str, Any]) -> DatasetSettings:
    """The dataset's settings, with those that are `named` (None is not named) put in their place.

    Raises SettingsError for a value that cannot work, a setting of the plan that differs from an existing
    plan's, and a dataset of another schema version.
    """
    kept = read_json(dataset / FILE)
    is_cut = (dataset / PLAN).exists()
    if kept is None and not is_cut:
        kept = {"schema_version": SCHEMA_VERSION, "plan": {}, "sample": {}}
    try:
        if kept["schema_version"] != SCHEMA_VERSION:
            raise SettingsError(
                f"{dataset} has schema version {kept['schema_version']}, this program writes "
                f"{SCHEMA_VERSION}: go on with the version that began it, or begin in another folder"
            )
        plan = PlanSettings(**{**kept["plan"], **_named(named, PlanSettings)})
        sample = SampleSettings(**{**kept["sample"], **_named(named, SampleSettings)})
    except (KeyError, TypeError) as error:
        raise SettingsError(
            f"{dataset / FILE} is missing or not a dataset's settings ({error}): restore it"
        ) from error
    for name, value in kept["plan"].items():
        if is_cut and getattr(plan, name) != value:
            raise SettingsError(
                f"{name} is {getattr(plan, name)}, but the clips of {dataset} were cut with "
                f"{value}: leave it out, or begin in another folder"
            )
    return DatasetSettings(plan, sample)


def _named(named: Mapping[str, Any], settings: type) -> dict[str, Any]:
    names = {field.name for field in fields(settings)}
    return {name: value for name, value in named.items() if name in names and value is not None}


def keep(workspace: Workspace, settings: DatasetSettings, lineage: Lineage) -> None:
    """Write dataset.json, where it would change."""
    has_body = settings.sample.body_model != NO_MODEL
    lineages = [lineage, body_lineage(lineage)] if has_body else [lineage]
    values = {
        "schema_version": SCHEMA_VERSION,
        "code_version": version("dancemill"),
        "preset": settings.sample.preset,
        "plan": asdict(settings.plan),
        "sample": asdict(settings.sample),
        "extractors": [asdict(each) for each in lineages],
    }
    if read_json(workspace.dataset / FILE) != values:
        write_text(workspace.dataset / FILE, json.dumps(values, indent=2, sort_keys=True) + "\n")
