"""Calls the flow from a command: quietly, with Prefect's ephemeral server unless another is configured."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from pipelines.ledger import Summary
from pipelines.request import check_request
from pipelines.workspace import OutputError

_QUIET = {
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "DO_NOT_TRACK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""What went wrong is said once, by the command and the ledger; and on a busy machine Prefect's server takes
longer to start than the 20 s it is given. The environment can set each otherwise."""


INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended, as shells have it."""


def run_flow(parameters: Mapping[str, Any]) -> int:
    """Run extract-poses, print its summary, and give the exit code: 0, or 1 for a run that failed.

    Raises UserError, before anything is started where it can.
    """
    check_request(parameters)
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    from pipelines.extract_poses import RunFailedError, extract_poses

    try:
        summary: Summary = extract_poses(**parameters)
    except RunFailedError as error:
        print(error.summary.to_markdown())
        print("error: the run failed; the ledger above says why", file=sys.stderr)
        return 1
    except OSError as error:
        raise OutputError(f"cannot go on in {parameters['out']}: {error}") from error
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    print(summary.to_markdown())
    if summary.is_unchanged:
        print(f"nothing to do: {summary.dataset} is as this command would make it")
    return 0
