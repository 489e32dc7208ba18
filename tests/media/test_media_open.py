"""Files that cannot be scored are refused with one line that names the file and says why."""

import io
import os
import wave

import av
import cv2
import numpy as np
import pytest

from hashformer.errors import MediaError
from hashformer.media import probe
from hashformer.media.audio import blocks
from hashformer.media.video import frames
from make_media import counting, cut_bytes, flash_and_beep, moving_pattern, remux, sound_only, text_named_mp4


def refusal(path):
    with pytest.raises(MediaError) as caught:
        probe(path)
    line = str(caught.value)
    assert str(path) in line
    assert "\n" not in line
    return line.removeprefix(str(path))


def test_a_missing_file(tmp_path):
    assert "no such file" in refusal(tmp_path / "nothing.mp4")


def test_a_folder(tmp_path):
    assert "folder" in refusal(tmp_path)


def test_an_empty_file(tmp_path):
    (tmp_path / "a.mp4").touch()
    assert "empty" in refusal(tmp_path / "a.mp4")


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "not a regular file" in refusal(tmp_path / "pipe.mp4")


def test_no_permission(tmp_path, monkeypatch):
    path = counting(tmp_path / "a.mp4")
    path.chmod(0)

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    if os.access(path, os.R_OK):  # the superuser may read everything
        monkeypatch.setattr(type(path), "open", refuse)
    assert "permission" in refusal(path)


@pytest.mark.parametrize("suffix", [".mp4", ".txt", ".avi", ".srt"])
def test_a_text_is_no_video_whatever_its_name(tmp_path, suffix):
    assert "not a video or sound file" in refusal(text_named_mp4(tmp_path / f"a{suffix}"))


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_no_video(tmp_path, seed):
    path = tmp_path / "a.mp4"
    path.write_bytes(np.random.default_rng(seed).bytes(200_000))
    refusal(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp"])
@pytest.mark.parametrize("name", ["a{}", "a{}.mp4"])
def test_a_still_image_is_no_video(tmp_path, suffix, name):
    image = cv2.imencode(suffix, np.full((96, 128, 3), 200, np.uint8))[1]
    path = tmp_path / name.format(suffix)
    path.write_bytes(image.tobytes())
    refusal(path)


HOSTILE = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{victim}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile {victim}\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
    '<Representation id="1"><BaseURL>{victim}</BaseURL></Representation></AdaptationSet></Period></MPD>',
    "subtitle": "1\n00:00:00,000 --> 00:00:02,000\nHello\n",
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("suffix", [".m3u8", ".mp4", ".mpd", ".sdp", ".ffconcat"])
def test_a_list_of_other_files_is_refused_and_opens_none(tmp_path, kind, suffix):
    counting(tmp_path / "victim.ts")
    path = tmp_path / f"list{suffix}"
    path.write_text(HOSTILE[kind].format(victim="victim.ts"))
    refusal(path)


def test_truncated_mp4_without_index(tmp_path):
    whole = moving_pattern(tmp_path / "whole.mp4")
    for keep in (0.1, 0.5, 0.9):
        assert "truncated" in refusal(cut_bytes(whole, tmp_path / "cut.mp4", keep=keep))


def test_only_subtitles_is_neither_picture_nor_sound(tmp_path):
    text = tmp_path / "a.srt"
    text.write_text(HOSTILE["subtitle"])
    path = tmp_path / "a.mkv"
    with av.open(str(text)) as source, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(source.streams[0])
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    assert "neither picture nor sound" in refusal(path)


def test_a_still_image_in_the_mp4_family_is_refused(tmp_path):
    path = counting(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes().replace(b"ftypisom", b"ftypavif", 1))
    assert "still image" in refusal(path)


def test_every_fact_of_a_video(tmp_path):
    info = probe(flash_and_beep(tmp_path / "a.mp4", fps=25, duration_s=4.0))
    assert info.duration_s == pytest.approx(4.0, abs=0.1)
    assert info.size_bytes == (tmp_path / "a.mp4").stat().st_size
    assert info.video is not None
    assert info.audio is not None
    assert (info.video.codec, info.video.width, info.video.height) == ("h264", 128, 96)
    assert info.video.fps == pytest.approx(25)
    assert (info.audio.codec, info.audio.sample_rate_hz, info.audio.channels) == ("aac", 16_000, 1)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_rotation_is_told_and_swaps_the_sides(tmp_path, turn):
    flat = counting(tmp_path / "flat.mp4")
    info = probe(remux(flat, tmp_path / "turned.mp4", rotation_deg=turn))
    assert info.video is not None
    assert info.video.rotation_deg == turn
    assert (info.video.width, info.video.height) == ((128, 96) if turn == 180 else (96, 128))


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".m4a", ".ogg"])
def test_sound_alone_has_no_picture(tmp_path, suffix):
    path = sound_only(tmp_path / f"a{suffix}")
    assert probe(path).video is None
    with pytest.raises(MediaError, match="no picture"):
        next(frames(path, fps=16))


def test_picture_alone_has_no_sound(tmp_path):
    path = counting(tmp_path / "a.mp4")
    assert probe(path).audio is None
    with pytest.raises(MediaError, match="no sound"):
        next(blocks(path, sample_rate_hz=16_000))


def test_cover_art_is_no_picture(tmp_path):
    path = tmp_path / "song.flac"
    sound_only(tmp_path / "plain.flac")
    picture = cv2.imencode(".png", np.zeros((32, 32, 3), np.uint8))[1].tobytes()
    fields = [(3).to_bytes(4), len(b"image/png").to_bytes(4), b"image/png", bytes(4)]
    fields += [(32).to_bytes(4), (32).to_bytes(4), (24).to_bytes(4), bytes(4), len(picture).to_bytes(4), picture]
    block = b"".join(fields)
    plain = (tmp_path / "plain.flac").read_bytes()
    first = 4 + 4 + int.from_bytes(plain[5:8])
    cover = bytes([6]) + len(block).to_bytes(3) + block
    path.write_bytes(plain[:4] + bytes([plain[4] & 0x7F]) + plain[5:first] + cover + plain[first:])
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 1
    assert probe(path).video is None


@pytest.mark.parametrize(
    "name", ["http:clip.mp4", "a b ö 漢字.mp4", "50%d.mp4", "concat:a|b.mp4", "-i.mp4", "x%03d.mp4"]
)
def test_odd_names_are_plain_files(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = counting(tmp_path / name)
    assert probe(path).video is not None
    assert probe(path.relative_to(tmp_path)).video is not None
    assert next(frames(path, fps=25)).rgb is not None


def test_metadata_that_is_no_utf8(tmp_path):
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(bytes(16_000))
    note = b"INAM\x04\x00\x00\x00\xff\xfe\xe9\x00"
    content = buffer.getvalue() + b"LIST" + (4 + len(note)).to_bytes(4, "little") + b"INFO" + note
    (tmp_path / "a.wav").write_bytes(content)
    assert probe(tmp_path / "a.wav").audio is not None
