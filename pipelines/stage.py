"""What a worker does with one clip: extract it, and leave it in the staging folder, where the shard is put
together.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from pipelines.content_keys import ContentKeys, content_keys
from pipelines.estimators import Estimators
from pipelines.extract_clip import OldSample, clip_row, extract_clip
from pipelines.sample_meta import ClipJob
from pipelines.video import VideoError
from shards.check_sample import check_sample
from shards.errors import UserError
from shards.schema import META_MEMBER, ClipRow, SampleError, Status
from shards.writer import read_sample_members, stage_clip


def extract_and_stage(
    job: ClipJob,
    estimators: Estimators,
    dataset: Path,
    staging: Path,
    old_row: ClipRow | None,
    on_frame: Callable[[], object],
) -> ClipRow:
    """The clip's row, staged with its members; failed where its frames cannot be read again. Raises
    SampleError.

    `old_row` is the committed row of an earlier sample of the clip, whose parts are kept where they are still
    right. What an estimator raises is passed on.
    """
    try:
        row, members = extract_clip(job, estimators, _old_sample(dataset, old_row), on_frame)
    except VideoError as error:
        key = content_keys(job.clip, job.settings, estimators.lineages).sample
        row, members = clip_row(job, key, Status.FAILED, error.reason, error.message), []
    if row.status is Status.OK:
        check_sample(row, members)
    stage_clip(staging, row, members)
    return row


def _old_sample(dataset: Path, row: ClipRow | None) -> OldSample | None:
    if row is None or row.status is not Status.OK:
        return None
    try:
        members = {member.name: member.data for member in read_sample_members(dataset, row)}
        return OldSample(ContentKeys(**json.loads(members[META_MEMBER])["content_keys"]), members)
    except (UserError, SampleError, ValueError, KeyError, TypeError):
        return None  # damaged, or written by another version: made anew
