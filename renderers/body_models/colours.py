"""The colours of SMPL-CS: one colour for each vertex of a body, by which a network tells its parts apart.

RealisDance (Zhou et al., 2024) released a colour file for SMPL-X. Its colours are OpenCV's JET of one smooth
number per vertex, from 0 to 250, that behaves as a coordinate of the surface's own geometry does. Here such a
number is made from any body's template, so that no body needs the released file:

1. Distances along the surface, by fast marching (Kimmel and Sethian, 1998), from some landmarks that lie as
   far from each other as can be. On Anny they are 0 to 7% too long; the heat method's, smoothed on a mesh of
   such uneven triangles, are wrong by up to 14% either way. One source takes 17 ms.
2. Multi-dimensional scaling of these distances: classical between the landmarks, and every other vertex
   placed by its distances to them (landmark MDS, de Silva and Tenenbaum, 2004).
3. One direction in the span of the first coordinates. Scaling fixes its coordinates but for a rotation, and a
   symmetric template's leading one gives left and right the same numbers. So the direction, and its offset
   and scale, are those that agree best, by least squares, with given numbers at a few vertices (anchors): the
   published facts about the released colours (RELEASED).

Five coordinates: a head, two hands and two feet can have a number each only if there are four, and the fifth
goes from back to front, as the released colours do (nose above ears, chest above back). On Anny the worst
anchor misses its number by 66 of 250 with one coordinate, 34 with three, 8 with four, 5 with five or six.

Dimension names: vertices V, triangles T, landmarks L, coordinates C.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import tempfile
import zipfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy.lib import format as npy
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from renderers.body_models.errors import ColourFileError, ModelFileError
from renderers.cache_folder import cache_folder

LEVELS = 250
"""The highest of the released colours' whole numbers, which is the scalar 1."""

_FINGERS = ("thumb", "index", "middle", "ring", "little")
RELEASED: Mapping[str, float] = MappingProxyType(
    {
        "nose": 205.0,
        "left_ear": 187.0,
        "right_ear": 191.0,
        **{f"left_{finger}_4": (113 + 130) / 2 for finger in _FINGERS},
        **{f"right_{finger}_4": (226 + 249) / 2 for finger in _FINGERS},
        **{f"left_{part}": (9 + 12) / 2 for part in ("big_toe", "small_toe", "heel")},
        **{f"right_{part}": (45 + 72) / 2 for part in ("big_toe", "small_toe", "heel")},
    }
)
"""The released colours' numbers, of LEVELS, at points of COCO-WholeBody (`renderers.wholebody.NAMES`); where
only a range over several points is known, its middle."""

LANDMARKS = 128
"""Three times as many move no scalar of Anny by more than 2 of 250, and take three times the 3 s."""

COORDINATES = 5

_VERSION = 1
"""Raised with every change that can change a number, so that an old cache is not read."""

COLOURS_VERSION = f"{_VERSION} potpourri3d {version('potpourri3d')}"
"""Another wherever the same body may get other colours: for the names of what is made with them and kept."""

_FLAT = 1e-9
"""A coordinate whose variance is this share of the first one's or less has no direction."""

_DECIMALS = 6
"""Rounded off is what the number of threads of the linear algebra may change."""

_DIGEST_BYTES = hashlib.sha256().digest_size

_LARGEST_FILE = 2**24
"""Bytes: SMPL-X has 31 kB of colours, and torch saves with a tensor all that it is a view of."""

_LARGEST_HEADER = 2**14
"""Bytes: more than NumPy reads of an array's header."""


def vertex_colours(
    vertices: Float[np.ndarray, "vertices 3"],
    triangles: Int[np.ndarray, "triangles 3"],
    anchors: Mapping[int, float],
) -> UInt8[np.ndarray, "vertices 3"]:
    """The RGB colour of each vertex: OpenCV's JET of `kept_scalar` in whole numbers from 0 to LEVELS.

    Raises as `colour_scalar` does.
    """
    return jet(kept_scalar(vertices, triangles, anchors))


