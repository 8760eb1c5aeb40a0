"""Coloured surfaces that follow the bones: the pieces of which a dressed person is made, and what is done to
cut one out of another.

Dimension names: points, triangles, bones 104.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import trimesh
from jaxtyping import Bool, Float, Int, UInt8
from scipy.sparse import csr_array, vstack

from renderers.mannequin.person import Person


@dataclass(frozen=True)
class Surface:
    """A triangle mesh at rest. Colours are sRGB in [0, 1]."""

    points: Float[np.ndarray, "points 3"]
    triangles: Int[np.ndarray, "triangles 3"]
    weights: csr_array
    colours: Float[np.ndarray, "points 3"]
    texture_coordinates: Float[np.ndarray, "points 2"]
    roughness: float = 0.85
    texture: UInt8[np.ndarray, "height width 3"] | None = None
    """An sRGB picture that repeats; it multiplies the colours, read at the texture coordinates."""
    actions: Float[np.ndarray, "actions points 3"] | None = None
    """How far each facial action (`pose.Face`) at full strength moves each point; None where none does."""

    @property
    def normals(self) -> Float[np.ndarray, "points 3"]:
        """Unit normals at rest, out of the surface."""
        return point_normals(self.points, self.triangles)


def point_normals(
    points: Float[np.ndarray, "points 3"], triangles: Int[np.ndarray, "triangles 3"]
) -> Float[np.ndarray, "points 3"]:
    """Unit normals of a mesh at its points: the mean of those of the triangles about, by their areas."""
    corners = points[triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(points)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], faces)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def part_of(person: Person, *groups: str) -> Surface:
    """Groups of the base mesh as one white surface."""
    triangles = np.concatenate([person.triangles[group] for group in groups])
    used, triangles = np.unique(triangles, return_inverse=True)
    return Surface(
        points=person.vertices[used],
        triangles=triangles.reshape(-1, 3),
        weights=person.weights[used],
        colours=np.ones((len(used), 3)),
        texture_coordinates=person.texture_coordinates[used],
        actions=actions if (actions := person.actions[:, used]).any() else None,
    )


def cut(surface: Surface, level: Float[np.ndarray, "points"]) -> Surface:
    """What lies where `level` is positive, with a clean edge where it is zero."""
    above = level > 0
    corners = above[surface.triangles]
    whole = surface.triangles[corners.all(axis=1)]
    crossed = surface.triangles[corners.any(axis=1) & ~corners.all(axis=1)]
    # Turn each crossed triangle so that its first corner is the one that is alone on its side.
    alone = np.where(
        above[crossed].sum(axis=1) == 1, above[crossed].argmax(axis=1), above[crossed].argmin(axis=1)
    )
    order = (alone[:, None] + np.arange(3)) % 3
    first, second, third = np.take_along_axis(crossed, order, axis=1).T
    tip_is_kept = above[first]

    edges = np.sort(np.concatenate([np.stack([first, second], 1), np.stack([first, third], 1)]), axis=1)
    edges, place = np.unique(edges, axis=0, return_inverse=True)
    share = level[edges[:, 0]] / (level[edges[:, 0]] - level[edges[:, 1]])
    count = len(surface.points)
    on_second, on_third = count + place.reshape(2, -1)
    tips = np.stack([first, on_second, on_third], 1)[tip_is_kept]
    stumps = np.concatenate(
        [np.stack([on_second, second, third], 1), np.stack([on_second, third, on_third], 1)]
    )[np.tile(~tip_is_kept, 2)]

    def extended(values: np.ndarray) -> np.ndarray:
        between = values[edges[:, 0]] * (1 - share[:, None]) + values[edges[:, 1]] * share[:, None]
        return np.concatenate([values, between])

    start, end = surface.weights[edges[:, 0]], surface.weights[edges[:, 1]]
    weights = vstack([surface.weights, start.multiply(1 - share[:, None]) + end.multiply(share[:, None])])
    used, triangles = np.unique(np.concatenate([whole, tips, stumps]), return_inverse=True)
    return replace(
        surface,
        points=extended(surface.points)[used],
        triangles=triangles.reshape(-1, 3),
        weights=csr_array(weights)[used],
        colours=extended(surface.colours)[used],
        texture_coordinates=extended(surface.texture_coordinates)[used],
        actions=(
            None
            if surface.actions is None
            else np.stack([extended(action)[used] for action in surface.actions])
        ),
    )


def refined(surface: Surface, where: Bool[np.ndarray, "triangles"] | None = None) -> Surface:
    """Every triangle in four, or only some; new points lie on the old edges, so no gap opens between."""
    actions = np.zeros((0, len(surface.points), 3)) if surface.actions is None else surface.actions
    points, triangles, attributes = trimesh.remesh.subdivide(
        surface.points,
        surface.triangles,
        face_index=None if where is None else np.flatnonzero(where),
        vertex_attributes={
            "weights": surface.weights.toarray(),
            "colours": surface.colours,
            "texture_coordinates": surface.texture_coordinates,
            "actions": np.moveaxis(actions, 0, 1).reshape(len(surface.points), -1),
        },
    )
    return replace(
        surface,
        points=points,
        triangles=triangles,
        weights=csr_array(attributes["weights"]),
        colours=attributes["colours"],
        texture_coordinates=attributes["texture_coordinates"],
        actions=(
            None
            if surface.actions is None
            else np.moveaxis(attributes["actions"].reshape(len(points), -1, 3), 1, 0)
        ),
    )


def smoothed(surface: Surface, rounds: int, free: Bool[np.ndarray, "points"] | None = None) -> Surface:
    """Each point moved `rounds` times half-way to the mean of its neighbours, where it is free to."""
    edges = np.concatenate([surface.triangles[:, pair] for pair in ([0, 1], [1, 2], [2, 0])])
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    count = len(surface.points)
    neighbours = csr_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    degree = np.maximum(neighbours.sum(axis=1), 1)[:, None]
    points = surface.points
    for _ in range(rounds):
        moved = 0.5 * points + 0.5 * (neighbours @ points) / degree
        points = moved if free is None else np.where(free[:, None], moved, points)
    return replace(surface, points=points)
