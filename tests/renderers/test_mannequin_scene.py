"""Places, things and camera paths: they are the same by seed, project as the world does, and hold what they
promise."""

from __future__ import annotations

from collections import Counter

import cv2
import numpy as np
import pytest

from renderers.mannequin.backdrops import Backdrop
from renderers.mannequin.camera import Camera, facing
from renderers.mannequin.camera_path import FRAMINGS, CameraPath, draw_camera_path
from renderers.mannequin.panels import Panel, draw_panel
from renderers.mannequin.person import make_person
from renderers.mannequin.pose import Place
from renderers.mannequin.props import HELD, PROPS, Prop, draw_props, hand_frame, prop_mesh, prop_transform
from renderers.mannequin.scene import BACKGROUNDS, LIGHTINGS, SIDE_WALL, Scene, draw_scene

WIDTH, HEIGHT = 136, 240
LOW, HIGH = (-0.9, -0.5, 0.0), (0.9, 0.5, 2.1)


def scene(background: str = "room", lighting: str = "bright", seed: int = 1) -> Scene:
    return draw_scene(np.random.default_rng(seed), background, lighting)


def eye_of(camera: Camera) -> np.ndarray:
    return -camera.world_to_camera[:3, :3].T @ camera.world_to_camera[:3, 3]


def projected(camera: Camera, points: np.ndarray) -> np.ndarray:
    """OpenCV's own projection."""
    turn = cv2.Rodrigues(camera.world_to_camera[:3, :3])[0]
    seen, _ = cv2.projectPoints(points.astype(float), turn, camera.world_to_camera[:3, 3], camera.K, None)
    return seen[:, 0]


def path_of(framing: str, seed: int, width: int, height: int, moving: bool = True) -> CameraPath:
    return draw_camera_path(np.random.default_rng(seed), framing, width, height, LOW, HIGH, 4.0, moving)


def test_there_are_many_places_and_each_kind_of_light() -> None:
    assert len(BACKGROUNDS) >= 10 and len(set(BACKGROUNDS)) == len(BACKGROUNDS)
    for background in BACKGROUNDS:
        for lighting in LIGHTINGS:
            drawn = scene(background, lighting)
            for light in drawn.lights:
                assert abs(np.linalg.norm(light.direction) - 1) < 1e-9
                assert light.direction[2] < 0, "light comes from above"
            assert (drawn.lights[0].direction[1] < 0) == (lighting == "backlit")
            assert drawn.wall > 2.5


def test_low_light_is_darker_and_noisier_than_bright() -> None:
    camera = facing(WIDTH, HEIGHT, eye=(0.0, -4.0, 1.4), target=(0.0, 0.0, 1.0), frame=2.5)
    for background in ("room", "beach"):
        dark, light = scene(background, "low"), scene(background, "bright")
        seen = [Backdrop(drawn, WIDTH, HEIGHT).picture(camera).mean() * drawn.gain for drawn in (dark, light)]
        assert seen[0] < 0.6 * seen[1]
        assert dark.noise > 2 * light.noise


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_a_place_is_the_same_by_seed_and_fills_the_picture(background: str) -> None:
    drawn = scene(background, seed=3)
    assert drawn == scene(background, seed=3)
    backdrop, again = Backdrop(drawn, WIDTH, HEIGHT), Backdrop(drawn, WIDTH, HEIGHT)
    darkest = []
    for number, framing in enumerate(FRAMINGS):
        for width, height in ((WIDTH, HEIGHT), (HEIGHT, WIDTH)):
            camera = path_of(framing, number, width, height).camera(1.0)
            picture = backdrop.picture(camera)
            assert picture.shape == (height, width, 3) and picture.dtype == np.float32
            assert np.array_equal(picture, again.picture(camera))
            assert np.array_equal(picture, backdrop.picture(camera))
            assert picture.min() >= 0 and picture.max() <= 255
            darkest.append((picture.max(axis=2) == 0).mean())
    assert max(darkest) < 0.002, "nothing was painted there"


