"""The off-screen platform is chosen, or refused, before PyOpenGL is imported."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from renderers.offscreen import choose_device

CHOOSE = "from renderers.offscreen import choose_platform; print(choose_platform())"
RENDER = """
import numpy as np
from renderers import offscreen
for size in ((64, 48), (32, 80)):
    renderer = offscreen.offscreen_renderer(*size)
    import pyrender
    scene = pyrender.Scene(bg_color=[1.0, 0.0, 0.0, 1.0])
    scene.add(pyrender.PerspectiveCamera(yfov=1.0))
    picture, depth = renderer.render(scene)
    assert picture.shape == (size[1], size[0], 3), picture.shape
    assert (picture == [255, 0, 0]).all()
    offscreen.close()
print("drawn")
"""
COMPILE = """
import numpy as np
from renderers import offscreen
renderer = offscreen.offscreen_renderer(32, 32)
import pyrender
scene = pyrender.Scene()
scene.add(pyrender.Mesh([pyrender.Primitive(np.eye(3))]))
scene.add(pyrender.PerspectiveCamera(yfov=1.0))
for _ in range(3):
    renderer._platform.make_current()
    renderer._renderer.render(scene, pyrender.RenderFlags.OFFSCREEN)
print(len(renderer._renderer._program_cache._program_cache))
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, as PyOpenGL can be bound but once in a process."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYOPENGL_PLATFORM"}
    return subprocess.run(
        [sys.executable, "-c", code], env=inherited | environment, capture_output=True, text=True, check=False
    )


def platforms_that_work() -> list[str]:
    return [name for name in ("egl", "osmesa") if run(CHOOSE, PYOPENGL_PLATFORM=name).returncode == 0]


def test_egl_is_preferred_and_osmesa_is_the_second_choice() -> None:
    assert run(CHOOSE).stdout.split() == platforms_that_work()[:1]


@pytest.mark.parametrize("platform", ["egl", "osmesa"])
def test_a_platform_that_works_draws_at_any_size_and_again_after_closing(platform: str) -> None:
    if platform not in platforms_that_work():
        pytest.skip(f"{platform} is not installed")
    done = run(RENDER, PYOPENGL_PLATFORM=platform)
    assert done.stdout.split() == ["drawn"], done.stderr


@pytest.mark.parametrize("platform", ["egl", "osmesa"])
def test_a_shader_is_compiled_once(platform: str) -> None:
    if platform not in platforms_that_work():
        pytest.skip(f"{platform} is not installed")
    done = run(COMPILE, PYOPENGL_PLATFORM=platform)
    assert done.stdout.split() == ["1"], done.stderr


def test_osmesa_is_taken_where_egl_has_no_device() -> None:
    if "osmesa" not in platforms_that_work():
        pytest.skip("osmesa is not installed")
    assert run(CHOOSE, EGL_DEVICE_ID="99").stdout.split() == ["osmesa"]


def test_without_any_platform_the_error_names_the_packages() -> None:
    failed = run(CHOOSE, PYOPENGL_PLATFORM="egl", EGL_DEVICE_ID="99")
    assert failed.returncode != 0
    assert "OffscreenError" in failed.stderr
    assert "libegl1" in failed.stderr and "libosmesa6" in failed.stderr


def test_an_unknown_platform_is_refused_by_name() -> None:
    failed = run(CHOOSE, PYOPENGL_PLATFORM="glx")
    assert "OffscreenError" in failed.stderr and "'glx'" in failed.stderr


def test_a_choice_after_pyopengl_is_bound_is_refused() -> None:
    failed = run(f"import OpenGL.platform; {CHOOSE}")
    assert "OffscreenError" in failed.stderr and "before" in failed.stderr


@pytest.mark.parametrize(
    ("cuda_numbers", "visible", "device"),
    [
        ([0, 1, 2, 3, None], "2", 2),
        ([3, 2, 1, 0, None], "1,0", 2),
        ([None, 0, 1], " 1 ,0", 2),
        ([0, 1, None], None, 0),
        ([0, 1, None], "", 0),
        ([0, 1, None], "-1", 0),
        ([0, 1, None], "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", 0),
        ([0, 1, None], "7", 0),
        ([None], "3", 0),
        ([], "0", 0),
    ],
)
def test_the_egl_device_is_the_first_visible_gpu(
    cuda_numbers: list[int | None], visible: str | None, device: int
) -> None:
    assert choose_device(cuda_numbers, visible) == device


def test_a_process_draws_on_the_gpu_it_was_given_and_leaves_its_environment_as_it_was() -> None:
    code = (
        "import os; from renderers import offscreen;"
        "offscreen._egl_devices = lambda egl: [(None, 1), (None, 0)];"
        "offscreen.choose_platform = lambda: 'egl'\n"
        "with offscreen._device_in_environment(): print(os.environ['EGL_DEVICE_ID'])\n"
        "print('EGL_DEVICE_ID' in os.environ)"
    )
    if "egl" not in platforms_that_work():
        pytest.skip("egl is not installed")
    assert run(code, CUDA_VISIBLE_DEVICES="0").stdout.split() == ["1", "False"]
    assert run(CHOOSE, PYOPENGL_PLATFORM="egl", CUDA_VISIBLE_DEVICES="0").stdout.split() == ["egl"]
