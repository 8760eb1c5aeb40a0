"""A shot as it is played: the people's motions, what they hold, the camera that follows them, and each
frame's picture and truth.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from renderers.mannequin.camera_path import draw_camera_path
from renderers.mannequin.keypoints import Places, keypoint_places
from renderers.mannequin.labels import PHENOTYPES, Row, mask_box, surface_box, visibility
from renderers.mannequin.motion import Motion, make_motion
from renderers.mannequin.person import Person
from renderers.mannequin.plan import Plan, Role, ShotPlan
from renderers.mannequin.pose import FACE_ACTIONS, Place, Pose, posed_bones
from renderers.mannequin.pose_file import read_poses
from renderers.mannequin.props import hand_frame, prop_transform
from renderers.mannequin.stage import Exposure, Moment, Stage
from renderers.mannequin.surface import Surface
from renderers.mannequin.walking import SHORTEST_WALK, walk
from renderers.wholebody import LEFT_HAND, RIGHT_HAND

_PIXELS_A_MOMENT = 3.0
"""How far things move in the picture from one of an exposure's moments to the next, while the most moments
are enough for it."""
_FEWEST_MOMENTS, _MOST_MOMENTS = 4, 16
_STILL_PIXELS = 0.5
_ON_THE_WAY = np.array([-0.5, -0.25, 0.0, 0.25, 0.5])
"""When in an exposure it is looked where points are, to tell how far they go; in shares of its length."""
_AROUND = 0.10
"""Metres of flesh, cloth and hair around the joints."""
_LOOKS = 12
"""At how many moments of a shot it is looked up where the people are, to frame them."""


@dataclasses.dataclass(frozen=True)
class Actor:
    """Somebody with a body, and what they do in this shot."""

    person: Person
    surfaces: tuple[Surface, ...]
    places: Places
    motion: Motion

    def bones(self, time: float) -> tuple[Pose, Float[np.ndarray, "bones 3 4"]]:
        """The pose at a time in seconds, and the bones that take it."""
        pose = self.motion.pose(time)
        return pose, posed_bones(self.person, pose)


class Take:
    """One shot, ready to be exposed frame by frame; times are seconds from its beginning."""

    def __init__(
        self, plan: Plan, number: int, figures: list[tuple[Person, tuple[Surface, ...]]], seconds: float
    ) -> None:
        self._shot: ShotPlan = plan.shots[number]
        motions = plan.stream("motion").spawn(len(plan.shots))[number].spawn(len(figures))
        self._actors = [
            Actor(
                person,
                surfaces,
                keypoint_places(person),
                _motion(person, role, plan.poses, motions[index], seconds),
            )
            for index, ((person, surfaces), role) in enumerate(zip(figures, self._shot.roles, strict=True))
        ]
        low, high = self._reach(seconds)
        self._path = draw_camera_path(
            plan.stream("camera").spawn(len(plan.shots))[number],
            self._shot.framing,
            plan.width,
            plan.height,
            low,
            high,
            seconds,
            self._shot.moving_camera,
        )
        scene = dataclasses.replace(
            self._shot.scene, noise=float(np.hypot(self._shot.scene.noise, plan.noise))
        )
        self._stage = Stage(figures, self._shot.props, scene, plan.width, plan.height)
        self._phenotypes = [[getattr(look.shape, axis) for axis in PHENOTYPES] for look in plan.looks]

    def expose(self, time: float, open_for: float, noise: np.random.Generator) -> tuple[Exposure, list[Row]]:
        """The frame in the middle of whose exposure it is `time`, and a row of truth for each person; the
        shutter is open for `open_for` seconds."""
        played = [actor.bones(time) for actor in self._actors]
        middle = self._moment(time, played)
        paths = self._paths(time, open_for, middle, played)
        moments = self._moments(time, open_for, middle, paths)
        exposure = self._stage.expose(middle, moments, noise)
        rows = [
            {
                **self._truth(index, pose, bones, middle, exposure),
                "hand_blur": [_length(path[:, hand]) for hand in (LEFT_HAND, RIGHT_HAND)],
                "exposure": open_for,
            }
            for index, ((pose, bones), path) in enumerate(zip(played, paths, strict=True))
        ]
        return exposure, rows

    def _moment(self, time: float, played: list[tuple[Pose, np.ndarray]]) -> Moment:
        props = []
        for prop in self._shot.props:
            frame = None
            if prop.held_by is not None and prop.hand is not None:
                person, bones = self._actors[prop.held_by].person, played[prop.held_by][1]
                frame = hand_frame(person, bones, prop.hand)
            props.append(prop_transform(prop, frame))
        return Moment(
            bones=tuple(bones for _, bones in played),
            faces=tuple(_face(pose) for pose, _ in played),
            props=tuple(props),
            camera=self._path.camera(time),
        )

    def _paths(
        self, time: float, open_for: float, middle: Moment, played: list[tuple[Pose, np.ndarray]]
    ) -> list[Float[np.ndarray, "times 133 2"]]:
        """Where each person's points are seen while the shutter is open, from its opening to its closing."""
        paths = []
        for index, actor in enumerate(self._actors):
            points = []
            for at in (time + open_for * _ON_THE_WAY).tolist():
                if open_for == 0 or at == time:
                    pose, bones, camera = *played[index], middle.camera
                else:
                    pose, bones = actor.bones(at)
                    camera = self._path.camera(at)
                points.append(camera.project(actor.places.posed(bones, _face(pose))))
            paths.append(np.stack(points))
        return paths

    def _moments(
        self, time: float, open_for: float, middle: Moment, paths: list[Float[np.ndarray, "times 133 2"]]
    ) -> list[Moment]:
        size = np.array([middle.camera.width, middle.camera.height])
        farthest = 0.0
        for path in paths:
            near = ((path > -0.2 * size) & (path < 1.2 * size)).all(axis=(0, 2))
            steps = np.linalg.norm(np.diff(path[:, near], axis=0), axis=-1).sum(axis=0)
            farthest = max(farthest, float(steps.max(initial=0.0)))
        if farthest < _STILL_PIXELS:
            return [middle]
        count = int(np.clip(np.ceil(farthest / _PIXELS_A_MOMENT), _FEWEST_MOMENTS, _MOST_MOMENTS))
        times = time + open_for * ((np.arange(count) + 0.5) / count - 0.5)
        return [self._moment(at, [actor.bones(at) for actor in self._actors]) for at in times.tolist()]

    def _truth(self, index: int, pose: Pose, bones: np.ndarray, middle: Moment, exposure: Exposure) -> Row:
        actor, camera = self._actors[index], middle.camera
        points = actor.places.posed(bones, _face(pose))
        joints = np.einsum("bij,bj->bi", bones[..., :3], actor.person.heads) + bones[..., 3]
        seen = exposure.owners == index + 1
        return {
            "person": index,
            "keypoints_2d": camera.project(points),
            "keypoints_3d": points,
            "visibility": visibility(camera, index + 1, points, exposure.owners, exposure.depth),
            "joints": joints,
            "phenotypes": self._phenotypes[index],
            "bone_rotations": Rotation.from_matrix(bones[..., :3]).as_rotvec(),
            "root": joints[0] - actor.person.heads[0],
            "face": _face(pose),
            "box": surface_box(camera, exposure.shells[index].points),
            "visible_box": mask_box(seen),
            "visible_pixels": int(seen.sum()),
            "K": camera.K,
            "world_to_camera": camera.world_to_camera,
        }

    def _reach(self, seconds: float) -> tuple[np.ndarray, np.ndarray]:
        """The box in which the people that the camera shows are throughout the shot."""
        # From nearby, one person fills the picture, and others pass through it.
        shown = self._actors[:1] if self._shot.framing in ("half", "close") else self._actors
        joints = [
            np.einsum("bij,bj->bi", bones[..., :3], actor.person.heads) + bones[..., 3]
            for actor in shown
            for _, bones in (actor.bones(time) for time in np.linspace(0, seconds, _LOOKS).tolist())
        ]
        points = np.concatenate(joints)
        crown = max(actor.person.height for actor in shown)
        low, high = points.min(axis=0) - _AROUND, points.max(axis=0) + _AROUND
        low[2], high[2] = 0.0, max(high[2], crown)
        return low, high


