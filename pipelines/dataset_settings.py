"""The settings that a dataset was begun with, kept in its dataset.json: what a later run does not name is
taken from there.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipelines.lineages import Lineages
from pipelines.presets import FITTED_MODELS, MEDIAPIPE, NO_DETECTOR, PRESETS, Preset
from pipelines.settings import EstimatorSettings, PlanSettings, SampleSettings, SettingsError
from pipelines.workspace import PLAN, Workspace, read_json, write_text
from shards.schema import NO_MODEL, SCHEMA_VERSION

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
        own = replace(PRESETS[self.sample.preset], detector=self.plan.detector)
        if own.wholebody == MEDIAPIPE:
            return own
        named = self.estimators
        return replace(own, wholebody=named.wholebody or own.wholebody, feet=named.feet or own.feet)

    @property
    def sees_body(self) -> bool:
        """Whether networks see bodies and hands, which are then of SMPL-X and MANO."""
        return self.sample.body_model not in (*FITTED_MODELS, NO_MODEL)


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
        of_plan, of_sample, of_estimators = (
            _named(named, kind) for kind in (PlanSettings, SampleSettings, EstimatorSettings)
        )
        own = _own_of_preset(kept["sample"], of_sample)
        of_networks = kept.get("estimators", {})
        if "preset" in of_sample and of_sample["preset"] != kept["sample"].get("preset"):
            # Another preset has other networks; what is kept is whether they are trained.
            of_networks = {name: of_networks[name] for name in ("weights",) if name in of_networks}
        plan = PlanSettings(**{"detector": own.detector, **kept["plan"], **of_plan})
        sample = SampleSettings(**{**kept["sample"], "body_model": own.body_models[0], **of_sample})
        estimators = EstimatorSettings(**{**of_networks, **of_estimators})
    except (KeyError, TypeError, AttributeError) as error:
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
    _check_whole(settings, {**of_plan, **of_estimators})
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


def _check_whole(settings: DatasetSettings, named: Collection[str]) -> None:
    """What fits each for itself, but not together; and what is named and would change nothing."""
    name, has_networks = settings.sample.preset, settings.preset.wholebody != MEDIAPIPE
    if has_networks and not settings.plan.finds_people:
        raise SettingsError(
            f"the preset {name} needs boxes of people, and detector is {NO_DETECTOR}: name another one with "
            "--detector, and for a dataset that was begun without boxes another folder"
        )
    idle: set[str] = set()
    if not settings.plan.finds_people:
        idle |= _OF_PEOPLE | _OF_DETECTORS
    if not has_networks:
        idle |= {field.name for field in fields(EstimatorSettings)} - _OF_DETECTORS
    if not settings.sees_body:
        idle |= {"body_network", "hand_boxes"}
    if unused := sorted(set(named) & idle):
        raise SettingsError(
            f"{', '.join(unused)}: with preset {name}, detector {settings.plan.detector} and body model "
            f"{settings.sample.body_model} this changes nothing; leave it out"
        )


_OF_PEOPLE = {"min_person_height", "max_people", "min_visible"}
"""The settings that count where people are looked for."""

_OF_DETECTORS = {"weights", "precision", "channels_last", "compile", "batch"}
"""Those of networks that count for detectors too."""


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
        "people": None if lineages.people is None else asdict(lineages.people),
        "extractors": [asdict(each) for each in lineages.all()],
    }
    if read_json(workspace.dataset / FILE) != values:
        write_text(workspace.dataset / FILE, json.dumps(values, indent=2, sort_keys=True) + "\n")


def check_same_people(dataset: Path, lineages: Lineages) -> None:
    """Raise SettingsError where another detector than this run's cut the clips of an existing dataset: the
    boxes of its plan stay.
    """
    kept = read_json(dataset / FILE)
    people = None if lineages.people is None else asdict(lineages.people)
    if (dataset / PLAN).exists() and kept is not None and kept.get("people") != people:
        raise SettingsError(
            f"the people of {dataset} were found by {_told(kept.get('people'))}, and this run would look for "
            f"them by {_told(people)}: their boxes decide how clips are cut, so begin in another folder"
        )


def _told(people: Mapping[str, Any] | None) -> str:
    if not isinstance(people, dict):
        return "no detector"
    weights = ", ".join(f"{name} {str(digest)[:12]}" for name, digest in people.get("weights", {}).items())
    return f"{people.get('extractor')} (version {people.get('version')}, weights {weights})"
