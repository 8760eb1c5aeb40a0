"""A pinhole camera: x right and y down in the image, z into the scene (OpenCV's convention)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Camera:
    """K in pixels; world_to_camera takes homogeneous world points in metres to camera points."""

    width: int
    height: int
    K: Float[np.ndarray, "3 3"]
    world_to_camera: Float[np.ndarray, "4 4"]

    def view(self, points: Float[np.ndarray, "*points 3"]) -> Float[np.ndarray, "*points 3"]:
        """World points in the camera's axes, in metres; z is the depth."""
        return points @ self.world_to_camera[:3, :3].T + self.world_to_camera[:3, 3]

    def project(self, points: Float[np.ndarray, "*points 3"]) -> Float[np.ndarray, "*points 2"]:
        """Where world points are seen, in pixels; the centre of the first pixel is (0.5, 0.5)."""
        seen = self.view(points)
        return seen[..., :2] / seen[..., 2:] * self.K[[0, 1], [0, 1]] + self.K[:2, 2]


def facing(
    width: int,
    height: int,
    *,
    eye: tuple[float, float, float],
    target: tuple[float, float, float],
    frame: float,
) -> Camera:
    """A camera at `eye` that looks at `target` with z up; `frame` is the height in metres that it sees
    there."""
    position, looked_at = np.array(eye), np.array(target)
    distance = float(np.linalg.norm(looked_at - position))
    forward = (looked_at - position) / distance
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    world_to_camera = np.eye(4)
    world_to_camera[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    world_to_camera[:3, 3] = -world_to_camera[:3, :3] @ position
    focal = height * distance / frame
    K = np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])
    return Camera(width, height, K, world_to_camera)
