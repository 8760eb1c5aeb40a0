"""What was done is known by what it was made from: video bytes, frames, code versions, weight hashes and
parameters.

A key is the SHA-256 of those facts. Names of files and machines are not among them, so a renamed video redoes
nothing, and another checkpoint redoes just what depends on it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from extractors import hand_motion
from extractors.interface import Lineage
from pipelines.lineages import Lineages
from pipelines.presets import FITTED_MODELS
from pipelines.settings import SampleSettings
from renderers.body_models.colours import COLOURS_VERSION
from shards.drawn_with import MADE_COLOURS, name_colours
from shards.schema import NO_MODEL, SCHEMA_VERSION, PlanRow
from shards.surface_conditions import DRAWING_VERSION

FRAMES_VERSION = 1
"""Raised with every change of decoding, scaling or encoding that can change a stored byte."""


@dataclass(frozen=True)
class ContentKeys:
    """One key for each part of a sample that can be kept while another is made anew, and one for the sample.

    frames: the JPEG images. keypoints: the extractor's numbers, which are stored in pixels of the stored
    frame. hand_motion: what is measured from the keypoints and the video. body, hands: the parameters of the
    surfaces. conditions: the images drawn from them. sample: all of it, with the rule that leaves clips out.
    """

    frames: str
    keypoints: str
    hand_motion: str
    body: str
    hands: str
    conditions: str
    sample: str


def content_keys(clip: PlanRow, settings: SampleSettings, lineages: Lineages) -> ContentKeys:
    """The keys of a clip's sample under these settings and with these estimators. Raises ColourFileError
    where the file of the colours cannot be read.
    """
    chosen = {"video": clip.video_id, "shot": clip.shot, "frames": clip.frames, "times": clip.times}
    stored = {"version": FRAMES_VERSION, "short_side": settings.short_side}
    frames = _key({"clip": chosen, "stored": stored, "jpeg_quality": settings.jpeg_quality})
    person = {"clip": chosen, "stored": stored, "track": clip.track_id, "boxes": clip.boxes}
    keypoints = _key({**person, "lineage": asdict(lineages.keypoints)})
    motion = _key({"keypoints": keypoints, "version": hand_motion.VERSION})
    # A fitted body comes from the keypoints, one that a network sees from the pixels alone.
    of_body = {"keypoints": keypoints} if settings.body_model in FITTED_MODELS else {}
    body = _key({**person, **of_body, "model": settings.body_model, "lineage": _facts(lineages.body)})
    hands = _key({"keypoints": keypoints, "model": settings.body_model, "lineage": _facts(lineages.hands)})
    colours = name_colours(settings.colours_file)
    made = {"colours": COLOURS_VERSION if colours == MADE_COLOURS else colours}
    drawn = {"drawing": DRAWING_VERSION} | made if settings.body_model != NO_MODEL else {}
    conditions = _key({"body": body, "hands": hands} | drawn)
    sample = _key(
        {"schema": SCHEMA_VERSION, "preset": settings.preset, "min_found": settings.min_found}
        | {"frames": frames, "hand_motion": motion, "conditions": conditions}
    )
    return ContentKeys(frames, keypoints, motion, body, hands, conditions, sample)


def _facts(lineage: Lineage | None) -> dict[str, Any] | None:
    return None if lineage is None else asdict(lineage)


def _key(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
