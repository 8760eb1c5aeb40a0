"""Places under the sky to stand in: streets, fields and what grows and is parked there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from renderers.mannequin.paint import (
    FACADES,
    STRONG,
    WOODS,
    Canvas,
    bush,
    darker,
    door,
    facade,
    grass,
    noise,
    pick,
    poster,
    ridge,
    speckles,
    tiles,
    tree,
    varied,
    window_pane,
)
from renderers.mannequin.panels import Panel
from renderers.mannequin.scene import SIDE_WALL
from renderers.mannequin.site import Site


def _slabs(site: Site) -> None:
    rng = site.rng
    ground = site.floor_canvas((150, 148, 144))
    colour = pick(rng, [(158, 154, 148), (140, 138, 136), (172, 158, 140), (150, 128, 112)])
    size = [(0.5, 0.5), (0.4, 0.2), (0.2, 0.14), (0.8, 0.6)][int(rng.integers(4))]
    tiles(ground, rng, colour, size, 0.012, variation=0.09, shifted=bool(rng.random() < 0.6))
    speckles(ground, rng, 0.05, 0.09)
    site.floor(ground)


def _asphalt(site: Site) -> Canvas:
    tone = site.somewhere(88, 122)
    ground = site.floor_canvas((tone, tone, 1.02 * tone))
    speckles(ground, site.rng, 0.16, 0.08)
    for _ in range(3):
        x, y = site.somewhere(-5, 5), site.somewhere(ground.bottom, ground.top)
        crack = np.array([x, y]) + np.cumsum(site.rng.normal(0, 0.12, (18, 2)), axis=0)
        ground.line(crack, 0.012, darker((tone, tone, tone), 0.6))
    return ground


def _houses(site: Site, far: float, left: float, right: float) -> None:
    """A row of house fronts."""
    x = left
    while x < right:
        wide, high = site.somewhere(6, 12), site.somewhere(7, 16)
        front = facade(
            site.rng, wide, high, site.coarse, night=site.night, shop=bool(site.rng.random() < 0.5)
        )
        front.left, front.right = 0.0, wide
        site.stand(front, x, far + 0.01)
        x += wide
    site.shade(left, right, far - 0.4, far, 0.35)


def _side_houses(site: Site, x: float, near: float, far: float) -> None:
    """House fronts along a street that runs away from the camera."""
    sign = np.sign(x)
    y = near
    while y < far:
        wide, high = site.somewhere(6, 11), site.somewhere(7, 15)
        front = facade(
            site.rng, wide, high, site.coarse, night=site.night, shop=bool(site.rng.random() < 0.6)
        )
        picture = site.toned(front, 0.88 + 0.14 * sign * site.key[0])
        corner = (x, y if sign < 0 else y + wide, high)
        panel = Panel(picture, corner, (0, -sign, 0), (0, 0, -1), front.scale)
        site.things.append(panel)
        y += wide


def _car_side(site: Site) -> Canvas:
    """A car seen from its side; it stands on (0, 0)."""
    rng = site.rng
    canvas = Canvas(-2.25, 0.0, 2.25, 1.55, site.medium, None)
    colour = pick(rng, [*STRONG, (220, 220, 220), (50, 52, 56), (150, 154, 160)], 0.15)
    canvas.polygon(
        [(-2.1, 0.3), (-2.15, 0.7), (-1.9, 0.88), (-1.3, 0.95), (-0.7, 1.42), (0.75, 1.45), (1.4, 0.98),
         (2.0, 0.9), (2.15, 0.6), (2.1, 0.3)], colour,
    )  # fmt: skip
    canvas.rectangle(-2.1, 0.3, 2.1, 0.42, darker(colour, 0.6))
    glass = (60.0, 70.0, 78.0)
    canvas.polygon([(-1.12, 0.97), (-0.66, 1.34), (-0.05, 1.37), (-0.05, 0.97)], glass)
    canvas.polygon([(0.03, 0.97), (0.03, 1.37), (0.72, 1.37), (1.2, 0.97)], glass)
    canvas.line([(-0.02, 0.4), (-0.02, 0.97)], 0.015, darker(colour, 0.6))
    canvas.line([(-2.1, 0.78), (2.1, 0.78)], 0.02, darker(colour, 1.25))
    canvas.rectangle(-2.12, 0.62, -1.95, 0.74, (200, 60, 50))
    canvas.rectangle(1.95, 0.62, 2.1, 0.74, (250, 244, 220))
    for x in (-1.35, 1.35):
        canvas.disc(x, 0.34, 0.36, darker(colour, 0.3))
        canvas.disc(x, 0.32, 0.32, (26, 26, 28))
        canvas.disc(x, 0.32, 0.19, (150, 152, 156))
        canvas.disc(x, 0.32, 0.07, (80, 82, 84))
    return canvas


def _car_front(site: Site) -> Canvas:
    """A car seen from the front; it stands on (0, 0)."""
    rng = site.rng
    canvas = Canvas(-1.05, 0.0, 1.05, 1.6, site.medium, None)
    colour = pick(rng, [*STRONG, (220, 220, 220), (50, 52, 56), (150, 154, 160)], 0.15)
    for x in (-0.78, 0.78):
        canvas.rectangle(x - 0.11, 0.0, x + 0.11, 0.45, (26, 26, 28))
    canvas.polygon([(-0.72, 0.9), (-0.55, 1.44), (0.55, 1.44), (0.72, 0.9)], darker(colour, 0.9))
    canvas.polygon([(-0.64, 0.93), (-0.5, 1.38), (0.5, 1.38), (0.64, 0.93)], (66, 78, 88))
    canvas.polygon([(-0.3, 0.93), (-0.05, 1.38), (0.1, 1.38), (-0.1, 0.93)], (104, 118, 128))
    canvas.polygon(
        [(-0.9, 0.25), (-0.93, 0.72), (-0.74, 0.93), (0.74, 0.93), (0.93, 0.72), (0.9, 0.25)], colour
    )
    canvas.polygon([(-0.76, 0.9), (0.76, 0.9), (0.84, 0.74), (-0.84, 0.74)], darker(colour, 1.15))
    canvas.rectangle(-0.45, 0.5, 0.45, 0.66, (34, 34, 36))
    for x in (-0.7, 0.7):
        canvas.disc(x, 0.62, 0.16, (236, 236, 226), 0.08)
    canvas.rectangle(-0.26, 0.34, 0.26, 0.45, (236, 236, 230))
    canvas.rectangle(-0.9, 0.22, 0.9, 0.3, (40, 40, 42))
    for x in (-1.0, 0.9):
        canvas.rectangle(x, 0.86, x + 0.1, 1.0, darker(colour, 0.9))
    return canvas


def _lamp_post(site: Site, x: float, y: float) -> None:
    post = Canvas(-0.9, 0.0, 0.9, 5.2, site.coarse * 1.4, None)
    post.line([(0, 0), (0, 4.9), (0.5, 5.05)], 0.10, (70, 74, 76))
    post.rectangle(-0.1, 0.0, 0.1, 0.6, (64, 68, 70))
    post.disc(0.6, 5.02, 0.22, (255, 236, 180) if site.night else (222, 224, 224), 0.1)
    site.stand(post, x, y, lit=not site.night)
    site.shade(x - 0.1, x + 0.1, y - 0.1, y + 0.1)


def _trees(site: Site, count: int, near: float, far: float, clear: float = 0.0) -> None:
    """Trees of a few kinds beside and behind; none within `clear` metres of the line of sight."""
    kinds = [site.in_light(tree(site.rng, 6.0, site.medium * 0.75)) for _ in range(min(count, 5))]
    for _ in range(count):
        y = site.somewhere(near, far)
        x = site.somewhere(-1, 1) * (6 + 0.9 * y)
        x += clear * np.sign(x)
        high = site.somewhere(4.5, 9.0)
        site.stand_copy(kinds, x, y, high / 6.0)
        site.shade(x - 0.2 * high, x + 0.2 * high, y - 0.12 * high, y + 0.12 * high, 0.4)


def _bench(site: Site, x: float, y: float) -> None:
    wood = pick(site.rng, WOODS)
    frame = Canvas(-0.95, 0.0, 0.95, 0.92, site.medium, None)
    for side in (-0.8, 0.75):
        frame.rectangle(side, 0.0, side + 0.06, 0.9, (60, 62, 64))
    for z in (0.5, 0.66, 0.82):
        frame.rectangle(-0.9, z, 0.9, z + 0.1, varied(site.rng, wood, 0.06))
    site.stand(frame, x, y)
    site.box((x - 0.9, x + 0.9), (y - 0.42, y - 0.01), (0.40, 0.45), wood, shade=False)
    legs = Canvas(-0.9, 0.0, 0.9, 0.4, site.medium, None)
    for side in (-0.8, 0.75):
        legs.rectangle(side, 0.0, side + 0.06, 0.4, (60, 62, 64))
    site.stand(legs, x, y - 0.38)
    site.shade(x - 0.9, x + 0.9, y - 0.4, y + 0.05, 0.4)


def _hills(site: Site, canvas: Canvas) -> None:
    dark = 0.28 if site.night else 1.0
    for low, high, colour in ((6, 18, (136, 156, 172)), (3, 10, (110, 134, 120))):
        ridge(canvas, site.rng, low, high, darker(varied(site.rng, colour, 0.08), dark), 0.2)


def _wood(site: Site, canvas: Canvas) -> None:
    _hills(site, canvas)
    dark = 0.25 if site.night else 1.0
    for low, high, colour in ((4, 11, (92, 116, 84)), (2, 7, (74, 98, 62))):
        ridge(canvas, site.rng, low, high, darker(varied(site.rng, colour, 0.1), dark), 1.0)


def _skyline(site: Site, canvas: Canvas) -> None:
    rng = site.rng
    _hills(site, canvas)
    for _ in range(90):
        x, wide, high = rng.uniform(-230, 230), rng.uniform(8, 24), rng.uniform(6, 28)
        colour = pick(rng, FACADES, 0.15)
        mixed = tuple(0.55 * value + 0.45 * air for value, air in zip(colour, (176, 186, 198), strict=True))
        wall = darker((mixed[0], mixed[1], mixed[2]), 0.2 if site.night else 1.0)
        canvas.rectangle(x, canvas.bottom, x + wide, high, wall)
        for y in np.arange(1.5, high - 1.5, 3.2):
            for column in np.arange(x + 1, x + wide - 1.5, 2.6):
                lit = site.night and rng.random() < 0.3
                canvas.rectangle(
                    column, y, column + 1.3, y + 1.6, (220, 184, 110) if lit else darker(wall, 0.8)
                )


def _street(site: Site) -> None:
    rng = site.rng
    site.open_sky(lambda canvas: _skyline(site, canvas))
    if rng.random() < 0.5:
        _slabs(site)
        half = site.somewhere(5.2, 7.0)
        for sign in (-1.0, 1.0):
            _side_houses(site, sign * half, -20.0, 60.0)
            strip = Canvas(
                min(sign * half, sign * (half - 1.2)),
                -20.0,
                max(sign * half, sign * (half - 1.2)),
                60.0,
                site.coarse,
                (150, 146, 140),
            )
            speckles(strip, rng, 0.08)
            site.lie(strip)
            for y in (6.0, 14.0, 24.0):
                _lamp_post(site, sign * (half - 0.5), y + rng.uniform(-1, 1))
        _houses(site, 60.0, -18.0, 18.0)
        for y in (9.0, 15.0, 21.0):
            x = float(rng.choice([-1.0, 1.0])) * (half - rng.uniform(0.8, 1.4))
            site.stand(tree(rng, rng.uniform(3.5, 5), site.coarse * 2), x, y)
            site.shade(x - 0.5, x + 0.5, y - 0.4, y + 0.4)
        return
    site.floor(_asphalt(site))
    kerb = site.somewhere(1.9, 2.8)
    pavement = Canvas(-30.0, kerb - 11.0, 30.0, kerb, site.medium * 0.7, (150, 148, 144))
    tiles(
        pavement,
        rng,
        pick(rng, [(160, 156, 150), (146, 144, 142), (170, 152, 134)]),
        (0.5, 0.5),
        0.02,
        variation=0.08,
    )
    pavement.rectangle(-30, kerb - 0.16, 30, kerb, (178, 176, 170))
    speckles(pavement, rng, 0.06)
    site.lie(pavement)
    far = max(site.wall, kerb + 8)
    marks = Canvas(-60.0, kerb, 60.0, far - 2.5, site.coarse, None)
    middle = 0.5 * (kerb + far - 2.5)
    for x in np.arange(-60, 60, 4.0):
        marks.rectangle(x, middle - 0.07, x + 2.0, middle + 0.07, (222, 222, 216))
    site.lie(marks)
    other = Canvas(-60.0, far - 2.5, 60.0, far, site.coarse, (150, 148, 142))
    tiles(other, rng, (156, 152, 146), (0.6, 0.6), 0.03)
    other.rectangle(-60, far - 2.5, 60, far - 2.32, (184, 182, 176))
    site.lie(other)
    _houses(site, far, -48.0, 48.0)
    x = -24.0
    while x < 24:
        if rng.random() < 0.7:
            site.stand(_car_side(site), x, far - 3.4)
            site.shade(x - 2.1, x + 2.1, far - 4.6, far - 3.2, 0.7)
        x += rng.uniform(5.0, 6.5)
    for x in (-9.0, 3.5, 14.0):
        _lamp_post(site, x + rng.uniform(-1.5, 1.5), far - 2.0)
    for x in (-14.0, -4.5, 8.0):
        site.stand(tree(rng, rng.uniform(4, 6), site.coarse * 2), x + rng.uniform(-1.5, 1.5), far - 1.8)


def _park(site: Site) -> None:
    rng = site.rng
    site.open_sky(lambda canvas: _wood(site, canvas))
    lawn = site.floor_canvas((106, 128, 66))
    grass(lawn, rng, pick(rng, [(104, 128, 62), (120, 134, 70), (92, 120, 64)]))
    site.floor(lawn)
    near = site.somewhere(3.4, 5.0)
    path = Canvas(-40.0, near, 40.0, near + 2.6, site.medium * 0.6, None)
    x = np.linspace(-40, 40, 160)
    for shift, colour in ((0.0, (150, 146, 106)), (0.12, (186, 172, 146))):
        wave = 0.25 * np.sin(0.31 * x + rng.uniform(0, 0.1))
        edge = [*zip(x, near + 0.35 + shift + wave, strict=True)]
        edge += [*zip(x[::-1], (near + 2.2 - shift + wave)[::-1], strict=True)]
        path.polygon(edge, colour)
    speckles(path, rng, 0.10)
    site.lie(path)
    _trees(site, 16, site.wall, 45.0)
    _trees(site, 2, 3.5, 6.5, clear=2.0)
    if rng.random() < 0.8:
        _bench(site, float(rng.choice([-1.0, 1.0])) * rng.uniform(1.2, 3.5), near + 2.8)
    kinds = [site.in_light(bush(rng, 2.0, 1.2, site.medium * 0.7)) for _ in range(3)]
    for _ in range(9):
        y = site.somewhere(site.wall - 1, site.wall + 10)
        x0, wide = site.somewhere(-1, 1) * (4 + y), site.somewhere(1.2, 2.6)
        site.stand_copy(kinds, x0, y, wide / 2.0)
        site.shade(x0 - 0.4 * wide, x0 + 0.4 * wide, y - 0.3, y + 0.3)


def _beach(site: Site) -> None:
    rng = site.rng
    site.open_sky(lambda canvas: _hills(site, canvas) if rng.random() < 0.5 else None)
    sand = site.floor_canvas(pick(rng, [(216, 198, 160), (204, 184, 148), (226, 212, 182)], 0.04))
    speckles(sand, rng, 0.07, 0.07)
    sand.grain(rng, (0.5, 0.16), 0.07, 3)
    for _ in range(60):
        x, y = site.somewhere(-5.4, 5.4), site.somewhere(sand.bottom, sand.top)
        sand.disc(x, y, 0.07, (184, 164, 128), 0.12)
    site.floor(sand)
    shore = site.wall
    sea = Canvas(-300.0, shore, 300.0, 400.0, 3.0, None)
    along = np.linspace(-300, 300, 1200)
    edge = shore + 1.0 + 0.6 * np.sin(0.13 * along) + 0.4 * np.sin(0.41 * along + 1)
    colour = (
        (28.0, 40.0, 58.0)
        if site.night
        else pick(rng, [(66, 124, 148), (78, 140, 150), (84, 112, 132)], 0.08)
    )
    tone = [
        (0.0, (176.0, 160.0, 130.0)),
        (1.2, (226.0, 230.0, 226.0)),
        (2.0, darker(colour, 1.25)),
        (5.0, colour),
    ]
    for shift, ink in tone:
        sea.polygon([*zip(along, edge + shift, strict=True), (300, 400), (-300, 400)], ink)
    sea.grain(rng, (14.0, 1.2), 0.12, 4)
    for _ in range(26):
        y, left = shore + 4 + 40 * rng.random() ** 2, rng.uniform(-80, 60)
        sea.line(
            [(left, y), (left + rng.uniform(4, 20), y + rng.uniform(-0.3, 0.3))], 0.3, darker(colour, 1.5)
        )
    site.lie(sea)
    for _ in range(4):
        y = site.somewhere(4.5, shore - 1)
        x0 = site.somewhere(-1, 1) * (3 + 0.7 * y)
        _parasol(site, x0, y)
    for _ in range(3):
        side = float(rng.choice([-1.0, 1.0]))
        y = site.somewhere(5.0, 16.0)
        site.stand(bush(rng, 1.6, 0.7, site.medium * 0.6), side * (5 + 0.9 * y), y)


def _parasol(site: Site, x: float, y: float) -> None:
    colour = pick(site.rng, STRONG)
    canvas = Canvas(-1.3, 0.0, 1.3, 2.4, site.medium * 0.8, None)
    canvas.line([(0, 0), (0, 2.3)], 0.05, (226, 222, 214))
    angles = np.linspace(-1, 1, 9)
    rim = np.column_stack([1.2 * np.sin(0.5 * np.pi * angles), 1.72 - 0.12 * np.cos(0.5 * np.pi * angles)])
    for stripe in range(8):
        ink = colour if stripe % 2 else (240.0, 236.0, 226.0)
        canvas.polygon([(0, 2.35), tuple(rim[stripe]), tuple(rim[stripe + 1])], ink)
    site.stand(canvas, x, y)
    site.shade(x - 0.9, x + 0.9, y - 0.5, y + 0.5, 0.35)
    towel = Canvas(x - 0.4, y - 1.2, x + 0.5, y + 0.5, site.coarse, pick(site.rng, STRONG))
    site.lie(towel)


def _square(site: Site) -> None:
    rng = site.rng
    site.open_sky(lambda canvas: _skyline(site, canvas))
    _slabs(site)
    bands = Canvas(-40.0, -12.0, 40.0, 40.0, 24.0, None)
    tone = pick(rng, [(126, 122, 118), (176, 168, 156), (150, 120, 104)])
    for x in np.arange(-39, 40, 6.0):
        bands.rectangle(x, -12, x + 0.4, 40, tone)
    for y in np.arange(-11, 40, 6.0):
        bands.rectangle(-40, y, 40, y + 0.4, tone)
    speckles(bands, rng, 0.06)
    site.lie(bands)
    _houses(site, site.wall, -36.0, 36.0)
    for _ in range(4):
        x, y = site.somewhere(-1, 1) * 0.6 * site.wall, site.somewhere(5.5, site.wall - 2)
        site.box((x - 0.45, x + 0.45), (y - 0.45, y + 0.45), (0.0, 0.55), pick(rng, FACADES))
        site.stand(tree(rng, rng.uniform(2.6, 3.6), site.medium * 0.7), x, y, 0.5)
    for _ in range(3):
        _bench(site, site.somewhere(-1, 1) * 0.5 * site.wall, site.somewhere(4.5, site.wall - 3))
    for _ in range(3):
        x, y = site.somewhere(-1, 1) * 0.7 * site.wall, site.wall - site.somewhere(1.5, 3.5)
        _parasol_table(site, x, y)
    for x in (-7.0, 6.0):
        _lamp_post(site, x + rng.uniform(-1.5, 1.5), site.somewhere(6, 10))


def _parasol_table(site: Site, x: float, y: float) -> None:
    colour = pick(site.rng, STRONG)
    canvas = Canvas(-1.4, 0.0, 1.4, 2.6, site.coarse * 1.5, None)
    canvas.line([(0, 0), (0, 2.5)], 0.06, (120, 100, 80))
    canvas.polygon([(-1.35, 2.0), (0, 2.55), (1.35, 2.0)], colour)
    canvas.rectangle(-1.35, 1.86, 1.35, 2.0, darker(colour, 0.8))
    canvas.rectangle(-0.5, 0.70, 0.5, 0.75, (206, 204, 200))
    for side in (-1.0, 1.0):
        canvas.line([(side * 0.75, 0), (side * 0.75, 0.85)], 0.05, (90, 70, 54))
        canvas.line([(side * 0.75, 0.45), (side * 0.42, 0.45), (side * 0.42, 0)], 0.05, (90, 70, 54))
    site.stand(canvas, x, y)
    site.shade(x - 0.9, x + 0.9, y - 0.5, y + 0.5, 0.4)


def _brick_wall(site: Site) -> None:
    rng = site.rng
    site.open_sky(lambda canvas: None)
    _slabs(site)
    colour = pick(rng, [(160, 92, 70), (176, 116, 84), (130, 84, 70), (196, 184, 168), (120, 116, 112)])
    back = site.back_canvas(colour, 9.0)
    tiles(back, rng, colour, (0.24, 0.075), 0.011, shifted=True, variation=0.16)
    back.multiply(1 + 0.08 * noise(rng, *back.size, 1.5 * back.scale, 2.5 * back.scale, 4))
    speckles(back, rng, 0.05, 0.04)
    spots = rng.permutation(np.array([-3.9, -2.2, -0.3, 1.6, 3.5]))
    door(back, float(spots[0]) - 0.5, pick(rng, STRONG), 1.0, 2.1)
    for spot in spots[1:3]:
        box = (spot - 0.55, 1.3, spot + 0.55, 2.6)
        window_pane(back, rng, box, (210, 206, 196), (40, 48, 56) if site.night else (104, 120, 130), 2, 2)
    for number in range(int(rng.integers(0, 4))):
        poster(back, rng, float(spots[3]) - 0.9 + 0.6 * number, 1.1 + rng.uniform(-0.1, 0.1), 0.5, 0.7)
    pipe = float(spots[4])
    back.rectangle(pipe - 0.05, 0.1, pipe + 0.05, 9.0, (96, 98, 100))
    back.rectangle(pipe - 0.05, 0.1, pipe - 0.02, 9.0, (130, 132, 134))
    back.rectangle(-SIDE_WALL, 0, SIDE_WALL, 0.3, (130, 126, 120))
    back.grain(rng, (0.4, 0.2), 0.12, 3, (-SIDE_WALL, 0, SIDE_WALL, 0.9))
    site.back(back)
    site.shade(-60.0, 60.0, site.wall - 0.1, site.wall, 0.45)
    if rng.random() < 0.6:
        x = float(spots[3])
        site.box((x - 0.3, x + 0.3), (site.wall - 0.65, site.wall - 0.05), (0.03, 1.05), (56, 84, 66))


def _car_park(site: Site) -> None:
    rng = site.rng
    site.open_sky(lambda canvas: (_skyline if rng.random() < 0.6 else _wood)(site, canvas))
    site.floor(_asphalt(site))
    far = site.wall
    lines = Canvas(-40.0, -14.0, 40.0, far + 1.0, site.coarse, None)
    start = rng.uniform(-1.2, 1.2)
    for x in np.arange(-40 + start, 40, 2.5):
        lines.rectangle(x, far - 4.4, x + 0.11, far + 0.6, (222, 222, 214))
        lines.rectangle(x, -13.0, x + 0.11, -8.0, (222, 222, 214))
    lines.rectangle(-40, far + 0.5, 40, far + 0.62, (222, 222, 214))
    arrow = np.array(
        [(0, 1.0), (0.5, 0.2), (0.15, 0.2), (0.15, -1.2), (-0.15, -1.2), (-0.15, 0.2), (-0.5, 0.2)]
    )
    turned = np.column_stack([arrow[:, 1], arrow[:, 0]])
    lines.polygon(turned + np.array([rng.uniform(-3, 3), 1.2]), (222, 222, 214))
    speckles(lines, rng, 0.10, 0.12)
    site.lie(lines)
    for x in np.arange(-40 + start + 1.3, 39, 2.5):
        if rng.random() < 0.65:
            y = far - 4.0 + rng.uniform(-0.2, 0.3)
            site.stand(_car_front(site), x, y)
            site.shade(x - 0.85, x + 0.85, y - 0.2, y + 3.9, 0.8)
    if rng.random() < 0.5:
        kinds = [site.in_light(bush(rng, 3.4, 1.5, site.coarse * 1.5)) for _ in range(3)]
        for x in np.arange(-42, 42, 2.4):
            site.stand_copy(kinds, x, far + 1.6, 1.0)
    else:
        low = pick(rng, FACADES)
        site.box((-45, 45), (far + 1.2, far + 1.5), (0.0, 1.1), low, scale=site.coarse)
    _trees(site, 9, far + 3, far + 22)
    for x in (-8.0, 8.5):
        _lamp_post(site, x + rng.uniform(-2, 2), far + 0.9)


OUTDOORS: dict[str, Callable[[Site], None]] = {
    "street": _street,
    "park": _park,
    "beach": _beach,
    "square": _square,
    "brick_wall": _brick_wall,
    "car_park": _car_park,
}
"""What paints each outdoor place."""
