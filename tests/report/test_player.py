"""Which files a report plays, and how."""

import base64

import pytest

from hashformer.report.html import to_html
from hashformer.report.player import MAX_FILE_BYTES, MAX_REPORT_BYTES, mime_type, players
from hashformer.results import AudioStream, MediaInfo, VideoStream
from report.detections import audio_only, document_of, error, scored
from report.html_page import Page


def media(container, picture=None, sound=None, *, size_bytes=1000):
    video = picture and VideoStream(codec=picture, width=8, height=8, fps=25, rotation_deg=0, duration_s=1)
    audio = sound and AudioStream(codec=sound, sample_rate_hz=16_000, channels=1, duration_s=1)
    return MediaInfo(container=container, duration_s=1.0, size_bytes=size_bytes, video=video, audio=audio)


MP4, WEBM = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"


@pytest.mark.parametrize(
    ("facts", "mime"),
    [
        (media(MP4, "h264", "aac"), "video/mp4"),
        (media(MP4, "h264"), "video/mp4"),
        (media(MP4, "mpeg4", "aac"), None),
        (media(MP4, "h264", "pcm_s16le"), None),
        (media(MP4, None, "aac"), "audio/mp4"),
        (media(WEBM, "vp9", "opus"), "video/webm"),
        (media(WEBM, "h264", "aac"), None),
        (media("wav", None, "pcm_s16le"), "audio/wav"),
        (media("mp3", None, "mp3float"), "audio/mpeg"),
        (media("flac", None, "flac"), "audio/flac"),
        (media("avi", "h264", "mp3"), None),
    ],
)
def test_only_what_every_browser_plays_has_a_type(facts, mime):
    assert mime_type(facts) == mime


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(bytes(range(256)) * 4)
    return path


def test_a_small_file_is_put_into_the_page(clip):
    file = scored(media=media(MP4, "h264", "aac"))
    page = Page(to_html(document_of(file), media=[clip]))
    source = page.one("video").attrs["src"]
    assert base64.b64decode(source.removeprefix("data:video/mp4;base64,"), validate=True) == clip.read_bytes()
    assert not page.all("input")


@pytest.mark.parametrize(
    "file",
    [scored(media=media(MP4, "h264", "aac", size_bytes=MAX_FILE_BYTES + 1)), scored(media=media("avi", "mpeg4"))],
)
def test_another_can_be_opened_by_the_reader(file, clip):
    page = Page(to_html(document_of(file), media=[clip]))
    assert not page.all("video")
    assert page.one("input").attrs["type"] == "file"
    assert page.one("div", class_="player").attrs["data-sha256"] == file.sha256


def test_nothing_is_embedded_that_was_not_handed_over():
    page = Page(to_html(document_of(audio_only())))
    assert not page.all("audio")
    assert page.one("div", class_="player").attrs["data-tag"] == "audio"


def test_what_could_not_be_read_has_no_player():
    assert players([error()], None) == [None]


def test_all_files_together_stay_below_the_limit(clip):
    file = scored(media=media(MP4, "h264", size_bytes=MAX_FILE_BYTES))
    found = players([file] * 5, [clip] * 5)
    n_embedded = sum(player.kind == "embedded" for player in found)
    assert n_embedded == MAX_REPORT_BYTES // MAX_FILE_BYTES


def test_media_must_be_as_many_as_files(clip):
    with pytest.raises(ValueError, match="1 media for 2 files"):
        to_html(document_of(scored(), scored()), media=[clip])
