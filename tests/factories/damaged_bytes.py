"""Files that were damaged on their way: bytes set, cut out, put in or cut off, as hypothesis draws it."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st


@st.composite
def damaged_bytes(draw: st.DrawFn, good: Sequence[bytes]) -> bytes:
    """One of the good files, damaged in up to four places."""
    damaged = bytearray(draw(st.sampled_from(good)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(damaged) - 1))
        match draw(st.sampled_from(["set", "cut", "insert", "end"])):
            case "set":
                damaged[place] = draw(st.integers(0, 255))
            case "cut":
                del damaged[place : place + draw(st.integers(1, 8))]
            case "insert":
                damaged[place:place] = draw(st.binary(min_size=1, max_size=8))
            case "end":
                del damaged[place + 1 :]
        if not damaged:
            break
    return bytes(damaged)
