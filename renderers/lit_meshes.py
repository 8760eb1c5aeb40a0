"""Coloured meshes under fixed lights, drawn as pyrender draws them, in a fraction of its time.

Most of pyrender's time goes into a shader that finds out anew at every pixel which lights and material there
are, and into making renderer, scene and mesh for every frame. Here the lights and the material of a `Look`
are written into a shader of its own as constants, meshes stay on the card (`changing_mesh`), and only the
parts of the picture that the meshes can touch are read back. The formulas and their constants are those of
pyrender's metallic-roughness material (glTF 2.0, appendix B; the geometric term is Schlick's with
k = (roughness + 1)^2 / 8); framebuffer, samples and depth test are pyrender's. So silhouettes are equal, and
colours but for rounding.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from renderers.offscreen import choose_platform, drawing

_NEAR = 0.05
"""Metres; pyrender's default."""

_KEPT_MESHES = 8
"""A hand and a body model, their left and right, and as many again: a process draws few kinds of mesh."""

_CLEARED_WHOLE = 0.2
"""The share of a picture from which on software drawing clears all of it in less time than parts."""

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class PosedMesh:
    """A surface in metres in OpenCV's camera axes (x right, y down, z ahead).

    A triangle is seen from the side from which its corners run anticlockwise; colours are RGB, 0 to 255.
    """

    vertices: Float[np.ndarray, "vertices 3"]
    triangles: Int[np.ndarray, "triangles 3"]
    colours: UInt8[np.ndarray, "vertices 3"]


@dataclass(frozen=True)
class Look:
    """The lights and the material of a picture, in OpenGL's camera axes (x right, y up, z back).

    smooth: normals are interpolated between the vertices, or are those of the triangles.
    ambient: what falls on everything, as a share of the base colour.
    directions: unit vectors towards lights that are infinitely far away.
    points: where lights are that weaken with the square of the distance, in metres.
    intensity: of every light, as pyrender counts it.
    base_colour: linear, multiplied by the colours of the vertices; metallic and roughness are in [0, 1].
    far: metres from the camera's plane behind which nothing is drawn.
    """

    smooth: bool
    ambient: float
    directions: tuple[Vector, ...]
    points: tuple[Vector, ...] = ()
    intensity: float = 1.0
    base_colour: Vector = (1.0, 1.0, 1.0)
    metallic: float = 0.2
    roughness: float = 0.8
    far: float = 100.0


def draw_meshes(
    meshes: Sequence[PosedMesh],
    look: Look,
    K: Float[np.ndarray, "3 3"],
    size: tuple[int, int],
    *,
    multisampled: bool = True,
) -> tuple[UInt8[np.ndarray, "height width 3"], Bool[np.ndarray, "height width"]]:
    """The meshes in one picture of `size` (height, width), RGB, and where a mesh is; black elsewhere.

    K is in pixels of the picture, whose first pixel's middle is at (0.5, 0.5); its skew is not looked at.
    EGL averages four samples a pixel: the rim of a mesh is mixed with white, as the released scripts leave
    it, and the mask is that of one sample. OSMesa, and EGL if not `multisampled`, take one.

    Raises ValueError where a mesh's shapes do not fit, or a vertex is not finite; OffscreenError without an
    off-screen platform, and for a picture that OpenGL cannot draw.
    """
    for mesh in meshes:
        _check(mesh)
    image, mask = np.zeros((*size, 3), np.uint8), np.zeros(size, bool)
    seen = {number: part for number, mesh in enumerate(meshes) if (part := _touched(mesh, K, size)).pixels}
    if seen:
        parts = _joined(list(seen.values()))
        with drawing(size[1], size[0]) as renderer:
            painted = _painter(renderer).paint(
                [meshes[number] for number in seen], look, K, parts, multisampled
            )
        for part, (colour, drawn) in zip(parts, painted, strict=True):
            # One number for each pixel is cleared faster than three.
            colour.view(np.uint32)[..., 0] *= drawn
            image[part.rows, part.columns] = cv2.cvtColor(colour, cv2.COLOR_RGBA2RGB)
            mask[part.rows, part.columns] = drawn
    return image, mask


