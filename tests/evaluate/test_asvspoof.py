import numpy as np
import pytest

from hashformer.errors import EvaluationError
from hashformer.evaluate.asvspoof import (
    NO_ASV,
    AsvErrorRates,
    asv_error_rates,
    min_tdcf,
    read_asv_scores,
    report,
)
from hashformer.evaluate.metrics import eer

# Near the verifier of the challenge's own evaluation set.
ASV = AsvErrorRates(miss=0.025, false_alarm=0.025, miss_spoof=0.36)


def scores_of(seed=0, *, shift=2.0):
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [100, 900])
    return labels, rng.normal(size=1000) + shift * labels


def plain_min_tdcf(labels, scores):
    """Each threshold by itself, costs and priors as in the evaluation plan."""
    c1 = 0.9405 * (1 - ASV.miss) - 0.0095 * 10 * ASV.false_alarm
    c2 = 10 * 0.05 * (1 - ASV.miss_spoof)
    costs = []
    for threshold in [*np.unique(scores), np.inf]:
        miss, false_alarm = (scores[labels == 0] >= threshold).mean(), (scores[labels == 1] < threshold).mean()
        costs.append((c1 * miss + c2 * false_alarm) / min(c1, c2))
    return min(costs)


@pytest.mark.parametrize("shift", [-1.0, 0.5, 2.0, 5.0])
def test_min_tdcf_equals_its_definition(shift):
    labels, scores = scores_of(shift=shift)
    found = min_tdcf(labels, scores, asv=ASV)
    assert found.value == pytest.approx(plain_min_tdcf(labels, scores))
    assert found.n == 1000


def test_a_perfect_and_a_useless_countermeasure():
    labels = np.repeat([0, 1], 20)
    assert min_tdcf(labels, labels.astype(float), asv=ASV).value == 0
    assert min_tdcf(labels, np.full(40, 0.5), asv=ASV).value == pytest.approx(1)
    assert min_tdcf(labels, 1.0 - labels, asv=ASV).value == pytest.approx(1)


def test_without_the_official_scores_there_is_eer_and_a_reason():
    labels, scores = scores_of()
    found = report(labels, scores)
    assert found["eer"] == eer(labels, scores)
    assert found["min_tdcf"].value is None
    assert found["min_tdcf"].reason == NO_ASV
    assert report(labels, scores, asv=ASV)["min_tdcf"].value is not None


def test_one_class_is_undefined():
    found = min_tdcf([1, 1], [0.1, 0.2], asv=ASV)
    assert found.value is None
    assert "both classes" in found.reason


def test_error_rates_worked_by_hand():
    # At 3: one of four targets is below, one of four others is not.
    found = asv_error_rates([2, 3, 4, 5], [0, 1, 2, 3], [1, 2, 3, 4, 5])
    assert found == AsvErrorRates(miss=0.25, false_alarm=0.25, miss_spoof=0.4)


def test_the_official_file_is_read(tmp_path):
    path = tmp_path / "scores.txt"
    lines = [f"- target {s}" for s in (2, 3, 4, 5)] + [f"- nontarget {s}" for s in (0, 1, 2, 3)]
    path.write_text("\n".join([*lines, *(f"A07 spoof {s}" for s in (1, 2, 3, 4, 5)), ""]))
    assert read_asv_scores(path) == AsvErrorRates(miss=0.25, false_alarm=0.25, miss_spoof=0.4)


@pytest.mark.parametrize("line", ["- target", "- friend 1.0", "- target high", "a b c d"])
def test_a_line_that_is_none_is_named(tmp_path, line):
    path = tmp_path / "scores.txt"
    path.write_text(f"- target 1.0\n{line}\n")
    with pytest.raises(EvaluationError, match=r"scores\.txt:2: expected"):
        read_asv_scores(path)


def test_what_makes_no_sense_is_refused(tmp_path):
    with pytest.raises(EvaluationError, match="0 target, 1 nontarget and 1 spoof"):
        asv_error_rates([], [1.0], [1.0])
    with pytest.raises(EvaluationError, match="0 spoof"):
        asv_error_rates([1.0], [1.0], [])
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_asv_scores(tmp_path / "none.txt")
    with pytest.raises(EvaluationError, match=r"miss must lie in 0–1, got 2\.5"):
        min_tdcf([0, 1], [0.1, 0.2], asv=AsvErrorRates(miss=2.5, false_alarm=0.1, miss_spoof=0.1))
    with pytest.raises(EvaluationError, match="must be positive"):
        min_tdcf([0, 1], [0.1, 0.2], asv=AsvErrorRates(miss=1.0, false_alarm=0.1, miss_spoof=0.1))
