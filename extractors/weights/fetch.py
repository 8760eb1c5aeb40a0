"""Downloads weights: goes on where a download broke off, checks what arrived, and puts it in its place.

What has arrived lies beside as FILE.part, and in FILE.part.version what the server calls the version it is of
(RFC 9110: ETag, or Last-Modified), so that a download goes on only within the same version.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import httpx

from extractors.weights.archive import extract_member
from extractors.weights.check import check_file
from extractors.weights.errors import UnreadableError, WeightsError
from extractors.weights.registry import Weight
from extractors.weights.store import check_fetchable, note_checked, weights_folder

Report = Callable[[int, int | None], None]
"""Told how many bytes are there, and of how many; None where the server does not say."""

_PAUSES = (1.0, 2.0, 5.0, 10.0)
"""Seconds before a broken download goes on; after so many in a row that bring nothing it is given up."""

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_LARGEST = 2**35
"""Bytes of a file whose size the server does not say: several times the largest that is published."""

_AS_IS = {"Accept-Encoding": "identity"}
"""Compressed on the way, sizes and places would not be the file's."""


def download_size(weight: Weight) -> int | None:
    """Bytes that fetching takes, as published or as the server says; None where neither does."""
    if weight.size is not None:
        return weight.size
    with _client() as client:
        try:
            response = client.head(weight.address, headers=_AS_IS)
        # The download itself tells what is wrong with the address.
        except httpx.HTTPError:
            return None
    return _whole_number(response.headers.get("Content-Length")) if response.is_success else None


