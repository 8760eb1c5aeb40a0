"""Dressing a body: an outfit as surfaces that lie on it.

Cloth is hm08's `helper-tights`, a smooth suit from neck to toes, or a tube round hips and legs. It is let out
from the body, hangs from what sticks out, follows the skin below it, and is cut at neckline, cuffs and hems;
the skin that it covers is cut away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array

from renderers.mannequin.drape import (
    blended_weights,
    bone_weights,
    folded,
    hang_from,
    kept_off,
    let_out,
    smoothstep,
    tinted,
    weights_below,
)
from renderers.mannequin.fabric import Colour, Fabric, pattern_picture
from renderers.mannequin.hair import Hair, hair_surface
from renderers.mannequin.outfit import Outfit, Shoes, Skirt, Top, Trousers
from renderers.mannequin.person import Person
from renderers.mannequin.skin import Complexion, eye_surfaces, skin_surface
from renderers.mannequin.surface import Surface, cut, part_of, refined, smoothed

_CLOTH = 0.95
_LEATHER = 0.6


def dress(person: Person, complexion: Complexion, hair: Hair, outfit: Outfit) -> tuple[Surface, ...]:
    """The surfaces of a dressed person: the skin where it shows, eyes, hair and clothes."""
    suit = _make_suit(person, outfit)
    return (
        _bare_skin(person, complexion, outfit),
        *eye_surfaces(person, complexion),
        *hair_surface(person, hair, 0.08 if outfit.top.collar == "hood" else 0.032),
        *_top(suit, outfit),
        *_bottom(suit, outfit),
        *_shoes(suit, outfit),
    )


@dataclass(frozen=True)
class Body:
    """Points on or near a body, and where on it they are.

    `arm` says how far along the arm each is, as `Top.sleeve` does (-1 off the arms), `on_arm` how much it
    follows the arm.
    """

    person: Person
    points: Float[np.ndarray, "points 3"]
    arm: Float[np.ndarray, "points"]
    on_arm: Float[np.ndarray, "points"]
    waist: float
    """The height of the waistband."""

    @property
    def crotch(self) -> float:
        """The height at which the legs part."""
        return float(0.4 * self.person.head("root")[2] + 0.6 * self.person.head("upperleg02.L")[2]) - 0.05

    def leg_height(self, leg: float) -> float:
        """The height of a place on the leg: 0 at the crotch, 1 at the knee, 2 at the ankle."""
        knee, ankle = self.person.head("lowerleg01.L")[2], self.person.head("foot.L")[2]
        return float(np.interp(leg, (0, 1, 2, 3), (self.crotch, knee, ankle, 2 * ankle - knee)))

    def moved(self, cloth: Surface) -> Body:
        """The same points where a cloth has taken them, so that what is cut there has clean edges."""
        return _on_body(self.person, self.waist, cloth.points, cloth.weights)


@dataclass(frozen=True)
class Suit:
    """The smooth suit that cloth is cut from."""

    surface: Surface
    body: Body
    torso: Callable[[np.ndarray], np.ndarray]


def _waist(person: Person, outfit: Outfit) -> float:
    """Skirts sit at the waist, trousers on the hips."""
    return float(person.head("spine04" if isinstance(outfit.bottom, Skirt) else "spine05")[2]) + 0.02


def _on_body(person: Person, waist: float, points: np.ndarray, weights: csr_array) -> Body:
    def share(*starts: str) -> np.ndarray:
        chosen = [number for number, bone in enumerate(person.bones) if bone.startswith(starts)]
        return np.asarray(weights[:, chosen].sum(axis=1)).ravel()

    forearm = share("lowerarm", "wrist", "metacarpal", "finger")
    on_arm = share("upperarm") + forearm
    shoulder, elbow, wrist = (person.head(f"{bone}.L") for bone in ("upperarm01", "lowerarm01", "wrist"))
    mirrored = points * np.where(points[:, :1] < 0, [[-1, 1, 1]], 1)
    upper = (mirrored - shoulder) @ (elbow - shoulder) / np.sum((elbow - shoulder) ** 2)
    lower = (mirrored - elbow) @ (wrist - elbow) / np.sum((wrist - elbow) ** 2)
    along = np.where(
        forearm > upper.clip(0, 1) * 0.5, np.where(lower > 0, 1 + lower, np.minimum(upper, 1)), upper
    )
    return Body(person, points, np.where(on_arm > 0.5, along, -1.0), on_arm, waist)


def _make_suit(person: Person, outfit: Outfit) -> Suit:
    tights = refined(part_of(person, "helper-tights"))
    tights = replace(tights, weights=weights_below(person, tights.points))
    body = _on_body(person, _waist(person, outfit), tights.points, tights.weights)
    behind = float(person.head("root")[1])

    def torso(heights: np.ndarray) -> np.ndarray:
        return np.stack([np.zeros_like(heights), np.full_like(heights, behind)], axis=-1)

    return Suit(tights, body, torso)


def _above_collar(body: Body) -> np.ndarray:
    """About how many metres above the root of the neck each point is: above a cone that slants forward."""
    person = body.person
    neck = person.head("neck01")
    across, behind, above = (body.points - neck).T
    near = person.vertices[np.abs(person.vertices[:, 2] - neck[2] - 0.01) < 0.008]
    width = np.abs(near[np.abs(near[:, 0]) < 0.1, 0]).max()
    return 0.8 * (above + 0.005 - 0.55 * behind) - 0.6 * (np.hypot(across, behind) - width)


def _slit(body: Body, top: Top) -> np.ndarray:
    """About how many metres beside an open collar's slit each point is."""
    across, behind, _ = (body.points - body.person.head("neck01")).T
    slit = np.abs(across) - 0.5 * (_above_collar(body) + top.neck_depth)
    return np.where(behind < 0, slit, 1.0)