@dataclasses.dataclass(frozen=True)
class _Elsewhere:
    """A motion that begins at another place."""

    motion: Motion
    start: Place

    def pose(self, time: float) -> Pose:
        pose, start = self.motion.pose(time), self.start
        sine, cosine = np.sin(start.heading), np.cos(start.heading)
        x, y = pose.place.x, pose.place.y
        place = Place(
            float(start.x + cosine * x - sine * y),
            float(start.y + sine * x + cosine * y),
            start.heading + pose.place.heading,
        )
        return dataclasses.replace(pose, place=place)


def _motion(person: Person, role: Role, poses: str, rng: np.random.Generator, seconds: float) -> Motion:
    if poses:
        return _Elsewhere(read_poses(Path(poses)), role.start)
    if role.waypoints:
        return walk(person, rng, role.waypoints, max(seconds, SHORTEST_WALK))
    return make_motion(role.motion, person, rng, seconds, role.start)


def _face(pose: Pose) -> Float[np.ndarray, "actions"]:
    return np.array([getattr(pose.face, action) for action in FACE_ACTIONS])


def _length(path: Float[np.ndarray, "times 21 2"]) -> float:
    """How far the points of a hand go, on average."""
    return float(np.linalg.norm(np.diff(path, axis=0), axis=-1).sum(axis=0).mean())
