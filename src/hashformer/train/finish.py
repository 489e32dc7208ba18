"""After the last step: scores that mean what they say, thresholds, and the weight file."""

import logging
import math
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from hashformer.config.train import TrainConfig
from hashformer.errors import TrainError
from hashformer.evaluate.calibrate import fit, thresholds
from hashformer.model import HashFormer
from hashformer.model.calibration import Calibration, HeadCalibration, PartCalibration, put_together
from hashformer.model.heads import PARTS
from hashformer.model.weights import save_model
from hashformer.train.by_kind import KindAuc
from hashformer.train.scores import JudgedClip, file_table, known, known_clips
from hashformer.types import HEADS
from hashformer.version import __version__

TARGET_FPRS = (0.01, 0.05, 0.10)
"""Shares of real files that may be called fake, for which thresholds are kept."""
_MODEL = "objective.model."
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a run left behind.

    Attributes:
        weights: The weight file.
        checkpoint: That it was made of; None if nothing was trained.
        metrics: Of the validation of these weights; empty without labels.
        facts: As in the weight file.
        calibration: As in the weight file.
        by_kind: AUC for each kind of forgery; empty without labels.
    """

    weights: Path
    checkpoint: Path | None
    metrics: Mapping[str, float]
    facts: Mapping[str, str]
    calibration: Calibration
    by_kind: Sequence[KindAuc]


FAKE_SHARES = {"sync": 0.1}
"""How often a head's fakes are met, where not as often as genuine clips.

Few forgeries shift or swap a sound, those that move lips make them fit, and remuxing puts genuine sound out of step.
"""
WEIGHTS = {"sync": 0.3}
"""How much a part's answer counts in the overall score, where not as much as the others'."""


def calibrate(clips: Sequence[JudgedClip], pool_fraction: float, *, of_parts: bool = False) -> Calibration:
    """Fit every head on clips, then thresholds on the files that they make up.

    Scores are fitted as if real and fake were equally frequent: a validation split with every kind of forgery holds
    many fakes for each real clip, and a score that took that for the state of the world would call strangers fake.
    Sound that does not fit its lips is rarer than both (`FAKE_SHARES`).
    A head for which the clips hold one class only keeps its logits as they are; that is logged.

    Args:
        clips: Of the validation split, before calibration.
        pool_fraction: Share of a file's highest clips that its score averages.
        of_parts: The overall score is made of the other heads': see `Calibration.among_real`.
    """
    heads: dict[str, HeadCalibration] = {}
    for head in HEADS:
        labels, logits = known_clips(clips, head)
        if 0 < sum(labels) < len(labels):
            heads[head] = fit(labels, logits, fake_share=FAKE_SHARES.get(head, 0.5))
        else:
            _logger.warning(
                "%s is not calibrated: the validation split holds %d real and %d fake clips for it",
                head,
                len(labels) - sum(labels),
                sum(labels),
            )
    fitted = Calibration.model_validate(heads)
    among_real = _among_real(clips) if of_parts else {}
    overall = _of_parts(clips, among_real) if among_real else None
    if overall is not None:
        fitted = fitted.model_copy(update={"among_real": among_real, "overall": overall})
    labels, scores = known(file_table(clips, pool_fraction, fitted), "overall")
    reals = [score for label, score in zip(labels, scores, strict=True) if label == 0]
    if not reals:
        return fitted
    limits = thresholds(reals, TARGET_FPRS)
    return fitted.model_copy(update={"thresholds": {f"{fpr:g}": limit for fpr, limit in limits.items()}})


def _among_real(clips: Sequence[JudgedClip]) -> dict[str, PartCalibration]:
    """Move each part's logit to a mean of 0 and a standard deviation of 1 among real clips.

    How well a head tells the forgeries of the split has no say in it: they are made here, and others are otherwise.
    """
    found = {}
    for part in PARTS:
        labels, logits = known_clips(clips, part)
        reals = np.array([logit for label, logit in zip(labels, logits, strict=True) if label == 0])
        if len(reals) > 1 and reals.std() > 0:
            scale, bias = 1 / reals.std(), -reals.mean() / reals.std()
            found[part] = PartCalibration(scale=float(scale), bias=float(bias), weight=WEIGHTS.get(part, 1.0))
    return found


def _of_parts(clips: Sequence[JudgedClip], among_real: Mapping[str, PartCalibration]) -> HeadCalibration | None:
    """Fit all parts put together to whether a clip is fake; None if the clips hold one class only."""
    told = [clip for clip in clips if not math.isnan(clip.labels["overall"]) and clip.logits.keys() & among_real.keys()]
    labels = [int(clip.labels["overall"]) for clip in told]
    if not 0 < sum(labels) < len(labels):
        return None
    logits = {head: torch.tensor([clip.logits.get(head, 0.0) for clip in told]) for head in HEADS}
    valid = {part: torch.tensor([part in clip.logits for clip in told]) for part in PARTS}
    return fit(labels, put_together(logits, valid, among_real).tolist(), fake_share=0.5)


def load_average(checkpoint: Path, model: HashFormer) -> int:
    """Put the averaged weights of a checkpoint into a model.

    Returns:
        Steps after which it was written.

    Raises:
        TrainError: If there is no such checkpoint.
    """
    if not checkpoint.is_file():
        raise TrainError(f"{checkpoint}: no such checkpoint. Did the run end before its first validation?")
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    state = {name.removeprefix(_MODEL): x for name, x in content["state_dict"].items() if name.startswith(_MODEL)}
    model.load_state_dict(state)
    return int(content["global_step"])


def write_weights(
    path: Path,
    model: HashFormer,
    config: TrainConfig,
    *,
    trained: bool,
    calibration: Calibration | None,
    facts: Mapping[str, str],
) -> None:
    """Write the weight file.

    Args:
        path: Of the `.safetensors` file.
        model: Written as 16-bit floats if `config.run.half_weights`; it is computed with in 32 bits when loaded.
        config: Its `config` goes into the file.
        trained: False for a pretrained model, whose heads learned nothing.
        calibration: Of its heads; None for the identity.
        facts: What it was trained on and how.
    """
    kept = HashFormer(model.config)
    kept.load_state_dict(model.state_dict())
    if config.run.half_weights:
        kept.half()
    save_model(path, kept, config=config.config, trained=trained, calibration=calibration, extra=facts)


def portable(config: TrainConfig) -> TrainConfig:
    """The recipe as weights carry it: files by their names, for weights travel and folders do not."""
    forge = config.forge.model_copy(update={"autoencoder": Path(config.forge.autoencoder).name})
    return config.model_copy(update={"forge": forge})


def versions() -> dict[str, str]:
    """Versions of what decides numbers."""
    return {
        "hashformer": __version__,
        "torch": str(torch.__version__),
        "pytorch_lightning": version("pytorch-lightning"),
        "python": platform.python_version(),
    }


def counted(names: Sequence[str]) -> str:
    """How often each name occurs, as text for the weight file."""
    return ", ".join(f"{name} {count}" for name, count in sorted(Counter(names).items()))
