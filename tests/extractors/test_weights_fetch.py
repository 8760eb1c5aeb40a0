"""Downloads go on where they broke off, and only what is published is kept: against a local server."""

from __future__ import annotations

import fcntl
import hashlib
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest
import torch

from extractors.weights import command, fetch, registry, store
from extractors.weights.command import app
from extractors.weights.errors import WeightsError
from extractors.weights.registry import WEIGHTS, Weight


def checkpoint(size: int = 50_000) -> bytes:
    file = BytesIO()
    torch.save({"state_dict": {"a": torch.arange(size)}}, file)
    return file.getvalue()


DATA = checkpoint()
PART = "w.pth.part"


@dataclass
class Server:
    """Serves one file. Behaviour is changed by its attributes; `asked` is what each request asked for.

    breaks: how many answers end after `after` bytes. ranges: whether it goes on from a place. piece: how much
    it gives of a range at most. version: its ETag. extra: bytes that its lengths are wrong by. statuses: what
    it answers first.
    """

    data: bytes = DATA
    breaks: int = 0
    after: int = 100_000
    ranges: bool = True
    piece: int = 10**9
    version: str | None = '"1"'
    extra: int = 0
    has_length: bool = True
    statuses: list[int] = field(default_factory=list)
    redirect: str | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    address: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.asked.append((request.command, asked))
        if request.path == "/moved/w.pth" and self.redirect is not None:
            request.send_response(302)
            request.send_header("Location", self.redirect)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        if self.statuses:
            request.send_response(self.statuses.pop(0))
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        start, stop, total = 0, len(self.data), len(self.data)
        same = request.headers.get("If-Range", self.version) == self.version
        if asked and self.ranges and same:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= total:
                request.send_response(416)
                request.send_header("Content-Range", f"bytes */{total}")
                request.send_header("Content-Length", "0")
                request.end_headers()
                return
            stop = min(start + self.piece, total)
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{stop - 1}/{total}")
        else:
            request.send_response(200)
        if self.version is not None:
            request.send_header("ETag", self.version)
        if self.has_length:
            request.send_header("Content-Length", str(stop - start + self.extra))
        else:
            request.send_header("Connection", "close")
        request.end_headers()
        if request.command == "HEAD":
            return
        body = self.data[start:stop]
        if self.breaks:
            self.breaks -= 1
            body = body[: self.after]
            request.close_connection = True
        request.wfile.write(body)
        if self.extra or not self.has_length:
            request.close_connection = True


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server on this machine, and an empty folder of weights."""
    monkeypatch.setenv(store.FOLDER, str(tmp_path / "weights"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    behaviour = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            behaviour.answer(self)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        behaviour.address = f"http://127.0.0.1:{http.server_port}"
        yield behaviour
        http.shutdown()


def weight(server: Server, path: str = "/w.pth", sha256: str | None = "", member: str = "") -> Weight:
    """Weights whose file this server has; without a hash being said, that of its data."""
    published = hashlib.sha256(server.data).hexdigest() if sha256 == "" else sha256
    return Weight(
        name="w",
        files=("w.pth",),
        purpose="a test",
        presets=(),
        address=server.address + path,
        licence="MIT",
        code="MIT",
        commercial="yes",
        sha256=published,
        member=member,
    )


def nothing(done: int, total: int | None) -> None:
    """Report to nobody."""


def load(wanted: Weight, report: Callable[[int, int | None], None] = nothing) -> Path:
    return fetch.fetch(wanted, report, pauses=(0.0, 0.0))


def kept() -> set[str]:
    return {path.name for path in store.weights_folder().iterdir()}


def test_a_file_is_loaded_and_put_in_its_place(server: Server) -> None:
    reported: list[tuple[int, int | None]] = []
    path = load(weight(server), lambda done, total: reported.append((done, total)))
    assert path == store.weights_folder() / "w.pth"
    assert path.read_bytes() == DATA
    assert kept() == {"w.pth"}
    assert reported[-1] == (len(DATA), len(DATA))
    assert server.asked == [("GET", None)]


def test_a_download_that_breaks_off_goes_on(server: Server) -> None:
    server.breaks = 3
    assert load(weight(server)).read_bytes() == DATA
    assert [asked for _, asked in server.asked] == [
        None,
        "bytes=100000-",
        "bytes=200000-",
        "bytes=300000-",
    ]


def test_the_next_call_goes_on_where_the_last_gave_up(server: Server) -> None:
    with broken(server):
        load(weight(server))
    assert kept() == {PART, f"{PART}.version"}
    had = (store.weights_folder() / PART).stat().st_size
    server.asked.clear()
    assert load(weight(server)).read_bytes() == DATA
    assert server.asked == [("GET", f"bytes={had}-")]
    assert kept() == {"w.pth"}


@contextmanager
def broken(server: Server) -> Iterator[None]:
    """The server breaks off once and then is busy; afterwards it is well again."""
    server.breaks = 1
    real = server.answer

    def answer(request: BaseHTTPRequestHandler) -> None:
        if server.breaks == 0:
            server.statuses = [503]
        real(request)

    server.answer = answer  # type: ignore[method-assign]
    with pytest.raises(WeightsError, match=r"cannot be loaded.*503.*goes on with it"):
        yield
    server.answer = real  # type: ignore[method-assign]


@pytest.mark.parametrize("change", ["no ranges", "another version", "no version"])
def test_a_file_is_loaded_anew_where_it_cannot_be_gone_on_with(server: Server, change: str) -> None:
    server.version = None if change == "no version" else server.version
    with broken(server):
        load(weight(server))
    if change == "no ranges":
        server.ranges = False
    elif change == "another version":
        server.version, server.data = '"2"', checkpoint(60_000)
    assert load(weight(server)).read_bytes() == server.data
    assert kept() == {"w.pth"}


def test_a_download_that_was_whole_is_not_loaded_again(server: Server) -> None:
    folder = store.weights_folder()
    folder.mkdir()
    (folder / PART).write_bytes(DATA)
    (folder / f"{PART}.version").write_text('"1"')
    assert load(weight(server)).read_bytes() == DATA
    assert server.asked == [("GET", f"bytes={len(DATA)}-")]
    (folder / PART).write_bytes(DATA + b"more")
    (folder / f"{PART}.version").write_text('"1"')
    assert load(weight(server)).read_bytes() == DATA


def test_a_busy_server_is_asked_again(server: Server) -> None:
    server.statuses = [500, 429]
    assert load(weight(server)).read_bytes() == DATA
    server.statuses = [503, 503, 503]
    with pytest.raises(WeightsError, match=r"w\.pth: cannot be loaded \(the server says 503 Service"):
        load(weight(server))


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_told_at_once(server: Server, status: int) -> None:
    server.statuses = [status]
    with pytest.raises(WeightsError, match=rf"the server says {status} .*import FILE") as raised:
        load(weight(server))
    assert len(server.asked) == 1 and "\n" not in str(raised.value)


def test_wrong_bytes_are_not_kept(server: Server) -> None:
    wanted = weight(server)
    server.data = DATA[:-1] + b"x"
    with pytest.raises(WeightsError, match=r"is not the file that is published as w.*is dropped"):
        load(wanted)
    assert kept() == set()


def test_without_a_published_hash_the_file_must_still_open(server: Server) -> None:
    server.data = b"<!doctype html><p>Sign in"
    with pytest.raises(WeightsError, match=r"is a web page, not weights.*is dropped"):
        load(weight(server, sha256=None))
    assert kept() == set()
    server.data = DATA
    assert load(weight(server, sha256=None)).read_bytes() == DATA


def test_a_right_download_is_not_dropped_for_what_is_wrong_here(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*given: object, **named: object) -> None:
        raise MemoryError

    with monkeypatch.context() as little, pytest.raises(WeightsError, match=r"too little memory.*is kept"):
        little.setattr("mmap.mmap", no_memory)
        load(weight(server, sha256=None))
    assert kept() == {PART, f"{PART}.version"}
    server.asked.clear()
    assert load(weight(server, sha256=None)).read_bytes() == DATA
    assert server.asked == [("GET", f"bytes={len(DATA)}-")]
    # Where the hash is published, the file is not even opened.
    monkeypatch.setattr("mmap.mmap", no_memory)
    assert load(weight(server)).read_bytes() == DATA


def test_a_server_that_promises_more_than_it_sends_is_given_up(server: Server) -> None:
    server.extra, server.ranges = 1000, False
    with pytest.raises(WeightsError, match="cannot be loaded"):
        load(weight(server))
    assert "w.pth" not in kept()


def test_a_server_that_sends_more_than_it_promises_is_not_believed(server: Server) -> None:
    server.extra = -1000
    with pytest.raises(WeightsError, match="is not the file that is published"):
        load(weight(server))
    assert "w.pth" not in kept()


def test_a_server_need_not_say_the_length(server: Server) -> None:
    server.has_length = False
    totals: set[int | None] = set()
    assert load(weight(server), lambda _, total: totals.add(total)).read_bytes() == DATA
    assert totals == {None}
    assert fetch.download_size(weight(server)) is None


def test_a_server_that_never_ends_is_left(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_LARGEST", 1000)
    server.has_length = False
    with pytest.raises(WeightsError, match="the server sends more than it said"):
        load(weight(server))
    assert (store.weights_folder() / PART).stat().st_size == 0


def test_a_server_may_give_a_range_in_pieces(server: Server) -> None:
    server.breaks, server.piece = 1, 70_000
    assert load(weight(server)).read_bytes() == DATA
    assert len(server.asked) == 6


def test_redirects_are_followed_to_encrypted_or_local_addresses_alone(server: Server) -> None:
    server.redirect = f"{server.address}/w.pth"
    assert load(weight(server, "/moved/w.pth")).read_bytes() == DATA
    server.redirect = "http://example.org/w.pth"
    with pytest.raises(WeightsError, match=r"http://example\.org/w\.pth: only https"):
        load(weight(server, "/moved/w.pth"))
    server.redirect = f"{server.address}/moved/w.pth"
    with pytest.raises(WeightsError, match="cannot be loaded"):
        load(weight(server, "/moved/w.pth"))


def test_a_server_that_is_not_there_is_told(server: Server) -> None:
    wanted = weight(server)
    nobody = Weight(**{**vars(wanted), "address": "http://127.0.0.1:9/w.pth"})
    with pytest.raises(WeightsError, match=r"127\.0\.0\.1:9/w\.pth: cannot be loaded"):
        load(nobody)
    assert fetch.download_size(nobody) is None


def test_one_member_of_an_archive_is_kept(server: Server) -> None:
    archive = BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as out:
        for name, data in (("../x", b"x"), ("a/w.pth", DATA)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, BytesIO(data))
    published = hashlib.sha256(DATA).hexdigest()
    server.data, server.breaks, server.after = archive.getvalue(), 1, 1000
    assert load(weight(server, "/all.tar.gz", published, member="a/w.pth")).read_bytes() == DATA
    assert kept() == {"w.pth"}
    with pytest.raises(WeightsError, match=r"has no a/v\.pth.*is dropped"):
        load(weight(server, "/all.tar.gz", published, member="a/v.pth"))
    assert kept() == {"w.pth"}
    archive_part = store.weights_folder() / "all.tar.gz.part"
    with pytest.raises(WeightsError, match=rf"is not the file .*kept, {archive_part}: delete it"):
        load(weight(server, "/all.tar.gz", "0" * 64, member="a/w.pth"))
    assert kept() == {"w.pth", archive_part.name, f"{archive_part.name}.version"}
    server.asked.clear()
    assert load(weight(server, "/all.tar.gz", published, member="a/w.pth")).read_bytes() == DATA
    assert server.asked == [("GET", f"bytes={len(server.data)}-")]


def test_two_processes_do_not_write_to_one_file(server: Server) -> None:
    store.weights_folder().mkdir()
    with (store.weights_folder() / PART).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(WeightsError, match="another process is fetching"):
            load(weight(server))
    assert load(weight(server)).read_bytes() == DATA


def test_a_folder_that_cannot_be_written_to_is_told(server: Server) -> None:
    store.weights_folder().write_text("a file")
    with pytest.raises(WeightsError, match=r"weights: cannot be read or written"):
        load(weight(server))


def test_what_does_not_fit_on_the_disk_is_not_begun(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 1000

    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage)
    with pytest.raises(WeightsError, match="0 MB are free"):
        load(weight(server))


@pytest.fixture
def published(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server's file is published as yolox-l."""
    known = {**WEIGHTS, "yolox-l": Weight(**{**vars(weight(server)), "name": "yolox-l"})}
    for module in (registry, store, command):
        monkeypatch.setattr(module, "WEIGHTS", known)
    return server


