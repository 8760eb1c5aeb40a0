"""What a user can set of a run, each with why it exists, split by what it changes: the plan, what is stored,
the numbers that are found, or none of it.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path

from pipelines.presets import DETECTORS, NO_DETECTOR, PRESETS, WHOLEBODIES
from shards.errors import UserError


class SettingsError(UserError):
    """A setting has a value that cannot work; the message names it and what is allowed."""


def _require_one_of(name: str, value: str, known: Collection[str]) -> None:
    _require(value in known, name, value or "empty", f"one of: {', '.join(known)}")


def _require(allowed: bool, name: str, value: object, wanted: str) -> None:
    if not allowed:
        raise SettingsError(f"{name} is {value}, but must be {wanted}")


def _require_types(settings: PlanSettings | SampleSettings | EstimatorSettings) -> None:
    """What is read from dataset.json may be of any type."""
    wanted: dict[str, tuple[type, ...]] = {
        "int": (int,),
        "float": (int, float),
        "str": (str,),
        "bool": (bool,),
    }
    for field in fields(settings):
        value = getattr(settings, field.name)
        fits = isinstance(value, wanted[str(field.type)])
        fits = fits and isinstance(value, bool) == (field.type == "bool")
        _require(fits, field.name, repr(value), f"of type {field.type}")


MAX_FRAMES = 1000
"""Frames of a clip."""


@dataclass(frozen=True)
class PlanSettings:
    """How videos are cut. One dataset has one plan, so these are fixed when it is begun.

    clip_seconds: length of a clip. Longer clips give a trainer more choice of windows, shorter ones lose less
    to a failure.
    overlap_seconds: how much of a clip the next one repeats; 0 stores every frame once.
    min_clip_seconds: what is shorter, at the end of a shot, is left out.
    fps: frames are chosen by time at up to this rate. A slower video keeps every frame.
    min_side: videos with fewer pixels on their short side show no hands worth having.
    clips_per_shard: about 300 MB a shard at the default sizes, which object stores and trainers like.
    detector: what finds people, each of whom is followed through a shot and gets clips of their own; none
    leaves it to the extractor to find one person a frame. By default the preset's.
    min_person_height: a person whose box is lower than this, in pixels of the video, at the median of a clip
    is left out.
    max_people: of the people of a shot only so many are kept, those whose boxes cover most; crowds are seldom
    worth their time.
    min_visible: a clip is left out when its person was detected in a smaller share of its frames.
    """

    clip_seconds: float = 4.0
    overlap_seconds: float = 0.0
    min_clip_seconds: float = 1.0
    fps: float = 30.0
    min_side: int = 128
    clips_per_shard: int = 32
    detector: str = NO_DETECTOR
    min_person_height: int = 128
    max_people: int = 8
    min_visible: float = 0.5

    def __post_init__(self) -> None:
        _require_types(self)
        for name in ("clip_seconds", "min_clip_seconds", "fps"):
            value = getattr(self, name)
            _require(math.isfinite(value) and value > 0, name, value, "a number above 0")
        _require(
            0 <= self.overlap_seconds < self.clip_seconds,
            "overlap_seconds",
            self.overlap_seconds,
            "at least 0 and below clip_seconds",
        )
        _require(
            self.min_clip_seconds <= self.clip_seconds,
            "min_clip_seconds",
            self.min_clip_seconds,
            "at most clip_seconds",
        )
        _require(self.min_side >= 16, "min_side", self.min_side, "16 or more")
        frames = self.clip_seconds * self.fps
        _require(
            frames <= MAX_FRAMES,
            "clip_seconds x fps",
            frames,
            f"at most {MAX_FRAMES}, as members are numbered by three digits",
        )
        _require(self.clips_per_shard >= 1, "clips_per_shard", self.clips_per_shard, "1 or more")
        _require_one_of("detector", self.detector, DETECTORS)
        _require(self.min_person_height >= 1, "min_person_height", self.min_person_height, "1 or more")
        _require(self.max_people >= 1, "max_people", self.max_people, "1 or more")
        _require(0 <= self.min_visible <= 1, "min_visible", self.min_visible, "between 0 and 1")

    @property
    def finds_people(self) -> bool:
        """Whether people are looked for before clips are cut."""
        return self.detector != NO_DETECTOR


@dataclass(frozen=True)
class SampleSettings:
    """What is stored of a clip. Changing one of these redoes just what depends on it.

    short_side: stored frames are scaled down to it (never up); 768 is RealisDance's training size and covers
    HIA's.
    jpeg_quality: 1 to 100. 95 keeps the texture that hand sharpness and a diffusion model's fine detail live
    on.
    min_found: a clip is left out when a person is found in a smaller share of its frames.
    body_model: anny (embedded) or smplx with MANO's hands (realisdance) stores a body's surface and its
    images smpl_cs and hands; none leaves all three out, which saves time and space. By default the preset's.
    colours: the path of a file of the colours of smpl_cs, to have them as somebody else has; by default they
    are made.
    """

    preset: str = "embedded"
    body_model: str = "anny"
    colours: str = ""
    short_side: int = 768
    jpeg_quality: int = 95
    min_found: float = 0.5

    def __post_init__(self) -> None:
        _require_types(self)
        _require_one_of("preset", self.preset, PRESETS)
        _require_one_of(
            f"body_model of preset {self.preset}", self.body_model, PRESETS[self.preset].body_models
        )
        _require(64 <= self.short_side <= 8192, "short_side", self.short_side, "between 64 and 8192")
        _require(1 <= self.jpeg_quality <= 100, "jpeg_quality", self.jpeg_quality, "between 1 and 100")
        _require(0 <= self.min_found <= 1, "min_found", self.min_found, "between 0 and 1")

    @property
    def colours_file(self) -> Path | None:
        """The file of the colours; None for made ones."""
        return Path(self.colours) if self.colours else None


TRAINED, RANDOM_REAL, RANDOM_SMALL = "trained", "random", "random-small"

BODY_NETWORKS = ("smpler-x-s32", "smpler-x-b32", "smpler-x-l32", "smpler-x-h32")
HAND_BOX_RULES = ("realisdance", "hamer")
BACKENDS = ("torch", "onnx")
PRECISIONS = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class EstimatorSettings:
    """With which networks numbers are found, and how these are run; of `embedded` that is the detector alone,
    if there is one. Changing one finds anew what it can change, at least in the last digits.

    weights: trained ones are the official files; random and random-small are untrained networks of the real
    and of a small size, for dry runs and for sizing machines: nothing to train on.
    wholebody, feet: the networks of the 2D keypoints; empty for the preset's.
    body_network: which SMPLer-X; h32 is what RealisDance used, s32 is 20 times smaller.
    hand_boxes: how hands are cut out for HaMeR, as RealisDance's scripts or as HaMeR's own demo does.
    backend: what runs the networks of the keypoints; onnx (ONNX Runtime) is faster on a CPU.
    flip_test: keypoints are the mean with those of the mirrored crop; twice the time, a little better.
    compat_bgr: red and blue are exchanged before the networks, as the common scripts around DWPose and
    SMPLer-X do by mistake; to compare with datasets made by them.
    smooth: boxes and surfaces are filtered along a track, with one shape and one focal length a clip; what
    was found is kept beside.
    precision: float32 gives the official numbers; bfloat16 and float16 are faster on a GPU.
    channels_last, compile: faster on some GPUs; compile takes minutes at the start.
    batch: crops that a network is given at once; larger fills a large GPU better.
    """

    weights: str = TRAINED
    wholebody: str = ""
    feet: str = ""
    body_network: str = "smpler-x-h32"
    hand_boxes: str = "realisdance"
    backend: str = "torch"
    flip_test: bool = False
    compat_bgr: bool = False
    smooth: bool = False
    precision: str = "float32"
    channels_last: bool = False
    compile: bool = False
    batch: int = 16

    def __post_init__(self) -> None:
        _require_types(self)
        _require_one_of("weights", self.weights, (TRAINED, RANDOM_REAL, RANDOM_SMALL))
        _require_one_of("wholebody", self.wholebody or WHOLEBODIES[0], WHOLEBODIES)
        _require_one_of("feet", self.feet or WHOLEBODIES[0], WHOLEBODIES)
        _require_one_of("body_network", self.body_network, BODY_NETWORKS)
        _require_one_of("hand_boxes", self.hand_boxes, HAND_BOX_RULES)
        _require_one_of("backend", self.backend, BACKENDS)
        _require_one_of("precision", self.precision, PRECISIONS)
        _require(1 <= self.batch <= 1024, "batch", self.batch, "between 1 and 1024")

    @property
    def is_random(self) -> bool:
        """Whether the networks are untrained."""
        return self.weights != TRAINED


@dataclass(frozen=True)
class RunSettings:
    """How the work is done. None of it changes a byte of the dataset.

    workers: processes that decode and extract; 0 takes one for each CPU that Ray has, or, where networks run
    on GPUs, workers_per_gpu for each GPU.
    ray_address: a running cluster's address; without one, a local Ray is started and stopped with the run.
    stall_seconds: a worker that makes no progress on a frame for so long is ended, and its clip tried again.
    Raise it for machines so loaded that a frame takes minutes.
    workers_per_gpu: so many share a GPU, and it computes for one while another decodes and draws. Each holds
    the networks once: about 7 GB for realisdance.
    """

    workers: int = 0
    ray_address: str | None = None
    stall_seconds: float = 120.0
    workers_per_gpu: int = 2

    def __post_init__(self) -> None:
        _require(self.workers >= 0, "workers", self.workers, "0 or more")
        _require(1 <= self.workers_per_gpu <= 64, "workers_per_gpu", self.workers_per_gpu, "between 1 and 64")
        _require(
            0 < self.stall_seconds <= 86400, "stall_seconds", self.stall_seconds, "above 0 and at most 86400"
        )
