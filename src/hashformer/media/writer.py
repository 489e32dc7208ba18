"""Write pictures and sound to a media file: exact times, and the whole file or none."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from numpy.typing import NDArray

from hashformer.cache import atomic_path
from hashformer.errors import MediaError
from hashformer.media.picture import HD_HEIGHT, RGB
from hashformer.types import Floats

TICKS_HZ = 90_000
"""Time stamps are whole multiples of this when frames have times of their own."""
SOUND_CODECS = {".wav": "pcm_s16le", ".flac": "flac", ".mp3": "libmp3lame", ".m4a": "aac", ".ogg": "libopus"}
CHUNK_SAMPLES = 16_000


def write_video(  # noqa: PLR0913 - each is one plain property of the file
    path: Path,
    frames: Iterable[RGB],
    *,
    fps: Fraction | int,
    waveform: Floats | None = None,
    sample_rate_hz: int = 16_000,
    crf: int = 18,
    codec: str = "libx264",
    times_s: Iterable[float] | None = None,
) -> None:
    """Write pictures, and sound if there is any, to a video file.

    Args:
        path: Where to; its suffix decides the container. It appears when it is complete.
        frames: RGB pictures, (H, W, 3) uint8, all of one size. An odd side grows by one pixel, the edge's copy.
        fps: Pictures a second.
        waveform: Mono sound, (S,) float32 in −1 to 1, from time 0; AAC, or Opus in webm.
        sample_rate_hz: Rate of the sound.
        crf: Quality of the picture, 0 (lossless for H.264) to 51.
        codec: FFmpeg's name of the video encoder.
        times_s: When each picture appears, rising, in seconds; without it `fps` decides.

    Raises:
        MediaError: If there is no picture, or the file cannot be written.
    """
    with writing(path) as container:
        iterator = iter(frames)
        first = next(iterator, None)
        if first is None:
            raise MediaError(f"{path}: no picture to write; at least one is needed.")
        video = add_video(container, even(first), Fraction(fps), {"crf": str(crf)}, codec)
        sound = None if waveform is None else _Sound(container, _sound_codec(path), waveform, sample_rate_hz)
        tick = Fraction(1, TICKS_HZ) if times_s is not None else 1 / Fraction(fps)
        video.codec_context.time_base = tick
        for pts, rgb in zip(_ticks(times_s), _chain(first, iterator), strict=False):
            frame = video_frame(even(rgb))
            frame.pts, frame.time_base = pts, tick
            if sound is not None:
                sound.write_until(float(pts * tick))
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if sound is not None:
            sound.finish()


def write_audio(path: Path, waveform: Floats, *, sample_rate_hz: int) -> None:
    """Write sound to a file of its own.

    Args:
        path: Where to: .wav, .flac, .mp3, .m4a or .ogg. It appears when it is complete.
        waveform: Mono sound, (S,) float32 in −1 to 1.
        sample_rate_hz: Its rate.

    Raises:
        MediaError: If the suffix is not one of these, or the file cannot be written.
    """
    codec = SOUND_CODECS.get(path.suffix.lower())
    if codec is None:
        raise MediaError(f"{path}: cannot write sound as {path.suffix!r}. Use one of {', '.join(SOUND_CODECS)}.")
    with writing(path) as container:
        _Sound(container, codec, waveform, sample_rate_hz).finish()


@contextmanager
def writing(path: Path) -> Iterator[OutputContainer]:
    """Give a container to write to; the file appears when the block ends well.

    Raises:
        MediaError: If it cannot be written, or its suffix names no container.
    """
    try:
        with atomic_path(path) as temporary, _new_container(path, temporary) as container:
            yield container
    except (FFmpegError, OSError) as error:
        raise MediaError(f"{path}: cannot be written ({error.strerror}).") from error


def _new_container(path: Path, temporary: Path) -> OutputContainer:
    try:
        # The explicit protocol keeps a name such as `http:clip.mp4` a plain file.
        return av.open(f"file:{temporary.absolute()}", mode="w")
    except ValueError as error:
        raise MediaError(f"{path}: no container has the suffix {path.suffix!r}. Use .mp4, .mkv or .webm.") from error


def add_video(
    container: OutputContainer, first: RGB, fps: Fraction, options: Mapping[str, str], codec: str
) -> VideoStream:
    """Add a stream for pictures of the size of `first`, with the colours' coding written down.

    Raises:
        MediaError: If the container takes no such codec.
    """
    try:
        stream = container.add_stream(codec, rate=fps, options=dict(options))
    except ValueError as error:
        raise MediaError(f"{codec} is no encoder that this container takes. Name one, such as libx264.") from error
    if not isinstance(stream, VideoStream):
        raise MediaError(f"{codec} is no video encoder. Name one, such as libx264.")
    stream.height, stream.width = first.shape[:2]
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    is_hd = stream.height >= HD_HEIGHT
    context.color_range = ColorRange.MPEG
    context.colorspace = 1 if is_hd else 6  # AVCOL_SPC_BT709, AVCOL_SPC_SMPTE170M
    context.color_primaries = ColorPrimaries.BT709 if is_hd else ColorPrimaries.SMPTE170M
    context.color_trc = ColorTrc.BT709 if is_hd else ColorTrc.SMPTE170M
    return stream


def video_frame(rgb: RGB) -> VideoFrame:
    """A picture as the encoder takes it; sides must be even."""
    matrix = Colorspace.ITU709 if rgb.shape[0] >= HD_HEIGHT else Colorspace.ITU601
    return VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
        format="yuv420p", dst_colorspace=matrix, src_color_range=ColorRange.JPEG, dst_color_range=ColorRange.MPEG
    )


def even(rgb: RGB) -> RGB:
    """A picture with even sides: an odd one grows by a copy of its edge."""
    height, width = rgb.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return np.ascontiguousarray(rgb)
    return np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _ticks(times_s: Iterable[float] | None) -> Iterator[int]:
    if times_s is not None:
        yield from (round(time_s * TICKS_HZ) for time_s in times_s)
        return
    pts = 0
    while True:
        yield pts
        pts += 1


def _chain(first: RGB, rest: Iterator[RGB]) -> Iterator[RGB]:
    yield first
    yield from rest


def _sound_codec(path: Path) -> str:
    return "libopus" if path.suffix.lower() == ".webm" else "aac"


class _Sound:
    """Encodes a waveform bit by bit beside the picture, so that the two lie side by side in the file."""

    def __init__(self, container: OutputContainer, codec: str, waveform: NDArray[np.float32], rate_hz: int) -> None:
        # Opus knows few rates; 48 kHz is the one it always takes.
        stream = container.add_stream(codec, rate=48_000 if codec == "libopus" else rate_hz)
        if not isinstance(stream, AudioStream):
            raise MediaError(f"{codec} is no sound encoder.")
        stream.layout = "mono"
        self._container, self._stream = container, stream
        self._waveform = waveform.astype(np.float32, copy=False)
        self._rate_hz = rate_hz
        self._resampler = AudioResampler(
            format=stream.format, layout="mono", rate=stream.rate, frame_size=stream.frame_size or None
        )
        self._written = 0

    def write_until(self, time_s: float) -> None:
        """Encode the sound up to a time."""
        while self._written < min(len(self._waveform), round(time_s * self._rate_hz)):
            chunk = np.ascontiguousarray(self._waveform[self._written : self._written + CHUNK_SAMPLES])
            frame = AudioFrame.from_ndarray(chunk[None], format="fltp", layout="mono")
            frame.sample_rate = self._rate_hz
            frame.pts, frame.time_base = self._written, Fraction(1, self._rate_hz)
            self._written += len(chunk)
            self._encode(frame)

    def finish(self) -> None:
        """Encode the rest and close the stream."""
        self.write_until(len(self._waveform) / self._rate_hz)
        self._encode(None)
        self._container.mux(self._stream.encode(None))

    def _encode(self, frame: AudioFrame | None) -> None:
        for ready in self._resampler.resample(frame):
            # With nothing to convert PyAV hands back what it is given, even None.
            if ready is not None:
                self._container.mux(self._stream.encode(ready))
