"""What somebody looks like, drawn by a seed: build, face, hair and clothes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from renderers.mannequin.clothes import dress
from renderers.mannequin.hair import Hair, draw_hair
from renderers.mannequin.outfit import Outfit, draw_outfit
from renderers.mannequin.person import Person, Shape, draw_shape, make_person
from renderers.mannequin.skin import Complexion, draw_complexion
from renderers.mannequin.surface import Surface


@dataclass(frozen=True)
class Look:
    """Everything about somebody that stays as it is through a video."""

    shape: Shape
    complexion: Complexion
    hair: Hair
    outfit: Outfit


def draw_look(rng: np.random.Generator) -> Look:
    """Somebody, by chance. Brows have the hair's colour."""
    shape_rng, skin_rng, hair_rng, outfit_rng = rng.spawn(4)
    shape = draw_shape(shape_rng)
    hair = draw_hair(hair_rng, shape)
    complexion = replace(draw_complexion(skin_rng, shape), brow=hair.colour)
    return Look(shape, complexion, hair, draw_outfit(outfit_rng, shape))


def make_figure(look: Look) -> tuple[Person, tuple[Surface, ...]]:
    """The body and the surfaces of somebody."""
    person = make_person(look.shape)
    return person, dress(person, look.complexion, look.hair, look.outfit)
