"""Processes to draw in: one for the project's drawing on each off-screen platform, as PyOpenGL can be bound
but once in a process, and one for pyrender's as it is, which takes its display down after each picture.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil

from renderers.lit_meshes import Look, PosedMesh, draw_meshes
from renderers.offscreen import choose_platform
from tests.factories.figures import BODY_CAMERA, made_body
from tests.factories.released_renderers import Picture


@dataclass(frozen=True)
class Platform:
    """An off-screen platform that works here."""

    name: str
    own_process: ProcessPoolExecutor
    released_process: ProcessPoolExecutor

    def own(self, call: Callable[..., Any], *args: object) -> Any:
        """What the call gives in the one process of the project's drawing."""
        return self.own_process.submit(call, *args).result()

    def released(self, call: Callable[..., Any], *args: object) -> Any:
        """What the call gives in the process of pyrender as it is."""
        return self.released_process.submit(call, *args).result()


@contextmanager
def process(platform: str) -> Iterator[ProcessPoolExecutor]:
    """A process for drawing on a platform alone."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=bind, initargs=(platform,)) as executor:
        yield executor


def bind(platform: str) -> None:
    os.environ["PYOPENGL_PLATFORM"] = platform


def gl_objects() -> int:
    """How many buffers, vertex arrays, framebuffers, renderbuffers and textures the current context has."""
    from OpenGL import GL

    kinds = (
        (GL.glIsBuffer, GL.glGenBuffers),
        (GL.glIsVertexArray, GL.glGenVertexArrays),
        (GL.glIsFramebuffer, GL.glGenFramebuffers),
        (GL.glIsRenderbuffer, GL.glGenRenderbuffers),
        (GL.glIsTexture, GL.glGenTextures),
    )
    # A name is no object before it is bound. Names are given out in order.
    return sum(bool(exists(name)) for exists, newest in kinds for name in range(1, newest(1)))


def draw_crowds(look: Look, pictures: int) -> tuple[int, int]:
    """Draw so many pictures, of none to three people of ten kinds of mesh in two sizes; how many OpenGL
    objects and bytes of memory the last nine tenths of them added."""
    bodies = [made_body(frame, rings=4 + frame, sectors=6) for frame in range(10)]
    K = BODY_CAMERA * [[0.1], [0.1], [1.0]]
    start = 0, 0
    for number in range(pictures):
        people = [bodies[(number + place) % 10] for place in range(number % 4)]
        _, mask = draw_meshes(people, look, K, ((96, 64), (64, 96))[number % 2])
        assert mask.any() == bool(people)
        if number == pictures // 10:
            start = gl_objects(), psutil.Process().memory_info().rss
    return gl_objects() - start[0], psutil.Process().memory_info().rss - start[1]


def change_in_pyrender(mesh: PosedMesh, other: PosedMesh) -> tuple[Picture, Picture]:
    """`mesh` drawn by pyrender's own shader, as it is and after it was `other`."""
    choose_platform()
    import numpy as np
    import pyrender

    from renderers.changing_mesh import ChangingMesh
    from renderers.lit_meshes import vertex_normals
    from tests.factories.released_renderers import light_hands

    def numbers(mesh: PosedMesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        points = mesh.vertices * (1.0, -1.0, -1.0)
        return points, vertex_normals(points, mesh.triangles), mesh.colours / 255

    pictures = []
    for first in (mesh, other):
        changing = ChangingMesh(len(mesh.vertices), mesh.triangles, has_normals=True)
        scene = pyrender.Scene(ambient_light=(0.3, 0.3, 0.3))
        scene.add(pyrender.Mesh([changing]))
        scene.add(pyrender.IntrinsicsCamera(2000.0, 2000.0, 64.0, 64.0))
        light_hands(scene)
        changing.change(*numbers(first))
        renderer = pyrender.OffscreenRenderer(128, 128)
        renderer.render(scene)
        changing.change(*numbers(mesh))
        colour, depth = renderer.render(scene)
        renderer.delete()
        pictures.append((colour, depth > 0))
    return pictures[0], pictures[1]
