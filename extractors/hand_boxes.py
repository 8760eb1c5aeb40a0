"""Where the hands of one person are, from its whole-body keypoints: boxes to look at, hands that are not
there, and hands whose names were exchanged.

Networks for whole-body keypoints give both hands points even where one is hidden: those then often lie on the
other hand, or far from the arm. Points are in pixels of an image; limits are in units of the person's reach
in it (`_Arms.reach`), so that they hold at every size.

Dimension names: hands and sides 2 (left, right).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Shaped

from extractors.interface import FOUND_CONFIDENCE
from renderers.wholebody import LEFT_HAND, NAMES, RIGHT_HAND

BoxRule = Literal["realisdance", "hamer"]

_COUNTED: Mapping[BoxRule, Callable[[np.ndarray], np.ndarray]] = MappingProxyType(
    {"realisdance": lambda confidence: confidence >= 0.3, "hamer": lambda confidence: confidence > 0.5}
)
"""Which points make a hand's box: RealisDance's scripts and HaMeR's program differ in it."""

_FEWEST_POINTS = 4
"""That make a hand: both ask for more than three."""

_ATTACHED = 0.4
"""A hand whose wrist is at most so far from the wrist of its arm belongs to it. Both are the same joint, seen
to about a tenth of a forearm; the other hand's is farther unless the hands touch."""

_DETACHED = 1.0
"""A hand whose wrist is farther than this from its arm's is another's: that is a forearm's length."""

_SURE = 0.5
"""Confidence of an arm's wrist from which on it can rule out a hand: hidden wrists are often guessed, at less
than this."""

_SAME_POINTS = 0.3
"""Points of the same names that are on average so near, in units of the larger hand, lie on one hand: it is
less than the width of a palm."""

_SAME_BOX = 0.6
"""Share of both boxes' union that is in both, from which on they are around one hand. Two hands side by side,
or crossing, do not come to it."""

_SAME_WRIST = 0.5
"""Hands whose own wrists are farther apart, in units of the larger hand, are two, however they overlap."""

_CLEAR = 0.15
"""Distances to the wrists that differ by less do not tell which of two hands is the true one: they are not
more accurate."""

_FAR = 2.0
"""Distances count as at most this: one point that is wrong does not outweigh all others."""

_UNKNOWN = 1.0
"""What a distance counts as where one of its ends was not found: neither near nor far."""

_WRIST_WEIGHT = 2.0
"""What a hand's distance to an arm's wrist counts against its distance from where it was. When hands cross
fast, they are nearer to where the other one was; the arms tell that they crossed."""

_MARGIN = 0.5
"""By how much names must be wrong before they are exchanged, or exchanged no more. While hands are near each
other both ways are about as good, and the last one is kept."""

_MEMORY = 15
"""Frames for which a hand that is not seen is remembered where it was: about half a second."""

_PIXEL = 1.0
"""The shortest length that others are measured by."""

_ELBOWS, _WRISTS = (
    [NAMES.index(f"{side}_{joint}") for side in ("left", "right")] for joint in ("elbow", "wrist")
)


def hand_boxes(
    keypoints: Float[np.ndarray, "133 2"], confidence: Float[np.ndarray, "133"], rule: BoxRule
) -> Float[np.ndarray, "2 4"]:
    """The smallest box x0 y0 x1 y1 around the points of each hand that the rule counts.

    NaN where these are no more than three, or all in one place.
    """
    boxes = np.full((2, 4), np.nan, np.float32)
    for side, hand in enumerate((LEFT_HAND, RIGHT_HAND)):
        points = keypoints[hand][_COUNTED[rule](confidence[hand])]
        if len(points) >= _FEWEST_POINTS and (np.ptp(points, axis=0) > 0).any():
            boxes[side] = *points.min(0), *points.max(0)
    return boxes


def suppress_phantoms(
    keypoints: Float[np.ndarray, "133 2"], confidence: Float[np.ndarray, "133"]
) -> tuple[bool, bool]:
    """Whether the left and the right hand are there: with enough points, and not a phantom.

    A phantom is a hand that lies far from its arm's wrist, or on the other hand while that one is nearer to
    its own arm's wrist, or, where the arms do not tell, is the surer one. Hands that touch are both kept if
    their wrists are apart or each is at its arm's. Names that were exchanged are put right first
    (`SideKeeper`), or both hands would be far from their arms.
    """
    arms = _seen_arms(keypoints, confidence)
    detached = np.linalg.norm(arms.roots - arms.wrists, axis=1) / arms.reach
    kept = arms.are_there & ~((detached > _DETACHED) & (confidence[_WRISTS] >= _SURE))
    if kept.all() and _is_one_hand(arms) and not (detached <= _ATTACHED).all():
        # An arm that was not found is neither at its hand nor far from it.
        left, right = np.where(np.isnan(detached), _ATTACHED, detached)
        if abs(left - right) < _CLEAR:
            left, right = -confidence[LEFT_HAND].mean(), -confidence[RIGHT_HAND].mean()
        kept[0 if left > right else 1] = False
    return bool(kept[0]), bool(kept[1])


