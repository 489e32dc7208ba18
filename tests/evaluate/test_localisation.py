import numpy as np
import pytest

from hashformer.errors import EvaluationError
from hashformer.evaluate.localisation import (
    AR_IOUS,
    FileSegments,
    average_precision_at,
    average_recall_at,
    localisation,
)


def overlap(a, b):
    common = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    return common / ((a[1] - a[0]) + (b[1] - b[0]) - common)


def plain_ap(files, iou):
    """The same from the definition: one list of all segments, one by one, precision made monotone."""
    found = sorted(((s[2], i, s) for i, f in enumerate(files) for s in f.found), key=lambda row: -row[0])
    n_truth, claimed, hits, points = sum(len(f.truth) for f in files), set(), 0, []
    for rank, (_, i, segment) in enumerate(found, start=1):
        for j, truth in enumerate(files[i].truth):
            if (i, j) not in claimed and overlap(segment, truth) > iou:
                claimed.add((i, j))
                hits += 1
                break
        points.append((hits / n_truth, hits / rank))
    levels = [hit / n_truth for hit in range(1, hits + 1)]
    return sum(max(p for recall, p in points if recall >= level - 1e-12) for level in levels) / n_truth


def plain_ar(files, n):
    recalls = []
    for iou in AR_IOUS:
        hit = total = 0
        for file in files:
            best = sorted(file.found, key=lambda s: -s[2])[:n]
            total += len(file.truth)
            hit += sum(any(overlap(s, t) > iou for s in best) for t in file.truth)
        recalls.append(hit / total)
    return np.mean(recalls)


def random_files(seed, n_files=12):
    rng = np.random.default_rng(seed)
    files = []
    for _ in range(n_files):
        cuts = np.sort(rng.uniform(0, 20, 2 * rng.integers(0, 4)))
        truth = [(float(a), float(b)) for a, b in cuts.reshape(-1, 2)]
        found = [(a + rng.normal(0, 0.2), b + 0.5 + rng.normal(0, 0.2), float(rng.uniform(0.2, 1))) for a, b in truth]
        starts = rng.uniform(0, 19, rng.integers(0, 8))
        found += [(float(s), float(s + rng.uniform(0.1, 3)), float(rng.uniform(0, 0.8))) for s in starts]
        files.append(FileSegments(truth, [s if s[1] > s[0] else (s[0], s[0] + 0.1, s[2]) for s in found]))
    return files


@pytest.mark.parametrize("seed", range(4))
def test_values_equal_the_definition(seed):
    files = random_files(seed)
    for iou in (0.5, 0.75, 0.95):
        assert average_precision_at(files, iou=iou).value == pytest.approx(plain_ap(files, iou))
    for n in (1, 2, 5, 100):
        assert average_recall_at(files, n=n).value == pytest.approx(plain_ar(files, n))


def test_worked_by_hand():
    files = [
        FileSegments([(0, 2), (5, 6)], [(0, 2, 0.9), (0.1, 2, 0.8), (5, 6, 0.3)]),  # the second claims nothing
        FileSegments([], [(1, 2, 0.7)]),  # a real file: wrong
    ]
    # By score: right, wrong, wrong, right. Precision 1 at recall 1/2, 2/4 at recall 1.
    assert average_precision_at(files, iou=0.5).value == pytest.approx(0.5 * 1 + 0.5 * 0.5)
    assert average_recall_at(files, n=1).value == pytest.approx(0.5)
    assert average_recall_at(files, n=3).value == 1
    assert average_precision_at(files, iou=0.5).n == 2


def test_an_overlap_must_be_exceeded():
    half = [FileSegments([(0, 2)], [(0, 1, 0.9)])]
    assert average_precision_at(half, iou=0.5).value == 0
    assert average_precision_at(half, iou=0.49).value == 1
    assert average_recall_at(half, n=5).value == 0


def test_perfect_nothing_and_no_truth():
    perfect = localisation([FileSegments([(0, 1), (3, 4)], [(3, 4, 0.4), (0, 1, 0.6)])])
    assert list(perfect) == ["ap_0.5", "ap_0.75", "ap_0.95", "ar_5", "ar_10", "ar_20", "ar_30", "ar_50", "ar_100"]
    assert all(value.value == 1 and value.n == 2 for value in perfect.values())
    assert all(value.value == 0 for value in localisation([FileSegments([(0, 1)], [])]).values())
    for files in ([], [FileSegments([], [(0, 1, 0.5)])]):
        for value in localisation(files).values():
            assert (value.value, value.n, value.reason) == (None, 0, "no fake segments")


def test_the_order_of_files_and_of_equal_scores_plays_no_part():
    right, wrong = FileSegments([(0, 1)], [(0, 1, 0.5)]), FileSegments([], [(0, 1, 0.5)] * 3)
    for files in ([right, wrong], [wrong, right]):
        assert average_precision_at(files, iou=0.5).value == pytest.approx(1 / 4)


def test_wrong_segments_found_in_real_files_cost_precision_not_recall():
    files = random_files(0)
    more = [*files, FileSegments([], [(0, 1, 0.99)] * 20)]
    assert average_precision_at(more, iou=0.5).value < average_precision_at(files, iou=0.5).value
    assert average_recall_at(more, n=10) == average_recall_at(files, n=10)


def test_recall_grows_with_n_and_precision_falls_with_overlap():
    values = {name: value.value for name, value in localisation(random_files(1)).items()}
    assert values["ap_0.5"] >= values["ap_0.75"] >= values["ap_0.95"]
    assert values["ar_5"] <= values["ar_10"] <= values["ar_100"]


def test_impossible_segments_are_refused():
    for found in ((2, 1, 0.5), (0, 1, np.nan)):
        with pytest.raises(EvaluationError, match="1 of 1 suspect segments"):
            average_precision_at([FileSegments([], [found])], iou=0.5)
    with pytest.raises(EvaluationError, match="1 of 2 fake segments"):
        average_recall_at([FileSegments([(0, 1), (3, 2)], [])], n=5)
    with pytest.raises(EvaluationError, match="iou must"):
        average_precision_at([], iou=50)
    with pytest.raises(EvaluationError, match="n must"):
        average_recall_at([], n=0)
