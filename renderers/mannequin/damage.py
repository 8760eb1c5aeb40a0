"""Damaged video files on purpose: what arrives in a folder of downloads, made from a whole video."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from jaxtyping import Float, Int, UInt8

from renderers.mannequin.encoding import Encoding, fitting_pixel_format, write_sound, write_video

_HUGE_SIDE = 65_535
_HUGE_BYTES = 1 << 41

_KEPT_SHARE = 0.6
"""How much of the coded pictures a truncated file still holds."""


def damaged(path: Path, damage: str, target_folder: Path) -> Path:
    """Write a damaged variant of an MP4 that `write_video` wrote into another folder, and say where it is.

    The name stays; the ending too, but for wrong_extension. The same file gives the same bytes. Raises
    KeyError for a damage that is not one of DAMAGES.
    """
    return _DAMAGES[damage](path, target_folder / path.name)


def _zero_bytes(whole: Path, target: Path) -> Path:
    """An empty file: a download that never began."""
    target.write_bytes(b"")
    return target


def _no_moov_atom(whole: Path, target: Path) -> Path:
    """All coded pictures, but not the index that says where they are: a recording that was never closed."""
    target.write_bytes(_rewritten(whole.read_bytes(), lambda kind, body: None if kind == b"moov" else body))
    return target


def _audio_only(whole: Path, target: Path) -> Path:
    """A tone that lasts as long as the video, and no picture."""
    times = _times(whole)
    write_sound(target, float(times[-1] - times[0]))
    return target


def _one_frame(whole: Path, target: Path) -> Path:
    """The first frame alone, as it was coded."""
    return _copied(whole, target, packets=1)


def _wrong_extension(whole: Path, target: Path) -> Path:
    """The whole MP4, named .avi."""
    target = target.with_suffix(file_suffix("wrong_extension"))
    target.write_bytes(whole.read_bytes())
    return target


def _truncated(whole: Path, target: Path) -> Path:
    """The index of the whole and the first part of the pictures: a download that broke off."""
    data = _copied(whole, target, index_first=True).read_bytes()
    pictures = next(len(body) for kind, body in _boxes(data) if kind == b"mdat")
    target.write_bytes(data[: len(data) - round((1 - _KEPT_SHARE) * pictures)])
    return target


def _huge_declared_size(whole: Path, target: Path) -> Path:
    """All frames, under a header that says they are 65,535 pixels wide and high, and their data two
    terabytes. FFmpeg's decoders then overlook a rotation tag."""

    def change(kind: bytes, body: bytes) -> bytes:
        if kind == b"tkhd":
            # The last 8 bytes: width and height, in 1/65,536 of a pixel.
            return body[:-8] + struct.pack(">II", _HUGE_SIDE << 16, _HUGE_SIDE << 16)
        if kind == b"stsd":
            # Width and height, of 2 bytes each, come 32 bytes into the sample description that begins at 8.
            return body[:40] + struct.pack(">HH", _HUGE_SIDE, _HUGE_SIDE) + body[44:]
        return body

    data = _rewritten(_copied(whole, target, index_first=True).read_bytes(), change)
    # An empty box of 8 bytes leaves room for the 64-bit size that the box of pictures now gets.
    before, pictures = data.split(struct.pack(">I4s", 8, b"free"), 1)
    target.write_bytes(before + struct.pack(">I4sQ", 1, b"mdat", _HUGE_BYTES) + pictures[8:])
    return target


def _hdr_10bit(whole: Path, target: Path) -> Path:
    """All frames, coded anew in HEVC with ten bits, in BT.2020's colours and PQ's brightness: a reader that
    does not know them sees the pictures pale and dark."""
    return _coded_anew(whole, target, codec="hevc", suffix="10le")


def _odd_size(whole: Path, target: Path) -> Path:
    """All frames, coded anew with odd sides: where one is even, the last row or column is gone."""
    return _coded_anew(whole, target, is_odd=True)


def _broken_timestamps(whole: Path, target: Path) -> Path:
    """All frames, at a right mean rate, but the first comes at a negative time, and of each eight one is
    shown at the time of the one before and one at that of three before."""
    shown, decoded, tick = _stamps(_copied(whole, target))
    order = np.argsort(shown)
    broken = shown[order]
    broken[3::8] = broken[2::8][: len(broken[3::8])]
    broken[6::8] = broken[3::8][: len(broken[6::8])]
    broken[0] -= round(1 / tick)
    offsets = np.empty_like(broken)
    offsets[order] = broken - decoded[order]
    # One entry a frame: for how many frames it holds, and how much later than decoded they are shown.
    entries = np.stack([np.ones_like(offsets), offsets], axis=1)
    # Version 1: offsets have a sign.
    table = struct.pack(">BxxxI", 1, len(entries)) + entries.astype(">i4").tobytes()

    def change(kind: bytes, body: bytes) -> bytes | None:
        if kind == b"edts":
            # It would cut away what comes before 0.
            return None
        if kind == b"stbl":
            others = (_box(kind, body) for kind, body in _boxes(body) if kind != b"ctts")
            return b"".join(others) + _box(b"ctts", table)
        return body

    target.write_bytes(_rewritten(target.read_bytes(), change))
    return target


