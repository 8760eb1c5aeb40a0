"""docs/weights.md, made from the registry: `python -m extractors.weights.page > docs/weights.md`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from extractors.weights.command import readable_size
from extractors.weights.registry import WEIGHTS, Weight

_BEFORE = """# Weights

The presets `realisdance` and `hia` run networks whose weights others publish; `embedded` needs none of them.
Those that are for "models" are what the two animation models start from, or are released as; no preset needs
them. Nothing is downloaded unless it is asked for:

    dancemill weights list              # what there is, how large, under which licence, and what is here
    dancemill weights fetch dwpose-l    # shows licence and size, asks, downloads and checks; --yes agrees
    dancemill weights import FILE       # takes a file that you have: by its name, or --as NAME
    dancemill weights verify            # hashes every file that is here; exit code 1 if one is wrong

They are kept in `~/.cache/dancemill/weights`, or in the folder that the environment variable
`DANCEMILL_WEIGHTS` names. A run that needs weights that are not there ends before it begins, with one message
that names them all. A download that breaks off goes on when the command is given again. Checkpoints are read
as data: tensors are taken out, and nothing that a file names is called (`extractors/weights/checkpoint.py`).

This page is made by `extractors/weights/page.py`.

## Licences

"Commercial use" is what the licence of the weights says. It is *unknown* where none is stated, or where the
publisher does not say whether the terms of the data that they were trained on hold for them. It is no legal
advice.
"""

_BETWEEN = """
## Files

"-" is what the publisher does not say. Eight digits of a hash are those that the publisher has in the file's
name. *By hand*: one registers or agrees to terms at the address, downloads the file oneself, and gives it to
`dancemill weights import`.
"""


def page() -> str:
    """The whole page."""
    licences = _table(
        ("name", "what for", "needed by", "licence of the weights", "of their code", "commercial use"),
        (
            (
                f"`{weight.name}`",
                weight.purpose,
                ", ".join(f"`{preset}`" for preset in weight.presets) or "-",
                weight.licence,
                weight.code,
                weight.commercial,
            )
            for weight in WEIGHTS.values()
        ),
    )
    noted: dict[str, list[str]] = {}
    for weight in WEIGHTS.values():
        if weight.note:
            noted.setdefault(weight.note, []).append(f"`{weight.name}`")
    notes = [f"- {', '.join(names)}: {note}" for note, names in noted.items()]
    files = _table(
        ("name", "file", "size", "SHA-256", "address"),
        (
            (
                f"`{weight.name}`",
                " or ".join(f"`{file}`" for file in weight.files),
                "-" if weight.size is None else readable_size(weight.size),
                f"`{weight.sha256}`" if weight.sha256 else "-",
                _address(weight),
            )
            for weight in WEIGHTS.values()
        ),
    )
    return "\n".join([_BEFORE, *licences, "", *notes, _BETWEEN, *files]) + "\n"


def _address(weight: Weight) -> str:
    if weight.member:
        return f"`{weight.member}` in <{weight.address}>"
    return f"<{weight.address}>" + (", by hand" if weight.by_hand else "")


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *rows)]


if __name__ == "__main__":
    print(page(), end="")
