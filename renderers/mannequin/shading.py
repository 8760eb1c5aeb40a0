"""The light on a person, point by point: what each point of a surface sends back, and the shadows that
bodies throw on themselves and on each other.

Bodies are dense meshes, so light at their points is enough, and it costs a tenth of light at every pixel.
The diffuse part is Lambert's, softened at its edge as on skin and cloth; the shine is Blinn's; the rest of
the room's light comes more from above than from below.

Dimension names: points, lights.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from renderers.mannequin.drawing import LightView
from renderers.mannequin.scene import Scene

_WRAP = 0.18
"""How far light reaches round an edge: skin and cloth let some through."""
_BIAS = 0.012
"""Metres by which a surface must be behind another one in the light's view to be in its shadow."""


def shade(
    colours: Float[np.ndarray, "points 3"],
    points: Float[np.ndarray, "points 3"],
    normals: Float[np.ndarray, "points 3"],
    shine: Float[np.ndarray, "points"],
    eye: Float[np.ndarray, "3"],
    scene: Scene,
    lit: Float[np.ndarray, "points"],
) -> Float[np.ndarray, "points 3"]:
    """Colours as seen from `eye`, sRGB in [0, 1], of surfaces whose own colours are sRGB in [0, 1].

    `shine` is how much the surface gleams, in [0, 1]; `lit` how much of the first light, the key light,
    reaches each point.
    """
    towards_eye = eye - points
    towards_eye /= np.linalg.norm(towards_eye, axis=1, keepdims=True)
    above = 0.5 + 0.5 * normals[:, 2:]
    diffuse = np.asarray(scene.ambient) * (0.75 + 0.5 * above)
    gleam = np.zeros_like(points)
    for number, light in enumerate(scene.lights):
        towards_light = -np.asarray(light.direction)
        facing = normals @ towards_light
        strength = np.clip((facing + _WRAP) / (1 + _WRAP), 0, 1) * light.intensity / np.pi
        half = towards_eye + towards_light
        half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-9)
        glint = np.clip(np.einsum("pi,pi->p", half, normals), 0, 1) ** 24 * (facing > 0)
        if number == 0:
            strength, glint = strength * lit, glint * lit
        diffuse += strength[:, None] * np.asarray(light.colour)
        gleam += (0.10 * light.intensity * glint * shine)[:, None] * np.asarray(light.colour)
    return np.clip(colours**2.2 * diffuse + gleam, 0, 1) ** (1 / 2.2)


def key_light(view: LightView, points: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "points"]:
    """How much of a light reaches each point, in [0, 1], from what the light sees; its edge is softened."""
    column, row, depth = view.pixels(points).T
    height, width = view.depth.shape
    lit = np.zeros(len(points))
    offsets = ((0.0, 0.0), (1.7, 0.6), (-0.6, 1.7), (-1.7, -0.6), (0.6, -1.7))
    for right, down in offsets:
        x = np.clip(column + right, 0, width - 1).astype(np.intp)
        y = np.clip(row + down, 0, height - 1).astype(np.intp)
        lit += depth < view.depth[y, x] + _BIAS
    return lit / len(offsets)
