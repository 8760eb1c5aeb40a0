"""The account of every input: inputs = ok + filtered + failed + pending, each with its reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.plan import video_filter
from pipelines.reasons import MEANING, Reason
from pipelines.scan import VideoScan
from pipelines.settings import PlanSettings
from shards.schema import ClipRow, PlanRow, Status, VideoRow

NO_VIDEOS = frozenset({Reason.NOT_A_VIDEO, Reason.NO_VIDEO_STREAM})
"""What a folder of videos may well hold beside them: left out, not failed."""


@dataclass(frozen=True)
class Input:
    """A path that was named, and the video in it; where the file cannot be read, why, and no video id."""

    path: Path
    video_id: str = ""
    reason: str = ""
    error: str = ""


def plan_with_outcomes(plan: Iterable[PlanRow], outcomes: Mapping[str, ClipRow]) -> list[PlanRow]:
    """The plan's rows with status, reason, error and quality from the committed clips; pending where there is
    none.
    """
    return [_with_outcome(row, outcomes.get(row.key)) for row in plan]


def _with_outcome(row: PlanRow, outcome: ClipRow | None) -> PlanRow:
    if row.status is Status.FILTERED and row.shard < 0:
        return row
    if outcome is None:
        return replace(row, status=Status.PENDING, reason="", error="")
    return replace(
        row,
        status=outcome.status,
        reason=outcome.reason,
        error=outcome.error,
        body_found=outcome.body_found,
        face_found=outcome.face_found,
        left_hand_found=outcome.left_hand_found,
        right_hand_found=outcome.right_hand_found,
        confidence=outcome.confidence,
        hand_sharpness=outcome.hand_sharpness,
        hand_movement=outcome.hand_movement,
    )


def ledger_rows(
    inputs: Sequence[Input],
    scans: Mapping[str, VideoScan],
    earlier: Sequence[VideoRow],
    plan: Iterable[PlanRow],
    settings: PlanSettings,
) -> list[VideoRow]:
    """One row for each input of this run and of earlier runs, sorted by path.

    The same bytes under two names are one video: the first name in order is the video, the others are
    filtered as duplicates; a name of an earlier run that is still there comes first. An earlier row stays
    unless this run names its path again, or its file is gone and this run names the same bytes.
    """
    clips: dict[str, list[PlanRow]] = defaultdict(list)
    for clip in plan:
        clips[clip.video_id].append(clip)
    named = {(str(given.path), given.video_id) for given in inputs}
    named_paths = {path for path, _ in named}
    known = {row.video_id: row for row in earlier if row.video_id and row.reason != Reason.DUPLICATE}
    kept_paths = {row.path for row in earlier if row.video_id}
    name_of = {
        row.video_id: row.path
        for row in known.values()
        if row.path not in named_paths and Path(row.path).exists()
    }
    rows = []
    for given in inputs:
        path = str(given.path)
        if not given.video_id:
            if path not in kept_paths:
                rows.append(VideoRow(path, "", Status.FAILED, given.reason, given.error))
        elif name_of.setdefault(given.video_id, path) != path:
            error = f"the same bytes as {name_of[given.video_id]}"
            rows.append(VideoRow(path, given.video_id, Status.FILTERED, Reason.DUPLICATE, error))
        else:
            scan, row = scans.get(given.video_id), known.get(given.video_id)
            if scan is not None:
                row = _scanned(given, scan, settings)
            row = replace(row, path=path) if row else VideoRow(path, given.video_id, Status.PENDING)
            rows.append(_with_clips(row, clips[given.video_id]))
    for row in earlier:
        is_named = (row.path, row.video_id) in named or (row.path in named_paths and not row.video_id)
        is_renamed = row.reason != Reason.DUPLICATE and name_of.get(row.video_id, row.path) != row.path
        if not is_named and not is_renamed:
            rows.append(row if row.reason == Reason.DUPLICATE else _with_clips(row, clips[row.video_id]))
    return sorted(rows, key=lambda row: (row.path, row.video_id))


def _scanned(given: Input, scan: VideoScan, settings: PlanSettings) -> VideoRow:
    status, reason, error = Status.PENDING, "", ""
    if scan.reason:
        status = Status.FILTERED if scan.reason in NO_VIDEOS else Status.FAILED
        reason, error = scan.reason, scan.error
    elif left_out := video_filter(scan, settings):
        status, (reason, error) = Status.FILTERED, left_out
    return VideoRow(
        path=str(given.path),
        video_id=given.video_id,
        status=status,
        reason=reason,
        error=error,
        note=scan.note,
        bytes=scan.bytes,
        container=scan.container,
        codec=scan.codec,
        exact_times=scan.exact_times,
        width=scan.width,
        height=scan.height,
        rotation=scan.rotation,
        fps=scan.fps,
        variable_frame_rate=scan.variable_frame_rate,
        declared_frames=scan.declared_frames,
        frames=len(scan.times),
        duration_s=scan.duration_s,
        shots=len(scan.shots),
    )


def _with_clips(row: VideoRow, clips: Sequence[PlanRow]) -> VideoRow:
    """A video is pending while a clip of it is; else ok if one is, failed if one is, filtered if all are."""
    if not clips:
        return row
    counts = Counter(clip.status for clip in clips)
    order = (Status.PENDING, Status.OK, Status.FAILED, Status.FILTERED)
    status = next(status for status in order if counts[status])
    reason = error = ""
    if status in (Status.FAILED, Status.FILTERED):
        reason, _ = Counter(clip.reason for clip in clips if clip.status is status).most_common(1)[0]
        error = next(clip.error for clip in clips if clip.reason == reason)
    return replace(
        row,
        status=status,
        reason=reason,
        error=error,
        clips=len(clips),
        clips_ok=counts[Status.OK],
        clips_filtered=counts[Status.FILTERED],
        clips_failed=counts[Status.FAILED],
    )


@dataclass(frozen=True)
class Summary:
    """How a run ended: inputs and clips by status, failures and exclusions by reason, and what this run
    itself did.
    """

    dataset: str
    inputs: dict[str, int]
    clips: dict[str, int]
    input_reasons: dict[str, int]
    clip_reasons: dict[str, int]
    frames: int
    seconds: float
    shards_written: int
    errors: tuple[str, ...]
    is_unchanged: bool

    @property
    def everything_failed(self) -> bool:
        """No clip came out, though something was to be done, and at least one input or clip failed."""
        failed = self.inputs[Status.FAILED] + self.clips[Status.FAILED]
        return not self.clips[Status.OK] and failed > 0

    @property
    def is_clean(self) -> bool:
        """Nothing failed and nothing is pending."""
        return not self.errors and not any(
            counts[status]
            for counts in (self.inputs, self.clips)
            for status in (Status.FAILED, Status.PENDING)
        )

    def to_markdown(self) -> str:
        """A table of the counts, then the reasons; it reads well as plain text too."""
        lines = [f"| {self.dataset} | " + " | ".join(Status) + " |", "|---" * (len(Status) + 1) + "|"]
        for name, counts in (("inputs", self.inputs), ("clips", self.clips)):
            lines.append(f"| {name} | " + " | ".join(str(counts[status]) for status in Status) + " |")
        lines += [
            "",
            f"{self.frames} frames, {self.seconds:.1f} s, in ok clips; {self.shards_written} shards written.",
        ]
        for name, reasons in (("inputs", self.input_reasons), ("clips", self.clip_reasons)):
            lines += [
                f"- {count} {name}: {reason} ({MEANING[Reason(reason)]})" for reason, count in reasons.items()
            ]
        lines += [f"- a shard could not be written: {error}" for error in self.errors]
        return "\n".join(lines)


def summarise(
    dataset: Path,
    videos: Sequence[VideoRow],
    plan: Sequence[PlanRow],
    shards_written: int,
    errors: tuple[str, ...] = (),
    is_unchanged: bool = False,
) -> Summary:
    """The counts of a ledger and its plan."""
    ok = [row for row in plan if row.status is Status.OK]
    return Summary(
        dataset=str(dataset),
        inputs=_by_status(row.status for row in videos),
        clips=_by_status(row.status for row in plan),
        input_reasons=_by_reason(row.reason for row in videos),
        clip_reasons=_by_reason(row.reason for row in plan),
        frames=sum(len(row.frames) for row in ok),
        seconds=sum(row.times[-1] - row.times[0] for row in ok),
        shards_written=shards_written,
        errors=errors,
        is_unchanged=is_unchanged,
    )


def _by_reason(reasons: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(reason for reason in reasons if reason).items()))


def _by_status(statuses: Iterable[Status]) -> dict[str, int]:
    counts = Counter(statuses)
    return {status.value: counts[status] for status in Status}
