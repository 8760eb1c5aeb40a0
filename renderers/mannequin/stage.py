"""Drawing dressed people, props and a place: the picture of one frame, exposed for a while as a camera's
is, and whose surface each pixel shows at what depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from scipy.sparse import csr_array, vstack

from renderers.mannequin.backdrops import Backdrop
from renderers.mannequin.camera import Camera
from renderers.mannequin.drawing import Drawing, LightView, Piece
from renderers.mannequin.person import Person, skin
from renderers.mannequin.props import Prop, prop_mesh
from renderers.mannequin.scene import Scene
from renderers.mannequin.shading import key_light, shade
from renderers.mannequin.surface import Surface, point_normals

_LIMBS = ("neck01", "upperarm01", "lowerarm01", "wrist", "upperleg01", "lowerleg01", "foot")
_NOISE_MARGIN = 97
_FIRST_PROP = 128
"""The owner of the first prop; people are numbered from 1."""


@dataclass(frozen=True)
class Moment:
    """Where everything is at one moment: each person's bones and face, each prop, and the camera."""

    bones: tuple[Float[np.ndarray, "bones 3 4"], ...]
    faces: tuple[Float[np.ndarray, "actions"], ...]
    props: tuple[Float[np.ndarray, "4 4"], ...]
    camera: Camera


@dataclass(frozen=True)
class Shell:
    """All of a person's surfaces as one mesh, in world metres."""

    points: Float[np.ndarray, "points 3"]
    triangles: Int[np.ndarray, "triangles 3"]


@dataclass(frozen=True)
class Exposure:
    """A frame as the camera took it. `owners` is 0 where the place is seen, 1 for the first person and so
    on, and 128 or more for props; it, `depth` (metres; infinite at the place) and each person's shell
    belong to the middle of the exposure."""

    picture: UInt8[np.ndarray, "height width 3"]
    owners: UInt8[np.ndarray, "height width"]
    depth: Float[np.ndarray, "height width"]
    shells: tuple[Shell, ...]


