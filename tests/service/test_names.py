"""Names of clients: shown, never believed."""

import pytest

from hashformer.cli.inputs import SUFFIXES
from hashformer.service.names import MAX_NAME, MEDIA_SUFFIXES, display_name, may_be_media, suffix_of


def test_what_the_command_line_takes_from_a_folder_the_service_takes():
    assert SUFFIXES <= MEDIA_SUFFIXES


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("clip.mp4", "clip.mp4"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\clip.mp4", "clip.mp4"),
        ("/clip.mp4/", "clip.mp4"),
        ("видео 한국어 ø.mp4", "видео 한국어 ø.mp4"),
        ("a\u202e4pm.mp4", "a4pm.mp4"),
        ("a\x00\n\x1bb.mp4", "ab.mp4"),
        ("a \t  b.mp4", "a b.mp4"),
        ("", "upload"),
        ("..", "upload"),
        (" . ", "upload"),
        ("\u202e", "upload"),
    ],
)
def test_what_is_shown(given, shown):
    assert display_name(given) == shown


def test_a_long_name_keeps_its_ending():
    shown = display_name("x" * 5000 + ".webm")
    assert len(shown) == MAX_NAME
    assert shown.endswith("….webm")


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.MP4", ".mp4"), ("a.mp4.exe", ""), ("a", ""), (".mp4", ".mp4"), ("a.mp4/../b", ""), ("a.tar.wav", ".wav")],
)
def test_only_endings_of_media_reach_the_disk(name, suffix):
    assert suffix_of(name) == suffix


@pytest.mark.parametrize(
    ("name", "content_type", "may_be"),
    [
        ("a.mp4", "", True),
        ("a.mp4", "text/html", True),
        ("a", "video/quicktime", True),
        ("a", "Audio/wav; x=y", True),
        ("a.exe", "application/octet-stream", False),
        ("a.jpg", "image/jpeg", False),
    ],
)
def test_what_may_be_media(name, content_type, may_be):
    assert may_be_media(name, content_type) is may_be
