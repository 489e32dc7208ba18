"""Which files gave no score and why, and what the metrics are if that counts against the detector."""

from collections import Counter
from dataclasses import replace

import numpy as np

from hashformer.evaluate.measure import Measured, Resampling, measure
from hashformer.evaluate.view import View

UNSCORED = ("cannot_tell", "error")


def coverage(files: View) -> dict[str, object]:
    """How many files were scored, and why the others were not.

    Args:
        files: Every file of the table.

    Returns:
        `n_files`, `n_scored`, `share`, the numbers of `cannot_tell` and `error`, the reasons with their
        numbers, the same by label, and methods not wholly covered.
    """
    status, labels = files.texts["status"], files.labels
    scored = status == "scored"
    reasons = {name: _reasons(files.where(status == name)) for name in UNSCORED}
    methods = {
        method: {"n_files": int(mask.sum()), "n_scored": int((mask & scored).sum())}
        for method in sorted(set(files.texts["method"]))
        if not scored[mask := files.texts["method"] == method].all()
    }
    return {
        "n_files": len(status),
        "n_scored": int(scored.sum()),
        "share": float(scored.mean()) if len(status) else None,
        **{name: int((status == name).sum()) for name in UNSCORED},
        "reasons": reasons,
        "by_label": {
            word: {"n_files": int((labels == value).sum()), "n_scored": int((scored & (labels == value)).sum())}
            for word, value in (("real", 0), ("fake", 1))
        },
        "methods_not_covered": methods,
    }


def _reasons(files: View) -> dict[str, int]:
    """Reasons without the file's name before them, or measured values after them, the commonest first."""
    named = zip(files.texts["reason"], files.texts["path"], strict=True)
    return dict(Counter(reason.removeprefix(f"{path}: ").split(":")[0] for reason, path in named).most_common())


def as_errors(files: View, how: Resampling) -> dict[str, Measured]:
    """Metrics with every file without a score counted as wrong: a fake as 0, a real one as 1."""
    worst = np.where(np.isnan(files.scores), 1 - files.labels, files.scores)
    return measure(replace(files, scores=worst), how)
