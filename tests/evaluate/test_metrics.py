import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from hashformer.errors import EvaluationError
from hashformer.evaluate import metrics
from hashformer.evaluate.metrics import METRICS, Value
from hashformer.evaluate.weighted import WEIGHTED, WeightedMetrics

NEEDS_BOTH = ("auc", "ap", "eer", "balanced_accuracy", "f1", "tpr_at_fpr_1", "tpr_at_fpr_5")


def sample(seed, n=200, *, levels=None, shift=0.15):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    labels[:2] = 0, 1
    scores = np.clip(rng.normal(0.45 + shift * labels, 0.2), 0, 1)
    return labels, scores if levels is None else np.round(scores * levels) / levels


@st.composite
def scored(draw):
    n = draw(st.integers(2, 30))
    labels = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n).filter(lambda y: 0 < sum(y) < len(y)))
    scores = draw(st.lists(st.integers(0, 8), min_size=n, max_size=n))
    return np.array(labels), np.array(scores) / 8


def test_the_contracted_names_are_there():
    assert list(METRICS) == [
        "auc", "ap", "eer", "accuracy", "balanced_accuracy", "f1", "tpr_at_fpr_1", "tpr_at_fpr_5", "log_loss",
        "brier", "ece",
    ]  # fmt: skip
    assert set(WEIGHTED) == set(METRICS)


@pytest.mark.parametrize("levels", [None, 10, 2])
def test_metrics_equal_scikit_learn(levels):
    for seed in range(5):
        labels, scores = sample(seed, levels=levels)
        said = scores >= 0.5
        expected = {
            "auc": sk.roc_auc_score(labels, scores),
            "ap": sk.average_precision_score(labels, scores),
            "accuracy": sk.accuracy_score(labels, said),
            "balanced_accuracy": sk.balanced_accuracy_score(labels, said),
            "f1": sk.f1_score(labels, said),
            "log_loss": sk.log_loss(labels, scores),
            "brier": sk.brier_score_loss(labels, scores),
        }
        for name, value in expected.items():
            assert METRICS[name](labels, scores) == Value(pytest.approx(value, abs=1e-12), 200), name


@pytest.mark.parametrize("levels", [None, 10, 2])
def test_auc_counts_pairs(levels):
    labels, scores = sample(3, n=60, levels=levels)
    pairs = scores[labels == 1][:, None] - scores[labels == 0][None]
    assert metrics.roc_auc(labels, scores).value == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())


def test_values_worked_by_hand():
    # From the highest score: fake .9, real .8, fake .7, fake .4, real .3, real .1.
    labels, scores = [1, 0, 1, 1, 0, 0], [0.9, 0.8, 0.7, 0.4, 0.3, 0.1]
    assert metrics.roc_auc(labels, scores).value == pytest.approx(7 / 9)
    assert metrics.average_precision(labels, scores).value == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert metrics.eer(labels, scores).value == pytest.approx(1 / 3)
    assert metrics.eer_threshold(labels, scores).value == 0.7
    assert metrics.accuracy(labels, scores).value == pytest.approx(4 / 6)
    assert metrics.accuracy(labels, scores, threshold=0.35).value == pytest.approx(5 / 6)
    assert metrics.balanced_accuracy(labels, scores, threshold=0.85).value == pytest.approx((1 / 3 + 1) / 2)
    assert metrics.f1(labels, scores).value == pytest.approx(2 / 3)
    assert metrics.tpr_at_fpr(labels, scores, fpr=0.01).value == pytest.approx(1 / 3)
    assert metrics.tpr_at_fpr(labels, scores, fpr=1 / 3).value == 1
    assert metrics.tpr_at_fpr(labels, scores, fpr=0.33).value == pytest.approx(1 / 3)
    assert metrics.brier(labels, scores).value == pytest.approx((0.01 + 0.64 + 0.09 + 0.36 + 0.09 + 0.01) / 6)


def test_eer_lies_on_the_line_between_two_points():
    # ROC: (0, 0), (0, 1/2), (1, 1): the line of slope 1/2 meets 1 - fpr at fpr = 1/3.
    assert metrics.eer([1, 1, 0, 0], [0.9, 0.5, 0.5, 0.5]).value == pytest.approx(1 / 3)


def test_ece_worked_by_hand():
    # Bins of a fifth: {.1 real, .15 fake}, {.5 fake}, {.6 fake}, {.95 real, 1 fake}.
    labels, scores = [0, 1, 1, 1, 0, 1], [0.1, 0.15, 0.5, 0.6, 0.95, 1.0]
    assert metrics.ece(labels, scores, bins=5).value == pytest.approx((0.75 + 0.5 + 0.4 + 0.95) / 6)
    assert metrics.ece([0, 1, 1, 1], [0.75] * 4).value == 0


