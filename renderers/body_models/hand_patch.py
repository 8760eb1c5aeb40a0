"""The hand of a body model's surface, cut out by the skinning weights and closed at the wrist."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from renderers.body_models.interface import HandPatch


def hand_patch(
    triangles: Int[np.ndarray, "triangles 3"],
    weights: Float[np.ndarray, "vertices joints"],
    joints: Sequence[int],
) -> HandPatch:
    """The part of a surface that follows these joints by more than half, every opening of it closed.

    A triangle belongs to the patch with all its vertices. An opening is closed by a fan of triangles about
    one of its vertices, oriented as the rest: no vertex is added. The result is watertight if the surface is
    and each opening has a vertex with no edge to others of it but the two beside it.
    """
    ours = weights[:, list(joints)].sum(axis=1) > 0.5
    inside = triangles[ours[triangles].all(axis=1)]
    vertices, numbered = np.unique(inside, return_inverse=True)
    patch = numbered.reshape(-1, 3)
    fans = [fan for loop in _openings(patch) for fan in _fan(loop, patch)]
    closed = np.concatenate([patch, np.array(fans, patch.dtype).reshape(-1, 3)])
    return HandPatch(vertices=vertices, triangles=closed)


def _openings(triangles: Int[np.ndarray, "triangles 3"]) -> list[list[int]]:
    """The loops of edges that no other triangle uses the other way, in the triangles' own direction."""
    edges = Counter((int(a), int(b)) for corner in range(3) for a, b in np.roll(triangles, -corner, 1)[:, :2])
    onwards: dict[int, list[int]] = defaultdict(list)
    for (a, b), count in sorted(edges.items()):
        onwards[a] += [b] * max(0, count - edges[b, a])
    loops = []
    # As many edges leave a vertex as enter it, so a walk ends only where it began. Where it meets itself
    # (two openings share a vertex), what lies between is a loop of its own.
    for start in list(onwards):
        walk = [start]
        places = {start: 0}
        while onwards[walk[-1]]:
            step = onwards[walk[-1]].pop()
            if step in places:
                loops.append(walk[places[step] :])
                for left in walk[places[step] + 1 :]:
                    del places[left]
                del walk[places[step] + 1 :]
            else:
                places[step] = len(walk)
                walk.append(step)
    return loops


def _fan(loop: list[int], triangles: Int[np.ndarray, "triangles 3"]) -> list[tuple[int, int, int]]:
    """Triangles that use each edge of a loop the other way, about the vertex with the fewest neighbours on
    the loop: a spoke of the fan along an edge of the surface would give that edge four triangles."""
    among = np.isin(triangles, loop)
    neighbours: dict[int, set[int]] = {vertex: set() for vertex in loop}
    for corners, on_loop in zip(triangles.tolist(), among.tolist(), strict=True):
        own = [corner for corner, is_on in zip(corners, on_loop, strict=True) if is_on]
        for vertex in own:
            neighbours[vertex].update(own)
    hub = min(range(len(loop)), key=lambda number: len(neighbours[loop[number]]))
    around = loop[hub:] + loop[:hub]
    return [(around[0], later, earlier) for earlier, later in pairwise(around[1:])]
