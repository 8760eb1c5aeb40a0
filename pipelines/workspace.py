"""The run's own notes beside the dataset, in `.work/`: the lock, content hashes, scans, the people found, and
clips not yet in a shard.

Nothing here is needed to read the dataset. Deleting it costs a finished dataset nothing, an unfinished one
the work noted here.
"""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from extractors.interface import Lineage
from pipelines.plan import PersonTrack, VideoPeople
from pipelines.scan import VideoScan, video_id
from shards.errors import UserError
from shards.lock import hold_dataset
from shards.tables import write_durably
from shards.writer import clean_temporaries

LEDGER = "videos.parquet"
PLAN = "clips.parquet"


class OutputError(UserError):
    """The output folder cannot be used; the message says why."""


@dataclass(frozen=True)
class Workspace:
    """Places of a dataset under construction; `hashes` maps (path, size, mtime in ns) to the video id."""

    dataset: Path
    hashes: dict[tuple[str, int, int], str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.dataset / ".work"

    @property
    def staging(self) -> Path:
        """Clips that are extracted and wait for the rest of their shard."""
        return self.folder / "staging"

    @property
    def worker_logs(self) -> Path:
        return self.folder / "workers"

    def identify(self, path: Path) -> str:
        """The file's video id; a file whose size and time of change are known is not read again. Raises
        OSError.
        """
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path} is no regular file")
        facts = (str(path), status.st_size, status.st_mtime_ns)
        if facts not in self.hashes:
            self.hashes[facts] = video_id(path)
            with self._hash_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps([*facts, self.hashes[facts]]) + "\n")
        return self.hashes[facts]

    def scan(self, identity: str) -> VideoScan | None:
        """The scan noted for that video; None where there is none, or not in the form that this version
        writes.
        """
        try:
            return VideoScan.from_json(json.loads(self._scan_file(identity).read_bytes()))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def keep_scan(self, scan: VideoScan) -> None:
        write_text(self._scan_file(scan.video_id), json.dumps(scan.to_json()))

    def people(self, identity: str, detector: Lineage) -> VideoPeople | None:
        """Who was found in that video by that detector; None where nobody looked, or the note is damaged."""
        try:
            with np.load(self._people_file(identity, detector), allow_pickle=False) as arrays:
                return _people_of({name: arrays[name] for name in _PEOPLE})
        except _DAMAGED:
            return None

    def keep_people(self, identity: str, detector: Lineage, people: VideoPeople) -> None:
        arrays = _arrays_of(people)
        write_durably(self._people_file(identity, detector), lambda file: np.savez_compressed(file, **arrays))

    def _people_file(self, identity: str, detector: Lineage) -> Path:
        facts = json.dumps(asdict(detector), sort_keys=True).encode()
        return self.folder / "people" / f"{identity}-{hashlib.sha256(facts).hexdigest()[:16]}.npz"

    @property
    def _hash_file(self) -> Path:
        return self.folder / "hashes.jsonl"

    def _scan_file(self, identity: str) -> Path:
        return self.folder / "scans" / f"{identity}.json"

    def _load_hashes(self) -> None:
        if self._hash_file.exists():
            for line in self._hash_file.read_text(encoding="utf-8").splitlines():
                try:
                    path, size, changed, identity = json.loads(line)
                except ValueError:
                    continue  # a line that a killed run left half written: the file is hashed again
                self.hashes[(path, size, changed)] = identity


_PEOPLE = {"tracks": np.int64, "first": np.int64, "frames": np.int64, "boxes": np.float32}
"""Arrays of the note of a video's people: how many tracks each shot has; the first frame of each track, and
how many it has; and the boxes of all tracks, one after the other.
"""

_DAMAGED = (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What numpy and zipfile raise for a file that is none of theirs, or not whole."""


def _arrays_of(people: VideoPeople) -> dict[str, np.ndarray]:
    tracks = [track for shot in people.shots for track in shot]
    return {
        "tracks": np.array([len(shot) for shot in people.shots], _PEOPLE["tracks"]),
        "first": np.array([track.first for track in tracks], _PEOPLE["first"]),
        "frames": np.array([len(track.boxes) for track in tracks], _PEOPLE["frames"]),
        "boxes": np.concatenate([np.zeros((0, 4), np.float32), *(track.boxes for track in tracks)]),
    }


def _people_of(arrays: Mapping[str, np.ndarray]) -> VideoPeople:
    """Raises ValueError for arrays that do not belong together."""
    if any(array.dtype != _PEOPLE[name] for name, array in arrays.items()):
        raise ValueError("arrays of other types")
    frames = arrays["frames"]
    counts = arrays["tracks"].sum(), *arrays["first"].shape
    if arrays["boxes"].shape != (frames.sum(), 4) or counts != (len(frames), len(frames)):
        raise ValueError("arrays of other lengths")
    boxes = np.split(arrays["boxes"], np.cumsum(frames)[:-1])
    tracks = map(PersonTrack, arrays["first"].tolist(), boxes)
    return VideoPeople(tuple(tuple(islice(tracks, count)) for count in arrays["tracks"].tolist()))


@contextmanager
def open_workspace(dataset: Path) -> Iterator[Workspace]:
    """The dataset's workspace, made where it is not there, and held against other runs until the context
    ends.

    Raises BusyError and OutputError.
    """
    workspace = Workspace(dataset)
    check_output(dataset)
    try:
        for folder in (
            workspace.folder / "scans",
            workspace.folder / "people",
            workspace.staging,
            workspace.worker_logs,
            dataset / "shards",
        ):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot write to {dataset}: {error.strerror}. Name another folder with --out."
        ) from error
    with hold_dataset(dataset):
        clean_temporaries(dataset)
        workspace._load_hashes()
        yield workspace


def check_output(dataset: Path) -> None:
    """Raise OutputError for what is no folder for a dataset.

    A folder with other things in it is not written into: a mistyped --out must not fill a folder of videos.
    """
    if dataset.exists() and not dataset.is_dir():
        raise OutputError(f"{dataset} is a file: name a folder with --out")
    ours = (dataset / "dataset.json").exists() or (dataset / ".work").exists()
    if dataset.is_dir() and not ours and any(dataset.iterdir()):
        raise OutputError(
            f"{dataset} holds other files and no dataset: name a new or empty folder with --out"
        )


def write_text(path: Path, text: str) -> None:
    """The file holds either what it held or all of `text`, whenever the process is killed."""
    write_durably(path, lambda file: file.write(text.encode()))


def read_json(path: Path) -> Any:
    """The file's values; None where it is not there. Raises OutputError for a file that is no JSON."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} is damaged ({error}): restore it, or begin in another folder") from error
