"""Drawing a dressed person in a room with pyrender: colour and depth of one frame.

The room is painted once; the person is rendered over it, lit by a key, a fill and a rim light.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from renderers.mannequin.camera import Camera, facing
from renderers.mannequin.person import Person
from renderers.mannequin.room import floor_shadow, paint_room
from renderers.mannequin.surface import Surface, posed
from renderers.offscreen import choose_platform, offscreen_renderer

_KEY_LIGHT = (-1.5, -2.4, 3.2)
_LIGHTS: tuple[tuple[tuple[float, float, float], tuple[float, float, float], float], ...] = (
    (_KEY_LIGHT, (1.0, 0.95, 0.88), 3.0),
    ((2.4, -2.2, 1.6), (0.85, 0.9, 1.0), 1.3),
    ((0.8, 2.5, 2.6), (1.0, 1.0, 1.0), 1.2),
)
"""From where each light shines at the person's middle, its colour and its intensity."""

_LIMBS = ("neck01", "upperarm01", "lowerarm01", "wrist", "upperleg01", "lowerleg01", "foot")
_AMBIENT = (0.24, 0.24, 0.25)
_SHADE = 0.42
_GL_AXES = np.diag([1.0, -1.0, -1.0, 1.0])


class Stage:
    """A person before a camera. It draws on the process's one off-screen renderer."""

    def __init__(self, person: Person, surfaces: tuple[Surface, ...], camera: Camera) -> None:
        choose_platform()
        import pyrender

        self._camera = camera
        self._room = paint_room(camera).astype(np.float32)
        self._surfaces = surfaces
        self._normals = [surface.normals for surface in surfaces]
        self._limbs = _limbs(person, surfaces)
        self._scene = pyrender.Scene(bg_color=[0.0, 0.0, 0.0, 0.0], ambient_light=_AMBIENT)
        K = camera.K
        self._scene.add(
            pyrender.IntrinsicsCamera(K[0, 0], K[1, 1], K[0, 2], K[1, 2], znear=0.5, zfar=20.0),
            pose=np.linalg.inv(camera.world_to_camera) @ _GL_AXES,
        )
        for place, colour, intensity in _LIGHTS:
            towards = facing(2, 2, eye=place, target=(0.0, 0.0, 1.0), frame=1.0).world_to_camera
            light = pyrender.DirectionalLight(color=colour, intensity=intensity)
            self._scene.add(light, pose=np.linalg.inv(towards) @ _GL_AXES)

    def draw(
        self, transforms: Float[np.ndarray, "bones 3 4"]
    ) -> tuple[UInt8[np.ndarray, "height width 3"], Float[np.ndarray, "height width"]]:
        """The picture, and the depth of the person's surface in metres, infinite beside the person."""
        import pyrender

        placed = [
            posed(surface, normals, transforms)
            for surface, normals in zip(self._surfaces, self._normals, strict=True)
        ]
        mesh = pyrender.Mesh(
            [_primitive(surface, *where) for surface, where in zip(self._surfaces, placed, strict=True)]
        )
        node = self._scene.add(mesh)
        renderer = offscreen_renderer(self._camera.width, self._camera.height)
        colour, depth = renderer.render(self._scene, flags=pyrender.RenderFlags.RGBA)
        self._scene.remove_node(node)
        depth = np.where(depth > 0, depth, np.inf)
        # OSMesa gives no alpha and no anti-aliasing: there the depth says where the person is.
        alpha = colour[..., 3:] / np.float32(255) if colour.shape[2] == 4 else np.isfinite(depth)[..., None]
        shadow = self._shadow([points for points, _ in placed])
        background = self._room * (1 - np.float32(_SHADE) * shadow)[..., None]
        picture = colour[..., :3] * alpha + background * (1 - alpha)
        return np.clip(np.rint(picture), 0, 255).astype(np.uint8), depth

    def _shadow(self, placed: list[Float[np.ndarray, "points 3"]]) -> Float[np.ndarray, "height width"]:
        points = np.concatenate(placed)
        parts = [points[limb] for limb in self._limbs]
        feet = [part for part in parts if part[:, 2].min() < 0.02]
        down, key = np.array([0.0, 0.0, -1.0]), np.array([0.0, 0.0, 1.0]) - _KEY_LIGHT
        size = self._camera.height / 960
        cast = floor_shadow(self._camera, parts, key, 7 * size)
        contact = floor_shadow(self._camera, feet, down, 4 * size)
        return 1 - (1 - np.float32(0.7) * cast) * (1 - np.float32(0.8) * contact)


def _limbs(person: Person, surfaces: tuple[Surface, ...]) -> list[np.ndarray]:
    """The points of all surfaces, by the limb they follow most."""
    limb_of_bone: list[str] = []
    for bone, parent in zip(person.bones, person.parents, strict=True):
        starts_limb = bone.startswith(_LIMBS)
        limb_of_bone.append(bone if starts_limb or parent < 0 else limb_of_bone[parent])
    followed = np.concatenate([surface.weights.toarray().argmax(axis=1) for surface in surfaces])
    limbs = np.array(limb_of_bone)[followed]
    return [np.flatnonzero(limbs == limb) for limb in sorted(set(limbs))]


def _primitive(surface: Surface, points: np.ndarray, normals: np.ndarray) -> Any:
    import pyrender

    opaque = np.ones((len(points), 1))
    return pyrender.Primitive(
        positions=points.astype(np.float32),
        normals=normals.astype(np.float32),
        indices=surface.triangles.astype(np.uint32),
        # pyrender's shading is linear, and it leaves the display's gamma to its last step.
        color_0=np.concatenate([surface.colours**2.2, opaque], axis=1).astype(np.float32),
        material=pyrender.MetallicRoughnessMaterial(
            metallicFactor=0.0, roughnessFactor=surface.roughness, baseColorFactor=(1.0, 1.0, 1.0, 1.0)
        ),
        mode=pyrender.constants.GLTF.TRIANGLES,
    )