def hands_exchanged(points: Shaped[np.ndarray, "133 *rest"]) -> Shaped[np.ndarray, "133 *rest"]:
    """Keypoints, or their confidence, with what belongs to the left hand and to the right one exchanged."""
    return np.concatenate([points[: LEFT_HAND.start], points[RIGHT_HAND], points[LEFT_HAND]])


class SideKeeper:
    """Tells through one clip, frame by frame, whether the points of left and right hand were exchanged.

    Arms decide: a hand belongs to the arm whose wrist it is at. Where they do not tell, hands go on from
    where they were.
    """

    def __init__(self) -> None:
        self._swapped = False
        self._last = np.full((2, 2), np.nan)
        self._unseen = np.zeros(2, int)

    def keep(self, keypoints: Float[np.ndarray, "133 2"], confidence: Float[np.ndarray, "133"]) -> bool:
        """Whether the frame's hands are to be exchanged (`hands_exchanged`) to go on with those before."""
        arms = _seen_arms(keypoints, confidence)
        to_wrists = _distances(np.where(np.isnan(arms.roots), arms.centres, arms.roots), arms.wrists)
        from_last = _distances(arms.centres, self._last)
        cost = _WRIST_WEIGHT * _bounded(to_wrists / arms.reach) + _bounded(from_last / arms.reach)
        saved = cost.trace() - np.fliplr(cost).trace()
        goes_on = self._swapped and bool(np.isfinite(self._last).any())
        self._swapped = bool(saved > (-_MARGIN if goes_on else _MARGIN))
        self._remember(arms.centres[::-1] if self._swapped else arms.centres)
        return self._swapped

    def _remember(self, centres: Float[np.ndarray, "sides 2"]) -> None:
        seen = np.isfinite(centres[:, 0])
        self._unseen = np.where(seen, 0, self._unseen + 1)
        self._last[seen] = centres[seen]
        self._last[self._unseen > _MEMORY] = np.nan


@dataclass(frozen=True)
class _Arms:
    """What was found of both arms from the elbow on; NaN where it was not.

    points are those of the hands, roots the first of them, the wrist, centres their means and sizes the
    diagonals of their boxes; wrists are the arms' own. reach is the longest of forearms and hands.
    """

    points: Float[np.ndarray, "hands 21 2"]
    centres: Float[np.ndarray, "hands 2"]
    sizes: Float[np.ndarray, "hands"]
    wrists: Float[np.ndarray, "sides 2"]
    reach: float

    @property
    def roots(self) -> Float[np.ndarray, "hands 2"]:
        return self.points[:, 0]

    @property
    def are_there(self) -> Bool[np.ndarray, "hands"]:
        return np.isfinite(self.centres[:, 0])


def _seen_arms(keypoints: Float[np.ndarray, "133 2"], confidence: Float[np.ndarray, "133"]) -> _Arms:
    found = np.where(confidence[:, None] >= FOUND_CONFIDENCE, keypoints, np.nan).astype(float)
    points = np.stack([found[LEFT_HAND], found[RIGHT_HAND]])
    centres, sizes = np.full((2, 2), np.nan), np.full(2, np.nan)
    for hand, own in enumerate(points):
        seen = own[np.isfinite(own[:, 0])]
        if len(seen) < _FEWEST_POINTS:
            own[:] = np.nan
        else:
            centres[hand], sizes[hand] = seen.mean(0), np.hypot(*np.ptp(seen, axis=0))
    forearms = np.linalg.norm(found[_WRISTS] - found[_ELBOWS], axis=1)
    reach = np.fmax.reduce([*forearms, *sizes, _PIXEL])
    return _Arms(points, centres, sizes, found[_WRISTS], float(reach))


def _is_one_hand(arms: _Arms) -> bool:
    """Whether the points of two hands lie on one."""
    size = max(arms.sizes.max(), _PIXEL)
    apart = np.linalg.norm(arms.points[0] - arms.points[1], axis=1) / size
    if apart[0] > _SAME_WRIST:
        return False
    both = apart[np.isfinite(apart)]
    return bool(len(both) and both.mean() < _SAME_POINTS) or _overlap(arms.points) > _SAME_BOX


def _overlap(points: Float[np.ndarray, "hands 21 2"]) -> float:
    """Of the boxes around both hands, the share of their union that is in both."""
    low, high = np.nanmin(points, axis=1), np.nanmax(points, axis=1)
    shared = np.prod(np.clip(high.min(0) - low.max(0), 0, None))
    union = np.prod(high - low, axis=1).sum() - shared
    return float(shared / union) if union > 0 else 0.0


def _distances(
    hands: Float[np.ndarray, "hands 2"], sides: Float[np.ndarray, "sides 2"]
) -> Float[np.ndarray, "hands sides"]:
    return np.linalg.norm(hands[:, None] - sides[None], axis=2)


def _bounded(distances: Float[np.ndarray, "hands sides"]) -> Float[np.ndarray, "hands sides"]:
    return np.where(np.isnan(distances), _UNKNOWN, np.minimum(distances, _FAR))
