"""What videos of made people may be like: choices from which a seed draws, as a TOML file gives them.

A field that is a tuple holds choices, of which each video draws one; a choice given twice is drawn twice as
often.
"""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from renderers.mannequin.camera_path import FRAMINGS
from renderers.mannequin.damage import DAMAGES
from renderers.mannequin.encoding import CODECS
from renderers.mannequin.errors import MannequinError
from renderers.mannequin.motion import MOTIONS
from renderers.mannequin.pose_file import read_poses
from renderers.mannequin.scene import BACKGROUNDS, LIGHTINGS


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What to draw from.

    Raises MannequinError for a choice that cannot be made, naming the field.
    """

    sizes: tuple[tuple[int, int], ...] = ((540, 960), (540, 960), (960, 540))
    """Width and height in pixels. Odd ones are possible; H.264 and HEVC then code whole colour planes."""
    fps: float = 25.0
    seconds: float = 4.0
    people: tuple[int, ...] = (1, 1, 1, 2, 2, 3)
    """How many people a video shows."""
    crossing: tuple[bool, ...] = (False, True)
    """Whether several people walk past each other; `motions` and `turns` do not count then."""
    motions: tuple[str, ...] = MOTIONS
    poses: str = ""
    """A file of poses that the people take instead of a drawn motion; relative to the specification's
    folder."""
    backgrounds: tuple[str, ...] = BACKGROUNDS
    lightings: tuple[str, ...] = (*LIGHTINGS, "bright", "soft")
    framings: tuple[str, ...] = ("full", *FRAMINGS)
    turns: tuple[float, float] = (-50.0, 50.0)
    """The range from which each person's turn away from the camera is drawn, in degrees; left is positive."""
    moving_camera: tuple[bool, ...] = (False, True)
    """Whether the camera pans and zooms slowly."""
    shots: tuple[int, ...] = (1, 1, 1, 2)
    """How many shots a video is cut into, with the same people in another place or from another side."""
    props: tuple[int, ...] = (0, 0, 1, 2)
    """How many things are held in hands or stand about."""
    exposures: tuple[float, ...] = (0.0, 0.25, 0.5, 0.5)
    """For which share of the time from frame to frame the shutter is open; 0 gives no motion blur."""
    noise: tuple[float, ...] = (0.0, 1.5, 3.0)
    """The camera's noise in grey levels (standard deviation), beside that of low light."""
    crf: tuple[int, ...] = (18, 23, 28)
    """How much the coder leaves out: x264's constant rate factor."""
    codecs: tuple[str, ...] = ("h264",)
    b_frames: tuple[int, ...] = (2,)
    rotations: tuple[int, ...] = (0,)
    """Degrees that a tag in the file tells players to turn the stored pictures by."""
    variable_rate: tuple[bool, ...] = (False,)
    """Whether the time from frame to frame varies."""
    numbered: bool = False
    """Whether each frame carries its own number, burnt in along its upper edge."""
    damages: tuple[str, ...] = ()
    """What is broken in the files: the first video has the first damage, and so on, round and round."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value == () and field.name != "damages":
                raise MannequinError(f"{field.name} is empty: give at least one choice.")
            allowed = _NAMES.get(field.name, ())
            for name in value if allowed else ():
                if name not in allowed:
                    raise MannequinError(
                        f"{field.name} has {name!r}: choose from {', '.join(map(str, allowed))}."
                    )
            for number in _numbers(value):
                low, high = _RANGES.get(field.name, (float("-inf"), float("inf")))
                if not low <= number <= high:
                    raise MannequinError(f"{field.name} has {number:g}: give {low:g} to {high:g}.")
        if self.frame_count < 1:
            raise MannequinError(
                f"{self.seconds} s at {self.fps} frames per second is not one frame: give more."
            )
        for width, height in self.sizes:
            if width * height > _MOST_PIXELS:
                raise MannequinError(f"sizes has {width}x{height}: give up to {_MOST_PIXELS:,} pixels.")
        if self.turns[0] > self.turns[1]:
            raise MannequinError(f"turns is {self.turns}: give the smaller angle first.")
        if max(self.shots) > self.frame_count:
            raise MannequinError(f"shots has {max(self.shots)}, but a video has {self.frame_count} frames.")

    @property
    def frame_count(self) -> int:
        """How many frames each video has."""
        return round(self.seconds * self.fps)


_NAMES: dict[str, tuple[Any, ...]] = {
    "motions": MOTIONS,
    "backgrounds": BACKGROUNDS,
    "lightings": LIGHTINGS,
    "framings": FRAMINGS,
    "codecs": CODECS,
    "damages": DAMAGES,
    "rotations": (0, 90, 180, 270),
}
_MOST_PIXELS = 4096 * 2304
_RANGES = {
    "sizes": (64, 4096),
    "fps": (1, 240),
    "seconds": (0.001, 120),
    "people": (1, 6),
    "turns": (-180, 180),
    "shots": (1, 50),
    "props": (0, 6),
    "exposures": (0, 1),
    "noise": (0, 60),
    "crf": (0, 51),
    "b_frames": (0, 8),
}


def _numbers(value: Any) -> list[float]:
    if isinstance(value, tuple):
        return [number for part in value for number in _numbers(part)]
    return [] if isinstance(value, str | bool) else [value]


_TO_DO = {
    "tuple_type": "give a list in brackets",
    "missing": "there are too few values",
    "too_long": "there are too many values",
}


def _told(mistake: ErrorDetails) -> str:
    """What pydantic found wrong, in the words of a specification."""
    own = mistake.get("ctx", {}).get("error")
    if isinstance(own, MannequinError):
        return str(own)
    field, *places = mistake["loc"]
    where = "".join(f"[{place}]" for place in places)
    return f"{field}{where}: {_TO_DO.get(mistake['type'], mistake['msg'])}."


FRONTAL = Spec(
    sizes=((540, 960),),
    people=(1,),
    motions=("dance", "gestures", "signing"),
    backgrounds=("room", "studio"),
    lightings=("bright", "soft"),
    framings=("full",),
    turns=(-10.0, 10.0),
    moving_camera=(False,),
    shots=(1,),
    props=(0,),
    exposures=(0.0,),
    noise=(0.0,),
    crf=(18,),
)
"""One person from the front in good light, whole in the picture: what every pose estimator should see."""


def read_spec(path: Path) -> Spec:
    """The specification in a TOML file. Raises MannequinError that says what is wrong with it, and where."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MannequinError(f"{path}: {error.strerror or error}; give a TOML file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MannequinError(f"{path} is not TOML: {error}.") from error
    known = [field.name for field in dataclasses.fields(Spec)]
    for name in given:
        if name not in known:
            raise MannequinError(f"{path}: there is no {name!r}; a specification has {', '.join(known)}.")
    try:
        spec = TypeAdapter(Spec).validate_python(given, strict=False)
    except ValidationError as error:
        raise MannequinError(f"{path}: {_told(error.errors()[0])}") from error
    if spec.poses:
        poses = (path.parent / spec.poses).resolve()
        try:
            read_poses(poses)
        except MannequinError as error:
            raise MannequinError(f"{path}: poses: {error}") from error
        spec = dataclasses.replace(spec, poses=str(poses))
    return spec
