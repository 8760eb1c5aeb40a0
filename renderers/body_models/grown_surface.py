"""Surfaces grown as in box modelling: a patch is drawn out ring by ring along bones, parts of a patch become
branches, and the longest edges of the closed surface are split until there are as many vertices as wanted.

A new vertex is put where Phong tessellation (Boubekeur and Alexa, 2008) puts it, so that corners become
round. A patch is a grid of numbers of vertices; seen from outside, rows and columns go anticlockwise.

Dimension names: vertices V, joints J, triangles T.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from renderers.lit_meshes import vertex_normals

Patch = Int[np.ndarray, "rows columns"]
Vector = Float[np.ndarray, "3"]


@dataclass
class GrowingSurface:
    """A surface as it grows: each vertex's place, weights of the joints that it follows, and how much finer
    than others its edges are to be split."""

    joints: Sequence[str]
    places: list[np.ndarray] = field(default_factory=list)
    weights: list[np.ndarray] = field(default_factory=list)
    detail: list[float] = field(default_factory=list)
    triangles: list[Sequence[int]] = field(default_factory=list)

    def ring(
        self,
        shape: tuple[int, ...],
        centre: Vector,
        across: Vector,
        up: Vector,
        owners: Sequence[str],
        detail: float = 1.0,
    ) -> Patch:
        """New vertices: a patch in an ellipse about a centre, whose half axes its rows and columns follow.
        The owners, joints, have equal weights there."""
        row, column = np.linspace(-1, 1, shape[0])[:, None], np.linspace(-1, 1, shape[1])
        wide, high = row * np.sqrt(1 - column**2 / 2), column * np.sqrt(1 - row**2 / 2)
        patch = len(self.places) + np.arange(wide.size).reshape(wide.shape)
        self.places += list((centre + wide[..., None] * across + high[..., None] * up).reshape(-1, 3))
        self.weights += [self.weights_of(*owners)] * wide.size
        self.detail += [detail] * wide.size
        return patch

    def weights_of(self, *owners: str) -> Float[np.ndarray, "joints"]:
        """Equal weights of joints."""
        return np.mean([np.array(self.joints) == owner for owner in owners], axis=0)

    def grown(
        self,
        patch: Patch,
        centre: Vector,
        across: Vector,
        up: Vector,
        owners: Sequence[str],
        detail: float = 1.0,
    ) -> Patch:
        """The patch drawn out to a new ring, with walls all around."""
        ends = (patch[0], patch[-1], across), (patch[:, 0], patch[:, -1], up)
        along, over = (
            axis * np.sign((self._middle(last) - self._middle(first)) @ axis) for first, last, axis in ends
        )
        ring = self.ring(patch.shape, centre, along, over, owners, detail)
        for wall in walls(patch, ring):
            self.close(wall)
        return ring

    def tube(
        self,
        patch: Patch,
        chain: Sequence[str],
        places: Mapping[str, np.ndarray],
        axes: Sequence[tuple[Vector, Vector]],
        detail: float = 1.0,
    ) -> Patch:
        """The patch drawn out along bones: a ring at each joint of the chain but the first and last, and one
        half way to the next. The half axes are given for the second joint and for the last."""
        rings: list[tuple[np.ndarray, tuple[str, ...]]] = []
        for before, joint, after in zip(chain, chain[1:], chain[2:], strict=False):
            rings.append((places[joint], (before, joint)))
            rings.append(((places[joint] + places[after]) / 2, (joint,)))
        for number, (centre, owners) in enumerate(rings):
            share = number / len(rings)
            across, up = ((1 - share) * first + share * last for first, last in zip(*axes, strict=True))
            patch = self.grown(patch, centre, across, up, owners, detail)
        return patch

    def close(self, patch: Patch) -> None:
        """Make the patch part of the surface."""
        corners = patch[:-1, :-1], patch[1:, :-1], patch[1:, 1:], patch[:-1, 1:]
        for a, b, c, d in zip(*(corner.ravel().tolist() for corner in corners), strict=True):
            self.triangles += [(a, b, c), (a, c, d)]

    def _middle(self, vertices: Int[np.ndarray, "some"]) -> Vector:
        return np.mean([self.places[vertex] for vertex in vertices], axis=0)


@dataclass(frozen=True)
class GrownSurface:
    """A finished surface, its triangles anticlockwise from outside; the weights of a vertex sum up to 1."""

    vertices: Float[np.ndarray, "vertices 3"]
    weights: Float[np.ndarray, "vertices joints"]
    triangles: Int[np.ndarray, "triangles 3"]


def sides(patch: Patch) -> list[np.ndarray]:
    """The four sides of a patch, in the order of its rim, anticlockwise from outside."""
    return [patch[:, 0], patch[-1], patch[::-1, -1], patch[0, ::-1]]


def walls(below: Patch, above: Patch) -> list[np.ndarray]:
    """The patches between the rims of two, one for each side."""
    return [np.column_stack(pair) for pair in zip(sides(below), sides(above), strict=True)]


def finished(growing: GrowingSurface, count: int, fixed: int = 0) -> GrownSurface:
    """The closed surface with its longest edges split, until it has `count` vertices. The edges of the first
    triangles, as many as `fixed`, stay. Vertices of no triangle are left out."""
    used, numbered = np.unique(np.array(growing.triangles), return_inverse=True)
    triangles = numbered.reshape(-1, 3)
    vertices, weights = np.array(growing.places)[used], np.array(growing.weights)[used]
    detail = np.array(growing.detail)[used]
    while len(vertices) < count:
        ends, own, corner = _edges_to_split(vertices, detail, triangles, fixed, count - len(vertices))
        a, b = ends.T
        split = np.flatnonzero(own >= 0)
        middle = len(vertices) + own[split]
        vertices = np.concatenate([vertices, _between(vertices, vertex_normals(vertices, triangles), a, b)])
        weights = np.concatenate([weights, (weights[a] + weights[b]) / 2])
        detail = np.concatenate([detail, (detail[a] + detail[b]) / 2])
        turned = (corner[split, None] + np.arange(3)) % 3
        one, two, three = np.take_along_axis(triangles[split], turned, 1).T
        triangles[split] = np.column_stack([one, middle, three])
        triangles = np.concatenate([triangles, np.column_stack([middle, two, three])])
    return GrownSurface(vertices, weights, triangles)


def renumbered(surface: GrownSurface, pinned: Mapping[int, Vector], count: int) -> GrownSurface:
    """The surface with `count` vertices: that nearest to a place gets the number given for the place, and
    those of no triangle lie where the last vertex is."""
    tree = cKDTree(surface.vertices)
    order = np.full(count, -1)
    for number, place in pinned.items():
        order[number] = tree.query(place)[1]
    order[order < 0] = np.setdiff1d(np.arange(count), order)
    new_number = np.argsort(order)
    chosen = np.minimum(order, len(surface.vertices) - 1)
    return GrownSurface(surface.vertices[chosen], surface.weights[chosen], new_number[surface.triangles])


def _edges_to_split(
    vertices: Float[np.ndarray, "vertices 3"],
    detail: Float[np.ndarray, "vertices"],
    triangles: Int[np.ndarray, "triangles 3"],
    fixed: int,
    most: int,
) -> tuple[Int[np.ndarray, "split 2"], Int[np.ndarray, "triangles"], Int[np.ndarray, "triangles"]]:
    """Edges that are each the longest of both its triangles, so that each can be split without a thought for
    another; for each triangle which of them is its own (-1 for none), and the corner where that begins."""
    corners = np.stack([triangles, np.roll(triangles, -1, 1)], axis=2)
    edges, numbers = np.unique(np.sort(corners, axis=2).reshape(-1, 2), axis=0, return_inverse=True)
    numbers = numbers.reshape(-1, 3)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1) * detail[edges].mean(1)
    length[numbers[:fixed]] = 0
    rank = np.argsort(np.argsort(length, kind="stable"))
    corner = rank[numbers].argmax(1)
    longest = numbers[np.arange(len(numbers)), corner]
    free = np.flatnonzero(np.bincount(longest, minlength=len(edges)) == 2)
    free = free[length[free] > 0.5 * length[free].max()]
    free = free[np.argsort(-length[free], kind="stable")][:most]
    place = np.full(len(edges), -1)
    place[free] = np.arange(len(free))
    return edges[free], place[longest], corner


def _between(
    vertices: Float[np.ndarray, "vertices 3"],
    normals: Float[np.ndarray, "vertices 3"],
    a: Int[np.ndarray, "edges"],
    b: Int[np.ndarray, "edges"],
) -> Float[np.ndarray, "edges 3"]:
    """The middles of edges, drawn half way to their projections on the planes that touch the ends: to second
    order the middle of an arc."""
    middle = (vertices[a] + vertices[b]) / 2
    to_planes = [
        ((vertices[end] - middle) * normals[end]).sum(1, keepdims=True) * normals[end] for end in (a, b)
    ]
    return middle + (to_planes[0] + to_planes[1]) / 4