def triangle_normals(corners: Float[np.ndarray, "triangles 3 3"]) -> Float[np.ndarray, "triangles 3"]:
    """Unit normals, on the side from which the corners run anticlockwise; zero without area."""
    (ax, ay, az), (bx, by, bz) = (corners[:, 1] - corners[:, 0]).T, (corners[:, 2] - corners[:, 0]).T
    return _unit(np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx]).T)


def vertex_normals(
    vertices: Float[np.ndarray, "vertices 3"], triangles: Int[np.ndarray, "triangles 3"]
) -> Float[np.ndarray, "vertices 3"]:
    """The mean of the normals around each vertex, weighted by the triangles' angles there, of unit length;
    zero where no triangle is."""
    corners = _taken(vertices, triangles)
    edges = _unit(np.roll(corners, -1, axis=1) - corners)
    angles = np.arccos(np.clip(-(edges * np.roll(edges, 1, axis=1)).sum(-1), -1.0, 1.0))
    owners = triangles.ravel()
    sums = [
        np.bincount(owners, (along_axis[:, None] * angles).ravel(), len(vertices))
        for along_axis in triangle_normals(corners).T
    ]
    return _unit(np.stack(sums).T)


def _taken(
    vertices: Float[np.ndarray, "vertices 3"], places: Int[np.ndarray, "*batch"]
) -> Float[np.ndarray, "*batch 3"]:
    """`vertices[places]`, but in memory all x come first, then all y, then all z: NumPy is several times as
    fast at long rows as at rows of three."""
    return np.moveaxis(np.take(np.ascontiguousarray(vertices.T), places, axis=1), 0, -1)


