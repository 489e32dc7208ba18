"""How clips are degraded, real and forged alike, on their way into training: chance and strength of each step."""

from typing import Self

from pydantic import Field, model_validator

from hashformer.config.base import Settings


class DegradeConfig(Settings):
    """What real and forged clips leave through, so that no codec, resolution or silence gives the label away.

    A chance is that of a step in a clip that is not left alone; a third is left alone. `min_` and `max_` bound what
    is drawn. At a `strength` below 1 the chances shrink in proportion, and the bounds move towards no change.
    """

    untouched: float = Field(0.33, ge=0, le=1, description="clips left alone, in picture and sound together")

    scale: float = Field(0.4, ge=0, le=1, description="to a lower resolution and back")
    min_scale: float = Field(0.4, gt=0, le=1, description="drawn up to 1")
    blur: float = Field(0.2, ge=0, le=1)
    max_blur_px: float = Field(1.5, gt=0, description="standard deviation")
    noise: float = Field(0.25, ge=0, le=1)
    max_noise: float = Field(8.0, ge=0, description="standard deviation, of 255")
    jpeg: float = Field(0.25, ge=0, le=1)
    min_jpeg_quality: int = Field(40, ge=1, le=100, description="drawn up to 100")
    h264: float = Field(0.5, ge=0, le=1)
    min_crf: int = Field(17, ge=0, le=51)
    max_crf: int = Field(36, ge=0, le=51)
    colour: float = Field(0.3, ge=0, le=1, description="gamma and white balance")
    max_gamma: float = Field(1.3, ge=1, description="between its inverse and it")
    max_white_balance: float = Field(0.1, ge=0, lt=1, description="red and blue between 0.9 and 1.1 times for 0.1")

    sound_codec: float = Field(0.5, ge=0, le=1, description="AAC, Opus or MP3, drawn alike")
    min_bit_rate: int = Field(16_000, ge=8_000, le=160_000, description="bits a second, drawn by its logarithm")
    max_bit_rate: int = Field(128_000, ge=8_000, le=160_000)
    low_pass: float = Field(0.2, ge=0, le=1, description="as by resampling")
    min_low_pass_hz: float = Field(3_400.0, gt=0, description="drawn up to max_low_pass_hz")
    max_low_pass_hz: float = Field(7_500.0, gt=0)
    sound_noise: float = Field(0.25, ge=0, le=1)
    min_snr_db: float = Field(10.0, description="drawn up to max_snr_db")
    max_snr_db: float = Field(40.0)
    gain: float = Field(0.4, ge=0, le=1)
    max_gain_db: float = Field(8.0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("crf", "bit_rate", "low_pass_hz", "snr_db"):
            low, high = f"min_{name}", f"max_{name}"
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} must not exceed {high}, got {getattr(self, low)} and {getattr(self, high)}")
        return self
