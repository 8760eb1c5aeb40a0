"""What a made person wears, as numbers and colours: tops, trousers, skirts, shoes, belts; drawn by seed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from renderers.mannequin.fabric import (
    CLOTH_COLOURS,
    LEATHER_COLOURS,
    SOCK_COLOURS,
    SOLE_COLOURS,
    TROUSER_COLOURS,
    Colour,
    Fabric,
    draw_colour,
    draw_fabric,
)
from renderers.mannequin.person import Shape


@dataclass(frozen=True)
class Top:
    """A shirt, blouse, jumper, tank top or a dress's upper half.

    `sleeve` says where it ends: 0 at the shoulder (a tank top), 1 at the elbow, 2 at the wrist. `length` is
    how many metres the hem is below the waist. `loose` goes from 0 (tight) to 1. The neckline is `neck_depth`
    deep in front and `neck_width` away from the neck, in metres, and round (`neck_point` 0) or pointed (1).
    `collar` is none, band, high, shirt or hood.
    """

    fabric: Fabric = field(default_factory=Fabric)
    trim: Colour | None = None
    sleeve: float = 0.6
    length: float = 0.13
    loose: float = 0.4
    neck_depth: float = 0.05
    neck_width: float = 0.02
    neck_point: float = 0.0
    collar: str = "none"
    tucked: bool = False


@dataclass(frozen=True)
class Trousers:
    """Trousers, shorts or leggings.

    `leg` says where they end: 0 at the crotch, 1 at the knee, 2 at the ankle. `loose` goes from 0 (leggings)
    to 1 (wide); `flare` is by how many metres a leg's radius grows on each metre down.
    """

    fabric: Fabric = field(default_factory=Fabric)
    leg: float = 2.0
    loose: float = 0.3
    flare: float = -0.1


@dataclass(frozen=True)
class Skirt:
    """A skirt, or a dress's lower half: `leg` says where it ends and `flare` how it widens, as for trousers;
    `pleats` is how many go round it, or 0."""

    fabric: Fabric = field(default_factory=Fabric)
    leg: float = 1.0
    flare: float = 0.1
    pleats: int = 0


@dataclass(frozen=True)
class Shoes:
    """Shoes that reach `height` metres above the ankle (below 0: low shoes), and socks that reach higher."""

    colour: Colour = (0.15, 0.15, 0.16)
    sole_colour: Colour = (0.88, 0.87, 0.84)
    height: float = 0.01
    sole: float = 0.022
    sock_colour: Colour = (0.9, 0.9, 0.88)
    sock_height: float | None = None


@dataclass(frozen=True)
class Outfit:
    """What a person wears. `drape` decides where the folds lie, in radians."""

    top: Top = field(default_factory=Top)
    bottom: Trousers | Skirt = field(default_factory=Trousers)
    shoes: Shoes = field(default_factory=Shoes)
    belt: Colour | None = None
    drape: float = 0.0


def draw_outfit(rng: np.random.Generator, shape: Shape) -> Outfit:
    """Everyday clothes for a body: skirts and dresses mostly, but not only, for women."""
    woman = shape.gender > 0.5
    drape = round(float(rng.uniform(0, 2 * np.pi)), 3)
    with_skirt = rng.random() < (0.36 if woman else 0.03)
    top = _draw_top(rng, woman, heavy=shape.weight > 0.65)
    shoes = _draw_shoes(rng, woman)
    if with_skirt:
        dress_of_one_fabric = rng.random() < 0.5
        plain = {"plain": 4.0, "melange": 1.0, "checks": 1.0, "dots": 0.7, "along": 0.4}
        fabric = top.fabric if dress_of_one_fabric else draw_fabric(rng, plain)
        if fabric.pattern == "emblem":
            fabric = replace(fabric, pattern="plain")
        kinds = ((0.5, 0.9), (0.9, 1.15), (1.3, 1.85))
        low, high = kinds[rng.choice(3, p=(0.4, 0.3, 0.3))]
        bottom: Trousers | Skirt = Skirt(
            fabric=fabric,
            leg=_round(rng.uniform(low, high)),
            flare=_round(rng.uniform(0.0, 0.35)),
            pleats=int(rng.choice((0, 0, 14, 22))),
        )
        top = replace(top, tucked=True, collar="none" if top.collar == "hood" else top.collar)
        if dress_of_one_fabric:
            top = replace(top, fabric=fabric, trim=None, loose=min(top.loose, 0.4))
        belt = draw_colour(rng, TROUSER_COLOURS) if rng.random() < 0.3 else None
        return Outfit(top, bottom, shoes, belt, drape)
    bottom = _draw_trousers(rng, woman)
    belt = None
    if top.tucked and bottom.loose > 0.1 and rng.random() < 0.6:
        belt = draw_colour(rng, LEATHER_COLOURS)
    return Outfit(top, bottom, shoes, belt, drape)


def _round(value: float) -> float:
    return round(float(value), 3)


def _draw_top(rng: np.random.Generator, woman: bool, heavy: bool) -> Top:
    kinds = ("t-shirt", "shirt", "jumper", "hoodie", "tank", "blouse", "high neck")
    shares = (
        (0.32, 0.14, 0.18, 0.10, 0.10, 0.10, 0.06) if woman else (0.38, 0.22, 0.18, 0.12, 0.06, 0.0, 0.04)
    )
    kind = rng.choice(kinds, p=shares)
    loose = rng.uniform(0.05, 0.75 if woman else 0.8)
    length = rng.uniform(0.05, 0.17)
    printed = {"plain": 5.0, "melange": 1.5, "across": 1.5, "emblem": 2.0, "dots": 0.3, "along": 0.3}
    shirting = {"plain": 4.0, "checks": 2.5, "along": 1.5, "denim": 0.8, "dots": 0.5, "across": 0.3}
    knitted = {"plain": 3.0, "melange": 4.0, "across": 1.5}
    fabric = draw_fabric(rng, {"shirt": shirting, "blouse": shirting, "jumper": knitted}.get(kind, printed))
    trim = fabric.second if rng.random() < 0.2 else None
    tucked = bool(rng.random() < (0.25 if woman else 0.15))
    neck = {"neck_depth": rng.uniform(0.035, 0.08), "neck_width": rng.uniform(0.008, 0.03), "neck_point": 0.0}
    if rng.random() < (0.3 if woman else 0.15):
        neck |= {"neck_depth": rng.uniform(0.06, 0.10), "neck_point": rng.uniform(0.6, 1.0)}
    sleeve, collar = 2.0, "none"
    if kind == "t-shirt":
        sleeve = rng.uniform(0.42, 0.85)
        collar = str(rng.choice(("none", "band")))
    elif kind in ("shirt", "blouse"):
        sleeve = rng.choice((rng.uniform(0.6, 0.85), rng.uniform(1.2, 1.7), rng.uniform(1.9, 1.97)))
        collar = "shirt"
        neck = {"neck_depth": rng.uniform(0.06, 0.11), "neck_width": 0.008, "neck_point": 1.0}
        trim = None
    elif kind == "jumper":
        sleeve, collar = rng.uniform(1.8, 1.98), "band"
        loose = max(loose, 0.3)
    elif kind == "hoodie":
        sleeve, collar, tucked, loose = rng.uniform(1.9, 1.98), "hood", False, max(loose, 0.6)
        trim = None
    elif kind == "tank":
        sleeve, loose = 0.0, min(loose, 0.45)
        neck = {
            "neck_depth": rng.uniform(0.06, 0.11),
            "neck_width": rng.uniform(0.02, 0.035),
            "neck_point": 0.0,
        }
    else:
        sleeve, collar = rng.uniform(1.85, 1.98), "high"
        neck = {"neck_depth": 0.02, "neck_width": 0.005, "neck_point": 0.0}
        trim = None
    if heavy:
        loose = max(loose, 0.35)
    return Top(
        fabric=fabric,
        trim=trim,
        sleeve=_round(sleeve),
        length=_round(length),
        loose=_round(loose),
        collar=collar,
        tucked=tucked,
        **{name: _round(value) for name, value in neck.items()},
    )


def _draw_trousers(rng: np.random.Generator, woman: bool) -> Trousers:
    kinds = ("slim", "straight", "wide", "shorts", "leggings")
    shares = (0.33, 0.22, 0.15, 0.12, 0.18) if woman else (0.28, 0.42, 0.06, 0.22, 0.02)
    kind = rng.choice(kinds, p=shares)
    patterns = {"plain": 4.0, "denim": 3.0, "melange": 1.5, "checks": 0.3, "along": 0.3}
    fabric = draw_fabric(rng, {"plain": 1.0} if kind == "leggings" else patterns, TROUSER_COLOURS)
    # The checks and stripes of trousers are hardly darker than their ground.
    if fabric.pattern in ("checks", "along"):
        red, green, blue = (
            _round(0.8 * a + 0.2 * b) for a, b in zip(fabric.colour, fabric.second, strict=True)
        )
        fabric = replace(fabric, second=(red, green, blue))
    loose, flare, leg = {
        "slim": (rng.uniform(0.12, 0.25), rng.uniform(-0.35, -0.2), rng.uniform(1.85, 2.0)),
        "straight": (rng.uniform(0.25, 0.5), rng.uniform(-0.12, -0.02), rng.uniform(1.95, 2.04)),
        "wide": (rng.uniform(0.5, 0.9), rng.uniform(0.0, 0.05), rng.uniform(1.85, 2.05)),
        "shorts": (rng.uniform(0.3, 0.8), rng.uniform(-0.05, 0.08), rng.uniform(0.35, 1.0)),
        "leggings": (0.0, -1.0, rng.uniform(1.6, 2.0)),
    }[str(kind)]
    return Trousers(fabric, leg=_round(leg), loose=_round(loose), flare=_round(flare))


def _draw_shoes(rng: np.random.Generator, woman: bool) -> Shoes:
    kind = rng.choice(
        ("trainers", "boots", "flats", "leather"),
        p=(0.45, 0.17, 0.26, 0.12) if woman else (0.58, 0.17, 0.0, 0.25),
    )
    colour = draw_colour(rng, CLOTH_COLOURS)
    dark = draw_colour(rng, LEATHER_COLOURS)
    sole = draw_colour(rng, SOLE_COLOURS)
    sock_colour = draw_colour(rng, SOCK_COLOURS)
    socks = _round(rng.uniform(0.05, 0.16)) if rng.random() < 0.6 else None
    if kind == "trainers":
        return Shoes(colour, sole, _round(rng.uniform(0.0, 0.03)), 0.028, sock_colour, socks)
    if kind == "boots":
        return Shoes(dark, (0.10, 0.09, 0.08), _round(rng.uniform(0.06, 0.2)), 0.024)
    if kind == "flats":
        return Shoes(colour, dark, -0.025, 0.012)
    return Shoes(dark, (0.12, 0.10, 0.09), _round(rng.uniform(-0.01, 0.01)), 0.018, sock_colour, socks)