def test_another_seed_is_another_place() -> None:
    camera = path_of("full", 0, WIDTH, HEIGHT).camera(0.0)
    for background in ("room", "studio", "brick_wall"):
        first, second = (
            Backdrop(scene(background, seed=seed), WIDTH, HEIGHT).picture(camera) for seed in (3, 4)
        )
        assert np.abs(first - second).mean() > 2


def test_a_mark_on_the_floor_is_seen_where_the_floor_projects() -> None:
    """A disc is found in the drawn picture and compared with OpenCV's projection of its middle."""
    scale = 100.0
    picture = np.full((600, 600, 3), 40, np.uint8)
    marks = np.array([[0.3, 0.4, 0.0], [-1.0, 1.2, 0.0], [1.6, -0.5, 0.0]])
    for x, y, _ in marks:
        # The texture's corner is at (-3, 3): columns go along x, rows against y.
        centre = (round(((x + 3) * scale - 0.5) * 16), round(((3 - y) * scale - 0.5) * 16))
        cv2.circle(picture, centre, round(0.12 * scale * 16), (255, 255, 255), -1, cv2.LINE_AA, 4)
    floor = Panel(picture, (-3, 3, 0), (1, 0, 0), (0, -1, 0), scale, endless=(True, True, True, True))
    path = path_of("full", 5, 540, 960)
    measured = 0
    for time in (0.0, 2.0, 4.0):
        camera = path.camera(time)
        image = np.zeros((960, 540, 3), np.uint8)
        draw_panel(image, floor, camera)
        rim = np.linspace(0, 2 * np.pi, 90, endpoint=False)
        circle = 0.12 * np.stack([np.cos(rim), np.sin(rim), np.zeros(90)], axis=1)
        for mark in marks:
            outline = projected(camera, mark + circle).astype(np.float32)
            low, high = (
                np.floor(outline.min(axis=0)).astype(int) - 6,
                np.ceil(outline.max(axis=0)).astype(int) + 6,
            )
            if (low < 0).any() or (high >= [540, 960]).any():
                continue
            weight = image[low[1] : high[1], low[0] : high[0], 0].astype(float) - 40
            weight = np.clip(weight, 0, None)
            rows, columns = np.mgrid[low[1] : high[1], low[0] : high[0]] + 0.5
            found = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
            moments = cv2.moments(outline)
            expected = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
            assert np.abs(found - expected).max() < 0.25
            measured += 1
    assert measured >= 5