def kept_scalar(
    vertices: Float[np.ndarray, "vertices 3"],
    triangles: Int[np.ndarray, "triangles 3"],
    anchors: Mapping[int, float],
) -> Float[np.ndarray, "vertices"]:
    """`colour_scalar`, kept in the folder of `renderers.cache_folder`, under the SHA-256 of what it was made
    from; a damaged file there is made again. Raises as `colour_scalar` does.
    """
    path = cache_folder() / f"smpl-cs-{_inputs_digest(vertices, triangles, anchors)}.npy"
    scalar = _read_cache(path)
    if scalar is None:
        scalar = colour_scalar(vertices, triangles, anchors)
        # A folder that cannot be written to costs some seconds each time, not the run.
        with contextlib.suppress(OSError):
            _write_cache(path, scalar)
    return scalar


def jet(scalar: Float[np.ndarray, "vertices"]) -> UInt8[np.ndarray, "vertices 3"]:
    """The RGB colours of scalars in [0, 1]."""
    levels = np.round(scalar * LEVELS).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(levels[:, None], cv2.COLORMAP_JET)[:, 0, ::-1])


def colour_scalar(
    vertices: Float[np.ndarray, "vertices 3"],
    triangles: Int[np.ndarray, "triangles 3"],
    anchors: Mapping[int, float],
) -> Float[np.ndarray, "vertices"]:
    """The number of each vertex, in [0, 1], smooth over the surface. Times LEVELS it is near to `anchors`, by
    least squares: numbers from 0 to LEVELS, by vertex.

    vertices are those of the body at rest, in any unit. Where the fitted numbers leave [0, 1], all are
    squeezed into it. Of a surface in several parts, only the one with the most vertices is measured (the
    others are eyeballs, teeth, ...); a vertex of another part takes the number of the nearest vertex of that
    one. Two calls give the same bits.

    Raises ValueError where vertices are not finite, where fewer than two different numbers are given, or
    where an anchor's number is not in that range or its vertex not of the largest part; ModelFileError where
    the surface is one that cannot be measured.
    """
    if not np.isfinite(vertices).all():
        raise ValueError("vertices must be finite: give the body at rest")
    main = _largest_part(len(vertices), triangles)
    place = np.full(len(vertices), -1)
    place[main] = np.arange(len(main))
    _check_anchors(anchors, place)
    placed = place[triangles]
    try:
        landmarks, distances = landmark_distances(vertices[main], placed[(placed >= 0).all(1)], LANDMARKS)
    except RuntimeError as error:
        raise _unmeasurable(str(error)) from error
    if not np.isfinite(distances).all() or not distances.any():
        raise _unmeasurable("distances along it are all 0 or without end")
    places = scaling(landmarks, distances, COORDINATES)
    fitted = _fitted(places, {place[vertex]: number / LEVELS for vertex, number in anchors.items()})
    low, high = min(fitted.min(), 0.0), max(fitted.max(), 1.0)
    _, nearest = cKDTree(vertices[main]).query(vertices)
    nearest[main] = place[main]  # not each other's, where two of them touch
    return np.round((fitted - low) / (high - low), _DECIMALS)[nearest]


def landmark_distances(
    vertices: Float[np.ndarray, "vertices 3"], triangles: Int[np.ndarray, "triangles 3"], count: int
) -> tuple[Int[np.ndarray, "landmarks"], Float[np.ndarray, "landmarks vertices"]]:
    """Landmarks (vertex 0, then always the vertex farthest from those before; at most `count`), and the
    length of the shortest way along the surface from each to every vertex, in the vertices' unit.

    The surface must be in one part, every vertex in a triangle, and a manifold: potpourri3d raises
    RuntimeError where more than two triangles share an edge, or some meet in nothing but a vertex.
    """
    from potpourri3d import MeshFastMarchingDistanceSolver

    solver = MeshFastMarchingDistanceSolver(
        np.asarray(vertices, np.float64), np.ascontiguousarray(triangles, np.int64)
    )
    count = min(count, len(vertices))
    landmarks = np.zeros(count, np.int64)
    distances = np.empty((count, len(vertices)))
    to_nearest = np.full(len(vertices), np.inf)
    for number in range(count):
        landmarks[number] = to_nearest.argmax()
        distances[number] = solver.compute_distance([[(int(landmarks[number]), [])]], [[0.0]])
        to_nearest = np.minimum(to_nearest, distances[number])
    return landmarks, distances


