"""The inspection commands, `dancemill shards ...`, one file for each; loaded when they are called."""

from __future__ import annotations

from cyclopts import App

_COMMANDS = {
    "info": "What a dataset holds, and what became of every input.",
    "ls": "Its samples, filtered and sorted. Exit code 1 where none matches.",
    "show": "One sample: arrays, members, meta.",
    "extract": "One sample's members as files.",
    "preview": "One sample as a picture, and as a video.",
    "rerender": "The conditions of bodies drawn again. Exit code 1 where there is nothing to draw.",
    "lint": "Check every byte. Exit code 1 if anything is wrong.",
}

app = App(name="shards", help="Look at a dataset, read from it, and check it.")
for _name, _help in _COMMANDS.items():
    app.command(
        f"shards.commands.{_name}:{_name}", name=_name, help=_help, sort_key=list(_COMMANDS).index(_name)
    )
