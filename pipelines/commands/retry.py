"""`dancemill retry`: try again what failed for some reasons."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipelines.commands.run_flow import run_flow
from pipelines.reasons import Reason
from shards.errors import UserError


class RetryError(UserError):
    """There is nothing to try again; the message says why."""


def retry(
    dataset: Path,
    *,
    reason: Annotated[list[str], Parameter(negative="")],
    workers: int = 0,
    workers_per_gpu: int = 2,
    ray_address: str | None = None,
    stall_seconds: float = 120.0,
    strict: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Try again the inputs and clips of a dataset that failed with one of these reasons.

    Parameters
    ----------
    dataset
        The dataset's folder.
    reason
        A reason code of the ledger, as `dancemill shards info` lists them; may be given several times.
    workers
        Processes; 0 takes one for each CPU, or as many as share the GPUs where networks run on them.
    workers_per_gpu
        So many share a GPU.
    ray_address
        A running Ray cluster; without it a local Ray is started.
    stall_seconds
        A worker that takes longer over one frame is ended, and its clip tried again.
    strict
        Exit with 1 if any input or clip failed.
    """
    if not (dataset / "videos.parquet").is_file():
        raise RetryError(f"{dataset} holds no ledger (videos.parquet): run dancemill extract first")
    for code in reason:
        if code not in list(Reason):
            raise RetryError(f"there is no reason {code!r}: the codes are {', '.join(Reason)}")
    return run_flow(
        {
            "inputs": [],
            "out": str(dataset),
            "retry_reasons": reason,
            "workers": workers,
            "workers_per_gpu": workers_per_gpu,
            "ray_address": ray_address,
            "stall_seconds": stall_seconds,
            "strict": strict,
        }
    )