def _neckline(body: Body, top: Top) -> np.ndarray:
    """About how many metres outside the neckline each point is."""
    across = np.abs(body.points[:, 0])
    forward = body.person.head("neck01")[1] - body.points[:, 1]
    if top.collar == "high":
        return 0.04 - _above_collar(body)
    if top.collar in ("shirt", "hood"):
        return np.minimum(0.014 - _above_collar(body), _slit(body, top))
    spread = across / (0.065 + 0.3 * top.neck_depth)
    scoop = 1 - np.minimum(spread, 1) ** 2
    point = np.maximum(1 - spread, 0)
    lower = scoop + top.neck_point * (point - scoop)
    return (
        -0.35 * top.neck_width
        - lower * top.neck_depth * smoothstep(-0.02, 0.03, forward)
        - _above_collar(body)
    )


def _top_edges(body: Body, top: Top) -> Float[np.ndarray, "edges points"]:
    """About how many metres inside a top's neckline, cuffs and hem each point is."""
    person = body.person
    shoulder, elbow = person.head("upperarm01.L"), person.head("lowerarm01.L")
    if top.sleeve == 0:
        out = np.abs(body.points[:, 0]) - shoulder[0]
        cuff = -0.035 - 0.94 * out - 0.34 * (body.points[:, 2] - shoulder[2])
        cuff = np.minimum(cuff, 0.1 * (0.5 - body.on_arm))
    else:
        cuff = (top.sleeve - body.arm) * float(np.linalg.norm(elbow - shoulder))
    return np.stack([_neckline(body, top), cuff, body.points[:, 2] - _hem(body, top)])


def _top_level(body: Body, top: Top) -> np.ndarray:
    """About how many metres inside a top each point is."""
    return _top_edges(body, top).min(axis=0)


def _hem(body: Body, top: Top) -> float:
    if top.tucked:
        return body.waist - 0.03
    return max(body.waist - top.length, body.crotch + 0.05)


def _trouser_level(body: Body, bottom: Trousers) -> np.ndarray:
    """About how many metres inside trousers each point is."""
    height = body.points[:, 2]
    level = np.minimum(body.waist - height, height - body.leg_height(bottom.leg))
    return np.where(body.on_arm > 0.5, -1.0, level)


def _shoe_top(body: Body, shoes: Shoes) -> np.ndarray:
    """The height at which a shoe ends at each point: low shoes are open over the instep."""
    ankle = body.person.head("foot.L")
    if shoes.height >= 0:
        return np.full(len(body.points), ankle[2] + shoes.height)
    instep = np.exp(-(((body.points[:, 1] - ankle[1] + 0.05) / 0.05) ** 2))
    return ankle[2] + shoes.height + 0.005 - 0.035 * instep * (shoes.height < -0.02)


