"""Contract 3: the ledger adds up. inputs = ok + filtered + failed + pending, whatever was named, and in
whatever order.
"""

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipelines.ledger import Input, ledger_rows, plan_with_outcomes, summarise
from pipelines.plan import extend_plan
from pipelines.reasons import Reason
from pipelines.sample_meta import ClipJob
from pipelines.scan import VideoScan
from pipelines.settings import PlanSettings
from shards.schema import ClipRow, PlanRow, Status, VideoRow

SETTINGS = PlanSettings(clips_per_shard=2)
TIMES = tuple(number / 24 for number in range(240))


def scan_of(identity: str, **facts: object) -> VideoScan:
    good = VideoScan(identity, 1000, width=640, height=480, times=TIMES, shots=((0, 240),), codec="h264")
    return replace(good, **facts)  # type: ignore[arg-type]


SCANS = {
    scan.video_id: scan
    for scan in (
        scan_of("good"),
        scan_of("small", width=64, height=64),
        scan_of("broken", reason=Reason.UNREADABLE, error="no moov atom", times=(), shots=()),
        scan_of("sound", reason=Reason.NO_VIDEO_STREAM, error="no video", times=(), shots=()),
    )
}


def with_status(row: PlanRow, status: Status, reason: str = "") -> PlanRow:
    return replace(row, status=status, reason=reason)


def rows_of(
    inputs: list[Input], plan: list[PlanRow] | None = None, earlier: list[VideoRow] | None = None
) -> list[VideoRow]:
    return ledger_rows(inputs, SCANS, earlier or [], plan or [], SETTINGS)


@given(st.lists(st.sampled_from(["good", "small", "broken", "sound", "", "unscanned"]), max_size=12))
def test_every_input_has_exactly_one_row_and_one_status(identities: list[str]) -> None:
    inputs = [Input(Path(f"/videos/{number}.mp4"), identity) for number, identity in enumerate(identities)]
    rows = rows_of(inputs)
    assert [row.path for row in rows] == sorted(str(given.path) for given in inputs)
    summary = summarise(Path("/data"), rows, [], 0, ())
    assert sum(summary.inputs.values()) == len(inputs)
    assert all(row.reason for row in rows if row.status in (Status.FAILED, Status.FILTERED) and row.video_id)


def test_each_kind_of_input_has_its_status_and_reason() -> None:
    names = ("good", "small", "broken", "sound")
    rows = {row.video_id: row for row in rows_of([Input(Path(f"/{name}"), name) for name in names])}
    assert (rows["good"].status, rows["good"].reason) == (Status.PENDING, "")
    assert (rows["small"].status, rows["small"].reason) == (Status.FILTERED, "too_small")
    assert (rows["broken"].status, rows["broken"].error) == (Status.FAILED, "no moov atom")
    assert (rows["sound"].status, rows["sound"].reason) == (Status.FILTERED, "no_video_stream")


def test_the_same_bytes_under_two_names_are_one_video() -> None:
    rows = rows_of([Input(Path("/a.mp4"), "good"), Input(Path("/b.mp4"), "good")])
    assert [row.reason for row in rows] == ["", "duplicate"]
    assert rows[1].error == "the same bytes as /a.mp4"


def test_a_renamed_video_keeps_one_row_under_its_new_name() -> None:
    plan = [with_status(row, Status.OK) for row in extend_plan([], [SCANS["good"]], SETTINGS)]
    before = rows_of([Input(Path("/old.mp4"), "good")], plan)
    after = rows_of([Input(Path("/new.mp4"), "good")], plan, before)
    assert [(row.path, row.status) for row in after] == [("/new.mp4", Status.OK)]


def test_rows_of_earlier_runs_stay() -> None:
    before = rows_of([Input(Path("/a.mp4"), "small"), Input(Path("/gone.mp4"), "", Reason.MISSING, "gone")])
    after = rows_of([Input(Path("/b.mp4"), "broken")], earlier=before)
    assert [row.path for row in after] == ["/a.mp4", "/b.mp4", "/gone.mp4"]
    found = rows_of([Input(Path("/gone.mp4"), "sound")], earlier=after)
    assert [(row.path, row.reason) for row in found][-1] == ("/gone.mp4", "no_video_stream")
    assert len(found) == 3


def test_a_file_that_is_gone_keeps_its_one_row() -> None:
    plan = [with_status(row, Status.OK) for row in extend_plan([], [SCANS["good"]], SETTINGS)]
    before = rows_of([Input(Path("/a.mp4"), "good")], plan)
    after = rows_of([Input(Path("/a.mp4"), "", Reason.MISSING, "gone")], plan, before)
    assert [(row.path, row.status) for row in after] == [("/a.mp4", Status.OK)]


def test_naming_fewer_inputs_loses_no_row_of_a_file_that_is_there(tmp_path: Path) -> None:
    one, other, third = (tmp_path / name for name in ("a.mp4", "b.mp4", "c.mp4"))
    for path in (one, other, third):
        path.touch()
    before = rows_of([Input(one, "good"), Input(other, "good")])
    for named in (one, other, third):
        after = rows_of([Input(named, "good")], earlier=before)
        reasons = {row.path: row.reason for row in after}
        assert reasons.keys() == {str(one), str(other), str(named)}
        assert list(reasons.values()).count("") == 1


def test_a_file_replaced_by_another_video_leaves_the_old_video_its_row() -> None:
    before = rows_of([Input(Path("/a.mp4"), "good")])
    after = rows_of([Input(Path("/a.mp4"), "small")], earlier=before)
    assert [(row.path, row.video_id) for row in after] == [("/a.mp4", "good"), ("/a.mp4", "small")]
    again = rows_of([Input(Path(row.path), row.video_id) for row in after], earlier=after)
    assert again == after


def test_a_videos_status_follows_from_its_clips() -> None:
    first, second, left_out = extend_plan([], [SCANS["good"]], replace(SETTINGS, min_clip_seconds=3))
    video = [Input(Path("/a.mp4"), "good")]

    def status(*statuses: Status) -> Status:
        clips = [
            with_status(row, status, "no_person")
            for row, status in zip((first, second), statuses, strict=True)
        ]
        return rows_of(video, [*clips, left_out])[0].status

    assert status(Status.OK, Status.PENDING) is Status.PENDING
    assert status(Status.OK, Status.FAILED) is Status.OK
    assert status(Status.FAILED, Status.FILTERED) is Status.FAILED
    assert status(Status.FILTERED, Status.FILTERED) is Status.FILTERED


def test_the_plan_takes_its_outcomes_from_committed_clips_alone() -> None:
    plan = extend_plan([], [SCANS["good"]], SETTINGS)
    done = clip_row(plan[0], status=Status.FAILED, reason=Reason.TIMEOUT, error="hung")
    rows = plan_with_outcomes([with_status(row, Status.OK) for row in plan], {plan[0].key: done})
    assert [(row.status, row.reason, row.error) for row in rows[:2]] == [
        ("failed", "timeout", "hung"),
        ("pending", "", ""),
    ]


def clip_row(clip: PlanRow, **facts: object) -> ClipRow:
    from pipelines.extract_clip import clip_row as row_of
    from pipelines.frames import VideoSource
    from pipelines.settings import SampleSettings

    source = VideoSource(Path("/a.mp4"), clip.video_id, 640, 480, 0, "h264", True)
    row = row_of(ClipJob(clip, source, SampleSettings()), "key", Status.OK, "", "")
    return replace(row, **facts)  # type: ignore[arg-type]
