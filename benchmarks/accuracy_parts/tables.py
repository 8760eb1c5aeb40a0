"""The accuracy part of docs/results.md: tables and sentences made from numbers alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.accuracy_parts.compare import PARTS, Comparison
from benchmarks.accuracy_parts.figures import (
    SLOWEST_MOVEMENT,
    Figures,
    Following,
    Pair,
    Share,
    figures,
    fitted,
    following,
    found_rate,
    hand_motion,
)
from benchmarks.accuracy_parts.measures import State

BEGIN = "<!-- accuracy: written by python -m benchmarks.accuracy, from here -->"
END = "<!-- accuracy: to here -->"

FEWEST = 30
"""Worst values are named only of cells with so many frames or hands, and the jaw's correlation given."""

_DEFINITIONS = """\
What the columns mean:

- *seen*: at least 25% of the 17 body points, half of the face points or 70% of a hand's points are
  visible by the labels. *hidden*: fewer are, but some lie in the picture. *outside*: none does. "0.98 of
  140" is a share of 140 frames, hands or points; hands are both hands.
- *PCK 5%, 10%*: visible points among the 17 whose error is at most that share of the person's standing
  height, where a body was found. The height is seen at the hips' distance, so that it does not shrink
  with bending or at the picture's edge.
- *body*, *feet*: mean error of visible points, in % of that height; *occluded*: of body points in the
  picture behind something. *tremble*: mean second difference over time of the visible body points' error
  vectors, in % of the height per frame squared.
- *face*: mean error of visible points as a share of the distance between the eyes' outer corners. *hand*:
  the same as a share of the palm (wrist to the middle finger's knuckle), each hand's mean, of seen and
  found hands. Both lengths are taken in 3D, at the part's distance. *misplaced*: hands whose mean error
  is more than a palm. Missing parts count in the found rates only.
- *landmarks* are MediaPipe's own in metres; *fit* is the body model fitted to them and to the keypoints.
  Both are means over the same frames, those that both have: *surface* says how many of the found bodies
  or of the seen and found hands have a valid one.
- *body*: mean error of shoulders, elbows, wrists, hips, knees and ankles in the picture, in mm, hips put
  on hips, in the camera's axes; *scaled*: after the best scale besides; *aligned*: after the best shift,
  rotation and scale (PA-MPJPE). *jitter*: how far second differences over time of these joints (hips on
  hips) are from the true ones, in mm per frame squared.
- *hand*: mean error of the 21 points of a seen and found hand, in mm, wrist put on wrist; *aligned* as
  above.
- *seen at*: how far the fitted body's visible keypoints, drawn by its own camera, lie from the true ones,
  in pixels of the stored frame; in brackets, in % of the height, or as a share of the palm. *jaw*: rank
  correlation of the fitted jaw's opening with the true one where the face is seen and found; none where
  the jaw is still, or of fewer than 30 frames.
- *switches*: how often the pose goes from one person to another, in clips with several in the picture.
- Each row has two videos, portrait and landscape, of the same seeds; but the rows of *turn* are frames by
  the trunk's angle to the camera, and *anything* is six videos of whatever a seed draws. Where several
  people are in the picture, a frame counts for the person nearest to the pose that was found.

Points are where [synth.md](synth.md) says. An estimator that means another place by a point's name is
charged the difference: MediaPipe's face is a mesh, of which the nearest vertices stand for the 68 points."""


@dataclass(frozen=True)
class Row:
    """A cell of the breakdown: the frames in which a factor has a value and nothing else is changed."""

    factor: str
    value: str
    frames: Comparison


@dataclass(frozen=True)
class Making:
    """How long videos took: seconds of the clock with `processes` at work, and the frames made in them."""

    seconds: float
    frames: int
    processes: int

    @property
    def milliseconds(self) -> float:
        """Per frame; NaN where nothing was made."""
        return 1000 * self.seconds / self.frames if self.frames else math.nan


@dataclass(frozen=True)
class Report:
    """What the page tells: all frames, those of frontal well-lit people, and the cells of the breakdown."""

    preset: str
    corpus: str
    everything: Comparison
    frontal: Comparison
    rows: Sequence[Row]
    making: Making


def section(report: Report) -> str:
    """The whole part, markers included."""
    own = [("all", "", figures(report.everything))]
    own += [(row.factor, row.value, figures(row.frames)) for row in report.rows]
    cells = [(factor, value, found) for factor, value, found in own if found.frames]
    paragraphs = [
        BEGIN,
        f"## Accuracy of preset `{report.preset}` on made people",
        _introduction(report),
        "### Frontal and well lit",
        _frontal_table(report.frontal),
        "### Found",
        _table(_FOUND, cells),
        "### Errors in the picture",
        _table(_ERRORS, cells),
        "### Errors in 3D",
        _fit_text(report.everything),
        "Bodies, in mm:",
        _table(_BODY_IN_SPACE, cells),
        "Hands, in mm, and the jaw:",
        _table(_HANDS_IN_SPACE, cells),
        "### Found where there is nothing to see",
        _false_finds(report.everything),
        "### Which person is followed",
        _identity(report.everything),
        "### Hand sharpness and movement",
        _hand_motion(report.everything),
        "The same by row: rank correlations, and the movement's median error.",
        _table(_MOTION, cells),
        "### Best and worst",
        _extremes(cells),
        _DEFINITIONS,
        END,
    ]
    return "\n\n".join(paragraphs)


