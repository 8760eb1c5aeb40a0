"""RealisDance's pictures of meshes, drawn by pyrender as the released scripts do it: a new renderer, scene
and mesh for every picture. What the project's own drawing is held to.

A renderer that is deleted takes the display of its process's EGL down with it, so draw with the project's own
renderer in another process, or afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from renderers.hands import LEFT_COLOUR, MANO_WRIST, RIGHT_COLOUR, Hand
from renderers.lit_meshes import PosedMesh

ROUNDING = 1
"""Of 255: how much colours differ by the order of the same sums, and by the driver's compiler."""

GL_AXES = np.diag([1.0, -1.0, -1.0, 1.0])

Picture = tuple[UInt8[np.ndarray, "height width 3"], Bool[np.ndarray, "height width"]]


def released_smpl_cs(
    people: Sequence[PosedMesh], K: Float[np.ndarray, "3 3"], size: tuple[int, int]
) -> Picture:
    """The picture, and where there is depth."""
    import pyrender

    scene = pyrender.Scene(ambient_light=(0.4, 0.4, 0.4))
    for person in people:
        add_mesh(scene, person.vertices, person.triangles, person.colours, smooth=False)
    scene.add(pyrender.IntrinsicsCamera(K[0, 0], K[1, 1], K[0, 2], K[1, 2]))
    light_smpl_cs(scene)
    return drawn(scene, size)


def released_hands(hands: Sequence[Hand], K: Float[np.ndarray, "3 3"], size: tuple[int, int]) -> Picture:
    """The picture, and where there is depth."""
    import pyrender

    scene = pyrender.Scene(bg_color=(1.0, 1.0, 1.0, 0.0), ambient_light=(0.3, 0.3, 0.3))
    for hand in hands:
        colour = np.array(RIGHT_COLOUR if hand.is_right else LEFT_COLOUR, np.uint8)
        colours = np.tile(colour, (len(hand.vertices), 1))
        add_mesh(scene, hand.vertices, hand.triangles, colours, smooth=True)
    scene.add(pyrender.IntrinsicsCamera(K[0, 0], K[1, 1], K[0, 2], K[1, 2], zfar=1e12))
    light_hands(scene)
    return drawn(scene, size)


def light_smpl_cs(scene: Any) -> None:
    """Three lights in three places, which do not matter to lights that are infinitely far away."""
    import pyrender

    for place in ((0, -1, 1), (0, 1, 1), (1, 1, 2)):
        scene.add(pyrender.DirectionalLight(color=np.ones(3), intensity=1.0), pose=moved(place))


def light_hands(scene: Any) -> None:
    """Six point lights, and six and three directional ones."""
    import pyrender

    for pose in (*light_circle(0.5), np.eye(4)):
        scene.add(pyrender.PointLight(color=np.ones(3), intensity=1.0), pose=pose)
    for pose in (*light_circle(12), np.eye(4), *raymond_poses()):
        scene.add(pyrender.DirectionalLight(color=np.ones(3), intensity=1.0), pose=pose)


def add_mesh(
    scene: Any,
    vertices: Float[np.ndarray, "vertices 3"],
    triangles: Int[np.ndarray, "triangles 3"],
    colours: UInt8[np.ndarray, "vertices 3"],
    *,
    smooth: bool,
) -> None:
    import pyrender
    import trimesh

    mesh = trimesh.Trimesh(vertices, triangles, vertex_colors=colours)
    mesh.apply_transform(GL_AXES)
    scene.add(pyrender.Mesh.from_trimesh(mesh, smooth=smooth))


def drawn(scene: Any, size: tuple[int, int]) -> Picture:
    import pyrender

    renderer = pyrender.OffscreenRenderer(size[1], size[0])
    colour, depth = renderer.render(scene, flags=pyrender.RenderFlags.RGBA)
    renderer.delete()
    return np.where((depth > 0)[..., None], colour[..., :3], 0).astype(np.uint8), depth > 0


def moved(place: Sequence[float]) -> Float[np.ndarray, "4 4"]:
    pose = np.eye(4)
    pose[:3, 3] = place
    return pose


def turned(axis: int, angle: float) -> Float[np.ndarray, "4 4"]:
    first, second = (axis + 1) % 3, (axis + 2) % 3
    pose = np.eye(4)
    pose[first, first] = pose[second, second] = math.cos(angle)
    pose[second, first] = math.sin(angle)
    pose[first, second] = -math.sin(angle)
    return pose


def light_circle(distance: float) -> list[Float[np.ndarray, "4 4"]]:
    """In single precision, which decides the four lights that pyrender takes of more."""
    return [
        (turned(1, 2 * math.pi * number / 5) @ turned(0, -math.pi / 3) @ moved((0, 0, distance))).astype(
            np.float32
        )
        for number in range(5)
    ]


def raymond_poses() -> list[Float[np.ndarray, "4 4"]]:
    return [turned(2, angle) @ turned(1, math.pi / 6) for angle in (0.0, 2 * math.pi / 3, 4 * math.pi / 3)]


def fixture_body(folder: Path) -> tuple[PosedMesh, Float[np.ndarray, "3 3"], tuple[int, int]]:
    """The body, K and size (height, width) of the pictures in the folder."""
    scenes = np.load(folder / "scenes.npz")
    (fx, fy), (cx, cy) = scenes["body_focal"], scenes["body_princpt"]
    body = PosedMesh(scenes["body_vertices"], scenes["body_faces"], scenes["body_vertex_colors"])
    height, width = scenes["body_hw"].tolist()
    return body, np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), (height, width)


def fixture_hands(folder: Path) -> tuple[list[Hand], Float[np.ndarray, "3 3"], tuple[int, int]]:
    """The hands, K and size (height, width) of the pictures in the folder.

    The fixture's mesh is closed without them, but its pictures have the wrist's triangles too.
    """
    scenes = np.load(folder / "scenes.npz")
    width, height = scenes["hand_wh"].tolist()
    focal = float(scenes["hand_focal"])
    triangles = np.concatenate([scenes["hand_faces"], MANO_WRIST])
    hands = [
        Hand(vertices + place, triangles if is_right else triangles[:, [0, 2, 1]], bool(is_right))
        for vertices, place, is_right in zip(
            scenes["hand_vertices"], scenes["cam_t"], scenes["is_right"], strict=True
        )
    ]
    return hands, np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]), (height, width)


def fixture_picture(folder: Path, name: str) -> UInt8[np.ndarray, "height width 3"]:
    """A picture that the released code drew, RGB."""
    return cv2.imread(str(folder / f"{name}.png"), cv2.IMREAD_COLOR)[..., ::-1]


def assert_alike(drawn: Picture, expected: Picture) -> None:
    """Equal silhouettes, and colours within rounding."""
    np.testing.assert_array_equal(drawn[1], expected[1])
    np.testing.assert_allclose(drawn[0].astype(int), expected[0].astype(int), rtol=0, atol=ROUNDING)