_DAMAGES: dict[str, Callable[[Path, Path], Path]] = {
    "zero_bytes": _zero_bytes,
    "no_moov_atom": _no_moov_atom,
    "audio_only": _audio_only,
    "one_frame": _one_frame,
    "wrong_extension": _wrong_extension,
    "truncated": _truncated,
    "huge_declared_size": _huge_declared_size,
    "hdr_10bit": _hdr_10bit,
    "odd_size": _odd_size,
    "broken_timestamps": _broken_timestamps,
}
DAMAGES = tuple(_DAMAGES)


def file_suffix(damage: str) -> str:
    """The ending of a file with that damage; of one without, where it is empty."""
    return ".avi" if damage == "wrong_extension" else ".mp4"


MEANING = {name: " ".join((make.__doc__ or "").split()) for name, make in _DAMAGES.items()}
"""What is wrong with each damaged file, and what it still holds."""


def _copied(whole: Path, target: Path, packets: int | None = None, index_first: bool = False) -> Path:
    """The first packets as they are, in a new file."""
    options = {"movflags": "faststart"} if index_first else {}
    with av.open(str(whole)) as source, av.open(str(target), "w", options=options) as copy:
        given = source.streams.video[0]
        kept = copy.add_stream_from_template(given, opaque=True)
        for packet in islice((packet for packet in source.demux(given) if packet.size), packets):
            packet.stream = kept
            copy.mux(packet)
    return target


def _coded_anew(
    whole: Path, target: Path, codec: str = "h264", suffix: str = "", is_odd: bool = False
) -> Path:
    """The upright pictures, cut to odd sides if wanted, at their times and under their rotation tag."""
    with av.open(str(whole)) as container:
        first = next(container.decode(video=0))
    rotation = first.rotation % 360
    height, width = _upright(first).shape[:2]
    if is_odd:
        height, width = height - 1 + height % 2, width - 1 + width % 2
    encoding = Encoding(
        codec=codec, pixel_format=fitting_pixel_format(codec, width, height) + suffix, rotation=rotation
    )
    pictures = (picture[:height, :width] for picture in _pictures(whole))
    write_video(target, pictures, _times(whole), encoding)
    return target


def _pictures(whole: Path) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    with av.open(str(whole)) as container:
        yield from (_upright(frame) for frame in container.decode(video=0))


def _upright(frame: av.VideoFrame) -> UInt8[np.ndarray, "height width 3"]:
    return np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))


def _times(whole: Path) -> Float[np.ndarray, "frames"]:
    """When the frames are shown, in seconds."""
    shown, _, tick = _stamps(whole)
    return np.sort(shown) * tick.numerator / tick.denominator


def _stamps(path: Path) -> tuple[Int[np.ndarray, "frames"], Int[np.ndarray, "frames"], Fraction]:
    """When each frame is shown and when decoded, by the order of decoding, in ticks; the tick in seconds."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        stamps = np.array([(packet.pts, packet.dts) for packet in packets], dtype=np.int64)
        return stamps[:, 0], stamps[:, 1], packets[0].time_base


_NESTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
"""Boxes that hold boxes, down to the tables of samples."""


def _rewritten(data: bytes, change: Callable[[bytes, bytes], bytes | None]) -> bytes:
    """An MP4's boxes with the bodies that `change` makes of each kind and body, the inner ones first; None
    leaves the box out."""
    parts = []
    for kind, body in _boxes(data):
        new = change(kind, _rewritten(body, change) if kind in _NESTS else body)
        if new is not None:
            parts.append(_box(kind, new))
    return b"".join(parts)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each box. Raises ValueError where the data are not whole boxes."""
    start = 0
    while start < len(data):
        if len(data) < start + 8:
            raise ValueError("the file is no whole MP4")
        size, kind = struct.unpack_from(">I4s", data, start)
        if not 8 <= size <= len(data) - start:
            raise ValueError("the file is no whole MP4, or one of more than 4 GB")
        yield kind, data[start + 8 : start + size]
        start += size


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body
