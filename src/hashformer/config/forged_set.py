"""What `hashformer forge` writes."""

from typing import Self

from pydantic import Field, model_validator

from hashformer.config.base import Settings
from hashformer.config.forge import ForgeConfig


class ForgedSetConfig(Settings):
    """A forged set: how much of each real file, how many forgeries of it, and how films are coded."""

    per_clip: int = Field(1, ge=1, description="forgeries of each real clip")
    max_s: float = Field(4.0, ge=1, le=60, description="longest clip, seconds")
    seed: int = Field(0, ge=0, description="decides every draw")
    forge: ForgeConfig = ForgeConfig()
    min_crf: int = Field(17, ge=0, le=51, description="of H.264, drawn once for a real clip and its forgeries")
    max_crf: int = Field(28, ge=0, le=51)
    min_bit_rate: int = Field(48_000, ge=16_000, le=96_000, description="of AAC, bits a second, drawn as the crf is")
    max_bit_rate: int = Field(96_000, ge=16_000, le=96_000)
    noise_dbfs: float = Field(-57.0, le=-40, description="level of the faint noise under all sound")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("crf", "bit_rate"):
            low, high = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            if low > high:
                raise ValueError(f"min_{name} must not exceed max_{name}, got {low} and {high}")
        return self
