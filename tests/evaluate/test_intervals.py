import numpy as np
import pytest
from scipy.stats import binom, norm

from hashformer.errors import EvaluationError
from hashformer.evaluate.intervals import delong, difference, interval, intervals
from hashformer.evaluate.metrics import METRICS, Value, roc_auc

COVERED = 0.95


def normals(seed, n_real, n_fake, *, auc, group_size=1):
    """Normal scores of unit spread; with groups half of it is the group's own."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [n_real, n_fake])
    own = rng.normal(size=(len(labels), group_size))
    if group_size > 1:
        own = (own + rng.normal(size=(len(labels), 1))) / np.sqrt(2)
    scores = own + np.sqrt(2) * norm.ppf(auc) * labels[:, None]
    groups = np.repeat(np.arange(len(labels)), group_size).tolist()
    return np.repeat(labels, group_size), scores.ravel(), groups


def assert_covers(hits):
    """As many hits as 95 % intervals have, within what chance leaves in 999 of 1000 runs."""
    low, high = binom.interval(0.999, len(hits), COVERED)
    assert low <= sum(hits) <= high, f"{sum(hits)} of {len(hits)} intervals hold the truth"


@pytest.mark.parametrize(("auc", "n_real", "n_fake"), [(0.75, 50, 50), (0.9, 40, 120)])
def test_intervals_of_rows_hold_the_truth(auc, n_real, n_fake):
    hits = []
    for seed in range(150):
        labels, scores, _ = normals(seed, n_real, n_fake, auc=auc)
        found = interval("auc", labels, scores, n_resamples=300, seed=seed)
        hits.append(found.low <= auc <= found.high)
    assert_covers(hits)


def test_intervals_of_groups_hold_the_truth_and_those_of_rows_do_not():
    auc, by_group, by_row = 0.8, [], []
    for seed in range(120):
        labels, scores, groups = normals(seed, 30, 30, auc=auc, group_size=5)
        found = interval("auc", labels, scores, groups=groups, n_resamples=250, seed=seed)
        by_group.append(found.low <= auc <= found.high)
        naive = interval("auc", labels, scores, n_resamples=250, seed=seed)
        by_row.append(naive.low <= auc <= naive.high)
    assert_covers(by_group)
    assert sum(by_row) < binom.ppf(0.0005, len(by_row), COVERED)


def test_intervals_of_a_share_hold_the_truth():
    truth = float(norm.cdf(1.0))
    hits = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        labels = np.repeat([0, 1], 80)
        scores = (rng.normal(size=160) + np.where(labels, 1.0, -1.0) > 0).astype(float)
        found = interval("balanced_accuracy", labels, scores, n_resamples=300, seed=seed)
        hits.append(found.low <= truth <= found.high)
    assert_covers(hits)


def test_delong_holds_the_truth():
    hits = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        labels = np.repeat([0, 1], [60, 80])
        shared = rng.normal(size=140)
        a, b = (
            (shared + rng.normal(size=140)) / np.sqrt(2) + np.sqrt(2) * norm.ppf(auc) * labels for auc in (0.85, 0.75)
        )
        found = delong(labels, a, b)
        hits.append(found.low <= 0.10 <= found.high)
    assert_covers(hits)


def plain_delong(labels, a, b):
    """Difference of AUCs and its variance, straight from the definition, over all pairs."""
    kernels = []
    for scores in (a, b):
        gaps = scores[labels == 1][:, None] - scores[labels == 0][None]
        kernels.append((gaps > 0) + 0.5 * (gaps == 0))
    kernel = kernels[0] - kernels[1]
    by_fake, by_real = kernel.mean(1), kernel.mean(0)
    return kernel.mean(), by_fake.var(ddof=1) / len(by_fake) + by_real.var(ddof=1) / len(by_real)


@pytest.mark.parametrize("levels", [None, 4])
def test_delong_equals_its_definition(levels):
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 80)
    a, b = (rng.normal(size=80) + shift * labels for shift in (1.0, 0.7))
    if levels:
        a, b = np.round(a * levels) / levels, np.round(b * levels) / levels
    gap, variance = plain_delong(labels, a, b)
    found = delong(labels, a, b)
    assert found.auc_a == pytest.approx(roc_auc(labels, a).value)
    assert found.auc_b == pytest.approx(roc_auc(labels, b).value)
    assert found.difference == pytest.approx(gap)
    assert (found.high - found.low) / 2 == pytest.approx(norm.ppf(0.975) * np.sqrt(variance))
    assert found.p_value == pytest.approx(2 * norm.sf(abs(gap) / np.sqrt(variance)))
    turned = delong(labels, b, a)
    assert (turned.difference, turned.low, turned.p_value) == pytest.approx((-gap, -found.high, found.p_value))


def test_delong_says_what_it_cannot_tell():
    labels, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.3, 0.9])
    same = delong(labels, scores, scores**3)
    assert (same.difference, same.p_value) == (0, None)
    assert "no spread" in same.reason
    assert "only 1 sample" in delong([0, 1, 1], [0.1, 0.2, 0.3], [0.3, 0.2, 0.1]).reason
    assert "both classes" in delong([1, 1], [0.1, 0.2], [0.1, 0.3]).reason
    with pytest.raises(EvaluationError, match="1 of 2 scores"):
        delong([0, 1], [0.1, 0.2], [0.1, np.nan])


def test_paired_difference_agrees_with_delong():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 1500)
    shared = rng.normal(size=1500)
    a, b = (shared + 0.5 * rng.normal(size=1500) + shift * labels for shift in (1.4, 1.1))
    paired, exact = difference("auc", labels, a, b, n_resamples=2000), delong(labels, a, b)
    assert paired.value == pytest.approx(exact.difference)
    assert (paired.low, paired.high) == pytest.approx((exact.low, exact.high), abs=0.004)
    apart = [interval("auc", labels, scores) for scores in (a, b)]
    assert paired.high - paired.low < max(one.high - one.low for one in apart)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_an_interval_around_its_value(name):
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 2, 400)
    scores = np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 1)
    groups = [f"video {i // 4}" for i in range(400)]
    found = interval(name, labels, scores, groups=groups)
    assert found.value == METRICS[name](labels, scores).value
    assert found.low < found.high
    # The resampled ECE lies above that of the data: each draw has its own noise in every bin.
    assert found.low <= found.value <= found.high or name == "ece"
    assert (found.n, found.n_groups, found.reason) == (400, 100, "")
    assert interval(name, labels, scores, groups=groups) == found
    assert interval(name, labels, scores, groups=groups, seed=1) != found


def test_fast_draws_equal_those_of_a_plain_function():
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 2, 120)
    scores = np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 1)
    for name in ("auc", "eer", "f1"):
        fast = interval(name, labels, scores, n_resamples=100)
        plain = interval(lambda y, s, name=name: METRICS[name](y, s), labels, scores, n_resamples=100)
        assert (plain.low, plain.high) == pytest.approx((fast.low, fast.high)), name


def test_several_metrics_at_once_are_those_one_by_one():
    labels, scores, groups = normals(0, 30, 30, auc=0.8, group_size=3)
    scores = norm.cdf(scores)
    found = intervals(METRICS, labels, scores, groups=groups, n_resamples=200)
    assert list(found) == list(METRICS)
    for name in ("auc", "eer", "brier"):
        assert found[name] == interval(name, labels, scores, groups=groups, n_resamples=200)


def test_a_higher_level_is_wider_and_more_samples_narrower():
    labels, scores, _ = normals(0, 100, 100, auc=0.8)
    narrow, wide = (interval("auc", labels, scores, level=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high
    many = interval("auc", *normals(0, 1600, 1600, auc=0.8)[:2])
    few = interval("auc", labels, scores)
    assert (few.high - few.low) / (many.high - many.low) == pytest.approx(4, rel=0.25)


def test_groups_of_both_classes_are_drawn_whole():
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(30), 10)
    labels = np.tile([0, 1], 150)
    # What a person looks like moves real and fake alike: it does not blur the order within a person.
    scores = rng.normal(size=30)[people] * 3 + labels + 0.3 * rng.normal(size=300)
    by_person = interval("auc", labels, scores, groups=people.tolist())
    assert by_person.n_groups == 30
    assert by_person.low < by_person.value < by_person.high


def test_what_cannot_be_told_says_why():
    labels, scores = [0] * 10 + [1] * 10, list(np.linspace(0, 1, 20))
    perfect = interval("auc", labels, scores)
    assert (perfect.value, perfect.low, perfect.high) == (1, None, None)
    assert "same value" in perfect.reason
    single = interval("auc", [0, 1, 1, 1], [0.3, 0.2, 0.6, 0.8])
    assert (single.value, single.low) == (pytest.approx(2 / 3), None)
    assert "1 real" in single.reason
    one_video = interval("accuracy", labels, scores, groups=["a"] * 20)
    assert one_video.value == 1
    assert one_video.low is None
    one_class = interval("auc", [1, 1, 1], [0.1, 0.2, 0.3])
    assert (one_class.value, one_class.low) == (None, None)
    assert "both classes" in one_class.reason
    nothing = interval("auc", [], [])
    assert (nothing.value, nothing.n, nothing.reason) == (None, 0, "no samples")


def test_a_group_alone_in_its_stratum_is_drawn_with_others():
    rng = np.random.default_rng(3)
    labels = np.array([0] * 5 + [0, 1] * 20)
    groups = ["real only"] * 5 + [f"person {i // 4}" for i in range(40)]
    found = interval("auc", labels, rng.normal(size=45) + labels, groups=groups)
    assert found.low < found.value < found.high
    assert found.n_groups == 11


def test_metrics_of_one_class_vary_too():
    found = interval("accuracy", [1] * 50, [0.2, 0.7] * 25)
    assert found.low < 0.5 < found.high


def test_wrong_arguments_are_refused():
    labels, scores = [0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4]
    with pytest.raises(EvaluationError, match="no metric is called 'roc'; known: auc, ap"):
        interval("roc", labels, scores)
    with pytest.raises(EvaluationError, match="2 of 4 rows have no group"):
        interval("auc", labels, scores, groups=["a", None, "", "b"])
    with pytest.raises(EvaluationError, match="got 3 and 4"):
        interval("auc", labels, scores, groups=["a", "b", "c"])
    with pytest.raises(EvaluationError, match="at least 100, got 10"):
        interval("auc", labels, scores, n_resamples=10)
    with pytest.raises(EvaluationError, match="level must lie"):
        interval("auc", labels, scores, level=95)
    with pytest.raises(EvaluationError, match="1 of 4 scores"):
        interval("auc", labels, [0.1, np.nan, 0.3, 0.4])


def test_a_metric_that_is_undefined_in_most_draws_has_no_ends():
    def rare(labels, scores):
        return Value(None, len(labels), "too few") if len(np.unique(scores)) < 15 else Value(float(np.mean(scores)), 20)

    found = interval(rare, [0] * 10 + [1] * 10, list(np.linspace(0, 1, 20)), n_resamples=100)
    assert found.value == pytest.approx(0.5)
    assert (found.low, found.high) == (None, None)
    assert "resamples" in found.reason
