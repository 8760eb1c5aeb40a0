"""The fixed corpus that accuracy is measured on: one thing at a time is changed around a base, so that a row
of the tables differs from the base in that thing alone.

Every kind of video is made twice, as portrait and as landscape, with the same seeds for all kinds: where only
the light differs, the person, the clothes, the place and the motion are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from renderers.mannequin.spec import Spec

SEED = 20251

_SECONDS = 2.0
_FORMATS: tuple[tuple[int, tuple[int, int], str], ...] = ((0, (540, 960), "room"), (1, (960, 540), "street"))
"""Number in the seed's sequence, size in pixels, and place."""

BASE = Spec(
    seconds=_SECONDS,
    people=(1,),
    crossing=(False,),
    motions=("gestures",),
    lightings=("bright",),
    framings=("full",),
    turns=(-15.0, 15.0),
    moving_camera=(False,),
    shots=(1,),
    props=(0,),
    exposures=(0.0,),
    noise=(0.0,),
    crf=(18,),
)
"""One person who gestures, whole in the picture, turned to the camera, in bright light, sharp."""


@dataclass(frozen=True)
class Video:
    """One video of the corpus: of a kind, drawn from a specification by a seed and a number."""

    kind: str
    spec: Spec
    seed: int
    number: int


@dataclass(frozen=True)
class Cell:
    """A row of the breakdown: all frames of some kinds of video, or those of them in which the trunk is
    turned from the camera by an angle in the range, in degrees."""

    factor: str
    value: str
    kinds: tuple[str, ...]
    turn: tuple[float, float] = (0.0, 181.0)


_TURNED = (45, 75, 135)
_KINDS: dict[str, Spec] = {
    "base": BASE,
    **{
        motion: replace(BASE, motions=(motion,))
        for motion in ("standing", "signing", "dance", "walking", "turning", "fast_hands")
    },
    **{framing: replace(BASE, framings=(framing,)) for framing in ("half", "close", "small")},
    **{
        f"open_{share}": replace(BASE, motions=("fast_hands",), exposures=(share,))
        for share in (0.25, 0.5, 1.0)
    },
    **{light: replace(BASE, lightings=(light,)) for light in ("soft", "hard", "backlit", "low")},
    **{f"turned_{angle}": replace(BASE, turns=(angle, angle)) for angle in _TURNED},
    "two": replace(BASE, people=(2,)),
    "crossing": replace(BASE, people=(2,), crossing=(True,), seconds=3.0),
}

CELLS: tuple[Cell, ...] = (
    Cell("motion", "gestures (base)", ("base",)),
    *(
        Cell("motion", motion, (motion,))
        for motion in ("standing", "signing", "dance", "walking", "turning", "fast_hands")
    ),
    Cell("framing", "full (base)", ("base",)),
    *(Cell("framing", framing, (framing,)) for framing in ("half", "close", "small")),
    Cell("blur", "0 (fast_hands)", ("fast_hands",)),
    *(Cell("blur", f"{share:g} (fast_hands)", (f"open_{share}",)) for share in (0.25, 0.5, 1.0)),
    Cell("blur", "0 to 1 (fast_hands)", ("fast_hands", "open_0.25", "open_0.5", "open_1.0")),
    Cell("light", "bright (base)", ("base",)),
    *(Cell("light", light, (light,)) for light in ("soft", "hard", "backlit", "low")),
    *(
        Cell(
            "turn",
            f"{low} to {high} degrees",
            ("base", *(f"turned_{angle}" for angle in _TURNED)),
            (low, high),
        )
        for low, high in ((0, 30), (30, 60), (60, 90), (90, 181))
    ),
    Cell("people", "1 (base)", ("base",)),
    Cell("people", "2 side by side", ("two",)),
    Cell("people", "2 crossing", ("crossing",)),
    Cell("anything", "drawn at random", ("random",)),
)

FRONTAL = Cell(
    "", "", ("base", "standing", "signing", "dance", "walking", "turning", "fast_hands"), (0.0, 30.0)
)
"""One sharp, well-lit person in full view, whenever turned to the camera."""

_RANDOM_VIDEOS = 6
_QUICK_KINDS = ("base", "open_1.0", "crossing")


def full_corpus() -> list[Video]:
    """Each kind in both formats, and some videos of anything that can be drawn."""
    random = [Video("random", Spec(seconds=3.0), SEED + 1, number) for number in range(_RANDOM_VIDEOS)]
    return [*_in_both_formats(tuple(_KINDS)), *random]


def quick_corpus() -> list[Video]:
    """A few portraits of one second, to try things out."""
    videos = [video for video in _in_both_formats(_QUICK_KINDS) if video.number == 0]
    videos.append(Video("random", Spec(sizes=((540, 960),)), SEED + 1, 0))
    return [replace(video, spec=replace(video.spec, seconds=1.2)) for video in videos]


def _in_both_formats(kinds: Sequence[str]) -> list[Video]:
    return [
        Video(kind, replace(_KINDS[kind], sizes=(size,), backgrounds=(place,)), SEED, number)
        for kind in kinds
        for number, size, place in _FORMATS
    ]
