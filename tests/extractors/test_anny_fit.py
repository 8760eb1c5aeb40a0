"""A body is fitted to what is seen of a made person: where the joints are is known, so is what is missing.

The bounds of errors are those measured on the made people here, rounded up. Without errors in what is seen,
what is left of them is mostly the body's size, which the picture and directions do not say.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pytest
import torch
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from extractors.anny_fit.camera import FOCAL_PRIOR, WORLD_TO_CAMERA
from extractors.anny_fit.fit import FittedBody, SeenPerson, fit_body
from renderers.body_models.anny import AnnyBody
from renderers.body_models.interface import BodyParameters
from renderers.mannequin.person import FACIAL_ACTIONS, Shape
from renderers.mannequin.pose import Arm, Face
from renderers.mannequin.signs import FIST, FLAT, POINT
from renderers.wholebody import BODY, LEFT_HAND, RIGHT_HAND
from tests.factories.seen_people import (
    HANDS,
    MAN,
    STOUT,
    WOMAN,
    Acted,
    acted,
    as_seen,
    in_a_mirror,
    level_camera,
    motion_poses,
)

FRAMES = 24
LEFT, RIGHT = 0, 1
TRUNK, HEAD, LEFT_ARM, RIGHT_ARM, LEFT_LEG, RIGHT_LEG, LEFT_HAND_PART, RIGHT_HAND_PART = range(8)
PARTS = {
    TRUNK: (5, 6, 11, 12),
    HEAD: (0, 1, 2, 3, 4),
    LEFT_ARM: (5, 7, 9),
    RIGHT_ARM: (6, 8, 10),
    LEFT_LEG: (11, 13, 15),
    RIGHT_LEG: (12, 14, 16),
}
JAW = tuple(FACIAL_ACTIONS).index("jaw_open")
NAMES_OF_PARAMETERS = ("pose", "shape", "expression", "translation")


@dataclass(frozen=True)
class Case:
    """Somebody, what is seen of them, and what is fitted to it."""

    person: Acted
    seen: SeenPerson
    fitted: FittedBody


def case(shape: Shape, kind: str, *, seed: int = 1, heading: float = 0.0) -> Case:
    person = acted(shape, motion_poses(kind, shape, FRAMES, seed=seed, heading=heading), level_camera())
    seen = as_seen(person)
    return Case(person, seen, fit_body(seen))


@pytest.fixture(scope="module")
def signing() -> Case:
    """A man who signs, seen from the front without any error."""
    return case(MAN, "signing")


@pytest.fixture(scope="module")
def dancing() -> Case:
    return case(WOMAN, "dance")


@pytest.fixture(scope="module")
def turned_away() -> Case:
    """Somebody who is seen from behind."""
    return case(STOUT, "gestures", heading=np.pi)


_HELD = ((FIST, POINT, 0.0), (FLAT, FIST, 1.0), (POINT, FLAT, 0.5))
"""Left and right hand and how far the jaw is open, each for ten frames."""
_MIDDLES = (5, 15, 25)


@pytest.fixture(scope="module")
def holding() -> Case:
    """A woman who holds her hands up, and changes their shapes and her jaw."""
    pose = motion_poses("gestures", WOMAN, 1, seed=4)[0]
    raised = [
        Arm((x, -0.3, -1.0), (x / 2, -1.0, 0.5), (0.0, -0.3, 1.0), (0.0, -1.0, 0.2)) for x in (0.2, -0.2)
    ]
    poses = [
        replace(pose, arms=(raised[0], raised[1]), hands=(left, right), face=Face(jaw_open=jaw))
        for left, right, jaw in _HELD
        for _ in range(10)
    ]
    person = acted(WOMAN, poses, level_camera())
    seen = as_seen(person)
    return Case(person, seen, fit_body(seen))


NOBODY, NO_LANDMARKS, NOTHING_SURE = 4, 9, 21
NO_LEFT_HAND, RIGHT_HAND_ELSEWHERE = slice(12, 15), slice(17, 20)


@pytest.fixture(scope="module")
def damaged(signing: Case) -> Case:
    """The man who signs, with much of what is seen of him missing or wrong."""
    arrays = {
        name: getattr(signing.seen, name).copy()
        for name in (
            "keypoints",
            "confidence",
            "body_valid",
            "hand_valid",
            "body_landmarks",
            "hand_landmarks",
        )
    }
    arrays["body_valid"][NOBODY] = arrays["hand_valid"][NOBODY] = False
    arrays["body_landmarks"][NOBODY] = arrays["hand_landmarks"][NOBODY] = np.nan
    arrays["keypoints"][NOBODY] = arrays["confidence"][NOBODY] = 0
    arrays["body_landmarks"][NO_LANDMARKS] = np.nan
    arrays["hand_valid"][NO_LEFT_HAND, LEFT] = False
    arrays["hand_landmarks"][NO_LEFT_HAND, LEFT] = np.nan
    arrays["keypoints"][NO_LEFT_HAND, LEFT_HAND] = arrays["confidence"][NO_LEFT_HAND, LEFT_HAND] = 0
    arrays["keypoints"][RIGHT_HAND_ELSEWHERE, RIGHT_HAND] += np.array([150, -120], np.float32)
    arrays["confidence"][:, [13, 15]] = 0.1
    arrays["confidence"][NOTHING_SURE] = 0.1
    seen = replace(signing.seen, **arrays)
    return Case(signing.person, seen, fit_body(seen))


@pytest.fixture(scope="module")
def cut_off() -> Case:
    """The man who signs, seen so near that his legs are below the picture; what is outside is guessed
    right and said to be sure."""
    poses = motion_poses("signing", MAN, FRAMES, seed=1)
    person = acted(MAN, poses, level_camera(frame=1.0, up=1.25))
    seen = as_seen(person)
    return Case(person, seen, fit_body(seen))


@pytest.fixture(scope="module")
def noisy(signing: Case) -> Case:
    """The man who signs, with errors of 3 pixels and 2 cm."""
    seen = as_seen(signing.person, pixels=3.0, metres=0.02, seed=5)
    return Case(signing.person, seen, fit_body(seen))


def rows(parameters: BodyParameters, frames: Bool[np.ndarray, "frames"]) -> BodyParameters:
    return BodyParameters(**{name: getattr(parameters, name)[frames] for name in NAMES_OF_PARAMETERS})


def placed(fitted: FittedBody) -> Float[np.ndarray, "frames 133 3"]:
    """Where the fitted body's keypoints are, in camera axes; NaN where it is not valid."""
    points = np.full((len(fitted.valid), 133, 3), np.nan)
    turn, shift = fitted.world_to_camera[0, :3, :3], fitted.world_to_camera[0, :3, 3]
    points[fitted.valid] = anny_body().keypoints(rows(fitted.parameters, fitted.valid)) @ turn.T + shift
    return points


