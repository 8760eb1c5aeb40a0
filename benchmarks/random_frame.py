"""One random frame of a shard by its byte offset, against opening the shard's tar with tarfile; page cache
warm.

The shard is as large as one of a real run: 32 clips of 96 frames of 100 to 200 kB.
"""

from __future__ import annotations

import random
import statistics
import tarfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from shards.index import build_index
from shards.reader import Dataset
from shards.schema import Member
from shards.writer import stage_clip, tar_path, write_shard
from tests.factories.dataset import MadeClip, made_members, made_row

CLIPS, FRAMES = 32, 96
FRAME_BYTES = (100_000, 200_000)
ROUNDS, READS, READS_OPENING = 5, 500, 10
"""Opening takes so long that fewer do."""

Frames = Sequence[tuple[str, int]]


def make_shard(dataset: Path) -> None:
    """Small images, each with so many bytes after its end, which decoders skip, that it has a real one's
    size.
    """
    staging = dataset / "staging"
    staging.mkdir()
    chance = random.Random(0)
    keys = []
    for number in range(CLIPS):
        clip = MadeClip(number, frames=FRAMES)
        members = [
            Member(member.name, member.data + chance.randbytes(chance.randint(*FRAME_BYTES)))
            if member.name.endswith(".jpg")
            else member
            for member in made_members(clip)
        ]
        stage_clip(staging, made_row(clip), members)
        keys.append(clip.key)
    write_shard(dataset, 0, staging, keys)
    build_index(dataset)


def by_offset(dataset: Dataset, key: str, number: int) -> bytes:
    """What a trainer does: the dataset is open."""
    return dataset.sample(key).frame_bytes(number)


def by_opening(dataset: Dataset, key: str, number: int) -> bytes:
    """What is left without an index: open the tar, look for the member, read it."""
    with tarfile.open(tar_path(dataset.path, 0)) as tar:
        file = tar.extractfile(f"{key}.rgb.{number:03d}.jpg")
        assert file is not None
        return file.read()


def timed(read: Callable[[Dataset, str, int], bytes], dataset: Dataset, frames: Frames) -> float:
    """Seconds for one frame, each of which is dropped before the next is read."""
    begun = time.perf_counter()
    for key, number in frames:
        read(dataset, key, number)
    return (time.perf_counter() - begun) / len(frames)


def main() -> None:
    """Print the time of each side and their ratio."""
    with TemporaryDirectory(prefix="dancemill-benchmark-") as folder:
        make_shard(Path(folder))
        dataset = Dataset(folder)
        keys = [sample.key for sample in dataset]
        size = tar_path(dataset.path, 0).stat().st_size
        tar_path(dataset.path, 0).read_bytes()
        chance = random.Random(1)
        offset_s, opening_s = [], []
        for _ in range(ROUNDS):
            frames = [(chance.choice(keys), chance.randrange(FRAMES)) for _ in range(READS)]
            offset_s.append(timed(by_offset, dataset, frames))
            opening_s.append(timed(by_opening, dataset, frames[:READS_OPENING]))
            for key, number in frames[:READS_OPENING]:
                assert by_offset(dataset, key, number) == by_opening(dataset, key, number)
    offset, opening = statistics.median(offset_s), statistics.median(opening_s)
    print(
        f"shard of {size / 1e6:.0f} MB, {CLIPS * FRAMES} frames: by offset {1e6 * offset:.1f} us a frame, "
        f"opening the tar {1e6 * opening:.0f} us"
    )
    print(f"ratio random_frame {opening / offset:.1f}")


if __name__ == "__main__":
    main()
