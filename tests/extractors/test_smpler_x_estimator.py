"""SMPLer-X as an estimator of bodies: a body for every frame with a person, and none for the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from jaxtyping import Float

from extractors.batching import Running
from extractors.interface import RANDOM, Frame, Licences, Lineage, SeenBody
from extractors.smpler_x import VERSION
from extractors.smpler_x.crop import crop_person
from extractors.smpler_x.estimator import SmplerXEstimator
from extractors.smpler_x.network import SmplerX
from extractors.smpler_x.weights import random_smpler_x

LINEAGE = Lineage(
    extractor="smpler_x",
    version=VERSION,
    package="none",
    weights={"smpler_x": RANDOM},
    licences=Licences(code="Apache-2.0", weights="none", body_model="none"),
)
SEEN = np.array([60.0, 20, 180, 290])
UNSEEN = np.full(4, np.nan)


@pytest.fixture(scope="module")
def network() -> SmplerX:
    """The small network with random weights."""
    return random_smpler_x("small")


def frames(*boxes: Float[np.ndarray, "4"] | None) -> list[Frame]:
    """Frames of noise, no two alike."""
    random = np.random.default_rng(8)
    images = random.integers(0, 256, (len(boxes), 300, 240, 3), np.uint8)
    return [Frame(n, n / 25, image, box) for n, (image, box) in enumerate(zip(images, boxes, strict=True))]


def read(estimator: SmplerXEstimator, clip: list[Frame]) -> list[SeenBody | None]:
    reader = estimator.reader()
    for frame in clip:
        reader.add(frame)
    return reader.finish()


def seen(body: SeenBody | None) -> SeenBody:
    assert body is not None
    return body


def test_frames_without_a_person_have_no_body(network: SmplerX) -> None:
    outside = np.array([500.0, 20, 600, 290])
    clip = frames(SEEN, UNSEEN, None, outside, SEEN + 5)
    estimator = SmplerXEstimator(network, Running(batch=2), LINEAGE)
    assert [body is not None for body in read(estimator, clip)] == [True, False, False, False, True]
    assert estimator.body_model == "smplx"
    assert estimator.lineage is LINEAGE
    assert (estimator.batched.count.batches, estimator.batched.count.inputs) == (1, 2)
    assert read(estimator, []) == []


def test_a_body_is_what_the_network_gives_of_the_crop(network: SmplerX) -> None:
    (frame,) = frames(SEEN)
    crop = crop_person(frame.image, SEEN)
    assert crop is not None
    body = seen(read(SmplerXEstimator(network, Running(), LINEAGE), [frame])[0])
    with torch.inference_mode():
        outputs = network(torch.from_numpy(crop.image)[None])
    parts = {
        "root_pose": slice(0, 1),
        "body_pose": slice(1, 22),
        "jaw_pose": slice(22, 23),
        "left_hand_pose": slice(25, 40),
        "right_hand_pose": slice(40, 55),
    }
    assert body.pose.shape == (55, 3)
    for name, joints in parts.items():
        theirs = outputs[name].numpy().reshape(-1, 3)
        np.testing.assert_allclose(body.pose[joints], theirs, rtol=0, atol=1e-5, err_msg=name)
    np.testing.assert_array_equal(body.pose[23:25], 0)
    for name in ("shape", "expression", "translation"):
        np.testing.assert_allclose(getattr(body, name), outputs[name][0], rtol=0, atol=1e-5, err_msg=name)
    np.testing.assert_array_equal(body.K, crop.K)


def test_bodies_do_not_hang_on_the_batch_they_were_in(network: SmplerX) -> None:
    """Of three not either: the released code's cross product then takes the batch for the axis x, y, z."""
    clip = frames(SEEN, SEEN + 3, UNSEEN, SEEN - 7, SEEN * 0.9)
    alone, together = (
        read(SmplerXEstimator(network, Running(batch=batch), LINEAGE), clip) for batch in (1, 3)
    )
    for place in (0, 1, 3, 4):
        for name in ("pose", "shape", "expression", "translation", "K"):
            one, other = (getattr(seen(bodies[place]), name) for bodies in (alone, together))
            np.testing.assert_allclose(other, one, rtol=0, atol=1e-4, err_msg=name)
    assert alone[2] is None and together[2] is None
    assert np.abs(seen(alone[0]).pose - seen(alone[1]).pose).max() > 1e-3


def test_the_wrong_order_of_colours_is_the_body_of_the_image_in_that_order(network: SmplerX) -> None:
    (frame,) = frames(SEEN)
    swapped = replace(frame, image=frame.image[..., ::-1])
    right, wrong = (SmplerXEstimator(network, Running(), LINEAGE, compat_bgr=bgr) for bgr in (False, True))
    ours, theirs = seen(read(wrong, [frame])[0]), seen(read(right, [swapped])[0])
    np.testing.assert_array_equal(ours.pose, theirs.pose)


def test_numbers_that_are_not_finite_are_no_body() -> None:
    network = random_smpler_x("small")
    with torch.no_grad():
        network.encoder.task_tokens[0, 8] = torch.nan
    assert read(SmplerXEstimator(network, Running(), LINEAGE), frames(SEEN)) == [None]


def test_other_ways_of_running_give_nearly_the_same() -> None:
    bodies = [
        seen(read(SmplerXEstimator(random_smpler_x("small"), running, LINEAGE), frames(SEEN))[0])
        for running in (Running(), Running(channels_last=True), Running(precision="bfloat16"))
    ]
    for other, atol in zip(bodies[1:], (1e-4, 0.05), strict=True):
        for name in ("pose", "shape", "expression"):
            ours, plain = getattr(other, name), getattr(bodies[0], name)
            np.testing.assert_allclose(ours, plain, rtol=0, atol=atol, err_msg=name)
