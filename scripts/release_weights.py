"""The weight file that ships: in 16 bits, with thresholds that were measured on whole files of people held out."""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from hashformer.errors import HashFormerError, WeightsError
from hashformer.model.weights import load_model, save_model


def thresholds_of(metrics: dict[str, Any]) -> dict[str, float]:
    """Thresholds by share of false alarms, as `Calibration.thresholds` has them, from `validate --thresholds`.

    Raises:
        WeightsError: If the metrics hold none.
    """
    found = {
        f"{int(name.removeprefix('fpr_')) / 100:g}": float(entry["threshold"])
        for name, entry in (metrics.get("thresholds") or {}).items()
        if name.startswith("fpr_")
    }
    if not found:
        raise WeightsError("the metrics hold no thresholds: run `hashformer validate --thresholds` on real files.")
    return found


def release(weights: Path, metrics_path: Path, target: Path) -> str:
    """Write the file and give its SHA-256."""
    metrics = json.loads(metrics_path.read_text(encoding="utf-8"))
    loaded = load_model(weights)
    calibration = loaded.calibration.model_copy(update={"thresholds": thresholds_of(metrics)})
    facts = loaded.extra | {
        "thresholds_fitted_on": f"{metrics['thresholds']['n']} real files, whole, of held-out people"
    }
    model = loaded.model.half()
    save_model(target, model, config=loaded.config, trained=loaded.info.trained, calibration=calibration, extra=facts)
    return hashlib.sha256(target.read_bytes()).hexdigest()


def main(words: list[str] | None = None) -> int:
    """Write it and print its SHA-256."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, help="as training wrote them")
    parser.add_argument("metrics", type=Path, help="of `hashformer validate --thresholds` on the val split")
    parser.add_argument("target", type=Path, help="the .safetensors file to write")
    given = parser.parse_args(words)
    try:
        sys.stdout.write(f"{release(given.weights, given.metrics, given.target)}\n")
    except HashFormerError as error:
        sys.stderr.write(f"release: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
