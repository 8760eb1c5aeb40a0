"""The named sets of extractors and conditions: what each consists of. Facts alone, so that a command can
check a request without loading a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shards.schema import NO_MODEL


@dataclass(frozen=True)
class Preset:
    """A preset, by the names of what it is made of.

    detector is what finds people, wholebody what finds their keypoints, feet a second network whose feet
    replace the first one's (HIA, appendix A.4). body_models are those that it can give, its own first.
    """

    detector: str
    wholebody: str
    feet: str
    body_models: tuple[str, ...]


NO_DETECTOR = "none"
"""The extractor itself finds a person, one a frame."""

DETECTORS = (NO_DETECTOR, "rtmdet-m", "yolox-l", "faster-rcnn")

MEDIAPIPE = "mediapipe"
"""The keypoints of `embedded`; the other names are of networks of OpenMMLab."""

WHOLEBODIES = ("rtmpose-m", "rtmpose-l", "rtmpose-x", "dwpose-l", "dwpose-l-onnx")

PRESETS: Mapping[str, Preset] = {
    "embedded": Preset(NO_DETECTOR, MEDIAPIPE, "", ("anny", NO_MODEL)),
    "realisdance": Preset("rtmdet-m", "dwpose-l", "", ("smplx", NO_MODEL)),
    "hia": Preset("rtmdet-m", "rtmpose-l", "dwpose-l", (NO_MODEL,)),
}
"""`embedded` needs nothing; `realisdance` is what RealisDance was trained on, `hia` what HIA was."""

FITTED_MODELS = ("anny",)
"""Bodies that are fitted to a clip's keypoints and landmarks; the others are seen by a network."""