def _unit(vectors: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    lengths = np.sqrt((vectors * vectors).sum(-1))
    return vectors / np.where(lengths > 0, lengths, 1.0)[..., None]


def _check(mesh: PosedMesh) -> None:
    vertices, triangles, colours = mesh.vertices, mesh.triangles, mesh.colours
    if vertices.ndim != 2 or vertices.shape[1] != 3 or colours.shape != vertices.shape:
        raise ValueError(
            f"vertices {vertices.shape} and colours {colours.shape} must both be of shape (vertices, 3)"
        )
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype.kind not in "iu":
        raise ValueError(
            f"triangles {triangles.shape} of {triangles.dtype} must be whole numbers of shape (triangles, 3)"
        )
    if triangles.size and not 0 <= triangles.min() <= triangles.max() < len(vertices):
        raise ValueError(f"triangles must name vertices from 0 to {len(vertices) - 1}")
    if not np.isfinite(vertices).all():
        raise ValueError("vertices must be finite: leave out a mesh that was not found")


@dataclass(frozen=True)
class _Part:
    """A rectangle of the picture."""

    rows: slice
    columns: slice

    @property
    def pixels(self) -> int:
        return (self.rows.stop - self.rows.start) * (self.columns.stop - self.columns.start)


def _touched(mesh: PosedMesh, K: Float[np.ndarray, "3 3"], size: tuple[int, int]) -> _Part:
    """Outside of it the mesh cannot be."""
    x, y, z = mesh.vertices.T
    if not mesh.triangles.size or z.max() <= 0:
        return _Part(slice(0, 0), slice(0, 0))
    if z.min() < _NEAR:
        # Projection turns over what is behind the camera.
        return _Part(slice(0, size[0]), slice(0, size[1]))
    return _Part(_span(y / z * K[1, 1] + K[1, 2], size[0]), _span(x / z * K[0, 0] + K[0, 2], size[1]))


def _span(places: Float[np.ndarray, " vertices"], length: int) -> slice:
    """From the first of the places to the last, as far as the picture goes."""
    margin = 2  # of which rounding takes less than one
    ends = np.floor(places.min()) - margin, np.ceil(places.max()) + margin
    return slice(*np.clip(ends, 0, length).astype(int).tolist())


def _joined(parts: Sequence[_Part]) -> Sequence[_Part]:
    """The parts, or the one that holds them all where that is no larger than they are together."""
    rows, columns = (
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in ([part.rows for part in parts], [part.columns for part in parts])
    )
    whole = _Part(rows, columns)
    return [whole] if whole.pixels <= sum(part.pixels for part in parts) else parts


class _Painter:
    """What stays in one OpenGL context between pictures: a program for each look, and the last few meshes."""

    def __init__(self, renderer: Any) -> None:
        self.renderer = renderer
        self._programs: dict[Look, tuple[Any, int]] = {}
        self._meshes: list[_KeptMesh] = []

    def paint(
        self,
        meshes: Sequence[PosedMesh],
        look: Look,
        K: Float[np.ndarray, "3 3"],
        parts: Sequence[_Part],
        multisampled: bool,
    ) -> list[tuple[UInt8[np.ndarray, "rows columns 4"], Bool[np.ndarray, "rows columns"]]]:
        """The colour of each part of the picture, and where a mesh is in it; no mesh is outside of them."""
        from OpenGL import GL
        from pyrender import IntrinsicsCamera

        renderer = self.renderer
        width, height = renderer.viewport_width, renderer.viewport_height
        renderer._configure_main_framebuffer()
        # For pyrender, OSMesa draws into a window: one sample a pixel, and upside down, which shows in how
        # the depths of surfaces that cross are rounded.
        is_window = choose_platform() == "osmesa"
        multisampled = multisampled and not is_window
        target = renderer._main_fb_ms if multisampled else renderer._main_fb
        GL.glBindFramebuffer(GL.GL_DRAW_FRAMEBUFFER, target)
        GL.glViewport(0, 0, width, height)
        GL.glDepthMask(GL.GL_TRUE)
        GL.glDepthFunc(GL.GL_LESS)
        GL.glCullFace(GL.GL_BACK)
        GL.glPolygonMode(GL.GL_FRONT_AND_BACK, GL.GL_FILL)
        for ability in (GL.GL_DEPTH_TEST, GL.GL_CULL_FACE, GL.GL_MULTISAMPLE):
            GL.glEnable(ability)
        GL.glDisable(GL.GL_BLEND)
        GL.glClearColor(1.0, 1.0, 1.0, 1.0)
        planes = GL.GL_COLOR_BUFFER_BIT | GL.GL_DEPTH_BUFFER_BIT
        # x, y, width and height, as OpenGL counts them.
        places = [
            (
                part.columns.start,
                part.rows.start if is_window else height - part.rows.stop,
                part.columns.stop - part.columns.start,
                part.rows.stop - part.rows.start,
            )
            for part in parts
        ]
        if sum(part.pixels for part in parts) < _CLEARED_WHOLE * width * height:
            GL.glEnable(GL.GL_SCISSOR_TEST)
            for place in places:
                GL.glScissor(*place)
                GL.glClear(planes)
            GL.glDisable(GL.GL_SCISSOR_TEST)
        else:
            GL.glClear(planes)

        program, projection = self._program(look)
        camera = IntrinsicsCamera(K[0, 0], K[1, 1], K[0, 2], K[1, 2], znear=_NEAR, zfar=look.far)
        GL.glUseProgram(program)
        matrix = camera.get_projection_matrix(width, height).astype(np.float32)
        if is_window:
            matrix[1] *= -1
            GL.glFrontFace(GL.GL_CW)
        GL.glUniformMatrix4fv(projection, 1, GL.GL_TRUE, matrix)
        for mesh in meshes:
            self._kept(mesh, look.smooth).draw(mesh)
        GL.glUseProgram(0)
        GL.glFrontFace(GL.GL_CCW)

        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, target)
        if multisampled:
            GL.glBindFramebuffer(GL.GL_DRAW_FRAMEBUFFER, renderer._main_fb)
            for x, y, columns, rows in places:
                corners = (x, y, x + columns, y + rows)
                GL.glBlitFramebuffer(*corners, *corners, planes, GL.GL_NEAREST)
            GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, renderer._main_fb)
        painted = []
        for x, y, columns, rows in places:
            colour = np.empty((rows, columns, 4), np.uint8)
            depth = np.empty((rows, columns), np.float32)
            GL.glReadPixels(x, y, columns, rows, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, colour)
            GL.glReadPixels(x, y, columns, rows, GL.GL_DEPTH_COMPONENT, GL.GL_FLOAT, depth)
            drawn = depth < 1.0
            painted.append((colour, drawn) if is_window else (colour[::-1], drawn[::-1]))
        return painted

    def _program(self, look: Look) -> tuple[Any, int]:
        from OpenGL import GL
        from OpenGL.GL import shaders

        if look not in self._programs:
            checked_against = GL.glGenVertexArrays(1)  # PyOpenGL checks a new program with one bound
            GL.glBindVertexArray(checked_against)
            program = shaders.compileProgram(
                shaders.compileShader(_VERTEX_SHADER, GL.GL_VERTEX_SHADER),
                shaders.compileShader(_fragment_shader(look), GL.GL_FRAGMENT_SHADER),
            )
            GL.glBindVertexArray(0)
            GL.glDeleteVertexArrays(1, [checked_against])
            self._programs[look] = program, GL.glGetUniformLocation(program, "projection")
        return self._programs[look]

    def _kept(self, mesh: PosedMesh, smooth: bool) -> _KeptMesh:
        """The mesh on the card that has these triangles; the one unused for longest makes room for a new."""
        for place, kept in enumerate(self._meshes):
            if kept.fits(mesh, smooth):
                self._meshes.append(self._meshes.pop(place))
                return kept
        if len(self._meshes) == _KEPT_MESHES:
            self._meshes.pop(0).delete()
        self._meshes.append(_KeptMesh(mesh, smooth))
        return self._meshes[-1]


