"""Whether a dataset may be made under a policy of its user's, judged by the licences of all that makes it."""

from __future__ import annotations

from extractors.weights.registry import commercial_objections, weight_named
from pipelines.dataset_settings import DatasetSettings
from pipelines.estimators import needed_weights
from pipelines.settings import SettingsError

COMMERCIAL = "commercial"


def check_policy(policy: str | None, settings: DatasetSettings) -> None:
    """Raise SettingsError where the policy forbids the run, naming each thing that does and its licence."""
    if policy is None:
        return
    if policy != COMMERCIAL:
        raise SettingsError(f"policy is {policy}, but must be {COMMERCIAL}, or left out")
    objections = commercial_objections(needed_weights(settings))
    if settings.sample.body_model == "smplx":
        smplx = weight_named("smplx")
        objections.append(f"package smplx ({smplx.code}): not for commercial use.")
    if settings.sample.colours:
        objections.append(f"colours {settings.sample.colours}: their licence is not known.")
    if objections:
        raise SettingsError("the policy commercial forbids this run:\n  " + "\n  ".join(objections))
