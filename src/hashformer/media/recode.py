"""Pictures through a lossy codec and back, in memory: as many as before, in order; sound is in `recode_sound`."""

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Literal

import numpy as np
from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from hashformer.errors import MediaError
from hashformer.media.picture import HD_HEIGHT, RGB
from hashformer.media.recode_sound import SoundCodec, codec_context, recode_sound
from hashformer.types import Frames

__all__ = ["SoundCodec", "VideoCodec", "recode_frames", "recode_sound", "recode_stream"]

VideoCodec = Literal["h264", "hevc"]

ENCODERS: dict[str, str] = {"h264": "libx264", "hevc": "libx265"}
PRESET = "veryfast"
# One thread each: with more, rate control and so the pictures depend on how many cores there are. No macroblock tree:
# the one in x264 core 165 reads memory that it never wrote, and the pictures differ from run to run.
_OPTIONS: dict[str, dict[str, str]] = {
    "h264": {"preset": PRESET, "threads": "1", "x264-params": "mbtree=0"},
    "hevc": {"preset": PRESET, "x265-params": "pools=none:frame-threads=1:wpp=0:log-level=error"},
}
_MIN_SIDE_PX = {"h264": 16, "hevc": 128}
"""A smaller picture is enlarged by its border. x265 4.1 writes past its memory at widths from 36 to 48, and up to
64 px what it gives depends on memory that it never wrote."""
MAX_CRF = 51


def recode_frames(frames: Frames, *, codec: VideoCodec, crf: int, fps: int) -> Frames:
    """Encode pictures and decode them again.

    Args:
        frames: RGB, (T, 3, H, W) uint8; T may be 0.
        codec: H.264 or H.265 (`hevc`).
        crf: Constant rate factor, 0 (best) to 51.
        fps: Pictures a second; the encoder spends its bits by it.

    Returns:
        What a player would show of them, (T, 3, H, W) uint8.

    Raises:
        ValueError: If a number is out of range.
        MediaError: If the encoder is missing or refuses the pictures.
    """
    if frames.ndim != 4 or frames.shape[1] != 3:
        raise ValueError(f"frames must be (T, 3, H, W), got {frames.shape}")
    pictures = (np.ascontiguousarray(frame.transpose(1, 2, 0)) for frame in frames)
    recoded = np.empty_like(frames)
    for index, rgb in enumerate(recode_stream(pictures, codec=codec, crf=crf, fps=fps)):
        recoded[index] = rgb.transpose(2, 0, 1)
    return recoded


def recode_stream(pictures: Iterable[RGB], *, codec: VideoCodec, crf: int, fps: int) -> Iterator[RGB]:
    """Encode pictures and decode them again while they come: the encoder holds about 20 of them, never all.

    4:2:0, one thread, preset `veryfast`, so that the same pictures give the same result on any number of cores.
    Where the size changes a new encoder starts, as in a film that is cut from two.

    Args:
        pictures: RGB, (H, W, 3) uint8.
        codec: H.264 or H.265 (`hevc`).
        crf: Constant rate factor, 0 (best) to 51.
        fps: Pictures a second.

    Yields:
        One picture for each, in order and of its size.

    Raises:
        ValueError: If a number is out of range.
        MediaError: If the encoder is missing or refuses the pictures.
    """
    if codec not in ENCODERS:
        raise ValueError(f"codec must be one of {', '.join(ENCODERS)}, got {codec!r}")
    if not 0 <= crf <= MAX_CRF or fps < 1:
        raise ValueError(f"crf must be 0 to {MAX_CRF} and fps at least 1, got {crf} and {fps}")
    return _recoded(pictures, codec, crf, fps)


def _recoded(pictures: Iterable[RGB], codec: VideoCodec, crf: int, fps: int) -> Iterator[RGB]:
    trip: _RoundTrip | None = None
    for rgb in pictures:
        if trip is None or trip.shape != rgb.shape:
            if trip is not None:
                yield from trip.finish()
            trip = _RoundTrip(rgb.shape, codec, crf, fps)
        yield from trip.push(rgb)
    if trip is not None:
        yield from trip.finish()


class _RoundTrip:
    """An encoder and a decoder back to back, for pictures of one size."""

    def __init__(self, shape: tuple[int, ...], codec: VideoCodec, crf: int, fps: int) -> None:
        self.shape, self._tick = shape, Fraction(1, fps)
        least = _MIN_SIDE_PX[codec]
        height, width = (max(least, side + side % 2) for side in shape[:2])
        self._padding = ((0, height - shape[0]), (0, width - shape[1]), (0, 0))
        # As the writer and the reader of files have it, by the height of the picture that is shown.
        self._matrix = Colorspace.ITU709 if height >= HD_HEIGHT else Colorspace.ITU601
        self._reformatter = VideoReformatter()
        self._encoder = _video_context(ENCODERS[codec], "w")
        self._encoder.width, self._encoder.height, self._encoder.pix_fmt = width, height, "yuv420p"
        self._encoder.time_base, self._encoder.framerate = self._tick, Fraction(fps)
        self._encoder.options = {**_OPTIONS[codec], "crf": str(crf)}
        self._decoder = _video_context(codec, "r")
        self._decoder.thread_count = 1
        self._waiting: deque[int] = deque()
        self._n_pushed = 0

    def push(self, rgb: RGB) -> Iterator[RGB]:
        """Take a picture and give those that are ready."""
        padded = np.pad(rgb, self._padding, mode="edge") if any(map(sum, self._padding)) else rgb
        frame = self._reformatter.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(padded), format="rgb24"),
            format="yuv420p",
            dst_colorspace=self._matrix,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
        )
        frame.pts, frame.time_base = self._n_pushed, self._tick
        self._waiting.append(self._n_pushed)
        self._n_pushed += 1
        yield from self._through(frame)

    def finish(self) -> Iterator[RGB]:
        """Give what encoder and decoder still hold."""
        yield from self._through(None)
        if self._waiting:
            raise MediaError(f"{self._encoder.name} lost {len(self._waiting)} of {self._n_pushed} pictures.")

    def _through(self, frame: VideoFrame | None) -> Iterator[RGB]:
        try:
            packets: list[Packet[VideoStream] | None] = list(self._encoder.encode(frame))
            decoded = [shown for packet in packets for shown in self._decoder.decode(packet)]
            if frame is None:
                decoded += self._decoder.decode(None)
        except FFmpegError as error:
            size = f"{self._encoder.width} x {self._encoder.height}"
            raise MediaError(f"{self._encoder.name} refuses pictures of {size} ({error.strerror}).") from error
        for shown in decoded:
            if not self._waiting or shown.pts != self._waiting.popleft():
                raise MediaError(f"{self._encoder.name} gave picture {shown.pts} out of order.")
            yield self._painted(shown)

    def _painted(self, frame: VideoFrame) -> RGB:
        rgb = self._reformatter.reformat(
            frame,
            format="rgb24",
            src_colorspace=self._matrix,
            src_color_range=ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=Interpolation.BILINEAR,
        ).to_ndarray()
        return np.ascontiguousarray(rgb[: self.shape[0], : self.shape[1]], np.uint8)


def _video_context(name: str, mode: Literal["r", "w"]) -> VideoCodecContext:
    context = codec_context(name, mode)
    if not isinstance(context, VideoCodecContext):
        raise TypeError(f"{name} must be a video codec")
    return context
