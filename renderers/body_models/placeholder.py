"""Stand-ins for the licensed files of SMPL-X and MANO, made from nothing but the numbers below: a mannequin
and a hand, in the layout of the published files, for dry runs of what takes such files. They are nobody's
body, and no number found with them means anything.

Lengths are in metres, x to the body's left, y up, z ahead. Dimension names: vertices V, joints J, triangles
T.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from smplx.joint_names import JOINT_NAMES
from smplx.vertex_ids import vertex_ids

from renderers.body_models.grown_surface import (
    GrowingSurface,
    GrownSurface,
    Patch,
    finished,
    renumbered,
    sides,
    walls,
)
from renderers.body_models.stand_ins import ENTRY
from renderers.cache_folder import PLACEHOLDER_VERSION, placeholder_folder
from renderers.hands import MANO_WRIST

PLACEHOLDER_LICENCE = "Apache-2.0: stand-ins for dry runs, not SMPL-X or MANO"
"""The licence of the stand-ins, for the lineage of what is made with them."""

_BODY, _HAND = "SMPLX_NEUTRAL.npz", "MANO_RIGHT.pkl"
_NOTE = f"This body model is {PLACEHOLDER_LICENCE}; version {PLACEHOLDER_VERSION}."

_BODY_VERTICES, _BODY_SKIN, _HAND_VERTICES = 10475, 10456, 778
"""The published body has parts of its own beside its skin; here, vertices of no triangle."""

_MIDDLE = {
    "pelvis": ("", (0.0, -0.35, 0.0)),
    "spine1": ("pelvis", (0.0, -0.24, 0.0)),
    "spine2": ("spine1", (0.0, -0.12, 0.0)),
    "spine3": ("spine2", (0.0, -0.02, 0.0)),
    "neck": ("spine3", (0.0, 0.18, 0.0)),
    "head": ("neck", (0.0, 0.25, 0.0)),
    "jaw": ("head", (0.0, 0.27, 0.03)),
}
_LEFT = {
    "hip": ("pelvis", (0.09, -0.45, 0.0)),
    "knee": ("hip", (0.1, -0.84, 0.0)),
    "ankle": ("knee", (0.1, -1.22, -0.01)),
    "foot": ("ankle", (0.11, -1.28, 0.1)),
    "collar": ("spine3", (0.06, 0.11, 0.0)),
    "shoulder": ("collar", (0.17, 0.11, 0.0)),
    "elbow": ("shoulder", (0.43, 0.11, 0.0)),
    "wrist": ("elbow", (0.68, 0.11, 0.0)),
    "eye_smplhf": ("head", (0.032, 0.34, 0.075)),
}
"""Each joint's parent and place."""
_FINGERS = {
    "thumb": ((0.025, -0.008, 0.03), (0.62, -0.15, 0.77), (0.035, 0.03, 0.028)),
    "index": ((0.095, 0.0, 0.028), (1.0, 0.0, 0.06), (0.036, 0.024, 0.022)),
    "middle": ((0.1, 0.002, 0.005), (1.0, 0.0, 0.0), (0.04, 0.027, 0.024)),
    "ring": ((0.095, 0.0, -0.018), (1.0, 0.0, 0.0), (0.037, 0.025, 0.023)),
    "pinky": ((0.085, -0.004, -0.04), (0.99, 0.0, -0.12), (0.029, 0.019, 0.02)),
}
"""On the left: the first joint's place from the wrist, where the finger points, and its bones' lengths."""
_MIRRORS = {"left": np.array([1.0, 1.0, 1.0]), "right": np.array([-1.0, 1.0, 1.0])}

_TRUNK = (
    (-0.41, 0.175, 0.11, "pelvis", "pelvis"),
    (-0.32, 0.165, 0.11, "pelvis", "pelvis"),
    (-0.24, 0.145, 0.1, "pelvis", "spine1"),
    (-0.18, 0.135, 0.095, "spine1", "spine1"),
    (-0.12, 0.14, 0.1, "spine1", "spine2"),
    (-0.07, 0.15, 0.105, "spine2", "spine2"),
    (-0.02, 0.16, 0.11, "spine2", "spine3"),
    (0.05, 0.165, 0.11, "spine3", "spine3"),
    (0.09, 0.16, 0.1, "spine3", "spine3"),
    (0.13, 0.15, 0.09, "spine3", "spine3"),
    (0.16, 0.13, 0.075, "spine3", "spine3"),
    (0.18, 0.06, 0.065, "spine3", "neck"),
    (0.215, 0.055, 0.06, "neck", "neck"),
    (0.25, 0.06, 0.075, "neck", "head"),
    (0.28, 0.072, 0.095, "head", "head"),
    (0.31, 0.077, 0.1, "head", "head"),
    (0.34, 0.08, 0.1, "head", "head"),
    (0.38, 0.076, 0.095, "head", "head"),
    (0.415, 0.058, 0.072, "head", "head"),
    (0.43, 0.03, 0.04, "head", "head"),
)
"""Rings from the crotch to the crown: height, half width, half depth, and the joints that share it."""
_ARMPIT, _ABOVE_SHOULDER, _NOSE = 7, 10, 15
"""Rings of _TRUNK."""

