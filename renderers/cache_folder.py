"""Where what takes long to make is kept: Anny's body, colours of body models, stand-ins for licensed ones,
and exported networks.
"""

from __future__ import annotations

import os
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]

PLACEHOLDER_VERSION = 2
"""Raised with every change of the stand-ins."""


def cache_folder() -> Path:
    """The folder ANNY_CACHE_DIR, or else `.cache/anny` under the project. It need not exist yet."""
    return Path(os.environ.get("ANNY_CACHE_DIR") or _ROOT / ".cache" / "anny")


def placeholder_folder() -> Path:
    """The folder of this version's stand-ins for SMPL-X and MANO, for dry runs. It need not exist yet."""
    return cache_folder() / f"placeholders-{PLACEHOLDER_VERSION}"
