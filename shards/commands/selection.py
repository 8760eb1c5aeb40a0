"""Which sample a command is about."""

from __future__ import annotations

from pathlib import Path

from shards.reader import Dataset, Sample
from shards.tables import DatasetError


def sample_or_first(dataset: Path, key: str | None) -> Sample:
    """The sample with that key, or without one the first of the dataset. Raises DatasetError."""
    samples = Dataset(dataset)
    if key is not None:
        return samples.sample(key)
    if not len(samples):
        raise DatasetError(
            f"{dataset} has no samples: dancemill shards info {dataset} says what became of its inputs"
        )
    return samples[0]
