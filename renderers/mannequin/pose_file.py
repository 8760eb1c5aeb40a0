"""Motion from a file of poses that a person or a program has written, and the writing of one.

The file is TOML: key poses in the order of time, with a smooth way between them. Lengths are in metres,
angles in degrees, directions (x to the person's left, y backward, z up) of any length:

    [[pose]]
    time = 0.0                                  # seconds; each later than the one before
    left_arm = { upper = [0.2, -0.1, -1.0], fore = [0.1, -0.7, 0.6], hand = [0, -0.3, 1], palm = [0, -1, 0] }
    right_hand = "V"                            # a name of signs.SIGNS, or single numbers:
    left_hand = { curls = [0, 0, 0, 1, 1], tips = [0, 0, 0, 0, 0], spread = 10, thumb_out = 15 }
    left_foot = { left = 0.0, forward = 0.1, up = 0.05, outward = 5, toe_down = 10, toes_up = 0 }
    pelvis = { left = 0, forward = 5, lean = 0 }  # so too chest and head
    shift = [0.0, 0.0, -0.02]                   # of the pelvis
    face = { smile = 0.7, look_left = 10 }      # strengths from 0 to 1; where the eyes look in degrees
    place = { x = 0.0, y = 0.0, heading = 90 }  # where the body stands in the room

Arms, hands and feet are left_ and right_. Only `time` must be there: what a pose does not say stays as in the
pose before, and the first begins with the arms hanging. Joints are held within their limits (`limits`).
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator

from renderers.mannequin.errors import MannequinError
from renderers.mannequin.limits import limited
from renderers.mannequin.pose import (
    FORWARD,
    UP,
    Arm,
    Hand,
    Pose,
    dot,
    numbered_pose,
    part,
    pose_numbers,
    unit,
)
from renderers.mannequin.signs import RELAXED, SIGNS

_LARGEST_FILE, _MOST_POSES, _LATEST = 16 * 1024 * 1024, 20_000, 3600.0
_LARGEST = 1000.0
_ANGLES = frozenset(
    {
        *(
            f"{hand}_hand.{name}"
            for hand in ("left", "right")
            for name in ("spread", "thumb_out", "thumb_round")
        ),
        *(f"{foot}_foot.{name}" for foot in ("left", "right") for name in ("outward", "toe_down", "toes_up")),
        *(f"{part}.{name}" for part in ("pelvis", "chest", "head") for name in ("left", "forward", "lean")),
        *("face.look_left", "face.look_up", "place.heading"),
    }
)
_SIDED = {"arm": "arms", "hand": "hands", "foot": "feet"}
_HANGING = (
    Arm((0.10, 0.05, -1.0), (0.06, -0.14, -1.0), (0.0, -0.15, -1.0), (-1.0, 0.35, 0.0)),
    Arm((-0.10, 0.05, -1.0), (-0.06, -0.14, -1.0), (0.0, -0.15, -1.0), (1.0, 0.35, 0.0)),
)
_FIRST = Pose(_HANGING, (RELAXED, RELAXED))


class FiledMotion:
    """A motion through key poses; before the first and after the last it holds still."""

    def __init__(self, times: Sequence[float], poses: Sequence[Pose]) -> None:
        self._first, self._last = times[0], times[-1]
        keys = [(times[0], pose_numbers(limited(poses[0])))]
        for time, pose in zip(times[1:], poses[1:], strict=True):
            keys += _on_the_way(*keys[-1], time, pose_numbers(limited(pose)))
        # A single pose is held: the spline wants two.
        if len(keys) == 1:
            keys.append((times[0] + 1.0, keys[0][1]))
        key_times, numbers = zip(*keys, strict=True)
        self._spline = PchipInterpolator(key_times, np.stack(numbers))

    def pose(self, time: float) -> Pose:
        """The pose at a time in seconds, within the limits between the keys too."""
        return limited(numbered_pose(self._spline(min(max(time, self._first), self._last))))


def _on_the_way(
    start: float, before: Float[np.ndarray, "numbers"], end: float, after: Float[np.ndarray, "numbers"]
) -> list[tuple[float, Float[np.ndarray, "numbers"]]]:
    """The keys after one key up to the next: where a direction turns by more than a right angle, one more
    half-way, as directions that are nearly opposite have none between them.

    From one to its opposite a direction swings by the front, or where it is in line with that, by below.
    """
    first, last = (part(numbers[None], "arms")[0] for numbers in (before, after))
    first, last = unit(first), unit(last)
    if (dot(first, last) >= 0).all():
        return [(end, after)]
    by = np.where(np.abs(dot(first, FORWARD))[..., None] < 0.9, FORWARD, -UP)
    between = first + last
    opposite = dot(between, between) < 0.1
    between = np.where(opposite[..., None], by - first * dot(by, first)[..., None], between)
    half_way = 0.5 * (before + after)
    part(half_way[None], "arms")[0] = unit(between)
    return [(0.5 * (start + end), half_way), (end, after)]


def read_poses(path: Path) -> FiledMotion:
    """The motion in a file of poses.

    Raises MannequinError, which says where and what to do, for a file that is none.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise MannequinError(f"{path}: cannot be read ({error.strerror}): give a file of poses.") from error
    if len(data) > _LARGEST_FILE:
        raise MannequinError(f"{path}: is over {_LARGEST_FILE // 2**20} MiB: give fewer poses.")
    try:
        content = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise MannequinError(
            f"{path}: is no TOML ({error}): see renderers/mannequin/pose_file.py."
        ) from error
    tables = content.get("pose")
    if set(content) != {"pose"} or not isinstance(tables, list) or not tables:
        raise MannequinError(f"{path}: give key poses, each under a line [[pose]], and nothing else.")
    if len(tables) > _MOST_POSES:
        raise MannequinError(f"{path}: has {len(tables)} poses: give up to {_MOST_POSES}.")
    times: list[float] = []
    poses: list[Pose] = []
    for number, table in enumerate(tables, start=1):
        where = f"{path}: pose {number}"
        if not isinstance(table, dict) or "time" not in table:
            raise MannequinError(f"{where} has no time: give time = seconds.")
        time = _number(table["time"], f"{where}: time", _LATEST)
        if time < 0 or (times and time <= times[-1]):
            raise MannequinError(f"{where}: time is {time:g}: give 0 or more, later than the pose before.")
        times.append(time)
        poses.append(_read_pose(table, poses[-1] if poses else _FIRST, where))
    return FiledMotion(times, poses)


