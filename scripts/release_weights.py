"""The weight file that ships: in 16 bits, with thresholds from whole files of people held out, and its error rates."""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from hashformer.errors import HashFormerError, WeightsError
from hashformer.evaluate.table import read_table
from hashformer.evidence.card import ERROR_RATES
from hashformer.model.weights import load_model, save_model
from hashformer.results import ErrorRate

SHARE = "0.05"
"""Share of the real files that may be called fake."""
INPUTS = (("picture and sound", True, True), ("picture", True, False), ("sound", False, True))


def thresholds_of(metrics: dict[str, Any]) -> dict[str, float]:
    """Thresholds by share of false alarms, as `Calibration.thresholds` has them, from `validate --thresholds`.

    Raises:
        WeightsError: If the metrics hold none, or not that of `SHARE`.
    """
    found = {
        f"{int(name.removeprefix('fpr_')) / 100:g}": float(entry["threshold"])
        for name, entry in (metrics.get("thresholds") or {}).items()
        if name.startswith("fpr_")
    }
    if not found:
        raise WeightsError("the metrics hold no thresholds: run `hashformer validate --thresholds` on real files.")
    if SHARE not in found:
        raise WeightsError(f"the metrics hold thresholds for {', '.join(found)}, and none for {SHARE}: validate anew.")
    return found


def error_rates(scores: Path, threshold: float) -> list[ErrorRate]:
    """How often files of each kind of input are called wrongly, from a table of `hashformer validate`."""
    rows = [row for row in read_table(scores)[0].to_pylist() if row["level"] == "file"]
    rows = [row for row in rows if row["score_overall"] is not None and row["file_label"] is not None]
    rates = []
    for name, picture, sound in INPUTS:
        held = [
            row
            for row in rows
            if ((row["score_video"] is not None), (row["score_audio"] is not None)) == (picture, sound)
        ]
        called = {
            label: [row["score_overall"] >= threshold for row in held if row["file_label"] == label] for label in (0, 1)
        }
        rates.append(
            ErrorRate(
                input=name,
                data="labelled files of people and generators that were never trained on",
                threshold=threshold,
                n_real=len(called[0]),
                n_fake=len(called[1]),
                false_positive_rate=sum(called[0]) / len(called[0]) if called[0] else None,
                false_negative_rate=1 - sum(called[1]) / len(called[1]) if called[1] else None,
            )
        )
    return rates


def release(weights: Path, metrics_path: Path, target: Path, scores: Path | None = None) -> str:
    """Write the file and give its SHA-256.

    What counts as suspect, in the config inside, is from then on the score that 5 % of the real files reach.
    """
    metrics = json.loads(metrics_path.read_text(encoding="utf-8"))
    loaded = load_model(weights)
    calibration = loaded.calibration.model_copy(update={"thresholds": thresholds_of(metrics)})
    facts = loaded.extra | {
        "thresholds_fitted_on": f"{metrics['thresholds']['n']} real files, whole, of held-out people"
    }
    limit = calibration.thresholds[SHARE]
    timeline = loaded.config.timeline.model_copy(update={"threshold": round(limit, 4)})
    config = loaded.config.model_copy(update={"timeline": timeline})
    if scores is not None:
        rates = error_rates(scores, timeline.threshold)
        facts[ERROR_RATES] = json.dumps([rate.model_dump(mode="json") for rate in rates])
    model = loaded.model.half()
    save_model(target, model, config=config, trained=loaded.info.trained, calibration=calibration, extra=facts)
    return hashlib.sha256(target.read_bytes()).hexdigest()


def main(words: list[str] | None = None) -> int:
    """Write it and print its SHA-256."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, help="as training wrote them")
    parser.add_argument("metrics", type=Path, help="of `hashformer validate --thresholds` on the val split")
    parser.add_argument("target", type=Path, help="the .safetensors file to write")
    parser.add_argument("--scores", type=Path, help="of labelled files that were never trained on: for error rates")
    given = parser.parse_args(words)
    try:
        sys.stdout.write(f"{release(given.weights, given.metrics, given.target, given.scores)}\n")
    except HashFormerError as error:
        sys.stderr.write(f"release: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