def replaced(page: str, part: str) -> str:
    """The page with `part` between the markers in place of what was there. Raises ValueError without them."""
    before, found_begin, rest = page.partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not found_begin or not found_end:
        raise ValueError("the page has no markers of the accuracy part")
    return before + part + after


def lines(report: Report) -> list[str]:
    """For people and programs: `ratio NAME VALUE` for what has no unit, `figure NAME VALUE UNIT`."""
    ratios: dict[str, float] = {}
    for name, frames in (("frontal", report.frontal), ("all", report.everything)):
        found = figures(frames)
        ratios |= {
            f"{name}_body_found": found.body_found.value,
            f"{name}_face_found": found.face_found.value,
            f"{name}_hands_found": found.hands_found.value,
            f"{name}_pck_05": found.pck_05.value,
            f"{name}_body_error": found.body,
            f"{name}_face_error": found.face,
            f"{name}_hand_error": found.hand_mean,
        }
    everything = figures(report.everything)
    motion, fit = everything.hand_motion, everything.fitted
    ratios |= {"sharpness_against_blur": motion.sharpness, "movement_against_truth": motion.movement}
    ratios |= {"all_surfaces_valid": fit.surfaces.value, "jaw_against_truth": fit.jaw}
    others = (
        ("all_body_3d_aligned", everything.body_aligned_mm.landmarks, "mm"),
        ("all_hand_3d_aligned", everything.hand_aligned_mm.landmarks, "mm"),
        ("all_fit_3d", everything.body_mm.fit, "mm"),
        ("all_fit_3d_aligned", everything.body_aligned_mm.fit, "mm"),
        ("all_fit_hand_3d_aligned", everything.hand_aligned_mm.fit, "mm"),
        ("all_fit_jitter", everything.jitter_mm.fit, "mm"),
        ("all_fit_seen_at", everything.fitted.body_pixels, "px"),
        ("making_a_frame", report.making.milliseconds, "ms"),
    )
    return [
        *(f"ratio {name} {value:.3f}" for name, value in ratios.items() if not math.isnan(value)),
        *(f"figure {name} {value:.1f} {unit}" for name, value, unit in others if not math.isnan(value)),
    ]


_MADE_OF_ANNY = """\
The made people are of the fitted model's own family, Anny, which spares the fit what another body would
add. It has no part in their local changes of face, neck, shoulders and trunk: it knows six phenotypes, one
set for a clip."""

_GUESSED = """\
Size, distance and focal length are guesses: a picture hardly tells them apart, and MediaPipe's metres,
which are a guess too, are not used. An adult of 1.35 m, whom most landscape videos show, is taken for a
taller one farther away. By the true height: medians of the fitted size and distance over the true ones,
and what the best scale leaves of the error."""

_SHORT = 1.5
"""Metres. The corpus has one person below, of 1.35 m, in its landscape videos."""

_Cell = tuple[str, str, Figures]
_Column = tuple[str, Callable[[Figures], str]]

_FOUND: tuple[_Column, ...] = (
    ("frames", lambda found: str(found.frames)),
    ("body, seen", lambda found: _share(found.body_found)),
    ("face, seen", lambda found: _share(found.face_found)),
    ("hands, seen", lambda found: _share(found.hands_found)),
    ("hands, hidden", lambda found: _share(found.hidden_hands_found)),
    ("switches", lambda found: _switches(found.following)),
)
_ERRORS: tuple[_Column, ...] = (
    ("PCK 5%", lambda found: _number(found.pck_05.value)),
    ("PCK 10%", lambda found: _number(found.pck_10.value)),
    ("body, %", lambda found: _number(100 * found.body)),
    ("occluded, %", lambda found: _number(100 * found.body_occluded)),
    ("feet, %", lambda found: _number(100 * found.feet)),
    ("tremble, %", lambda found: _number(100 * found.tremble)),
    ("face", lambda found: _number(found.face, 3)),
    ("hand, mean", lambda found: _number(found.hand_mean, 3)),
    ("hand, median", lambda found: _number(found.hand_median, 3)),
    ("misplaced hands", lambda found: _share(found.misplaced_hands)),
)