def _shoe_level(body: Body, shoes: Shoes) -> np.ndarray:
    return _shoe_top(body, shoes) - body.points[:, 2]


def _sock_level(body: Body, shoes: Shoes) -> np.ndarray:
    if shoes.sock_height is None:
        return np.full(len(body.points), -1.0)
    return body.person.head("foot.L")[2] + shoes.sock_height - body.points[:, 2]


def _bare_skin(person: Person, complexion: Complexion, outfit: Outfit) -> Surface:
    """The skin that shows, and what lies a little way inside the clothes."""
    skin = skin_surface(person, complexion)
    body = _on_body(person, _waist(person, outfit), skin.points, skin.weights)
    height = body.points[:, 2]
    hem = body.leg_height(outfit.bottom.leg)
    inside_leg = min(0.10 if isinstance(outfit.bottom, Skirt) else 0.05, 0.4 * (body.crotch - hem))
    off_arms = 1.0 - 2.0 * (body.on_arm > 0.5)
    covered = np.maximum.reduce(
        [
            (_top_edges(body, outfit.top) - np.array([[0.03], [0.05], [0.02]])).min(axis=0),
            # Up to where the top begins at the latest.
            np.minimum.reduce([height - hem - inside_leg, body.waist + 0.02 - height, off_arms]),
            _shoe_level(body, outfit.shoes) - 0.03,
            _sock_level(body, outfit.shoes) - 0.02,
        ]
    )
    return cut(skin, -covered)


def _sewn(piece: Surface, fabric: Fabric) -> Surface:
    """A piece of cloth in a fabric. Its colours are the shades of its folds, its texture coordinates metres
    round the body and down it."""
    picture = pattern_picture(fabric)
    if picture is None:
        return replace(piece, colours=piece.colours * fabric.colour, roughness=_CLOTH)
    # The middle of the picture lies where both are zero.
    where = piece.texture_coordinates / fabric.repeat + 0.5
    return replace(piece, texture_coordinates=where, texture=picture, roughness=_CLOTH)


def _on_top(cloth: Surface, level: np.ndarray, colour: Colour, distance: float = 0.005) -> Surface:
    """A band, collar or pocket sewn onto a cloth where `level` is positive."""
    piece = cut(let_out(cloth, distance), level)
    return replace(piece, colours=piece.colours * colour, roughness=_CLOTH)


def _creases(points: np.ndarray, phase: float) -> np.ndarray:
    """Folds between -1 and 1 that run mostly down, some centimetres wide."""
    x, y, z = points.T
    bent = 9 * x + 4 * np.sin(7 * z + phase) + 3 * y
    long = np.sin(3.1 * bent + 11 * y + 4 * z + phase) * np.sin(5 * z + 13 * x + 2.7 * phase)
    short = np.sin(34 * z + 11 * np.sin(13 * x + 2 * y + phase)) * np.sin(25 * x + 18 * y + 7 * z + phase)
    return 0.6 * long + 0.4 * short


def _level(cloth: Surface, heights: np.ndarray, share: np.ndarray) -> Surface:
    """The cloth with its points at the given heights, as far as `share` says, so that hems are straight."""
    points = cloth.points.copy()
    points[:, 2] += share * (heights - points[:, 2])
    return replace(cloth, points=points)


def _shades(creases: np.ndarray) -> Float[np.ndarray, "points 3"]:
    return np.tile((0.94 + 0.06 * creases)[:, None], (1, 3))


def _top(suit: Suit, outfit: Outfit) -> tuple[Surface, ...]:
    top = outfit.top
    cloth = _hung_top(suit, outfit)
    body = suit.body.moved(cloth)
    level = _top_level(body, top)
    main = top.fabric
    if main.pattern == "plain" or top.sleeve == 0:
        pieces = [_sewn(cut(cloth, level), main)]
    else:
        on_sleeves = replace(main, pattern="plain") if main.pattern == "emblem" else main
        whole = cut(cloth, level)
        body = body.moved(whole)
        along = np.maximum(body.arm, 0) * 0.28
        sleeves = replace(whole, texture_coordinates=np.column_stack([_round_arm(body), along]))
        pieces = [
            _sewn(cut(whole, 0.5 - body.on_arm), main),
            _sewn(cut(sleeves, body.on_arm - 0.5), on_sleeves),
        ]
    return (*pieces, *_trimmings(cloth, suit.body.moved(cloth), outfit))


