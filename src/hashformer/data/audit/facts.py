"""What a file is apart from what it shows: codec, size, rate, length, silence at the start."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hashformer.media import probe
from hashformer.media.audio import blocks

SILENCE_LEVEL = 1e-3
"""Sound below this is silence: 60 dB below full scale."""
RATE_HZ = 16_000
BLOCK_SAMPLES = 1_600
KILO = 1000


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """Facts of one file; None where it has no such stream or does not say.

    Numbers are compared by size, words by what they are; see `NUMBERS` and `WORDS`.
    """

    container: str
    video_codec: str | None
    audio_codec: str | None
    resolution: str | None
    sound: str | None
    has_video: str
    has_audio: str
    pixels: float | None
    fps: float | None
    duration_s: float | None
    size_bytes: float
    bitrate_kbps: float | None
    leading_silence_s: float | None


NUMBERS = ("pixels", "fps", "duration_s", "size_bytes", "bitrate_kbps", "leading_silence_s")
WORDS = ("container", "video_codec", "audio_codec", "resolution", "sound", "has_video", "has_audio")


def file_facts(path: Path) -> FileFacts:
    """Gather the facts of a file.

    Raises:
        MediaError: If it cannot be opened, or its sound not be decoded.
    """
    info = probe(path)
    video, audio = info.video, info.audio
    return FileFacts(
        container=info.container,
        video_codec=video.codec if video else None,
        audio_codec=audio.codec if audio else None,
        resolution=f"{video.width}x{video.height}" if video else None,
        sound=f"{audio.sample_rate_hz} Hz, {audio.channels} channels" if audio else None,
        has_video="yes" if video else "no",
        has_audio="yes" if audio else "no",
        pixels=video.width * video.height if video else None,
        fps=round(video.fps, 3) if video and video.fps else None,
        duration_s=info.duration_s,
        size_bytes=info.size_bytes,
        bitrate_kbps=info.size_bytes * 8 / KILO / info.duration_s if info.duration_s else None,
        leading_silence_s=leading_silence_s(path) if audio else None,
    )


def leading_silence_s(path: Path) -> float:
    """Seconds from the start of the file to the first sound; the length of the sound if there is none.

    Raises:
        MediaError: If the file has no sound or cannot be opened.
    """
    silent = 0
    for block in blocks(path, sample_rate_hz=RATE_HZ, block_samples=BLOCK_SAMPLES):
        loud = np.flatnonzero(np.abs(block.samples) >= SILENCE_LEVEL)
        if len(loud):
            return float(silent + loud[0]) / RATE_HZ
        silent += len(block.samples)
    return silent / RATE_HZ
