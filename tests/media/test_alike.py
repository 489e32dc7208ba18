"""Films that are written alike: the same bytes in every packet's length, and what decodes is what was coded."""

import av
import numpy as np
import pytest

from hashformer.errors import MediaError
from hashformer.media import probe
from hashformer.media.alike import Coding, Film, write_alike
from hashformer.media.audio import blocks
from hashformer.media.fill import filled_picture, filled_sound, picture_bytes
from make_faces import speech_like

CODING = Coding(fps=16, sample_rate_hz=16_000, crf=20, bit_rate=64_000)
N_FRAMES = 37


def pictures(seed, *, sharp=True):
    rng = np.random.default_rng(seed)
    ground = rng.uniform(0, 255, (1, 64, 64)) if sharp else np.full((1, 64, 64), 90.0)
    frames = np.stack([np.roll(ground, k // 2, 2).repeat(3, 0) for k in range(N_FRAMES)])
    if sharp:
        frames[20:] = 255 - frames[20:]  # a cut, which would make a key frame
    return frames.astype(np.uint8)


def sound(seed, *, loud=True):
    length = N_FRAMES * 1000
    return speech_like(length / 16_000, seed=seed) if loud else np.zeros(length, np.float32)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    group = [
        Film(path=folder / "a.mp4", frames=pictures(0), waveform=sound(0)),
        Film(path=folder / "b.mp4", frames=pictures(0, sharp=False), waveform=sound(1)),
        Film(path=folder / "c.mp4", frames=pictures(2), waveform=sound(2, loud=False)),
    ]
    write_alike(group, CODING)
    return group


def packets(path):
    with av.open(str(path)) as container:
        return [
            (packet.stream.type, packet.pts, packet.dts, packet.size, packet.is_keyframe)
            for packet in container.demux()
            if packet.dts is not None
        ]


def decoded(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_files_and_packets_are_of_one_size(films):
    assert len({film.path.stat().st_size for film in films}) == 1
    assert len({tuple(packets(film.path)) for film in films}) == 1
    infos = [probe(film.path) for film in films]
    assert len({info.model_copy(update={"size_bytes": 0}).model_dump_json() for info in infos}) == 1
    assert infos[0].video.duration_s == pytest.approx(N_FRAMES / 16, abs=0.001)
    assert infos[0].audio.duration_s == pytest.approx(N_FRAMES / 16, abs=0.07)


def test_what_was_filled_decodes_to_what_was_coded(films, tmp_path):
    for film in films:
        alone = tmp_path / film.path.name
        write_alike([Film(path=alone, frames=film.frames, waveform=film.waveform)], CODING)
        assert alone.stat().st_size <= film.path.stat().st_size
        np.testing.assert_array_equal(decoded(alone), decoded(film.path))
        heard, alone_heard = (
            np.concatenate([block.samples for block in blocks(path, sample_rate_hz=16_000)])
            for path in (film.path, alone)
        )
        np.testing.assert_array_equal(heard, alone_heard)
        close = np.abs(decoded(film.path).astype(int) - film.frames.transpose(0, 2, 3, 1)).mean()
        assert close < 6
        if film.path.name == "a.mp4":
            lag = np.correlate(heard[2000:6000], film.waveform[1900:6100], "valid").argmax() - 100
            assert abs(lag) <= 1


def test_the_bytes_are_the_same_each_time(films, tmp_path):
    again = [Film(path=tmp_path / film.path.name, frames=film.frames, waveform=film.waveform) for film in films]
    write_alike(again, CODING)
    assert all(a.path.read_bytes() == b.path.read_bytes() for a, b in zip(films, again, strict=True))


@pytest.mark.parametrize("streams", ["picture", "sound"])
def test_one_stream_suffices(streams, tmp_path):
    group = [
        Film(
            path=tmp_path / f"{k}.mp4",
            frames=pictures(k) if streams == "picture" else None,
            waveform=sound(k) if streams == "sound" else None,
        )
        for k in range(2)
    ]
    write_alike(group, CODING)
    assert len({film.path.stat().st_size for film in group}) == 1
    info = probe(group[0].path)
    assert (info.video is None, info.audio is None) == (streams == "sound", streams == "picture")


def test_unequal_films_are_refused(tmp_path):
    one, other = (Film(path=tmp_path / f"{k}.mp4", frames=pictures(0)[: 5 + k], waveform=None) for k in range(2))
    with pytest.raises(ValueError, match="one shape"):
        write_alike([one, other], CODING)
    with pytest.raises(ValueError, match="not empty"):
        write_alike([Film(path=tmp_path / "n.mp4", frames=None, waveform=None)], CODING)
    with pytest.raises(MediaError, match="cannot be written"):
        write_alike(
            [Film(path=tmp_path / "m.mp4", frames=np.zeros((1, 3, 9_000_0, 2), np.uint8), waveform=None)], CODING
        )
    assert list(tmp_path.iterdir()) == []  # all or nothing


@pytest.mark.parametrize("more", [6, 7, 300, 5000])
def test_picture_filler_has_the_size_that_was_asked_for(more):
    packet = b"\x00\x00\x00\x01\x06\x05\x80\x00\x00\x01\x65\x88\x84"
    size = picture_bytes(packet)
    assert size == 4 + 3 + 4 + 3
    filled = filled_picture(packet, size + more)
    assert picture_bytes(filled) == size + more
    assert filled.count(b"\x00\x00\x00\x01") == 3
    with pytest.raises(ValueError, match="at least 20"):
        filled_picture(packet, size + 5)


@pytest.mark.parametrize("more", [*range(1, 40), 268, 269, 270, 271, 272, 285, 286, 287, 5000])
@pytest.mark.parametrize("tail", range(8))
def test_sound_filler_can_be_read_back(more, tail):
    content = "1011" + "0" * (13 - tail)  # so that the end falls on every place of a byte
    text = content + "111" + "0" * (-(len(content) + 3) % 8)
    packet = int(text, 2).to_bytes(len(text) // 8)
    filled = filled_sound(packet, len(packet) + more)
    assert len(filled) == len(packet) + more
    bits = "".join(f"{byte:08b}" for byte in filled)
    assert bits.startswith(content)
    place = len(content)
    while bits[place : place + 3] == "110":
        count = int(bits[place + 3 : place + 7], 2)
        place += 7
        if count == 15:
            count += int(bits[place : place + 8], 2) - 1
            place += 8
        place += 8 * count
    assert bits[place : place + 3] == "111"
    assert set(bits[place + 3 :]) <= {"0"}
    assert len(bits) - place - 3 < 8


def test_what_is_no_sound_is_refused():
    with pytest.raises(ValueError, match="does not end as AAC does"):
        filled_sound(b"\x81", 10)
    with pytest.raises(ValueError, match="at least 3"):
        filled_sound(b"\x01\x07", 2)
