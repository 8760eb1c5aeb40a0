"""Whether memory grows with the length of a video: peak resident memory of the driver and of a worker.

The peer is the same command on a video of 10 seconds; the other video lasts 10 minutes. Both datasets are
checked to hold every frame.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import psutil

from shards.reader import Dataset

FPS = 24
SIZE = (160, 128)
SECONDS = (10, 600)


@dataclass(frozen=True)
class Peak:
    """Most resident memory seen, in MiB: of the driver, and of the largest worker."""

    driver: float
    worker: float


def write_video(path: Path, seconds: int) -> None:
    """A slowly moving pattern: nobody is in it, so that frames cost little."""
    width, height = SIZE
    across = np.arange(width)[None, :, None] + np.arange(height)[:, None, None] + np.arange(3) * 50
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(seconds * FPS):
            image = (across + number).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode(None))


def peak_of_run(video: Path, out: Path) -> Peak:
    """Run the command, and look at its processes ten times a second."""
    arguments = ["extract", str(video), "--out", str(out), "--min-found", "0"]
    process = subprocess.Popen([sys.executable, "-m", "dancemill", *arguments], stdout=subprocess.DEVNULL)
    driver, worker = 0.0, 0.0
    while process.poll() is None:
        driver = max(driver, resident(process.pid))
        worker = max([worker, *(resident(pid) for pid in psutil.pids() if is_worker(pid))])
        time.sleep(0.1)
    assert process.returncode == 0
    return Peak(driver, worker)


def resident(pid: int) -> float:
    """MiB; 0 for a process that is gone."""
    try:
        return float(psutil.Process(pid).memory_info().rss / 2**20)
    except psutil.Error:
        return 0.0


def is_worker(pid: int) -> bool:
    """Whether the process is a Ray actor of Dancemill."""
    try:
        return any(part.startswith("ray::Worker") for part in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False


def main() -> None:
    """Print how much more a long video takes."""
    peaks = {}
    with TemporaryDirectory() as folder:
        for seconds in SECONDS:
            video, out = Path(folder) / f"{seconds}.mp4", Path(folder) / f"{seconds}"
            write_video(video, seconds)
            peaks[seconds] = peak_of_run(video, out)
            assert sum(sample.num_frames for sample in Dataset(out)) == seconds * FPS
            peak = peaks[seconds]
            print(f"{seconds} s: driver {peak.driver:.0f} MiB, worker {peak.worker:.0f} MiB")
    short, long = (peaks[seconds] for seconds in SECONDS)
    print(f"ratio memory_of_driver {long.driver / short.driver:.3f}")
    print(f"ratio memory_of_worker {long.worker / short.worker:.3f}")


if __name__ == "__main__":
    main()
