"""Open a media file safely: plain local files in known containers, and nothing that such a file points to."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from hashformer.errors import MediaError

# Real containers of picture and sound. FFmpeg would also read playlists, which open other files and
# addresses; text, which it draws as a terminal; and still images, which it takes for films of one frame.
DEMUXERS = (
    *("mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpeg", "flv", "asf", "ogg", "mxf", "dv", "rm", "nut", "ivf"),
    *("wav", "w64", "mp3", "aac", "flac", "aiff", "au", "caf", "amr", "ac3", "eac3", "wv", "ape", "tta"),
)
STILL_BRANDS = ("avif", "heic", "heix", "heim", "heis", "mif1")
"""Brands of the MP4 family that mark a photograph."""
MAX_PIXELS = 8192 * 8192
"""The largest picture that is decoded: a file of a few bytes may claim one that fills the memory."""


@contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """Open a media file for reading.

    Args:
        path: A local file; colons and percent signs in its name mean nothing special.

    Yields:
        The open container. It has at least one stream that `picture_stream` or `sound_stream` finds.

    Raises:
        MediaError: If the file cannot be read or is no video or sound file; the message says what is wrong.
    """
    _check_file(path)
    try:
        container = av.open(
            # The explicit protocol keeps a name such as `http:clip.mp4` a plain file.
            f"file:{path.absolute()}",
            mode="r",
            container_options={"protocol_whitelist": "file", "format_whitelist": ",".join(DEMUXERS)},
            options={"max_pixels": str(MAX_PIXELS)},
            metadata_errors="replace",
        )
    except (FFmpegError, UnicodeError) as error:
        raise MediaError(f"{path}: {_why_not_opened(path)}") from error
    with container:
        _check_streams(path, container)
        yield container


def start_time_s(container: InputContainer) -> float:
    """Time stamp that is time zero of the file, in seconds.

    A negative start is encoder priming, which is not played: players begin at 0 and so do we.
    """
    return max(0.0, (container.start_time or 0) / av.time_base)


def picture_stream(container: InputContainer) -> VideoStream | None:
    """The first video stream that moves and can be decoded: cover art and thumbnails are none."""
    still = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    for stream in container.streams.video:
        if _has_decoder(stream) and not stream.disposition & still and stream.width > 0 and stream.height > 0:
            return stream
    return None


def sound_stream(container: InputContainer) -> AudioStream | None:
    """The first audio stream that can be decoded."""
    for stream in container.streams.audio:
        if _has_decoder(stream) and stream.rate > 0 and stream.channels > 0:
            return stream
    return None


def stream_duration_s(stream: Stream) -> float | None:
    """How long the container says that the stream lasts, in seconds; None if it does not say."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    tag = next((text for key, text in stream.metadata.items() if key.startswith("DURATION")), None)
    if tag is None:
        return None
    try:  # Matroska writes 00:01:02.345000000
        hours, minutes, seconds = tag.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(Fraction(seconds))
    except ValueError:
        return None


def _has_decoder(stream: Stream) -> bool:
    # PyAV's types promise a codec context; without a decoder for the stream it is None all the same.
    return getattr(stream, "codec_context", None) is not None


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise MediaError(f"{path}: is a folder, not a file. Name the media files in it.")
        if not stat.S_ISREG(status.st_mode):  # reading a pipe or a device could wait for ever
            raise MediaError(f"{path}: is not a regular file. Copy the media to a file first.")
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise MediaError(f"{path}: no such file. Check the name.") from error
    except PermissionError as error:
        raise MediaError(f"{path}: no permission to read it. Change its access rights.") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise MediaError(f"{path}: cannot be read ({error}).") from error
    if status.st_size == 0:
        raise MediaError(f"{path}: is empty (0 bytes). Copy or download it again.")


def _check_streams(path: Path, container: InputContainer) -> None:
    if container.metadata.get("major_brand", "").strip() in STILL_BRANDS:
        raise MediaError(f"{path}: is a still image; a video or sound file is needed.")
    picture = picture_stream(container)
    if picture is not None and picture.width * picture.height > MAX_PIXELS:
        size = f"{picture.width} x {picture.height}"
        raise MediaError(f"{path}: its picture of {size} pixels is above the limit of {MAX_PIXELS}. Scale it down.")
    if picture is not None or sound_stream(container) is not None:
        return
    if _is_mp4_without_index(path):
        raise MediaError(f"{path}: {_why_not_opened(path)}")
    n_unread = len(container.streams.video) + len(container.streams.audio)
    more = f" that can be decoded ({n_unread} streams are stills, damaged, or of no known kind)" if n_unread else ""
    raise MediaError(f"{path}: has neither picture nor sound{more}.")


def _why_not_opened(path: Path) -> str:
    if _is_mp4_without_index(path):
        return "is truncated: its index (the moov box) is missing. Copy or download it again."
    return "is not a video or sound file, or its beginning is damaged."


def _is_mp4_without_index(path: Path) -> bool:
    size = path.stat().st_size
    position = 0
    boxes: list[bytes] = []
    with path.open("rb") as file:
        while position + 8 <= size and len(boxes) < 64:
            file.seek(position)
            header = file.read(16)
            length = int.from_bytes(header[:4])
            if length == 1:
                length = int.from_bytes(header[8:16])
            boxes.append(header[4:8])
            if length < 8:  # 0: the box goes on to the end of the file
                break
            position += length
    is_mp4 = bool(boxes) and boxes[0] in (b"ftyp", b"mdat", b"wide", b"free", b"skip", b"moov")
    return is_mp4 and (b"moov" not in boxes or position > size)
