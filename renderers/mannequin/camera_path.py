"""Where the camera is through a shot: a framing of the people that holds from beginning to end, still or with
a slow pan and zoom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from renderers.mannequin.camera import Camera, facing
from renderers.mannequin.scene import SIDE_WALL

FRAMINGS = ("full", "half", "close", "small")
"""Whole people with room for what they do; from the hips up; head, shoulders and hands before the chest; and
figures of 15 to 30% of the picture's height."""

_FARTHEST = 12.0
_NEAREST = 1.5
_FOCAL = (24.0, 85.0)
_SLOW = 2.0
"""Seconds that a whole pan and zoom takes at least; a shorter shot has less of it."""
_SENSOR = 36.0
_AISLE = SIDE_WALL - 0.7
"""How far to the side the camera may be, in metres: the places have walls."""


@dataclass(frozen=True)
class View:
    """Where the camera is and looks, in metres, how far it is rolled, in radians, and the focal length in
    millimetres, as if the picture's longer side were 36 mm."""

    eye: tuple[float, float, float]
    target: tuple[float, float, float]
    roll: float
    focal: float


@dataclass(frozen=True)
class CameraPath:
    """From one view to another without a jerk: at rest at the start and the end."""

    width: int
    height: int
    seconds: float
    start: View
    end: View

    def camera(self, time: float) -> Camera:
        """The camera at a time; before the start and after the end it stands still."""
        done = float(np.clip(time / self.seconds, 0.0, 1.0)) if self.seconds > 0 else 0.0
        share = done * done * done * (10 - 15 * done + 6 * done * done)
        return _camera(_between(self.start, self.end, share), self.width, self.height)


def draw_camera_path(
    rng: np.random.Generator,
    framing: str,
    width: int,
    height: int,
    low: Sequence[float] | Float[np.ndarray, "3"],
    high: Sequence[float] | Float[np.ndarray, "3"],
    seconds: float,
    moving: bool,
) -> CameraPath:
    """A path whose framing holds for people who stay between the corners `low` and `high` of the world.

    `full` and `small` have all of that in the picture. `half` and `close` have the people's upper parts in
    it, and as much of their width as goes into a picture that shows little more; whoever is far to the side
    of a portrait picture is cut. `seconds` is how long the shot takes. Raises KeyError for a framing that
    there is not.
    """
    corner, other = np.asarray(low, float), np.asarray(high, float)
    window_low, window_high, margin = _window(rng, framing, corner, other, width, height)
    focal = float(np.exp(rng.uniform(*np.log(_FOCAL))))
    yaw = rng.uniform(-1, 1) * np.radians(25)
    eye_height = rng.uniform(0.9, 1.9)
    roll = rng.normal(0.0, np.radians(0.7))
    middle = 0.5 * (window_low + window_high)
    shown = _corners(window_low, window_high)
    if framing == "small":
        shown = np.concatenate([shown, _corners(corner, other)])
    drift = np.zeros(5)
    if moving:
        # Metres to the side and up at the target, radians about it, the zoom, metres of the eye's height.
        size = window_high - window_low
        drift = rng.uniform(-1, 1, 5) * [0.08 * size[0], 0.05 * size[2], np.radians(5), 0.09, 0.12]
        drift *= min(1.0, seconds / _SLOW)

    def path(distance: float, focal: float) -> CameraPath:
        views = []
        for sign in (-0.5, 0.5):
            side, up, around, zoom, lift = sign * drift
            angle = yaw + around
            aside = float(np.clip(middle[0] - distance * np.sin(angle), -_AISLE, _AISLE))
            target = (float(middle[0] + side), float(middle[1]), float(middle[2] + up))
            eye = (aside, float(middle[1] - distance * np.cos(angle)), float(eye_height + lift))
            views.append(View(eye, target, float(roll), float(focal * np.exp(zoom))))
        return CameraPath(width, height, seconds, *views)

    # As near as the focal length asks for, then as far as the framing needs; at the farthest, a wider lens.
    nearest = max(_NEAREST, float(middle[1] - corner[1]) + 0.75)
    wanted = float(window_high[2] - window_low[2]) * focal / _SENSOR * max(width, height) / height
    distance = float(np.clip(wanted, nearest, _FARTHEST))
    found = path(distance, focal)
    longest = _FOCAL[1] * np.exp(-0.5 * abs(drift[3]))
    shortest = _FOCAL[0] * np.exp(0.5 * abs(drift[3]))
    for _ in range(60):
        excess = _excess(found, shown, margin)
        if abs(excess - 1) < 0.004:
            break
        # What is too large for the picture by a factor is taken from farther away, or with a shorter lens.
        farther = float(np.clip(distance * excess, nearest, _FARTHEST))
        rest = excess * distance / farther
        distance, focal = farther, float(np.clip(focal / rest, shortest, longest))
        found = path(distance, focal)
    return found


