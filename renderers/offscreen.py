"""The one off-screen OpenGL renderer of a process, on EGL where it works, else on OSMesa.

PyOpenGL binds itself to one platform when it is first imported, so the platform is tried out before that,
through ctypes: its library is loaded and asked for the very context that pyrender will ask for. The
environment variable PYOPENGL_PLATFORM (egl or osmesa) overrides the choice.

Of several EGL devices the one is taken that is the first GPU in CUDA_VISIBLE_DEVICES, so that a process which
was given one GPU draws on it too; EGL_DEVICE_ID, the device's number, overrides it.
"""

from __future__ import annotations

import atexit
import ctypes
import ctypes.util
import functools
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

PLATFORMS = ("egl", "osmesa")

_EGL_OPENGL_API = 0x30A2
_EGL_PLATFORM_DEVICE = 0x313F
_EGL_CUDA_DEVICE = 0x323A  # of the extension EGL_NV_device_cuda
_EGL_CONFIG = (0x3033, 0x0001, 0x3025, 24, 0x3040, 0x0008, 0x3038)  # a pbuffer, 24 bits of depth, OpenGL
_EGL_CORE_4_1 = (0x3098, 4, 0x30FB, 1, 0x30FD, 0x0001, 0x3038)
_OSMESA_CORE_3_3 = (0x22, 0x1908, 0x30, 24, 0x33, 0x34, 0x36, 3, 0x37, 3, 0)  # RGBA, 24 bits of depth

_renderer: Any = None


class OffscreenError(RuntimeError):
    """No off-screen OpenGL platform works; the message says what to install."""


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


def offscreen_renderer(width: int, height: int) -> Any:
    """The process's pyrender.OffscreenRenderer, at the given size in pixels.

    It is made at the first call and kept; all calls must come from the thread of the first, which owns the
    context.
    """
    global _renderer
    if _renderer is None:
        is_osmesa = choose_platform() == "osmesa"
        import OpenGL.platform
        import pyrender

        from renderers.readback import ReadbackRenderer

        if is_osmesa:
            # PyOpenGL's pointers to one context are not equal: pyrender would compile its programs anew for
            # each picture, and PyOpenGL would never find again what it keeps for a context.
            OpenGL.platform.GetCurrentContext.restype = ctypes.c_void_p
        with _device_in_environment():
            _renderer = pyrender.OffscreenRenderer(width, height)
        _renderer._renderer = ReadbackRenderer(width, height)
        # Left to the interpreter's own end, OpenGL would be called after it has been taken down.
        atexit.register(close)
    _renderer.viewport_width, _renderer.viewport_height = width, height
    return _renderer


def close() -> None:
    """Give the context back. The next use makes a new one."""
    global _renderer
    if _renderer is not None:
        _renderer.delete()
        _renderer = None


def choose_device(cuda_numbers: Sequence[int | None], visible: str | None) -> int:
    """The number of the EGL device whose CUDA number comes first in `visible`, the value of
    CUDA_VISIBLE_DEVICES; 0 where it names none of them.

    cuda_numbers holds each EGL device's, None where it is no CUDA device. Devices that are named by their
    UUIDs are not looked for.
    """
    first = (visible or "").split(",")[0].strip()
    if not first.isdecimal() or int(first) not in cuda_numbers:
        return 0
    return cuda_numbers.index(int(first))


@contextmanager
def _device_in_environment() -> Iterator[None]:
    """Say in EGL_DEVICE_ID, where pyrender looks for it, which device to take, for as long as it looks: child
    processes may have been given another."""
    if "EGL_DEVICE_ID" in os.environ or choose_platform() != "egl":
        yield
        return
    os.environ["EGL_DEVICE_ID"] = str(_device_number(_egl_devices(_library("EGL"))))
    try:
        yield
    finally:
        del os.environ["EGL_DEVICE_ID"]


def _device_number(devices: Sequence[tuple[Any, int | None]]) -> int:
    wanted = os.environ.get("EGL_DEVICE_ID")
    if wanted is not None:
        return int(wanted)
    return choose_device([cuda for _, cuda in devices], os.environ.get("CUDA_VISIBLE_DEVICES"))


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
            raise OSError(f"there is no EGL device {number}")
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
    osmesa = _library("OSMesa")
    osmesa.OSMesaCreateContextAttribs.restype = ctypes.c_void_p
    attributes = (ctypes.c_int * len(_OSMESA_CORE_3_3))(*_OSMESA_CORE_3_3)
    context = ctypes.c_void_p(osmesa.OSMesaCreateContextAttribs(attributes, None))
    if not context:
        raise OSError("OSMesa gives no OpenGL 3.3 context")
    osmesa.OSMesaDestroyContext(context)


_TRIALS = {"egl": _try_egl, "osmesa": _try_osmesa}
