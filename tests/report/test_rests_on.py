"""The words about maps and error rates."""

import pytest

from hashformer.report.rests_on import hottest_words, how_unusual, limits, occlusion_words, score_name
from hashformer.results import Occlusion, WeightsCard
from report.detections import cannot_tell, explained, heat_map, scored


def test_a_check_that_holds_and_one_that_does_not():
    check = Occlusion(
        hidden_share=0.2, score=0.91, score_marked_hidden=0.59, scores_elsewhere_hidden=[0.86, 0.88], explains=True
    )
    assert occlusion_words(check) == (
        "The score rests on the marked region: hiding the marked region changes the score by −0.32, "
        "hiding as much elsewhere by −0.04 (mean of 2 places, −0.05 to −0.03)."
    )
    check = check.model_copy(update={"explains": False, "score_marked_hidden": 0.912})
    assert occlusion_words(check).startswith(
        "This map explains nothing: hiding the marked region changes the score by 0.00,"
    )


@pytest.mark.parametrize(
    ("stream", "hot", "words"),
    [
        ("video", (0, 0), "hottest at the upper left of the picture"),
        ("video", (3, 3), "hottest at the middle centre of the picture"),
        ("video", (6, 3), "hottest at the lower centre of the picture"),
        ("audio", (0, 0), "hottest at high pitch, early in the clip"),
        ("audio", (3, 19), "hottest at low pitch, late in the clip"),
    ],
)
def test_where_a_map_is_hottest(stream, hot, words):
    found = heat_map(1, stream=stream)
    values = [[0.0] * len(row) for row in found.values]
    values[hot[0]][hot[1]] = 1.0
    assert hottest_words(found.model_copy(update={"values": values})) == words


def test_how_many_real_files_score_as_high():
    assert (
        how_unusual(explained(score=0.97))
        == "At most 5 % of the real files that the weights were tuned on score as high."
    )
    assert (
        how_unusual(explained(score=0.5))
        == "More than 10 % of the real files that the weights were tuned on score as high."
    )
    assert how_unusual(scored()) is None
    assert how_unusual(cannot_tell()) is None


def test_limits_that_too_few_files_gave_are_none():
    assert limits(explained().card) == [("1 %", None), ("5 %", 0.95), ("10 %", 0.8)]


def test_the_number_is_called_calibrated_only_if_it_is():
    plain = WeightsCard(calibrated=False, thresholds={}, error_rates=[])
    assert score_name(plain) == "score, P(fake), not calibrated"
    assert score_name(None) == "score, P(fake)"
    assert score_name(explained().card).startswith("calibrated")
