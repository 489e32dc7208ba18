"""From logits to P(fake): one scale and bias for each head, kept in the weight file."""

from pydantic import Field

from hashformer.config.base import Settings


class HeadCalibration(Settings):
    """Score = sigmoid(scale · logit + bias)."""

    scale: float = Field(1.0, gt=0)
    bias: float = 0.0


class Calibration(Settings):
    """Calibration of every head of `types.HEADS`; the identity unless it was fitted."""

    overall: HeadCalibration = HeadCalibration()
    video: HeadCalibration = HeadCalibration()
    audio: HeadCalibration = HeadCalibration()
    sync: HeadCalibration = HeadCalibration()

    def head(self, name: str) -> HeadCalibration:
        """That of one head, by its name in `types.HEADS`."""
        found: HeadCalibration = getattr(self, name)
        return found
