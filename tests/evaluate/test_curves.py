import numpy as np
import pytest
from numpy.testing import assert_allclose

from hashformer.errors import EvaluationError
from hashformer.evaluate.curves import det, precision_recall, reliability, roc
from hashformer.evaluate.metrics import brier, ece, roc_auc


def sample(n=300, *, levels=None):
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, n)
    scores = np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 1)
    return labels, scores if levels is None else np.round(scores * levels) / levels


@pytest.mark.parametrize("levels", [None, 8])
def test_the_roc_states_the_rates_of_its_thresholds(levels):
    labels, scores = sample(levels=levels)
    curve = roc(labels, scores)
    assert_allclose(curve.fpr, [(scores[labels == 0] >= t).mean() for t in curve.thresholds])
    assert_allclose(curve.tpr, [(scores[labels == 1] >= t).mean() for t in curve.thresholds])
    assert (curve.fpr[0], curve.tpr[0], curve.thresholds[0]) == (0, 0, np.inf)
    assert len(curve.thresholds) == len(np.unique(scores)) + 1
    assert np.trapezoid(curve.tpr, curve.fpr) == pytest.approx(roc_auc(labels, scores).value)


def test_ties_are_a_line_not_a_step():
    curve = roc([0, 1, 0, 1], [0.5] * 4)
    assert_allclose(curve.fpr, [0, 1])
    assert_allclose(curve.tpr, [0, 1])


def test_precision_and_recall_of_each_threshold():
    labels, scores = sample(levels=20)
    curve = precision_recall(labels, scores)
    assert len(curve.recall) == len(curve.precision) == len(curve.thresholds) + 1
    for recall, precision, threshold in zip(*curve, strict=False):
        said = scores >= threshold
        assert recall == pytest.approx(said[labels == 1].mean())
        assert precision == pytest.approx(labels[said].mean())
    assert (curve.recall[-1], curve.precision[-1]) == (0, 1)


def test_det_is_the_roc_with_misses():
    labels, scores = sample()
    curve, errors = roc(labels, scores), det(labels, scores)
    assert_allclose(errors.fpr, curve.fpr)
    assert_allclose(errors.fnr, 1 - curve.tpr)


@pytest.mark.parametrize("labels", [[], [0], [1, 1, 1]])
def test_no_curve_of_one_class(labels):
    scores = [0.3] * len(labels)
    assert roc(labels, scores) is None
    assert precision_recall(labels, scores) is None
    assert det(labels, scores) is None


def test_reliability_worked_by_hand():
    table = reliability([0, 1, 1, 1], [0.0, 0.24, 0.25, 1.0], bins=4)
    assert_allclose(table.edges, [0, 0.25, 0.5, 0.75, 1])
    assert table.n.tolist() == [2, 1, 0, 1]
    assert_allclose(table.mean_score, [0.12, 0.25, np.nan, 1])
    assert_allclose(table.share_fake, [0.5, 1, np.nan, 1])


def test_reliability_holds_every_sample():
    labels, scores = sample()
    table = reliability(labels, scores)
    assert table.n.sum() == len(labels)
    assert np.nansum(table.share_fake * table.n) == pytest.approx(labels.sum())
    gap = np.nansum(np.abs(table.mean_score - table.share_fake) * table.n) / len(labels)
    assert gap == pytest.approx(ece(labels, scores).value)
    assert gap**2 <= brier(labels, scores).value
    assert reliability([], []).n.sum() == 0


def test_scores_that_are_no_probabilities_have_no_reliability():
    with pytest.raises(EvaluationError, match="calibrate logits first"):
        reliability([0, 1], [-1.0, 3.0])
