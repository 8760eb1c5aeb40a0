"""The face identity loss: alignment against closed forms and OpenCV, equation 2, gradients, and faces that
cannot be known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from model.diffusion.arcface import IResNet
from model.diffusion.face_identity import (
    TEMPLATE,
    FacePoints,
    aligned_faces,
    face_identity_loss,
    face_points,
    five_points,
    identity_distance,
    similarity,
)

SIZE = (240, 200)


@pytest.fixture(scope="module")
def arcface() -> IResNet:
    torch.manual_seed(0)
    return IResNet(18).requires_grad_(False).eval()


@pytest.fixture
def network() -> nn.Module:
    """Embeddings for which a face need not be looked at for long."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.AvgPool2d(8), nn.Tanh(), nn.Flatten(), nn.Linear(3 * 14 * 14, 512))
    return network.requires_grad_(False).eval()


def template(dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.tensor(TEMPLATE, dtype=dtype)


def turned(points: Tensor, scale: float, angle: float, shift: tuple[float, float]) -> Tensor:
    """The points scaled, turned by radians from x towards y, then shifted."""
    c, s = np.cos(angle), np.sin(angle)
    return scale * points @ torch.tensor([[c, s], [-s, c]], dtype=points.dtype) + points.new_tensor(shift)


def picture(places: Tensor) -> Tensor:
    """A smooth picture in colour, in [-1, 1], at any places (x, y) of ArcFace's input."""
    x, y = places.unbind(-1)
    colours = [
        torch.sin(x / 9 + y / 13),
        torch.cos(x / 11 - y / 8 + 1),
        torch.sin(x / 15) * torch.cos(y / 10),
    ]
    return torch.stack(colours, -3)


def pixel_grid(height: int, width: int) -> Tensor:
    y, x = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in (height, width)), indexing="ij")
    return torch.stack((x, y), -1)


def a_face(five: Tensor) -> tuple[Tensor, Tensor]:
    """133 keypoints of which the face's lead to these five points, and their confidence."""
    keypoints = torch.zeros(133, 2, dtype=five.dtype)
    corners = torch.tensor([(-3, 0), (-1, -1), (1, -1), (3, 0), (1, 1), (-1, 1)], dtype=five.dtype)
    for eye, centre in zip((23 + 36, 23 + 42), five[:2], strict=True):
        keypoints[eye : eye + 6] = centre + corners
    for point, place in zip((23 + 30, 23 + 48, 23 + 54), five[2:], strict=True):
        keypoints[point] = place
    return keypoints, torch.full((133,), 0.9)


def frames_points(*faces: FacePoints) -> FacePoints:
    return FacePoints(torch.stack([f.points for f in faces]), torch.stack([f.usable for f in faces]))


def test_five_points_are_taken_from_the_68() -> None:
    face = torch.stack((torch.arange(68.0), 100 - torch.arange(68.0)), -1)
    expected = [(38.5, 61.5), (44.5, 55.5), (30, 70), (48, 52), (54, 46)]
    torch.testing.assert_close(five_points(face), torch.tensor(expected))


angles, scales = st.floats(-3.1, 3.1), st.floats(0.1, 10)
shifts = st.tuples(st.floats(-500, 500), st.floats(-500, 500))


@settings(max_examples=30, deadline=None)
@given(scale=scales, angle=angles, shift=shifts)
def test_a_known_similarity_is_recovered(scale: float, angle: float, shift: tuple[float, float]) -> None:
    source = template(torch.float64)
    turn, moved = similarity(source, turned(source, scale, angle, shift))
    np.testing.assert_allclose(complex(turn), scale * np.exp(1j * angle), rtol=0, atol=1e-11)
    np.testing.assert_allclose(complex(moved), complex(*shift), rtol=0, atol=1e-8)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_similarity_is_that_of_linear_least_squares(seed: int) -> None:
    source = 100 * np.random.default_rng(seed).random((5, 2))
    # x' = a x - b y + c and y' = b x + a y + d, as equations for a, b, c, d.
    x, y, one, none = *source.T, np.ones(5), np.zeros(5)
    rows = np.concatenate([np.stack((x, -y, one, none), -1), np.stack((y, x, none, one), -1)])
    (a, b, c, d), *_ = np.linalg.lstsq(rows, np.array(TEMPLATE).T.ravel(), rcond=None)
    turn, shift = similarity(torch.from_numpy(source), template(torch.float64))
    np.testing.assert_allclose([complex(turn), complex(shift)], [a + 1j * b, c + 1j * d], rtol=0, atol=1e-8)


