"""Masks of face and hands: where they are, at every size, and where nothing was found."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from model.diffusion.regions import face_mask, hand_mask
from renderers.skeleton import shown_points
from renderers.wholebody import FLIP

FACE, LEFT_HAND, RIGHT_HAND = slice(23, 91), slice(91, 112), slice(112, 133)

SQUARE = (64, 64)


def spread_over(count: int, x0: float, y0: float, x1: float, y1: float) -> Tensor:
    """Points whose smallest box is this."""
    along = torch.linspace(0, 1, count)
    return torch.stack((x0 + (x1 - x0) * along, y0 + (y1 - y0) * along**2), -1)


def a_person(points: slice, *box: float) -> tuple[Tensor, Tensor]:
    """Keypoints and confidence of a frame in which only these points were found."""
    keypoints, confidence = torch.zeros(133, 2), torch.zeros(133)
    keypoints[points] = spread_over(points.stop - points.start, *box)
    confidence[points] = 0.9
    return keypoints, confidence


def box_of(mask: Tensor) -> tuple[int, int, int, int]:
    rows, columns = (mask[0].amax(axis).nonzero()[:, 0] for axis in (1, 0))
    box = int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
    assert mask.sum() == (box[2] - box[0]) * (box[3] - box[1])
    return box


def test_the_face_is_its_points_box_and_an_eighth_of_the_longer_side_around_it() -> None:
    mask = face_mask(*a_person(FACE, 40, 20, 72, 84), size=(128, 160), source_size=(128, 160))
    assert mask.shape == (1, 128, 160)
    assert box_of(mask) == (40 - 8, 20 - 8, 72 + 8, 84 + 8)


def test_points_are_scaled_from_the_stored_frame() -> None:
    mask = face_mask(*a_person(FACE, 400, 200, 720, 840), size=(128, 160), source_size=(1280, 1600))
    assert box_of(mask) == (32, 12, 80, 92)
    mask = face_mask(*a_person(FACE, 40, 40, 72, 72), size=(64, 320), source_size=(128, 160))
    assert box_of(mask) == (72, 18, 152, 38)


@pytest.mark.parametrize("hand", [LEFT_HAND, RIGHT_HAND])
def test_a_hand_alone_is_found_and_is_no_face(hand: slice) -> None:
    person = a_person(hand, 40, 20, 72, 52)
    assert box_of(hand_mask(*person, size=(128, 160), source_size=(128, 160))) == (36, 16, 76, 56)
    assert face_mask(*person, size=(128, 160), source_size=(128, 160)).count_nonzero() == 0


def test_both_hands_are_one_mask_and_count_once_where_they_overlap() -> None:
    left, left_found = a_person(LEFT_HAND, 8, 8, 40, 40)
    right, right_found = a_person(RIGHT_HAND, 24, 24, 56, 56)
    both = hand_mask(left + right, left_found + right_found, SQUARE, SQUARE)
    alone = [hand_mask(left, left_found, SQUARE, SQUARE), hand_mask(right, right_found, SQUARE, SQUARE)]
    assert both.max() == 1
    assert torch.equal(both, torch.maximum(*alone))
    assert both.sum() < alone[0].sum() + alone[1].sum()


def test_a_hand_seen_edge_on_still_has_room_on_both_sides() -> None:
    mask = hand_mask(*a_person(LEFT_HAND, 50, 10, 50, 74), size=(128, 128), source_size=(128, 128))
    assert box_of(mask) == (42, 2, 58, 82)


def test_what_was_not_found_is_empty() -> None:
    keypoints, confidence = a_person(LEFT_HAND, 8, 8, 40, 40)
    assert hand_mask(keypoints, confidence * 0, SQUARE, SQUARE).count_nonzero() == 0
    assert hand_mask(keypoints, confidence * 0.3, SQUARE, SQUARE).count_nonzero() == 0  # 0.27
    assert hand_mask(keypoints, confidence * 0.3, SQUARE, SQUARE, threshold=0.2).count_nonzero()
    confidence[LEFT_HAND][5:] = 0  # five of 21 are too few
    assert hand_mask(keypoints, confidence, SQUARE, SQUARE).count_nonzero() == 0
    beyond = a_person(LEFT_HAND, 108, 8, 140, 40)
    assert hand_mask(*beyond, SQUARE, SQUARE).count_nonzero() == 0
    one_place = a_person(LEFT_HAND, 20, 20, 20, 20)
    assert hand_mask(*one_place, SQUARE, SQUARE).count_nonzero() == 0


def test_points_that_do_not_count_do_not_widen_the_box() -> None:
    keypoints, confidence = a_person(FACE, 40, 20, 72, 84)
    size = (128, 160)
    expected = face_mask(keypoints, confidence, size, size)
    keypoints[30], confidence[30] = torch.tensor([5.0, 120.0]), 0.1
    keypoints[31], confidence[31] = torch.tensor([torch.nan, 3.0]), 0.9
    assert torch.equal(face_mask(keypoints, confidence, size, size), expected)


def test_a_batch_of_frames_is_its_frames() -> None:
    keypoints = 64 * torch.rand(2, 3, 133, 2, generator=torch.Generator().manual_seed(0))
    confidence = torch.rand(2, 3, 133, generator=torch.Generator().manual_seed(1))
    sizes = (32, 48), (64, 64)
    together = hand_mask(keypoints, confidence, *sizes)
    assert together.shape == (2, 3, 1, 32, 48)
    for sample, frame in np.ndindex(2, 3):
        alone = hand_mask(keypoints[sample, frame], confidence[sample, frame], *sizes)
        assert torch.equal(together[sample, frame], alone)


people = st.tuples(
    *(st.floats(-20, 120, width=32) for _ in range(2)), *(st.floats(0, 90, width=32) for _ in range(2))
)


@settings(max_examples=30, deadline=None)
@given(box=people, rows=st.integers(1, 5), columns=st.integers(1, 5))
def test_the_mask_at_latent_size_is_that_of_every_eight_by_eight_pixels(
    box: tuple[float, float, float, float], rows: int, columns: int
) -> None:
    x, y, width, height = box
    person = a_person(FACE, x, y, x + width, y + height)
    image = face_mask(*person, size=(8 * rows, 8 * columns), source_size=(100, 100))
    latent = face_mask(*person, size=(rows, columns), source_size=(100, 100))
    assert torch.equal(latent, functional.max_pool2d(image[None], 8)[0])


@settings(max_examples=30, deadline=None)
@given(box=people)
def test_masks_scale_with_the_image(box: tuple[float, float, float, float]) -> None:
    x, y, width, height = box
    person = a_person(RIGHT_HAND, x, y, x + width, y + height)
    shares = [
        hand_mask(*person, size=(side, side), source_size=(100, 100)).mean().item() for side in (128, 256)
    ]
    # A row or a column of pixels more or less on each side.
    assert abs(shares[0] - shares[1]) < 4 / 128


@settings(max_examples=30, deadline=None)
@given(box=people)
def test_a_mirrored_frame_has_the_mirrored_mask(box: tuple[float, float, float, float]) -> None:
    x, y, width, height = (round(number) for number in box)
    keypoints, confidence = a_person(LEFT_HAND, x, y, x + width, y + height)
    mirrored = torch.stack((64 - keypoints[:, 0], keypoints[:, 1]), -1)[FLIP.tolist()]
    expected = hand_mask(keypoints, confidence, SQUARE, SQUARE).flip(-1)
    assert torch.equal(hand_mask(mirrored, confidence[FLIP.tolist()], SQUARE, SQUARE), expected)


def test_the_mask_holds_the_points_as_the_skeleton_draws_them() -> None:
    keypoints, confidence = a_person(FACE, 205.3, 111.7, 341.9, 290.2)
    mask = face_mask(keypoints, confidence, size=(96, 64), source_size=(480, 640))
    pixels, shown = shown_points(keypoints[None].numpy(), confidence[None].numpy(), (96, 64), (480, 640), 0.3)
    x, y = pixels[0, FACE].T
    assert shown[0, FACE].all()
    assert mask[0, y, x].min() == 1


def test_arrays_of_other_points_are_refused() -> None:
    with pytest.raises(ValueError, match=r"not \(\.\.\., 133, 2\)"):
        face_mask(torch.zeros(2, 17, 2), torch.zeros(2, 17), (8, 8), (8, 8))


def test_half_precision_keypoints_lose_no_more_than_their_own_digits() -> None:
    """Places are multiples of four, which bfloat16 holds; the box around them is computed in float32."""
    keypoints, confidence = a_person(FACE, 904, 200, 968, 264)
    keypoints = (keypoints / 4).round() * 4
    sizes = (300, 1200), (300, 1200)
    mask = face_mask(keypoints.bfloat16(), confidence, *sizes)
    assert mask.dtype == torch.float32
    assert box_of(mask) == (904 - 8, 200 - 8, 968 + 8, 264 + 8)