def test_a_far_floor_does_not_flicker() -> None:
    """A chessboard seen towards the horizon is an even grey there, as the eye would see it."""
    board = (np.indices((512, 512)) // 16).sum(axis=0) % 2 * 255
    picture = np.repeat(board[..., None], 3, axis=2).astype(np.uint8)
    floor = Panel(picture, (0, 0, 0), (1, 0, 0), (0, -1, 0), 100.0, endless=(True, True, True, True))
    camera = facing(320, 240, eye=(0.0, -4.0, 1.5), target=(0.0, 0.0, 1.5), frame=3.0)
    image = np.zeros((240, 320, 3), np.uint8)
    draw_panel(image, floor, camera)
    far = image[122:127, :, 0].astype(float)
    assert far.std() < 25 and abs(far.mean() - 127) < 20
    assert image[200:, :, 0].std() > 80, "near, the squares are seen"


def upright(x: float, y: float) -> list[np.ndarray]:
    """Two legs and a trunk as rough parts."""
    rim = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    ring = np.stack([np.cos(rim), np.sin(rim), np.zeros(20)], axis=1)
    parts = []
    for aside, low, high, wide in ((-0.1, 0.0, 0.9, 0.08), (0.1, 0.0, 0.9, 0.08), (0.0, 0.9, 1.7, 0.18)):
        parts.append(np.concatenate([ring * [wide, wide, 0] + [x + aside, y, z] for z in (low, high)]))
    return parts


def test_shadows_fall_where_the_light_goes_and_darken_the_feet() -> None:
    drawn = scene("studio", "hard", seed=2)
    camera = facing(320, 320, eye=(0.0, -5.0, 1.6), target=(0.0, 0.0, 0.8), frame=4.5)
    backdrop = Backdrop(drawn, 320, 320)
    empty = backdrop.picture(camera)
    shaded = backdrop.shadowed(empty, camera, upright(0.0, 0.0))
    assert shaded.shape == empty.shape
    share = (shaded / np.maximum(empty, 1)).mean(axis=2)
    assert share.max() <= 1 + 1e-6 and share.min() < 1 - 0.7 * drawn.shadow_strength
    key = np.array(drawn.lights[0].direction)
    fallen = np.array([0.0, 0.0, 0.5]) - 0.5 / key[2] * key
    (x, y), (mirrored, row) = projected(camera, np.array([fallen, fallen * [-1, 1, 0]]))
    assert share[int(y), int(x)] < 0.75 < share[int(row), int(mirrored)]
    x, y = projected(camera, np.array([[0.1, -0.09, 0.0]]))[0]
    assert share[int(y), int(x)] < 0.8
    assert np.array_equal(backdrop.shadowed(empty, camera, []), empty)


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_framing_holds_through_the_shot(framing: str) -> None:
    stature = 1.95
    corners = np.array([[x, y, z] for x in (-0.9, 0.9) for y in (-0.5, 0.5) for z in (0.0, 2.1)])
    for seed in range(12):
        for width, height in ((540, 960), (960, 540)):
            path = path_of(framing, seed, width, height)
            for time in np.linspace(0, 4, 9):
                camera = path.camera(float(time))
                seen = projected(camera, corners)
                sole, hip, crown = projected(
                    camera, stature * np.array([[0, 0, 0], [0, 0, 0.5], [0, 0, 1.0]])
                )[:, 1]
                assert 0 < crown < 0.62 * height
                if framing in ("full", "small"):
                    assert (seen > 0).all() and (seen < [width, height]).all()
                if framing == "full":
                    spread = np.ptp(seen, axis=0) / [width, height]
                    assert spread.max() > 0.6
                elif framing == "small":
                    assert 0.14 < (sole - crown) / height < 0.31
                else:
                    assert sole > height, "no feet"
                    assert hip > (0.6 if framing == "half" else 0.68) * height
                eye = eye_of(camera)
                focal = camera.K[0, 0] * 36 / max(width, height)
                assert 23.9 < focal < 85.1
                assert eye[1] < LOW[1] - 0.4 and eye[1] > -13 and abs(eye[0]) < SIDE_WALL - 0.5
                assert 0.7 < eye[2] < 2.1


def test_a_moving_camera_moves_smoothly_and_a_still_one_not_at_all() -> None:
    point = np.array([[0.0, 0.0, 1.2]])
    for seed in range(4):
        still = path_of("half", seed, 540, 960, moving=False)
        assert np.array_equal(still.camera(0.0).world_to_camera, still.camera(3.3).world_to_camera)
        assert np.array_equal(still.camera(0.0).K, still.camera(3.3).K)
        path = path_of("half", seed, 540, 960)
        places = np.array([projected(path.camera(time), point)[0] for time in np.linspace(0, 4, 101)])
        speed = np.diff(places, axis=0)
        assert np.abs(places[-1] - places[0]).max() > 1
        assert np.abs(speed).max() < 5
        assert np.abs(np.diff(speed, axis=0)).max() < 0.4
        again = path_of("half", seed, 540, 960)
        assert again == path


def drawn_prop(kind: str, hand: int | None = None) -> Prop:
    drawn = next(
        prop
        for seed in range(500)
        for prop in draw_props(np.random.default_rng(seed), 4, [Place(), Place(x=2.0)])
        if prop.kind == kind and (hand is None or prop.hand == hand)
    )
    return drawn


@pytest.mark.parametrize("kind", PROPS)
def test_a_thing_is_a_closed_solid_of_real_size(kind: str) -> None:
    for hand in (0, 1) if kind in HELD else (None,):
        points, triangles, colours, roughness = prop_mesh(drawn_prop(kind, hand))
        assert colours.shape == points.shape and colours.min() >= 0 and colours.max() <= 1
        assert 0 < roughness <= 1
        _, same = np.unique(np.round(points, 7), axis=0, return_inverse=True)
        welded = same.reshape(-1)[triangles]
        edges = Counter((int(a), int(b)) for pair in ([0, 1], [1, 2], [2, 0]) for a, b in welded[:, pair])
        assert all(edges[b, a] == count for (a, b), count in edges.items()), "an open edge"
        volume = np.einsum(
            "ti,ti->t", points[triangles[:, 0]], np.cross(points[triangles[:, 1]], points[triangles[:, 2]])
        )
        assert volume.sum() > 0, "inside out"
        longest = np.ptp(points, axis=0).max()
        assert (0.07 < longest < 1.25) if kind in HELD else (0.25 < longest < 1.75)
        if kind not in HELD:
            assert abs(points[:, 2].min()) < 1e-6, "it stands on the floor"


def test_things_are_drawn_by_seed_and_no_hand_holds_two() -> None:
    people = [Place(), Place(x=1.2, y=0.3)]
    for seed in range(30):
        props = draw_props(np.random.default_rng(seed), 6, people)
        assert props == draw_props(np.random.default_rng(seed), 6, people)
        assert len(props) == 6
        hands = [(prop.held_by, prop.hand) for prop in props if prop.held_by is not None]
        assert len(set(hands)) == len(hands) and all(person in (0, 1) for person, _ in hands)
        for prop in props:
            assert (prop.held_by is None) == (prop.hand is None) == (prop.kind not in HELD)
            if prop.held_by is None:
                away = [np.hypot(prop.place[0] - place.x, prop.place[1] - place.y) for place in people]
                assert 0.3 < min(away) < 1.3
    assert draw_props(np.random.default_rng(0), 0, people) == ()
    assert len(draw_props(np.random.default_rng(0), 2, [])) == 2


def test_a_hands_frame_sits_on_the_palm_and_goes_with_the_hand() -> None:
    person = make_person()
    turn = cv2.Rodrigues(np.array([0.3, -0.8, 0.5]))[0]
    moved = np.concatenate([turn, [[0.1], [0.2], [0.3]]], axis=1)
    for transform in (np.eye(4)[:3], moved):
        bones = np.tile(transform, (len(person.bones), 1, 1))
        for side, name in enumerate("LR"):
            frame = hand_frame(person, bones, side)
            assert np.allclose(frame[:3, :3].T @ frame[:3, :3], np.eye(3), atol=1e-9)
            assert np.linalg.det(frame[:3, :3]) > 0

            def seen(bone: str, transform: np.ndarray = transform, frame: np.ndarray = frame) -> np.ndarray:
                place = transform[:, :3] @ person.head(bone) + transform[:, 3]
                return frame[:3, :3].T @ (place - frame[:3, 3])

            wrist, knuckle, tip = (seen(f"{bone}.{name}") for bone in ("wrist", "finger3-1", "finger3-3"))
            assert wrist[0] < -0.05 and 0 < knuckle[0] < 0.06 < tip[0], "x runs along the fingers"
            assert abs(wrist[1] + 0.016) < 1e-6, "on the palm's skin"
            thumb = seen(f"finger1-3.{name}")
            assert thumb[1] > knuckle[1], "y is on the side to which the thumb comes round"
            assert (thumb[2] < 0) == (name == "L")
            held = drawn_prop("stick", side)
            assert np.array_equal(prop_transform(held, frame), frame)
            middle = prop_mesh(held)[0].mean(axis=0)
            assert (middle[2] < 0) == (name == "L"), "its longer end is on the thumb's side"


def test_a_standing_thing_is_turned_and_placed() -> None:
    prop = Prop("chair", None, None, (1.0, -2.0, 0.0), np.pi / 2, 0.9, (0.5, 0.5, 0.5))
    matrix = prop_transform(prop, None)
    assert np.allclose(matrix @ [0, -1, 0, 1], [2.0, -2.0, 0.0, 1.0])
