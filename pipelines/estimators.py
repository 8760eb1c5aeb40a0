"""From a dataset's settings to its estimators: which weights they need, what their numbers come from, and the
loaded networks themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, cast

from extractors.anny_fit.lineage import body_lineage
from extractors.hamer import VERSION as HANDS_VERSION
from extractors.interface import RANDOM, BodyEstimator, Extractor, HandEstimator, Licences, Lineage
from extractors.people import VERSION as PEOPLE_VERSION
from extractors.smoothing import VERSION as SMOOTHING_VERSION
from extractors.smpler_x import VERSION as BODY_VERSION
from extractors.weights.registry import weight_named
from extractors.weights.store import hash_of, weight_path, weights_folder
from extractors.wholebody import VERSION as WHOLEBODY_VERSION
from pipelines.body_surface import load_body, models_in
from pipelines.dataset_settings import DatasetSettings
from pipelines.lineages import Lineages
from pipelines.people import Detector
from pipelines.presets import FITTED_MODELS, MEDIAPIPE
from pipelines.settings import RANDOM_SMALL
from renderers.cache_folder import cache_folder, placeholder_folder
from shards.schema import NO_MODEL

if TYPE_CHECKING:
    from extractors.batching import Running
    from extractors.wholebody.networks import WholebodyNetwork

HANDS = "hamer"
"""The network of hands."""

RUNNING = ("precision", "channels_last", "compile", "batch")
"""Settings of how networks are run. Each can change the last digits of a number."""

Parameter = str | int | float | bool

_OWN = "Apache-2.0"
"""That of this program's own networks."""


@dataclass(frozen=True)
class Estimators:
    """The loaded networks of a dataset, and where their numbers come from.

    Without `body` and `hands` surfaces are fitted to the keypoints, or there are none. `body_models` is the
    folder of the files of body models; `smooth` has boxes and surfaces filtered along a clip.
    """

    keypoints: Extractor
    lineages: Lineages
    body: BodyEstimator | None = None
    hands: HandEstimator | None = None
    body_models: Path | None = None
    smooth: bool = False


def needed_weights(settings: DatasetSettings) -> tuple[str, ...]:
    """Names, in the registry of weights, of the files that a run with trained networks reads."""
    if settings.estimators.is_random:
        return ()
    preset = settings.preset
    names = [preset.detector] if settings.plan.finds_people else []
    if preset.wholebody != MEDIAPIPE:
        names += [preset.wholebody, *([preset.feet] if preset.feet else [])]
    if settings.sees_body:
        names += [settings.estimators.body_network, HANDS, "smplx", "mano"]
    return tuple(dict.fromkeys(names))


def body_model_folder(settings: DatasetSettings) -> Path | None:
    """Where the files of body models are; stand-ins for them where the networks are untrained, too."""
    if not settings.sees_body:
        return None
    return placeholder_folder() if settings.estimators.is_random else weights_folder()


def lineages_of(settings: DatasetSettings) -> Lineages:
    """Of all that the settings' numbers come from. Raises WeightsError for a file that is not there."""
    preset, estimators = settings.preset, settings.estimators
    people = None
    if settings.plan.finds_people:
        # How it was run is left out: its boxes are in the plan, and stay.
        people = _lineage(settings, "mmdet", PEOPLE_VERSION, (preset.detector,), {}, running=())
    if preset.wholebody == MEDIAPIPE:
        from extractors.mediapipe_holistic import MediaPipeHolistic

        return fitting_lineages(MediaPipeHolistic().lineage, settings.sample.body_model, people)
    smoothed = {"smooth": SMOOTHING_VERSION} if estimators.smooth else {}
    names = (preset.wholebody, *([preset.feet] if preset.feet else []))
    of_keypoints: dict[str, Parameter] = {
        "flip_test": estimators.flip_test,
        "compat_bgr": estimators.compat_bgr,
        "backend": _backend(settings),
        **smoothed,
    }
    keypoints = _lineage(settings, "mmpose", WHOLEBODY_VERSION, names, of_keypoints)
    if not settings.sees_body:
        return Lineages(keypoints, people)
    networks = (estimators.body_network, "smplx")
    of_body: dict[str, Parameter] = {"compat_bgr": estimators.compat_bgr, **smoothed}
    body = _lineage(settings, "smpler_x", BODY_VERSION, networks, of_body)
    of_hands: dict[str, Parameter] = {"hand_boxes": estimators.hand_boxes, **smoothed}
    hands = _lineage(settings, "hamer", HANDS_VERSION, (HANDS, "mano"), of_hands)
    return Lineages(keypoints, people, body, hands)


def _backend(settings: DatasetSettings) -> str:
    """What runs the networks of the keypoints; those that are published for ONNX Runtime run there alone."""
    preset = settings.preset
    is_onnx = settings.estimators.backend == "onnx" or preset.wholebody.endswith("-onnx")
    return f"onnxruntime {version('onnxruntime')}" if is_onnx else "torch"


_BODY_MODELS = ("smplx", "mano")

_PACKAGES = {"mmdet": "mmdet", "mmpose": "mmpose", "smpler_x": "smplx", "hamer": "smplx"}


def _placeholder_licence() -> str:
    """Asked for only where a body model takes part: their stand-ins need the package smplx."""
    from renderers.body_models.placeholder import PLACEHOLDER_LICENCE

    return PLACEHOLDER_LICENCE


