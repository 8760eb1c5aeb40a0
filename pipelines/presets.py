"""The named sets of extractors and conditions, each with how to load it."""

from __future__ import annotations

from extractors.interface import Extractor, Lineage


def load_extractor(preset: str) -> Extractor:
    """The preset's extractor with its models loaded. Imported here, so that only the processes that extract
    pay for it.
    """
    if preset == "embedded":
        from extractors.mediapipe_holistic import MediaPipeHolistic

        return MediaPipeHolistic()
    raise ValueError(f"no preset {preset!r}")


def lineage_of(preset: str) -> Lineage:
    """What the preset's numbers come from."""
    return load_extractor(preset).lineage
