"""smpl_cs and hands from the numbers of poses.npz: the right surface before the right camera, at any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from renderers.body_models.anny import AnnyBody
from renderers.body_models.colours import jet
from renderers.body_models.errors import ModelFileError
from renderers.body_models.interface import BodyModel, BodyParameters, HandPatch, Surface
from shards import surface_conditions
from shards.flip import flipped_but_for_body
from shards.schema import LEFT, RIGHT, SampleError, check_poses
from shards.surface_conditions import (
    condition_members,
    drawable_conditions,
    frame_surfaces,
    load_models,
)
from tests.factories.dataset import MadeClip, made_poses
from tests.factories.made_body import MadeBody, made_model, surface_images

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

    colour_scalar = None

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
    for images in surface_images(poses, [0, 5], (30, 40), STORED, lambda name, **_: never(name)):
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
    (image, _), *_ = surface_images(poses, [0], STORED, STORED, made_model)
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
        next(surface_images(poses, [0], size, STORED, made_model)) for size in (STORED, (240, 320))
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
        next(surface_images(arrays, [0], STORED, STORED, models))[1] for arrays in (poses, mirrored)
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

    def load(name: str, folder: Path | None, colours: Path | None, **options: object) -> BodyModel:
        loaded.append((name, folder, colours, options))
        return MadeBody()

    monkeypatch.setattr(surface_conditions, "load_body_model", load)
    models = load_models(Path("mine"), Path("colours.npy"))
    assert models("anny") is models("anny")
    assert models("mano", side="left") is not models("mano", side="right")
    files = (Path("mine"), Path("colours.npy"))
    assert loaded == [
        ("anny", *files, {}),
        ("mano", *files, {"side": "left"}),
        ("mano", *files, {"side": "right"}),
    ]


def test_a_bodys_colours_are_those_of_its_scalar_or_of_the_users_file(tmp_path: Path) -> None:
    made = AnnyBody()
    assert 0 <= made.colour_scalar.min() < 0.1
    assert 0.9 < made.colour_scalar.max() <= 1
    np.testing.assert_array_equal(jet(made.colour_scalar), made.colours)
    np.save(tmp_path / "mine.npy", made.colours[::-1])
    np.testing.assert_array_equal(
        load_models(None, tmp_path / "mine.npy")("anny").colours, made.colours[::-1]
    )
    np.save(tmp_path / "short.npy", made.colours[1:])
    with pytest.raises(ModelFileError, match=rf"short\.npy.*needs uint8 \({len(made.colours)}, 3\)"):
        load_models(None, tmp_path / "short.npy")("anny")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"joint_names": ("trunk", "hand.L")}, "body_joints names 3 joints, and anny has 2.*hand.R, .* none"),
        ({"joint_names": ("trunk", "hand.R", "hand.L")}, "the first to differ is hand.L, where .* hand.R"),
        ({"shape_count": 1}, "body_shape has 2 numbers, and anny takes 1"),
        ({"expression_count": 6}, "body_expression has 1 numbers, and anny takes 6"),
    ],
)
def test_numbers_that_are_not_the_bodys_are_named(changes: dict[str, Any], message: str) -> None:
    body = MadeBody()
    for name, value in changes.items():
        setattr(body, name, value)
    with pytest.raises(SampleError, match=message):
        frame_surfaces(made_poses(CLIP), 0, lambda name, **options: body)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hand_joints": np.array(["thumb"], "<U32")}, "hand_joints .*differ is thumb, where .* wrist"),
        ({"hand_shape": np.ones((6, 2, 10), np.float32)}, "hand_shape has 10 numbers, and mano takes 1"),
    ],
)
def test_numbers_that_are_not_the_hands_are_named(changes: dict[str, np.ndarray], message: str) -> None:
    poses = with_separate_hands(made_poses(CLIP)) | changes
    check_poses(poses, CLIP.frames)
    with pytest.raises(SampleError, match=message):
        frame_surfaces(poses, 0, models)


def test_members_are_the_images_of_each_frame_in_turn() -> None:
    poses, done = made_poses(MadeClip(1, frames=2, size=(80, 60), body=True)), []
    members = list(
        condition_members(
            poses, ("smpl_cs", "hands"), (30, 40), STORED, made_model, lambda: done.append(len(done))
        )
    )
    assert [member.name for member in members] == [
        *("smpl_cs.000.png", "hands.000.png", "smpl_cs.001.png", "hands.001.png")
    ]
    assert done == [0, 1]
    wanted = [image for pair in surface_images(poses, [0, 1], (30, 40), STORED, made_model) for image in pair]
    for member, image in zip(members, wanted, strict=True):
        read = cv2.imdecode(np.frombuffer(member.data, np.uint8), cv2.IMREAD_COLOR_RGB)
        np.testing.assert_array_equal(read, image)
