"""The stages of training, as data: what is learned, from which views, and which run is the best."""

from dataclasses import dataclass
from typing import Literal

from hashformer.config.train import StageName
from hashformer.config.views import STRONG, WEAK, ViewConfig


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage.

    Attributes:
        name: As in `TrainConfig.stage`.
        labelled: Whether labels are read, and forgeries made.
        views: How the first and the second view of a clip are drawn; the second only if a loss reads it.
        monitor: What validation logs and the best checkpoint is chosen by.
        better: Whether lower or higher is better.
        trained: Whether its weight file can judge: a pretrained one has heads that learned nothing.
    """

    name: StageName
    labelled: bool
    views: tuple[ViewConfig, ViewConfig]
    monitor: str
    better: Literal["min", "max"]
    trained: bool


STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage(
            name="pretrain",
            labelled=False,
            views=(WEAK, STRONG),
            monitor="val/loss",
            better="min",
            trained=False,
        ),
        Stage(
            name="finetune",
            labelled=True,
            views=(WEAK, STRONG),
            monitor="val/best",
            better="max",
            trained=True,
        ),
    )
}
"""`pretrain`: masked autoencoding, alignment and self-distillation on clips as they are. `finetune`: classification
of clips and their forgeries, with alignment and self-distillation at a small weight."""
