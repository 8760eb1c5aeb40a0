"""Files with the traps of real ones hold what is promised: their times, their turn, their colours, the
numbers burnt into their frames, and what each damage says of itself.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float, UInt8

from renderers.mannequin.damage import DAMAGES, MEANING, damaged
from renderers.mannequin.encoding import (
    CODECS,
    Encoding,
    fitting_pixel_format,
    frame_times,
    write_video,
)
from renderers.mannequin.numbering import BITS, burn_number, read_number

COUNT = 24
RED = (200, 40, 40)


def picture(size: tuple[int, int] = (160, 128)) -> UInt8[np.ndarray, "height width 3"]:
    """A slope of grey, lighter to the right, with a red square near its upper left corner."""
    width, height = size
    image = np.empty((height, width, 3), np.uint8)
    image[:] = np.linspace(30, 220, width).astype(np.uint8)[None, :, None]
    image[20:60, 20:60] = RED
    return image


def write(
    path: Path, encoding: Encoding, size: tuple[int, int] = (160, 128), fps: float = 24.0
) -> Float[np.ndarray, "frames"]:
    times = frame_times(COUNT, fps, encoding, np.random.default_rng(0))
    write_video(path, (burn_number(picture(size), number) for number in range(COUNT)), times, encoding)
    return times


def read(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def upright(frame: av.VideoFrame) -> UInt8[np.ndarray, "height width 3"]:
    return np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)


def numbers(path: Path) -> list[int | None]:
    return [read_number(upright(frame)) for frame in read(path)]


ENCODINGS = {
    "no_b_frames": Encoding(b_frames=0),
    "many_b_frames": Encoding(b_frames=8),
    "variable_rate": Encoding(variable_rate=True),
    "rotated_90": Encoding(rotation=90),
    "rotated_180": Encoding(rotation=180),
    "rotated_270": Encoding(rotation=270, variable_rate=True),
    "coarse": Encoding(crf=36),
    "slow": Encoding(preset="slow"),
    "ten_bits": Encoding(codec="hevc", pixel_format="yuv420p10le"),
    **{codec: Encoding(codec=codec) for codec in CODECS},
    **{f"{codec}_variable": Encoding(codec=codec, variable_rate=True, rotation=90) for codec in CODECS},
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_frame_is_shown_at_its_time_and_upright(tmp_path: Path, name: str) -> None:
    times = write(tmp_path / "video.mp4", ENCODINGS[name])
    frames = read(tmp_path / "video.mp4")
    assert [frame.time for frame in frames] == times.tolist()
    assert numbers(tmp_path / "video.mp4") == list(range(COUNT))
    assert {upright(frame).shape for frame in frames} == {(128, 160, 3)}


@pytest.mark.parametrize("fps", [1.0, 12.5, 23.976, 29.97, 30000 / 1001, 60.0, 240.0])
def test_a_steady_rate_is_kept_exactly(tmp_path: Path, fps: float) -> None:
    times = write(tmp_path / "video.mp4", Encoding(), fps=fps)
    assert np.allclose(np.diff(times), 1 / fps, rtol=1e-6)
    assert [frame.time for frame in read(tmp_path / "video.mp4")] == times.tolist()


def test_a_varying_rate_varies_around_the_rate_asked_for() -> None:
    times = frame_times(2000, 25.0, Encoding(variable_rate=True), np.random.default_rng(1))
    steps = np.diff(times)
    assert steps.min() > 0.39 / 25 and steps.max() < 1.61 / 25
    assert steps.std() > 0.2 / 25 and steps.mean() == pytest.approx(1 / 25, rel=0.03)
    again = frame_times(2000, 25.0, Encoding(variable_rate=True), np.random.default_rng(1))
    assert np.array_equal(times, again)


def test_the_last_frame_lasts_as_long_as_others(tmp_path: Path) -> None:
    for variable in (False, True):
        times = write(tmp_path / "video.mp4", Encoding(variable_rate=variable))
        with av.open(str(tmp_path / "video.mp4")) as container:
            lasts = (container.duration or 0) / av.time_base
        assert lasts == pytest.approx(times[-1] * COUNT / (COUNT - 1), abs=1e-3)


def test_times_that_a_file_cannot_hold_are_refused(tmp_path: Path) -> None:
    pictures = [picture()] * 3
    for times in ([0.0, 0.1, 0.1], [0.0, 0.2, 0.1], [0.0, 1e-7, 2.0]):
        with pytest.raises(ValueError, match="increase"):
            write_video(tmp_path / "video.mp4", pictures, np.array(times), Encoding())
    with pytest.raises(ValueError, match="longer"):
        write_video(tmp_path / "video.mp4", pictures, np.array([0.0, 0.1]), Encoding())


def test_frames_are_coded_out_of_their_order_where_asked(tmp_path: Path) -> None:
    for codec in ("h264", "hevc"):
        for b_frames in (0, 3):
            path = tmp_path / f"{b_frames}.mp4"
            write(path, Encoding(codec=codec, b_frames=b_frames))
            with av.open(str(path)) as container:
                order = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
            assert (order != sorted(order)) == (b_frames > 0)


def test_keyframes_come_at_least_as_often_as_asked(tmp_path: Path) -> None:
    for codec in CODECS:
        write(tmp_path / "video.mp4", Encoding(codec=codec, keyframe_interval=8))
        with av.open(str(tmp_path / "video.mp4")) as container:
            shown = sorted((p.pts, p.is_keyframe) for p in container.demux(video=0) if p.size)
        places = [place for place, (_, is_keyframe) in enumerate(shown) if is_keyframe]
        assert places[0] == 0 and np.diff([*places, COUNT]).max() <= 8, codec


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_player_turns_the_picture_upright(tmp_path: Path, rotation: int) -> None:
    """By OpenCV, which heeds the tag."""
    write(tmp_path / "video.mp4", Encoding(rotation=rotation))
    stored = read(tmp_path / "video.mp4")[0]
    assert (stored.width, stored.height) == ((160, 128) if rotation == 180 else (128, 160))
    assert stored.rotation % 360 == rotation
    capture = cv2.VideoCapture(str(tmp_path / "video.mp4"))
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    _, shown = capture.read()
    capture.release()
    assert np.abs(shown[30:50, 30:50, ::-1].astype(int) - RED).max() < 20


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("size", [(159, 127), (160, 127), (159, 128)])
def test_odd_sizes_are_kept_by_every_codec(tmp_path: Path, codec: str, size: tuple[int, int]) -> None:
    encoding = Encoding(codec=codec, pixel_format=fitting_pixel_format(codec, *size))
    write(tmp_path / "video.mp4", encoding, size)
    assert {(frame.width, frame.height) for frame in read(tmp_path / "video.mp4")} == {size}
    assert numbers(tmp_path / "video.mp4") == list(range(COUNT))


@pytest.mark.parametrize("codec", CODECS)
def test_colours_are_stored_as_bt709_in_limited_range_and_tagged(tmp_path: Path, codec: str) -> None:
    flat = np.full((128, 160, 3), RED, np.uint8)
    write_video(tmp_path / "video.mp4", [flat] * 3, np.arange(3) / 24, Encoding(codec=codec, crf=10))
    frame = read(tmp_path / "video.mp4")[1]
    with av.open(str(tmp_path / "video.mp4")) as container:
        context = container.streams.video[0].codec_context
        tags = (context.colorspace, context.color_primaries, context.color_trc, context.color_range)
    assert tags == (1, 1, 1, 1)
    red, green, blue = np.array(RED) / 255
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    wanted = (16 + 219 * luma, 128 + 224 * (blue - luma) / 1.8556, 128 + 224 * (red - luma) / 1.5748)
    planes = frame.to_ndarray()
    stored = (planes[60, 80], planes[128 + 16, 40], planes[160 + 16, 40])
    assert np.abs(np.array(stored, dtype=float) - wanted).max() < 2.5


def test_ten_bits_hold_the_colours_of_bt2020_and_pq(tmp_path: Path) -> None:
    """White is 203 candela per square metre, PQ's code 0.5807 (ITU-R BT.2408, table 1: 58%)."""
    white = np.full((128, 160, 3), 255, np.uint8)
    encoding = Encoding(codec="hevc", pixel_format="yuv420p10le", crf=10)
    write_video(tmp_path / "video.mp4", [white] * 3, np.arange(3) / 24, encoding)
    frame = read(tmp_path / "video.mp4")[1]
    with av.open(str(tmp_path / "video.mp4")) as container:
        context = container.streams.video[0].codec_context
        tags = (context.colorspace, context.color_primaries, context.color_trc, context.color_range)
    assert frame.format.name == "yuv420p10le" and tags == (9, 9, 16, 1)
    luma = frame.to_ndarray()[60, 80]
    assert (float(luma) - 64) / 876 == pytest.approx(0.5807, abs=0.004)


