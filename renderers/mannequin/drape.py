"""How cloth and hair lie on a body: let out from it, following it, and hanging from what sticks out.

Dimension names: points, rows (from the top down), angles (round a vertical axis, 0 in front).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter, map_coordinates, maximum_filter1d
from scipy.sparse import csr_array, diags_array
from scipy.spatial import cKDTree

from renderers.mannequin.fabric import Colour
from renderers.mannequin.person import BODY_VERTICES, Person
from renderers.mannequin.surface import Surface, part_of

_ANGLES = 48
_ROW = 0.015
"""Metres from row to row."""


def smoothstep(low: float, high: float, values: np.ndarray) -> np.ndarray:
    """From 0 at `low` to 1 at `high`, smoothly; `low` may be above `high`."""
    share = np.clip((values - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def tinted(surface: Surface, colour: Colour | Float[np.ndarray, "points 3"]) -> Surface:
    """The surface in another colour."""
    return replace(surface, colours=np.broadcast_to(np.asarray(colour, float), surface.points.shape).copy())


def let_out(surface: Surface, distance: Float[np.ndarray, "points"] | float) -> Surface:
    """The surface, moved outward by a distance in metres."""
    distance = np.broadcast_to(distance, len(surface.points))
    return replace(surface, points=surface.points + surface.normals * distance[:, None])


def kept_off(person: Person, surface: Surface, distance: float) -> Surface:
    """The surface, pushed out wherever it is nearer to the skin than a distance in metres, or below it."""
    nearest = cKDTree(person.vertices[:BODY_VERTICES]).query(surface.points)[1]
    normals = part_of(person, "body").normals[nearest]
    depth = np.einsum("pi,pi->p", surface.points - person.vertices[nearest], normals)
    return replace(surface, points=surface.points + np.maximum(distance - depth, 0)[:, None] * normals)


def weights_below(person: Person, points: Float[np.ndarray, "points 3"]) -> csr_array:
    """The weights of the skin nearest to each point, so that what lies on the skin moves with it."""
    tree = cKDTree(person.vertices[:BODY_VERTICES])
    distance, nearest = tree.query(points, k=6)
    share = 1 / np.maximum(distance, 1e-3) ** 2
    share /= share.sum(axis=1, keepdims=True)
    rows = np.repeat(np.arange(len(points)), nearest.shape[1])
    shares = csr_array((share.ravel(), (rows, nearest.ravel())), shape=(len(points), BODY_VERTICES))
    return csr_array(shares @ person.weights[:BODY_VERTICES])


def blended_weights(weights: csr_array, others: csr_array, share: Float[np.ndarray, "points"]) -> csr_array:
    """Weights of which `share` is taken from others."""
    return csr_array(diags_array(1 - share) @ weights + diags_array(share) @ others)


def bone_weights(person: Person, shares: dict[str, np.ndarray]) -> csr_array:
    """Weights from each bone's share at each point; the shares of a point add up to 1."""
    columns = np.stack(list(shares.values()), axis=1)
    numbers = [person.bone(bone) for bone in shares]
    weights = np.zeros((len(columns), len(person.bones)))
    weights[:, numbers] = columns
    return csr_array(weights)


@dataclass(frozen=True)
class Hang:
    """How far from an axis, in metres, cloth hangs on a body; `axis` gives the axis's x and y at heights."""

    axis: Callable[[np.ndarray], Float[np.ndarray, "points 2"]]
    top: float
    radii: Float[np.ndarray, "rows angles"]

    def around(self, points: Float[np.ndarray, "points 3"]) -> tuple[np.ndarray, np.ndarray]:
        """Angle about the axis (0 in front, rising to the left) and distance from it."""
        x, y = (points[:, :2] - self.axis(points[:, 2])).T
        return np.arctan2(x, -y), np.hypot(x, y)

    def radius(self, angle: np.ndarray, height: np.ndarray) -> np.ndarray:
        """The cloth's distance from the axis."""
        row = np.clip((self.top - height) / _ROW - 0.5, 0, len(self.radii) - 1)
        wide = np.concatenate([self.radii, self.radii[:, :1]], axis=1)
        column = (angle / (2 * np.pi) % 1) * _ANGLES
        return map_coordinates(wide, [row, column], order=1, mode="nearest")


def hang_from(
    points: Float[np.ndarray, "points 3"],
    axis: Callable[[np.ndarray], Float[np.ndarray, "points 2"]],
    top: float,
    bottom: float,
    *,
    flare: float,
    wrap: float,
) -> Hang:
    """How cloth hangs about the points of a body between two heights.

    `flare` is by how many metres it widens on each metre down, from wherever it last touched the body (below
    0: it is drawn in); `wrap` how far it bridges hollows, from 0 to 1.
    """
    rows = max(int(np.ceil((top - bottom) / _ROW)), 1)
    inside = (points[:, 2] < top) & (points[:, 2] > top - rows * _ROW)
    points = points[inside]
    x, y = (points[:, :2] - axis(points[:, 2])).T
    row = ((top - points[:, 2]) / _ROW).astype(int)
    column = np.rint((np.arctan2(x, -y) / (2 * np.pi) % 1) * _ANGLES).astype(int) % _ANGLES
    radii = np.zeros((rows, _ANGLES))
    np.maximum.at(radii, (row, column), np.hypot(x, y))
    filled = maximum_filter1d(radii, 3, axis=0)
    hull = _hull(filled)
    radii = np.where(filled > 0, (1 - wrap) * filled + wrap * hull, hull)
    for lower in range(1, rows):
        radii[lower] = np.maximum(radii[lower], radii[lower - 1] + flare * _ROW)
    return Hang(axis, top, gaussian_filter(radii, 1.0, mode=("nearest", "wrap")))


def _hull(radii: Float[np.ndarray, "rows angles"]) -> Float[np.ndarray, "rows angles"]:
    """The convex hull of each row, as distances from the axis."""
    angles = np.arange(_ANGLES) * (2 * np.pi / _ANGLES)
    between = np.cos(angles[:, None] - angles)
    reach = (radii[:, None, :] * between).max(axis=2)
    seen = np.where(between > 0.05, between, np.nan)
    return np.nanmin(reach[:, None, :] / seen, axis=2)


def folded(angle: np.ndarray, radius: float) -> np.ndarray:
    """The way round in metres from the front to the side, or the back to the side, so that a pattern meets
    itself at a seam down either side."""
    quarter = np.abs((angle + np.pi) % (2 * np.pi) - np.pi)
    return radius * np.where(quarter < np.pi / 2, quarter, np.pi - quarter)
