"""Pictures and sound through a lossy codec and back, in memory: as many as before, each at its own time."""

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Literal

import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.codec.codec import UnknownCodecError
from av.codec.context import CodecContext
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from hashformer.errors import MediaError
from hashformer.media.picture import HD_HEIGHT, RGB
from hashformer.types import Floats, Frames

VideoCodec = Literal["h264", "hevc"]
SoundCodec = Literal["aac", "opus", "mp3"]

ENCODERS: dict[str, str] = {"h264": "libx264", "hevc": "libx265"}
PRESET = "veryfast"
# One thread each: with more, rate control and so the pictures depend on how many cores there are.
_OPTIONS: dict[str, dict[str, str]] = {
    "h264": {"preset": PRESET, "threads": "1"},
    "hevc": {"preset": PRESET, "x265-params": "pools=none:frame-threads=1:wpp=0:log-level=error"},
}
_MIN_SIDE_PX = {"h264": 2, "hevc": 32}
"""A smaller picture is enlarged by its border: H.265 takes none that is smaller than its smallest coding tree."""
MAX_CRF = 51

_SOUND_CODERS = {"aac": ("aac", "aac"), "opus": ("libopus", "opus"), "mp3": ("libmp3lame", "mp3float")}
"""Encoder and decoder."""
_AAC_RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000)
_RATES_HZ = {
    "aac": _AAC_RATES_HZ,
    "opus": (8_000, 12_000, 16_000, 24_000, 48_000),
    "mp3": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
}


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


def recode_sound(waveform: Floats, *, sample_rate_hz: int, codec: SoundCodec, bit_rate: int) -> Floats:
    """Encode sound and decode it again; every sample stays at its time.

    The sound is coded at its own rate, if the codec knows that rate and can spend so many bits at it; else at
    the next one that can (AAC at 16 kHz holds at most 96 kb/s, so 128 kb/s are spent at 22.05 kHz). What the
    encoder puts in front is cut off. MP3 takes the nearest bit rate of its table.

    Args:
        waveform: Mono sound, (S,) float32 in −1 to 1; S may be 0.
        sample_rate_hz: Its rate.
        codec: AAC, Opus or MP3.
        bit_rate: Bits a second.

    Returns:
        What a player would play, (S,) float32.

    Raises:
        ValueError: If the codec has no such bit rate.
        MediaError: If the encoder is missing or refuses the sound.
    """
    if waveform.ndim != 1 or sample_rate_hz < 1:
        raise ValueError(f"waveform must be (S,) at a positive rate, got {waveform.shape} at {sample_rate_hz}")
    rate_hz = _coded_rate_hz(codec, sample_rate_hz, bit_rate)
    if not len(waveform):
        return waveform.astype(np.float32)
    sound = _resampled(waveform.astype(np.float32, copy=False), sample_rate_hz, rate_hz)
    decoded, decoded_rate_hz = _sound_round_trip(sound, rate_hz, codec, bit_rate)
    played = _resampled(decoded, decoded_rate_hz, sample_rate_hz)[: len(waveform)]
    return np.clip(np.pad(played, (0, len(waveform) - len(played))), -1, 1)


def _bit_rates(codec: SoundCodec, rate_hz: int) -> tuple[int, int]:
    """The least and the most that a codec can spend on one channel at a sample rate."""
    if codec == "aac":
        return 8_000, 6 * rate_hz  # 6144 bits in a frame of 1024 samples
    if codec == "opus":
        return 6_000, 256_000
    return (32_000, 320_000) if rate_hz >= 32_000 else (8_000, 160_000 if rate_hz >= 16_000 else 64_000)


def _coded_rate_hz(codec: SoundCodec, sample_rate_hz: int, bit_rate: int) -> int:
    if codec not in _SOUND_CODERS:
        raise ValueError(f"codec must be one of {', '.join(_SOUND_CODERS)}, got {codec!r}")
    able = [rate for rate in _RATES_HZ[codec] if _bit_rates(codec, rate)[0] <= bit_rate <= _bit_rates(codec, rate)[1]]
    if not able:
        limits = [_bit_rates(codec, rate) for rate in _RATES_HZ[codec]]
        least, most = min(low for low, _ in limits), max(high for _, high in limits)
        raise ValueError(f"{codec} spends {least} to {most} bits a second, got {bit_rate}")
    return min((rate for rate in able if rate >= sample_rate_hz), default=able[-1])


def _sound_round_trip(sound: Floats, rate_hz: int, codec: SoundCodec, bit_rate: int) -> tuple[Floats, int]:
    """Encode and decode sound, (S,); what comes back starts at the same moment and may be longer."""
    names = _SOUND_CODERS[codec]
    encoder, decoder = _sound_context(names[0], "w"), _sound_context(names[1], "r")
    encoder.sample_rate, encoder.layout, encoder.bit_rate = rate_hz, "mono", bit_rate
    encoder.format = "flt" if codec == "opus" else "fltp"
    encoder.time_base = Fraction(1, rate_hz)
    try:
        packets = [*encoder.encode(_audio_frame(sound, rate_hz)), *encoder.encode(None)]
        first_pts = packets[0].pts
        if first_pts is None:
            raise MediaError(f"{encoder.name} does not say when its first packet is played.")
        decoder.sample_rate, decoder.layout = rate_hz, "mono"
        # Bare packets, and no header but the one that AAC needs: some encoders tell the decoder there what to
        # skip, others do not; so none skips, and what lies before time zero is cut below.
        if codec == "aac":
            decoder.extradata = encoder.extradata
        played = [frame for packet in packets for frame in decoder.decode(_bare(packet))] + decoder.decode(None)
    except FFmpegError as error:
        raise MediaError(f"{encoder.name} refuses sound at {rate_hz} Hz, {bit_rate} b/s ({error.strerror}).") from error
    out_hz = played[0].sample_rate
    decoded = np.concatenate([frame.to_ndarray()[0] for frame in played])
    return decoded[round(-first_pts * out_hz / rate_hz) :], out_hz


def _bare(packet: "Packet[AudioStream]") -> "Packet[Stream]":
    copy = Packet(bytes(packet))
    copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
    return copy


def _audio_frame(sound: Floats, rate_hz: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(sound)[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
    return frame


def _resampled(sound: Floats, from_hz: int, to_hz: int) -> Floats:
    if from_hz == to_hz:
        return sound
    resampler = AudioResampler(format="fltp", layout="mono", rate=to_hz)
    parts = [*resampler.resample(_audio_frame(sound, from_hz)), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray()[0] for part in parts]).astype(np.float32, copy=False)


def _sound_context(name: str, mode: Literal["r", "w"]) -> AudioCodecContext:
    context = _context(name, mode)
    if not isinstance(context, AudioCodecContext):
        raise TypeError(f"{name} must be a sound codec")
    return context


def _video_context(name: str, mode: Literal["r", "w"]) -> VideoCodecContext:
    context = _context(name, mode)
    if not isinstance(context, VideoCodecContext):
        raise TypeError(f"{name} must be a video codec")
    return context


def _context(name: str, mode: Literal["r", "w"]) -> CodecContext:
    try:
        return CodecContext.create(name, mode)
    except UnknownCodecError as error:
        raise MediaError(f"this FFmpeg has no {name}. Install PyAV's own build: pip install av.") from error
