"""Whether a clip's face and sound are good enough to be judged at all."""

import math
from dataclasses import dataclass, replace

import numpy as np

from hashformer.config import QualityConfig
from hashformer.media.picture import sharpness
from hashformer.media.speech import speech_share
from hashformer.types import Clip, Floats

_LOOKED_AT = 4
"""So many crops of a clip tell how sharp it is."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A clip whose streams that cannot be judged were taken out, and why.

    Attributes:
        clip: The clip; a stream that failed is None.
        face_px: Median width of the face in the source picture; None without a face.
        no_video: Why the picture is out; None if it is in or there was none.
        no_audio: Why the sound is out; None if it is in or there was none.
    """

    clip: Clip
    face_px: float | None
    no_video: str | None
    no_audio: str | None

    @property
    def empty(self) -> bool:
        """Whether nothing is left to judge."""
        return self.clip.frames is None and self.clip.waveform is None


def judge(clip: Clip, config: QualityConfig) -> Judged:
    """Take out a face that is too small, too dark or too blurred, and sound that is too quiet or no speech.

    Args:
        clip: The clip as it was cut.
        config: The limits.
    """
    face_px = _face_width_px(clip.boxes)
    no_video = _picture_fault(clip, config, face_px)
    no_audio = _sound_fault(clip.waveform, config)
    if no_video:
        clip = replace(clip, frames=None, landmarks=None, boxes=None)
    if no_audio:
        clip = replace(clip, waveform=None)
    return Judged(clip=clip, face_px=face_px, no_video=no_video, no_audio=no_audio)


def _face_width_px(boxes: Floats | None) -> float | None:
    if boxes is None or np.isnan(boxes[:, 0]).all():
        return None
    return float(np.nanmedian(boxes[:, 2] - boxes[:, 0]))


def _picture_fault(clip: Clip, config: QualityConfig, face_px: float | None) -> str | None:
    if clip.frames is None or clip.boxes is None:
        return None
    if face_px is None:
        return "the face is on none of its frames"
    if face_px < config.min_face_px:
        return f"the face is too small: {face_px:.0f} px wide, at least {config.min_face_px:.0f} px are needed"
    shown = clip.frames[~np.isnan(clip.boxes[:, 0])]
    luma = float(shown.mean()) / 255
    if luma < config.min_luma:
        return f"the face is too dark: brightness {luma:.2f}, at least {config.min_luma:.2f} is needed"
    if config.min_sharpness:
        sharp = float(np.median([sharpness(crop) for crop in shown[:: math.ceil(len(shown) / _LOOKED_AT)]]))
        if sharp < config.min_sharpness:
            return f"the face is too blurred: sharpness {sharp:.1f}, at least {config.min_sharpness:.1f} is needed"
    return None


def _sound_fault(waveform: Floats | None, config: QualityConfig) -> str | None:
    if waveform is None:
        return None
    rms = float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))
    loudness_dbfs = 20 * math.log10(max(rms, 1e-9))
    if loudness_dbfs < config.min_loudness_dbfs:
        return f"the sound is silent: {loudness_dbfs:.0f} dBFS, at least {config.min_loudness_dbfs:.0f} dBFS is needed"
    if config.min_speech and (share := speech_share(waveform)) < config.min_speech:
        return (
            f"there is no speech: {int(100 * share)} % of the sound, at least {100 * config.min_speech:.0f} % is needed"
        )
    return None
