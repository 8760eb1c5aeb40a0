"""The inspection commands, `dancemill shards ...`, one file for each; loaded when they are called."""

from __future__ import annotations

from cyclopts import App

app = App(name="shards", help="Look at a dataset, read from it, and check it.")
for _name in ("info", "ls", "show", "extract", "preview", "lint"):
    app.command(f"shards.commands.{_name}:{_name}", name=_name)
