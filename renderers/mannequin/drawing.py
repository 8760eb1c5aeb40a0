"""Drawing meshes whose points and colours change with every frame, by pyrender.

pyrender's own way to change a mesh is to make it anew, and each of its pictures is drawn with four samples
a pixel and read back with its depth. Here a mesh stays on the card and only its numbers are replaced;
pictures are drawn with one sample a pixel where many of them are averaged anyway; and colour and depth are
read only when asked for. Light is in the colours (`shading`), so the meshes are drawn flat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from renderers.mannequin.camera import Camera
from renderers.offscreen import choose_platform, offscreen_renderer

_NEAR, _FAR = 0.2, 60.0
_GL_AXES = np.diag([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Piece:
    """One mesh: its triangles, who it belongs to (1 to 255), and the picture that multiplies its colours."""

    triangles: Int[np.ndarray, "triangles 3"]
    point_count: int
    owner: int
    texture: UInt8[np.ndarray, "height width 3"] | None = None
    texture_coordinates: Float[np.ndarray, "points 2"] | None = None


@dataclass(frozen=True)
class LightView:
    """How a light that shines along one direction sees a ball: a picture without perspective.

    `world_to_view` takes homogeneous world points to the light's axes (x right, y down, z along the light),
    whose origin is the middle of the picture; `radius` metres of it are seen above and below.
    """

    world_to_view: Float[np.ndarray, "4 4"]
    radius: float
    depth: Float[np.ndarray, "height width"]

    def pixels(self, points: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "points 3"]:
        """Column, row (in pixels) and depth in metres of world points."""
        seen = points @ self.world_to_view[:3, :3].T + self.world_to_view[:3, 3]
        height, width = self.depth.shape
        scale = height / (2 * self.radius)
        return np.column_stack([seen[:, 0] * scale + width / 2, seen[:, 1] * scale + height / 2, seen[:, 2]])


class Drawing:
    """Pieces to be drawn together, at one size. It draws on the process's one off-screen renderer."""

    def __init__(self, pieces: list[Piece], width: int, height: int) -> None:
        choose_platform()
        import pyrender

        self._size = width, height
        self._scene = pyrender.Scene(bg_color=[0.0, 0.0, 0.0, 0.0])
        self._primitives = [_primitive(piece) for piece in pieces]
        nodes = [self._scene.add(pyrender.Mesh([primitive])) for primitive in self._primitives]
        self._owners = {node: (piece.owner, 0, 0) for node, piece in zip(nodes, pieces, strict=True)}
        self._camera = pyrender.IntrinsicsCamera(1.0, 1.0, 0.0, 0.0, znear=_NEAR, zfar=_FAR)
        self._camera_node = self._scene.add(self._camera)
        self._light = pyrender.OrthographicCamera(1.0, 1.0, znear=0.01, zfar=1.0)
        self._light_node = self._scene.add(self._light)

    def place(
        self,
        number: int,
        points: Float[np.ndarray, "points 3"],
        colours: Float[np.ndarray, "points 3"] | None = None,
    ) -> None:
        """Where the points of a piece are now, in world metres, and their colours, sRGB in [0, 1]."""
        self._primitives[number].change(points, colours=colours)

    def colour(
        self,
        camera: Camera,
        offset: tuple[float, float] = (0.0, 0.0),
        *,
        smooth: bool = True,
    ) -> UInt8[np.ndarray, "height width 4"]:
        """The picture, with the share of each pixel that is covered as its alpha; colours are multiplied by
        it.

        `offset` moves the picture by a part of a pixel; `smooth` draws four samples a pixel, else one.
        """
        from pyrender.constants import RenderFlags

        from renderers.readback import COLOUR_ONLY, ONE_SAMPLE

        self._look_from(camera, offset)
        flags = RenderFlags.FLAT | COLOUR_ONLY | (0 if smooth else ONE_SAMPLE)
        return self._rendered(flags)[0]

    def owners(
        self, camera: Camera
    ) -> tuple[UInt8[np.ndarray, "height width"], Float[np.ndarray, "height width"]]:
        """Whose surface is seen at each pixel's centre (0: nobody's), and its depth in metres (infinite)."""
        self._look_from(camera, (0.0, 0.0))
        colour, depth = self._owners_and_depth()
        metres = np.float32(_NEAR * _FAR) / (np.float32(_FAR) - depth * np.float32(_FAR - _NEAR))
        metres[depth == 1.0] = np.inf
        return np.ascontiguousarray(colour[..., 0]), metres

    def light_view(
        self, direction: Float[np.ndarray, "3"], centre: Float[np.ndarray, "3"], radius: float
    ) -> LightView:
        """What a light that shines along `direction` sees of the pieces around `centre`."""
        along = direction / np.linalg.norm(direction)
        across = np.cross(along, [0.0, 0.0, 1.0] if abs(along[2]) < 0.99 else [0.0, 1.0, 0.0])
        across /= np.linalg.norm(across)
        world_to_view = np.eye(4)
        world_to_view[:3, :3] = np.stack([across, np.cross(along, across), along])
        world_to_view[:3, 3] = -world_to_view[:3, :3] @ centre
        reach = 4 * radius
        behind = np.eye(4)
        behind[2, 3] = reach / 2
        self._light.ymag, self._light.zfar = radius, reach
        self._scene.set_pose(self._light_node, np.linalg.inv(behind @ world_to_view) @ _GL_AXES)
        self._scene.main_camera_node = self._light_node
        _, depth = self._owners_and_depth()
        near = np.float32(self._light.znear)
        metres = near + depth * (np.float32(reach) - near) - np.float32(reach / 2)
        metres[depth == 1.0] = np.inf
        return LightView(world_to_view, radius, metres)

    def _look_from(self, camera: Camera, offset: tuple[float, float]) -> None:
        K = camera.K
        self._camera.fx, self._camera.fy = K[0, 0], K[1, 1]
        self._camera.cx, self._camera.cy = K[0, 2] + offset[0], K[1, 2] + offset[1]
        self._scene.set_pose(self._camera_node, np.linalg.inv(camera.world_to_camera) @ _GL_AXES)
        self._scene.main_camera_node = self._camera_node

    def _owners_and_depth(self) -> tuple[UInt8[np.ndarray, "h w 4"], Float[np.ndarray, "h w"]]:
        from pyrender.constants import RenderFlags

        from renderers.readback import ONE_SAMPLE, RAW_DEPTH

        return self._rendered(RenderFlags.SEG | ONE_SAMPLE | RAW_DEPTH)

    def _rendered(self, flags: int) -> Any:
        from pyrender.constants import RenderFlags

        offscreen = offscreen_renderer(*self._size)
        offscreen._platform.make_current()
        renderer = offscreen._renderer
        renderer.viewport_width, renderer.viewport_height = self._size
        return renderer.render(self._scene, flags | RenderFlags.OFFSCREEN, self._owners)


def _primitive(piece: Piece) -> Any:
    """A primitive of pyrender whose points and colours can be replaced."""
    import pyrender
    from OpenGL import GL

    from renderers.changing_mesh import ChangingMesh

    texture = None
    if piece.texture is not None:
        sampler = pyrender.Sampler(magFilter=GL.GL_LINEAR, minFilter=GL.GL_LINEAR_MIPMAP_LINEAR)
        texture = pyrender.Texture(source=piece.texture, source_channels="RGB", sampler=sampler)
    return ChangingMesh(
        piece.point_count,
        piece.triangles,
        texture_coordinates=piece.texture_coordinates if texture is not None else None,
        material=pyrender.MetallicRoughnessMaterial(
            baseColorFactor=(1.0, 1.0, 1.0, 1.0), baseColorTexture=texture, doubleSided=True
        ),
    )
