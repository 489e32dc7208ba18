"""What a weight file says of its own errors."""

import json

import pytest

from evidence.conftest import loaded_of, small_model
from hashformer.errors import WeightsError
from hashformer.evidence.card import card_of
from hashformer.model.calibration import Calibration, HeadCalibration
from hashformer.results import Scores
from report.detections import audio_only, cannot_tell, scored

RATE = {
    "data": "validation files",
    "threshold": 0.5,
    "n_real": 40,
    "n_fake": 80,
    "false_positive_rate": 0.05,
    "false_negative_rate": 0.2,
}


def stated(*kinds):
    return {"error_rates": json.dumps([{"input": kind, **RATE} for kind in kinds])}


@pytest.mark.parametrize(
    ("file", "kind"),
    [(scored(), "picture and sound"), (scored(scores=Scores(video=0.9)), "picture"), (audio_only(), "sound")],
)
def test_the_rates_are_those_of_what_was_judged(file, kind):
    loaded = loaded_of(small_model("audio"), extra=stated("picture", "sound", "picture and sound"))
    assert [rate.input for rate in card_of(loaded, file).error_rates] == [kind]


def test_nothing_stated_is_nothing_known():
    card = card_of(loaded_of(small_model("audio")), scored())
    assert (card.calibrated, card.thresholds, card.error_rates) == (False, {}, [])
    assert card_of(loaded_of(small_model("audio"), extra=stated("sound")), cannot_tell()).error_rates == []


def test_calibration_and_thresholds_are_passed_on():
    calibration = Calibration(overall=HeadCalibration(scale=2.0), thresholds={"0.01": 0.97})
    card = card_of(loaded_of(small_model("audio"), calibration=calibration), scored())
    assert card.calibrated
    assert card.thresholds == {"0.01": 0.97}


@pytest.mark.parametrize("text", ["{", "[{}]", '[{"input": "smell"}]'])
def test_rates_that_cannot_be_read_are_an_error_that_names_the_weights(text):
    loaded = loaded_of(small_model("audio"), extra={"error_rates": text})
    with pytest.raises(WeightsError, match="taught"):
        card_of(loaded, scored())
