"""Why an input or a clip is not in the dataset: the reason codes of the ledger, each with what it means."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """A code of `videos.parquet`, `clips.parquet` and `dancemill retry --reason`."""

    MISSING = "missing"
    BAD_NAME = "bad_name"
    EMPTY = "empty"
    NOT_A_VIDEO = "not_a_video"
    NO_VIDEO_STREAM = "no_video_stream"
    UNREADABLE = "unreadable"
    NO_FRAMES = "no_frames"
    SCAN = "scan"
    TOO_SHORT = "too_short"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    DUPLICATE = "duplicate"
    SHOT_TOO_SHORT = "shot_too_short"
    NO_PERSON = "no_person"
    PERSON_TOO_SMALL = "person_too_small"
    SELDOM_SEEN = "seldom_seen"
    TOO_MANY_PEOPLE = "too_many_people"
    ALIGNMENT = "alignment"
    EXTRACTION = "extraction"
    WORKER_DIED = "worker_died"
    TIMEOUT = "timeout"


MEANING: dict[Reason, str] = {
    Reason.MISSING: "the file is not there or may not be read",
    Reason.BAD_NAME: "its name is not UTF-8",
    Reason.EMPTY: "the file has no bytes",
    Reason.NOT_A_VIDEO: "a picture, a text or another file that is no video",
    Reason.NO_VIDEO_STREAM: "a media file with no picture in it, as sound only",
    Reason.UNREADABLE: "named like a video, but it cannot be opened",
    Reason.NO_FRAMES: "it opens, but no frame of it can be decoded",
    Reason.SCAN: "looking it through raised an error",
    Reason.TOO_SHORT: "it lasts less than the shortest clip wanted",
    Reason.TOO_SMALL: "its short side has fewer pixels than wanted",
    Reason.TOO_LARGE: "its declared frame size is beyond the limit",
    Reason.DUPLICATE: "the same bytes as another input",
    Reason.SHOT_TOO_SHORT: "what is left of the shot, or of a person's time in it, is too short for a clip",
    Reason.NO_PERSON: "a person was found in too few of the clip's frames",
    Reason.PERSON_TOO_SMALL: "the clip's person is smaller than wanted",
    Reason.SELDOM_SEEN: "the clip's person was detected in too few of its frames",
    Reason.TOO_MANY_PEOPLE: "the shot shows more people than are kept, and larger ones",
    Reason.ALIGNMENT: "the frames decoded are not those of the plan: the file has changed",
    Reason.EXTRACTION: "the extractor raised an error",
    Reason.WORKER_DIED: "the worker process died while at it",
    Reason.TIMEOUT: "the worker made no progress for too long and was ended",
}