def fetch(weight: Weight, report: Report, pauses: Sequence[float] = _PAUSES) -> Path:
    """Download the weights to their place, which is given back. The caller has the user's consent.

    Raises WeightsError if they are to be got by hand, if the server does not give them, or if what it gives
    is not the published file. What has arrived of a broken download is kept, and so is a whole one that
    cannot be read here, or whose member is not the published file.
    """
    check_fetchable(weight)
    target = weights_folder() / weight.file
    part = target.with_name(f"{weight.address_file}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _only_one(part) as file:
            _download(weight, file, _version_of(part), report, pauses)
            _put(weight, part, target)
            _drop(part)
    except OSError as error:
        place = error.filename or part
        raise WeightsError(f"{place}: cannot be read or written ({error.strerror or error}).") from error
    if weight.sha256 is None:
        note_checked(target)
    return target


def _put(weight: Weight, part: Path, target: Path) -> None:
    """Check what has arrived and put it in its place. What is not what is published is dropped."""
    if not weight.member:
        with _dropping_what_is_wrong(weight, part):
            check_file(weight, part)
        part.replace(target)
        return
    extracted = target.with_name(f"{target.name}.part")
    try:
        with _dropping_what_is_wrong(weight, part):
            extract_member(part, weight.member, extracted)
        try:
            check_file(weight, extracted)
        except WeightsError as error:
            raise WeightsError(
                f"{error} The archive is whole and kept, {part}: delete it to have it loaded anew."
            ) from error
        extracted.replace(target)
    finally:
        extracted.unlink(missing_ok=True)


@contextmanager
def _dropping_what_is_wrong(weight: Weight, part: Path) -> Iterator[None]:
    try:
        yield
    except UnreadableError as error:
        raise WeightsError(f"{error} What has arrived is kept: delete it to have it loaded anew.") from error
    except WeightsError as error:
        _drop(part)
        raise WeightsError(f"{error} What {weight.address} gave is dropped.") from error


def _drop(part: Path) -> None:
    part.unlink(missing_ok=True)
    _version_of(part).unlink(missing_ok=True)


def _version_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.version")


@contextmanager
def _only_one(part: Path) -> Iterator[BinaryIO]:
    """The file of what has arrived, open to be written by this process alone."""
    with part.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another may have put it in its place since it was opened here.
            if not os.path.samestat(os.fstat(file.fileno()), part.stat()):
                raise BlockingIOError
        except (BlockingIOError, FileNotFoundError):
            raise WeightsError(f"{part}: another process is fetching these weights; let it finish.") from None
        yield file


def _client() -> httpx.Client:
    return httpx.Client(
        timeout=_TIMEOUT, follow_redirects=True, event_hooks={"request": [_refuse_unencrypted]}
    )


def _refuse_unencrypted(request: httpx.Request) -> None:
    """Asked for every address, those that a server leads on to as well."""
    if request.url.scheme != "https" and request.url.host not in ("localhost", "127.0.0.1", "::1"):
        raise WeightsError(f"{request.url}: only https addresses are loaded from.")


def _download(weight: Weight, file: BinaryIO, version: Path, report: Report, pauses: Sequence[float]) -> None:
    failures = 0
    with _client() as client:
        while True:
            before = file.tell()
            try:
                _load(client, weight, file, version, report)
                return
            except (httpx.TransportError, _BusyError) as error:
                file.flush()
                failures = 1 if file.tell() > before else failures + 1
                if failures > len(pauses):
                    raise WeightsError(
                        f"{weight.address}: cannot be loaded ({_reason(error)}). What has arrived is kept: "
                        "the same command goes on with it."
                    ) from error
                time.sleep(pauses[failures - 1])
            except httpx.HTTPError as error:
                raise WeightsError(f"{weight.address}: cannot be loaded ({_reason(error)}).") from error


class _BusyError(Exception):
    """The server answers, but not with the file: another time it may."""


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _load(client: httpx.Client, weight: Weight, file: BinaryIO, version: Path, report: Report) -> None:
    """Load what is not there yet, or all of it where the server does not go on."""
    kept = version.read_text("utf-8") if version.is_file() else ""
    if not kept:
        _empty(file)
    ask = {"Range": f"bytes={file.tell()}-", "If-Range": kept} if file.tell() else {}
    with client.stream("GET", weight.address, headers={**_AS_IS, **ask}) as response:
        if _is_whole(response, file):
            return
        total = _total(response, weight, file)
        version.write_text(_version(response), "utf-8")
        _check_space(weight, file, total)
        for chunk in response.iter_raw():
            file.write(chunk)
            report(file.tell(), total)
            if file.tell() > (_LARGEST if total is None else total):
                _empty(file)
                raise WeightsError(f"{weight.address}: the server sends more than it said.")
        file.flush()
        if total is not None and file.tell() < total:
            raise _BusyError(f"it broke off at {file.tell()} of {total} bytes")


def _is_whole(response: httpx.Response, file: BinaryIO) -> bool:
    """Whether nothing is left to ask for: a run was ended after all had arrived."""
    return (
        response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE
        and response.headers.get("Content-Range") == f"bytes */{file.tell()}"
    )


def _total(response: httpx.Response, weight: Weight, file: BinaryIO) -> int | None:
    """How long the file is to be when the answer has been read; what cannot be gone on with is dropped."""
    if response.status_code == httpx.codes.PARTIAL_CONTENT:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        if found and int(found[1]) == file.tell():
            return int(found[2])
        _empty(file)
        raise _BusyError("it went on from another place than asked")
    if response.status_code == httpx.codes.OK:
        _empty(file)
        return _whole_number(response.headers.get("Content-Length"))
    if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        _empty(file)
        raise _BusyError("it has less than has arrived")
    said = f"{response.status_code} {response.reason_phrase}"
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
        raise _BusyError(f"the server says {said}")
    raise WeightsError(
        f"{weight.address}: the server says {said}. If it has moved, get {weight.file} by hand and give it "
        "to: dancemill weights import FILE"
    )


def _empty(file: BinaryIO) -> None:
    file.seek(0)
    file.truncate()


def _version(response: httpx.Response) -> str:
    """What to ask for when going on; a weak ETag names no bytes."""
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")


def _whole_number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _check_space(weight: Weight, file: BinaryIO, total: int | None) -> None:
    folder = weights_folder()
    left, free = (total or 0) - file.tell(), shutil.disk_usage(folder).free
    if left > free:
        raise WeightsError(
            f"{folder}: {weight.name} takes {left // 10**6 + 1} MB more and {free // 10**6} MB are free: "
            "make room, or name another folder."
        )