def _round_arm(body: Body) -> np.ndarray:
    """Metres round the arm, from its top to below it."""
    start, end = body.person.head("upperarm01.L"), body.person.head("wrist.L")
    along = (end - start) / np.linalg.norm(end - start)
    above = np.cross(np.cross(along, [0.0, 0.0, 1.0]), along)
    mirrored = body.points * np.where(body.points[:, :1] < 0, [[-1, 1, 1]], 1) - start
    angle = np.arctan2(mirrored @ np.cross(along, above), mirrored @ above)
    return folded(angle, 0.06)


def _hung_top(suit: Suit, outfit: Outfit) -> Surface:
    """The whole suit as the cloth of a top, uncut."""
    top, body, person = outfit.top, suit.body, suit.body.person
    hem, waist = _hem(body, top), body.waist
    shoulder = float(person.head("upperarm01.L")[2])
    points = suit.surface.points
    height = points[:, 2]
    hang = hang_from(
        points[body.on_arm < 0.3],
        suit.torso,
        shoulder - 0.06,
        hem - 0.02,
        flare=-0.6 * (1 - top.loose) ** 2,
        wrap=0.3 + 0.7 * top.loose,
    )
    angle, radius = hang.around(points)
    at_waist = smoothstep(waist + 0.10, waist + 0.01, height) * top.tucked
    on_torso = smoothstep(0.5, 0.15, body.on_arm) * smoothstep(shoulder - 0.05, shoulder - 0.14, height)
    hung = np.maximum(hang.radius(angle, height) - radius, 0) * on_torso * (1 - at_waist)
    hung *= min(1.0, 2.5 * top.loose)
    outward = np.column_stack([np.sin(angle), -np.cos(angle), np.zeros(len(points))])
    sleeve = np.clip(body.arm / max(top.sleeve, 0.3), 0, 1) * smoothstep(0.4, 0.8, body.on_arm)
    collar = smoothstep(0.06, 0.0, _neckline(body, top))
    falling = smoothstep(waist + 0.12, hem, height) * on_torso * (not top.tucked)
    creases = _creases(points, outfit.drape)
    roomy = top.loose * np.clip(0.4 + 12 * hung, 0, 1)
    distance = (
        0.002
        + (0.004 + 0.010 * top.loose) * (1 - at_waist) * (1 - 0.8 * collar)
        + (0.002 + (0.024 if top.sleeve < 1.2 else 0.014) * top.loose) * sleeve
        + 0.010 * falling
        + (0.0012 + 0.004 * roomy) * creases * (1 - collar) * (1 - at_waist)
    )
    cloth = replace(suit.surface, points=points + outward * hung[:, None])
    cloth = smoothed(cloth, 5)
    # Cloth lies close on what is below it.
    distance *= 1 - 0.7 * np.clip(cloth.normals[:, 2], 0, 1)
    cloth = kept_off(person, let_out(cloth, distance), 0.005)
    cloth = _level(cloth, height, on_torso)
    if top.fabric.pattern == "emblem":
        round_body, middle = 0.16 * np.abs(angle), shoulder - 0.10
    else:
        round_body, middle = folded(angle, 0.16), waist
    return replace(
        cloth,
        colours=_shades(creases),
        texture_coordinates=np.column_stack([round_body, middle - height]),
    )


