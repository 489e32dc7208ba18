"""What real and forged clips alike leave through: resolution, noise, codecs and colour, drawn once for both.

Measured on one core for 16 frames of 224 px and their second of sound: see `docs/training.md`.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import signal

from hashformer.config.degrade import DegradeConfig
from hashformer.media.recode import SoundCodec, recode_frames, recode_sound
from hashformer.types import Clip, Floats, Frames

_DOWN = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
_UP = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)
_SOUND_CODECS: tuple[SoundCodec, ...] = ("aac", "opus", "mp3")
_PCM_STEPS = 32_768
_MIN_SCALED_PX = 8
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """One draw, for a real clip and all its forgeries. The defaults change nothing but the rounding of sound.

    Attributes:
        gamma: Exponent of the brightness.
        white_balance: Factors of red and blue.
        scale: Share of the side to which the picture is reduced before it is enlarged again.
        interpolation: OpenCV's flags for the way down and up.
        blur_px: Standard deviation.
        noise: Standard deviation, of 255, other noise in each frame.
        jpeg_quality: 1–100; None for no JPEG.
        crf: Of H.264; None for no video codec.
        low_pass_hz: Above it the sound is cut off; None for all of it.
        snr_db: Of white noise against the sound; None for no noise.
        gain_db: Of the sound.
        sound_codec: None for no codec.
        bit_rate: Of the sound's codec, bits a second.
        seed: Of both noises.
    """

    gamma: float = 1.0
    white_balance: tuple[float, float] = (1.0, 1.0)
    scale: float = 1.0
    interpolation: tuple[int, int] = (cv2.INTER_AREA, cv2.INTER_LINEAR)
    blur_px: float = 0.0
    noise: float = 0.0
    jpeg_quality: int | None = None
    crf: int | None = None
    low_pass_hz: float | None = None
    snr_db: float | None = None
    gain_db: float = 0.0
    sound_codec: SoundCodec | None = None
    bit_rate: int = 64_000
    seed: int = 0


def draw_degradation(config: DegradeConfig, rng: np.random.Generator, *, strength: float = 1.0) -> Degradation:
    """Draw one degradation.

    Args:
        config: Chances and bounds.
        rng: Source of chance. It always moves on by as much, whatever is drawn.
        strength: 0 for none to 1 for all that the config says; in between for ramping it in.

    Raises:
        ValueError: If `strength` is not within 0–1.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must be 0 to 1, got {strength}")
    seed = int(rng.integers(2**31))
    # The streams are drawn apart and in one order, needed or not: a change of one setting, or a clip without sound,
    # leaves the other draws as they were.
    if rng.random() < config.untouched:
        return Degradation(seed=seed)
    picture = _draw_picture(config, _Chance(np.random.default_rng((seed, 2)), strength))
    sound = _draw_sound(config, _Chance(np.random.default_rng((seed, 3)), strength))
    return replace(Degradation(seed=seed), **picture, **sound)


def degrade(clip: Clip, draw: Degradation, *, sample_rate_hz: int) -> Clip:
    """Pass a clip through a degradation.

    Args:
        clip: Left as it is. Frames without landmarks are gaps.
        draw: The same for a real clip and its forgeries.
        sample_rate_hz: Rate of the sound.

    Returns:
        A clip of the same window, shapes and streams. Landmarks, and masks of what was forged, still fit, as nothing
        moves. Gaps stay gaps. The sound is always rounded to 16 bits, as in most files, so that finer steps cannot
        tell what was computed from what was recorded.
    """
    if clip.frames is not None:
        shown = np.ones(len(clip.frames), np.bool_) if clip.landmarks is None else ~np.isnan(clip.landmarks[:, 0, 0])
        frames = clip.frames.copy()
        frames[shown] = degrade_frames(clip.frames[shown], draw, fps=clip.window.fps)
        clip = replace(clip, frames=frames)
    if clip.waveform is not None:
        clip = replace(clip, waveform=degrade_sound(clip.waveform, draw, sample_rate_hz=sample_rate_hz))
    return clip


def degrade_frames(frames: Frames, draw: Degradation, *, fps: int) -> Frames:
    """Pass pictures through a degradation: (T, 3, H, W) uint8 in and out."""
    if not len(frames):
        return frames
    rng = np.random.default_rng((draw.seed, 0))
    pictures = np.stack([_degrade_picture(frame, draw, rng) for frame in frames.transpose(0, 2, 3, 1)])
    degraded = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))
    return degraded if draw.crf is None else recode_frames(degraded, codec="h264", crf=draw.crf, fps=fps)


def degrade_sound(waveform: Floats, draw: Degradation, *, sample_rate_hz: int) -> Floats:
    """Pass sound through a degradation: (S,) float32 in and out, every sample at its time."""
    sound = waveform
    if draw.low_pass_hz is not None:
        sound = _low_passed(sound, draw.low_pass_hz, sample_rate_hz)
    sound = sound * np.float32(10 ** (draw.gain_db / 20))
    if draw.snr_db is not None:
        level = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) * 10 ** (-draw.snr_db / 20)
        white = np.random.default_rng((draw.seed, 1)).standard_normal(len(sound), dtype=np.float32)
        sound = sound + np.float32(level) * white
    sound = np.clip(sound, -1, 1).astype(np.float32)
    if draw.sound_codec is not None:
        sound = recode_sound(sound, sample_rate_hz=sample_rate_hz, codec=draw.sound_codec, bit_rate=draw.bit_rate)
    return np.asarray(np.rint(sound * np.float32(_PCM_STEPS)) / _PCM_STEPS, np.float32)


