"""The one off-screen OpenGL renderer of a process, on EGL where it works, else on OSMesa.

PyOpenGL binds itself to one platform when it is first imported, so the platform is tried out before that,
through ctypes: its library is loaded and asked for the very context that pyrender will ask for. The
environment variable PYOPENGL_PLATFORM (egl or osmesa) overrides the choice.

Of several EGL devices the one is taken that is the first GPU in CUDA_VISIBLE_DEVICES, so that a process which
was given one GPU draws on it too; EGL_DEVICE_ID, the device's number, overrides it. Worker processes that
were given none share the GPUs out among themselves (`spread_over_devices`).

A context belongs to the process that made it. Software drawing has threads, which a forked child lacks: it
would wait for them for ever, so it is refused there.
"""

from __future__ import annotations

import atexit
import ctypes
import ctypes.util
import functools
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

PLATFORMS = ("egl", "osmesa")

_EGL_OPENGL_API = 0x30A2
_EGL_PLATFORM_DEVICE = 0x313F
_EGL_CUDA_DEVICE = 0x323A  # of the extension EGL_NV_device_cuda
_EGL_CONFIG = (0x3033, 0x0001, 0x3025, 24, 0x3040, 0x0008, 0x3038)  # a pbuffer, 24 bits of depth, OpenGL
_EGL_CORE_4_1 = (0x3098, 4, 0x30FB, 1, 0x30FD, 0x0001, 0x3038)
_OSMESA_CORE_3_3 = (0x22, 0x1908, 0x30, 24, 0x33, 0x34, 0x36, 3, 0x37, 3, 0)  # RGBA, 24 bits of depth

_renderer: Any = None
_largest = 0, 0
"""Width and height in pixels that the renderer's context can draw."""
_worker: int | None = None
_has_driver_threads = False
"""A context was made in this process, if only to try OSMesa, whose driver stays (EGL's goes)."""
_is_cut_off = False
"""This process was forked from one with a driver's threads."""


class OffscreenError(RuntimeError):
    """Nothing can be drawn off screen, or not this picture; the message says why and what to do."""


@functools.cache
def choose_platform() -> str:
    """Set PYOPENGL_PLATFORM to a platform that works, and say which; where it is set already, try that one
    alone.

    Call it before pyrender or OpenGL is imported. Raises OffscreenError if no platform works, or if PyOpenGL
    was imported before one was chosen.
    """
    wanted = os.environ.get("PYOPENGL_PLATFORM")
    if wanted is not None and wanted not in PLATFORMS:
        raise OffscreenError(f"PYOPENGL_PLATFORM is {wanted!r}: set it to egl or osmesa, or leave it out.")
    if "OpenGL.platform" in sys.modules:
        # PyOpenGL is bound, and there may be a context that a trial would take down with its display.
        if wanted is not None:
            return wanted
        raise OffscreenError(
            "PyOpenGL was imported before an off-screen platform was chosen: import renderers.offscreen and "
            "call choose_platform() first, or set PYOPENGL_PLATFORM."
        )
    failures = []
    for platform in PLATFORMS if wanted is None else (wanted,):
        try:
            _TRIALS[platform]()
        except (OSError, AttributeError) as failure:
            failures.append(f"{platform}: {failure}")
        else:
            os.environ["PYOPENGL_PLATFORM"] = platform
            return platform
    raise OffscreenError(
        f"No off-screen OpenGL ({'; '.join(failures)}). Install one of them: on Debian, EGL is "
        "`apt-get install libegl1 libgl1 libgl1-mesa-dri`, OSMesa `apt-get install libosmesa6`."
    )


def spread_over_devices(number: int) -> None:
    """Say, at its start, that this process is worker `number` of several on this machine: it will draw on the
    hardware device whose turn it is, so that the workers share them.

    It counts where EGL lists several CUDA devices, and neither EGL_DEVICE_ID nor CUDA_VISIBLE_DEVICES names
    one.
    """
    global _worker
    _worker = number


def offscreen_renderer(width: int, height: int) -> Any:
    """The process's pyrender.OffscreenRenderer, at the given size in pixels.

    It is made at the first call and kept; all calls must come from the thread of the first, which owns the
    context. Raises OffscreenError where there is no platform, where the context cannot draw so large a
    picture, and in a process that was forked from one that had drawn.
    """
    global _renderer
    if _renderer is None:
        _renderer = _new_renderer()
    if width > _largest[0] or height > _largest[1]:
        raise OffscreenError(
            f"A picture of {width}x{height} pixels cannot be drawn: OpenGL draws up to "
            f"{_largest[0]}x{_largest[1]} here. Ask for a smaller one."
        )
    for renderer in (_renderer, _renderer._renderer):
        renderer.viewport_width, renderer.viewport_height = width, height
    return _renderer


