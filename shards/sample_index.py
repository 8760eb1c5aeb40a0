"""index.parquet in memory: its columns, and the places of all members in flat arrays, so that none costs an
object.

Dimension names: samples S, members M (of all samples together).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int, UInt32

from shards.schema import ClipRow, MemberSpan, Status
from shards.tables import DatasetError, open_parquet

MIN_OFFSET = 512
"""A member's header comes before its bytes."""

MAX_SIDE = 65535
"""Of a JPEG."""


@dataclass(frozen=True)
class SampleIndex:
    """The rows of an index but for `members`, and those: sample i has them from starts[i] to starts[i + 1].

    `names` are numbers of `vocabulary`; offsets and sizes are in bytes of the shard's tar.
    """

    rows: pa.Table
    starts: Int[np.ndarray, "samples+1"]
    names: Int[np.ndarray, "members"]
    offsets: Int[np.ndarray, "members"]
    sizes: Int[np.ndarray, "members"]
    checksums: UInt32[np.ndarray, "members"]
    vocabulary: tuple[str, ...]
    _columns: dict[str, np.ndarray] = field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def column(self, name: str) -> np.ndarray:
        """One value for each sample."""
        if name not in self._columns:
            self._columns[name] = self.rows[name].to_numpy()
        return self._columns[name]

    def place_of(self, sample: int, member: str) -> int | None:
        """Where in the flat arrays that member of that sample is; None where it has none of that name."""
        name = self._name_numbers.get(member)
        if name is None:
            return None
        first, end = self.starts[sample], self.starts[sample + 1]
        places = np.flatnonzero(self.names[first:end] == name)
        return int(first + places[0]) if len(places) else None

    def sample_of(self, key: str) -> int | None:
        """The number of the sample with that key."""
        return self._numbers.get(key)

    def row(self, sample: int) -> ClipRow:
        """A sample's row, members included."""
        values = self.rows.slice(sample, 1).to_pylist()[0]
        spans = tuple(
            MemberSpan(self.vocabulary[self.names[place]], *map(int, place_and_size))
            for place, *place_and_size in self._spans(sample)
        )
        return ClipRow(**{**values, "status": Status(values["status"]), "members": spans})

    def _spans(self, sample: int) -> zip[tuple[int, ...]]:
        places = range(self.starts[sample], self.starts[sample + 1])
        part = slice(places.start, places.stop)
        return zip(places, self.offsets[part], self.sizes[part], self.checksums[part], strict=True)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {key: number for number, key in enumerate(self.column("key"))}

    @cached_property
    def _name_numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.vocabulary)}


def read_index(path: Path) -> SampleIndex:
    """The index at `path`, one row group at a time. Raises DatasetError for one that cannot be right."""
    numbers: dict[str, int] = {}
    rows, lengths, names, offsets, sizes, checksums = [], [], [], [], [], []
    with open_parquet(path, ClipRow) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group).combine_chunks()
            rows.append(table.drop_columns(["members"]))
            members = table["members"]
            lengths.append(pc.list_value_length(members).to_numpy())
            spans = pc.list_flatten(members).combine_chunks()
            coded = spans.field("name").dictionary_encode()
            known = [numbers.setdefault(name, len(numbers)) for name in coded.dictionary.to_pylist()]
            names.append(np.array(known, np.int32)[coded.indices.to_numpy()])
            offsets.append(spans.field("offset").to_numpy())
            sizes.append(spans.field("size").to_numpy())
            checksums.append(spans.field("crc32").to_numpy())
        schema = file.schema_arrow.remove(file.schema_arrow.get_field_index("members"))
    index = SampleIndex(
        rows=pa.concat_tables([schema.empty_table(), *rows]).combine_chunks(),
        starts=np.concatenate([[0], np.cumsum(_joined(lengths, np.int64))]),
        names=_joined(names, np.int32),
        offsets=_joined(offsets, np.int64),
        sizes=_joined(sizes, np.int64),
        checksums=_joined(checksums, np.uint32),
        vocabulary=tuple(numbers),
    )
    _check(path, index)
    return index


def _joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.empty(0, dtype), *parts], dtype=dtype)


def _check(path: Path, index: SampleIndex) -> None:
    sides = np.concatenate([index.column("width"), index.column("height")])
    right = (
        pc.all(pc.equal(index.rows["status"], Status.OK.value)).as_py() is not False
        and (index.column("shard") >= 0).all()
        and (index.column("num_frames") >= 1).all()
        and ((sides >= 1) & (sides <= MAX_SIDE)).all()
        and (index.offsets >= MIN_OFFSET).all()
        and (index.sizes >= 0).all()
    )
    if not right:
        raise DatasetError(f"{path} holds what no index can: run dancemill extract again, which rebuilds it")