@functools.cache
def anny_body() -> AnnyBody:
    return AnnyBody()


def pictured(fitted: FittedBody) -> Float[np.ndarray, "frames 133 2"]:
    """Where the fitted body's keypoints are seen, in pixels."""
    image = np.einsum("fij,fpj->fpi", fitted.K, placed(fitted))
    return image[..., :2] / image[..., 2:]


def from_hips(points: Float[np.ndarray, "frames 133 3"]) -> Float[np.ndarray, "frames 133 3"]:
    return points - points[:, [11, 12]].mean(1, keepdims=True)


def body_errors(case: Case) -> Float[np.ndarray, "frames"]:
    """How far the 17 body points are from the true ones, hips on hips: each frame's mean, in metres."""
    apart = from_hips(placed(case.fitted)) - from_hips(case.person.keypoints)
    return cast(np.ndarray, np.linalg.norm(apart[:, BODY], axis=-1).mean(1))


def sizeless_error(case: Case) -> float:
    """The same over all frames, of the fitted body made as large as the true one."""
    ours, true = from_hips(placed(case.fitted))[:, BODY], from_hips(case.person.keypoints)[:, BODY]
    return float(np.linalg.norm(ours * ((ours * true).sum() / (ours * ours).sum()) - true, axis=-1).mean())