def _trimmings(cloth: Surface, body: Body, outfit: Outfit) -> tuple[Surface, ...]:
    """Collar, cuffs, button strip, pocket and hood."""
    top = outfit.top
    level, neckline = _top_level(body, top), _neckline(body, top)
    x, y, z = body.points.T
    own = top.fabric.colour
    front = float(body.person.head("neck01")[1]) - y
    darker = (0.9 * own[0], 0.9 * own[1], 0.9 * own[2])
    colour = top.trim or darker
    pieces = []
    if top.collar == "band" or top.trim is not None:
        pieces.append(_on_top(cloth, np.minimum(level, 0.016 - neckline), colour))
        if top.sleeve > 0:
            cuff = top.sleeve - 0.06 - body.arm
            pieces.append(_on_top(cloth, np.minimum(level, -0.28 * cuff), colour))
    rise, slit = _above_collar(body), _slit(body, top)
    if top.collar == "shirt":
        strip = np.minimum.reduce([level, 0.015 - np.abs(x), front])
        pieces.append(_on_top(cloth, strip, darker, 0.0015))
        fold = np.minimum.reduce([rise + 0.014, 0.022 - rise, slit])
        folded_over = let_out(cloth, 0.004 + 0.007 * smoothstep(0.02, -0.02, rise))
        pieces.append(_on_top(folded_over, fold, own, 0.0))
    if top.collar == "hood":
        hood = np.minimum.reduce([rise + 0.06, 0.055 - rise - 0.6 * np.maximum(front, 0)])
        hood = np.minimum(hood, slit - 0.004)
        back = smoothstep(0.07, -0.03, front) * np.clip(hood / 0.05, 0, 1) ** 0.6
        pieces.append(_on_top(let_out(cloth, 0.004 + 0.040 * back), hood, own, 0.0))
        waist = body.waist
        pocket = np.minimum.reduce(
            [0.11 - np.abs(x) - 0.35 * (z - waist + 0.02), z - waist + 0.07, waist + 0.10 - z]
        )
        pieces.append(_on_top(cloth, np.minimum.reduce([pocket, level - 0.01, front]), darker, 0.005))
    return tuple(pieces)


def _bottom(suit: Suit, outfit: Outfit) -> tuple[Surface, ...]:
    body, bottom = suit.body, outfit.bottom
    if isinstance(bottom, Skirt):
        cloth = _skirt(suit, bottom, outfit.drape)
        height = cloth.points[:, 2]
        level = height - body.leg_height(bottom.leg)
    else:
        cloth = _legs(suit, bottom, outfit.drape)
        body = body.moved(cloth)
        height = body.points[:, 2]
        level = _trouser_level(body, bottom)
    # Under a top that hangs over it, the waistband does not show.
    level = np.minimum(level, min(body.waist, _hem(body, outfit.top) + 0.07) - height)
    pieces = [_sewn(cut(cloth, level), bottom.fabric)]
    if outfit.belt is not None:
        pieces.append(_on_top(cloth, np.minimum(level, height - body.waist + 0.035), outfit.belt, 0.004))
    return tuple(pieces)


def _legs(suit: Suit, trousers: Trousers, phase: float) -> Surface:
    """The whole suit as the cloth of trousers, uncut."""
    body, person = suit.body, suit.body.person
    hip, knee, ankle = (person.head(f"{bone}.L") for bone in ("upperleg02", "lowerleg01", "foot"))
    middle = np.stack([ankle, knee, hip])

    def axis(heights: np.ndarray) -> np.ndarray:
        return np.stack([np.interp(heights, middle[:, 2], middle[:, place]) for place in (0, 1)], axis=-1)

    points = suit.surface.points
    side = np.where(points[:, :1] < 0, [[-1.0, 1.0, 1.0]], 1.0)
    mirrored = points * side
    height = points[:, 2]
    legs = mirrored[(body.on_arm < 0.3) & (height < body.crotch)]
    bottom = body.leg_height(trousers.leg)
    hang = hang_from(legs, axis, body.crotch - 0.02, bottom - 0.02, flare=trousers.flare, wrap=0.5)
    angle, radius = hang.around(mirrored)
    on_leg = smoothstep(body.crotch, body.crotch - 0.10, height) * (body.on_arm < 0.3)
    hung = np.maximum(hang.radius(angle, height) - radius, 0) * on_leg * min(1.0, 3 * trousers.loose)
    loose = (trousers.loose * 0.022 * on_leg + hung)[:, None]
    moved = mirrored + np.column_stack([np.sin(angle), -np.cos(angle), np.zeros(len(points))]) * loose
    between = np.minimum(mirrored[:, 0], 0.002)
    moved[:, 0] = np.maximum(moved[:, 0], between)
    creases = _creases(points * [1, 1, 0.7], phase + 1)
    ease = -0.003 if trousers.loose == 0 else 0.003 + 0.006 * trousers.loose
    cloth = smoothed(replace(suit.surface, points=moved * side), 5)
    cloth = let_out(cloth, ease + (0.0005 + 0.004 * trousers.loose) * creases)
    cloth = kept_off(person, cloth, 0.003)
    cloth = _level(cloth, height, smoothstep(0.5, 0.2, body.on_arm) * smoothstep(0.06, 0.09, height))
    return replace(
        cloth,
        colours=_shades(creases),
        texture_coordinates=np.column_stack([folded(angle, 0.09), body.waist - height]),
    )


