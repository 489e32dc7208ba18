"""Settings of the path from a media file to clips, and from clip scores to an answer."""

from typing import Literal, Self

from pydantic import Field, model_validator

from hashformer.config.base import Settings


class ClipConfig(Settings):
    """What the model sees at once: the same seconds of picture and sound."""

    duration_s: float = Field(1.0, gt=0, le=60, description="length of one clip, seconds")
    stride_s: float = Field(0.5, gt=0, description="from the start of one clip to the next, seconds")
    fps: int = Field(16, ge=1, le=120, description="frames sampled per second of media time")
    sample_rate_hz: int = Field(16_000, ge=8_000, le=48_000, description="rate of the mono sound")
    min_frames: float = Field(0.5, gt=0, le=1, description="share of frames with a face for the picture to count")
    min_sound: float = Field(0.9, gt=0, le=1, description="share of sound that must exist for it to count")

    @property
    def n_frames(self) -> int:
        """Frames in one clip."""
        return round(self.duration_s * self.fps)

    @property
    def stride_frames(self) -> int:
        """Frames from the start of one clip to the next."""
        return round(self.stride_s * self.fps)

    @property
    def n_samples(self) -> int:
        """Sound samples in one clip, without the context on its two sides."""
        return round(self.n_frames * self.sample_rate_hz / self.fps)

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("duration_s", "stride_s"):
            frames = getattr(self, name) * self.fps
            if abs(frames - round(frames)) > 1e-6 or round(frames) < 1:
                raise ValueError(f"{name} must be a whole number of frames at {self.fps} fps")
        return self


class FaceConfig(Settings):
    """How faces are found, followed and cropped."""

    min_detection_score: float = Field(0.5, gt=0, lt=1, description="least confidence of the detector")
    detect_every_s: float = Field(
        0.5, ge=0, description="faces that are followed are looked for anew so often; 0: on every frame"
    )
    min_overlap: float = Field(0.3, gt=0, lt=1, description="least intersection over union to go on a track")
    max_gap_s: float = Field(1.0, ge=0, description="a face unseen for longer starts a new track, seconds")
    max_faces: int = Field(6, ge=1, description="the largest faces of a frame that are followed")
    cut_threshold: float = Field(0.3, gt=0, le=1, description="mean change of a frame that counts as a scene cut")
    size_px: int = Field(224, ge=32, description="side of the square crop")
    margin: float = Field(0.25, ge=0, le=2, description="room around the face on each side, in face widths")
    smooth_frames: int = Field(
        2, ge=0, le=16, description="frames on each side over which the crop's place is averaged"
    )


class FeatureConfig(Settings):
    """How sound becomes what the model reads."""

    kind: Literal["log_mel", "mfcc"] = "log_mel"
    n_bins: int = Field(128, ge=8, description="mel bands, or cepstral coefficients for mfcc")
    window_s: float = Field(0.025, gt=0, description="analysis window, seconds")
    hop_s: float = Field(0.010, gt=0, description="from one feature frame to the next, seconds")
    low_hz: float = Field(20.0, ge=0)
    high_hz: float = Field(7_600.0, gt=0)


class QualityConfig(Settings):
    """Below these a face or a sound is not scored: the answer is 'cannot tell', with the reason."""

    min_face_px: float = Field(48.0, ge=0, description="width of the face in the source picture, pixels")
    min_luma: float = Field(0.06, ge=0, le=1, description="mean brightness of the crop")
    min_sharpness: float = Field(
        0.0, ge=0, description="median variance of the Laplacian of the crop's grey levels; 0: any face"
    )
    min_loudness_dbfs: float = Field(-60.0, le=0, description="root mean square of the sound")
    min_speech: float = Field(0.0, ge=0, le=1, description="share of the sound that is speech; 0: any sound")


class TimelineConfig(Settings):
    """How clip scores become seconds, segments and one score."""

    threshold: float = Field(0.5, gt=0, lt=1, description="a second at or above it is suspect")
    merge_gap_s: float = Field(1.0, ge=0, description="suspect stretches closer than this are one segment")
    min_segment_s: float = Field(1.0, ge=0, description="shorter segments are left out")
    pool_fraction: float = Field(
        0.5, gt=0, le=1, description="share of the highest clip scores that a track's score averages"
    )
