"""How forgeries are made while training: which, how often, of how long a stretch, and what all clips leave through."""

from typing import Self

from pydantic import Field, model_validator

from hashformer.config.base import Settings
from hashformer.config.degrade import DegradeConfig

_Weight = Field(1.0, ge=0)


class ForgeryChances(Settings):
    """How often each kind is drawn, against the others that a clip allows; 0 leaves a kind out."""

    face_blend: float = _Weight
    cross_blend: float = _Weight
    puppet: float = _Weight
    animated_still: float = _Weight
    resynthesis: float = _Weight
    mouth_splice: float = _Weight
    temporal_splice: float = _Weight
    frame_repeat: float = _Weight
    sound_shift: float = _Weight
    sound_swap_person: float = _Weight
    sound_swap_other: float = _Weight
    sound_splice: float = _Weight
    vocoder_world: float = _Weight
    vocoder_griffin_lim: float = _Weight
    text_to_speech: float = Field(0.0, ge=0, description="needs a speech synthesiser on the machine")
    neural_resynthesis: float = Field(0.0, ge=0, description="needs `autoencoder`, a file of trained weights")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not any(self.by_name.values()):
            raise ValueError("every forgery has the chance 0: there is nothing to draw")
        return self

    @property
    def by_name(self) -> dict[str, float]:
        """Chance of each kind."""
        return {name: float(getattr(self, name)) for name in type(self).model_fields}


class ForgeConfig(Settings):
    """What one draw of training is made of."""

    chances: ForgeryChances = ForgeryChances()
    autoencoder: str = Field("", description="file of the face autoencoder for neural_resynthesis; none: left out")
    per_clip: int = Field(1, ge=0, description="forgeries of each real clip; 0: real clips alone")
    untouched: float = Field(0.0, ge=0, le=1, description="share of the draws of real files that are not forged")
    corpora_share: float = Field(0.5, ge=0, le=1, description="share of draws that are fakes of the manifest, if any")
    blind: float = Field(
        0.0, ge=0, le=1, description="share of the steps that show sound and landmarks alone, at a quarter of the cost"
    )
    span_s: float = Field(3.0, gt=0, description="seconds that are forged at once; of them a clip is shown")
    degrade: DegradeConfig = DegradeConfig()
    strength: float = Field(1.0, ge=0, le=1, description="of the degradation")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.chances.neural_resynthesis > 0 and not self.autoencoder:
            raise ValueError(
                f"chances.neural_resynthesis is {self.chances.neural_resynthesis:g}, but autoencoder names no file; "
                "`hashformer forge --train-autoencoder` makes one"
            )
        return self
