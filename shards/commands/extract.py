"""`dancemill shards extract`: one sample's members as files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from shards.commands.output import print_json, print_line
from shards.commands.selection import reading, sample_or_first
from shards.errors import UserError
from shards.writer import read_sample_members

_PLAIN_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
"""What a manifest may name a file: no folder, nothing hidden."""


class ExtractError(UserError):
    """The sample cannot be written out; the message says why."""


def extract(
    dataset: Path,
    key: str | None = None,
    *,
    out: Path,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Write one sample's members as files: frames, poses.npz, meta.json.

    Parameters
    ----------
    dataset
        The dataset's folder.
    key
        The sample's key, as `dancemill shards ls` lists it; the first sample without one.
    out
        The folder for the files; made if it is not there. Files of the same names are replaced.
    json
        Print the paths as JSON.
    """
    sample = sample_or_first(dataset, key)
    for name in sample.member_names:
        if not _PLAIN_NAME.fullmatch(name):
            raise ExtractError(
                f"{sample.key} has a member named {name!r}, which is no plain file name: nothing is written"
            )
    with reading(dataset):
        members = read_sample_members(dataset, sample.row)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for member in members:
            (out / member.name).write_bytes(member.data)
    except OSError as error:
        raise ExtractError(
            f"cannot write to {out}: {error.strerror}. Name another folder with --out."
        ) from error
    if json:
        print_json([str(out / member.name) for member in members])
    else:
        print_line(f"{sample.key}: {len(members)} files in {out}")
    return 0
