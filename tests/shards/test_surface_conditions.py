"""smpl_cs and hands from the numbers of poses.npz: the right surface before the right camera, at any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from renderers.body_models.errors import ModelFileError
from renderers.body_models.interface import BodyModel, BodyParameters, HandPatch, Surface
from shards import surface_conditions
from shards.flip import flipped_but_for_body
from shards.schema import LEFT, RIGHT, check_poses
from shards.surface_conditions import (
    draw_surface_conditions,
    drawable_conditions,
    frame_surfaces,
    load_models,
)
from tests.factories.dataset import MadeClip, made_poses
from tests.factories.made_body import MadeBody, made_model

CLIP = MadeClip(1, frames=6, size=(80, 60), body=True)
STORED = (60, 80)


class MadeHand:
    """A right hand of one triangle, or the left one that is its mirror image."""

    name = "mano"
    licence = "Apache-2.0"
    units = "metre"
    joint_names: tuple[str, ...] = ("wrist",)
    shape_count = 1
    expression_count = 0
    colours = np.zeros((3, 3), np.uint8)
    hands: tuple[HandPatch, ...] = ()

    def __init__(self, side: str) -> None:
        self.across = np.array([1 if side == "right" else -1, 1, 1])
        self.triangles = np.array([[0, 2, 1] if side == "right" else [0, 1, 2]])

    def surface(self, parameters: BodyParameters) -> Surface:
        corners = np.array([[-0.1, -0.1, 0], [0.3, -0.1, 0], [-0.1, 0.2, 0]])
        vertices = corners * self.across * parameters.shape[:, None] + parameters.translation[:, None]
        return Surface(vertices, parameters.translation[:, None])

    def mirrored(self, parameters: BodyParameters) -> BodyParameters:
        raise NotImplementedError


def with_separate_hands(poses: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    frames = len(poses["frame"])
    return poses | {
        "hand_model": np.array(["mano"], "<U32"),
        "hand_joints": np.array(["wrist"], "<U32"),
        "hand_surface_valid": np.tile([True, False], (frames, 1)),
        "hand_pose": np.zeros((frames, 2, 1, 3), np.float32),
        "hand_shape": np.ones((frames, 2, 1), np.float32),
        "hand_translation": np.tile(np.array([0.2, 0.1, 2], np.float32), (frames, 2, 1)),
        "hand_camera_K": np.tile(np.array([[100.0, 0, 40], [0, 100, 30], [0, 0, 1]]), (frames, 1, 1)),
    }


def models(name: str, side: str = "", **options: Any) -> BodyModel:
    return MadeHand(side) if name == "mano" else made_model(name)


def test_a_frame_without_a_surface_is_black_and_needs_no_model() -> None:
    poses = made_poses(CLIP)
    poses["body_surface_valid"][:] = poses["hand_surface_valid"][:] = False
    never = pytest.fail
    for images in draw_surface_conditions(poses, [0, 5], (30, 40), STORED, lambda name, **_: never(name)):
        for image in images:
            np.testing.assert_array_equal(image, np.zeros((30, 40, 3), np.uint8), strict=True)


def test_the_body_is_where_its_cameras_say() -> None:
    poses = made_poses(CLIP)
    surfaces = frame_surfaces(poses, 0, made_model)
    assert surfaces.body is not None
    model = MadeBody()
    own = model.surface(
        BodyParameters(
            *(poses[f"body_{part}"][:1] for part in ("pose", "shape", "expression", "translation"))
        )
    )
    seen = surfaces.body.vertices @ poses["camera_K"][0].T
    homogeneous = np.concatenate([own.vertices[0], np.ones((24, 1))], axis=1)
    wanted = homogeneous @ poses["world_to_camera"][0].T[:, :3] @ poses["camera_K"][0].T
    np.testing.assert_allclose(seen, wanted)
    (image, _), *_ = draw_surface_conditions(poses, [0], STORED, STORED, made_model)
    x, y = (wanted[:, :2] / wanted[:, 2:]).T
    rows, columns = np.nonzero(image.any(-1))
    assert abs(columns.min() - x.min()) < 2
    assert abs(columns.max() - x.max()) < 2
    assert abs(rows.min() - y.min()) < 2


def test_hands_of_the_body_are_its_patches_where_they_are_valid() -> None:
    poses = made_poses(CLIP)
    for valid, sides in (([True, True], [False, True]), ([False, True], [True]), ([False, False], [])):
        poses["hand_surface_valid"][0] = valid
        surfaces = frame_surfaces(poses, 0, made_model)
        assert [hand.is_right for hand in surfaces.hands] == sides
        assert surfaces.body is not None
        for hand in surfaces.hands:
            vertices = MadeBody.hands[RIGHT if hand.is_right else LEFT].vertices
            np.testing.assert_array_equal(hand.vertices, surfaces.body.vertices[vertices])


def test_images_of_any_size_show_the_same() -> None:
    poses = made_poses(CLIP)
    small, large = (
        next(draw_surface_conditions(poses, [0], size, STORED, made_model)) for size in (STORED, (240, 320))
    )
    for one, other in zip(small, large, strict=True):
        shrunk = cv2.resize(other.any(-1).astype(np.float32), (80, 60), interpolation=cv2.INTER_AREA)
        assert ((shrunk > 0.5) != one.any(-1)).mean() < 0.01


def test_separate_hands_have_their_own_camera_and_are_mirrored_by_changing_places() -> None:
    poses = with_separate_hands(made_poses(CLIP))
    check_poses(poses, CLIP.frames)
    (left,) = frame_surfaces(poses, 0, models).hands
    assert not left.is_right
    np.testing.assert_allclose(left.vertices[:, 0], np.array([0.1, -0.3, 0.1]) + 0.2, atol=1e-6)
    mirrored = flipped_but_for_body(poses, 80) | {"body_surface_valid": np.zeros(6, bool)}
    (right,) = frame_surfaces(mirrored, 0, models).hands
    assert right.is_right
    np.testing.assert_allclose(right.vertices, left.vertices * [-1, 1, 1], atol=1e-6)
    one, other = (
        next(draw_surface_conditions(arrays, [0], STORED, STORED, models))[1] for arrays in (poses, mirrored)
    )
    assert one.any()
    assert (one.any(-1) != other.any(-1)[:, ::-1]).mean() < 0.01


def test_what_can_be_drawn_follows_the_models_that_are_named() -> None:
    assert drawable_conditions(made_poses(MadeClip(1))) == ()
    assert drawable_conditions(made_poses(CLIP)) == ("smpl_cs", "hands")
    only_hands = with_separate_hands(made_poses(MadeClip(1, frames=6)))
    assert drawable_conditions(only_hands) == ("hands",)


def test_models_are_loaded_once_from_the_users_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []

    def load(name: str, folder: Path | None, **options: object) -> BodyModel:
        loaded.append((name, folder, options))
        if options.get("colours") == Path("damaged.npy"):
            raise ValueError("colour file damaged.npy")
        return MadeBody()

    monkeypatch.setattr(surface_conditions, "load_body_model", load)
    models = load_models(Path("mine"), Path("colours.npy"))
    assert models("anny") is models("anny")
    assert models("mano", side="left") is not models("mano", side="right")
    models("smplx")
    assert loaded == [
        ("anny", Path("mine"), {}),
        ("mano", Path("mine"), {"side": "left"}),
        ("mano", Path("mine"), {"side": "right"}),
        ("smplx", Path("mine"), {"colours": Path("colours.npy")}),
    ]
    with pytest.raises(ModelFileError, match="colour file damaged"):
        load_models(None, Path("damaged.npy"))("smplx")
