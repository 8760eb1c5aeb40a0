"""The labels beside a made video are the truth about it: held to markers, rays, another projection and the
body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import trimesh
from jaxtyping import Float, Int

from renderers.mannequin.camera import Camera, facing
from renderers.mannequin.drawing import Drawing, Piece
from renderers.mannequin.errors import MannequinError
from renderers.mannequin.labels import OCCLUDED, OUTSIDE, VISIBLE, Labels, Row, labels_path, read_labels
from renderers.mannequin.look import make_figure
from renderers.mannequin.plan import draw_plan
from renderers.mannequin.spec import FRONTAL, Spec
from renderers.mannequin.stage import Exposure, Moment, Shell, Stage
from renderers.mannequin.take import Take
from renderers.mannequin.video import make_video
from renderers.wholebody import FACE, LEFT_HAND, NAMES, RIGHT_HAND
from tests.factories.person_video import PersonVideo

NUMBER = {name: number for number, name in enumerate(NAMES)}
FINGERS = ("thumb", "index", "middle", "ring", "little")
SIZE = (270, 480)
CROSSING = replace(
    Spec(),
    sizes=(SIZE,),
    people=(2,),
    crossing=(True,),
    backgrounds=("studio",),
    framings=("full",),
    shots=(1,),
    props=(0,),
    exposures=(0.5,),
    moving_camera=(True,),
    fps=12.0,
    seconds=4.0,
)


@dataclass(frozen=True)
class Played:
    """A shot exposed frame by frame, and the truth about each frame."""

    exposures: list[Exposure]
    rows: list[list[Row]]


def played(spec: Spec, seed: int, frames: Sequence[float]) -> Played:
    """Some frames of a video's first shot, without the coder."""
    plan = draw_plan(spec, seed, 0)
    take = Take(plan, 0, [make_figure(look) for look in plan.looks], spec.seconds)
    random = np.random.default_rng(0)
    both = [take.expose(frame / spec.fps, plan.exposure / spec.fps, random) for frame in frames]
    return Played([exposure for exposure, _ in both], [rows for _, rows in both])


@pytest.fixture(scope="module")
def crossing() -> Played:
    """Two people who walk past each other, every frame."""
    return played(CROSSING, 5, list(range(48)))


def camera_of(row: Row) -> Camera:
    return Camera(*SIZE, row["K"], row["world_to_camera"])


def first_hit(
    shell: Shell, eye: Float[np.ndarray, "3"], directions: Float[np.ndarray, "rays 3"]
) -> Float[np.ndarray, "rays"]:
    """How many lengths of each direction it is from the eye to the surface, by Cramer's rule on every
    triangle that a ray could meet; infinite where it meets none."""
    start, second, third = (shell.points[shell.triangles[:, corner]].astype(float) for corner in range(3))
    nearest = np.full(len(directions), np.inf)
    normal = np.cross(second - start, third - start)
    for number, direction in enumerate(directions):
        slope = normal @ direction
        with np.errstate(divide="ignore", invalid="ignore"):
            length = np.einsum("ti,ti->t", normal, start - eye) / slope
            at = eye + length[:, None] * direction
            area = np.einsum("ti,ti->t", normal, normal)
            shares = [
                np.einsum("ti,ti->t", normal, np.cross(b - a, at - a)) / area
                for a, b in ((start, second), (second, third), (third, start))
            ]
        met = (length > 0) & np.logical_and.reduce([share >= 0 for share in shares])
        nearest[number] = length[met].min(initial=np.inf)
    return nearest


def rays(camera: Camera, pixels: Float[np.ndarray, "rays 2"]) -> Float[np.ndarray, "rays 3"]:
    """World directions through places in the image, one metre deep."""
    seen = np.column_stack([(pixels - camera.K[:2, 2]) / camera.K[[0, 1], [0, 1]], np.ones(len(pixels))])
    return seen @ camera.world_to_camera[:3, :3]


def eye_of(camera: Camera) -> Float[np.ndarray, "3"]:
    return -camera.world_to_camera[:3, :3].T @ camera.world_to_camera[:3, 3]