_last_painter: _Painter | None = None


def _painter(renderer: Any) -> _Painter:
    """The painter of the renderer's context, which is current; a new context gets a new one."""
    global _last_painter
    if _last_painter is None or _last_painter.renderer is not renderer:
        _last_painter = _Painter(renderer)
    return _last_painter


def _forget_painter() -> None:
    global _last_painter
    _last_painter = None


os.register_at_fork(after_in_child=_forget_painter)


class _KeptMesh:
    """Triangles on the card, for all meshes that have the same, one after the other."""

    def __init__(self, mesh: PosedMesh, smooth: bool) -> None:
        from renderers.changing_mesh import ChangingMesh

        self._triangles = np.array(mesh.triangles)
        self._vertex_count = len(mesh.vertices)
        self._smooth = smooth
        self._colours: np.ndarray | None = None
        # Without smooth shading, corners of one vertex have as many normals as triangles.
        self._changing = (
            ChangingMesh(self._vertex_count, self._triangles, has_normals=True)
            if smooth
            else ChangingMesh(self._triangles.size, has_normals=True)
        )
        self._changing._add_to_context()

    def fits(self, mesh: PosedMesh, smooth: bool) -> bool:
        return (
            smooth == self._smooth
            and len(mesh.vertices) == self._vertex_count
            and np.array_equal(mesh.triangles, self._triangles)
        )

    def draw(self, mesh: PosedMesh) -> None:
        from OpenGL import GL

        colours = None
        if self._colours is None or not np.array_equal(mesh.colours, self._colours):
            self._colours = np.array(mesh.colours)
            colours = self._colours / np.float32(255)
        positions = mesh.vertices * np.array([1.0, -1.0, -1.0])
        if self._smooth:
            self._changing.change(positions, vertex_normals(positions, self._triangles), colours)
        else:
            corners = _taken(positions, self._triangles)
            normals = np.repeat(triangle_normals(corners).T, 3, axis=1).T
            if colours is not None:
                colours = colours[self._triangles.ravel()]
            self._changing.change(corners.reshape(-1, 3), normals, colours)
        self._changing._bind()
        if self._smooth:
            GL.glDrawElements(GL.GL_TRIANGLES, self._triangles.size, GL.GL_UNSIGNED_INT, None)
        else:
            GL.glDrawArrays(GL.GL_TRIANGLES, 0, self._triangles.size)
        self._changing._unbind()

    def delete(self) -> None:
        self._changing.delete()