class Stage:
    """People and props in a place."""

    def __init__(
        self,
        people: Sequence[tuple[Person, tuple[Surface, ...]]],
        props: Sequence[Prop],
        scene: Scene,
        width: int,
        height: int,
    ) -> None:
        self._scene = scene
        self._backdrop = Backdrop(scene, width, height)
        self._figures: list[_Figure] = []
        pieces: list[Piece] = []
        for owner, (person, surfaces) in enumerate(people, start=1):
            figure = _Figure(person, surfaces, first_piece=len(pieces))
            pieces += figure.pieces(owner)
            self._figures.append(figure)
        self._props = []
        for number, prop in enumerate(props):
            points, triangles, colours, roughness = prop_mesh(prop)
            mesh = _PropMesh(len(pieces), points, point_normals(points, triangles), colours, 1 - roughness)
            pieces.append(Piece(triangles, len(points), _FIRST_PROP + number))
            self._props.append(mesh)
        self._drawing = Drawing(pieces, width, height)
        random = np.random.default_rng(scene.seed)
        size = (height + _NOISE_MARGIN, width + _NOISE_MARGIN, 3)
        self._noise = np.float32(scene.noise) * random.standard_normal(size, np.float32)

    def expose(self, middle: Moment, moments: Sequence[Moment], random: np.random.Generator) -> Exposure:
        """The picture of a frame: the mean of people and props at each of the moments, lit as in the middle,
        before the place as it is seen in the middle."""
        self._place(middle)
        light = self._light(middle)
        eye = -middle.camera.world_to_camera[:3, :3].T @ middle.camera.world_to_camera[:3, 3]
        self._shade(light, eye)
        owners, depth = self._drawing.owners(middle.camera)
        place = self._backdrop.picture(middle.camera)
        shells = tuple(Shell(figure.points, figure.triangles) for figure in self._figures)
        parts = [part for figure in self._figures for part in figure.parts()]
        parts += [mesh.points for mesh in self._props]
        place = self._backdrop.shadowed(place, middle.camera, parts)
        picture = self._one(middle, place) if len(moments) == 1 else self._mean(moments, place)
        return Exposure(self._developed(picture, random), owners, depth, shells)

    def _one(self, middle: Moment, place: np.ndarray) -> Float[np.ndarray, "height width 3"]:
        colour = self._drawing.colour(middle.camera)
        return colour[..., :3] + place * (1 - colour[..., 3:] * np.float32(1 / 255))

    def _mean(self, moments: Sequence[Moment], place: np.ndarray) -> Float[np.ndarray, "height width 3"]:
        # Each moment is drawn a part of a pixel aside, so that their mean has smooth edges too. Light adds
        # up, and it goes about with the square of a picture's numbers.
        total = np.zeros((*place.shape[:2], 4), np.float32)
        for moment, offset in zip(moments, _sub_pixels(len(moments)), strict=True):
            self._place(moment)
            colour = self._drawing.colour(moment.camera, offset, smooth=False)
            total += cv2.LUT(np.ascontiguousarray(colour), _SQUARES)
        total /= np.float32(len(moments))
        covered = total[..., 3:] * np.float32(1 / 255**2)
        return np.sqrt(total[..., :3] + np.square(place) * (1 - covered))

    def _place(self, moment: Moment) -> None:
        for figure, bones, face in zip(self._figures, moment.bones, moment.faces, strict=True):
            figure.pose(bones, face)
            for piece, part in figure.by_piece(figure.points):
                self._drawing.place(piece, part)
        for mesh, where in zip(self._props, moment.props, strict=True):
            mesh.move(where)
            self._drawing.place(mesh.piece, mesh.points)

    def _light(self, moment: Moment) -> LightView:
        points = np.concatenate([figure.points for figure in self._figures])
        low, high = points.min(axis=0), points.max(axis=0)
        centre = (low + high) / 2
        aspect = moment.camera.width / moment.camera.height
        radius = float(np.linalg.norm(high - low)) / 2 / min(1.0, aspect) * 0.8
        return self._drawing.light_view(np.asarray(self._scene.lights[0].direction), centre, radius)

    def _shade(self, light: LightView, eye: np.ndarray) -> None:
        for figure in self._figures:
            lit = key_light(light, figure.points)
            colours = shade(
                figure.colours, figure.points, figure.normals, figure.shine, eye, self._scene, lit
            )
            for (piece, points), (_, part) in zip(
                figure.by_piece(figure.points), figure.by_piece(colours), strict=True
            ):
                self._drawing.place(piece, points, part)
        for mesh in self._props:
            lit = key_light(light, mesh.points)
            shine = np.full(len(mesh.points), mesh.shine)
            colours = shade(mesh.colours, mesh.points, mesh.normals, shine, eye, self._scene, lit)
            self._drawing.place(mesh.piece, mesh.points, colours)

    def _developed(self, picture: np.ndarray, random: np.random.Generator) -> UInt8[np.ndarray, "h w 3"]:
        picture *= np.float32(self._scene.gain)
        if self._scene.noise > 0:
            # Another part of one large picture of noise for each frame: drawing it anew takes longer than
            # the people.
            top, left = random.integers(_NOISE_MARGIN, size=2)
            height, width = picture.shape[:2]
            picture += self._noise[top : top + height, left : left + width]
        picture += np.float32(0.5)
        return np.clip(picture, 0, 255, out=picture).astype(np.uint8)


