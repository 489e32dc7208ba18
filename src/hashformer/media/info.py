"""What a media file holds, as its container states it."""

from pathlib import Path

import av
from av.audio.stream import AudioStream as PyavAudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream as PyavVideoStream

from hashformer.media.container import open_media, picture_stream, sound_stream, stream_duration_s
from hashformer.media.picture import display_size, orientation
from hashformer.results import AudioStream, MediaInfo, VideoStream

FIRST_PICTURE_PACKETS = 100
"""Packets that are read for a first picture, which is where the rotation is told."""


def probe(path: Path) -> MediaInfo:
    """State what a media file holds: its container, its first real picture and its first sound.

    Args:
        path: A local media file.

    Returns:
        The facts. Width and height are those of the picture as displayed, after rotation.

    Raises:
        MediaError: If the file is missing, unreadable, empty, truncated beyond reading, not a media file,
            or without picture and sound.
    """
    with open_media(path) as container:
        picture, sound = picture_stream(container), sound_stream(container)
        return MediaInfo(
            container=container.format.name,
            duration_s=None if container.duration is None else container.duration / av.time_base,
            size_bytes=path.stat().st_size,
            video=None if picture is None else _video(container, picture),
            audio=None if sound is None else _audio(sound),
        )


def _video(container: InputContainer, stream: PyavVideoStream) -> VideoStream:
    rate = stream.average_rate or stream.guessed_rate
    frame = _first_picture(container, stream)
    if frame is None:
        rotation_deg, (width, height) = 0, (stream.width, stream.height)
    else:
        rotation_deg, (width, height) = orientation(frame).rotation_deg, display_size(frame, stream.sample_aspect_ratio)
    return VideoStream(
        codec=stream.codec_context.name,
        width=width,
        height=height,
        fps=float(rate) if rate else None,
        rotation_deg=rotation_deg,
        duration_s=stream_duration_s(stream),
    )


def _audio(stream: PyavAudioStream) -> AudioStream:
    return AudioStream(
        codec=stream.codec_context.name,
        sample_rate_hz=stream.rate,
        channels=stream.channels,
        duration_s=stream_duration_s(stream),
    )


def _first_picture(container: InputContainer, stream: PyavVideoStream) -> VideoFrame | None:
    """The first frame that can be decoded: PyAV shows the display matrix on frames, not on streams."""
    try:
        for n_packets, packet in enumerate(container.demux(stream)):
            for frame in _decode(stream, packet):
                return frame
            if n_packets >= FIRST_PICTURE_PACKETS:
                return None
    except FFmpegError:
        return None
    return None


def _decode(stream: PyavVideoStream, packet: "av.Packet[PyavVideoStream]") -> list[VideoFrame]:
    try:
        return stream.decode(packet)
    except FFmpegError:  # a damaged start: a later packet may be whole
        return []