def _both(name: str, value: Callable[[Figures], Pair], digits: int) -> tuple[_Column, _Column]:
    """The landmarks' column and the fit's."""
    return (
        (f"{name}, landmarks", lambda found: _number(value(found).landmarks, digits)),
        (f"{name}, fit", lambda found: _number(value(found).fit, digits)),
    )


_BODY_IN_SPACE: tuple[_Column, ...] = (
    ("surface", lambda found: _share(found.fitted.surfaces)),
    *_both("body", lambda found: found.body_mm, 0),
    *_both("scaled", lambda found: found.body_scaled_mm, 0),
    *_both("aligned", lambda found: found.body_aligned_mm, 0),
    *_both("jitter", lambda found: found.jitter_mm, 1),
    ("seen at, px (%)", lambda found: _seen_at(found.fitted.body_pixels, 100 * found.fitted.body, 2)),
)
_HANDS_IN_SPACE: tuple[_Column, ...] = (
    ("surface", lambda found: _share(found.fitted.hands)),
    *_both("hand", lambda found: found.hand_mm, 1),
    *_both("aligned", lambda found: found.hand_aligned_mm, 1),
    ("seen at, px (palms)", lambda found: _seen_at(found.fitted.hand_pixels, found.fitted.hand, 3)),
    ("jaw", lambda found: _number(found.fitted.jaw if found.fitted.jaw_frames >= FEWEST else math.nan)),
)
_MOTION: tuple[_Column, ...] = (
    ("hands", lambda found: str(found.hand_motion.hands)),
    ("sharpness, blur", lambda found: _number(found.hand_motion.sharpness)),
    ("raw sharpness, blur", lambda found: _number(found.hand_motion.sharpness_raw)),
    ("movement, true", lambda found: _number(found.hand_motion.movement)),
    ("movement error, %", lambda found: _number(100 * found.hand_motion.movement_error, 0)),
)


def _introduction(report: Report) -> str:
    everything, making = report.everything, report.making
    text = (
        f"`python -m benchmarks.accuracy` made {len(np.unique(everything.video))} videos of people "
        f"({report.corpus} corpus, specifications and seeds in "
        "[benchmarks/accuracy_parts/corpus.py](../benchmarks/accuracy_parts/corpus.py)), extracted them with "
        f"`dancemill extract`, and compared all {len(everything)} frames, after H.264, with the labels."
    )
    if making.frames:
        text += (
            f" Making them took {making.milliseconds:.0f} ms a frame of 540x960 or 960x540 with "
            f"{making.processes} processes, start-up included."
        )
    return text


def _frontal_table(frames: Comparison) -> str:
    """Beside the figures of a trial: 120 frames of a simpler figure, full body, with blur."""
    found = figures(frames)
    rows = [
        ("frames", "120", str(found.frames)),
        ("body found", "1.00", _share(found.body_found)),
        ("face found", "1.00", _share(found.face_found)),
        ("left hand found", "1.00", _share(found_rate(frames, "left hand", State.SEEN))),
        ("right hand found", "1.00", _share(found_rate(frames, "right hand", State.SEEN))),
        ("error of the body, % of the height", "1.0 to 1.3", _number(100 * found.body)),
        ("error of the hands, share of the palm", "0.06 to 0.08", _number(found.hand_mean, 3)),
        ("3D body aligned, mm", "32 to 47", _number(found.body_aligned_mm.landmarks, 0)),
        ("the same of the fitted body", "-", _number(found.body_aligned_mm.fit, 0)),
    ]
    text = (
        "One person in full view, turned less than 30 degrees from the camera, in bright light, sharp, in "
        "all kinds of motion; beside an earlier trial with a simpler figure (120 frames)."
    )
    return f"{text}\n\n{_markdown(('measure', 'trial', 'here'), rows)}"


def _fit_text(frames: Comparison) -> str:
    """What the fitted body is measured on, and what no error tells of it."""
    found = fitted(frames)
    if not found.surfaces.part:
        return "This preset fits no body."
    rows = [
        _size_row(name, frames.where(chosen))
        for name, chosen in (
            (f"below {_SHORT} m", frames.true_height < _SHORT),
            (f"from {_SHORT} m", frames.true_height >= _SHORT),
        )
        if chosen.any()
    ]
    sizes = _markdown(("true height", "frames", "size", "distance", "body, fit, mm", "scaled, mm"), rows)
    jaw = "The made jaws are still."
    if not math.isnan(found.jaw):
        jaw = (
            f"The jaw's opening, in [0, 1], has a rank correlation of {_number(found.jaw)} with the true one "
            f"over {found.jaw_frames} frames with a seen and found face, and of {_number(found.jaw_within)} "
            f"within a video; its mean error is {_number(found.jaw_error)}."
        )
    return f"{_MADE_OF_ANNY}\n\n{_GUESSED}\n\n{sizes}\n\n{jaw}"


