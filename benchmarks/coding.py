"""Which lossless coding the images of stored conditions (smpl_cs, hands) are best kept in: bytes, and the
time of encoding and decoding.

The peer is PNG as OpenCV writes it by default. The images are Anny bodies in many poses and distances, drawn
by the product's renderers. Every coding must give back every level, by OpenCV and by Pillow, which is
asserted; a palette of 256 colours holds few of these images, and how many is said.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from renderers.body_models.interface import BodyParameters
from renderers.body_models.load import load_body_model
from renderers.hands import Hand, draw_hands
from renderers.lit_meshes import PosedMesh
from renderers.smpl_cs import draw_smpl_cs

SIZES = ((1364, 768), (768, 512))
"""Height and width, as of a phone's video and of a network's training."""

IMAGES, DECODES = 8, 5
PEER = "PNG, OpenCV, defaults"

RGB = UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class Coding:
    """`encode` takes an RGB image."""

    name: str
    encode: Callable[[RGB], bytes]


@dataclass(frozen=True)
class Measured:
    """Medians over images: bytes, and milliseconds of encoding, of decoding by OpenCV and by Pillow."""

    size: float
    encode: float
    opencv: float
    pillow: float


def condition_images(size: tuple[int, int]) -> dict[str, list[RGB]]:
    """One person in IMAGES poses, turned all around, from the whole body to the upper half."""
    height, width = size
    body = load_body_model("anny")
    chance = np.random.default_rng(0)
    pose = chance.normal(0, 0.12, (IMAGES, len(body.joint_names), 3))
    for number, name in enumerate(body.joint_names):
        if name.startswith(("upperarm01", "lowerarm01", "upperleg01", "lowerleg01")):
            pose[:, number] = chance.normal(0, 0.5, (IMAGES, 3))
    pose[:, 0] = [[0, 0, angle] for angle in np.linspace(-np.pi, np.pi, IMAGES, endpoint=False)]
    still = BodyParameters(
        pose=pose,
        shape=np.full((IMAGES, body.shape_count), 0.5),
        expression=np.zeros((IMAGES, body.expression_count)),
        translation=np.zeros((IMAGES, 3)),
    )
    K = np.array([[1.2 * height, 0, width / 2], [0, 1.2 * height, height / 2], [0, 0, 1]])
    smpl_cs, hands = [], []
    for frame, vertices in enumerate(body.surface(still).vertices):
        seen = in_camera(vertices, distance=3.2 - 1.8 * frame / IMAGES)
        smpl_cs.append(draw_smpl_cs([PosedMesh(seen, body.triangles, body.colours)], K, size)[0])
        both = [
            Hand(seen[patch.vertices], patch.triangles, is_right)
            for patch, is_right in zip(body.hands, (False, True), strict=True)
        ]
        hands.append(draw_hands(both, K, size)[0])
    return {"smpl_cs": smpl_cs, "hands": hands}


def in_camera(vertices: Float[np.ndarray, "vertices 3"], distance: float) -> Float[np.ndarray, "vertices 3"]:
    """A body that stands in z, seen from its front: x right, y down, z ahead; metres."""
    x, y, z = vertices.T
    return np.column_stack([x, -z, y + distance])


def opencv(suffix: str, *parameters: int) -> Callable[[RGB], bytes]:
    """OpenCV's encoder with such parameters."""

    def encode(image: RGB) -> bytes:
        written, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), parameters)
        assert written
        return bytes(data)

    return encode


def pillow(kind: str, **parameters: int | bool) -> Callable[[RGB], bytes]:
    """Pillow's encoder with such parameters."""

    def encode(image: RGB) -> bytes:
        data = io.BytesIO()
        Image.fromarray(image).save(data, kind, **parameters)
        return data.getvalue()

    return encode


def palette_png(image: RGB) -> bytes:
    """A PNG of numbers in a list of the image's colours. Raises ValueError for more than 256 of them."""
    packed = image.reshape(-1, 3) @ np.array([1 << 16, 1 << 8, 1])
    colours, numbers = np.unique(packed, return_inverse=True)
    if len(colours) > 256:
        raise ValueError(f"{len(colours)} colours")
    indexed = Image.fromarray(numbers.reshape(image.shape[:2]).astype(np.uint8), "P")
    indexed.putpalette(np.column_stack([colours >> 16, colours >> 8 & 255, colours & 255]).ravel().tolist())
    data = io.BytesIO()
    indexed.save(data, "PNG")
    return data.getvalue()


