"""Whether a report can play its file: embedded, opened by the reader, or not at all."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hashformer.results import Detection, MediaInfo

MAX_FILE_BYTES = 8_000_000
"""A larger file is not put into the report; the reader can open it there."""
MAX_REPORT_BYTES = 24_000_000
"""Nor are more than this of all files together."""

# What every current browser plays. FFmpeg names a container by all its relatives.
_PLAYED_PICTURE = {
    "mp4": ("video/mp4", {"h264", "vp9", "av1"}, {"aac", "mp3", "opus", "flac"}),
    "webm": ("video/webm", {"vp8", "vp9", "av1"}, {"vorbis", "opus"}),
}
_PLAYED_SOUND = {
    "mp4": ("audio/mp4", {"aac", "mp3"}),
    "webm": ("audio/webm", {"vorbis", "opus"}),
    "wav": ("audio/wav", {"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"}),
    "mp3": ("audio/mpeg", {"mp3", "mp3float"}),
    "flac": ("audio/flac", {"flac"}),
    "ogg": ("audio/ogg", {"vorbis", "opus", "flac"}),
}


@dataclass(frozen=True, kw_only=True)
class Player:
    """How the page plays a file.

    Attributes:
        kind: `embedded`: the file is in the page; `open`: the reader chooses it, and it stays on their machine.
        tag: The element that plays it.
        source: Data URI, if embedded.
        plays: Whether every current browser can play it.
    """

    kind: Literal["embedded", "open"]
    tag: Literal["video", "audio"]
    source: str = ""
    plays: bool = True


def players(files: Sequence[Detection], media: Sequence[Path | None] | None) -> list[Player | None]:
    """A player for each file, None where nothing could be read.

    Args:
        files: The answers.
        media: For each, the file itself, to be embedded if it is small and a browser can play it; None: none.

    Raises:
        ValueError: If there are not as many media as files.
        OSError: If a file that was scored cannot be read any more.
    """
    if media is not None and len(media) != len(files):
        raise ValueError(f"{len(media)} media for {len(files)} files: give one for each, None where there is none")
    left = MAX_REPORT_BYTES
    found: list[Player | None] = []
    for file, path in zip(files, media or [None] * len(files), strict=True):
        player = _player(file, path, min(left, MAX_FILE_BYTES))
        if player is not None and player.kind == "embedded" and file.media is not None:
            left -= file.media.size_bytes
        found.append(player)
    return found


def _player(file: Detection, path: Path | None, most_bytes: int) -> Player | None:
    if file.media is None:
        return None
    mime = mime_type(file.media)
    tag: Literal["video", "audio"] = "audio" if file.media.video is None else "video"
    if path is None or mime is None or file.media.size_bytes > most_bytes:
        return Player(kind="open", tag=tag, plays=mime is not None)
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return Player(kind="embedded", tag=tag, source=f"data:{mime};base64,{data}")


def mime_type(media: MediaInfo) -> str | None:
    """As what a browser plays a file; None if not every current one does."""
    containers = media.container.split(",")
    heard = None if media.audio is None else media.audio.codec
    for name in containers:
        if media.video is not None and name in _PLAYED_PICTURE:
            mime, pictures, sounds = _PLAYED_PICTURE[name]
            if media.video.codec in pictures and (heard is None or heard in sounds):
                return mime
        if media.video is None and name in _PLAYED_SOUND:
            mime, sounds = _PLAYED_SOUND[name]
            if heard in sounds:
                return mime
    return None
