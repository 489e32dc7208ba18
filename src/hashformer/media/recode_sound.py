"""Sound through a lossy codec and back, in memory: as long as before, every sample at its time."""

import math
from fractions import Fraction
from functools import lru_cache
from typing import Literal

import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec.codec import UnknownCodecError
from av.codec.context import CodecContext
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from numpy.typing import NDArray
from scipy.signal import firwin, resample_poly

from hashformer.errors import MediaError
from hashformer.types import Floats

SoundCodec = Literal["aac", "opus", "mp3"]

_SOUND_CODERS = {"aac": ("aac", "aac"), "opus": ("libopus", "opus"), "mp3": ("libmp3lame", "mp3float")}
"""Encoder and decoder."""
# The default coder spends the bits for the ear, with noise in place of what is noisy: 32 kb/s then come closer to
# the wave than 48. This one gets worse with every bit less, in 4 of 4 clips of speech.
_AAC_OPTIONS = {"aac_coder": "fast", "aac_pns": "0"}
RESAMPLER_SIDE = 96
"""Zero crossings of the resampler's filter on each side."""
_AAC_RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000)
_RATES_HZ = {
    "aac": _AAC_RATES_HZ,
    "opus": (8_000, 12_000, 16_000, 24_000, 48_000),
    "mp3": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
}


def recode_sound(waveform: Floats, *, sample_rate_hz: int, codec: SoundCodec, bit_rate: int) -> Floats:
    """Encode sound and decode it again; every sample stays at its time.

    The sound is coded at its own rate, if the codec knows that rate and can spend so many bits at it; else at
    a higher one that can (AAC at 16 kHz holds at most 96 kb/s, so 128 kb/s are spent at 32 kHz). What the
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
    # A whole multiple resamples best.
    return min(
        (rate for rate in able if rate >= sample_rate_hz), key=lambda r: (r % sample_rate_hz > 0, r), default=able[-1]
    )


def _sound_round_trip(sound: Floats, rate_hz: int, codec: SoundCodec, bit_rate: int) -> tuple[Floats, int]:
    """Encode and decode sound, (S,); what comes back starts at the same moment and may be longer."""
    names = _SOUND_CODERS[codec]
    encoder, decoder = _sound_context(names[0], "w"), _sound_context(names[1], "r")
    encoder.sample_rate, encoder.layout, encoder.bit_rate = rate_hz, "mono", bit_rate
    encoder.format = "flt" if codec == "opus" else "fltp"
    encoder.time_base = Fraction(1, rate_hz)
    encoder.options = _AAC_OPTIONS if codec == "aac" else {}
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
    shared = math.gcd(from_hz, to_hz)
    up, down = to_hz // shared, from_hz // shared
    return np.asarray(resample_poly(sound, up, down, window=_filter(max(up, down))), np.float32)


@lru_cache(maxsize=8)
def _filter(longest: int) -> NDArray[np.float32]:
    """Steeper than usual: what is lost at the edge of the band would count as loss of the codec."""
    return np.asarray(firwin(2 * RESAMPLER_SIDE * longest + 1, 1 / longest, window=("kaiser", 6.0)), np.float32)


def _sound_context(name: str, mode: Literal["r", "w"]) -> AudioCodecContext:
    context = codec_context(name, mode)
    if not isinstance(context, AudioCodecContext):
        raise TypeError(f"{name} must be a sound codec")
    return context


def codec_context(name: str, mode: Literal["r", "w"]) -> CodecContext:
    """An encoder ("w") or decoder ("r") by FFmpeg's name.

    Raises:
        MediaError: If this FFmpeg has none of that name.
    """
    try:
        return CodecContext.create(name, mode)
    except UnknownCodecError as error:
        raise MediaError(f"this FFmpeg has no {name}. Install PyAV's own build: pip install av.") from error