def bones() -> list[tuple[str, str]]:
    """Pairs of keypoints that a rigid bone joins."""
    pairs = []
    for side in ("left", "right"):
        pairs += [(f"{side}_{a}", f"{side}_{b}") for a, b in pairwise(("shoulder", "elbow", "wrist"))]
        pairs += [(f"{side}_knee", f"{side}_ankle")]
        for finger in FINGERS:
            chain = [f"{side}_{finger}_{joint}" for joint in range(1, 4)]
            pairs += [*pairwise(chain), (f"{side}_wrist", chain[0])]
    return [*pairs, ("left_hip", "right_hip")]


def test_every_frame_of_the_video_has_its_row(person_video: PersonVideo) -> None:
    labels = person_video.labels
    with av.open(str(person_video.path)) as container:
        frames = list(container.decode(video=0))
    assert labels.frame.tolist() == list(range(len(frames))) == list(range(50))
    assert np.abs(labels.time - [frame.time for frame in frames]).max() < 1e-6
    assert {(frame.width, frame.height) for frame in frames} == {(540, 960)}


def test_markers_drawn_at_the_points_are_seen_where_the_labels_say() -> None:
    """Each marker is a small ball, drawn by the renderer; its middle in the picture is measured."""
    (row,) = played(FRONTAL, 1, [10]).rows[0]
    camera = Camera(540, 960, row["K"], row["world_to_camera"])
    ball = trimesh.creation.icosphere(subdivisions=2)
    worst = 0.0
    drawing = Drawing([Piece(np.asarray(ball.faces), len(ball.vertices), 1)], 540, 960)
    for place, pixel in zip(row["keypoints_3d"], row["keypoints_2d"], strict=True):
        radius = 6.0 * camera.view(place)[2] / camera.K[0, 0]
        drawing.place(0, place + radius * ball.vertices, np.ones((len(ball.vertices), 3)))
        cover = drawing.colour(camera)[..., 3].astype(float)
        rows, columns = np.mgrid[: camera.height, : camera.width] + 0.5
        middle = [(cover * columns).sum() / cover.sum(), (cover * rows).sum() / cover.sum()]
        worst = max(worst, float(np.abs(middle - pixel).max()))
    assert worst < 0.1


def test_places_in_the_picture_are_the_projections_of_places_in_the_world(crossing: Played) -> None:
    for rows in crossing.rows:
        for row in rows:
            turn = cv2.Rodrigues(row["world_to_camera"][:3, :3])[0]
            shift = row["world_to_camera"][:3, 3]
            projected, _ = cv2.projectPoints(row["keypoints_3d"], turn, shift, row["K"], None)
            assert np.abs(projected[:, 0] - row["keypoints_2d"]).max() < 1e-3


def test_each_pixel_shows_whose_surface_its_ray_meets_first_and_how_deep(crossing: Played) -> None:
    random = np.random.default_rng(0)
    right, off = [], []
    for exposure, rows in zip(crossing.exposures[::12], crossing.rows[::12], strict=True):
        camera = camera_of(rows[0])
        seen = np.argwhere(cv2.dilate((exposure.owners > 0).astype(np.uint8), np.ones((9, 9), np.uint8)))
        chosen = seen[random.choice(len(seen), 40, replace=False)]
        directions = rays(camera, chosen[:, ::-1] + 0.5)
        lengths = np.stack([first_hit(shell, eye_of(camera), directions) for shell in exposure.shells])
        expected = np.where(np.isfinite(lengths.min(axis=0)), lengths.argmin(axis=0) + 1, 0)
        owners = exposure.owners[tuple(chosen.T)]
        right.append(owners == expected)
        both = (owners == expected) & (owners > 0)
        off.append(np.abs(exposure.depth[tuple(chosen.T)][both] - lengths.min(axis=0)[both]))
    # A ray that grazes an edge may meet either side of it.
    assert np.concatenate(right).mean() >= 0.98
    assert len(np.concatenate(off)) > 50 and np.quantile(np.concatenate(off), 0.95) < 0.002


