"""Every keypoint is where its written definition says, on every body, and goes with the surface below it."""

from __future__ import annotations

import functools
from pathlib import Path

import cv2
import numpy as np
import pytest
from jaxtyping import Float, UInt8
from scipy.spatial import cKDTree

from renderers.mannequin.camera import facing
from renderers.mannequin.drawing import Drawing, Piece
from renderers.mannequin.keypoints import DEFINITIONS, Places, keypoint_places
from renderers.mannequin.motion import make_motion
from renderers.mannequin.person import BODY_VERTICES, Person, draw_shape, make_person, skin
from renderers.mannequin.pose import FACE_ACTIONS, Place, posed_bones
from renderers.mannequin.skin import Complexion, skin_surface
from renderers.mannequin.surface import part_of
from renderers.wholebody import FACE, FLIP, LEFT_HAND, NAMES, RIGHT_HAND

NUMBER = {name: number for number, name in enumerate(NAMES)}
RIGHT_LIDS, LEFT_LIDS = slice(36, 42), slice(42, 48)
SEEDS = (0, 1, 2, 3)
SIDE = 700


@functools.cache
def body(seed: int) -> tuple[Person, Places]:
    person = make_person(draw_shape(np.random.default_rng(seed)))
    return person, keypoint_places(person)


def face_of(places: Places, **strengths: float) -> Float[np.ndarray, "68 3"]:
    face = np.array([strengths.get(action, 0.0) for action in FACE_ACTIONS])
    return (places.at_rest + np.tensordot(face, places.actions, axes=1))[FACE]


def seen_from_the_front(
    person: Person, groups: tuple[str, ...]
) -> tuple[UInt8[np.ndarray, "side side"], np.ndarray, float]:
    """Whose surface each pixel shows (1 for the first group), from far away; the place of the middle of the
    picture and the size of a pixel in metres."""
    middle = np.array([0.0, person.landmarks["nose"][1], person.landmarks["nose"][2]])
    camera = facing(SIDE, SIDE, eye=(0.0, -30.0, middle[2]), target=tuple(middle), frame=0.28)
    surfaces = [part_of(person, group) for group in groups]
    drawing = Drawing(
        [
            Piece(surface.triangles, len(surface.points), owner)
            for owner, surface in enumerate(surfaces, start=1)
        ],
        SIDE,
        SIDE,
    )
    for number, surface in enumerate(surfaces):
        drawing.place(number, surface.points)
    return drawing.owners(camera)[0], middle, 0.28 / SIDE


def test_the_page_says_where_each_point_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "synth.md").read_text(encoding="utf-8")
    for points, place in DEFINITIONS:
        assert f"| {points} | {place} |" in page


@pytest.mark.parametrize("seed", SEEDS)
def test_a_body_at_rest_is_symmetrical(seed: int) -> None:
    _, places = body(seed)
    mirrored = places.at_rest[FLIP] * [-1, 1, 1]
    assert np.abs(mirrored - places.at_rest).max() < 0.002


