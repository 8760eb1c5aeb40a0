"""The face identity loss of HIA (Xu et al., 2024, section 3.1, equation 2): how far the face in the predicted
frame is from that in the reference image, as ArcFace (Deng et al., CVPR 2019) sees them.

ArcFace looks at faces that were turned, scaled and shifted so that five points (eyes, tip of the nose,
corners of the mouth) come as near as they can to fixed places in an image of 112x112 pixels. Here the points
come from the 133 keypoints, and the sampling lets gradients through to the image.

Points are (x, y) in pixels. Of keypoints pixel i reaches from i to i + 1, as everywhere in this project; of
`FacePoints` and the template its centre lies at i, as InsightFace's alignment has it.
Inside, a point is the complex number x + iy: turning and scaling is then one product; a reflection is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor, nn
from torch.nn import functional

from model.diffusion.arcface import INPUT_SIDE
from model.diffusion.losses import at_least_float32, mean_of_counted
from model.diffusion.regions import CONFIDENCE_THRESHOLD, checked_keypoints
from renderers.wholebody import FACE

TEMPLATE = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
"""Where the points of `five_points` are in ArcFace's input (InsightFace, python-package/insightface/utils/
face_align.py, arcface_dst)."""

SMALLEST_CROP = 16.0
"""Side in pixels of what becomes ArcFace's input: of a smaller face nothing is left to know it by."""

SMALLEST_FIT = 0.5
"""Share of the template's spread that the points explain once they are brought onto it. A profile, whose
points lie on one upright line, still has 0.6; a mirrored face has 0.05, and points that lie anyhow 0.25."""

# Points of iBUG's 68. The person's right eye is the left one in the image.
_LEFT_EYE_IN_IMAGE, _RIGHT_EYE_IN_IMAGE = slice(36, 42), slice(42, 48)
_NOSE_TIP, _LEFT_CORNER_IN_IMAGE, _RIGHT_CORNER_IN_IMAGE = 30, 48, 54
_USED = [*range(36, 48), _NOSE_TIP, _LEFT_CORNER_IN_IMAGE, _RIGHT_CORNER_IN_IMAGE]


@dataclass(frozen=True)
class FacePoints:
    """Five points of each face, in pixels of its image, the first of which has its centre at (0, 0), and
    whether a face can be known by them.
    """

    points: Float[Tensor, "*batch 5 2"]
    usable: Bool[Tensor, "*batch"]


def five_points(face: Float[Tensor, "*batch 68 2"]) -> Float[Tensor, "*batch 5 2"]:
    """The centres of the eyes, the tip of the nose and the corners of the mouth, the image's left before its
    right, of face points in iBUG's order."""
    eyes = [face[..., eye, :].mean(-2) for eye in (_LEFT_EYE_IN_IMAGE, _RIGHT_EYE_IN_IMAGE)]
    others = [face[..., p, :] for p in (_NOSE_TIP, _LEFT_CORNER_IN_IMAGE, _RIGHT_CORNER_IN_IMAGE)]
    return torch.stack([*eyes, *others], -2)


def face_points(
    keypoints: Float[Tensor, "*batch 133 2"],
    confidence: Float[Tensor, "*batch 133"],
    size: tuple[int, int],
    source_size: tuple[int, int],
    threshold: float = CONFIDENCE_THRESHOLD,
) -> FacePoints:
    """The points that the face in an image of `size` (height, width) is aligned by.

    keypoints are in pixels of a frame of `source_size` (height, width), confidence is in [0, 1]. A face is
    usable if each keypoint that its points are made of has at least the threshold's confidence, the five
    points lie in the image, they look like a face (`SMALLEST_FIT`), and it is large enough (`SMALLEST_CROP`).
    Points of a face that is not usable are the template's. Raises ValueError for keypoints or confidence of
    other shapes.
    """
    keypoints = checked_keypoints(keypoints, confidence)
    (height, width), (source_height, source_width) = size, source_size
    points = five_points(keypoints[..., FACE, :])
    points = points * points.new_tensor((width / source_width, height / source_height)) - 0.5
    template = points.new_tensor(TEMPLATE)
    found = (confidence[..., FACE][..., _USED] >= threshold).all(-1)
    # False for NaN too.
    inside = ((points >= -0.5) & (points <= points.new_tensor((width, height)) - 0.5)).all(-1).all(-1)
    points = points.where((found & inside)[..., None, None], template)
    placed, wanted = _centred(_complex(points)), _centred(_complex(template))
    correlation = (placed.conj() * wanted).sum(-1).abs()
    spread, template_spread = placed.abs().square().sum(-1), wanted.abs().square().sum(-1)
    # A crop's side is INPUT_SIDE * spread / correlation; products, so that nothing is divided by zero.
    fits = correlation.square() >= SMALLEST_FIT * template_spread * spread
    large = INPUT_SIDE * spread >= SMALLEST_CROP * correlation
    usable = found & inside & fits & large & (spread > 0)
    return FacePoints(points.where(usable[..., None, None], template), usable)