@pytest.mark.parametrize("name", [*CODECS, "ten_bits", "rotated_270"])
def test_the_same_pictures_give_the_same_bytes(tmp_path: Path, name: str) -> None:
    for turn in ("first", "second"):
        write(tmp_path / f"{turn}.mp4", ENCODINGS[name])
    assert (tmp_path / "first.mp4").read_bytes() == (tmp_path / "second.mp4").read_bytes()


@settings(deadline=None)
@given(number=st.integers(0, 2**BITS - 1), noise=st.integers(0, 40), seed=st.integers(0, 99))
def test_a_burnt_number_survives_noise_and_scaling(number: int, noise: int, seed: int) -> None:
    image = burn_number(picture((270, 480)), number).astype(int)
    image += np.random.default_rng(seed).integers(-noise, noise + 1, image.shape)
    shown = np.clip(image, 0, 255).astype(np.uint8)
    assert read_number(shown) == number
    assert read_number(shown[::2, ::2]) == number


@pytest.mark.parametrize("size", [(80, 80), (96, 160), (540, 960)])
def test_a_burnt_number_survives_coarse_coding_at_half_the_size(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    burnt = np.random.default_rng(3).integers(0, 1 << BITS, 12).tolist()
    pictures = (burn_number(picture(size), number) for number in burnt)
    write_video(tmp_path / "video.mp4", pictures, np.arange(12) / 24, Encoding(crf=28))
    half = (size[0] // 2, size[1] // 2)
    images = [
        cv2.resize(upright(frame), half, interpolation=cv2.INTER_AREA)
        for frame in read(tmp_path / "video.mp4")
    ]
    assert [read_number(image) for image in images] == burnt


def test_what_shows_no_number_has_none() -> None:
    for image in (picture(), np.zeros((128, 160, 3), np.uint8), np.full((128, 160, 3), 255, np.uint8)):
        assert read_number(image) is None
    noise = np.random.default_rng(5)
    assert not any(read_number(noise.integers(0, 256, (128, 160, 3), np.uint8)) for _ in range(50))
    for value in (-1, 1 << BITS):
        with pytest.raises(ValueError, match=str(value)):
            burn_number(picture(), value)


@given(number=st.integers(0, 2**BITS - 1), row=st.integers(0, 1), column=st.integers(0, 11))
def test_one_wrong_bar_is_noticed(number: int, row: int, column: int) -> None:
    image = burn_number(picture((240, 240)), number)
    bar = image[row * 10 : row * 10 + 10, column * 20 : column * 20 + 20]
    bar[:] = 255 - bar
    assert read_number(image) is None


def test_burning_leaves_the_picture_it_was_given_and_all_below_the_bars() -> None:
    given_picture = picture()
    burnt = burn_number(given_picture, 77)
    assert np.array_equal(given_picture, picture())
    assert np.array_equal(burnt[128 // 12 + 1 :], picture()[128 // 12 + 1 :])


WHOLES = {
    "steady": Encoding(),
    "varying": Encoding(variable_rate=True, b_frames=4),
    "turned": Encoding(rotation=90, b_frames=0),
    **{codec: Encoding(codec=codec) for codec in CODECS if codec != "h264"},
}


@pytest.fixture(scope="module", params=WHOLES)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "video.mp4"
    write(path, WHOLES[request.param])
    return path


def make(whole: Path, damage: str, folder: Path) -> Path:
    path = damaged(whole, damage, folder)
    assert path.parent == folder and path.stem == whole.stem
    assert path.suffix == (".avi" if damage == "wrong_extension" else ".mp4")
    return path


def test_every_damage_says_what_it_is() -> None:
    assert set(MEANING) == set(DAMAGES) and all(MEANING.values())
    with pytest.raises(KeyError):
        damaged(Path("video.mp4"), "scratched", Path())


def test_a_file_without_bytes_or_index_does_not_open(whole: Path, tmp_path: Path) -> None:
    empty = make(whole, "zero_bytes", tmp_path)
    assert empty.stat().st_size == 0
    unclosed = make(whole, "no_moov_atom", tmp_path)
    with pytest.raises(av.FFmpegError):
        av.open(str(unclosed))
    pictures = whole.read_bytes()
    assert pictures[pictures.index(b"mdat") : pictures.rindex(b"moov") - 4] in unclosed.read_bytes()


def test_sound_alone_lasts_as_long(whole: Path, tmp_path: Path) -> None:
    with av.open(str(make(whole, "audio_only", tmp_path))) as container:
        assert not container.streams.video
        blocks = list(container.decode(audio=0))
    assert blocks[-1].time == pytest.approx(read(whole)[-1].time, abs=0.1)
    assert max(np.abs(block.to_ndarray()).max() for block in blocks) > 0.1


def test_one_frame_is_the_first_as_it_was(whole: Path, tmp_path: Path) -> None:
    (frame,) = read(make(whole, "one_frame", tmp_path))
    assert frame.time == 0 and np.array_equal(upright(frame), upright(read(whole)[0]))


def test_a_wrong_extension_is_all_that_is_wrong(whole: Path, tmp_path: Path) -> None:
    assert make(whole, "wrong_extension", tmp_path).read_bytes() == whole.read_bytes()


def test_a_truncated_file_declares_all_and_holds_the_first(whole: Path, tmp_path: Path) -> None:
    path = make(whole, "truncated", tmp_path)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    shown: list[int | None] = []
    with av.open(str(path)) as container, contextlib.suppress(av.FFmpegError):
        assert container.streams.video[0].frames == COUNT
        for frame in container.decode(video=0):
            shown.append(None if frame.is_corrupt else read_number(upright(frame)))
    sound = [number for number in shown if number is not None]
    assert 2 < len(sound) < COUNT and sound == sorted(sound) and sound[:3] == [0, 1, 2]


def test_a_huge_header_is_declared_and_all_frames_are_there(whole: Path, tmp_path: Path) -> None:
    path = make(whole, "huge_declared_size", tmp_path)
    data = path.read_bytes()
    sides = data.index(b"stsd") + 4 + 40
    assert data[sides : sides + 4] == b"\xff" * 4
    pictures = data.index(b"mdat")
    assert int.from_bytes(data[pictures + 4 : pictures + 12], "big") == 2 << 40
    found = [frame.to_ndarray(format="rgb24") for frame in read(path)]
    assert np.array_equal(found, [frame.to_ndarray(format="rgb24") for frame in read(whole)])


def test_files_coded_anew_keep_every_frame_and_time(whole: Path, tmp_path: Path) -> None:
    given_frames = read(whole)
    for damage, pixel_format, size in (
        ("hdr_10bit", "yuv420p10le", (160, 128)),
        ("odd_size", "yuv444p", (159, 127)),
    ):
        path = make(whole, damage, tmp_path)
        frames = read(path)
        assert [frame.time for frame in frames] == [frame.time for frame in given_frames]
        assert numbers(path) == list(range(COUNT))
        assert frames[0].format.name == pixel_format and frames[0].rotation == given_frames[0].rotation
        assert upright(frames[0]).shape[1::-1] == size


def test_broken_timestamps_repeat_jump_back_and_are_negative(whole: Path, tmp_path: Path) -> None:
    path = make(whole, "broken_timestamps", tmp_path)
    with av.open(str(path)) as container:
        stamps = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
    assert min(stamps) < 0 and len(set(stamps)) < COUNT
    frames = read(path)
    assert numbers(path) == list(range(COUNT))
    steps = np.diff([frame.pts or 0 for frame in frames])
    assert (steps == 0).any() and (steps < 0).any()


def test_damages_are_the_same_each_time_and_of_odd_videos_too(tmp_path: Path) -> None:
    write(tmp_path / "video.mp4", Encoding(pixel_format="yuv444p"), (159, 127))
    for damage in DAMAGES:
        made = []
        for turn in ("first", "second"):
            (tmp_path / turn).mkdir(exist_ok=True)
            made.append(make(tmp_path / "video.mp4", damage, tmp_path / turn).read_bytes())
        assert made[0] == made[1], damage
