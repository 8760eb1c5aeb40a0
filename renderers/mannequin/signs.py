"""Shapes of the hand: letters and numbers as the American manual alphabet and its numbers have them, and the
hands of everyday."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from renderers.mannequin.pose import Hand

_CLOSED = 0.95


def _hand(
    straight: str = "",
    *,
    thumb: tuple[float, float, float] = (0.7, -0.35, 0.8),
    spread: float = 0.02,
    curls: dict[str, tuple[float, float]] | None = None,
) -> Hand:
    """A hand whose named fingers (i, m, r, l) are straight and whose others are closed.

    `thumb` is its curl, how far out and how far round it is; `curls` gives single fingers another curl of the
    base, and of the middle and end joints.
    """
    bends = {finger: (0.02, 0.02) if finger in straight else (_CLOSED, _CLOSED) for finger in "imrl"}
    bends.update(curls or {})
    curl, out, around = thumb
    (index, middle, ring, little), ends = zip(*(bends[finger] for finger in "imrl"), strict=True)
    tips = (0.0, ends[0] - index, ends[1] - middle, ends[2] - ring, ends[3] - little)
    return Hand((curl, index, middle, ring, little), spread, out, around, tips)


_OUT = (0.0, 0.38, 0.0)
"""A thumb that stands out beside the palm; then one along the palm's side, and one across the palm."""
_ALONG = (0.1, -0.3, 0.0)
_ACROSS = (0.55, -0.35, 0.75)

OPEN = Hand((0.0, 0.02, 0.02, 0.02, 0.02), spread=0.3, thumb_out=0.2)
FLAT = Hand((0.05, 0.04, 0.04, 0.04, 0.04), spread=0.03, thumb_out=-0.25)
RELAXED = Hand(
    (0.2, 0.2, 0.25, 0.3, 0.35),
    spread=0.06,
    thumb_out=-0.2,
    thumb_round=0.15,
    tips=(0.0, 0.08, 0.08, 0.06, 0.04),
)
SOFT = Hand((0.1, 0.1, 0.13, 0.16, 0.2), spread=0.15, thumb_out=0.0, tips=(0.0, 0.1, 0.1, 0.1, 0.1))
FIST = _hand()
POINT = _hand("i", thumb=(0.75, -0.35, 0.8))
THUMB_UP = _hand(thumb=(0.0, 0.42, -0.1))
CLAW = _hand(thumb=(0.35, 0.3, 0.2), spread=0.3, curls={finger: (0.15, 0.55) for finger in "imrl"})

SIGNS: dict[str, Hand] = {
    "A": _hand(thumb=(0.1, -0.3, 0.15)),
    "B": _hand("imrl", thumb=_ACROSS),
    "C": _hand(thumb=(0.25, 0.1, 0.75), curls={finger: (0.35, 0.5) for finger in "imrl"}),
    "D": _hand("i", thumb=(0.5, -0.1, 0.95), curls={finger: (0.62, 0.72) for finger in "mrl"}),
    "E": _hand(thumb=(0.8, -0.4, 0.7), curls={finger: (0.35, 1.0) for finger in "imrl"}),
    "F": _hand("mrl", thumb=(0.45, 0.05, 0.9), spread=0.21, curls={"i": (0.55, 0.62)}),
    "H": _hand("im", thumb=(0.75, -0.35, 0.85), spread=0.0),
    "I": _hand("l", thumb=(0.7, -0.35, 0.8)),
    "K": _hand("i", thumb=(0.15, -0.05, 0.6), spread=0.22, curls={"m": (0.45, 0.1)}),
    "L": _hand("i", thumb=_OUT),
    "O": _hand(thumb=(0.45, 0.0, 0.9), curls={finger: (0.55, 0.66) for finger in "imrl"}),
    "R": _hand("im", thumb=(0.75, -0.35, 0.85), spread=-0.09),
    "S": _hand(thumb=(0.8, -0.4, 0.85)),
    "V": _hand("im", thumb=(0.75, -0.4, 0.8), spread=0.33),
    "W": _hand("imr", thumb=(0.8, -0.35, 0.95), spread=0.36),
    "X": _hand(thumb=(0.75, -0.35, 0.8), curls={"i": (0.05, 0.7)}),
    "Y": _hand("l", thumb=(0.0, 0.42, 0.0), spread=0.3),
    "1": POINT,
    "3": _hand("im", thumb=_OUT, spread=0.3),
    "4": _hand("imrl", thumb=_ACROSS, spread=0.36),
    "5": _hand("imrl", thumb=(0.0, 0.35, 0.0), spread=0.38),
    "7": _hand("iml", thumb=(0.45, 0.0, 0.95), spread=0.24, curls={"r": (0.6, 0.62)}),
    "8": _hand("irl", thumb=(0.45, 0.0, 0.9), spread=0.24, curls={"m": (0.58, 0.62)}),
    "bent": _hand(thumb=_ALONG, curls={finger: (0.9, 0.02) for finger in "imrl"}),
    "flat": FLAT,
    "love": _hand("il", thumb=(0.0, 0.4, 0.0), spread=0.24),
    "claw": CLAW,
}
"""Shapes by name."""

COUNTING = (POINT, SIGNS["V"], SIGNS["3"], SIGNS["4"], SIGNS["5"])


def hand_numbers(hands: tuple[Hand, Hand]) -> Float[np.ndarray, "2 13"]:
    """The numbers of two hands as `Score.hands` has them, in the order of the fields."""
    return np.array(
        [[*hand.curls, hand.spread, hand.thumb_out, hand.thumb_round, *hand.tips] for hand in hands]
    )