def _size_row(name: str, frames: Comparison) -> tuple[str, ...]:
    own = figures(frames)
    return (
        name,
        str(own.frames),
        _number(own.fitted.size),
        _number(own.fitted.distance),
        _number(own.body_mm.fit, 0),
        _number(own.body_scaled_mm.fit, 0),
    )


def _false_finds(frames: Comparison) -> str:
    rows = [
        (
            part,
            _share(found_rate(frames, part, State.HIDDEN)),
            _share(found_rate(frames, part, State.OUTSIDE)),
        )
        for part in PARTS
    ]
    return _markdown(("part", "found where hidden", "found where outside"), rows)


def _identity(frames: Comparison) -> str:
    found = following(frames)
    if not found.clips:
        return "No clip shows two people."
    return (
        f"In {found.clips} clips with more than one person in the picture, the pose went from one person to "
        f"another {found.switches} times ({_number(found.switches / found.clips)} a clip). It lay on the "
        f"person that the clip follows most in {_share(found.on_main)} frames."
    )


def _hand_motion(frames: Comparison) -> str:
    found = hand_motion(frames)
    rows = [
        ("sharpness", "blur, in palms", _number(found.sharpness), _number(found.sharpness_within)),
        (
            "raw sharpness",
            "blur, in pixels",
            _number(found.sharpness_raw),
            _number(found.sharpness_raw_within),
        ),
        ("length of movement", "true movement", _number(found.movement), _number(found.movement_within)),
    ]
    names = ("score", "truth", "rank correlation", "within a video's left or right hand")
    return (
        f"Over {found.hands} hands that are seen, found and not misplaced. Sharpness should fall with blur: "
        f"-1 is best there, 1 for movement.\n\n{_markdown(names, rows)}\n\nThe movement's median error is "
        f"{_number(100 * found.movement_error, 0)}% of the true movement, where that is at least "
        f"{SLOWEST_MOVEMENT} short sides of the frame per second."
    )


def _extremes(cells: Sequence[_Cell]) -> str:
    """The cells at the ends of the main measures."""
    rows = []
    for name, value, counted, digits, low_is_bad in _RANKED:
        shown: dict[float, list[str]] = {}
        for factor, own, found in cells:
            if factor != "all" and counted(found) >= FEWEST and not math.isnan(value(found)):
                shown.setdefault(round(value(found), digits), []).append(f"{factor} {own}")
        if shown:
            ends = (max(shown), min(shown)) if low_is_bad else (min(shown), max(shown))
            rows.append((name, *(f"{end:.{digits}f} ({_names(shown[end])})" for end in ends)))
    table = _markdown(("measure", "best", "worst"), rows)
    return f"Of the rows above with at least {FEWEST} frames or hands.\n\n{table}"


def _names(cells: Sequence[str]) -> str:
    return ", ".join(cells) if len(cells) <= 2 else f"{len(cells)} rows"


def _switches(found: Following) -> str:
    return f"{found.switches} in {found.clips} clips" if found.clips else "-"


def _seen_at(pixels: float, relative: float, digits: int) -> str:
    return "-" if math.isnan(pixels) else f"{pixels:.1f} ({relative:.{digits}f})"


def _share(share: Share) -> str:
    return f"{_number(share.value)} of {share.whole}" if share.whole else "-"


def _number(value: float, digits: int = 2) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


_Ranked = tuple[str, Callable[[Figures], float], Callable[[Figures], int], int, bool]

_RANKED: tuple[_Ranked, ...] = (
    ("body found", lambda own: own.body_found.value, lambda own: own.body_found.whole, 2, True),
    ("face found", lambda own: own.face_found.value, lambda own: own.face_found.whole, 2, True),
    ("hands found", lambda own: own.hands_found.value, lambda own: own.hands_found.whole, 2, True),
    ("body, %", lambda own: 100 * own.body, lambda own: own.frames, 2, False),
    ("face", lambda own: own.face, lambda own: own.face_found.part, 3, False),
    ("hand, mean", lambda own: own.hand_mean, lambda own: own.misplaced_hands.whole, 3, False),
    ("aligned 3D body, mm", lambda own: own.body_aligned_mm.landmarks, lambda own: own.frames, 0, False),
    ("the same, fitted", lambda own: own.body_aligned_mm.fit, lambda own: own.frames, 0, False),
)
"""Name, value, how many frames or hands it is of, digits, and whether a low value is the bad one."""


def _table(columns: Sequence[_Column], cells: Sequence[_Cell]) -> str:
    names = ("factor", "value", *(name for name, _ in columns))
    rows = [(factor, value, *(show(found) for _, show in columns)) for factor, value, found in cells]
    return _markdown(names, rows)


def _markdown(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = "|".join(["---"] * len(names))
    return "\n".join([f"| {' | '.join(names)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in rows)])