@pytest.mark.parametrize("seed", SEEDS)
def test_lid_points_lie_on_the_edge_of_what_is_seen_of_the_eye(seed: int) -> None:
    person, places = body(seed)
    owners, middle, pixel = seen_from_the_front(person, ("body", "helper-l-eye", "helper-r-eye"))
    face = face_of(places)
    for owner, lids in ((2, LEFT_LIDS), (3, RIGHT_LIDS)):
        contours, _ = cv2.findContours(
            (owners == owner).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        edge = max(contours, key=len)[:, 0] + 0.5
        points = (face[lids][:, [0, 2]] - middle[[0, 2]]) / pixel * [1, -1] + SIDE / 2
        assert cKDTree(edge).query(points)[0].max() * pixel < 0.0025
        # The corners are the outermost and innermost places of the eye.
        corners = points[[0, 3]]
        assert np.abs(np.sort(corners[:, 0]) - [edge[:, 0].min(), edge[:, 0].max()]).max() * pixel < 0.002


@pytest.mark.parametrize("seed", SEEDS)
def test_lids_meet_in_a_blink_and_lips_part_with_the_jaw(seed: int) -> None:
    _, places = body(seed)
    open_eyes, shut = face_of(places), face_of(places, blink_left=1.0, blink_right=1.0)
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        assert np.linalg.norm(shut[upper] - shut[lower]) < 0.003
        assert np.linalg.norm(open_eyes[upper] - open_eyes[lower]) > 0.005
    parted = face_of(places, jaw_open=1.0)
    for upper, lower in ((61, 67), (62, 66), (63, 65)):
        assert np.linalg.norm(open_eyes[upper] - open_eyes[lower]) < 0.004
        assert np.linalg.norm(parted[upper] - parted[lower]) > 0.010


@pytest.mark.parametrize("seed", SEEDS)
def test_brow_points_lie_in_the_brows_and_lip_points_on_the_edge_of_the_red(seed: int) -> None:
    person, places = body(seed)
    white = Complexion(skin=(0.9, 0.9, 0.9), lips=(0.1, 0.1, 0.1), brow=(0.1, 0.1, 0.1), blush=0.0, liner=0.0)
    surface = skin_surface(person, white)
    in_front = surface.points[:, 1] < person.landmarks["left_eye"][1] + 0.03
    tree = cKDTree(surface.points[in_front])
    grey = surface.colours[in_front].mean(axis=1)
    face = face_of(places)
    assert (grey[tree.query(face[17:27])[1]] < 0.75).all()
    dark = grey[tree.query_ball_point(face[48:60], 0.003)[0]]
    assert dark.min() < 0.4
    for point in face[48:60]:
        around = grey[tree.query_ball_point(point, 0.0045)]
        assert around.min() < 0.45 and around.max() > 0.6, "red on one side, skin on the other"


@pytest.mark.parametrize("seed", SEEDS)
def test_nose_and_chin_are_the_foremost_and_the_lowest(seed: int) -> None:
    person, places = body(seed)
    face = face_of(places)
    assert face[30, 1] == face[:, 1].min()
    assert face[8, 2] == face[:, 2].min()
    bridge = face[27:31, 2]
    assert (np.diff(bridge) < 0).all()
    # The jaw goes down on the right, and up again on the left.
    assert (np.diff(face[:9, 2]) < 0.001).all() and (np.diff(face[8:17, 2]) > -0.001).all()
    assert (np.diff(face[:17, 0]) > 0).all()
    assert np.abs(face[[0, 16], 1] - person.landmarks["left_ear"][1]).max() < 0.04


@pytest.mark.parametrize("seed", SEEDS)
def test_tips_are_where_fingers_end(seed: int) -> None:
    person, places = body(seed)
    vertices = person.vertices[:BODY_VERTICES]
    for hand in (LEFT_HAND, RIGHT_HAND):
        points = places.at_rest[hand]
        for finger in range(5):
            last, tip = points[4 * finger + 3], points[4 * finger + 4]
            along = (tip - last) / np.linalg.norm(tip - last)
            beyond = (vertices - tip) @ along
            beside = np.linalg.norm(vertices - tip - beyond[:, None] * along, axis=1)
            assert -0.001 < beyond[beside < 0.006].max() < 0.004
            assert 0.012 < np.linalg.norm(tip - last) < 0.045


def test_face_points_stay_on_the_moving_face() -> None:
    person, places = body(1)
    pose = make_motion("dance", person, np.random.default_rng(2), 2.0, Place()).pose(1.0)
    bones = posed_bones(person, pose)
    for face in np.eye(len(FACE_ACTIONS)) * 0.8:
        moved = person.vertices + np.tensordot(face, person.actions, axes=1)
        surface, _ = skin(moved[:BODY_VERTICES], person.weights[:BODY_VERTICES], bones)
        off = cKDTree(surface).query(places.posed(bones, face)[FACE])[0]
        brows = np.isin(np.arange(68), range(17, 27))
        assert off[~brows].max() < 1e-9
        assert off[brows].max() < 0.006, "between vertices"
