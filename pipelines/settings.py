"""What a user can set of a run, each with why it exists, split by what it changes: the plan, the samples, or
neither.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path

from shards.errors import UserError


class SettingsError(UserError):
    """A setting has a value that cannot work; the message names it and what is allowed."""


def _require(allowed: bool, name: str, value: object, wanted: str) -> None:
    if not allowed:
        raise SettingsError(f"{name} is {value}, but must be {wanted}")


def _require_types(settings: PlanSettings | SampleSettings) -> None:
    """What is read from dataset.json may be of any type."""
    wanted: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,)}
    for field in fields(settings):
        value = getattr(settings, field.name)
        fits = isinstance(value, wanted[str(field.type)]) and not isinstance(value, bool)
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
    """

    clip_seconds: float = 4.0
    overlap_seconds: float = 0.0
    min_clip_seconds: float = 1.0
    fps: float = 30.0
    min_side: int = 128
    clips_per_shard: int = 32

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


@dataclass(frozen=True)
class SampleSettings:
    """What is stored of a clip. Changing one of these redoes just what depends on it.

    short_side: stored frames are scaled down to it (never up); 768 is RealisDance's training size and covers
    HIA's.
    jpeg_quality: 1 to 100. 95 keeps the texture that hand sharpness and a diffusion model's fine detail live
    on.
    min_found: a clip is left out when a person is found in a smaller share of its frames.
    body_model: anny fits a body with hands and stores smpl_cs and hands; none leaves all three out, which
    saves time and space.
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
        _require(self.preset in PRESETS, "preset", self.preset, f"one of: {', '.join(PRESETS)}")
        known = ", ".join(BODY_MODELS)
        _require(self.body_model in BODY_MODELS, "body_model", self.body_model, f"one of: {known}")
        _require(64 <= self.short_side <= 8192, "short_side", self.short_side, "between 64 and 8192")
        _require(1 <= self.jpeg_quality <= 100, "jpeg_quality", self.jpeg_quality, "between 1 and 100")
        _require(0 <= self.min_found <= 1, "min_found", self.min_found, "between 0 and 1")

    @property
    def colours_file(self) -> Path | None:
        """The file of the colours; None for made ones."""
        return Path(self.colours) if self.colours else None


PRESETS = ("embedded",)
"""The named sets of extractors and conditions."""

BODY_MODELS = ("anny", "none")
"""What a body can be fitted to."""


@dataclass(frozen=True)
class RunSettings:
    """How the work is done. None of it changes a byte of the dataset.

    workers: processes that decode and extract; 0 takes one for each CPU that Ray has.
    ray_address: a running cluster's address; without one, a local Ray is started and stopped with the run.
    stall_seconds: a worker that makes no progress on a frame for so long is ended, and its clip tried again.
    Raise it for machines so loaded that a frame takes minutes.
    """

    workers: int = 0
    ray_address: str | None = None
    stall_seconds: float = 120.0

    def __post_init__(self) -> None:
        _require(self.workers >= 0, "workers", self.workers, "0 or more")
        _require(
            0 < self.stall_seconds <= 86400, "stall_seconds", self.stall_seconds, "above 0 and at most 86400"
        )