@contextmanager
def drawing(width: int, height: int) -> Iterator[Any]:
    """pyrender's renderer at the given size in pixels, with its context current, to draw one picture with.

    Raises OffscreenError as `offscreen_renderer` does, and where OpenGL fails. After any failure the context
    is given up, as nobody knows what state it is in: the next picture gets a new one.
    """
    offscreen = offscreen_renderer(width, height)
    try:
        offscreen._platform.make_current()
        yield offscreen._renderer
    except BaseException as failure:
        _give_up()
        from OpenGL.error import Error

        if isinstance(failure, Error):
            reason = " ".join(str(failure).split())
            raise OffscreenError(
                f"OpenGL failed to draw a picture of {width}x{height} pixels ({reason}). The next one is "
                "drawn afresh; if it fails at all sizes, try the other PYOPENGL_PLATFORM, egl or osmesa."
            ) from failure
        raise


def close() -> None:
    """Give the context back. The next use makes a new one."""
    global _renderer
    renderer, _renderer = _renderer, None
    if renderer is not None:
        renderer.delete()


# Left to the interpreter's own end, OpenGL would be called after it has been taken down.
atexit.register(close)


def choose_device(cuda_numbers: Sequence[int | None], visible: str | None, worker: int | None = None) -> int:
    """The number of the EGL device whose CUDA number comes first in `visible`, the value of
    CUDA_VISIBLE_DEVICES; 0 where it names none of them.

    cuda_numbers holds each EGL device's, None where it is no CUDA device. A worker takes its turn among
    several CUDA devices where `visible` says nothing. EGL does not know UUIDs: one can only mean the CUDA
    device where there is but one; of several the first is taken, with a warning.
    """
    hardware = [device for device, number in enumerate(cuda_numbers) if number is not None]
    first = (visible or "").split(",")[0].strip()
    if first.isdecimal() and int(first) in cuda_numbers:
        return cuda_numbers.index(int(first))
    if first.startswith(("GPU-", "MIG-")) and hardware:
        if len(hardware) > 1:
            _warn_of_uuid(first, hardware[0])
        return hardware[0]
    if not first and worker is not None and len(hardware) > 1:
        return hardware[worker % len(hardware)]
    return 0


@functools.cache
def _warn_of_uuid(name: str, taken: int) -> None:
    """Once for each, though the device is looked up for every context."""
    warnings.warn(
        f"CUDA_VISIBLE_DEVICES names {name}, and EGL lists several GPUs but not their UUIDs: drawing on EGL "
        f"device {taken}. Set EGL_DEVICE_ID to the number of another, or name GPUs by their numbers.",
        stacklevel=2,
    )


def _new_renderer() -> Any:
    global _largest, _has_driver_threads
    if _is_cut_off:
        raise OffscreenError(
            "This process was forked from one that had drawn, so that it cannot draw: start it another way, "
            "as with multiprocessing.get_context('spawn'), or fork before the first picture."
        )
    is_osmesa = choose_platform() == "osmesa"
    import OpenGL.platform
    import pyrender
    from OpenGL import GL

    from renderers.readback import ReadbackRenderer

    if is_osmesa:
        # PyOpenGL's pointers to one context are not equal: pyrender would compile its programs anew for
        # each picture, and PyOpenGL would never find again what it keeps for a context.
        OpenGL.platform.GetCurrentContext.restype = ctypes.c_void_p
    _has_driver_threads = True
    with _device_in_environment():
        # All is drawn into framebuffers of their own sizes; the first picture's may be one that OSMesa
        # cannot make a window of.
        renderer = pyrender.OffscreenRenderer(1, 1)
    renderer._renderer = ReadbackRenderer(1, 1)
    side = int(GL.glGetIntegerv(GL.GL_MAX_RENDERBUFFER_SIZE))
    width, height = GL.glGetIntegerv(GL.GL_MAX_VIEWPORT_DIMS)
    _largest = min(side, int(width)), min(side, int(height))
    return renderer


def _give_up() -> None:
    """Drop the renderer, and with its context all that it made there, whatever it can still name of it."""
    global _renderer
    renderer, _renderer = _renderer, None
    if renderer is not None:
        platform = renderer._platform
        _disarm(renderer)
        # An OpenGL that fails at this too must not hide the failure that brought us here.
        with suppress(Exception):
            platform.delete_context()


def _disarm(renderer: Any) -> None:
    """Make pyrender's renderer forget what it made. When it is collected, it would free that by name, and by
    then the names may be those of another context's objects."""
    vars(renderer._renderer).clear()
    vars(renderer).clear()


def _forget_parent() -> None:
    """In a forked child: drop the parent's renderer without a call to OpenGL."""
    global _renderer, _is_cut_off
    renderer, _renderer = _renderer, None
    if renderer is not None:
        _disarm(renderer)
    _is_cut_off = _has_driver_threads


os.register_at_fork(after_in_child=_forget_parent)


@contextmanager
def _device_in_environment() -> Iterator[None]:
    """Say in EGL_DEVICE_ID, where pyrender looks for it, which device to take, for as long as it looks: child
    processes may have been given another."""
    if choose_platform() != "egl":
        yield
        return
    devices = _egl_devices(_library("EGL"))
    number = _device_number(devices)
    if number >= max(1, len(devices)):
        raise OffscreenError(_no_device(number, len(devices)))
    before = os.environ.get("EGL_DEVICE_ID")
    os.environ["EGL_DEVICE_ID"] = str(number)
    try:
        yield
    finally:
        if before is None:
            del os.environ["EGL_DEVICE_ID"]
        else:
            os.environ["EGL_DEVICE_ID"] = before


