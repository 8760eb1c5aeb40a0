"""docs/format.md names every array and every column, as the schema has them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from renderers.wholebody import BODY_PARTS
from shards.drawn_with import drawing_facts
from shards.schema import (
    KNOWN_BODY_MODELS,
    KNOWN_HAND_MODELS,
    POSES,
    SCHEMA_VERSION,
    ClipRow,
    VideoRow,
    arrow_schema,
    expected_shape,
)

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "format.md").read_text(encoding="utf-8")


def named_in(section: str) -> set[str]:
    """What the first column of the section's tables names."""
    text = PAGE.split(f"\n### {section}\n")[1].split("\n## ")[0].split("\n### ")[0]
    cells = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_every_array_is_described_as_it_is() -> None:
    for name, spec in POSES.items():
        assert f"| `{name}` | {expected_shape(spec, 'F')} | {spec.dtype} | {spec.meaning}" in PAGE
    assert named_in("poses.npz") == POSES.keys()


@pytest.mark.parametrize(
    ("section", "row_type"),
    [("shards/NNNNNN.parquet and index.parquet", ClipRow), ("videos.parquet", VideoRow)],
)
def test_every_column_is_described(section: str, row_type: type) -> None:
    assert named_in(section) == set(arrow_schema(row_type).names)


def test_what_a_sample_says_of_its_drawing_is_described() -> None:
    assert set(drawing_facts("smpl_cs")) <= set(re.findall(r"`(\w+)`", PAGE.split("### meta.json")[1]))


def test_models_parts_and_version_are_those_of_the_schema() -> None:
    assert ", ".join(BODY_PARTS) in " ".join(PAGE.split())
    assert {f"`{name}`" for name in (*KNOWN_BODY_MODELS, *KNOWN_HAND_MODELS)} <= set(
        re.findall(r"`\w+`", PAGE)
    )
    assert f"| `schema_version` | {SCHEMA_VERSION} |" in PAGE
