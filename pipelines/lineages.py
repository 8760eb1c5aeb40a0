"""Where each part of a sample comes from: what content keys, dataset.json and meta.json are told of it."""

from __future__ import annotations

from dataclasses import dataclass

from extractors.interface import RANDOM, Lineage


@dataclass(frozen=True)
class Lineages:
    """Of the keypoints, of the boxes of people (None where the extractor finds its person itself), and of the
    surfaces of body and hands (None without them).
    """

    keypoints: Lineage
    people: Lineage | None = None
    body: Lineage | None = None
    hands: Lineage | None = None

    def all(self) -> list[Lineage]:
        """Each of them once, in the order of the data's flow."""
        distinct: list[Lineage] = []
        for lineage in (self.people, self.keypoints, self.body, self.hands):
            if lineage is not None and lineage not in distinct:
                distinct.append(lineage)
        return distinct

    @property
    def is_random(self) -> bool:
        """Whether some network is untrained."""
        return any(RANDOM in lineage.weights.values() for lineage in self.all())
