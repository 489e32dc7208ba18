"""What ASVspoof 2019 reports of a countermeasure: EER, and min t-DCF next to a given speaker verifier."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from hashformer.errors import EvaluationError
from hashformer.evaluate.curves import checked, roc
from hashformer.evaluate.metrics import Value, eer, equal_error_threshold

NO_ASV = (
    "min t-DCF needs the scores of the official speaker verifier (ASVspoof2019.LA.asv.*.scores.txt), which were "
    "not given; EER alone is reported"
)


@dataclass(frozen=True)
class AsvErrorRates:
    """Errors of the speaker verifier at its own fixed threshold; each in 0–1.

    Attributes:
        miss: Target speakers that it refuses.
        false_alarm: Other speakers that it accepts.
        miss_spoof: Spoofed speech that it refuses.
    """

    miss: float
    false_alarm: float
    miss_spoof: float


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Priors and costs; the defaults are those of the ASVspoof 2019 evaluation plan."""

    p_spoof: float = 0.05
    p_target: float = (1 - 0.05) * 0.99
    p_nontarget: float = (1 - 0.05) * 0.01
    miss_asv: float = 1.0
    false_alarm_asv: float = 10.0
    miss_cm: float = 1.0
    false_alarm_cm: float = 10.0


def report(labels: ArrayLike, scores: ArrayLike, *, asv: AsvErrorRates | None = None) -> dict[str, Value]:
    """EER and min t-DCF of a countermeasure, by name: `eer`, `min_tdcf`.

    Args:
        labels: 0 (bona fide) or 1 (spoof), (n,).
        scores: Higher is more likely spoof, (n,); the challenge's own score files have it the other way round.
        asv: Errors of the official speaker verifier; without them min t-DCF is undefined.

    Raises:
        EvaluationError: As `metrics.eer` and `min_tdcf`.
    """
    return {"eer": eer(labels, scores), "min_tdcf": min_tdcf(labels, scores, asv=asv)}


def min_tdcf(labels: ArrayLike, scores: ArrayLike, *, asv: AsvErrorRates | None, costs: Costs | None = None) -> Value:
    """The least normalised tandem detection cost over all thresholds, as defined for ASVspoof 2019.

    With the countermeasure's miss rate (bona fide called spoof) and false alarm rate (spoof called bona fide),
    t-DCF = C₁ · miss + C₂ · false alarm, divided by the lesser of C₁ and C₂. 1 is a countermeasure that says
    the same of every file. The revision of 2021 has a further constant and other values: do not mix them.

    Args:
        labels: 0 (bona fide) or 1 (spoof), (n,).
        scores: Higher is more likely spoof, (n,).
        asv: Errors of the speaker verifier; None gives an undefined value with the reason.
        costs: Priors and costs; the official ones if None.

    Raises:
        EvaluationError: If the verifier's errors are outside 0–1 or give a cost of zero or less; or as for
            all metrics.

    Source: ASVspoof 2019 evaluation plan, section 5; Kinnunen et al., "t-DCF", Odyssey 2018.
    """
    labels, scores = checked(labels, scores)
    if asv is None:
        return Value(None, len(labels), NO_ASV)
    c1, c2 = _coefficients(asv, costs or Costs())
    curve = roc(labels, scores)
    if curve is None:
        return Value(None, len(labels), eer(labels, scores).reason)
    cost = (c1 * curve.fpr + c2 * (1 - curve.tpr)) / min(c1, c2)
    return Value(float(cost.min()), len(labels))


def _coefficients(asv: AsvErrorRates, costs: Costs) -> tuple[float, float]:
    for name, rate in vars(asv).items():
        if not 0 <= rate <= 1:
            raise EvaluationError(f"the speaker verifier's {name} must lie in 0–1, got {rate:g}")
    c1 = costs.p_target * (costs.miss_cm - costs.miss_asv * asv.miss)
    c1 -= costs.p_nontarget * costs.false_alarm_asv * asv.false_alarm
    c2 = costs.false_alarm_cm * costs.p_spoof * (1 - asv.miss_spoof)
    if c1 <= 0 or c2 <= 0:
        raise EvaluationError(
            f"t-DCF coefficients must be positive, got C1 = {c1:.4g} and C2 = {c2:.4g}: with these errors "
            f"({asv}) the speaker verifier is of no use and a countermeasure's cost has no meaning"
        )
    return c1, c2


def asv_error_rates(target: ArrayLike, nontarget: ArrayLike, spoof: ArrayLike) -> AsvErrorRates:
    """Errors of a speaker verifier at its equal error rate between target and other speakers.

    Args:
        target: Scores of the right speaker, higher is more likely the right one.
        nontarget: Scores of other speakers.
        spoof: Scores of spoofed speech.

    Raises:
        EvaluationError: If one of them is empty or holds a score that is not finite.
    """
    right, other, spoofed = (np.asarray(scores, dtype=np.float64) for scores in (target, nontarget, spoof))
    _, spoofed = checked(np.zeros(spoofed.shape, dtype=np.int64), spoofed)
    curve = roc(np.repeat([1, 0], [len(right), len(other)]), np.concatenate([right, other]))
    if curve is None or not len(spoofed):
        raise EvaluationError(
            "errors of a speaker verifier need scores of all three kinds, got "
            f"{len(right)} target, {len(other)} nontarget and {len(spoofed)} spoof"
        )
    threshold = equal_error_threshold(curve)
    return AsvErrorRates(
        miss=float((right < threshold).mean()),
        false_alarm=float((other >= threshold).mean()),
        miss_spoof=float((spoofed < threshold).mean()),
    )


def read_asv_scores(path: Path) -> AsvErrorRates:
    """Errors of the official speaker verifier from its score file: source, key, score in each line.

    Raises:
        EvaluationError: If the file cannot be read, or a line is not of this form.
    """
    found: dict[str, list[float]] = {"target": [], "nontarget": [], "spoof": []}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path}: cannot be read as text: {error}") from error
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if not fields:
            continue
        try:
            _, key, score = fields
            found[key].append(float(score))
        except (ValueError, KeyError) as error:
            raise EvaluationError(
                f"{path}:{number}: expected source, key (target, nontarget or spoof) and score, got {line!r}"
            ) from error
    return asv_error_rates(found["target"], found["nontarget"], found["spoof"])