_X, _Y, _Z = np.eye(3)
_WRIST = 0.034 * _Z, 0.022 * _Y
"""Half axes."""


def write_placeholders() -> Path:
    """The folder of SMPLX_NEUTRAL.npz and MANO_RIGHT.pkl (`placeholder_folder`), which is written unless it
    is there. The same bytes each time.
    """
    folder = placeholder_folder()
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Put in place whole, as other processes may look for it or write the same.
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".building-") as building:
            made = Path(building, folder.name)
            made.mkdir()
            marks = {ENTRY: np.array(PLACEHOLDER_VERSION), "note": np.array(_NOTE)}
            np.savez_compressed(made / _BODY, **_smplx_arrays(), **marks)
            (made / _HAND).write_bytes(pickle.dumps({**_mano_arrays(), **marks}, protocol=2))
            try:
                made.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
    return folder


def _smplx_arrays() -> dict[str, np.ndarray]:
    joints, places = JOINT_NAMES[:55], _places()
    growing = GrowingSurface(joints)
    _grow_body(growing, places)
    pinned = {vertex_ids["smplx"][name]: place for name, place in _named_places(places).items()}
    body = renumbered(finished(growing, _BODY_SKIN), pinned, _BODY_VERTICES)
    face, contour = (_nearest_triangles(body, points) for points in _face_points())
    mouth = np.exp(-((np.linalg.norm(body.vertices - [0, 0.28, 0.1], axis=1) / 0.04) ** 2))
    expressions = _directions(body.vertices, 0.005, 30.0) * mouth[:, None, None]
    return {
        **_shared_arrays(body, joints, places),
        "shapedirs": np.concatenate([_directions(body.vertices, 0.02, 1.5), expressions], axis=2),
        "lmk_faces_idx": face,
        "lmk_bary_coords": np.full((51, 3), 1 / 3),
        "dynamic_lmk_faces_idx": np.tile(contour, (79, 1)),
        "dynamic_lmk_bary_coords": np.full((79, 17, 3), 1 / 3),
        **{f"hands_mean{side}": np.zeros(45) for side in "lr"},
        **{f"hands_components{side}": np.eye(45) for side in "lr"},
    }


def _mano_arrays() -> dict[str, np.ndarray]:
    """The right hand, its wrist open: what closes it is grown first, and left out."""
    joints = ["right_wrist", *JOINT_NAMES[40:55]]
    places = {name: place - (-0.775, 0.105, -0.006) for name, place in _places().items()}
    growing = GrowingSurface(joints)
    wrist = growing.ring((6, 4), places["right_wrist"], *_WRIST, ["right_wrist"])
    rim = np.concatenate([side[:-1] for side in sides(wrist)])[::-1].tolist()
    own = dict(zip(_loop(MANO_WRIST), rim, strict=True))
    growing.triangles += [[own[number] for number in triangle] for triangle in MANO_WRIST.tolist()]
    _grow_hand(growing, wrist, "right", places)
    pinned = {number: growing.places[vertex] for number, vertex in own.items()}
    pinned |= {number: places[f"right_{name}_tip"] for name, number in vertex_ids["mano"].items()}
    cap = len(MANO_WRIST)
    closed = renumbered(finished(growing, _HAND_VERTICES, fixed=cap), pinned, _HAND_VERTICES)
    return {
        **_shared_arrays(
            GrownSurface(closed.vertices, closed.weights, closed.triangles[cap:]), joints, places
        ),
        "shapedirs": _directions(closed.vertices, 0.003, 10.0),
        "hands_mean": np.zeros(45),
        "hands_components": np.eye(45),
    }