def _skirt(suit: Suit, skirt: Skirt, phase: float) -> Surface:
    """A tube round hips and legs, a little longer than the skirt.

    Each half goes with its leg, so that the legs stay inside.
    """
    body, person = suit.body, suit.body.person
    top, bottom = body.waist + 0.01, body.leg_height(skirt.leg) - 0.02
    hang = hang_from(
        suit.surface.points[body.on_arm < 0.3], suit.torso, top, bottom, flare=skirt.flare, wrap=1.0
    )
    around, rows = 96, int(np.ceil((top - bottom) / 0.02)) + 1
    angles = np.arange(around) * (2 * np.pi / around)
    angle, height = (grid.ravel() for grid in np.meshgrid(angles, np.linspace(top, bottom, rows)))
    down = (top - height) / 0.6
    waves = np.sin((skirt.pleats or 9) * angle + phase)
    depth = (0.018 if skirt.pleats else 0.25 * max(skirt.flare, 0.0) * 0.3) * np.clip(1.5 * down, 0, 1)
    radius = hang.radius(angle, height) + 0.010 + 0.012 * np.clip(down, 0, 1) + depth * waves
    x, y = suit.torso(height).T
    points = np.column_stack([x + radius * np.sin(angle), y - radius * np.cos(angle), height])
    corner = np.arange((rows - 1) * around)
    right = corner // around * around + (corner + 1) % around
    triangles = np.concatenate(
        [
            np.column_stack([corner, corner + around, right]),
            np.column_stack([right, corner + around, right + around]),
        ]
    )
    hip, knee = person.head("upperleg01.L"), float(person.head("lowerleg01.L")[2])
    left = smoothstep(-0.85 * hip[0], 0.85 * hip[0], points[:, 0])
    shin = 0.9 * smoothstep(knee + 0.08, knee - 0.12, height)
    legs = bone_weights(
        person,
        {
            "upperleg02.L": left * (1 - shin),
            "lowerleg01.L": left * shin,
            "upperleg02.R": (1 - left) * (1 - shin),
            "lowerleg01.R": (1 - left) * shin,
        },
    )
    with_legs = smoothstep(float(person.head("root")[2]) + 0.02, body.crotch - 0.06, height)
    return Surface(
        points=points,
        triangles=triangles,
        weights=blended_weights(weights_below(person, points), legs, with_legs),
        colours=_shades(0.8 * waves * np.clip(down, 0, 1)),
        texture_coordinates=np.column_stack([folded(angle, float(radius.mean())), top - height]),
    )


def _shoes(suit: Suit, outfit: Outfit) -> tuple[Surface, ...]:
    shoes = outfit.shoes
    shin = suit.body.leg_height(1)
    snug = smoothed(cut(suit.surface, shin - suit.surface.points[:, 2]), 4)
    body = suit.body.moved(snug)
    height = body.points[:, 2]
    # Trouser legs fall over boots and socks, but leggings are tucked in.
    under = np.inf
    if isinstance(outfit.bottom, Trousers) and outfit.bottom.loose > 0:
        under = body.leg_height(outfit.bottom.leg) + 0.03
    shod = np.minimum(_shoe_level(body, shoes), under - height)
    ankle = float(body.person.head("foot.L")[2])
    leather = let_out(snug, 0.006 + 0.003 * smoothstep(ankle, ankle + 0.05, height))
    leather = kept_off(body.person, leather, 0.006)
    points = leather.points.copy()
    points[:, 2] = np.maximum(points[:, 2], 0.0)
    leather = replace(leather, points=points, roughness=_LEATHER)
    above_sole = points[:, 2] - shoes.sole
    sole = cut(leather, np.minimum(shod, -above_sole))
    outward = sole.normals * [1, 1, 0]
    sole = replace(sole, points=sole.points + 0.004 * outward)
    pieces = [
        tinted(cut(leather, np.minimum(shod, above_sole)), shoes.colour),
        tinted(sole, shoes.sole_colour),
    ]
    if shoes.sock_height is not None:
        sock = np.minimum.reduce([_sock_level(body, shoes), under - height, height - ankle + 0.06])
        pieces.append(replace(tinted(cut(let_out(snug, 0.001), sock), shoes.sock_colour), roughness=_CLOTH))
    return tuple(pieces)