def _device_number(devices: Sequence[tuple[Any, int | None]]) -> int:
    """The EGL device to draw on, which EGL_DEVICE_ID may put beyond the end. Raises OffscreenError where that
    is no number."""
    wanted = os.environ.get("EGL_DEVICE_ID")
    if wanted is None:
        return choose_device([cuda for _, cuda in devices], os.environ.get("CUDA_VISIBLE_DEVICES"), _worker)
    if not (wanted.isascii() and wanted.strip().isdecimal()):
        raise OffscreenError(
            f"EGL_DEVICE_ID is {wanted!r}: set it to the number of an EGL device, from 0 to "
            f"{max(1, len(devices)) - 1} on this machine, or leave it out."
        )
    return int(wanted)


def _no_device(number: int, count: int) -> str:
    return f"there is no EGL device {number}: EGL_DEVICE_ID can be 0 to {max(1, count) - 1} on this machine"


def _egl_devices(egl: ctypes.CDLL) -> list[tuple[ctypes.c_void_p, int | None]]:
    """Each EGL device and its CUDA number; none where EGL cannot list them."""
    pointer = ctypes.c_void_p
    egl.eglGetProcAddress.restype = pointer
    query_devices = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
    if not query_devices:
        return []
    query = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int, pointer, pointer)(query_devices)
    count = ctypes.c_int()
    if not query(0, None, ctypes.byref(count)):
        return []
    devices = (pointer * count.value)()
    if not query(count.value, devices, ctypes.byref(count)):
        return []
    query_attribute = egl.eglGetProcAddress(b"eglQueryDeviceAttribEXT")
    numbers: list[int | None] = [None] * count.value
    if query_attribute:
        ask = ctypes.CFUNCTYPE(ctypes.c_uint, pointer, ctypes.c_int, pointer)(query_attribute)
        number = ctypes.c_ssize_t()
        for place in range(count.value):
            if ask(devices[place], _EGL_CUDA_DEVICE, ctypes.byref(number)):
                numbers[place] = number.value
    return [(pointer(device), number) for device, number in zip(devices, numbers, strict=False)]


def _library(name: str) -> ctypes.CDLL:
    path = ctypes.util.find_library(name)
    if path is None:
        raise OSError(f"lib{name} was not found")
    return ctypes.CDLL(path)


def _try_egl() -> None:
    """Make and drop an OpenGL 4.1 core context on the EGL device to be used, or on the default display if EGL
    lists none."""
    egl = _library("EGL")
    _library("GL")
    pointer = ctypes.c_void_p
    for name in ("eglGetProcAddress", "eglGetDisplay", "eglCreateContext"):
        getattr(egl, name).restype = pointer
    get_platform_display = egl.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
    if egl.eglGetProcAddress(b"eglQueryDevicesEXT") and get_platform_display:
        devices = _egl_devices(egl)
        number = _device_number(devices)
        if number >= len(devices):
            raise OSError(_no_device(number, len(devices)))
        display_of = ctypes.CFUNCTYPE(pointer, ctypes.c_uint, pointer, pointer)(get_platform_display)
        display = pointer(display_of(_EGL_PLATFORM_DEVICE, devices[number][0], None))
    else:
        display = pointer(egl.eglGetDisplay(None))
    if not display or not egl.eglInitialize(display, None, None):
        raise OSError("EGL has no display")
    try:
        config, count = pointer(), ctypes.c_int()
        wanted = (ctypes.c_int * len(_EGL_CONFIG))(*_EGL_CONFIG)
        core = (ctypes.c_int * len(_EGL_CORE_4_1))(*_EGL_CORE_4_1)
        chosen = egl.eglChooseConfig(display, wanted, ctypes.byref(config), 1, ctypes.byref(count))
        if not chosen or not count.value or not egl.eglBindAPI(_EGL_OPENGL_API):
            raise OSError("EGL offers no off-screen OpenGL")
        context = pointer(egl.eglCreateContext(display, config, None, core))
        if not context:
            raise OSError("EGL gives no OpenGL 4.1 context")
        egl.eglDestroyContext(display, context)
    finally:
        egl.eglTerminate(display)


def _try_osmesa() -> None:
    """Make and drop an OpenGL 3.3 core context."""
    global _has_driver_threads
    osmesa = _library("OSMesa")
    osmesa.OSMesaCreateContextAttribs.restype = ctypes.c_void_p
    _has_driver_threads = True
    attributes = (ctypes.c_int * len(_OSMESA_CORE_3_3))(*_OSMESA_CORE_3_3)
    context = ctypes.c_void_p(osmesa.OSMesaCreateContextAttribs(attributes, None))
    if not context:
        raise OSError("OSMesa gives no OpenGL 3.3 context")
    osmesa.OSMesaDestroyContext(context)


_TRIALS = {"egl": _try_egl, "osmesa": _try_osmesa}