def _shared_arrays(
    surface: GrownSurface, joints: Sequence[str], places: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """What both files have."""
    parents = [np.iinfo(np.uint32).max, *(joints.index(_parent(joint)) for joint in joints[1:])]
    return {
        "v_template": surface.vertices,
        "posedirs": np.zeros((len(surface.vertices), 3, 9 * (len(joints) - 1)), np.float32),
        "J_regressor": _regressor(surface.vertices, np.array([places[joint] for joint in joints])),
        "weights": surface.weights,
        "kintree_table": np.array([parents, range(len(joints))], np.int64),
        "f": surface.triangles.astype(np.uint32),
    }


def _places() -> dict[str, np.ndarray]:
    """Of the joints of both models, and of the fingers' tips."""
    places = {name: np.array(place) for name, (_, place) in _MIDDLE.items()}
    for side, mirror in _MIRRORS.items():
        places |= {f"{side}_{name}": np.array(place) * mirror for name, (_, place) in _LEFT.items()}
        for finger, (knuckle, ahead, bones) in _FINGERS.items():
            along = np.cumsum([0, *bones])[:, None] * ahead / np.linalg.norm(ahead)
            joints = np.array(_LEFT["wrist"][1]) + knuckle + along
            for end, place in zip(("1", "2", "3", "_tip"), joints, strict=True):
                places[f"{side}_{finger}{end}"] = place * mirror
    return places


def _parent(joint: str) -> str:
    """The joint that a joint hangs on, not being the root."""
    side, _, name = joint.partition("_")
    if side not in _MIRRORS:
        return _MIDDLE[joint][0]
    if name[:-1] in _FINGERS:
        return f"{side}_wrist" if name.endswith("1") else f"{joint[:-1]}{int(joint[-1]) - 1}"
    parent = _LEFT[name][0]
    return parent if parent in _MIDDLE else f"{side}_{parent}"


def _grow_body(growing: GrowingSurface, places: Mapping[str, np.ndarray]) -> None:
    rings = []
    for height, half_width, half_depth, *owners in _TRUNK:
        detail = 2.0 if "head" in owners else 1.0
        axes = half_width * _X, -half_depth * _Z
        rings.append(growing.ring((3, 6), height * _Y, *axes, owners, detail))
    growing.places[rings[_NOSE][1, 0]] += 0.022 * _Z
    shoulders: dict[str, list[np.ndarray]] = {"left": [], "right": []}
    for number, (below, above) in enumerate(pairwise(rings)):
        front, left, back, right = walls(below, above)
        growing.close(front)
        growing.close(back)
        for side, wall in (("left", left), ("right", right)):
            if _ARMPIT <= number < _ABOVE_SHOULDER:
                shoulders[side].append(wall)
            else:
                growing.close(wall)
    growing.close(rings[-1])
    for side, (first, *others) in shoulders.items():
        _grow_arm(growing, np.column_stack([first, *(wall[:, 1:] for wall in others)]), side, places)
    crotch = rings[0][::-1]
    _grow_leg(growing, crotch[:2], "left", places)
    _grow_leg(growing, crotch[1:], "right", places)


def _grow_arm(growing: GrowingSurface, patch: Patch, side: str, places: Mapping[str, np.ndarray]) -> None:
    chain = [f"{side}_{name}" for name in ("collar", "shoulder", "elbow", "wrist")]
    patch = growing.tube(patch, chain, places, ((0.055 * _Z, 0.052 * _Y), _WRIST))
    patch = growing.grown(patch, places[chain[-1]], *_WRIST, chain[-2:], detail=2.0)
    _grow_hand(growing, patch, side, places)


def _grow_hand(growing: GrowingSurface, wrist: Patch, side: str, places: Mapping[str, np.ndarray]) -> None:
    """From a patch of 6 rows, which run from the thumb to the little finger on the left, and from the little
    finger to the thumb on the right."""
    own = f"{side}_wrist"
    thumb, palm = (wrist[:2], wrist[1:]) if side == "left" else (wrist[-2:], wrist[:-1])
    for ahead, half_width, half_height in ((0.03, 0.045, 0.017), (0.065, 0.05, 0.014)):
        centre = places[own] + (ahead * _X - 0.008 * _Z) * _MIRRORS[side]
        palm = growing.grown(palm, centre, half_width * _Z, half_height * _Y, [own], detail=2.0)
    patches = [palm[row : row + 2] for row in range(4)]
    for finger, patch in zip(_FINGERS, [thumb, *(patches if side == "left" else patches[::-1])], strict=True):
        chain = [own, *(f"{side}_{finger}{end}" for end in ("1", "2", "3", "_tip"))]
        ahead = places[chain[-1]] - places[chain[1]]
        across = np.cross(ahead, _Y)
        up = np.cross(across, ahead)
        across, up = across / np.linalg.norm(across), up / np.linalg.norm(up)
        radius = 0.012 if finger == "thumb" else 0.0095
        thick, thin, tip = ((radius * share * across, radius * share * up) for share in (1.0, 0.8, 0.5))
        patch = growing.tube(patch, chain, places, (thick, thin), detail=2.0)
        growing.close(growing.grown(patch, places[chain[-1]], *tip, [chain[-2]], detail=2.0))


def _grow_leg(growing: GrowingSurface, patch: Patch, side: str, places: Mapping[str, np.ndarray]) -> None:
    chain = ["pelvis", *(f"{side}_{name}" for name in ("hip", "knee", "ankle"))]
    thigh, shin = ((half * _X, half * _Z) for half in (0.09, 0.042))
    patch = growing.tube(patch, chain, places, (thigh, shin))
    patch = growing.grown(patch, places[chain[-1]], *shin, chain[-2:])
    foot = f"{side}_foot"
    for height, half_length in ((-1.26, 0.12), (-1.31, 0.135)):
        centre = np.array([places[foot][0], height, 0.06])
        patch = growing.grown(patch, centre, 0.05 * _X, half_length * _Z, chain[-1:], detail=1.5)
        for vertex in patch.ravel():
            if growing.places[vertex][2] > places[foot][2]:
                growing.weights[vertex] = growing.weights_of(foot)
    growing.close(patch)


def _loop(triangles: Int[np.ndarray, "triangles 3"]) -> list[int]:
    """The rim of triangles that are in one piece, in their own direction."""
    edges = {(int(a), int(b)) for corner in range(3) for a, b in np.roll(triangles, -corner, 1)[:, :2]}
    onwards = {a: b for a, b in edges if (b, a) not in edges}
    loop = [min(onwards)]
    while (after := onwards[loop[-1]]) != loop[0]:
        loop.append(after)
    return loop


def _named_places(places: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Places on the body by the names that the package smplx has for its vertices."""
    named = {"nose": np.array([0.0, 0.31, 0.122])}
    for side, mirror in _MIRRORS.items():
        short, capital = side[0], side[0].upper()
        named |= {f"{short}{finger}": places[f"{side}_{finger}_tip"] for finger in _FINGERS}
        named |= {
            f"{short}eye": np.array([0.032, 0.34, 0.095]) * mirror,
            f"{short}ear": np.array([0.08, 0.32, -0.01]) * mirror,
            f"{capital}BigToe": np.array([0.09, -1.3, 0.19]) * mirror,
            f"{capital}SmallToe": np.array([0.145, -1.3, 0.14]) * mirror,
            f"{capital}Heel": np.array([0.11, -1.3, -0.07]) * mirror,
        }
    return named


def _face_points() -> tuple[Float[np.ndarray, "51 3"], Float[np.ndarray, "17 3"]]:
    """The 51 points of brows, nose, eyes and mouth, and the 17 of the contour, in the order of
    COCO-WholeBody: from the person's right to the left."""

    def arc(count: int, x: float, y: float, wide: float, high: float, end: float) -> list[np.ndarray]:
        angles = np.radians(np.linspace(0, end, count))
        return [np.array([x - wide * np.cos(angle), y + high * np.sin(angle), 0.1]) for angle in angles]

    points = [
        *(point for x in (-0.03, 0.03) for point in arc(5, x, 0.355, 0.018, 0.008, 180)),
        *(np.array([0, y, 0.11]) for y in np.linspace(0.345, 0.318, 4)),
        *arc(5, 0, 0.305, 0.015, -0.006, 180),
        *(point for x in (-0.03, 0.03) for point in arc(6, x, 0.34, 0.013, 0.006, 300)),
        *arc(12, 0, 0.278, 0.025, 0.011, 330),
        *arc(8, 0, 0.278, 0.018, 0.005, 315),
    ]
    contour = np.array(arc(17, 0, 0.33, 0.075, -0.08, 180))
    contour[:, 2] -= 0.08 * (contour[:, 0] / 0.075) ** 2
    return np.array(points), contour


def _nearest_triangles(
    surface: GrownSurface, points: Float[np.ndarray, "points 3"]
) -> Int[np.ndarray, "points"]:
    nearest: Int[np.ndarray, "points"] = cKDTree(surface.vertices[surface.triangles].mean(1)).query(points)[1]
    return nearest


def _regressor(
    vertices: Float[np.ndarray, "vertices 3"], joints: Float[np.ndarray, "joints 3"]
) -> Float[np.ndarray, "joints vertices"]:
    """Each joint as a weighted mean of the vertices about it: of such means the least uneven."""
    regressor = np.zeros((len(joints), len(vertices)))
    for row, joint, near in zip(regressor, joints, cKDTree(vertices).query(joints, 48)[1], strict=True):
        row[near] = np.linalg.pinv(np.vstack([vertices[near].T, np.ones(len(near))])) @ [*joint, 1]
    return regressor


def _directions(
    vertices: Float[np.ndarray, "vertices 3"], size: float, rate: float
) -> Float[np.ndarray, "vertices 3 10"]:
    """Ten shapes: waves along each axis in turn, as large as `size`, ever shorter, and alike on both
    sides."""
    directions = np.zeros((*vertices.shape, 10))
    for number in range(10):
        axis = number % 3
        directions[:, axis, number] = size * np.sin(rate * (1 + number // 3) * vertices[:, axis])
    return directions