@settings(max_examples=10, deadline=None)
@given(scale=st.floats(0.8, 1.5), angle=st.floats(-0.6, 0.6), shift=st.tuples(*[st.floats(-3, 3)] * 2))
def test_a_warped_picture_is_brought_back(scale: float, angle: float, shift: tuple[float, float]) -> None:
    centre = torch.tensor([55.5, 55.5], dtype=torch.float64)
    middle = (100 + shift[0], 120 + shift[1])
    points = turned(template(torch.float64) - centre, scale, angle, middle)
    places = turned(pixel_grid(*SIZE) - torch.tensor(middle), 1 / scale, -angle, (55.5, 55.5))
    aligned = aligned_faces(picture(places)[None], points[None])[0]
    inside = np.s_[:, 12:100, 12:100]
    # Bilinear: at most an eighth of the picture's second derivatives and of a pixel squared.
    torch.testing.assert_close(
        aligned[inside], picture(pixel_grid(112, 112))[inside], rtol=0, atol=0.01 / scale**2
    )


def test_a_shift_by_whole_pixels_and_a_quarter_turn_lose_nothing() -> None:
    face = picture(pixel_grid(112, 112)).float()
    shifted = torch.zeros(3, *SIZE)
    shifted[:, 40:152, 30:142] = face
    quarter = torch.rot90(face, 1, (1, 2))  # (x, y) comes to (y, 111 - x)
    points = [template() + torch.tensor([30.0, 40.0]), turned(template(), 1, -np.pi / 2, (0, 111))]
    torch.testing.assert_close(aligned_faces(shifted[None], points[0][None])[0], face, rtol=0, atol=1e-4)
    torch.testing.assert_close(aligned_faces(quarter[None], points[1][None])[0], face, rtol=0, atol=1e-4)


def test_alignment_is_that_of_opencv_and_black_beyond_the_image() -> None:
    image = picture(pixel_grid(*SIZE) * 0.5).float()
    points = turned(template(), 1.3, 0.4, (70, -20))
    aligned = aligned_faces(image[None], points[None])[0]
    matrix, _ = cv2.estimateAffinePartial2D(points.numpy(), template().numpy())
    warped = cv2.warpAffine(image.permute(1, 2, 0).numpy(), matrix, (112, 112), borderValue=(-1, -1, -1))
    # OpenCV rounds places to 1/32 of a pixel, which is most where the image ends.
    difference = np.abs(aligned.permute(1, 2, 0).numpy() - warped)
    assert difference.max() < 0.06
    assert difference.mean() < 0.002
    assert (aligned == -1).float().mean() > 0.02


def test_embeddings_do_not_tell_where_in_the_image_a_face_was(arcface: IResNet) -> None:
    face = picture(pixel_grid(112, 112)).float()
    image = -torch.ones(2, 3, *SIZE)
    image[0, :, 40:152, 30:142] = image[1, :, 7:119, 88:200] = face
    points = torch.stack([template() + torch.tensor(at) for at in ([30.0, 40.0], [88.0, 7.0])])
    expected = arcface(face[None])
    embeddings = arcface(aligned_faces(image, points))
    torch.testing.assert_close(embeddings, expected.expand(2, -1), rtol=0, atol=1e-3 * float(expected.std()))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(0.01, 100))