def _window(
    rng: np.random.Generator,
    framing: str,
    low: Float[np.ndarray, "3"],
    high: Float[np.ndarray, "3"],
    width: int,
    height: int,
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"], float]:
    """The part of the world, as a box, that the picture should just hold, and the margin that it leaves at
    each side, as a share of the picture."""
    stature = float(np.clip(high[2] - low[2], 1.5, 1.95))
    aspect = width / height
    if framing == "full":
        return low, high, float(rng.uniform(0.05, 0.1))
    if framing == "small":
        # The figures' share of the height sets the window; they must all be in it.
        tall = stature / rng.uniform(0.19, 0.25)
        below = rng.uniform(0.25, 0.45) * (tall - stature)
        middle = 0.5 * (low + high)
        window_low = np.array([low[0], middle[1], low[2] - below])
        window_high = np.array([high[0], middle[1], low[2] - below + tall])
        return window_low, window_high, 0.01
    bottom, top = {"half": (0.50, 1.06), "close": (0.60, 1.07)}[framing]
    bottom -= rng.uniform(0.0, 0.04)
    window_low, window_high = low.copy(), high.copy()
    window_low[2] = low[2] + bottom * stature
    window_high[2] = low[2] + max(
        top * stature, min(high[2] - low[2], 1.15 * stature) if framing == "half" else 0.0
    )
    # From the outermost person's middle to the other's (arms may leave the picture), but not so wide that a
    # portrait picture shows much below.
    shoulders = {"half": 0.8, "close": 0.62}[framing]
    widest = max(shoulders, 1.4 * aspect * (window_high[2] - window_low[2]))
    half = 0.5 * float(np.clip(high[0] - low[0] - 0.7, shoulders, widest))
    middle = 0.5 * (low + high)
    window_low[:2], window_high[:2] = middle[:2], middle[:2].copy()
    window_low[0] -= half
    window_high[0] += half
    # A picture taller than the window shows more below it, not more above.
    missing = 2 * half / aspect - (window_high[2] - window_low[2])
    window_low[2] -= max(missing, 0.0)
    return window_low, window_high, 0.02


def _corners(low: Float[np.ndarray, "3"], high: Float[np.ndarray, "3"]) -> Float[np.ndarray, "8 3"]:
    return np.array(np.meshgrid(*np.stack([low, high], axis=1))).reshape(3, -1).T


def _excess(path: CameraPath, shown: Float[np.ndarray, "points 3"], margin: float) -> float:
    """How many times too far from the picture's middle the farthest of the points is that it should show, at
    the worst moment of the path."""
    size = np.array([path.width, path.height])
    worst = 0.0
    for time in np.linspace(0, path.seconds, 7):
        camera = path.camera(float(time))
        seen = camera.view(shown)
        if seen[:, 2].min() < 0.3:
            return 1.5
        offset = np.abs(camera.project(shown) - size / 2) / (size * (0.5 - margin))
        worst = max(worst, float(offset.max()))
    return worst


def _between(start: View, end: View, share: float) -> View:
    def mixed(
        first: tuple[float, float, float], second: tuple[float, float, float]
    ) -> tuple[float, float, float]:
        x, y, z = (a + share * (b - a) for a, b in zip(first, second, strict=True))
        return (x, y, z)

    return View(
        mixed(start.eye, end.eye),
        mixed(start.target, end.target),
        start.roll + share * (end.roll - start.roll),
        start.focal * (end.focal / start.focal) ** share,
    )


def _camera(view: View, width: int, height: int) -> Camera:
    pixels = view.focal / _SENSOR * max(width, height)
    distance = float(np.linalg.norm(np.subtract(view.target, view.eye)))
    level = facing(width, height, eye=view.eye, target=view.target, frame=height * distance / pixels)
    sine, cosine = np.sin(view.roll), np.cos(view.roll)
    rolled = np.array([[cosine, -sine, 0, 0], [sine, cosine, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1.0]])
    return Camera(width, height, level.K, rolled @ level.world_to_camera)
