"""Where a person stands before the camera, and how long its lens is.

The camera's axes are the world's, turned so that z points away from it (`WORLD_TO_CAMERA`); its principal
point is the middle of the picture. With the pose known, a place is linear in what is seen: for each point,
`focal * x = (u - cx) * z` and the same for y.

Dimension names: frames F, points P.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

WORLD_TO_CAMERA = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""World: x to the right of the picture, y away from the camera, z up. Camera: x right, y down, z ahead."""

FOCAL_PRIOR, FOCAL_SPREAD = 1.2, 0.3
"""Focal length in long sides of the picture: a phone's or a camera's normal lens, and the standard deviation
of its logarithm. A person of some metres' depth says little of it."""

_CANDIDATES = FOCAL_PRIOR * np.exp(np.linspace(-0.7, 0.7, 15))


def place(
    points: Float[np.ndarray, "frames points 3"],
    pixels: Float[np.ndarray, "frames points 2"],
    weights: Float[np.ndarray, "frames points"],
    focal: float,
) -> Float[np.ndarray, "frames 3"]:
    """How far, in camera axes, points in camera axes are to be moved to be seen at pixels (from the principal
    point): weighted least squares, linear."""
    rows = np.zeros((*pixels.shape, 3))
    rows[..., 0, 0] = rows[..., 1, 1] = focal
    rows[..., 2] = -pixels
    known = np.einsum("fpki,fpi->fpk", rows, points)
    normal = np.einsum("fp,fpki,fpkj->fij", weights, rows, rows)
    right = -np.einsum("fp,fpki,fpk->fi", weights, rows, known)
    normal += 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(3)
    return np.linalg.solve(normal, right[..., None])[..., 0]


def find_focal(
    points: Float[np.ndarray, "frames points 3"],
    pixels: Float[np.ndarray, "frames points 2"],
    weights: Float[np.ndarray, "frames points"],
    long_side: float,
    sigma: float,
) -> float:
    """The focal length in pixels, one for all frames, that explains the points best; the prior holds it.

    sigma is the error of a pixel that counts as one standard deviation.
    """
    costs = []
    for share in _CANDIDATES:
        focal = share * long_side
        moved = points + place(points, pixels, weights, focal)[:, None]
        seen = focal * moved[..., :2] / np.maximum(moved[..., 2:], 0.1)
        error = np.linalg.norm(seen - pixels, axis=-1) / sigma
        robust = (weights * error**2 / (1 + error**2)).sum() / weights.sum()
        prior = 0.5 * (np.log(share / FOCAL_PRIOR) / FOCAL_SPREAD) ** 2
        costs.append(robust * _POINTS_WORTH + prior)
    return float(_CANDIDATES[int(np.argmin(costs))] * long_side)


_POINTS_WORTH = 30.0
"""How many independent looks at the lens a clip is taken for: its frames share most of their errors."""
