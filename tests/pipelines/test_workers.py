"""How many workers start, and one that cannot. They take shares of GPUs where there are any and the preset
has something for them to do. (Ray counts what it is told that a machine has, so this is held without a GPU.)
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from pipelines.dataset_settings import DatasetSettings, settle
from pipelines.estimators import lineages_of
from pipelines.settings import RunSettings
from pipelines.workers import ClusterError, WorkerPool

pytestmark = pytest.mark.slow


@pytest.fixture
def two_gpus() -> Iterator[None]:
    ray.init(address="local", num_cpus=3, num_gpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def test_networks_share_gpus_and_mediapipe_takes_processors(two_gpus: None, tmp_path: Path) -> None:
    networks = settle(None, {"preset": "hia", "weights": "random-small"})
    assert size_of(RunSettings(workers_per_gpu=1), networks, tmp_path) == 2
    assert size_of(RunSettings(), settle(None, {}), tmp_path) == 3
    assert size_of(RunSettings(workers_per_gpu=9), networks, tmp_path) == 3
    assert size_of(RunSettings(workers=3, workers_per_gpu=1), networks, tmp_path) == 3
    with pytest.raises(ClusterError, match="4 workers are wanted, the Ray cluster has 3 CPUs"):
        size_of(RunSettings(workers=4), networks, tmp_path)


def test_a_worker_that_cannot_be_started_is_the_clusters_fault_and_no_clips(
    two_gpus: None, tmp_path: Path
) -> None:
    settings = settle(None, {})
    pool = WorkerPool(RunSettings(workers=1), settings, lineages_of(settings), tmp_path / "missing")
    pool.start()
    for _ in "once", "again":
        with pytest.raises(ClusterError, match=r"cannot be started: .*missing/000\.log"):
            pool.lease(wait=True)


def size_of(run: RunSettings, settings: DatasetSettings, logs: Path) -> int:
    """How many workers start."""
    pool = WorkerPool(run, settings, lineages_of(settings), logs)
    pool.start()
    ray.get([actor.__ray_ready__.remote() for actor in pool._actors], timeout=60)
    for actor in pool._actors:
        ray.kill(actor)
    return pool.size
