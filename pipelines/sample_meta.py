"""What a sample says of itself, in its meta.json: where it comes from, what made it, and under what terms it
may be used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import cv2

from extractors import hand_motion
from extractors.interface import Licences, Lineage
from pipelines.content_keys import ContentKeys
from pipelines.frames import VideoSource
from pipelines.lineages import Lineages
from pipelines.settings import SampleSettings
from shards.schema import SCHEMA_VERSION, PlanRow

HAND_MOTION = Lineage(
    extractor="hand_motion",
    version=hand_motion.VERSION,
    package=f"opencv=={cv2.__version__}",
    weights={},
    licences=Licences(code="Apache-2.0", weights="none", body_model="none"),
)

ONE_A_FRAME = "most prominent: MediaPipe Holistic sees one person a frame"
"""How the person of a clip is chosen where nobody looked for people."""


@dataclass(frozen=True)
class ClipJob:
    """One clip to extract: the plan's row, its video, and how samples are made."""

    clip: PlanRow
    source: VideoSource
    settings: SampleSettings

    @property
    def stored_size(self) -> tuple[int, int]:
        """(width, height) of the stored frames."""
        return stored_size(self.source.width, self.source.height, self.settings.short_side)


def stored_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """(width, height) of the stored frame: never larger than the video's, both even, as video codecs want
    them.
    """
    scale = min(1.0, short_side / min(width, height))
    return max(2, round(width * scale) // 2 * 2), max(2, round(height * scale) // 2 * 2)


def sample_meta(
    job: ClipJob, keys: ContentKeys, lineages: Lineages, drawn: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The JSON values of meta.json. `drawn` says of each stored condition how its images were drawn
    (`shards.drawn_with.drawing_facts`).

    A stream has one of the roles target (what is to be generated), driving (where the motion comes from) and
    reference (whose appearance); here all three are the sample's own. captions and masks are empty until
    something fills them.
    """
    clip, source = job.clip, job.source
    conditions: dict[str, dict[str, Any]] = {
        "skeleton": {"from": "poses.npz: keypoints, confidence", "lineage": asdict(lineages.keypoints)},
        "motion_blur": {
            "from": "poses.npz: keypoints, confidence, sharpness, movement",
            "lineage": asdict(HAND_MOTION),
        },
    }
    surfaces = {"smpl_cs": lineages.body, "hands": lineages.hands}
    for name, facts in drawn.items():
        surface = surfaces[name]
        assert surface is not None
        drawn_from = {"from": "poses.npz: body, hand and camera arrays", "lineage": asdict(surface)}
        conditions[name] = {**drawn_from, **facts}
    people = lineages.people
    own = {"key": clip.key, "member": "rgb"}
    return {
        "schema_version": SCHEMA_VERSION,
        "key": clip.key,
        "video_id": clip.video_id,
        "shot": clip.shot,
        "track_id": clip.track_id,
        "first_frame": clip.first_frame,
        "num_frames": len(clip.frames),
        "size": list(job.stored_size),
        "source": {
            "size": [source.width, source.height],
            "rotation": source.rotation,
            "codec": source.codec,
            "exact_times": source.exact_times,
        },
        "jpeg": {"quality": job.settings.jpeg_quality, "subsampling": "4:2:0"},
        "preset": job.settings.preset,
        "person_selection": ONE_A_FRAME if people is None else f"track {clip.track_id} of the shot",
        "people": None if people is None else asdict(people),
        "streams": {"target": own, "driving": own, "reference": own},
        "conditions": conditions,
        "body_model": job.settings.body_model,
        "captions": [],
        "masks": [],
        "content_keys": asdict(keys),
    }