class _Chance:
    """Draws that a strength below 1 makes rarer and milder."""

    def __init__(self, rng: np.random.Generator, strength: float) -> None:
        self._rng, self._strength = rng, strength

    def happens(self, probability: float) -> bool:
        return bool(self._rng.random() < probability * self._strength)

    def between(self, mild: float, harsh: float) -> float:
        return mild + float(self._rng.random()) * self._strength * (harsh - mild)

    def either_way(self, most: float) -> float:
        return float(self._rng.uniform(-most, most)) * self._strength

    def one_of(self, choices: tuple[_T, ...]) -> _T:
        return choices[int(self._rng.integers(len(choices)))]


def _draw_picture(config: DegradeConfig, chance: _Chance) -> dict[str, Any]:
    colour = {
        "gamma": math.exp(chance.either_way(math.log(config.max_gamma))),
        "white_balance": (
            1 + chance.either_way(config.max_white_balance),
            1 + chance.either_way(config.max_white_balance),
        ),
    }
    scale = {
        "scale": chance.between(1, config.min_scale),
        "interpolation": (chance.one_of(_DOWN), chance.one_of(_UP)),
    }
    steps: list[tuple[float, dict[str, Any]]] = [
        (config.colour, colour),
        (config.scale, scale),
        (config.blur, {"blur_px": chance.between(0, config.max_blur_px)}),
        (config.noise, {"noise": chance.between(0, config.max_noise)}),
        (config.jpeg, {"jpeg_quality": round(chance.between(100, config.min_jpeg_quality))}),
        (config.h264, {"crf": round(chance.between(config.min_crf, config.max_crf))}),
    ]
    return _taken(steps, chance)


def _draw_sound(config: DegradeConfig, chance: _Chance) -> dict[str, Any]:
    bit_rate = chance.between(math.log(config.max_bit_rate), math.log(config.min_bit_rate))
    codec = {"sound_codec": chance.one_of(_SOUND_CODECS), "bit_rate": round(math.exp(bit_rate))}
    steps: list[tuple[float, dict[str, Any]]] = [
        (config.sound_codec, codec),
        (config.low_pass, {"low_pass_hz": chance.between(config.max_low_pass_hz, config.min_low_pass_hz)}),
        (config.sound_noise, {"snr_db": chance.between(config.max_snr_db, config.min_snr_db)}),
        (config.gain, {"gain_db": chance.either_way(config.max_gain_db)}),
    ]
    return _taken(steps, chance)


def _taken(steps: list[tuple[float, dict[str, Any]]], chance: _Chance) -> dict[str, Any]:
    """Of all steps the values of those that happen."""
    happening = [values for probability, values in steps if chance.happens(probability)]
    return {name: value for values in happening for name, value in values.items()}


def _low_passed(sound: Floats, low_pass_hz: float, sample_rate_hz: int) -> Floats:
    """Cut off what is above, without a delay."""
    if low_pass_hz >= 0.49 * sample_rate_hz:
        return sound
    filters = signal.butter(8, low_pass_hz, fs=sample_rate_hz, output="sos")
    return np.asarray(signal.sosfiltfilt(filters, sound), np.float32)


def _degrade_picture(picture: NDArray[np.uint8], draw: Degradation, rng: np.random.Generator) -> NDArray[np.uint8]:
    """One picture, (H, W, 3), through all but the video codec."""
    height, width = picture.shape[:2]
    picture = np.ascontiguousarray(picture)
    if draw.gamma != 1 or draw.white_balance != (1.0, 1.0):
        picture = np.asarray(cv2.LUT(picture, _colour_table(draw.gamma, draw.white_balance)))
    if draw.scale < 1:
        size = (max(_MIN_SCALED_PX, round(width * draw.scale)), max(_MIN_SCALED_PX, round(height * draw.scale)))
        smaller = cv2.resize(picture, size, interpolation=draw.interpolation[0])
        picture = np.asarray(cv2.resize(smaller, (width, height), interpolation=draw.interpolation[1]))
    if draw.blur_px > 0:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), draw.blur_px))
    if draw.noise > 0:
        noisy = picture + np.float32(draw.noise) * rng.standard_normal(picture.shape, dtype=np.float32)
        picture = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    if draw.jpeg_quality is not None:
        swapped = np.ascontiguousarray(picture[..., ::-1])  # OpenCV takes blue first
        _, coded = cv2.imencode(".jpg", swapped, [cv2.IMWRITE_JPEG_QUALITY, draw.jpeg_quality])
        decoded = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
        picture = np.ascontiguousarray(decoded[..., ::-1])
    return picture


def _colour_table(gamma: float, white_balance: tuple[float, float]) -> NDArray[np.uint8]:
    """What each value of red, green and blue becomes, (256, 1, 3)."""
    factors = np.array([white_balance[0], 1.0, white_balance[1]])
    bright = 255 * (np.arange(256) / 255)[:, None] ** gamma * factors
    return np.asarray(np.clip(np.rint(bright), 0, 255), np.uint8)[:, None]