def _lineage(
    settings: DatasetSettings,
    extractor: str,
    version_of_code: int,
    names: tuple[str, ...],
    own: Mapping[str, Parameter],
    running: tuple[str, ...] = RUNNING,
) -> Lineage:
    """Of an extractor whose weights, and whose body model if it has one, are those of the names; `running`
    are settings of how networks are run that count.
    """
    estimators = settings.estimators
    run = {name: getattr(estimators, name) for name in running}
    networks = [weight_named(name) for name in names if name not in _BODY_MODELS]
    models = [weight_named(name) for name in names if name in _BODY_MODELS]
    if estimators.is_random:
        weights = {name: RANDOM for name in names}
        of_weights, of_models = "none", _placeholder_licence() if models else "none"
        networks_of = estimators.weights
    else:
        weights = {name: hash_of(name) for name in names}
        of_weights = ", ".join(dict.fromkeys(weight.licence for weight in networks))
        of_models = ", ".join(weight.licence for weight in models) or "none"
        networks_of = "trained"
    package = _PACKAGES[extractor]
    code = {_OWN, *(weight.code for weight in (*networks, *models))}
    return Lineage(
        extractor=f"{extractor}: {', '.join(weight.name for weight in networks)}",
        version=version_of_code,
        package=f"{package}=={version(package)}, torch=={version('torch').partition('+')[0]}",
        weights=weights,
        licences=Licences(", ".join(sorted(code)), of_weights, of_models),
        parameters={"networks": networks_of, **run, **own},
    )


def _running(settings: DatasetSettings) -> Running:
    """How this process runs networks: on the GPU that it was given, if it was given one."""
    import torch

    from extractors.batching import Running

    device = "cuda" if torch.cuda.is_available() else "cpu"
    # Ten bits of a number are no float32: convolutions would use them by default.
    torch.backends.cudnn.allow_tf32 = settings.estimators.precision != "float32"
    return Running(device, **{name: getattr(settings.estimators, name) for name in RUNNING})


def load_detector(settings: DatasetSettings) -> Detector:
    """The network that finds people. Raises WeightsError."""
    from extractors.people.detectors import PersonDetector
    from extractors.people.dry_run import DryRunDetector
    from extractors.people.networks import detection_network

    name, running = settings.plan.detector, _running(settings)
    if settings.estimators.is_random:
        is_small = settings.estimators.weights == RANDOM_SMALL
        network = detection_network("small" if is_small else name, None)
        return DryRunDetector(PersonDetector(network, running))
    return PersonDetector(detection_network(name, weight_path(name)), running)


def load_estimators(settings: DatasetSettings) -> Estimators:
    """All networks of the settings but the detector. Raises WeightsError."""
    lineages = lineages_of(settings)
    preset, estimators = settings.preset, settings.estimators
    if preset.wholebody == MEDIAPIPE:
        from extractors.mediapipe_holistic import MediaPipeHolistic

        return fitting(MediaPipeHolistic(), settings.sample.body_model, lineages.people)
    from extractors.wholebody.estimator import WholebodyEstimator

    running = _running(settings)
    feet = _wholebody(preset.feet, settings, running.device) if preset.feet else None
    network = _wholebody(preset.wholebody, settings, running.device)
    keypoints = WholebodyEstimator(network, running, lineages.keypoints, feet=feet)
    if lineages.body is None or lineages.hands is None:
        return Estimators(keypoints, lineages, smooth=estimators.smooth)
    from extractors.hamer.estimator import HamerEstimator
    from extractors.hamer.network import load_hamer, random_hamer
    from extractors.hand_boxes import BoxRule
    from extractors.smpler_x.estimator import SmplerXEstimator
    from extractors.smpler_x.network import Size
    from extractors.smpler_x.weights import load_smpler_x, random_smpler_x

    size = cast(Size, estimators.body_network.removeprefix("smpler-x-"))
    rule = cast(BoxRule, estimators.hand_boxes)
    if estimators.is_random:
        is_small = estimators.weights == RANDOM_SMALL
        body = random_smpler_x("small" if is_small else size)
        hands = random_hamer("small" if is_small else "full")
    else:
        body = load_smpler_x(weight_path(estimators.body_network), size)
        hands = load_hamer(weight_path(HANDS))
    return Estimators(
        keypoints,
        lineages,
        SmplerXEstimator(body, running, lineages.body, compat_bgr=estimators.compat_bgr),
        HamerEstimator(hands, running, lineages.hands, rule),
        body_model_folder(settings),
        estimators.smooth,
    )


def load_with_body(settings: DatasetSettings) -> Estimators:
    """The networks, and the body models that their surfaces are drawn with, loaded too. Raises WeightsError
    and ModelFileError.
    """
    estimators, sample = load_estimators(settings), settings.sample
    if sample.body_model != NO_MODEL:
        load_body(sample.body_model, models_in(estimators.body_models, sample.colours_file))
    return estimators


def _wholebody(name: str, settings: DatasetSettings, device: str) -> WholebodyNetwork:
    from extractors.wholebody.networks import load_wholebody

    estimators = settings.estimators
    network = name.removesuffix("-onnx")
    if estimators.weights == RANDOM_SMALL:
        network = "small"
    return load_wholebody(
        network,
        None if estimators.is_random else weight_path(name),
        flip_test=estimators.flip_test,
        compat_bgr=estimators.compat_bgr,
        device=device,
        onnx_folder=cache_folder() / "onnx" if estimators.backend == "onnx" else None,
    )


def fitting(keypoints: Extractor, body_model: str, people: Lineage | None = None) -> Estimators:
    """One extractor of keypoints and landmarks, to which a body is fitted if `body_model` is one for that."""
    return Estimators(keypoints, fitting_lineages(keypoints.lineage, body_model, people))


def fitting_lineages(keypoints: Lineage, body_model: str, people: Lineage | None = None) -> Lineages:
    """Those of `fitting`."""
    fitted = body_lineage(keypoints) if body_model in FITTED_MODELS else None
    return Lineages(keypoints, people, fitted, fitted)
