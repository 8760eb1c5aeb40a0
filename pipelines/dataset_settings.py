"""The settings that a dataset was begun with, kept in its dataset.json: what a later run does not name is
taken from there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipelines.lineages import Lineages
from pipelines.presets import MEDIAPIPE, NO_DETECTOR, PRESETS, Preset
from pipelines.settings import EstimatorSettings, PlanSettings, SampleSettings, SettingsError
from pipelines.workspace import PLAN, Workspace, read_json, write_text
from shards.schema import SCHEMA_VERSION

FILE = "dataset.json"


@dataclass(frozen=True)
class DatasetSettings:
    """How a dataset's videos are cut, what is stored of them, and what finds the numbers."""

    plan: PlanSettings
    sample: SampleSettings
    estimators: EstimatorSettings = field(default_factory=EstimatorSettings)

    @property
    def preset(self) -> Preset:
        """What the preset consists of, with the networks that were named in its own ones' place."""
        own = PRESETS[self.sample.preset]
        return replace(
            own,
            detector=self.plan.detector,
            wholebody=self.estimators.wholebody or own.wholebody,
            feet=self.estimators.feet or own.feet,
        )


def settle(dataset: Path | None, named: Mapping[str, Any]) -> DatasetSettings:
    """The dataset's settings, or those of a new one, with those that are `named` (None is not named) put in
    their place; what is neither kept nor named is the preset's, or by default.

    Raises SettingsError for a value that cannot work, a setting of the plan that differs from an existing
    plan's, and a dataset of another schema version.
    """
    kept: Any = read_json(dataset / FILE) if dataset else None
    is_cut = dataset is not None and (dataset / PLAN).exists()
    if kept is None and not is_cut:
        kept = {"schema_version": SCHEMA_VERSION, "plan": {}, "sample": {}, "estimators": {}}
    try:
        if kept["schema_version"] != SCHEMA_VERSION:
            raise SettingsError(
                f"{dataset} has schema version {kept['schema_version']}, this program writes "
                f"{SCHEMA_VERSION}: go on with the version that began it, or begin in another folder"
            )
        of_plan, of_sample = _named(named, PlanSettings), _named(named, SampleSettings)
        own = _own_of_preset(kept["sample"], of_sample)
        plan = PlanSettings(**{"detector": own.detector, **kept["plan"], **of_plan})
        sample = SampleSettings(**{**kept["sample"], "body_model": own.body_models[0], **of_sample})
        of_estimators = _named(named, EstimatorSettings)
        estimators = EstimatorSettings(**{**kept.get("estimators", {}), **of_estimators})
    except (KeyError, TypeError) as error:
        raise SettingsError(
            f"{dataset}/{FILE} is missing or not a dataset's settings ({error}): restore it"
        ) from error
    for name, value in kept["plan"].items():
        if is_cut and getattr(plan, name) != value:
            raise SettingsError(
                f"{name} is {getattr(plan, name)}, but the clips of {dataset} were cut with "
                f"{value}: leave it out, or begin in another folder"
            )
    settings = DatasetSettings(plan, sample, estimators)
    _check_whole(settings, of_estimators)
    return settings


def _own_of_preset(kept: Mapping[str, Any], named: Mapping[str, Any]) -> Preset:
    """What is taken where nothing is named: of an existing dataset, unless its preset is changed, the body
    model that it has.
    """
    earlier = kept.get("preset", SampleSettings.preset)
    preset = PRESETS.get(named.get("preset", earlier), PRESETS[SampleSettings.preset])
    if "body_model" in kept and named.get("preset", earlier) == earlier:
        return replace(preset, body_models=(kept["body_model"],))
    return preset


def _check_whole(settings: DatasetSettings, named: Mapping[str, Any]) -> None:
    """What fits each for itself, but not together."""
    preset, name = settings.preset, settings.sample.preset
    if PRESETS[name].wholebody == MEDIAPIPE:
        unused = sorted(set(named) - (_OF_DETECTORS if settings.plan.finds_people else set()))
        if unused:
            raise SettingsError(
                f"{', '.join(unused)}: the preset {name} has no networks that this could change; leave it out"
            )
    elif preset.detector == NO_DETECTOR:
        raise SettingsError(
            f"the preset {name} needs boxes of people, and the clips here are cut with detector "
            f"{NO_DETECTOR}: begin in another folder, with one of the other detectors"
        )


_OF_DETECTORS = {"weights", "precision", "channels_last", "compile", "batch"}
"""The settings that count for detectors too."""


def _named(named: Mapping[str, Any], settings: type) -> dict[str, Any]:
    names = {field.name for field in fields(settings)}
    return {name: value for name, value in named.items() if name in names and value is not None}


def keep(workspace: Workspace, settings: DatasetSettings, lineages: Lineages) -> None:
    """Write dataset.json, where it would change."""
    values = {
        "schema_version": SCHEMA_VERSION,
        "code_version": version("dancemill"),
        "preset": settings.sample.preset,
        "random_weights": lineages.is_random,
        "plan": asdict(settings.plan),
        "sample": asdict(settings.sample),
        "estimators": asdict(settings.estimators),
        "extractors": [asdict(each) for each in lineages.all()],
    }
    if read_json(workspace.dataset / FILE) != values:
        write_text(workspace.dataset / FILE, json.dumps(values, indent=2, sort_keys=True) + "\n")
