"""What a weight file says of its own errors."""

import json

from pydantic import TypeAdapter, ValidationError

from hashformer.detector.backend import Judge
from hashformer.errors import WeightsError
from hashformer.model.calibration import HeadCalibration
from hashformer.results import Detection, ErrorRate, WeightsCard

ERROR_RATES = "error_rates"
"""Key of a weight file's `extra` under which its maker may state error rates: a JSON list of `results.ErrorRate`."""
_RATES = TypeAdapter(list[ErrorRate])


def card_of(loaded: Judge, detection: Detection) -> WeightsCard:
    """State what is known of the weights' errors on files that hold what this one holds.

    Raises:
        WeightsError: If the weight file states error rates that cannot be read.
    """
    kind = _judged(detection)
    return WeightsCard(
        calibrated=loaded.calibration.overall != HeadCalibration(),
        thresholds=loaded.calibration.thresholds,
        error_rates=[rate for rate in _stated(loaded) if rate.input == kind],
    )


def _stated(loaded: Judge) -> list[ErrorRate]:
    text = loaded.extra.get(ERROR_RATES)
    if text is None:
        return []
    try:
        return _RATES.validate_python(json.loads(text))
    except (json.JSONDecodeError, ValidationError) as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(
            f"{loaded.info.name}: the error rates in the weight file cannot be read ({reason}); write them as a JSON "
            "list of hashformer.results.ErrorRate"
        ) from None


def _judged(detection: Detection) -> str | None:
    """What of a file was judged, as `ErrorRate.input` names it."""
    picture = any(track.status == "scored" for track in detection.tracks)
    sound = detection.scores.audio is not None
    if picture:
        return "picture and sound" if sound else "picture"
    return "sound" if sound else None
