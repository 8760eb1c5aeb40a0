"""The command line's root: registers each folder's commands, which are loaded when they are called."""

from __future__ import annotations

import os
import sys

from cyclopts import App, CycloptsError

from extractors.weights.errors import WeightsError
from renderers.body_models.errors import ModelFileError
from renderers.mannequin.errors import MannequinError
from renderers.offscreen import OffscreenError
from shards.commands import app as shards
from shards.errors import UserError

app = App(
    name="dancemill",
    help="Turns raw videos of people into a validated multi-pose training set for human-animation models.",
    result_action="return_value",
)
app.command("pipelines.commands.extract:extract", name="extract", help="Videos to a dataset.")
app.command("pipelines.commands.retry:retry", name="retry", help="Try again what failed.")
app.command("pipelines.commands.plan:plan", name="plan", help="What a run would come to.")
app.command("pipelines.commands.doctor:doctor", name="doctor", help="What this machine lacks for a run.")
app.command("renderers.mannequin.command:synth", name="synth", help="Videos of made people, with labels.")
app.command("extractors.weights.command:app", name="weights", help="Get and check the weights of networks.")
app.command(shards)


def main() -> None:
    """Run the command of sys.argv.

    Exit codes: 0 done, 1 not all well, 2 a mistake told in one message, 130 stopped by Ctrl-C.
    """
    try:
        sys.exit(app(exit_on_error=False) or 0)
    except CycloptsError:
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (UserError, MannequinError, ModelFileError, OffscreenError, WeightsError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