_VERTEX_SHADER = """#version 330 core
layout(location = 0) in vec3 position;
layout(location = 1) in vec3 normal;
layout(location = 2) in vec4 colour;
uniform mat4 projection;
out vec3 place;
out vec3 facing;
out vec3 tint;
void main() {
    gl_Position = projection * vec4(position, 1.0);
    place = position;
    facing = normalize(normal);
    tint = colour.rgb;
}"""


def _fragment_shader(look: Look) -> str:
    # Of what a surface reflects, one part has the colour `matt`; the rest has the colour of `mirror`.
    matt = [0.96 * (1 - look.metallic) * level for level in look.base_colour]
    mirror = [0.04 * (1 - look.metallic) + look.metallic * level for level in look.base_colour]
    # In pyrender's order, as rounding depends on it; the compiler reckons equal lights once.
    lights = [f"reflected(n, v, {_vec3(towards)}, {look.intensity!r})" for towards in look.directions]
    lights += [f"from_point(n, v, {_vec3(point)})" for point in look.points]
    ambient = _vec3([look.ambient * level for level in look.base_colour])
    return f"""#version 330 core
    in vec3 place;
    in vec3 facing;
    in vec3 tint;
    out vec4 seen;
    const float PI = {math.pi!r};
    const float A = {look.roughness**4!r};
    const float K = {(look.roughness + 1) ** 2 / 8!r};

    vec3 reflected(vec3 n, vec3 v, vec3 l, float strength) {{
        vec3 h = normalize(l + v);
        float nl = clamp(dot(n, l), 0.001, 1.0);
        float nv = clamp(abs(dot(n, v)), 0.001, 1.0);
        float nh = clamp(dot(n, h), 0.0, 1.0);
        float vh = clamp(dot(v, h), 0.0, 1.0);
        vec3 mirror = {_vec3(mirror)};
        vec3 fresnel = mirror + (1.0 - mirror) * pow(1.0 - vh, 5.0);
        float occlusion = nv / (nv * (1.0 - K) + K) * (nl / (nl * (1.0 - K) + K));
        float spread = nh * nh * (A - 1.0) + 1.0;
        float glint = A / (PI * spread * spread);
        vec3 matt = (1.0 - fresnel) * {_vec3(matt)} / PI;
        return nl * strength * (matt + fresnel * occlusion * glint / (4.0 * nl * nv + 0.001));
    }}

    vec3 from_point(vec3 n, vec3 v, vec3 point) {{
        float distance = length(point - place);
        return reflected(n, v, normalize(point - place), {look.intensity!r} / (distance * distance));
    }}

    void main() {{
        vec3 n = normalize(facing);
        vec3 v = -normalize(place);
        vec3 light = {" + ".join([*lights, ambient])};
        seen = vec4(pow(light * tint, vec3(1.0 / 2.2)), 1.0);
    }}"""


def _vec3(numbers: Sequence[float]) -> str:
    return f"vec3({', '.join(repr(float(number)) for number in numbers)})"