@pytest.mark.parametrize("value", [0.0, 0.3, 0.5, 1.0])
def test_constant_scores_say_nothing(value):
    labels, scores = [0, 1, 1, 0, 1], [value] * 5
    assert metrics.roc_auc(labels, scores).value == 0.5
    assert metrics.eer(labels, scores).value == 0.5
    assert metrics.average_precision(labels, scores).value == pytest.approx(3 / 5)
    assert metrics.tpr_at_fpr(labels, scores, fpr=0.05).value == 0
    assert metrics.eer_threshold(labels, scores).value == value


def test_a_perfect_and_a_reversed_order():
    labels = [0] * 10 + [1] * 10
    scores = np.linspace(0, 1, 20)
    assert metrics.roc_auc(labels, scores).value == 1
    assert metrics.eer(labels, scores).value == 0
    assert metrics.roc_auc(labels, 1 - scores).value == 0
    assert metrics.eer(labels, 1 - scores).value == 1


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1], [0], [1]])
def test_one_class_is_undefined_with_its_reason(labels):
    scores = [0.2, 0.7, 0.9][: len(labels)]
    for name in NEEDS_BOTH:
        found = METRICS[name](labels, scores)
        assert found.value is None, name
        assert found.n == len(labels)
        assert "both classes are needed" in found.reason
        assert ("fake" if labels[0] else "real") in found.reason
    for name in set(METRICS) - set(NEEDS_BOTH):
        assert METRICS[name](labels, scores).value is not None, name


def test_log_loss_of_one_class_is_that_class_own():
    assert metrics.log_loss([1, 1], [0.5, 0.25]).value == pytest.approx((np.log(2) + np.log(4)) / 2)
    assert np.isfinite(metrics.log_loss([1, 0], [0.0, 1.0]).value)


@pytest.mark.parametrize("name", METRICS)
def test_no_samples_are_undefined(name):
    assert METRICS[name]([], []) == Value(None, 0, "no samples")


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_score_that_is_no_number_is_an_error_with_the_count(name, bad):
    with pytest.raises(EvaluationError, match="2 of 4 scores"):
        METRICS[name]([0, 1, 0, 1], [0.1, bad, bad, 0.3])


def test_wrong_input_is_refused():
    with pytest.raises(EvaluationError, match="1 of 3 labels"):
        metrics.roc_auc([0, 1, 2], [0.1, 0.2, 0.3])
    with pytest.raises(EvaluationError, match=r"shapes \(2,\) and \(3,\)"):
        metrics.roc_auc([0, 1], [0.1, 0.2, 0.3])
    for name in ("log_loss", "brier", "ece"):
        with pytest.raises(EvaluationError, match=r"in 0–1, got -3 to 2"):
            METRICS[name]([0, 1], [-3.0, 2.0])
    with pytest.raises(EvaluationError, match="fpr must lie"):
        metrics.tpr_at_fpr([0, 1], [0.1, 0.2], fpr=5)
    with pytest.raises(EvaluationError, match="bins must be"):
        metrics.ece([0, 1], [0.1, 0.2], bins=0)


@settings(max_examples=20, deadline=None)
@given(scored())
def test_order_is_all_that_ranking_metrics_see(data):
    labels, scores = data
    for name in ("auc", "ap", "eer", "tpr_at_fpr_1", "tpr_at_fpr_5"):
        metric = METRICS[name]
        assert metric(labels, np.exp(3 * scores) - 7).value == pytest.approx(metric(labels, scores).value), name


@settings(max_examples=20, deadline=None)
@given(scored())
def test_turning_labels_or_scores_round(data):
    labels, scores = data
    auc, rate = metrics.roc_auc(labels, scores).value, metrics.eer(labels, scores).value
    assert metrics.roc_auc(1 - labels, scores).value == pytest.approx(1 - auc)
    assert metrics.roc_auc(1 - labels, 1 - scores).value == pytest.approx(auc)
    assert metrics.eer(1 - labels, 1 - scores).value == pytest.approx(rate)
    assert metrics.eer(1 - labels, scores).value == pytest.approx(1 - rate)


@settings(max_examples=20, deadline=None)
@given(scored(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(data, random):
    labels, scores = data
    order = list(range(len(labels)))
    random.shuffle(order)
    for name, metric in METRICS.items():
        assert metric(labels[order], scores[order]).value == pytest.approx(metric(labels, scores).value), name


@settings(max_examples=20, deadline=None)
@given(scored(), st.data())
def test_a_weight_is_so_many_copies(data, draw):
    labels, scores = data
    n = len(labels)
    weights = np.array(draw.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    for name, weighted in WEIGHTED.items():
        of_weights = weighted(WeightedMetrics(labels, scores), weights[None].astype(float))[0]
        of_copies = METRICS[name](np.repeat(labels, weights), np.repeat(scores, weights)).value
        if of_copies is None:
            assert np.isnan(of_weights), name
        else:
            assert of_weights == pytest.approx(of_copies, abs=1e-9), name