def hand_error(case: Case) -> float:
    """How far the hands' points are from the true ones, wrist on wrist: the mean, in metres."""
    ours, true = placed(case.fitted), case.person.keypoints
    apart = [
        (ours[:, hand] - ours[:, hand.start, None]) - (true[:, hand] - true[:, hand.start, None])
        for hand in HANDS
    ]
    return float(np.linalg.norm(apart, axis=-1).mean())


def picture_error(case: Case, points: slice) -> float:
    """How far points are seen from where they are, in heights of the person: the mean."""
    heights = np.ptp(case.person.pixels[..., 1], axis=1)
    off = np.linalg.norm(pictured(case.fitted) - case.person.pixels, axis=-1)
    return float((off[:, points] / heights[:, None]).mean())


def bends(points: Float[np.ndarray, "frames 133 3"], hand: slice) -> Float[np.ndarray, "frames 5 3"]:
    """The angle in degrees by which each finger bends at each of its joints, from the palm."""
    fingers = [points[:, hand][:, [0, *range(first, first + 4)]] for first in range(1, 21, 4)]
    along = np.diff(np.stack(fingers, axis=1), axis=2)
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    return np.degrees(np.arccos(np.clip((along[:, :, 1:] * along[:, :, :-1]).sum(-1), -1, 1)))


@pytest.mark.parametrize(
    ("name", "body", "sizeless", "hands"),
    [
        ("signing", 0.060, 0.022, 0.014),
        ("dancing", 0.035, 0.014, 0.011),
        ("turned_away", 0.025, 0.018, 0.005),
        ("holding", 0.040, 0.012, 0.012),
    ],
)
def test_joints_are_where_they_are_when_what_is_seen_is_right(
    name: str, body: float, sizeless: float, hands: float, request: pytest.FixtureRequest
) -> None:
    case: Case = request.getfixturevalue(name)
    assert case.fitted.valid.all() and case.fitted.hand_valid.all() and case.fitted.part_valid.all()
    assert body_errors(case).mean() < body
    assert sizeless_error(case) < sizeless
    assert hand_error(case) < hands
    for points in (BODY, LEFT_HAND, RIGHT_HAND):
        assert picture_error(case, points) < 0.01


@pytest.mark.parametrize("name", ["signing", "dancing", "turned_away"])
def test_the_body_faces_where_the_person_does_and_left_is_left(
    name: str, request: pytest.FixtureRequest
) -> None:
    case: Case = request.getfixturevalue(name)
    ours = Rotation.from_rotvec(case.fitted.parameters.pose[:, 0].astype(float))
    true = Rotation.from_matrix(case.person.bones[:, 0, :, :3])
    assert np.degrees((ours * true.inv()).magnitude()).max() < 8
    points = placed(case.fitted)
    for left, right in (
        (5, 6),
        (9, 10),
        (11, 12),
        (13, 14),
        (17, 20),
        (LEFT_HAND.start + 8, RIGHT_HAND.start + 8),
    ):
        across = [where[:, left] - where[:, right] for where in (points, case.person.keypoints)]
        cosine = (across[0] * across[1]).sum(-1) / np.prod(np.linalg.norm(across, axis=-1), axis=0)
        assert cosine.min() > 0.95, (left, right)


