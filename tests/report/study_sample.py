"""A made-up study, every part of it filled."""

import base64

import cv2
import numpy as np

from hashformer.evaluate.intervals import Interval, interval
from hashformer.report.study_parts import Mistake, Robustness, ScoreSet, Study, Table
from hashformer.results import WeightsInfo


def score_set(name, head, *, n=400, shift=0.25, seed=0, whole_files=True, labels=None):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n) if labels is None else np.asarray(labels)
    scores = np.clip(rng.normal(0.38 + shift * labels, 0.18), 0, 1)
    auc = interval("auc", labels, scores, n_resamples=200)
    return ScoreSet(name=name, head=head, whole_files=whole_files, labels=labels, scores=scores, auc=auc)


def thumbnail(seed=0):
    rng = np.random.default_rng(seed)
    picture = np.full((90, 120, 3), rng.integers(60, 160, 3), dtype=np.uint8)
    cv2.circle(picture, (60, 45), 28, (150, 175, 215), -1)
    ok, data = cv2.imencode(".jpg", picture)
    assert ok
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


def known(value, spread=0.03, n=100):
    return Interval(value, max(0.0, value - spread), min(1.0, value + spread), n, "", n)


UNKNOWN = Interval(None, None, None, 7, "all 7 samples are fake: both classes are needed", 7)
NO_ENDS = Interval(1.0, None, None, 12, "all 1000 resamples give the same value", 12)


def tables():
    metrics = [("AUC", known(0.91), known(0.91, 0.08), known(0.86)), ("EER", known(0.17), known(0.17, 0.07), UNKNOWN)]
    methods = [("face swap", 120, known(0.95)), ("lip sync", 80, known(0.71, 0.06)), ("text to speech", 7, UNKNOWN)]
    methods += [("perfectly found", 12, NO_ENDS)]
    return (
        Table("metrics", "Metrics", ("Metric", "Files", "Files, by person", "Clips"), tuple(metrics), "By video."),
        Table("methods", "By method", ("Method", "Fakes", "AUC"), tuple(methods), bars=2, reference=0.5),
        Table("coverage", "Coverage", ("Why", "Real", "Fake"), (("no face", 3, 5), ("cannot be read", 0, 1))),
    )


def study(**changes):
    kinds = ("gaussian blur", "contrast", "block-wise", "gaussian noise", "video compression")
    fields = {
        "title": "Evaluation of a made-up detector",
        "created": "2026-01-31T09:30:00+00:00",
        "weights": WeightsInfo(name="base", sha256="5e" * 32, trained=True),
        "manifest_sha256": "ab" * 32,
        "command": "hashformer validate --manifest m.csv --checkpoint base --out out",
        "versions": {"hashformer": "0.1", "numpy": "2.0"},
        "seeds": {"intervals": 0},
        "settings": {"clip": {"duration_s": 1.0, "fps": 16}},
        "headline": {"AUC of files": known(0.91), "EER of files": UNKNOWN, "Files scored": "191 of 200"},
        "protocol": {"Split": "test", "Aggregation": "file: the highest of its faces; face: mean of its highest clips"},
        "warnings": ("Real files start with silence, fakes do not.",),
        "score_sets": (
            score_set("Files, all together", "overall"),
            score_set("Files, picture", "video", seed=1, shift=0.2),
            score_set("Files, sound", "audio", seed=2, shift=0.1),
            score_set("Files, picture with sound", "sync", seed=4, shift=0.05),
            score_set("Clips, all together", "overall", seed=3, n=3000, shift=0.2, whole_files=False),
        ),
        "tables": tables(),
        "robustness": tuple(
            Robustness(kind, "AUC", tuple(range(6)), tuple(known(0.93 - 0.06 * i) for i in range(6))) for kind in kinds
        ),
        "mistakes": tuple(
            Mistake(path=f"fake/{i:03d}.mp4", label=i % 2, score=0.99 - 0.01 * i if i % 2 == 0 else 0.01 * i,
                    method="face swap" if i % 2 else "real", thumbnail=thumbnail(i) if i != 2 else None)
            for i in range(5)
        ),
    }  # fmt: skip
    return Study(**fields | changes)
