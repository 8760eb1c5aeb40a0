"""The off-screen platform and device are chosen, or refused, before PyOpenGL is imported; a failed picture
spoils no other; both platforms draw the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from renderers import offscreen
from renderers.hands import draw_hands
from renderers.offscreen import OffscreenError, choose_device
from renderers.smpl_cs import draw_smpl_cs
from tests.factories.figures import BODY_CAMERA, HAND_CAMERA, SIZE, made_body, made_hand
from tests.factories.platforms import (
    Platform,
    break_context,
    draw_after_forgotten_failure,
    draw_in_fork,
    draw_one_sample,
    draw_red,
    draw_small,
    programs_of_pictures,
    small_body,
)
from tests.factories.released_renderers import ROUNDING, Picture, fixture_body, fixture_hands

CHOOSE = "from renderers.offscreen import choose_platform; print(choose_platform())"
UUID = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, as PyOpenGL can be bound but once in a process."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYOPENGL_PLATFORM"}
    return subprocess.run(
        [sys.executable, "-c", code], env=inherited | environment, capture_output=True, text=True, check=False
    )


def both(platforms: Mapping[str, Platform]) -> tuple[Platform, Platform]:
    """EGL and OSMesa."""
    if len(platforms) < 2:
        pytest.skip("one of the platforms does not work here")
    return platforms["egl"], platforms["osmesa"]


def assert_equal(drawn: Picture, expected: Picture) -> None:
    for part, expected_part in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(part, expected_part)


def test_egl_is_preferred_and_osmesa_is_the_second_choice(platforms: Mapping[str, Platform]) -> None:
    assert run(CHOOSE).stdout.split() == list(platforms)[:1]


def test_a_platform_that_works_draws_at_any_size_and_again_after_closing(platform: Platform) -> None:
    for width, height in ((64, 48), (32, 80)):
        picture = platform.own(draw_red, width, height)
        assert picture.shape == (height, width, 3)
        assert (picture == [255, 0, 0]).all()


def test_a_shader_is_compiled_once(platform: Platform) -> None:
    assert platform.own(programs_of_pictures, 3) == 1


def test_a_picture_that_is_too_large_is_refused_and_the_next_is_drawn(platform: Platform) -> None:
    """As the first picture of a context too."""
    expected = platform.own(draw_small)
    in_its_corner = np.array([[1000.0, 0, 4], [0, 1000.0, 4], [0, 0, 1]])
    for _ in range(2):
        for size in ((8, 200_000), (200_000, 8)):
            with pytest.raises(OffscreenError, match=rf"{size[1]}x{size[0]} pixels .* up to \d+x\d+"):
                platform.own(draw_smpl_cs, [small_body()], in_its_corner, size)
        platform.own(offscreen.close)
    assert_equal(platform.own(draw_small), expected)


def test_after_opengl_has_failed_the_next_picture_is_drawn(platform: Platform) -> None:
    expected = platform.own(draw_small)
    for _ in range(3):
        with pytest.raises(OffscreenError, match=r"OpenGL failed .* 64x96 pixels \(.*glRenderbufferStorage"):
            platform.own(break_context)
        assert_equal(platform.own(draw_small), expected)
    assert_equal(platform.own(draw_after_forgotten_failure), expected)
    with pytest.raises(OffscreenError):
        platform.own(break_context)
    platform.own(offscreen.close)


def test_a_child_that_is_forked_before_the_first_picture_draws_the_same(platform: Platform) -> None:
    in_child = platform.first_in_fork.result()
    assert not isinstance(in_child, str), in_child
    assert_equal(in_child, platform.own(draw_small))


def test_a_child_that_is_forked_after_a_picture_is_told_so_and_the_parent_goes_on(platform: Platform) -> None:
    """It would wait for ever for the driver's threads, which are the parent's."""
    expected = platform.own(draw_small)
    in_child = platform.own(draw_in_fork)
    assert isinstance(in_child, str) and "forked" in in_child and "spawn" in in_child
    assert_equal(platform.own(draw_small), expected)


def test_osmesa_is_taken_where_egl_has_no_device(platforms: Mapping[str, Platform]) -> None:
    if "osmesa" not in platforms:
        pytest.skip("osmesa does not work here")
    assert run(CHOOSE, EGL_DEVICE_ID="99").stdout.split() == ["osmesa"]


def test_without_any_platform_the_error_names_the_packages() -> None:
    failed = run(CHOOSE, PYOPENGL_PLATFORM="egl", EGL_DEVICE_ID="99")
    assert failed.returncode != 0
    assert "OffscreenError" in failed.stderr
    assert "libegl1" in failed.stderr and "libosmesa6" in failed.stderr


@pytest.mark.parametrize("device", ["abc", "-1", ""])
def test_an_egl_device_that_is_no_number_is_refused_with_what_is_allowed(
    platforms: Mapping[str, Platform], device: str
) -> None:
    if "egl" not in platforms:
        pytest.skip("egl does not work here")
    failed = run(CHOOSE, EGL_DEVICE_ID=device)
    assert f"OffscreenError: EGL_DEVICE_ID is {device!r}" in failed.stderr and "from 0 to" in failed.stderr


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
        ([None, 0], UUID, 1),
        ([None], UUID, 0),
        ([0, 1, None], "7", 0),
        ([None], "3", 0),
        ([], "0", 0),
    ],
)
def test_the_egl_device_is_the_first_visible_gpu(
    cuda_numbers: list[int | None], visible: str | None, device: int
) -> None:
    with warnings.catch_warnings(action="error"):
        assert choose_device(cuda_numbers, visible) == device


@pytest.mark.parametrize("visible", [UUID, "MIG-2a1f0c6e-92d1-5a4c-8a10-0e1a1cf4b6d1"])
def test_a_gpu_that_egl_cannot_tell_from_others_is_warned_of_once(visible: str) -> None:
    offscreen._warn_of_uuid.cache_clear()
    with pytest.warns(UserWarning, match="EGL_DEVICE_ID") as warned:
        assert choose_device([None, 0, 1], visible) == 1
        assert choose_device([None, 0, 1], visible, worker=1) == 1
    assert len(warned) == 1 and visible in str(warned[0].message)


@pytest.mark.parametrize(
    ("cuda_numbers", "visible", "devices"),
    [
        ([0, 1, 2, None], None, [0, 1, 2, 0, 1]),
        ([None, 1, 0], "", [1, 2, 1, 2, 1]),
        ([None, 0], None, [0] * 5),
        ([0, None], None, [0] * 5),
        ([None, None], None, [0] * 5),
        ([], None, [0] * 5),
        ([0, 1, 2], "1", [1] * 5),
        ([0, 1, 2], "-1", [0] * 5),
    ],
)
def test_workers_take_turns_on_several_gpus_where_none_is_named(
    cuda_numbers: list[int | None], visible: str | None, devices: list[int]
) -> None:
    assert [choose_device(cuda_numbers, visible, worker) for worker in range(5)] == devices


def test_a_process_draws_on_the_gpu_it_was_given_and_leaves_its_environment_as_it_was(
    platforms: Mapping[str, Platform],
) -> None:
    code = (
        "import os; from renderers import offscreen;"
        "offscreen._egl_devices = lambda egl: [(None, 1), (None, 0), (None, None)];"
        "offscreen.choose_platform = lambda: 'egl'; offscreen.spread_over_devices(3)\n"
        "with offscreen._device_in_environment(): print(os.environ['EGL_DEVICE_ID'])\n"
        "print(os.environ.get('EGL_DEVICE_ID'))"
    )
    if "egl" not in platforms:
        pytest.skip("egl does not work here")
    assert run(code, CUDA_VISIBLE_DEVICES="1").stdout.split() == ["0", "None"]
    assert run(code, CUDA_VISIBLE_DEVICES="").stdout.split() == ["1", "None"]
    assert run(code, EGL_DEVICE_ID="2").stdout.split() == ["2", "2"]
    assert "OffscreenError: there is no EGL device 3: EGL_DEVICE_ID" in run(code, EGL_DEVICE_ID="3").stderr
    assert run(CHOOSE, PYOPENGL_PLATFORM="egl", CUDA_VISIBLE_DEVICES="0").stdout.split() == ["egl"]


def test_both_platforms_draw_the_same_picture(platforms: Mapping[str, Platform], shared: Path) -> None:
    """Silhouettes are equal but for a rim of one pixel; inside of it colours are within 4 of 255 in all but
    0.5 % of the pixels, and within 1 on average.

    EGL averages four samples a pixel and OSMesa takes the middle: along the borders of triangles and of limbs
    before one another a pixel of EGL's mixes two colours, on the rim also the released white background.
    """
    egl, osmesa = both(platforms)
    body, body_K, body_size = fixture_body(shared / "fixtures" / "render")
    hands, hands_K, hands_size = fixture_hands(shared / "fixtures" / "render")
    for draw, figures, K, size in (
        (draw_smpl_cs, [body], body_K, body_size),
        (draw_smpl_cs, [made_body(1)], BODY_CAMERA, SIZE),
        (draw_hands, hands, hands_K, hands_size),
        (draw_hands, [made_hand(1)], HAND_CAMERA, SIZE),
    ):
        (image, mask), (expected, expected_mask) = (on.own(draw, figures, K, size) for on in (egl, osmesa))
        shared_mask, three = (mask & expected_mask).astype(np.uint8), np.ones((3, 3), np.uint8)
        inside = cv2.erode(shared_mask, three).astype(bool)
        assert inside.sum() > 8000
        assert not (mask | expected_mask)[cv2.dilate(shared_mask, three) == 0].any()
        assert mask[cv2.erode(expected_mask.astype(np.uint8), three) > 0].all()
        difference = np.abs(image[inside].astype(int) - expected[inside]).max(-1)
        assert (difference > 4).mean() < 0.005 and difference.mean() < 1


def test_both_platforms_draw_the_same_picture_of_one_sample(
    platforms: Mapping[str, Platform], shared: Path
) -> None:
    """Silhouettes are equal and colours but for rounding, save where surfaces cross: there the depths of two
    are as good as equal, and OSMesa's picture is drawn upside down, so that they are rounded otherwise.
    """
    egl, osmesa = both(platforms)
    folder = shared / "fixtures" / "render"
    for (body, K, size), crossing in ((fixture_body(folder), 0.0), ((made_body(1), BODY_CAMERA, SIZE), 3e-4)):
        image, mask = egl.own(draw_one_sample, body, K, size)
        expected, expected_mask = osmesa.own(draw_one_sample, body, K, size)
        np.testing.assert_array_equal(mask, expected_mask)
        difference = np.abs(image[mask].astype(int) - expected[mask]).max(-1)
        assert (difference > ROUNDING).mean() <= crossing
