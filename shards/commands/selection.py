"""Which sample a command is about, and what is said where its bytes are damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shards.reader import Dataset, Sample
from shards.schema import SampleError
from shards.tables import DatasetError


def sample_or_first(
    dataset: Path, key: str | None, body_models: Path | None = None, colours: Path | None = None
) -> Sample:
    """The sample with that key, or without one the first of the dataset, which is opened with that folder of
    body models and that file of colours. Raises what `Dataset` does.
    """
    samples = Dataset(dataset, body_models, colours, random_weights=True)
    if key is not None:
        return samples.sample(key)
    if not len(samples):
        raise DatasetError(
            f"{dataset} has no samples: dancemill shards info {dataset} says what became of its inputs"
        )
    return samples[0]


@contextmanager
def reading(dataset: Path) -> Iterator[None]:
    """A sample, or another file, that cannot be read in here is a DatasetError that says what to do."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise DatasetError(f"{error.filename or dataset} cannot be read: {reason}") from error
    except SampleError as error:
        raise DatasetError(f"{error} (dancemill shards lint {dataset} checks all of it)") from error