def _unmeasurable(reason: str) -> ModelFileError:
    return ModelFileError(
        f"The body model's mesh cannot be measured to make its colours ({reason}): download the model again, "
        "or give a file of its colours."
    )


def scaling(
    landmarks: Int[np.ndarray, "landmarks"],
    distances: Float[np.ndarray, "landmarks vertices"],
    coordinates: int,
) -> Float[np.ndarray, "vertices coordinates"]:
    """Places for all vertices whose straight distances are near those along the surface, in their unit.

    The first coordinate varies most. There are fewer where the distances need no more. A coordinate's sign is
    arbitrary.
    """
    squares = distances**2
    between = (squares[:, landmarks] + squares[:, landmarks].T) / 2
    means = between.mean(0)
    variances, axes = np.linalg.eigh(-(between - means - means[:, None] + means.mean()) / 2)
    variances, axes = variances[::-1][:coordinates], axes[:, ::-1][:, :coordinates]
    kept = variances > _FLAT * variances[0]
    return -(squares - means[:, None]).T @ (axes[:, kept] / np.sqrt(variances[kept])) / 2


def read_colours(path: str | Path, vertex_count: int) -> UInt8[np.ndarray, "vertices 3"]:
    """The RGB colours of a user's own file: uint8 (vertices, 3) as .npy, as the one array of an .npz, or as a
    tensor that torch saved (.pt, .pth), which is how RealisDance's authors give theirs.

    No code in the file is run. Raises ColourFileError where the file is missing, unreadable, damaged, of
    another kind or of another shape or type.
    """
    path = Path(path)
    readers = {".npy": _read_numpy, ".npz": _read_numpy, ".pt": _read_torch, ".pth": _read_torch}
    if path.suffix.lower() not in readers:
        raise ColourFileError(
            f"colour file {path}: its name must end in {', '.join(readers)}, the kinds that can be read"
        )
    data = _content(path)
    try:
        colours = readers[path.suffix.lower()](data, vertex_count)
    except _UnsuitableError as unsuitable:
        raise ColourFileError(f"colour file {path}: {unsuitable}") from None
    # What damaged bytes make NumPy, zipfile and torch raise is not documented and has no common class.
    except Exception as error:
        # By its class alone: torch's message tells how to load the file so that its code is run.
        raise ColourFileError(
            f"colour file {path}: damaged, or not an array that can be read without running code "
            f"({type(error).__name__}); get it again, or save the colours with numpy.save as uint8"
        ) from error
    return np.ascontiguousarray(colours)


class _UnsuitableError(Exception):
    """A file holds something else than the colours of this body: what, and what to do."""