class _Figure:
    """A dressed person as one set of points, and where they are now."""

    def __init__(self, person: Person, surfaces: tuple[Surface, ...], first_piece: int) -> None:
        # What has no texture of its own is drawn in one piece.
        self._surfaces = sorted(surfaces, key=lambda surface: surface.texture is not None)
        counts = [len(surface.points) for surface in self._surfaces]
        starts = np.cumsum([0, *counts])
        plain = sum(surface.texture is None for surface in self._surfaces)
        ends = [starts[plain], *starts[plain + 1 :]]
        self._ranges = [
            (first_piece + number, slice(int(start), int(end)))
            for number, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True))
        ]
        self._starts, self._plain = starts, plain
        self._at_rest = np.concatenate([surface.points for surface in self._surfaces]).astype(np.float32)
        self._normals = np.concatenate([surface.normals for surface in self._surfaces]).astype(np.float32)
        weights = vstack([surface.weights for surface in self._surfaces])
        self._weights = csr_array(weights).astype(np.float32)
        self._expressive = [
            (slice(int(start), int(end)), surface.actions.astype(np.float32))
            for surface, start, end in zip(self._surfaces, starts[:-1], starts[1:], strict=True)
            if surface.actions is not None
        ]
        self.triangles = np.concatenate(
            [surface.triangles + start for surface, start in zip(self._surfaces, starts, strict=False)]
        )
        self._limbs = _limbs(person, self._weights)
        self.colours = np.concatenate([surface.colours for surface in self._surfaces]).astype(np.float32)
        self.shine = np.concatenate(
            [np.full(len(surface.points), 1 - surface.roughness, np.float32) for surface in self._surfaces]
        )
        self.points, self.normals = self._at_rest, self._normals

    def pieces(self, owner: int) -> list[Piece]:
        pieces = []
        for (_, where), surface in zip(self._ranges, [None, *self._surfaces[self._plain :]], strict=True):
            if surface is None:
                triangles = [
                    part.triangles + start
                    for part, start in zip(self._surfaces[: self._plain], self._starts, strict=False)
                ]
                pieces.append(Piece(np.concatenate(triangles), where.stop, owner))
            else:
                pieces.append(
                    Piece(
                        surface.triangles,
                        len(surface.points),
                        owner,
                        surface.texture,
                        surface.texture_coordinates,
                    )
                )
        return pieces

    def pose(self, bones: np.ndarray, face: np.ndarray) -> None:
        at_rest = self._at_rest
        if self._expressive and face.any():
            at_rest = at_rest.copy()
            for where, actions in self._expressive:
                at_rest[where] += np.tensordot(face.astype(np.float32), actions, axes=1)
        self.points, rotations = skin(at_rest, self._weights, bones.astype(np.float32))
        turned = np.einsum("pij,pj->pi", rotations, self._normals)
        self.normals = turned / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-12)

    def by_piece(self, values: np.ndarray) -> list[tuple[int, np.ndarray]]:
        return [(piece, values[where]) for piece, where in self._ranges]

    def parts(self) -> list[Float[np.ndarray, "points 3"]]:
        return [self.points[limb] for limb in self._limbs]


class _PropMesh:
    """A prop and where it is now."""

    def __init__(
        self, piece: int, points: np.ndarray, normals: np.ndarray, colours: np.ndarray, shine: float
    ) -> None:
        self.piece, self._at_rest, self._normals = piece, points, normals
        self.colours, self.shine = colours, shine
        self.points, self.normals = points, normals

    def move(self, where: Float[np.ndarray, "4 4"]) -> None:
        self.points = self._at_rest @ where[:3, :3].T + where[:3, 3]
        self.normals = self._normals @ where[:3, :3].T


def _sub_pixels(count: int) -> list[tuple[float, float]]:
    """The places inside the pixel at which so many pictures are drawn: evenly spread by the plastic number's
    sequence, and about the pixel's middle."""
    places = (np.arange(count)[:, None] * [0.7548776662, 0.5698402910]) % 1
    return [(float(right), float(down)) for right, down in places - places.mean(axis=0)]


_SQUARES = np.square(np.arange(256, dtype=np.float32))


def _limbs(person: Person, weights: csr_array) -> list[Int[np.ndarray, "points"]]:
    """The points of all surfaces, by the limb they follow most."""
    limb_of_bone: list[str] = []
    for bone, parent in zip(person.bones, person.parents, strict=True):
        starts_limb = bone.startswith(_LIMBS)
        limb_of_bone.append(bone if starts_limb or parent < 0 else limb_of_bone[parent])
    followed = weights.toarray().argmax(axis=1)
    limbs = np.array(limb_of_bone)[followed]
    return [np.flatnonzero(limbs == limb) for limb in sorted(set(limbs))]
