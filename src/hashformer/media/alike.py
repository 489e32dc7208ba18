"""Write a few films that differ in nothing but what they show: every packet of one is as large as that of the others.

A picture that is smoother codes smaller, and so would tell a forged film by its size. Spending the same bits on both
would not help: the smoother one would come out better coded. Here all films are coded with the same quality, and the
smaller packets are filled up with data that decoders pass over (`media.fill`).
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from hashformer.errors import MediaError
from hashformer.media.fill import (
    LEAST_PICTURE_FILL,
    LEAST_SOUND_FILL,
    filled_picture,
    filled_sound,
    picture_bytes,
)
from hashformer.media.writer import add_video, even, video_frame, writing
from hashformer.types import Floats, Frames

# The pattern of key and other pictures does not depend on what they show. One thread and no macroblock tree, for the
# reasons that `recode` gives: with the tree 9 of 24 encodings of the same pictures at 96 px differed.
_OPTIONS = {"threads": "1", "x264-params": "scenecut=0:b-adapt=0:bframes=2:keyint=250:mbtree=0"}


@dataclass(frozen=True, kw_only=True)
class Film:
    """What one file is to hold.

    Attributes:
        path: Where to; an MP4. It appears when it is complete.
        frames: RGB, (T, 3, H, W) uint8; None for sound alone.
        waveform: Mono sound, (S,) float32 in −1 to 1; None for none.
    """

    path: Path
    frames: Frames | None
    waveform: Floats | None


@dataclass(frozen=True, kw_only=True)
class Coding:
    """How all films of a group are coded.

    Attributes:
        fps: Pictures a second.
        sample_rate_hz: Of the sound.
        crf: Quality of H.264, 0 to 51.
        bit_rate: Of AAC, bits a second.
    """

    fps: int
    sample_rate_hz: int
    crf: int
    bit_rate: int


def write_alike(films: Sequence[Film], coding: Coding) -> None:
    """Write films of one length, with the same streams: H.264 and AAC in MP4, each packet of the same size in all.

    The files are of the same size to the byte, and so are their streams.

    Args:
        films: At least one; all with pictures of one shape or all without, and the same of sound.
        coding: The same for all.

    Raises:
        ValueError: If the films differ in shape, or hold nothing.
        MediaError: If a file cannot be written.
    """
    shapes = {(_shape(film.frames), _shape(film.waveform)) for film in films}
    if len(shapes) != 1 or shapes == {(None, None)}:
        raise ValueError(f"films must be of one shape and not empty, got {sorted(map(str, shapes))}")
    with ExitStack() as open_files:
        coded = [_encode(open_files.enter_context(writing(film.path)), film, coding) for film in films]
        pictures = _sizes([[picture_bytes(bytes(packet)) for packet in each.pictures] for each in coded])
        sounds = _sizes([[packet.size for packet in each.sounds] for each in coded])
        for film in coded:
            film.mux(
                [
                    filled_picture(bytes(p), n + LEAST_PICTURE_FILL)
                    for p, n in zip(film.pictures, pictures, strict=True)
                ],
                [filled_sound(bytes(p), n + LEAST_SOUND_FILL) for p, n in zip(film.sounds, sounds, strict=True)],
            )


@dataclass
class _Coded:
    container: OutputContainer
    pictures: "list[Packet[VideoStream]]" = field(default_factory=list)
    sounds: "list[Packet[AudioStream]]" = field(default_factory=list)

    def mux(self, pictures: Sequence[bytes], sounds: Sequence[bytes]) -> None:
        packets: list[Packet[VideoStream] | Packet[AudioStream]] = [*self.pictures, *self.sounds]
        for packet, content in zip(packets, (*pictures, *sounds), strict=True):
            self.container.mux(_with_content(packet, content))


def _encode(container: OutputContainer, film: Film, coding: Coding) -> _Coded:
    coded = _Coded(container)
    if film.frames is not None:
        coded.pictures = list(_pictures(container, film.frames, coding))
    if film.waveform is not None:
        coded.sounds = list(_sounds(container, film.waveform, coding))
    return coded


def _pictures(container: OutputContainer, frames: Frames, coding: Coding) -> "Iterator[Packet[VideoStream]]":
    options = {"crf": str(coding.crf), **_OPTIONS}
    first = even(frames[0].transpose(1, 2, 0))
    stream = add_video(container, first, Fraction(coding.fps), options, "libx264")
    stream.codec_context.time_base = Fraction(1, coding.fps)
    for pts, frame in enumerate(frames):
        picture = video_frame(even(frame.transpose(1, 2, 0)))
        picture.pts, picture.time_base = pts, Fraction(1, coding.fps)
        yield from stream.encode(picture)
    yield from stream.encode(None)


def _sounds(container: OutputContainer, waveform: Floats, coding: Coding) -> "Iterator[Packet[AudioStream]]":
    stream = container.add_stream("aac", rate=coding.sample_rate_hz)
    if not isinstance(stream, AudioStream):
        raise MediaError("aac is no sound encoder here. Install PyAV's own build: pip install av.")
    stream.layout, stream.bit_rate = "mono", coding.bit_rate
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(waveform, np.float32)[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = coding.sample_rate_hz, 0, Fraction(1, coding.sample_rate_hz)
    yield from stream.encode(frame)
    yield from stream.encode(None)


def _with_content(packet: "Packet[VideoStream] | Packet[AudioStream]", content: bytes) -> "Packet[Stream]":
    filled = Packet(content)
    filled.pts, filled.dts, filled.duration = packet.pts, packet.dts, packet.duration
    filled.time_base, filled.is_keyframe = packet.time_base, packet.is_keyframe
    filled.stream = packet.stream
    return filled


def _sizes(films: Sequence[Sequence[int]]) -> list[int]:
    """Size of the largest packet at each place."""
    if len({len(sizes) for sizes in films}) != 1:
        raise MediaError(f"films of one length were coded as {[len(sizes) for sizes in films]} packets.")
    return [max(sizes) for sizes in zip(*films, strict=True)]


def _shape(array: Frames | Floats | None) -> tuple[int, ...] | None:
    return None if array is None else array.shape