def _content(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise ColourFileError(f"colour file {path}: there is no such file; check the path")
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise ColourFileError(
            f"colour file {path}: cannot be read ({error.strerror}); check the path and its permissions"
        ) from error
    if len(data) > _LARGEST_FILE:
        raise ColourFileError(
            f"colour file {path}: over {_LARGEST_FILE // 2**20} MiB, larger than the colours of any body; "
            "save only the colours, with numpy.save"
        )
    return data


def _check_form(shape: tuple[int, ...], dtype: object, vertex_count: int) -> None:
    if str(dtype).removeprefix("torch.") != "uint8" or shape != (vertex_count, 3):
        raise _UnsuitableError(
            f"it holds {str(dtype)[:100]} {str(shape)[:100]}, but this body needs uint8 ({vertex_count}, 3); "
            "is it for another body? Save red, green and blue from 0 to 255 for each vertex of this one with "
            "numpy.save"
        )


def _read_numpy(data: bytes, vertex_count: int) -> np.ndarray:
    if not data.startswith(b"PK"):
        return _npy(data, vertex_count)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.namelist()
        if len(members) != 1:
            raise _UnsuitableError(f"it holds {len(members)} arrays, not one; save only the colours")
        with archive.open(members[0]) as member:
            # No more than can be needed: a small file may claim to hold any number of zeros.
            return _npy(member.read(_LARGEST_HEADER + 3 * vertex_count + 1), vertex_count)


def _npy(data: bytes, vertex_count: int) -> np.ndarray:
    file = io.BytesIO(data)
    if npy.read_magic(file) == (1, 0):  # type: ignore[no-untyped-call]
        shape, fortran, dtype = npy.read_array_header_1_0(file)  # type: ignore[no-untyped-call]
    else:
        shape, fortran, dtype = npy.read_array_header_2_0(file)  # type: ignore[no-untyped-call]
    _check_form(shape, dtype, vertex_count)
    content = data[file.tell() :]
    if len(content) != math.prod(shape):
        raise ValueError(f"{len(content)} bytes of colours, not {math.prod(shape)}")
    return np.frombuffer(content, np.uint8).reshape(shape, order="F" if fortran else "C")


def _read_torch(data: bytes, vertex_count: int) -> np.ndarray:
    import torch

    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            # torch reads all that a small file may claim to hold.
            if sum(info.file_size for info in archive.infolist()) > _LARGEST_FILE:
                raise _UnsuitableError("it holds more than the colours of any body; save only the colours")
    loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    if not isinstance(loaded, torch.Tensor):
        raise _UnsuitableError(f"it holds {type(loaded).__name__}, not a tensor; save only the colours")
    if loaded.layout != torch.strided or loaded.device.type != "cpu":
        raise _UnsuitableError("it holds a tensor without numbers or a sparse one; save the colours dense")
    _check_form(tuple(loaded.shape), loaded.dtype, vertex_count)
    return loaded.numpy()


def _largest_part(vertex_count: int, triangles: Int[np.ndarray, "triangles 3"]) -> Int[np.ndarray, "main"]:
    """The vertices of the part with the most."""
    ends = triangles.ravel(), triangles[:, [1, 2, 0]].ravel()
    edges = coo_array((np.ones(triangles.size), ends), shape=(vertex_count, vertex_count))
    _, part = connected_components(edges, directed=False)
    return np.flatnonzero(part == np.bincount(part).argmax())


def _check_anchors(anchors: Mapping[int, float], place: Int[np.ndarray, "vertices"]) -> None:
    if len(set(anchors.values())) < 2:
        raise ValueError("anchors must hold two different numbers or more: they say which end is which")
    for vertex, number in anchors.items():
        if not 0 <= number <= LEVELS:
            raise ValueError(f"the anchor at vertex {vertex} is {number}: give it from 0 to {LEVELS}")
        if not 0 <= vertex < len(place) or place[vertex] < 0:
            raise ValueError(
                f"the anchor at vertex {vertex} is not on the surface's largest part: move it there"
            )


def _fitted(
    coordinates: Float[np.ndarray, "vertices coordinates"], anchors: Mapping[int, float]
) -> Float[np.ndarray, "vertices"]:
    """Offset plus coordinates times direction, nearest to the anchors; of several such, the least steep."""
    places, numbers = coordinates[list(anchors)], np.array(list(anchors.values()))
    direction = np.linalg.lstsq(places - places.mean(0), numbers - numbers.mean(), rcond=1e-6)[0]
    return numbers.mean() + (coordinates - places.mean(0)) @ direction


def _inputs_digest(
    vertices: Float[np.ndarray, "vertices 3"],
    triangles: Int[np.ndarray, "triangles 3"],
    anchors: Mapping[int, float],
) -> str:
    numbers = sorted((int(vertex), float(number)) for vertex, number in anchors.items())
    header = (COLOURS_VERSION, vertices.shape, triangles.shape, numbers)
    digest = hashlib.sha256(repr(header).encode())
    digest.update(np.asarray(vertices, np.float64).tobytes())
    digest.update(np.asarray(triangles, np.int64).tobytes())
    return digest.hexdigest()


def _read_cache(path: Path) -> Float[np.ndarray, "vertices"] | None:
    """What `_write_cache` wrote, or None where it is missing or damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    content = data[:-_DIGEST_BYTES]
    if hashlib.sha256(content).digest() != data[-_DIGEST_BYTES:]:
        return None
    stored: Float[np.ndarray, "vertices"] = np.load(io.BytesIO(content), allow_pickle=False)
    return stored


def _write_cache(path: Path, scalar: Float[np.ndarray, "vertices"]) -> None:
    """An .npy file with the SHA-256 of its content after its end, put in place in one step."""
    content = io.BytesIO()
    np.save(content, scalar)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="building-") as folder:
        finished = Path(folder) / path.name
        finished.write_bytes(content.getvalue() + hashlib.sha256(content.getvalue()).digest())
        finished.replace(path)