def test_the_distance_is_one_minus_the_cosine_of_any_length(seed: int, scale: float) -> None:
    one, other = torch.randn(2, 4, 512, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    expected = [
        1 - np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b))
        for a, b in zip(one.numpy(), other.numpy(), strict=True)
    ]
    np.testing.assert_allclose(identity_distance(scale * one, other), expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(identity_distance(one, scale * one), 0, rtol=0, atol=1e-9)
    np.testing.assert_allclose(identity_distance(one, -scale * one), 2, rtol=0, atol=1e-9)


def test_points_come_to_the_images_size() -> None:
    five = turned(template(), 1.2, 0.2, (30, 40))
    found = face_points(*a_face(five * 4), size=SIZE, source_size=(960, 800))
    assert bool(found.usable)
    torch.testing.assert_close(found.points, five - 0.5)


def test_a_frame_and_the_smaller_image_made_of_it_show_the_same_face() -> None:
    """Of keypoints a pixel's centre lies at 0.5, and four pixels a side become one whose centre is theirs."""
    frame = picture((pixel_grid(448, 448) + 0.5) / 4 - 0.5).float()[None]
    keypoints = a_face(4 * (template() + 0.5))
    image = nn.functional.avg_pool2d(frame, 4)
    found = face_points(*keypoints, size=(112, 112), source_size=(448, 448))
    small = aligned_faces(image, found.points[None])
    torch.testing.assert_close(small, image, rtol=0, atol=1e-4)
    points = face_points(*keypoints, size=(448, 448), source_size=(448, 448)).points
    large = aligned_faces(frame, points[None])
    torch.testing.assert_close(large[..., 2:-2, 2:-2], small[..., 2:-2, 2:-2], rtol=0, atol=0.01)


def test_a_face_is_in_the_image_up_to_the_outer_edge_of_its_pixels() -> None:
    five = template() + torch.tensor([30.0, 40.0])
    five[:, 0] += 200 - five[:, 0].max()
    for shift, usable in ((0.0, True), (0.01, False)):
        keypoints = a_face(five + torch.tensor([shift, 0.0]))
        assert bool(face_points(*keypoints, size=SIZE, source_size=SIZE).usable) == usable


def test_half_precision_keypoints_give_points_and_other_shapes_are_refused() -> None:
    keypoints, confidence = a_face(turned(template(), 1.2, 0.2, (30, 40)))
    found = face_points(keypoints.bfloat16(), confidence, size=SIZE, source_size=SIZE)
    expected = face_points(keypoints.bfloat16().float(), confidence, size=SIZE, source_size=SIZE)
    assert bool(found.usable) and torch.equal(found.points, expected.points)
    with pytest.raises(ValueError, match=r"\(68, 2\) and \(68,\), not \(\.\.\., 133, 2\)"):
        face_points(keypoints[23:91], confidence[23:91], size=SIZE, source_size=SIZE)


def unusable_faces() -> dict[str, tuple[Tensor, Tensor]]:
    right = turned(template(), 1, 0, (30, 40))
    faces = {
        "mirrored": a_face(right * torch.tensor([-1.0, 1.0]) + torch.tensor([190.0, 0.0])),
        "too small": a_face(turned(template(), 0.1, 0, (30, 40))),
        "outside": a_face(right + torch.tensor([100.0, 0.0])),
        "in one place": a_face(torch.full((5, 2), 50.0)),
        "on a level line": a_face(right * torch.tensor([1.0, 0.0]) + torch.tensor([0.0, 90.0])),
    }
    faces["in one place"][0][59:71] = 50.0
    for point in (23 + 36, 23 + 47, 23 + 30, 23 + 48, 23 + 54):
        unsure = a_face(right)
        unsure[1][point] = 0.29
        lost = a_face(right)
        lost[0][point, 0] = torch.nan
        faces |= {f"{point} unsure": unsure, f"{point} lost": lost}
    return faces


@pytest.mark.parametrize("name", unusable_faces())
def test_a_face_that_cannot_be_known_is_not_used(name: str) -> None:
    found = face_points(*unusable_faces()[name], size=SIZE, source_size=SIZE)
    assert not found.usable
    torch.testing.assert_close(found.points, template())


def test_a_profile_a_turned_head_and_points_that_are_not_needed_are_used() -> None:
    profile = template() * torch.tensor([0.0, 1.0]) + torch.tensor([90.0, 40.0])
    upside_down = turned(template(), 1, np.pi, (150, 180))
    keypoints, confidence = a_face(turned(template(), 1, 0, (30, 40)))
    confidence[: 23 + 30] = 0  # jaw and brows
    for face in (a_face(profile), a_face(upside_down), (keypoints, confidence)):
        assert bool(face_points(*face, size=SIZE, source_size=SIZE).usable)


def some_images(*shape: int) -> Tensor:
    return torch.rand(*shape, 3, *SIZE, generator=torch.Generator().manual_seed(3)) * 2 - 1


def usable_face() -> FacePoints:
    return face_points(*a_face(turned(template(), 1, 0.1, (50, 60))), size=SIZE, source_size=SIZE)


def test_the_loss_is_the_mean_over_frames_with_a_face(network: nn.Module) -> None:
    predicted, reference = some_images(2, 2).requires_grad_(), some_images(2).flip(0, -1)
    lost = FacePoints(template(), torch.tensor(False))
    good = usable_face()
    frames = frames_points(frames_points(good, lost), frames_points(good, good))
    references = frames_points(good, good)
    loss = face_identity_loss(network, predicted, frames, reference, references)
    wanted = network(aligned_faces(reference, references.points))
    seen = network(aligned_faces(predicted.flatten(0, 1), frames.points.flatten(0, 1)))
    with_a_face = ((0, 0), (1, 0), (1, 1))
    distances = [identity_distance(wanted[sample], seen[2 * sample + frame]) for sample, frame in with_a_face]
    torch.testing.assert_close(loss, torch.stack(distances).mean())

    (gradient,) = torch.autograd.grad(loss, predicted)
    touched = gradient.abs().amax((2, 3, 4)) > 0
    assert touched.tolist() == [[True, False], [True, True]]
    assert gradient[:, :, :, :20].count_nonzero() == 0  # far above the face

    without = face_identity_loss(network, predicted, frames, reference, frames_points(good, lost))
    torch.testing.assert_close(without, distances[0])


def test_the_same_face_has_no_loss_and_no_face_no_gradient(network: nn.Module) -> None:
    image = some_images(1).requires_grad_()
    good = frames_points(usable_face())
    lost = FacePoints(template()[None], torch.tensor([False]))
    same = face_identity_loss(network, image[:, None], frames_points(good), image, good)
    assert abs(same.item()) < 1e-6
    for frames, reference in ((frames_points(lost), good), (frames_points(good), lost)):
        loss = face_identity_loss(network, image[:, None], frames, image, reference)
        assert loss.item() == 0
        (gradient,) = torch.autograd.grad(loss, image)
        assert gradient.abs().max() == 0


def test_gradients_reach_the_face_through_arcface_and_not_its_weights(arcface: IResNet) -> None:
    predicted, reference = some_images(1, 1).requires_grad_(), some_images(1).flip(-1)
    good = frames_points(usable_face())
    face_identity_loss(arcface, predicted, frames_points(good), reference, good).backward()  # type: ignore[no-untyped-call]
    assert predicted.grad is not None
    touched = predicted.grad[0, 0].abs().amax(0) > 0
    assert touched[80:150, 70:140].float().mean() > 0.99
    assert not touched[:40].any() and not touched[200:].any()
    assert all(weight.grad is None for weight in arcface.parameters())


def test_no_gradient_reaches_the_reference(network: nn.Module) -> None:
    predicted, reference = some_images(1, 1).requires_grad_(), some_images(1).flip(-1).requires_grad_()
    good = frames_points(usable_face())
    face_identity_loss(network, predicted, frames_points(good), reference, good).backward()  # type: ignore[no-untyped-call]
    assert predicted.grad is not None and reference.grad is None


def test_images_and_network_may_be_of_different_precision(network: nn.Module) -> None:
    predicted, reference = some_images(1, 1), some_images(1).flip(-1)
    good = frames_points(usable_face())
    expected = face_identity_loss(network, predicted, frames_points(good), reference, good)
    half = predicted.bfloat16(), frames_points(good), reference.bfloat16(), good
    for looking in (network, network.bfloat16()):
        loss = face_identity_loss(looking, *half)
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, expected, rtol=0.02, atol=1e-3)


def test_autocast_does_not_move_the_face() -> None:
    image, points = some_images(1), turned(template(), 1, 0.1, (50, 60))[None]
    with torch.autocast("cpu", torch.bfloat16):
        aligned = aligned_faces(image, points)
    torch.testing.assert_close(aligned, aligned_faces(image, points))


def test_gradients_through_alignment_and_distance_are_those_of_finite_differences() -> None:
    image = torch.rand(1, 3, 6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    points = turned(template(torch.float64), 0.06, 0.2, (-0.5, -1))[None]
    look = torch.randn(3 * 112 * 112, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    reference = torch.tensor([[1.0, -2, 3, 1]], dtype=torch.float64)

    def distance(pixels: Tensor) -> Tensor:
        return identity_distance(reference, aligned_faces(pixels, points).flatten(1) @ look)

    assert torch.autograd.gradcheck(distance, image.requires_grad_())


def test_a_network_that_would_be_trained_is_refused() -> None:
    image, good = some_images(1), frames_points(usable_face())
    for network in (nn.Linear(1, 1).eval(), nn.Linear(1, 1).requires_grad_(False)):
        with pytest.raises(ValueError, match="must not train its network"):
            face_identity_loss(network, image[:, None], frames_points(good), image, good)
