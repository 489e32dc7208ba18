import pytest

from hashformer.errors import ConfigError
from hashformer.report.wording import (
    axis_clock,
    clock,
    moment,
    score_text,
    size_text,
    threshold_of,
    verdict,
    visible,
)
from report.detections import UNTRAINED, cannot_tell, document_of, error, scored


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (scored(score=0.5), "Likely fake"),
        (scored(score=0.49999), "No sign of forgery found"),
        (cannot_tell(), "Cannot tell"),
        (error(), "Could not be read"),
        (scored(weights=UNTRAINED), "No verdict: untrained weights"),
        (scored(weights=None), "No verdict: untrained weights"),
    ],
)
def test_verdict_follows_status_weights_and_threshold(file, words):
    assert verdict(file, 0.5).words == words


def test_verdict_follows_the_threshold_of_the_settings():
    for score, kind in ((0.49, "clear"), (0.5, "unknown"), (0.69, "unknown"), (0.7, "fake")):
        document = document_of(scored(score=score), settings={"timeline": {"threshold": 0.7}})
        assert verdict(document.files[0], threshold_of(document)).kind == kind


@pytest.mark.parametrize("settings", [{}, {"timeline": None}, {"timeline": {}}, {"timeline": {"threshold": "0.5"}}])
def test_settings_without_a_threshold_are_an_error(settings):
    with pytest.raises(ConfigError, match=r"timeline\.threshold"):
        threshold_of(document_of(settings=settings))


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (None, "not judged"),
        (0.0, "0.00"),
        (0.913, "0.91"),
        (0.496, "0.496"),
        (0.49999, "0.49999"),
        (0.4999999, "0.4999999"),
        (0.504, "0.50"),
        (1.0, "1.00"),
    ],
)
def test_score_is_never_rounded_across_the_threshold(score, text):
    assert score_text(score, 0.5) == text


@pytest.mark.parametrize(
    ("time_s", "text"), [(0, "0:00.0"), (59.94, "0:59.9"), (59.96, "1:00.0"), (754.25, "12:34.2"), (6000, "100:00.0")]
)
def test_clock(time_s, text):
    assert clock(time_s) == text


def test_axis_clock_sizes_and_moments():
    assert [axis_clock(time_s) for time_s in (0, 61, 6000)] == ["0:00", "1:01", "100:00"]
    assert size_text(999) == "999 bytes"
    assert size_text(7_654_321) == "7\u202f654\u202f321 bytes (7.7 MB)"
    assert moment("2026-01-02T04:04:05+01:00") == "2026-01-02 03:04:05 UTC"


def test_characters_that_hide_or_turn_text_are_spelled_out():
    assert visible("a\u202eb\u2066c\nd\x00\ud800") == "a\\u202eb\\u2066c\\nd\\x00\\ud800"
    assert visible("ünï 人 می\u200cخواهم 👩\u200d🔬") == "ünï 人 می\u200cخواهم 👩\u200d🔬"
