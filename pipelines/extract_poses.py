"""Videos to dataset: the flow `extract-poses`, one task for each video scanned or searched for people, and
each shard extracted.

It is called directly by `dancemill extract`, and deployed under the same name by prefect.yaml.
"""

from __future__ import annotations

from prefect import flow

from pipelines import stages
from pipelines.dataset_settings import check_same_people
from pipelines.estimators import lineages_of
from pipelines.ledger import Summary
from pipelines.progress import progress_bars
from pipelines.reasons import Reason
from pipelines.request import check_request
from pipelines.stages import whole
from pipelines.workers import WorkerPool
from pipelines.workspace import LEDGER, open_workspace
from shards.schema import VideoRow


class RunFailedError(Exception):
    """The run is over and counts as failed: nothing came out, or, when strict, not everything did."""

    def __init__(self, summary: Summary) -> None:
        super().__init__(summary.to_markdown())
        self.summary = summary


@flow(name="extract-poses", log_prints=False, validate_parameters=True)
def extract_poses(
    inputs: list[str],
    out: str,
    preset: str | None = None,
    clip_seconds: float | None = None,
    overlap_seconds: float | None = None,
    min_clip_seconds: float | None = None,
    fps: float | None = None,
    min_side: int | None = None,
    clips_per_shard: int | None = None,
    short_side: int | None = None,
    jpeg_quality: int | None = None,
    min_found: float | None = None,
    body_model: str | None = None,
    colours: str | None = None,
    detector: str | None = None,
    min_person_height: int | None = None,
    max_people: int | None = None,
    min_visible: float | None = None,
    weights: str | None = None,
    wholebody: str | None = None,
    feet: str | None = None,
    body_network: str | None = None,
    hand_boxes: str | None = None,
    backend: str | None = None,
    flip_test: bool | None = None,
    compat_bgr: bool | None = None,
    smooth: bool | None = None,
    precision: str | None = None,
    channels_last: bool | None = None,
    compile: bool | None = None,
    batch: int | None = None,
    policy: str | None = None,
    workers: int = 0,
    workers_per_gpu: int = 2,
    ray_address: str | None = None,
    stall_seconds: float = 120.0,
    retry_reasons: list[Reason] | None = None,
    strict: bool = False,
) -> Summary:
    """Extract `inputs` (files, folders, globs, .txt lists of paths) into the dataset `out`, or go on with it.

    Settings are explained in pipelines/settings.py; what is None is as the dataset has it, or by default.
    With no inputs, those of the dataset's ledger are taken. Raises UserError for what the caller must mend,
    and RunFailedError.
    """
    request = check_request(locals())
    settings = request.settings
    with open_workspace(request.dataset) as workspace, progress_bars() as bars:
        lineages = lineages_of(settings)
        check_same_people(request.dataset, lineages)
        earlier = stages.rows_if_there(workspace.dataset / LEDGER, VideoRow)
        with WorkerPool(request.run, settings, lineages, workspace.worker_logs) as pool:
            run = stages.Run(workspace, settings, lineages, pool, request.retry_reasons, bars, earlier)
            videos = stages.hash_inputs(whole(run), whole(request.paths))
            scans = stages.scan_videos(run, videos)
            looked = stages.look_for_people(run, videos, scans)
            plan = stages.plan_clips(whole(run), whole(videos), whole(looked))
            extracted = stages.extract_shards(run, plan)
            summary = stages.write_index_and_ledger(
                whole(run), whole(videos), whole(looked.scans), whole(plan), whole(extracted)
            )
    if summary.errors or summary.everything_failed or (strict and not summary.is_clean):
        raise RunFailedError(summary)
    return summary