def test_people_who_cross_keep_who_they_are_and_what_is_hidden_is_hidden(crossing: Played) -> None:
    """Frame by frame: nobody jumps, sides are swapped in the end, and points that a ray finds behind the
    other person are labelled so."""
    middles = np.array([[row["joints"].mean(axis=0) for row in rows] for rows in crossing.rows])
    assert np.abs(np.diff(middles, axis=0)).max() < 0.2
    across = middles[:, 0, 0] - middles[:, 1, 0]
    assert across[0] * across[-1] < 0
    hidden = []
    for exposure, rows in zip(crossing.exposures, crossing.rows, strict=True):
        for row, other in zip(rows, reversed(exposure.shells), strict=True):
            camera = camera_of(row)
            points = np.flatnonzero(row["visibility"][:23] != OUTSIDE)
            towards = row["keypoints_3d"][points] - eye_of(camera)
            in_front = first_hit(other, eye_of(camera), towards) < 0.98
            hidden.append(row["visibility"][points][in_front] == OCCLUDED)
    assert len(np.concatenate(hidden)) > 20, "they never hide each other"
    # A place at another's edge may be on either side of it.
    assert np.concatenate(hidden).mean() > 0.9


def test_what_is_outside_is_outside_and_what_is_seen_lies_on_the_person(crossing: Played) -> None:
    on_person = []
    for exposure, rows in zip(crossing.exposures, crossing.rows, strict=True):
        for number, row in enumerate(rows, start=1):
            points, state = row["keypoints_2d"], row["visibility"]
            inside = ((points >= 0) & (points < SIZE)).all(axis=1)
            assert ((state == OUTSIDE) == ~inside).all()
            own = cv2.dilate((exposure.owners == number).astype(np.uint8), np.ones((5, 5), np.uint8))
            column, line = points[state == VISIBLE].astype(int).T
            on_person.append(own[line, column])
    assert np.concatenate(on_person).mean() > 0.97


def test_boxes_hold_the_person(crossing: Played) -> None:
    for exposure, rows in zip(crossing.exposures, crossing.rows, strict=True):
        for number, row in enumerate(rows, start=1):
            seen = np.argwhere(exposure.owners == number)
            assert row["visible_pixels"] == len(seen)
            if len(seen):
                low, high = seen.min(axis=0)[::-1], seen.max(axis=0)[::-1] + 1
                assert row["visible_box"].tolist() == [*low, *high]
                assert (row["box"][:2] <= low + 1).all() and (row["box"][2:] >= high - 1).all()


def test_bones_keep_their_length(person_video: PersonVideo) -> None:
    places = person_video.labels.keypoints_3d
    for start, end in bones():
        lengths = np.linalg.norm(places[:, NUMBER[start]] - places[:, NUMBER[end]], axis=1)
        assert np.ptp(lengths) < 1e-4, (start, end)
        assert lengths[0] > 0.005, (start, end)


def test_a_person_has_a_persons_proportions_and_sides(person_video: PersonVideo) -> None:
    places = person_video.labels.keypoints_3d
    assert 1.2 < places[0, NUMBER["nose"], 2] - places[0, NUMBER["left_heel"], 2] < 1.9
    for name in ("eye", "shoulder", "hip"):
        left, right = places[:, NUMBER[f"left_{name}"]], places[:, NUMBER[f"right_{name}"]]
        assert (left[:, 0] > right[:, 0]).mean() > 0.9, name
    for hand in (LEFT_HAND, RIGHT_HAND):
        assert 0.08 < np.linalg.norm(places[0, hand.start] - places[0, hand.start + 9]) < 0.125


def test_the_person_moves_and_never_jumps(person_video: PersonVideo) -> None:
    places = person_video.labels.keypoints_3d
    assert np.linalg.norm(np.diff(places, axis=0), axis=-1).max() < 0.25
    for name in ("left_wrist", "right_wrist"):
        assert np.ptp(places[:, NUMBER[name]], axis=0).max() > 0.15


def test_blur_is_how_far_the_hand_moves_while_the_shutter_is_open() -> None:
    spec = replace(FRONTAL, motions=("fast_hands",), exposures=(1.0,), sizes=((270, 480),))
    frames = [35, 53, 65]
    blur = np.array([rows[0]["hand_blur"] for rows in played(spec, 4, frames).rows])
    sharp = replace(spec, exposures=(0.0,))
    finely = [frame - 0.5 + step / 16 for frame in frames for step in range(17)]
    rows = played(sharp, 4, finely).rows
    points = np.array([row[0]["keypoints_2d"] for row in rows]).reshape(len(frames), 17, 133, 2)
    for side, hand in enumerate((LEFT_HAND, RIGHT_HAND)):
        # Sixteen short steps from half a frame before the middle to half a frame after it.
        steps = np.linalg.norm(np.diff(points[:, :, hand], axis=1), axis=-1).sum(axis=1).mean(axis=1)
        assert steps.max() > 5
        assert np.abs(blur[:, side] / np.maximum(steps, 0.5) - 1)[steps > 0.5].max() < 0.04
    still = played(replace(spec, exposures=(0.0,)), 4, frames[:1])
    assert still.rows[0][0]["hand_blur"] == [0.0, 0.0]


