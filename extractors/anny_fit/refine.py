"""The refinement of a whole clip at once: what is seen in the picture, the directions of MediaPipe's 3D
landmarks, what bodies commonly do, and that they move smoothly.

Anny's keypoints are differentiable in every angle, in the place and in the phenotypes; Adam (Kingma and Ba,
2015) goes down the sum of the terms below in a fixed number of steps, so that the time is bounded.

Dimension names: frames F, points 133, angles A, bones B and shapes 5 of a `FitRig`, pairs (of points).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from extractors.anny_fit.camera import FOCAL_PRIOR, FOCAL_SPREAD, WORLD_TO_CAMERA
from extractors.anny_fit.rig import SHAPED, STANDARD, FitRig, tensor
from extractors.anny_fit.start import Start
from renderers.wholebody import FEET, LEFT_HAND, RIGHT_HAND

_DIRECTION, _PRIOR, _LIMIT, _SMOOTH, _SHAPE, _FOCAL = 4.0, 0.05, 20.0, 3.0, 0.5, 0.05
"""Weights of the terms against that of the picture. They were chosen on six of the made videos that
`benchmarks.accuracy` measures on; none is critical."""

_ACCELERATION, _HAND_ACCELERATION = 6.0, 20.0
"""Metres per second squared, at which body and hands commonly move."""

_RATE, _FOCAL_RATE = 0.02, 0.005
"""Radians, or shares of the depth times four, or of the focal length, that a step changes at most."""

_SMOOTHED = torch.tensor([0, *range(5, FEET.stop), *range(LEFT_HAND.start, RIGHT_HAND.stop)])
_OF_HANDS = torch.isin(_SMOOTHED, torch.tensor([9, 10, *range(LEFT_HAND.start, RIGHT_HAND.stop)]))
"""Wrists, and the hands' own points."""


@dataclass(frozen=True)
class Observed:
    """What is to be met, frame by frame.

    pixels are keypoints from the middle of the picture, sigma their standard deviation in pixels and weights
    how much each counts (0: not found). directions, of length 1 in camera axes, are those from one keypoint
    of a pair to the other. smooth is 1 for a frame whose neighbours are the next frames of the video; step is
    the time from one frame to the next, in seconds.
    """

    pixels: Float[np.ndarray, "frames 133 2"]
    sigma: Float[np.ndarray, "frames 133"]
    weights: Float[np.ndarray, "frames 133"]
    pairs: Int[np.ndarray, "pairs 2"]
    directions: Float[np.ndarray, "frames pairs 3"]
    direction_weights: Float[np.ndarray, "frames pairs"]
    smooth: Float[np.ndarray, "frames-2"]
    step: float
    long_side: float


@dataclass(frozen=True)
class View:
    """Where the first bone begins, in metres in camera axes, and the focal length in pixels."""

    place: Float[np.ndarray, "frames 3"]
    focal: float


@dataclass(frozen=True)
class Refined:
    """A pose and how it is seen. shape is by how much each phenotype of SHAPED differs from the rig's; local
    is each bone's rotation relative to its parent; points are the keypoints in metres in camera axes."""

    angles: Float[np.ndarray, "frames angles"]
    local: Float[np.ndarray, "frames bones 3 3"]
    shape: Float[np.ndarray, "shapes"]
    view: View
    points: Float[np.ndarray, "frames 133 3"]


def refine(
    rig: FitRig,
    start: Start,
    view: View,
    observed: Observed,
    steps: int,
    fit_shape: bool,
    on_step: Callable[[], object],
) -> Refined:
    """The pose of least cost near `start`, after so many steps; with `fit_shape` also the phenotypes.
    `on_step` is called after each."""
    terms = _Terms(rig, observed)
    begin = tensor(start.rotations)
    angles = tensor(start.angles).requires_grad_()
    aside = tensor(view.place[:, :2] / view.place[:, 2:]).requires_grad_()
    log_depth = tensor(np.log(view.place[:, 2])).requires_grad_()
    log_focal = torch.tensor(math.log(view.focal)).requires_grad_()
    shape = torch.zeros(len(SHAPED)).requires_grad_(fit_shape)
    rates = ((angles, _RATE), (aside, _RATE / 4), (log_depth, _RATE / 4), (log_focal, _FOCAL_RATE))
    groups = [{"params": [values], "lr": rate} for values, rate in rates]
    if fit_shape:
        groups.append({"params": [shape], "lr": _RATE})
    optimiser = torch.optim.Adam(groups, betas=(0.9, 0.95))
    # The second half of the steps grows ever smaller, so that it comes to rest.
    slower = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, 2 * (1 - step / steps)))

    def points_and_place() -> tuple[Tensor, Tensor]:
        points = rig.keypoints(rig.local(begin, angles), *rig.at_rest(shape)) @ _TO_CAMERA.T
        depth = torch.exp(log_depth)[:, None]
        return points, torch.cat([aside * depth, depth], 1)

    for _ in range(steps):
        optimiser.zero_grad()
        points, place = points_and_place()
        cost = terms.picture(points + place[:, None], log_focal) + terms.directions(points)
        cost = cost + terms.habits(angles) + terms.motion(points + place[:, None], place)
        cost = cost + terms.body(shape) + terms.lens(log_focal)
        cost.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        slower.step()
        on_step()
    with torch.no_grad():
        points, place = points_and_place()
        return Refined(
            angles=angles.numpy(),
            local=rig.local(begin, angles).double().numpy(),
            shape=shape.double().numpy(),
            view=View(place.double().numpy(), math.exp(float(log_focal))),
            points=(points + place[:, None]).double().numpy(),
        )


