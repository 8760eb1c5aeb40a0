"""meta.json: what a sample says of itself, as the bytes of a member."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shards.schema import SampleError


def pack_meta(meta: Mapping[str, Any]) -> bytes:
    """The bytes of a meta.json: the same for the same values."""
    return json.dumps(meta, indent=1, sort_keys=True, ensure_ascii=False).encode()


def read_meta(data: bytes) -> dict[str, Any]:
    """The values of a meta.json. Raises SampleError."""
    try:
        meta = json.loads(data)
    except ValueError as error:
        raise SampleError(f"meta.json is no JSON: {error}") from error
    if not isinstance(meta, dict):
        raise SampleError("meta.json is no JSON object")
    return meta