def codings() -> list[Coding]:
    """The peer first."""
    level, strategy = cv2.IMWRITE_PNG_COMPRESSION, cv2.IMWRITE_PNG_STRATEGY
    strategies = {
        "filtered": cv2.IMWRITE_PNG_STRATEGY_FILTERED,
        "Huffman only": cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY,
        "fixed": cv2.IMWRITE_PNG_STRATEGY_FIXED,
    }
    return [
        Coding(PEER, opencv(".png")),
        *(Coding(f"PNG, OpenCV, level {n}", opencv(".png", level, n)) for n in (1, 3, 6, 9)),
        *(
            Coding(f"PNG, OpenCV, level {n}, {name}", opencv(".png", level, n, strategy, number))
            for name, number in strategies.items()
            for n in (3, 6)
        ),
        *(Coding(f"PNG, Pillow, level {n}", pillow("PNG", compress_level=n)) for n in (1, 3, 6, 9)),
        Coding("WebP, OpenCV, lossless", opencv(".webp", cv2.IMWRITE_WEBP_QUALITY, 101)),
        *(
            Coding(
                f"WebP, Pillow, method {n}, effort {effort}",
                pillow("WEBP", lossless=True, method=n, quality=effort),
            )
            for n, effort in ((0, 0), (1, 0), (1, 50), (2, 0), (4, 80), (6, 80))
        ),
    ]


def by_opencv(data: bytes) -> RGB:
    """What a trainer does."""
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def by_pillow(data: bytes) -> RGB:
    """What plain webdataset does."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def milliseconds(work: Callable[[], object], times: int) -> float:
    """The fastest of some runs."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append(1e3 * (time.perf_counter() - begun))
    return min(taken)


def measured(coding: Coding, images: Sequence[RGB]) -> Measured:
    """Raises AssertionError where a level is lost."""
    rows = []
    for image in images:
        data = coding.encode(image)
        for decode in (by_opencv, by_pillow):
            assert np.array_equal(decode(data), image), f"{coding.name} is not lossless"
        rows.append(
            (
                len(data),
                milliseconds(lambda image=image: coding.encode(image), 2),  # type: ignore[misc]
                milliseconds(lambda data=data: by_opencv(data), DECODES),  # type: ignore[misc]
                milliseconds(lambda data=data: by_pillow(data), DECODES),  # type: ignore[misc]
            )
        )
    return Measured(*(statistics.median(column) for column in zip(*rows, strict=True)))


def palettes(images: Sequence[RGB]) -> str:
    """How many images a palette can hold, and how large those are."""
    sizes = []
    for image in images:
        try:
            data = palette_png(image)
        except ValueError:
            continue
        assert np.array_equal(by_pillow(data), image) and np.array_equal(by_opencv(data), image)
        sizes.append(len(data))
    counts = [len(np.unique(image.reshape(-1, 3), axis=0)) for image in images]
    held = f"{len(sizes)} of {len(images)} images fit a palette ({min(counts)} to {max(counts)} colours)"
    return held + (f", median {statistics.median(sizes):.0f} bytes" if sizes else "")


def main() -> None:
    """Print a table for each condition and size, and the ratios of the peer's figures to each coding's."""
    cv2.setNumThreads(1)
    for size in SIZES:
        for condition, images in condition_images(size).items():
            print(f"\n{condition}, {size[1]}x{size[0]}: {palettes(images)}\n")
            print("| coding | bytes | encode, ms | decode by OpenCV, ms | by Pillow, ms |")
            print("|---|---|---|---|---|")
            results = {coding.name: measured(coding, images) for coding in codings()}
            for name, row in results.items():
                print(f"| {name} | {row.size:.0f} | {row.encode:.1f} | {row.opencv:.2f} | {row.pillow:.2f} |")
            print()
            peer = results.pop(PEER)
            for name, row in results.items():
                label = f"{condition}_{size[1]}_{name.replace(', ', '_').replace(' ', '-')}"
                print(f"ratio coding_bytes_{label} {peer.size / row.size:.2f}")
                print(f"ratio coding_decode_{label} {peer.opencv / row.opencv:.2f}")


if __name__ == "__main__":
    main()
