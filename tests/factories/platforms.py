"""Processes to draw in: one for the project's drawing on each off-screen platform, as PyOpenGL can be bound
but once in a process, and one for pyrender's as it is, which takes its display down after each picture.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
from jaxtyping import Float, UInt8

from renderers import offscreen
from renderers.lit_meshes import Look, PosedMesh, draw_meshes
from renderers.offscreen import choose_platform
from renderers.smpl_cs import LOOK, draw_smpl_cs
from tests.factories.figures import BODY_CAMERA, made_body
from tests.factories.released_renderers import Picture

SMALL = 96, 64
"""Height and width."""
SMALL_CAMERA = BODY_CAMERA * [[0.125], [0.125], [1.0]]


@dataclass(frozen=True)
class Platform:
    """An off-screen platform that works here.

    first_in_fork: a small picture that a child of the project's process drew before its parent drew any.
    """

    name: str
    own_process: ProcessPoolExecutor
    released_process: ProcessPoolExecutor
    first_in_fork: Future[Picture | str]

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
    start = 0, 0
    for number in range(pictures):
        people = [bodies[(number + place) % 10] for place in range(number % 4)]
        _, mask = draw_meshes(people, look, SMALL_CAMERA, (SMALL, SMALL[::-1])[number % 2])
        assert mask.any() == bool(people)
        if number == pictures // 10:
            start = gl_objects(), psutil.Process().memory_info().rss
    return gl_objects() - start[0], psutil.Process().memory_info().rss - start[1]


def objects_after_looks(looks: Sequence[Look]) -> list[int]:
    """How many OpenGL objects there are when one mesh has been drawn in each look."""
    mesh, counts = small_body(), []
    for look in looks:
        draw_meshes([mesh], look, SMALL_CAMERA, SMALL)
        counts.append(gl_objects())
    return counts


def small_body() -> PosedMesh:
    """One for SMALL_CAMERA."""
    return made_body(2, rings=6, sectors=9)


def draw_small() -> Picture:
    """A picture that takes next to no time."""
    return draw_smpl_cs([small_body()], SMALL_CAMERA, SMALL)


def draw_one_sample(body: PosedMesh, K: Float[np.ndarray, "3 3"], size: tuple[int, int]) -> Picture:
    """A body drawn with one sample a pixel, on EGL too."""
    return draw_meshes([body], LOOK, K, size, multisampled=False)


def draw_red(width: int, height: int) -> UInt8[np.ndarray, "height width 3"]:
    """Nothing on red, by pyrender itself on the project's renderer, which is closed then."""
    renderer = offscreen.offscreen_renderer(width, height)
    import pyrender

    scene = pyrender.Scene(bg_color=[1.0, 0.0, 0.0, 1.0])
    scene.add(pyrender.PerspectiveCamera(yfov=1.0))
    picture: UInt8[np.ndarray, "height width 3"] = renderer.render(scene)[0]
    offscreen.close()
    return picture


def programs_of_pictures(pictures: int) -> int:
    """How many programs pyrender keeps after it drew one triangle so many times, each time as the first."""
    offscreen.close()
    renderer = offscreen.offscreen_renderer(32, 32)
    import pyrender

    scene = pyrender.Scene()
    scene.add(pyrender.Mesh([pyrender.Primitive(np.eye(3))]))
    scene.add(pyrender.PerspectiveCamera(yfov=1.0))
    for _ in range(pictures):
        renderer._platform.make_current()
        renderer._renderer.render(scene, pyrender.RenderFlags.OFFSCREEN)
    return len(renderer._renderer._program_cache._program_cache)


def break_context() -> None:
    """Have OpenGL fail in the middle of a picture, with its framebuffers half made."""
    with offscreen.drawing(SMALL[1], SMALL[0]) as renderer:
        renderer.viewport_width = 10**6
        renderer._configure_main_framebuffer()


def draw_after_forgotten_failure() -> Picture:
    """A small picture, after OpenGL has failed, the next was drawn, and only then the failure was forgotten,
    and with it what it held on to."""

    def fail() -> None:
        from OpenGL import GL

        with offscreen.drawing(SMALL[1], SMALL[0]) as renderer:
            renderer._configure_main_framebuffer()
            GL.glEnable(GL.GL_NONE)

    try:
        fail()
    except offscreen.OffscreenError as failure:
        assert failure.__traceback__ is not None
        draw_small()
    gc.collect()
    return draw_small()


def draw_in_fork() -> Picture | str:
    """A small picture drawn in a child that was forked, or why it was not."""
    import pyrender  # noqa: F401  # in the parent, which needs it too

    receiver, sender = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(30)  # to end, not to wait for ever
        answer: Picture | str
        try:
            answer = draw_small()
        except offscreen.OffscreenError as error:
            answer = str(error)
        with os.fdopen(sender, "wb") as pipe:
            pickle.dump(answer, pipe)
        os._exit(0)
    os.close(sender)
    with os.fdopen(receiver, "rb") as pipe:
        received = pipe.read()
    os.waitpid(child, 0)
    return pickle.loads(received) if received else "the child was stopped"


def change_in_pyrender(mesh: PosedMesh, other: PosedMesh) -> tuple[Picture, Picture]:
    """`mesh` drawn by pyrender's own shader, as it is and after it was `other`."""
    choose_platform()
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
