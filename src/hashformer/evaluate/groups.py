"""Metrics of the parts of a corpus: methods, families, groups, the four ways, pairs. All at the level of files."""

import json
from collections.abc import Iterable

import numpy as np

from hashformer.evaluate.measure import FEW, Measured, Resampling, measure
from hashformer.evaluate.view import Bools, Texts, View

FOUR_WAYS = {"RVRA": (0, 0), "RVFA": (0, 1), "FVRA": (1, 0), "FVFA": (1, 1)}
"""Real or fake video, real or fake audio: the flags of the picture and of the sound."""

Part = dict[str, object]
"""Metrics of a part beside `n_real`, `n_fake` and, where its fakes were compared with others' reals, `reals`."""

LEAST_REALS = 10
"""Against fewer real files an AUC says little: one of them decides it."""


def per_value(files: View, values: Texts, how: Resampling) -> dict[str, Part]:
    """Metrics for each value of a column.

    A value that only fakes have (a method, a generator's family) is compared with the real files of the same
    corpus that have the same streams; if there are fewer than `LEAST_REALS`, with those of the same corpus; if these
    are too few as well, with all.

    Args:
        files: All files.
        values: One for each; "" is no value.
        how: Of the intervals.
    """
    found: dict[str, Part] = {}
    for value in sorted(set(values) - {""}):
        mask = values == value
        compared = "its own"
        if files.is_fake[mask].all():
            reals, compared = _reals_for(files, mask)
            mask = mask | reals
        found[value] = _part(files.where(mask), how) | {"reals": compared}
    return found


def per_method(files: View, how: Resampling) -> dict[str, Part]:
    """Fakes of each method against real files."""
    return per_value(files, np.where(files.is_fake, files.texts["method"], ""), how)


def per_corpus(files: View, how: Resampling) -> dict[str, Part]:
    """Each corpus by itself."""
    return per_value(files, files.texts["corpus"], how)


def per_group(files: View, how: Resampling) -> dict[str, dict[str, Part]]:
    """Each group column, and `language` where it is given."""
    read = [json.loads(text) if text else {} for text in files.texts["groups"]]
    names = sorted({name for groups in read for name in groups})
    columns = {name: np.array([groups.get(name, "") for groups in read], dtype=object) for name in names}
    if any(files.texts["language"]):
        columns.setdefault("language", files.texts["language"])
    return {name: per_value(files, column, how) for name, column in columns.items()}


def four_ways(files: View, how: Resampling, threshold: float) -> dict[str, Part]:
    """Real or fake video by real or fake audio: how many, how they score, and each fake kind against RVRA."""
    kinds = {name: _both(files, *flags) for name, flags in FOUR_WAYS.items()}
    found: dict[str, Part] = {}
    for name, mask in kinds.items():
        scores = files.where(mask).scores
        scores = scores[np.isfinite(scores)]
        found[name] = {
            "n_files": int(mask.sum()),
            "n_scored": len(scores),
            "mean_score": float(scores.mean()) if len(scores) else None,
            "share_called_fake": float((scores >= threshold).mean()) if len(scores) else None,
        }
        if name != "RVRA":
            found[name] |= measure(files.where(mask | kinds["RVRA"]), how, metrics=FEW, by_identity=False)
    return found


def pairs(files: View, how: Resampling) -> Part:
    """Fakes whose original is here too: how often the fake scores higher, ties counting half, and the metrics.

    What both share, the person, the scene and the camera, cannot help to tell them apart.
    """
    place = {path: i for i, path in enumerate(files.texts["path"])}
    found = [
        (i, place[original])
        for i, original in enumerate(files.texts["original"])
        if files.is_fake[i] and original in place
    ]
    scored = [(fake, real) for fake, real in found if np.isfinite(files.scores[[fake, real]]).all()]
    if not scored:
        reason = "no fake names an original that is in the table" if not found else "no pair has both scores"
        return {
            "n_pairs": len(found),
            "fake_scores_higher": {"value": None, "low": None, "high": None, "n": 0, "reason": reason},
        }
    fakes, reals = (np.array(side) for side in zip(*scored, strict=True))
    wins = np.sign(files.scores[fakes] - files.scores[reals]) / 2 + 0.5
    mask = np.zeros(len(files.scores), dtype=bool)
    mask[fakes] = mask[reals] = True
    return {
        "n_pairs": len(found),
        "fake_scores_higher": _mean(wins, files.texts["path"][reals], how),
        **measure(files.where(mask), how, metrics=FEW, by_identity=False),
    }


def _mean(values: np.ndarray, units: Iterable[str], how: Resampling) -> Measured:
    """A mean with its percentile bootstrap interval over units."""
    numbers: dict[str, int] = {}
    code = np.array([numbers.setdefault(unit, len(numbers)) for unit in units])
    entry: Measured = {"value": float(values.mean()), "low": None, "high": None, "n": len(values)}
    if len(numbers) < 2:
        return entry | {"reason": "no interval from 1 original: at least 2 are needed"}
    sums, counts = np.bincount(code, weights=values), np.bincount(code)
    draws = np.random.default_rng(how.seed).integers(0, len(numbers), (how.n_resamples, len(numbers)))
    means = sums[draws].sum(1) / counts[draws].sum(1)
    if np.ptp(means) == 0:
        return entry | {"reason": "all resamples give the same value: they cannot tell how sure it is"}
    low, high = np.quantile(means, [(1 - how.level) / 2, (1 + how.level) / 2])
    return entry | {"low": float(low), "high": float(high)}


def _part(files: View, how: Resampling) -> Part:
    n_fake = int(files.is_fake.sum())
    counts: Part = {"n_fake": n_fake, "n_real": len(files.labels) - n_fake}
    counts["n_scored"] = int(np.isfinite(files.scores).sum())
    return counts | measure(files, how, metrics=FEW, by_identity=False)


def _reals_for(files: View, fakes: Bools) -> tuple[Bools, str]:
    """The real files that these fakes are compared with, and in words which they are: the nearest that are enough."""
    real = files.labels == 0
    corpus = real & np.isin(files.texts["corpus"], list(set(files.texts["corpus"][fakes])))
    streams = _streams(files)
    same = corpus & np.isin(streams, list(set(streams[fakes])))
    for mask, words in ((same, "same corpus and streams"), (corpus, "same corpus")):
        if mask.sum() >= LEAST_REALS:
            return mask, words
    return real, "all"


def _streams(files: View) -> np.ndarray:
    """Which streams a file is known to have: 0–3."""
    known = {name: np.isfinite(flag).astype(int) for name, flag in files.flags.items()}
    return np.asarray(known["video_fake"] + 2 * known["audio_fake"])


def _both(files: View, video: int, audio: int) -> Bools:
    return np.asarray((files.flags["video_fake"] == video) & (files.flags["audio_fake"] == audio))
