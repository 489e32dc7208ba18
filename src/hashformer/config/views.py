"""How clips are augmented: the chance and the strength of each change."""

from pydantic import Field

from hashformer.config.base import Settings

Chance = Field(0.0, ge=0, le=1)


class ViewConfig(Settings):
    """One way to augment a clip. Every change is drawn once for the whole clip.

    The defaults change nothing.
    """

    flip: float = Chance
    affine: float = Chance
    max_angle_deg: float = Field(4.0, ge=0, le=45)
    max_shift: float = Field(0.02, ge=0, le=0.5, description="share of the crop's side")
    max_zoom: float = Field(0.1, ge=0, lt=1, description="0.1: between 0.9 and 1.1 times")
    jitter: float = Field(0.0, ge=0, le=1, description="brightness, contrast and saturation together")
    max_jitter: float = Field(0.2, ge=0, lt=1, description="0.2: between 0.8 and 1.2 times")
    shuffle_channels: float = Chance
    shuffle_blocks: float = Chance
    block_px: int = Field(32, ge=2)
    blur: float = Chance
    max_blur_px: float = Field(2.0, gt=0, description="standard deviation")
    erase: float = Chance
    min_erase: float = Field(0.02, gt=0, lt=1, description="share of the picture")
    max_erase: float = Field(0.33, gt=0, lt=1)
    erase_frame: float = Field(0.0, ge=0, le=1, description="one frame becomes a gap")
    noise: float = Chance
    min_noise: float = Field(0.002, gt=0, description="standard deviation; full scale is 1")
    max_noise: float = Field(0.015, gt=0)
    equalise: float = Chance
    max_band_db: float = Field(6.0, ge=0, description="of each of seven octave bands")
    gain: float = Chance
    max_gain_db: float = Field(6.0, ge=0)
    band_pass: float = Chance
    band_low_hz: float = Field(150.0, gt=0)
    band_high_hz: float = Field(3500.0, gt=0)


WEAK = ViewConfig(flip=0.3, affine=0.3, jitter=0.1, max_jitter=0.2, noise=0.2, gain=0.3)
"""Keeps every trace of a forgery; for what is classified. Picture: after the weak view of the research code."""
STRONG = ViewConfig(
    flip=0.9,
    jitter=0.9,
    max_jitter=0.4,
    shuffle_channels=0.9,
    shuffle_blocks=0.3,
    blur=0.9,
    erase=0.9,
    erase_frame=0.2,
    noise=0.9,
    equalise=0.9,
    gain=0.9,
    band_pass=0.2,
)
"""Hides much; for the second view that codes are aligned with. Picture: after its strong view."""