def write_poses(path: Path, times: Sequence[float], poses: Sequence[Pose]) -> None:
    """Write key poses to a file that `read_poses` reads.

    Raises MannequinError if there are not as many times as poses, or none, or the times do not increase.
    """
    if not times or len(times) != len(poses):
        raise MannequinError(f"{len(times)} times and {len(poses)} poses: give as many, and at least one.")
    if not all(earlier < later for earlier, later in pairwise(times)) or not times[0] >= 0:
        raise MannequinError("times must be 0 or more, each later than the one before.")
    lines = []
    for time, pose in zip(times, poses, strict=True):
        lines += ["[[pose]]", f"time = {float(time)!r}"]
        for name, value in _named_parts(pose):
            if isinstance(value, tuple):
                lines.append(f"{name} = {_written(value)}")
            else:
                entries = []
                for field in fields(value):
                    is_angle = f"{name}.{field.name}" in _ANGLES
                    entries.append(f"{field.name} = {_written(getattr(value, field.name), is_angle)}")
                lines.append(f"{name} = {{ {', '.join(entries)} }}")
        lines.append("")
    path.write_text("\n".join(lines), encoding="utf-8")


def _named_parts(pose: Pose) -> list[tuple[str, Any]]:
    """The parts of a pose by their names in the file."""
    sided = [
        (f"{side}_{one}", getattr(pose, many)[number])
        for one, many in _SIDED.items()
        for number, side in enumerate(("left", "right"))
    ]
    single = [field.name for field in fields(Pose) if field.name not in _SIDED.values()]
    return [*sided, *((name, getattr(pose, name)) for name in single)]


def _written(value: Any, angle: bool = False) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(repr(float(number)) for number in value)}]"
    return repr(math.degrees(value) if angle else float(value))


def _read_pose(table: dict[str, Any], before: Pose, where: str) -> Pose:
    parts = dict(_named_parts(before))
    for name, value in table.items():
        if name == "time":
            continue
        if name not in parts:
            raise MannequinError(f"{where} has {name!r}: give time and any of {', '.join(parts)}.")
        parts[name] = _read_part(name, value, parts[name], f"{where}: {name}")
    sided: dict[str, Any] = {
        many: (parts.pop(f"left_{one}"), parts.pop(f"right_{one}")) for one, many in _SIDED.items()
    }
    return Pose(**sided, **parts)


def _read_part(name: str, value: Any, before: Any, where: str) -> Any:
    if isinstance(before, Hand) and isinstance(value, str):
        if value not in SIGNS:
            raise MannequinError(f"{where} is {value!r}: give one of {', '.join(SIGNS)}, or single numbers.")
        return SIGNS[value]
    if isinstance(before, tuple):
        return _numbers(value, len(before), where)
    if not isinstance(value, dict):
        raise MannequinError(f"{where} is {value!r}: give names and numbers in braces, as {{ ... = 0.1 }}.")
    known = {field.name: getattr(before, field.name) for field in fields(before)}
    changed: dict[str, Any] = {}
    for entry, given in value.items():
        if entry not in known:
            raise MannequinError(f"{where} has {entry!r}: give any of {', '.join(known)}.")
        place = f"{where}.{entry}"
        if isinstance(known[entry], tuple):
            changed[entry] = _numbers(given, len(known[entry]), place)
            if isinstance(before, Arm) and math.hypot(*changed[entry]) < 1e-6:
                raise MannequinError(f"{place} is no direction: give numbers that are not all 0.")
        else:
            number = _number(given, place)
            changed[entry] = math.radians(number) if f"{name}.{entry}" in _ANGLES else number
    changed_part = replace(before, **changed)
    if isinstance(changed_part, Arm) and _parallel(changed_part.hand, changed_part.palm):
        raise MannequinError(
            f"{where}: hand and palm are in line: give a palm that looks aside from the hand."
        )
    return changed_part


def _parallel(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    across = np.cross(first, second)
    return float(np.linalg.norm(across)) < 1e-6 * math.hypot(*first) * math.hypot(*second)


def _numbers(value: Any, count: int, where: str) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != count:
        raise MannequinError(f"{where} is {value!r}: give {count} numbers in brackets.")
    return tuple(_number(number, where) for number in value)


def _number(value: Any, where: str, largest: float = _LARGEST) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= largest:
        raise MannequinError(f"{where} is {value!r}: give a number of up to {largest:g}.")
    return float(value)
