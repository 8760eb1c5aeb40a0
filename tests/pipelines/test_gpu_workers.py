"""Workers take shares of GPUs where there are any and the preset has something for them to do. (Ray counts
what it is told that a machine has, so this is held without a GPU.)
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from pipelines.dataset_settings import settle
from pipelines.settings import RunSettings
from pipelines.workers import ClusterError, WorkerPool

pytestmark = pytest.mark.slow


@pytest.fixture
def two_gpus() -> Iterator[None]:
    ray.init(address="local", num_cpus=6, num_gpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def test_networks_share_gpus_and_mediapipe_takes_processors(two_gpus: None, tmp_path: Path) -> None:
    networks = settle(None, {"preset": "hia", "weights": "random-small"})
    shared = WorkerPool(RunSettings(workers_per_gpu=2), networks, tmp_path)
    assert size_of(shared) == 4
    assert size_of(WorkerPool(RunSettings(), settle(None, {}), tmp_path)) == 6
    assert size_of(WorkerPool(RunSettings(workers_per_gpu=9), networks, tmp_path)) == 6
    with pytest.raises(ClusterError, match=r"5 workers are wanted, .* 6 CPUs and 2 GPUs, each shared by 2"):
        WorkerPool(RunSettings(workers=5, workers_per_gpu=2), networks, tmp_path).start()


def size_of(pool: WorkerPool) -> int:
    pool.start()
    for actor in pool._actors:
        ray.kill(actor)
    return pool.size