def test_a_blurred_picture_of_what_stands_still_is_where_the_sharp_one_is() -> None:
    """Moments are drawn a part of a pixel aside, and together none."""
    surface = make_figure(draw_plan(FRONTAL, 1, 0).looks[0])
    plan = draw_plan(replace(FRONTAL, sizes=((270, 480),)), 1, 0)
    stage = Stage([surface], (), plan.shots[0].scene, 270, 480)
    bones = np.tile(np.eye(3, 4), (len(surface[0].bones), 1, 1))
    camera = facing(270, 480, eye=(0.0, -4.0, 1.2), target=(0.0, 0.0, 1.0), frame=2.2)
    still = Moment((bones,), (np.zeros(8),), (), camera)
    for count in (4, 7, 16):
        pictures = [
            stage.expose(still, moments, np.random.default_rng(0)).picture.astype(float).mean(axis=2)
            for moments in ([still], [still] * count)
        ]
        shift, _ = cv2.phaseCorrelate(*pictures)
        assert np.abs(shift).max() < 0.1


def test_a_blurred_picture_is_the_mean_of_what_was_there() -> None:
    """Where nothing moves, blur changes nothing; where a hand moves, it does."""
    spec = replace(FRONTAL, motions=("fast_hands",), sizes=((270, 480),))
    sharp = played(replace(spec, exposures=(0.0,)), 4, [12]).exposures[0].picture.astype(int)
    blurred = played(replace(spec, exposures=(1.0,)), 4, [12])
    difference = np.abs(blurred.exposures[0].picture - sharp).max(axis=2)
    row = blurred.rows[0][0]
    hands = np.zeros(difference.shape, bool)
    reach = int(max(row["hand_blur"])) + 20
    for hand in (LEFT_HAND, RIGHT_HAND):
        x, y = row["keypoints_2d"][hand].mean(axis=0).astype(int)
        hands[max(y - reach, 0) : y + reach, max(x - reach, 0) : x + reach] = True
    assert difference[hands].max() > 40
    assert np.quantile(difference[~hands], 0.95) < 12


def test_labels_have_a_column_for_every_field(person_video: PersonVideo) -> None:
    count = len(person_video.labels.frame)
    for field in fields(Labels):
        if field.name != "facts":
            assert len(getattr(person_video.labels, field.name)) == count


def test_labels_of_another_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.labels.parquet"
    path.write_bytes(b"not Parquet")
    with pytest.raises(MannequinError, match=r"some\.labels\.parquet"):
        read_labels(path)


def test_cuts_change_the_shot_and_keep_the_people(tmp_path: Path) -> None:
    spec = replace(Spec(), sizes=((96, 160),), people=(2,), shots=(2,), fps=10.0, seconds=0.6, props=(0,))
    labels: Labels = read_labels(labels_path(make_video(tmp_path, spec, 1, 0)))
    assert labels.shot[::2].tolist() == [0, 0, 0, 1, 1, 1]
    assert labels.person.tolist() == [0, 1] * 6
    for person in (0, 1):
        rows = labels.phenotypes[labels.person == person]
        assert (rows == rows[0]).all()
    jump = np.abs(np.diff(labels.world_to_camera[::2], axis=0)).max(axis=(1, 2))
    assert jump[2] > 0.01 and (np.delete(jump, 2) < 0.1 * jump[2]).all()


def test_facts_say_how_the_video_was_made(person_video: PersonVideo) -> None:
    facts = person_video.labels.facts
    assert facts["exposure"] == 0.0 and facts["seed"] == 3
    assert facts["shots"][0]["scene"]["lighting"] == "bright"
    assert facts["shots"][0]["roles"][0]["motion"] == "signing"


def test_the_face_is_seen_from_the_front(person_video: PersonVideo) -> None:
    visibility: Int[np.ndarray, "rows 133"] = person_video.labels.visibility
    assert (visibility[:, : FACE.start] == VISIBLE).mean() > 0.9
    assert (visibility[:, FACE] == VISIBLE).mean() > 0.85
    assert (visibility == OUTSIDE).mean() < 0.02
