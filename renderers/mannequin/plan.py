"""What one video shows, drawn by a seed from a specification: who, in what place, doing what, seen how.

A plan is numbers and names only, and a pure function of the specification, the seed and the video's number:
what is drawn for clothes has no influence on what is drawn for the camera, as each part draws from a stream
of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np

from renderers.mannequin.encoding import Encoding, fitting_pixel_format
from renderers.mannequin.look import Look, draw_look
from renderers.mannequin.pose import Place
from renderers.mannequin.props import Prop, draw_props
from renderers.mannequin.scene import Scene, draw_scene
from renderers.mannequin.spec import Spec
from renderers.mannequin.walking import SHORTEST_WALK

_Choice = TypeVar("_Choice")

_FARTHEST_BACK = 1.6
"""How far behind the middle of a place anybody begins to walk, in metres: walls are near."""

_PARTS = ("video", "looks", "roles", "scenes", "props", "camera", "motion", "times", "noise")


@dataclass(frozen=True)
class Role:
    """What one of the video's people does in a shot: a kind of motion from a place, or, where there are
    waypoints, a walk along them (metres on the floor)."""

    motion: str
    start: Place
    waypoints: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class ShotPlan:
    """A run of frames without a cut; roles are in the order of the video's people."""

    first: int
    count: int
    scene: Scene
    framing: str
    moving_camera: bool
    roles: tuple[Role, ...]
    props: tuple[Prop, ...]


@dataclass(frozen=True)
class Plan:
    """A whole video. `exposure` is the share of the time from frame to frame for which the shutter is open;
    `noise` is in grey levels."""

    seed: int
    number: int
    width: int
    height: int
    fps: float
    frame_count: int
    exposure: float
    noise: float
    looks: tuple[Look, ...]
    shots: tuple[ShotPlan, ...]
    encoding: Encoding
    poses: str
    numbered: bool
    damage: str

    def stream(self, part: str) -> np.random.Generator:
        """The random numbers of one part of the work, always the same."""
        return _stream(self.seed, self.number, part)


def draw_plan(spec: Spec, seed: int, number: int) -> Plan:
    """The video of a number, in the sequence of videos that a seed and a specification stand for."""
    rng = _stream(seed, number, "video")
    width, height = _one(rng, spec.sizes)
    people = _one(rng, spec.people)
    crossing = _one(rng, spec.crossing) and people > 1 and not spec.poses
    exposure, noise, crf = _one(rng, spec.exposures), _one(rng, spec.noise), _one(rng, spec.crf)
    shots = _one(rng, spec.shots)
    codec = _one(rng, spec.codecs)
    encoding = Encoding(
        codec=codec,
        crf=crf,
        b_frames=_one(rng, spec.b_frames),
        rotation=_one(rng, spec.rotations),
        variable_rate=_one(rng, spec.variable_rate),
        pixel_format=fitting_pixel_format(codec, width, height),
    )
    looks = tuple(draw_look(stream) for stream in _stream(seed, number, "looks").spawn(people))
    edges = np.linspace(0, spec.frame_count, shots + 1).round().astype(int).tolist()
    scenes = _stream(seed, number, "scenes").spawn(shots)
    roles = _stream(seed, number, "roles").spawn(shots)
    props = _stream(seed, number, "props").spawn(shots)
    return Plan(
        seed=seed,
        number=number,
        width=width,
        height=height,
        fps=spec.fps,
        frame_count=spec.frame_count,
        exposure=exposure,
        noise=noise,
        looks=looks,
        shots=tuple(
            _draw_shot(spec, people, crossing, (first, last), (scenes[shot], roles[shot], props[shot]))
            for shot, (first, last) in enumerate(pairwise(edges))
        ),
        encoding=encoding,
        poses=spec.poses,
        numbered=spec.numbered,
        damage=spec.damages[number % len(spec.damages)] if spec.damages else "",
    )


def _stream(seed: int, number: int, part: str) -> np.random.Generator:
    return np.random.default_rng([seed, number, _PARTS.index(part)])


def _one(rng: np.random.Generator, choices: tuple[_Choice, ...]) -> _Choice:
    return choices[int(rng.integers(len(choices)))]


def _draw_shot(
    spec: Spec,
    people: int,
    crossing: bool,
    frames: tuple[int, int],
    streams: tuple[np.random.Generator, np.random.Generator, np.random.Generator],
) -> ShotPlan:
    scene_rng, role_rng, prop_rng = streams
    scene = draw_scene(scene_rng, _one(scene_rng, spec.backgrounds), _one(scene_rng, spec.lightings))
    framing, moving = _one(scene_rng, spec.framings), _one(scene_rng, spec.moving_camera)
    if crossing and framing in ("half", "close"):
        # From so near, those who pass would be legs and shoulders.
        framing = "full"
    seconds = (frames[1] - frames[0]) / spec.fps
    roles = (
        _crossing(role_rng, people, seconds) if crossing else _side_by_side(role_rng, people, spec, seconds)
    )
    props = draw_props(prop_rng, _one(prop_rng, spec.props), [role.start for role in roles])
    return ShotPlan(frames[0], frames[1] - frames[0], scene, framing, moving, roles, tuple(props))


def _side_by_side(rng: np.random.Generator, people: int, spec: Spec, seconds: float) -> tuple[Role, ...]:
    """Beside each other, some a little in front, so near that they hide parts of each other now and then."""
    gap = rng.uniform(0.55, 1.15)
    order = rng.permutation(people)
    roles = []
    for number in range(people):
        turn = np.radians(rng.uniform(*spec.turns))
        x = (order[number] - (people - 1) / 2) * gap + rng.uniform(-0.08, 0.08)
        y = rng.uniform(-0.45, 0.45) if people > 1 else rng.uniform(-0.1, 0.1)
        motion = _one(rng, spec.motions)
        # Who walks begins so far back that half the way is behind them when they come by.
        walks = motion == "walking" and not spec.poses
        back = min(0.5 * seconds, _FARTHEST_BACK) if walks else 0.0
        start = Place(float(x - back * np.sin(turn)), float(y + back * np.cos(turn)), float(turn))
        roles.append(Role(motion, start))
    return tuple(roles)


def _crossing(rng: np.random.Generator, people: int, seconds: float) -> tuple[Role, ...]:
    """Walks across the picture from either side, each in a lane of its own, so that people pass each other
    about half-way."""
    lanes = rng.permutation(people)
    from_left = bool(rng.integers(2))
    roles = []
    for number in range(people):
        lane = -0.75 + 0.65 * lanes[number] + rng.uniform(-0.05, 0.05)
        reach = min(float(rng.uniform(0.42, 0.62)) * max(seconds, SHORTEST_WALK), 2.2)
        side = 1.0 if (number % 2 == 0) == from_left else -1.0
        start = (side * reach, float(lane))
        end = (-side * reach, float(lane + rng.uniform(-0.2, 0.2)))
        heading = float(np.arctan2(end[0] - start[0], -(end[1] - start[1])))
        roles.append(Role("walking", Place(*start, heading), (start, end)))
    return tuple(roles)
