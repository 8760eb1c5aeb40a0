"""Where the fitted body comes from; needs no torch, so that a run can be planned without it."""

from __future__ import annotations

from importlib.metadata import version

from extractors.interface import Licences, Lineage

VERSION = 1
"""Raised with every change of the fit that can change a number."""


def body_lineage(seen_by: Lineage) -> Lineage:
    """Of the body fitted to what that extractor saw: its weights and terms, and Anny's."""
    return Lineage(
        extractor=f"anny_fit to {seen_by.extractor} {seen_by.version}",
        version=VERSION,
        package=f"anny=={version('anny')}, {seen_by.package}",
        weights=seen_by.weights,
        licences=Licences(seen_by.licences.code, seen_by.licences.weights, body_model="CC0-1.0"),
    )
