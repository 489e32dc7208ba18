"""From logits to P(fake), and from P(fake) to a decision; kept in the weight file."""

import torch
from pydantic import Field
from torch import Tensor

from hashformer.config.base import Settings
from hashformer.types import ModelOutput


class HeadCalibration(Settings):
    """Score = sigmoid(scale · logit + bias)."""

    scale: float = Field(1.0, gt=0)
    bias: float = 0.0


class Calibration(Settings):
    """Calibration of every head of `types.HEADS`; the identity unless it was fitted.

    `thresholds` says from which score on a file counts as fake, by the share of real files that then do so
    too, as text: `0.01`, `0.05`, `0.1`. Empty unless they were measured. One above 1 says that there were too
    few real files for such a rate.
    """

    overall: HeadCalibration = HeadCalibration()
    video: HeadCalibration = HeadCalibration()
    audio: HeadCalibration = HeadCalibration()
    sync: HeadCalibration = HeadCalibration()
    thresholds: dict[str, float] = Field(default_factory=dict)

    def head(self, name: str) -> HeadCalibration:
        """That of one head, by its name in `types.HEADS`."""
        found: HeadCalibration = getattr(self, name)
        return found


def calibrated(output: ModelOutput, calibration: Calibration) -> dict[str, Tensor]:
    """P(fake) of each head, (B,); NaN where it is not valid."""
    result = {}
    for head, logit in output.logits.items():
        fit = calibration.head(head)
        score = torch.sigmoid(fit.scale * logit.float() + fit.bias)
        result[head] = torch.where(output.valid[head], score, float("nan"))
    return result
