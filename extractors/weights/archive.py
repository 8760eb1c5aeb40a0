"""One member out of a .tar.gz, read as a stream: nothing else of it is written, and no path of it is used."""

from __future__ import annotations

import posixpath
import shutil
import tarfile
import zlib
from pathlib import Path

from extractors.weights.errors import WeightsError

_LARGEST = 2**34
"""Bytes of a member: several times the largest checkpoint."""

_LARGEST_NAME = 2**16
"""Bytes of a member's long name or extended header, which tarfile reads whole; archives name far less."""

_CHUNK = 2**22


def extract_member(archive: Path, member: str, target: Path) -> None:
    """Write the bytes of the member, a path in the archive, to the target.

    Raises WeightsError for an archive that is damaged or has no such file.
    """
    try:
        with tarfile.open(archive, "r|gz", tarinfo=_Member) as tar:
            for info in tar:
                file = tar.extractfile(info) if info.isreg() else None
                if file is not None and posixpath.normpath(info.name) == member:
                    if info.size > _LARGEST:
                        raise WeightsError(f"{archive}: {member} is larger than any weights: get it again.")
                    with target.open("wb") as out:
                        shutil.copyfileobj(file, out, _CHUNK)
                    return
    except (tarfile.TarError, EOFError, zlib.error, ValueError) as error:
        raise WeightsError(
            f"{archive}: is damaged or no .tar.gz ({type(error).__name__}: {error}): get it again."
        ) from error
    raise WeightsError(f"{archive}: has no {member}: is it the archive that is published?")


class _Member(tarfile.TarInfo):
    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
        if not self.isfile() and self.size > _LARGEST_NAME:
            raise tarfile.ReadError("a header is longer than any name")
        return super()._proc_member(tar)  # type: ignore[misc]