_TO_CAMERA = torch.as_tensor(WORLD_TO_CAMERA, dtype=torch.float32)


class _Terms:
    """The terms of the cost, each per frame."""

    def __init__(self, rig: FitRig, observed: Observed) -> None:
        self._frames = len(observed.pixels)
        self._pixels, self._sigma = tensor(observed.pixels), tensor(observed.sigma)
        self._weights, self._smooth = tensor(observed.weights), tensor(observed.smooth)
        self._first, self._second = torch.as_tensor(observed.pairs).unbind(1)
        self._directions = tensor(observed.directions)
        self._direction_weights = tensor(observed.direction_weights)
        self._spread, self._low, self._high, self._middle = (
            torch.tensor([float(getattr(angle, name)) for angle in rig.angles])
            for name in ("spread", "low", "high", "middle")
        )
        self._shape_spread = torch.tensor(list(SHAPED.values()))
        self._shape_middle = torch.tensor(
            [getattr(STANDARD, name) - getattr(rig.shape, name) for name in SHAPED]
        )
        self._bend = torch.where(_OF_HANDS, _HAND_ACCELERATION, _ACCELERATION) * observed.step**2
        self._log_prior = math.log(FOCAL_PRIOR * observed.long_side)

    def picture(self, points: Tensor, log_focal: Tensor) -> Tensor:
        """Distances in the picture, in standard deviations; large ones count once, not squared."""
        seen = torch.exp(log_focal) * points[..., :2] / points[..., 2:].clamp(min=0.05)
        off = (seen - self._pixels) / self._sigma[..., None]
        return (self._weights * (torch.sqrt(1 + (off * off).sum(-1)) - 1)).sum() / self._frames

    def directions(self, points: Tensor) -> Tensor:
        """Squared distances between directions of length 1."""
        along = points.index_select(1, self._second) - points.index_select(1, self._first)
        along = along / along.norm(dim=-1, keepdim=True).clamp(min=1e-4)
        apart = ((along - self._directions) ** 2).sum(-1)
        return _DIRECTION * (self._direction_weights * apart).sum() / self._frames

    def habits(self, angles: Tensor) -> Tensor:
        """How far angles are from their middle, in spreads, and beyond their limits, in radians; squared."""
        strays = ((angles - self._middle) / self._spread) ** 2
        beyond = torch.relu(angles - self._high) ** 2 + torch.relu(self._low - angles) ** 2
        return (_PRIOR * strays + _LIMIT * beyond).sum() / self._frames

    def motion(self, points: Tensor, place: Tensor) -> Tensor:
        """How far points, and the whole body's depth, leave the straight line from frame to frame."""
        if self._frames < 3:
            return torch.zeros(())
        bent = _second_difference(points.index_select(1, _SMOOTHED)) / self._bend[:, None]
        far = _second_difference(place[:, 2]) / self._bend[0]
        return _SMOOTH * (self._smooth * ((bent**2).sum(-1).mean(1) + far**2 / 3)).sum() / self._frames

    def body(self, shape: Tensor) -> Tensor:
        """How far phenotypes are from the standard body's, in spreads, squared."""
        return _SHAPE * (((shape - self._shape_middle) / self._shape_spread) ** 2).sum()

    def lens(self, log_focal: Tensor) -> Tensor:
        """How far the focal length is from a common one, squared."""
        return _FOCAL * ((log_focal - self._log_prior) / FOCAL_SPREAD) ** 2


def _second_difference(values: Tensor) -> Tensor:
    return values[2:] - 2 * values[1:-1] + values[:-2]
