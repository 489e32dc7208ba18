import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit

from hashformer.errors import EvaluationError
from hashformer.evaluate.calibrate import fit, thresholds
from hashformer.evaluate.metrics import ece, roc_auc
from hashformer.model.calibration import HeadCalibration


def drawn(n=4000, *, scale=1.7, bias=-0.6, seed=0):
    """Logits whose labels follow a known calibration."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, n)
    return (rng.random(n) < expit(scale * logits + bias)).astype(int), logits


def test_a_known_calibration_is_found_again():
    found = fit(*drawn(40_000))
    assert isinstance(found, HeadCalibration)
    assert found.scale == pytest.approx(1.7, rel=0.05)
    assert found.bias == pytest.approx(-0.6, abs=0.05)


def test_it_is_the_maximum_of_the_likelihood():
    labels, logits = drawn(40_000)

    def loss(x):
        z = x[0] * logits + x[1]
        return np.mean(np.logaddexp(0, z) - labels * z)

    plain = minimize(loss, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12}).x
    found = fit(labels, logits)
    assert (found.scale, found.bias) == pytest.approx(tuple(plain), abs=2e-3)


def test_scores_become_what_they_say():
    labels, logits = drawn(scale=0.25, bias=1.0)
    found = fit(labels, logits)
    before, after = (ece(labels, expit(s * logits + b)).value for s, b in ((1.0, 0.0), (found.scale, found.bias)))
    assert before > 0.1
    assert after < 0.03


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_the_range_of_a_head_does_not_matter(factor, offset):
    labels, logits = drawn()
    plain, moved = fit(labels, logits), fit(labels, (logits + offset) * factor)
    assert moved.scale * factor == pytest.approx(plain.scale, rel=1e-4)
    assert moved.bias + moved.scale * factor * offset == pytest.approx(plain.bias, abs=1e-3)


@pytest.mark.parametrize("gap", [0.01, 1.0, 100.0])
def test_separable_data_stay_finite(gap):
    labels = np.repeat([0, 1], 50)
    logits = np.where(labels, gap, -gap) * (1 + np.tile(np.linspace(0, 1, 50), 2))
    found = fit(labels, logits)
    scores = expit(found.scale * logits + found.bias)
    assert np.isfinite([found.scale, found.bias]).all()
    assert 0.9 < scores[labels == 1].min() <= scores.max() < 0.9999


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.floats(-30, 30)), min_size=2, max_size=40).filter(
        lambda rows: 0 < sum(label for label, _ in rows) < len(rows)
    )
)
def test_the_order_is_never_reversed(rows):
    labels, logits = (np.array(column) for column in zip(*rows, strict=True))
    found = fit(labels, logits)
    assert 0 < found.scale < np.inf
    assert np.isfinite(found.bias)
    scores = found.scale * logits + found.bias
    order = np.argsort(logits)
    assert (np.diff(scores[order]) >= 0).all()


def test_logits_in_the_wrong_order_are_told_to_say_little():
    labels, logits = drawn(scale=-1.5, bias=0.0)
    found = fit(labels, logits)
    assert 0 < found.scale < 0.05
    assert roc_auc(labels, found.scale * logits).value == roc_auc(labels, logits).value < 0.5


def test_constant_logits_get_the_share_of_fakes():
    for value in (0.0, 0.1, -7.3):
        found = fit([0] * 30 + [1] * 70, [value] * 100)
        assert expit(found.scale * value + found.bias) == pytest.approx(0.7, abs=0.02)


def test_the_share_of_fakes_can_be_that_of_another_place():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [200, 8000])
    logits = rng.normal(size=8200) + 2 * labels
    own, even = fit(labels, logits), fit(labels, logits, fake_share=0.5)
    # Two normals of equal spread: the middle, 1, is as likely one as the other.
    assert expit(even.scale * 1 + even.bias) == pytest.approx(0.5, abs=0.05)
    assert expit(own.scale * 1 + own.bias) > 0.9


def test_what_cannot_be_calibrated_is_refused():
    with pytest.raises(EvaluationError, match="got 0 real and 3 fake"):
        fit([1, 1, 1], [0.1, 0.2, 0.3])
    with pytest.raises(EvaluationError, match="got 0 real and 0 fake"):
        fit([], [])
    with pytest.raises(EvaluationError, match="1 of 2 scores"):
        fit([0, 1], [np.nan, 0.2])
    with pytest.raises(EvaluationError, match="fake_share"):
        fit([0, 1], [0.1, 0.2], fake_share=1.0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.29, 0.5, 1.0]))
def test_a_threshold_is_the_least_that_keeps_the_rate(scores, fpr):
    scores = np.array(scores) / 6
    threshold = thresholds(scores, (fpr,))[fpr]
    assert (scores >= threshold).mean() <= fpr
    # The next lower score that occurs would break it.
    lower = scores[scores < threshold]
    if len(lower):
        assert (scores >= lower.max()).mean() > fpr


def test_thresholds_worked_by_hand():
    found = thresholds(np.arange(100) / 100)
    assert found == {0.01: 0.99, 0.05: 0.95, 0.10: 0.90}
    assert thresholds([0.2, 0.9, 0.9, 0.9], (0.5,))[0.5] == np.nextafter(0.9, 1)
    assert thresholds([1.0, 1.0], (0.1,))[0.1] > 1


def test_thresholds_need_real_samples():
    with pytest.raises(EvaluationError, match="no real samples"):
        thresholds([])
    with pytest.raises(EvaluationError, match="1 of 2 scores"):
        thresholds([0.5, np.nan])
    with pytest.raises(EvaluationError, match="in 0–1, got 5"):
        thresholds([0.5], (5,))
