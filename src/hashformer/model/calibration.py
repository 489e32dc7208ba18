"""From logits to P(fake), and from P(fake) to a decision; kept in the weight file."""

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor

from hashformer.config.base import Settings
from hashformer.types import ModelOutput


class HeadCalibration(Settings):
    """Score = sigmoid(scale · logit + bias)."""

    scale: float = Field(1.0, gt=0)
    bias: float = 0.0


class PartCalibration(HeadCalibration):
    """One part of the overall score: scale · logit + bias is its spreads above real clips, and `weight` its say."""

    weight: float = Field(1.0, gt=0)


class Calibration(Settings):
    """Calibration of every head of `types.HEADS`; the identity unless it was fitted.

    With `among_real`, the overall score is not that of the network's own `overall` logit: it is made of the other
    heads' logits, each in standard deviations above the mean of real clips, put together by Stouffer's method, and
    that is what `overall` calibrates. So a head counts by how unusual its answer is, not by how well it tells the
    forgeries that it was calibrated on, and a clip of which more can be judged is not more suspect for it.

    `thresholds` says from which score on a file counts as fake, by the share of real files that then do so
    too, as text: `0.01`, `0.05`, `0.1`. Empty unless they were measured. One above 1 says that there were too
    few real files for such a rate.
    """

    overall: HeadCalibration = HeadCalibration()
    video: HeadCalibration = HeadCalibration()
    audio: HeadCalibration = HeadCalibration()
    sync: HeadCalibration = HeadCalibration()
    among_real: dict[str, PartCalibration] = Field(default_factory=dict)
    thresholds: dict[str, float] = Field(default_factory=dict)

    def head(self, name: str) -> HeadCalibration:
        """That of one head, by its name in `types.HEADS`."""
        found: HeadCalibration = getattr(self, name)
        return found


def calibrated(output: ModelOutput, calibration: Calibration) -> dict[str, Tensor]:
    """P(fake) of each head, (B,); NaN where it is not valid."""
    return calibrated_logits(output.logits, output.valid, calibration)


def calibrated_logits(
    logits: Mapping[str, Tensor], valid: Mapping[str, Tensor], calibration: Calibration
) -> dict[str, Tensor]:
    """P(fake) of each head, (B,); NaN where it is not valid.

    Args:
        logits: Of each head, (B,).
        valid: Where each head could judge, (B,) bool.
        calibration: From logits to P(fake).
    """
    found = {head: _moved(logit.float(), calibration.head(head)) for head, logit in logits.items()}
    if calibration.among_real:
        found["overall"] = _moved(put_together(logits, valid, calibration.among_real), calibration.overall)
    return {head: torch.where(valid[head], torch.sigmoid(logit), float("nan")) for head, logit in found.items()}


def put_together(
    logits: Mapping[str, Tensor], valid: Mapping[str, Tensor], among_real: Mapping[str, PartCalibration]
) -> Tensor:
    """Spreads above real clips of all parts that could judge, (B,); 0 where none could.

    The weighted sum of the parts' spreads, over the root of the sum of squared weights: among real clips, whose parts
    err by themselves, it has a spread of 1 whatever parts there are.

    Source: Stouffer et al., The American Soldier (1949), volume 1, page 45; weights: Lipták (1958).
    """
    total = squares = torch.zeros_like(logits["overall"], dtype=torch.float32)
    for part, fit in among_real.items():
        total = total + fit.weight * torch.where(valid[part], _moved(logits[part].float(), fit), 0.0)
        squares = squares + fit.weight**2 * valid[part].float()
    return total / squares.sqrt().clamp(min=torch.finfo(torch.float32).tiny)


def _moved(logit: Tensor, fit: HeadCalibration) -> Tensor:
    return fit.scale * logit + fit.bias