class Stdin:
    """A person's terminal."""

    def isatty(self) -> bool:
        return True


def test_nothing_is_loaded_before_its_licence_is_agreed_to(
    published: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(WeightsError, match=r"yolox-l: MIT\): give --yes"):
        run("fetch", "yolox-l")
    monkeypatch.setattr("sys.stdin", Stdin())
    for answer in ("", "n", "maybe"):
        monkeypatch.setattr("builtins.input", lambda prompt, answer=answer: answer)
        with pytest.raises(WeightsError, match="you did not agree"):
            run("fetch", "yolox-l")
    said = capsys.readouterr().out
    assert "MIT" in said and published.address in said and "0 MB" in said
    assert {kind for kind, _ in published.asked} == {"HEAD"}
    monkeypatch.setattr("builtins.input", lambda prompt: "y")
    run("fetch", "yolox-l")
    assert (store.weights_folder() / "w.pth").read_bytes() == DATA


def test_what_is_there_is_not_loaded_again(published: Server, capsys: pytest.CaptureFixture[str]) -> None:
    run("fetch", "yolox-l", "--yes")
    published.asked.clear()
    run("fetch", "yolox-l", "--yes")
    assert published.asked == [] and "is there" in capsys.readouterr().out
    (store.weights_folder() / "w.pth").write_bytes(b"damaged")
    run("fetch", "yolox-l", "--yes")
    assert (store.weights_folder() / "w.pth").read_bytes() == DATA


def test_what_must_be_got_by_hand_is_told_before_anything_is_loaded(published: Server) -> None:
    with pytest.raises(WeightsError, match=r"mano cannot be fetched: get MANO_RIGHT\.pkl yourself"):
        run("fetch", "yolox-l", "mano", "--yes")
    with pytest.raises(WeightsError, match="fetch which weights"):
        run("fetch", "--yes")
    assert published.asked == []


def run(*arguments: str) -> None:
    app(list(arguments), result_action="return_value", exit_on_error=False)