def similarity(
    source: Float[Tensor, "*batch points 2"], target: Float[Tensor, "*#batch points 2"]
) -> tuple[Complex[Tensor, "*batch"], Complex[Tensor, "*batch"]]:
    """The turn and shift, with which turn * source + shift is nearest to target by least squares.

    This is Umeyama's similarity without reflection (PAMI 1991), which has a closed form in two dimensions.
    The source's points must not all lie in one place.
    """
    start, goal = _complex(source), _complex(target)
    placed, wanted = _centred(start), _centred(goal)
    turn = (placed.conj() * wanted).sum(-1) / placed.abs().square().sum(-1)
    return turn, goal.mean(-1) - turn * start.mean(-1)


def aligned_faces(
    images: Float[Tensor, "faces 3 height width"], points: Float[Tensor, "faces 5 2"]
) -> Float[Tensor, "faces 3 112 112"]:
    """ArcFace's input: RGB in [-1, 1], as the images, black where it reaches beyond them.

    points are those of `FacePoints`. Gradients reach the images.
    """
    turn, shift = similarity(points, points.new_tensor(TEMPLATE))
    side = torch.arange(INPUT_SIDE, dtype=points.dtype, device=points.device)
    pixels = torch.complex(*torch.meshgrid(side, side, indexing="xy"))
    # No matrices: autocast would round their products to places pixels apart.
    places = torch.view_as_real((pixels - shift[:, None, None]) / turn[:, None, None])
    height, width = images.shape[-2:]
    grid = places * 2 / places.new_tensor((width - 1, height - 1)) - 1
    precise = at_least_float32(images)
    # Beyond the images grid_sample gives 0, which is grey here.
    black = -1
    return functional.grid_sample(precise - black, grid.to(precise.dtype), align_corners=True) + black


def identity_distance(
    reference: Float[Tensor, "*batch 512"], predicted: Float[Tensor, "*batch 512"]
) -> Float[Tensor, "*batch"]:
    """Equation 2, L_cos = 1 - cos, of two faces' embeddings: 0 for the same direction, 2 for the opposite."""
    return 1 - functional.cosine_similarity(at_least_float32(reference), at_least_float32(predicted), dim=-1)


def face_identity_loss(
    network: nn.Module,
    predicted: Float[Tensor, "batch frames 3 height width"],
    predicted_points: FacePoints,
    reference: Float[Tensor, "batch 3 reference_height reference_width"],
    reference_points: FacePoints,
) -> Float[Tensor, ""]:
    """L_cos of equation 2, as the mean over the frames that have a usable face, as their reference has too.

    network is as `load_arcface` gives it. Images are RGB in [-1, 1]. predicted_points (batch frames) are
    those of the frames that `predicted` is to become, reference_points (batch) those of the reference. Where
    no frame counts the loss is 0, and so is its gradient. Gradients reach `predicted` only.

    Raises ValueError where the network is in training or has weights that can be trained.
    """
    if network.training or any(weight.requires_grad for weight in network.parameters()):
        raise ValueError(
            "the face identity loss must not train its network: give it frozen, as load_arcface does, or by "
            "requires_grad_(False).eval()"
        )
    batch, frames = predicted.shape[:2]
    with torch.no_grad():
        wanted = network(_faces(reference, reference_points.points, network))
    faces = _faces(predicted.flatten(0, 1), predicted_points.points.flatten(0, 1), network)
    distances = identity_distance(wanted[:, None], network(faces).unflatten(0, (batch, frames)))
    return mean_of_counted(distances, predicted_points.usable & reference_points.usable[:, None])


def _faces(
    images: Float[Tensor, "faces 3 height width"], points: Float[Tensor, "faces 5 2"], network: nn.Module
) -> Float[Tensor, "faces 3 112 112"]:
    return aligned_faces(images, points).to(next(network.parameters()).dtype)


def _complex(points: Float[Tensor, "*batch points 2"]) -> Complex[Tensor, "*batch points"]:
    return torch.view_as_complex(points.contiguous())


def _centred(points: Complex[Tensor, "*batch points"]) -> Complex[Tensor, "*batch points"]:
    return points - points.mean(-1, keepdim=True)
