"""Rooms to stand in: what is painted on their walls and floors, and their furniture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from renderers.mannequin.paint import (
    PAINTS,
    STRONG,
    WOODS,
    Canvas,
    Colour,
    books,
    darker,
    door,
    folds,
    house_plant,
    pick,
    planks,
    poster,
    speckles,
    tiles,
    window_pane,
)
from renderers.mannequin.scene import SIDE_WALL
from renderers.mannequin.site import Site


def _skirting(canvas: Canvas, colour: Colour = (226, 222, 214)) -> None:
    canvas.rectangle(canvas.left, 0, canvas.right, 0.10, colour)
    canvas.rectangle(canvas.left, 0.10, canvas.right, 0.112, darker(colour, 0.7))


def _plaster(site: Site, canvas: Canvas) -> None:
    canvas.grain(site.rng, (1.2, 1.2), 0.025, 3)
    canvas.grain(site.rng, (0.03, 0.03), 0.02, 1)


def _white_roof(site: Site) -> None:
    def paint(canvas: Canvas) -> None:
        for x in (-2.5, 2.5):
            for y in np.arange(canvas.bottom + 1.0, canvas.top, 3.0):
                canvas.disc(x, y, 0.16, (255, 252, 240))

    site.roof(paint, (214, 212, 206))


def _room(site: Site) -> None:
    rng = site.rng
    wood = site.floor_canvas((160, 124, 92))
    planks(wood, rng, pick(rng, WOODS), 0.14, 1.2)
    site.floor(wood)
    if rng.random() < 0.7:
        rug = Canvas(-1.7, -1.1, 1.7, 1.2, site.medium, pick(rng, (*STRONG, *PAINTS)))
        inner = pick(rng, PAINTS)
        rug.rectangle(-1.5, -0.9, 1.5, 1.0, inner)
        for x in np.arange(-1.35, 1.4, 0.3):
            for y in np.arange(-0.75, 1.0, 0.3):
                rug.disc(x, y, 0.07, darker(inner, 0.75))
        speckles(rug, rng, 0.10)
        site.lie(rug)

    paint = pick(rng, PAINTS)
    back = site.back_canvas(paint)
    if rng.random() < 0.35:
        for x in np.arange(-SIDE_WALL, SIDE_WALL, 0.22):
            back.rectangle(x, 0, x + 0.11, back.top, darker(paint, 0.95))
    _plaster(site, back)
    _skirting(back)
    spots = rng.permutation(np.array([-3.6, -1.3, 1.2, 3.5])) + rng.uniform(-0.2, 0.2, 4)
    x = float(spots[0])
    window_pane(back, rng, (x - 0.75, 0.9, x + 0.75, 2.2), (232, 230, 224), site.outside())
    curtain = pick(rng, (*STRONG, *PAINTS))
    for left, right in ((x - 1.15, x - 0.7), (x + 0.7, x + 1.15)):
        back.rectangle(left, 0.25, right, 2.36, curtain)
        folds(back, rng, (left, 0.25, right, 2.36), 0.13)
    back.rectangle(x - 1.25, 2.36, x + 1.25, 2.40, (90, 80, 70))
    door(back, float(spots[1]) - 0.45, pick(rng, [(206, 200, 190), (140, 102, 72)]))
    for spot in spots[2:]:
        for _ in range(int(rng.integers(1, 3))):
            wide, high = rng.uniform(0.35, 0.75), rng.uniform(0.4, 0.8)
            poster(back, rng, spot - 0.5 * wide + rng.uniform(-0.5, 0.5), rng.uniform(1.25, 1.55), wide, high)
    site.back(back)
    site.sides(_skirting, darker(paint, 0.97))
    _white_roof(site)
    _sofa(site, float(spots[2]))
    _bookcase(site, float(spots[3]))
    house_x = float(spots[1]) + 0.95
    site.stand(house_plant(rng, rng.uniform(0.9, 1.4), site.medium), house_x, site.wall - 0.45)
    site.shade(house_x - 0.15, house_x + 0.15, site.wall - 0.6, site.wall - 0.3)
    _lamp(site, float(spots[2]) - 1.15)


def _lamp(site: Site, x: float) -> None:
    lamp = Canvas(-0.25, 0.0, 0.25, 1.65, site.medium, None)
    lamp.line([(0, 0), (0, 1.35)], 0.03, (60, 58, 56))
    lamp.disc(0, 0.02, 0.14, (60, 58, 56), 0.025)
    shade = (255, 226, 160) if site.night else (232, 222, 200)
    lamp.polygon([(-0.21, 1.28), (0.21, 1.28), (0.14, 1.6), (-0.14, 1.6)], shade)
    site.stand(lamp, x, site.wall - 0.5, lit=not site.night)


def _sofa(site: Site, x: float) -> None:
    colour, far = pick(site.rng, (*STRONG, *PAINTS), 0.15), site.wall - 0.05
    half = site.somewhere(0.75, 1.0)

    def cushions(canvas: Canvas) -> None:
        wide = canvas.right / 2
        for left in (0.0, wide):
            canvas.rectangle(left + 0.01, 0.02, left + wide - 0.01, canvas.top - 0.02, darker(colour, 1.08))
        canvas.grain(site.rng, (0.02, 0.02), 0.06, 1)

    site.box((x - half, x + half), (far - 0.3, far), (0.1, 0.85), colour, cushions)
    site.box((x - half, x + half), (far - 0.9, far - 0.3), (0.1, 0.43), colour, cushions)
    for side in (-1.0, 1.0):
        edge = sorted((x + side * half, x + side * (half + 0.2)))
        site.box((edge[0], edge[1]), (far - 0.92, far), (0.05, 0.62), darker(colour, 0.95))


def _bookcase(site: Site, x: float) -> None:
    wood = pick(site.rng, [*WOODS, (226, 224, 218), (60, 58, 58)])
    high = site.somewhere(1.6, 2.1)

    def shelves(canvas: Canvas) -> None:
        step = 0.36
        for bottom in np.arange(0.06, high - 0.2, step):
            canvas.rectangle(0.04, bottom, canvas.right - 0.04, bottom + step - 0.03, darker(wood, 0.42))
            if site.rng.random() < 0.85:
                books(canvas, site.rng, 0.05, bottom, canvas.right - 0.05, step - 0.06)

    site.box((x - 0.5, x + 0.5), (site.wall - 0.33, site.wall - 0.01), (0.0, high), wood, shelves)


def _studio(site: Site) -> None:
    rng = site.rng
    colour = pick(
        rng, [(206, 206, 206), (236, 236, 234), (150, 152, 156), (210, 196, 176), (168, 186, 204),
              (176, 196, 170), (212, 176, 176), (96, 98, 104)], 0.06,
    )  # fmt: skip
    floor = site.floor_canvas(colour)
    floor.grain(rng, (1.5, 1.5), 0.02, 3)
    # A paper that comes down the wall and along the floor: no line where they meet.
    _, y = floor.places()
    floor.multiply((1 - 0.10 * np.exp((y - site.wall) / 0.8)) * np.ones((1, floor.picture.shape[1])))
    site.floor(floor)
    back = site.back_canvas(colour)
    back.grain(rng, (2.0, 2.0), 0.015, 3)
    _, y = back.places()
    back.multiply((1 - 0.10 * np.exp(-y / 0.8)) * np.ones((1, back.picture.shape[1])))
    site.back(back)
    site.sides(lambda canvas: None, darker(colour, 0.9))
    site.roof(lambda canvas: None, darker(colour, 0.5))


def _office(site: Site) -> None:
    rng = site.rng
    carpet = site.floor_canvas((110, 114, 122))
    colour = pick(rng, [(104, 110, 120), (126, 120, 112), (84, 98, 112), (112, 120, 112)])
    tiles(carpet, rng, colour, (0.5, 0.5), 0.006, variation=0.05)
    speckles(carpet, rng, 0.10, 0.03)
    site.floor(carpet)
    back = site.back_canvas(pick(rng, [(222, 222, 218), (204, 208, 212), (214, 206, 194)]))
    _plaster(site, back)
    _skirting(back, (120, 122, 126))
    glass, board = (-1.0, 1.0) if rng.random() < 0.5 else (1.0, -1.0)
    for number in range(2):
        x = glass * (1.2 + 2.1 * number)
        window_pane(back, rng, (x - 0.9, 0.95, x + 0.9, 2.3), (180, 184, 188), site.outside(), 2)
        for y in np.arange(rng.uniform(0.95, 1.9), 2.32, 0.05):
            back.rectangle(x - 0.9, y, x + 0.9, y + 0.026, (214, 214, 208))
    x = board * 2.3
    back.rectangle(x - 1.05, 0.95, x + 1.05, 2.15, (160, 162, 164))
    back.rectangle(x - 1.0, 1.0, x + 1.0, 2.1, (244, 246, 246))
    for _ in range(9):
        start = np.array([x + rng.uniform(-0.9, 0.4), rng.uniform(1.15, 2.0)])
        steps = np.cumsum(np.column_stack([np.full(9, 0.05), rng.uniform(-0.02, 0.02, 9)]), axis=0)
        back.line(start + steps, 0.012, pick(rng, [(40, 60, 140), (160, 40, 40), (40, 44, 48)]))
    site.back(back)
    site.sides(_skirting, (206, 206, 202))

    def grid(canvas: Canvas) -> None:
        tiles(canvas, rng, (222, 222, 220), (0.6, 0.6), 0.02, variation=0.01)
        for lamp_x in (-2.4, 0.0, 2.4):
            for y in np.arange(canvas.bottom + 0.6, canvas.top, 2.4):
                canvas.rectangle(lamp_x - 0.6, y, lamp_x, y + 0.6, (255, 255, 250))

    site.roof(grid, (222, 222, 220))
    for x in (-3.6, -1.6, 1.6, 3.6):
        if rng.random() < 0.8:
            _desk(site, x + rng.uniform(-0.2, 0.2), site.wall - rng.uniform(0.45, 0.6))
    plant_x = float(rng.choice([-4.5, 0.1, 4.5]))
    site.stand(house_plant(rng, 1.3, site.medium), plant_x, site.wall - 0.4)


def _desk(site: Site, x: float, y: float) -> None:
    wood = pick(site.rng, [*WOODS, (220, 218, 212)])
    site.box((x - 0.7, x + 0.7), (y - 0.35, y + 0.35), (0.70, 0.74), wood)
    site.shade(x - 0.7, x + 0.7, y - 0.35, y + 0.35, 0.4)
    for side in (-0.68, 0.62):
        site.box((x + side, x + side + 0.06), (y - 0.33, y + 0.33), (0.0, 0.70), darker(wood, 0.6))

    def screen(canvas: Canvas) -> None:
        shown = pick(site.rng, [(30, 34, 40), (70, 110, 150), (210, 216, 220)])
        canvas.rectangle(0.015, 0.02, canvas.right - 0.015, canvas.top - 0.015, shown)
        for row in np.arange(0.06, canvas.top - 0.05, 0.035):
            length = site.somewhere(0.1, 0.4)
            canvas.rectangle(0.05, row, 0.05 + length, row + 0.012, darker(shown, 1.5))

    site.box((x - 0.27, x + 0.27), (y + 0.1, y + 0.14), (0.86, 1.2), (32, 32, 34), screen, scale=site.fine)
    site.box((x - 0.03, x + 0.03), (y + 0.1, y + 0.14), (0.74, 0.86), (40, 40, 42))


def _kitchen(site: Site) -> None:
    rng = site.rng
    floor = site.floor_canvas((190, 186, 178))
    light = pick(rng, [(204, 198, 186), (176, 170, 160), (196, 186, 172)])
    second = darker(light, 0.62) if rng.random() < 0.4 else None
    tiles(floor, rng, light, (0.4, 0.4), 0.008, second=second)
    floor.grain(rng, (0.5, 0.5), 0.04, 3)
    site.floor(floor)
    paint = pick(rng, PAINTS)
    back = site.back_canvas(paint)
    _plaster(site, back)
    tiles(
        back, rng, pick(rng, [(228, 228, 222), (170, 196, 196), (214, 204, 180)]), (0.2, 0.1), 0.008,
        window=(-SIDE_WALL, 0.88, SIDE_WALL, 1.5), shifted=True,
    )  # fmt: skip
    middle = site.somewhere(-1.5, 1.5)
    window_pane(back, rng, (middle - 0.7, 1.12, middle + 0.7, 2.1), (236, 234, 228), site.outside())
    site.back(back)
    site.sides(_skirting, paint)
    _white_roof(site)
    front = pick(rng, [(232, 230, 224), (90, 110, 104), (70, 84, 104), (176, 140, 100), (200, 196, 186)])
    top = pick(rng, [(70, 66, 64), (190, 160, 120), (206, 204, 200)])
    far = site.wall - 0.01

    def cupboards(canvas: Canvas) -> None:
        for left in np.arange(0.0, canvas.right - 0.1, 0.6):
            canvas.rectangle(left + 0.01, 0.01, left + 0.59, canvas.top - 0.01, darker(front, 0.8))
            canvas.rectangle(left + 0.02, 0.02, left + 0.58, canvas.top - 0.02, front)
            canvas.rectangle(left + 0.08, 0.08, left + 0.52, canvas.top - 0.08, darker(front, 0.95))
            handle = canvas.top - 0.07 if canvas.top > 0.75 else 0.04
            canvas.rectangle(left + 0.22, handle, left + 0.38, handle + 0.018, (110, 108, 104))

    site.box((-3.6, 3.6), (far - 0.58, far), (0.1, 0.87), front, cupboards)
    site.box((-3.62, 3.62), (far - 0.62, far), (0.87, 0.91), top, shade=False)
    for left, right in ((-3.6, middle - 0.9), (middle + 0.9, 3.6)):
        if right - left > 0.5:
            site.box((left, right), (far - 0.34, far), (1.5, 2.2), front, cupboards)

    def oven(canvas: Canvas) -> None:
        canvas.rectangle(0.05, 0.12, 0.55, 0.55, (30, 30, 32))
        canvas.rectangle(0.05, 0.6, 0.55, 0.63, (200, 200, 198))
        for x in (0.1, 0.2, 0.4, 0.5):
            canvas.disc(x, 0.7, 0.02, (60, 60, 60))

    cooker = middle + (1.5 if middle < 0 else -1.5)
    site.box(
        (cooker - 0.3, cooker + 0.3),
        (far - 0.60, far - 0.58),
        (0.1, 0.87),
        (190, 190, 188),
        oven,
        scale=site.fine,
    )

    def fridge(canvas: Canvas) -> None:
        canvas.rectangle(0, 0.68, canvas.right, 0.69, (120, 120, 120))
        canvas.rectangle(0.05, 0.75, 0.07, 1.25, (110, 110, 110))
        for _ in range(4):
            spot = (rng.uniform(0.15, 0.5), rng.uniform(1.0, 1.6))
            canvas.rectangle(spot[0], spot[1], spot[0] + 0.1, spot[1] + 0.08, pick(rng, STRONG))

    side = 1.0 if rng.random() < 0.5 else -1.0
    edge = sorted((side * 3.65, side * 4.35))
    site.box((edge[0], edge[1]), (far - 0.66, far), (0.02, 1.8), (218, 220, 222), fridge)
    for _ in range(5):
        x, high = site.somewhere(-3.2, 3.2), site.somewhere(0.12, 0.3)
        wide = 0.35 * high
        colour = pick(rng, STRONG, 0.2)
        site.box(
            (x - wide, x + wide), (far - 0.3, far - 0.3 + wide), (0.91, 0.91 + high), colour, shade=False
        )


def _dance_studio(site: Site) -> None:
    rng = site.rng
    wood = site.floor_canvas((180, 140, 98))
    planks(wood, rng, pick(rng, [(188, 150, 106), (170, 128, 88), (198, 166, 126)]), 0.09, 1.6)
    site.floor(wood)
    paint = pick(rng, [(224, 222, 216), (206, 212, 216), (220, 206, 190)])
    back = site.back_canvas(paint)
    _plaster(site, back)
    _skirting(back, (150, 110, 78))
    if rng.random() < 0.5:
        for x in (-3.75, -1.25, 1.25, 3.75):
            window_pane(back, rng, (x - 0.8, 0.55, x + 0.8, 2.75), (236, 236, 232), site.outside(), 3, 4)
    else:
        curtain = pick(rng, [(214, 208, 198), (90, 96, 110), (150, 70, 64), (110, 120, 112)])
        back.rectangle(-SIDE_WALL, 0.04, SIDE_WALL, back.top - 0.25, curtain)
        folds(back, rng, (-SIDE_WALL, 0.04, SIDE_WALL, back.top - 0.25), 0.24)
        back.rectangle(-SIDE_WALL, back.top - 0.28, SIDE_WALL, back.top - 0.24, (80, 80, 82))
    site.back(back)

    def mirrors(canvas: Canvas) -> None:
        _skirting(canvas, (150, 110, 78))
        for left in np.arange(canvas.left, -0.3, 1.6):
            pane = (left, 0.25, min(left + 1.58, -0.2), 2.3)
            canvas.rectangle(*pane, (176, 186, 190))
            rows, columns = canvas.size_of(pane)
            up, along = np.linspace(1, 0, rows)[:, None], np.linspace(0, 1, columns)[None]
            glints = 0.10 * np.exp(-(((along - up - 0.1) / 0.12) ** 2))
            canvas.multiply(0.78 + 0.22 * up + glints, pane)
        canvas.rectangle(canvas.left, 0.98, 0.0, 1.03, (150, 112, 76))

    site.sides(mirrors, paint)

    def lamps(canvas: Canvas) -> None:
        for x in (-2.5, 0.0, 2.5):
            canvas.rectangle(x - 0.1, canvas.bottom, x + 0.1, canvas.top, (255, 255, 248))

    site.roof(lamps, (210, 210, 206))
    rail = (150.0, 112.0, 76.0)
    site.box((-4.6, 4.6), (site.wall - 0.25, site.wall - 0.2), (1.0, 1.045), rail)
    for x in (-4.5, -1.5, 1.5, 4.5):
        site.box((x - 0.02, x + 0.02), (site.wall - 0.25, site.wall - 0.2), (0.0, 1.0), (120, 120, 122))


def _stage(site: Site) -> None:
    rng = site.rng
    wood = site.floor_canvas((90, 66, 50))
    planks(wood, rng, pick(rng, [(104, 78, 60), (70, 60, 56), (134, 98, 70)]), 0.16, 2.4)
    x, y = wood.places()
    for _ in range(3):
        spot = (rng.uniform(-2, 2), rng.uniform(-1.5, 1.0))
        away = ((x - spot[0]) / 1.3) ** 2 + ((y - spot[1]) / 1.0) ** 2
        wood.multiply(1 + 0.45 / (1 + away**3))
    site.floor(wood)
    colour = pick(rng, [(136, 26, 32), (40, 48, 92), (90, 24, 60), (34, 72, 66), (64, 64, 72)])
    back = site.back_canvas(colour)
    folds(back, rng, (-SIDE_WALL, 0.0, SIDE_WALL, back.top), 0.3)
    x, y = back.places()
    back.multiply(0.72 + 0.4 * np.exp(-((x / 3.5) ** 2) - ((y - 1.6) / 2.2) ** 2))
    back.rectangle(-SIDE_WALL, 0.0, SIDE_WALL, 0.03, darker(colour, 0.3))
    site.back(back)
    site.sides(lambda canvas: folds(canvas, rng, (canvas.left, 0, 0, canvas.top), 0.35), darker(colour, 0.55))

    def rig(canvas: Canvas) -> None:
        for y in np.arange(canvas.bottom, canvas.top, 1.6):
            canvas.rectangle(canvas.left, y, canvas.right, y + 0.08, (70, 70, 74))
            for x in np.arange(-4, 4.1, 1.6):
                canvas.disc(x, y, 0.13, (250, 236, 200))

    site.roof(rig, (20, 20, 24))
    for side in (-1.0, 1.0):
        edge = sorted((side * 3.9, side * 4.5))
        site.box((edge[0], edge[1]), (site.wall - 1.1, site.wall - 0.6), (0.0, 1.3), (34, 34, 36), _speaker)


def _speaker(canvas: Canvas) -> None:
    for y, radius in ((0.35, 0.22), (0.9, 0.16)):
        canvas.disc(0.5 * canvas.right, y, radius, (70, 70, 72))
        canvas.disc(0.5 * canvas.right, y, 0.8 * radius, (18, 18, 20))


def _gym(site: Site) -> None:
    rng = site.rng
    colour = pick(rng, [(184, 140, 92), (96, 136, 116), (104, 132, 160), (170, 110, 84)])
    floor = site.floor_canvas(colour)
    if colour[0] > 150:
        planks(floor, rng, colour, 0.1, 2.0)
    else:
        speckles(floor, rng, 0.03, 0.04)
    for tone, x in (((240, 240, 236), -2.6), ((230, 200, 60), 0.9), ((60, 90, 160), 3.4)):
        floor.rectangle(x, floor.bottom, x + 0.05, floor.top, tone)
        y = floor.top - rng.uniform(0.8, 3.5)
        floor.rectangle(floor.left, y, floor.right, y + 0.05, tone)
    steps = np.linspace(0, 2 * np.pi, 80)
    ring = np.column_stack([1.8 * np.cos(steps), site.wall - 3.5 + 1.8 * np.sin(steps)])
    floor.line(ring, 0.05, (240, 240, 236))
    site.floor(floor)
    back = site.back_canvas(pick(rng, [(214, 208, 192), (200, 206, 208), (190, 150, 116)]))
    lower = pick(rng, [(176, 136, 96), (96, 120, 140), (120, 130, 110)])
    back.rectangle(-SIDE_WALL, 0, SIDE_WALL, 2.6, lower)
    for x in np.arange(-SIDE_WALL, SIDE_WALL, 0.5):
        back.rectangle(x, 0, x + 0.015, 2.6, darker(lower, 0.75))
    _plaster(site, back)
    for x in (-3.6, -1.2, 1.2, 3.6):
        window_pane(back, rng, (x - 1.0, 4.0, x + 1.0, 5.4), (200, 202, 204), site.outside(), 4, 2)
    for x in (-3.9, -2.95, 2.95, 3.9):
        for y in np.arange(0.2, 2.5, 0.17):
            back.rectangle(x - 0.42, y, x + 0.42, y + 0.05, (206, 164, 112))
        for edge in (-0.45, 0.42):
            back.rectangle(x + edge, 0, x + edge + 0.04, 2.55, (176, 132, 86))
    back.rectangle(-0.9, 2.9, 0.9, 3.9, (240, 240, 240))
    back.rectangle(-0.3, 3.0, 0.3, 3.45, (200, 60, 40))
    back.rectangle(-0.26, 3.04, 0.26, 3.41, (240, 240, 240))
    site.back(back)

    def side(canvas: Canvas) -> None:
        canvas.rectangle(canvas.left, 0, 0, 2.6, lower)
        for x in np.arange(canvas.left, 0, 3.0):
            canvas.rectangle(x, 0, x + 0.25, canvas.top, (186, 186, 182))

    site.sides(side, (206, 204, 194))

    def beams(canvas: Canvas) -> None:
        for y in np.arange(canvas.bottom, canvas.top, 2.0):
            canvas.rectangle(canvas.left, y, canvas.right, y + 0.25, (140, 110, 80))
            for x in (-3.0, 0.0, 3.0):
                canvas.rectangle(x - 0.6, y + 0.9, x + 0.6, y + 1.1, (255, 255, 248))

    site.roof(beams, (190, 188, 180))
    site.box((-1.6, 1.6), (site.wall - 0.4, site.wall - 0.1), (0.36, 0.42), (196, 152, 104), shade=False)
    site.shade(-1.6, 1.6, site.wall - 0.4, site.wall - 0.1, 0.35)
    for x in (-1.4, 1.3):
        site.box((x, x + 0.1), (site.wall - 0.38, site.wall - 0.12), (0.0, 0.36), (110, 80, 56))
    mats = pick(rng, STRONG)
    for layer in range(int(rng.integers(1, 4))):
        site.box((3.2, 4.7), (site.wall - 1.3, site.wall - 0.3), (0.2 * layer, 0.2 * layer + 0.19), mats)


def _classroom(site: Site) -> None:
    rng = site.rng
    floor = site.floor_canvas((176, 170, 156))
    tiles(
        floor,
        rng,
        pick(rng, [(176, 168, 152), (150, 160, 162), (168, 148, 126)]),
        (0.6, 0.6),
        0.004,
        variation=0.03,
    )
    speckles(floor, rng, 0.05, 0.05)
    site.floor(floor)
    paint = pick(rng, PAINTS)
    back = site.back_canvas(paint)
    _plaster(site, back)
    _skirting(back)
    board = pick(rng, [(44, 74, 60), (40, 44, 46), (240, 242, 242)], 0.05)
    back.rectangle(-2.1, 0.9, 2.1, 2.2, (150, 112, 76))
    back.rectangle(-2.03, 0.97, 2.03, 2.13, board)
    back.grain(rng, (0.7, 0.3), 0.08, 3, (-2.03, 0.97, 2.03, 2.13))
    chalk = (230, 230, 224) if board[0] < 128 else (50, 60, 130)
    for _ in range(16):
        start = np.array([rng.uniform(-1.9, 1.3), rng.uniform(1.1, 2.0)])
        steps = np.cumsum(np.column_stack([np.full(11, 0.045), rng.uniform(-0.02, 0.02, 11)]), axis=0)
        back.line(start + steps, 0.012, chalk)
    for x in (-4.6, -3.9, -3.2, 2.5, 3.2, 3.9):
        poster(back, rng, x, 1.2 + rng.uniform(-0.1, 0.3), 0.5, 0.65)
    back.disc(2.9, 2.3, 0.17, (40, 40, 42))
    back.disc(2.9, 2.3, 0.15, (244, 244, 240))
    back.line([(2.9, 2.3), (2.9, 2.41)], 0.015, (20, 20, 20))
    back.line([(2.9, 2.3), (2.98, 2.27)], 0.015, (20, 20, 20))
    site.back(back)

    def windows(canvas: Canvas) -> None:
        _skirting(canvas)
        for x in np.arange(canvas.left, -1.6, 2.2):
            window_pane(canvas, rng, (x + 0.3, 0.95, x + 1.9, 2.3), (232, 230, 226), site.outside(), 2)

    site.sides(windows, paint)
    _white_roof(site)
    for x in (-3.7, 3.7):
        _desk(site, x, site.wall - 0.8)
    _bookcase(site, 3.0 if rng.random() < 0.5 else -3.0)


INDOORS: dict[str, Callable[[Site], None]] = {
    "room": _room,
    "studio": _studio,
    "office": _office,
    "kitchen": _kitchen,
    "dance_studio": _dance_studio,
    "stage": _stage,
    "gym": _gym,
    "classroom": _classroom,
}
"""What paints each indoor place."""