def test_a_clip_has_one_shape_and_one_camera(signing: Case) -> None:
    fitted = signing.fitted
    assert (fitted.parameters.shape == fitted.parameters.shape[0]).all()
    assert (np.ptp(fitted.K, axis=0) == 0).all()
    assert (fitted.world_to_camera == fitted.world_to_camera[0]).all()
    width, height = signing.seen.size
    focal = fitted.K[0, 0, 0]
    assert fitted.K[0].tolist() == [[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]
    assert (fitted.world_to_camera[0, :3, :3] == WORLD_TO_CAMERA).all()
    assert (fitted.world_to_camera[0, :3, 3] == 0).all()


def test_parameters_are_what_the_body_model_takes(signing: Case) -> None:
    parameters = signing.fitted.parameters
    body = anny_body()
    lengths = {
        "pose": (len(body.joint_names), 3),
        "shape": (body.shape_count,),
        "expression": (body.expression_count,),
        "translation": (3,),
    }
    for name, length in lengths.items():
        values = getattr(parameters, name)
        assert values.dtype == np.float32 and values.shape == (FRAMES, *length), name
        assert np.isfinite(values).all(), name
    for phenotypes in (parameters.shape, parameters.expression):
        assert (phenotypes >= 0).all() and (phenotypes <= 1).all()


@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_a_fist_a_flat_and_a_pointing_hand_are_told_apart(holding: Case, side: int) -> None:
    middle_joints = bends(placed(holding.fitted), HANDS[side])[:, 1:, 1]
    for frame, held in zip(_MIDDLES, _HELD, strict=True):
        closed = {id(FIST): [1, 1, 1, 1], id(FLAT): [0, 0, 0, 0], id(POINT): [0, 1, 1, 1]}[id(held[side])]
        assert ((middle_joints[frame] > 80) == closed).all()
        assert ((middle_joints[frame] < 15) != closed).all()


@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_fingers_are_curled_as_far_as_they_are(holding: Case, side: int) -> None:
    ours, true = (
        bends(points, HANDS[side])[list(_MIDDLES)]
        for points in (placed(holding.fitted), holding.person.keypoints)
    )
    assert np.abs(ours - true)[:, 1:].max() < 8
    assert np.abs(ours - true)[:, 0].max() < 5, "the thumb"


def test_the_jaw_is_open_as_far_as_it_is(holding: Case) -> None:
    opened = holding.fitted.parameters.expression[:, JAW].reshape(3, 10)
    assert np.abs(opened - [[jaw] for *_, jaw in _HELD]).max() < 0.15
    assert opened[0].max() < 0.05, "shut"
    assert (np.delete(holding.fitted.parameters.expression, JAW, axis=1) == 0).all()


def test_a_frame_without_anybody_has_no_body_and_its_neighbours_have(damaged: Case) -> None:
    fitted = damaged.fitted
    missing = [NOBODY, NO_LANDMARKS, NOTHING_SURE]
    assert np.flatnonzero(~fitted.valid).tolist() == missing
    assert not fitted.part_valid[missing].any() and not fitted.hand_valid[missing].any()
    for name in NAMES_OF_PARAMETERS:
        values = getattr(fitted.parameters, name).reshape(FRAMES, -1)
        assert (np.isnan(values).all(1) == ~fitted.valid).all(), name
        assert (np.isnan(values).any(1) == ~fitted.valid).all(), name
    assert np.isfinite(fitted.K).all() and np.isfinite(fitted.world_to_camera).all()
    beside = [frame + step for frame in missing for step in (-1, 1)]
    assert body_errors(damaged)[beside].max() < 0.07


def test_a_hand_that_was_not_found_or_is_elsewhere_is_not_valid(damaged: Case) -> None:
    hands, parts = damaged.fitted.hand_valid, damaged.fitted.part_valid
    assert (parts[:, [LEFT_HAND_PART, RIGHT_HAND_PART]] == hands).all()
    assert not hands[NO_LEFT_HAND, LEFT].any() and hands[NO_LEFT_HAND, RIGHT].all()
    assert not hands[RIGHT_HAND_ELSEWHERE, RIGHT].any() and hands[RIGHT_HAND_ELSEWHERE, LEFT].all()
    # The clip's smoothness takes a frame or two before and after along.
    apart = [*range(4), *range(5, 9), 10, 11, 12, 13, 14, 22, 23]
    assert hands[apart, RIGHT].all()
    assert hands[[*range(4), *range(5, 9), 10, 11, 15, 16, 17, 18, 19, 20, 22, 23], LEFT].all()


def test_a_part_that_was_hardly_found_is_not_valid(damaged: Case) -> None:
    parts, valid = damaged.fitted.part_valid, damaged.fitted.valid
    assert not parts[:, LEFT_LEG].any()
    for part in (TRUNK, HEAD, LEFT_ARM, RIGHT_ARM, RIGHT_LEG):
        assert (parts[:, part] == valid).all()


def test_a_person_partly_outside_the_picture_is_fitted_and_what_is_outside_is_not_valid(
    cut_off: Case,
) -> None:
    assert cut_off.fitted.valid.all()
    inside = ((cut_off.person.pixels >= 0) & (cut_off.person.pixels <= cut_off.seen.size)).all(-1)
    for part, points in PARTS.items():
        assert (cut_off.fitted.part_valid[:, part] == (inside[:, points].mean(1) > 0.5)).all(), part
    assert not cut_off.fitted.part_valid[:, [LEFT_LEG, RIGHT_LEG]].any()
    assert cut_off.fitted.part_valid[:, [TRUNK, HEAD, RIGHT_ARM]].all()
    assert picture_error(cut_off, BODY) < 0.01
    assert sizeless_error(cut_off) < 0.03


def test_the_fit_moves_more_smoothly_than_what_it_is_fitted_to(noisy: Case) -> None:
    joints = slice(5, 17)

    def jerkiness(values: np.ndarray, true: np.ndarray) -> float:
        """How far second differences over time are from the true ones."""
        return float(np.linalg.norm(np.diff(values - true, 2, axis=0), axis=-1).mean())

    true = noisy.person
    in_picture = jerkiness(pictured(noisy.fitted)[:, joints], true.pixels[:, joints])
    assert in_picture < 0.3 * jerkiness(noisy.seen.keypoints[:, joints], true.pixels[:, joints])
    clean = as_seen(true).body_landmarks
    in_space = jerkiness(from_hips(placed(noisy.fitted))[:, joints], from_hips(true.keypoints)[:, joints])
    assert in_space < 0.2 * jerkiness(noisy.seen.body_landmarks[:, 11:29], clean[:, 11:29])
    assert body_errors(noisy).mean() < 0.07
    assert noisy.fitted.valid.all() and noisy.fitted.hand_valid.all()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_clips_of_a_few_frames_are_fitted(signing: Case, count: int) -> None:
    few = signing.seen.at(np.arange(count))
    person = replace(signing.person, keypoints=signing.person.keypoints[:count])
    short = Case(person, few, fit_body(few))
    assert short.fitted.valid.all() and short.fitted.hand_valid.all()
    assert short.fitted.K.shape == (count, 3, 3)
    assert body_errors(short).mean() < 0.06
    assert picture_error(short, BODY) < 0.01


@pytest.mark.parametrize("frames", [0, 5])
def test_where_nobody_was_found_there_is_a_camera_and_no_body(signing: Case, frames: int) -> None:
    some = signing.seen.at(np.arange(frames))
    nobody = replace(
        some, body_valid=np.zeros(frames, bool), body_landmarks=np.full_like(some.body_landmarks, np.nan)
    )
    fitted = fit_body(nobody)
    assert not fitted.valid.any() and not fitted.part_valid.any() and not fitted.hand_valid.any()
    for name in NAMES_OF_PARAMETERS:
        values = getattr(fitted.parameters, name)
        assert values.shape == (frames, *getattr(signing.fitted.parameters, name).shape[1:])
        assert values.dtype == np.float32 and np.isnan(values).all()
    assert fitted.K.shape == (frames, 3, 3) and fitted.world_to_camera.shape == (frames, 4, 4)
    assert (fitted.K[:, 0, 0] == FOCAL_PRIOR * max(some.size)).all()


@pytest.fixture
def as_many_threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
def test_the_same_clip_gives_the_same_bytes_with_any_number_of_threads(
    signing: Case, as_many_threads_as_before: None
) -> None:
    # To and fro: of fewer frames than about fifty, torch gives no thread but one anything to do.
    longer = signing.seen.at(np.resize(np.r_[:FRAMES, FRAMES - 2 : 0 : -1], 64))
    fits = []
    for threads in (1, 3, 3):
        torch.set_num_threads(threads)
        fits.append(fit_body(longer))
        assert torch.get_num_threads() == threads, "they are given back"
    for again in fits[1:]:
        for name in NAMES_OF_PARAMETERS:
            first, second = (getattr(fitted.parameters, name) for fitted in (fits[0], again))
            assert first.tobytes() == second.tobytes(), name
        for name in ("valid", "part_valid", "hand_valid", "K", "world_to_camera"):
            assert getattr(again, name).tobytes() == getattr(fits[0], name).tobytes(), name


def largest_turn(first: BodyParameters, second: BodyParameters) -> float:
    """By how many degrees a joint of one is turned differently from the other's, at most."""
    one, other = (Rotation.from_rotvec(each.pose.reshape(-1, 3).astype(float)) for each in (first, second))
    return float(np.degrees((one * other.inv()).magnitude()).max())


def assert_same_body(ours: BodyParameters, expected: BodyParameters) -> None:
    """The same but for what rounding leads to: the refinement stops before it comes to rest, so that a
    rounding the other way at its beginning is not quite forgotten."""
    assert largest_turn(ours, expected) < 2
    for name in ("shape", "expression", "translation"):
        assert np.abs(getattr(ours, name) - getattr(expected, name)).max() < 4e-3, name
    points, expected_points = (anny_body().keypoints(each) for each in (ours, expected))
    assert np.abs(points - expected_points).max() < 4e-3


def test_a_picture_of_twice_the_size_gives_the_same_body_under_twice_the_lens(signing: Case) -> None:
    width, height = signing.seen.size
    double = fit_body(
        replace(signing.seen, keypoints=2 * signing.seen.keypoints, size=(2 * width, 2 * height))
    )
    assert double.K[0] == pytest.approx(np.diag([2, 2, 1]) @ signing.fitted.K[0], rel=1e-3)
    assert_same_body(double.parameters, signing.fitted.parameters)
    assert (double.part_valid == signing.fitted.part_valid).all()


def test_a_mirrored_picture_gives_the_mirrored_body(signing: Case) -> None:
    fitted = fit_body(in_a_mirror(signing.seen))
    assert_same_body(fitted.parameters, anny_body().mirrored(signing.fitted.parameters))
    assert (fitted.part_valid == signing.fitted.part_valid[:, [0, 1, 3, 2, 5, 4, 7, 6]]).all()


def test_numbers_that_are_none_or_span_no_body_cost_their_frame_and_no_other() -> None:
    seen = as_seen(acted(MAN, motion_poses("signing", MAN, 8, seed=1), level_camera()))
    keypoints, confidence = seen.keypoints.copy(), seen.confidence.copy()
    body, hands = seen.body_landmarks.copy(), seen.hand_landmarks.copy()
    keypoints[1, [18, 21]] = np.nan
    confidence[3, 5] = np.nan
    body[5] = 0.0
    hands[6] = 0.0
    fitted = fit_body(
        replace(seen, keypoints=keypoints, confidence=confidence, body_landmarks=body, hand_landmarks=hands)
    )
    # Landmarks without extent leave the picture, and the frames beside it.
    assert fitted.valid.tolist() == [True, True, True, False, True, True, True, True]
    assert not fitted.hand_valid[6].any() and fitted.hand_valid[7].all()


def test_a_body_that_fits_nowhere_is_not_valid() -> None:
    seen = as_seen(acted(MAN, motion_poses("signing", MAN, 3, seed=1), level_camera()))
    elsewhere = np.random.default_rng(0).uniform(0, seen.size[0], seen.keypoints.shape).astype(np.float32)
    for other in (
        replace(seen, keypoints=elsewhere),
        replace(seen, confidence=0 * seen.confidence),
        replace(seen, body_landmarks=0 * seen.body_landmarks),
    ):
        fitted = fit_body(other)
        assert not fitted.valid.any() and not fitted.part_valid.any() and not fitted.hand_valid.any()
        assert np.isnan(fitted.parameters.pose).all()


def test_the_caller_hears_of_every_step() -> None:
    calls: list[None] = []
    seen = as_seen(acted(MAN, motion_poses("signing", MAN, 3, seed=1), level_camera()))
    fit_body(seen, lambda: calls.append(None))
    assert len(calls) > 50
