"""The tables of a study, from `metrics.json`."""

from collections.abc import Iterator, Mapping
from typing import Any

from hashformer.evaluate.intervals import Interval
from hashformer.report.study_parts import Cell, Table
from hashformer.report.wording import SCORE_NAMES

METRIC_WORDS = {
    "auc": "AUC",
    "ap": "AP",
    "eer": "EER",
    "accuracy": "Accuracy at 0.5",
    "balanced_accuracy": "Balanced accuracy",
    "f1": "F1 at 0.5",
    "tpr_at_fpr_1": "Fakes found at 1 % false alarms",
    "tpr_at_fpr_5": "Fakes found at 5 % false alarms",
    "log_loss": "Log-loss",
    "brier": "Brier score",
    "ece": "Calibration error (ECE)",
    "eer_threshold": "Score at the EER",
    "accuracy_at_stored_threshold": "Accuracy at the stored threshold",
    "min_tdcf": "min t-DCF",
}
_WAYS = {
    "RVRA": "real video, real audio",
    "RVFA": "real video, fake audio",
    "FVRA": "fake video, real audio",
    "FVFA": "fake video, fake audio",
}
_FEW = ("auc", "ap", "eer", "balanced_accuracy")

Metrics = Mapping[str, Any]


def tables_of(metrics: Metrics) -> Iterator[Table]:
    """Every table that these metrics fill, in the order of the page."""
    yield _levels(metrics)
    yield _heads(metrics)
    yield from _parts("per_method", "By method", "Method", metrics.get("per_method", {}))
    if len(metrics.get("per_corpus", {})) > 1:
        yield from _parts("per_corpus", "By corpus", "Corpus", metrics["per_corpus"])
    for name, parts in metrics.get("per_group", {}).items():
        yield from _parts(f"group_{name}", f"By {name}", name, parts)
    yield _four_ways(metrics["four_ways"])
    yield from _single("pairs", "Fakes beside their originals", metrics.get("pairs", {}), _PAIRS_NOTE)
    yield from _single("localisation", "Localisation", metrics.get("localisation", {}), _LOCALISATION_NOTE)
    yield from _single("asvspoof", "ASVspoof", metrics.get("asvspoof", {}), "")
    yield from _compared(metrics.get("compared"))
    yield from _thresholds(metrics.get("thresholds"))
    yield from _coverage(metrics["coverage"])


_PAIRS_NOTE = "Only fakes whose original was scored too: person, scene and camera cannot help to tell the two apart."
_LOCALISATION_NOTE = (
    "Suspect segments against the fake ones of the manifest. AP: at an overlap above that number. AR: of the best N "
    "segments of a file, mean over overlaps from 0.5 to 0.95."
)


def cell(entry: Any) -> Cell:
    """A metric of `metrics.json` as a cell; what is no metric stays as it is."""
    if not isinstance(entry, Mapping):
        return entry if isinstance(entry, str | int | float) else None
    return Interval(entry["value"], entry.get("low"), entry.get("high"), entry["n"], entry.get("reason", ""))


def by_person(entry: Metrics) -> Cell:
    """The same metric with the interval that draws people; "–" where that is not given."""
    if "identity_low" not in entry:
        return None
    reason = entry.get("identity_reason", "") or entry.get("reason", "")
    n_groups = int(entry.get("n_identities", 0))
    return Interval(entry["value"], entry["identity_low"], entry["identity_high"], entry["n"], reason, n_groups)


def _levels(metrics: Metrics) -> Table:
    video, failures, clip = metrics["video"], metrics.get("video_failures_as_errors", {}), metrics["clip"]
    rows: list[tuple[Cell, ...]] = []
    for name, entry in video.items():
        worst, of_clips = failures.get(name), clip.get(name)
        rows.append((METRIC_WORDS.get(name, name), cell(entry), by_person(entry), cell(worst), cell(of_clips)))
    return Table(
        "metrics",
        "Metrics",
        ("Metric", "Files", "Files, by person", "Files, failures as errors", "Clips"),
        tuple(rows),
        "All together, the score that a file is judged by. Intervals draw videos, all clips of one together; “by "
        "person” draws people with all their videos, which is how sure a number is for people not seen. Accuracy, "
        "AP and F1 depend on the share of fakes; balanced accuracy is at 0.5.",
    )


def _heads(metrics: Metrics) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for head, title in SCORE_NAMES.items():
        for level, word in (("video", "files"), ("clip", "clips")):
            if entries := metrics["heads"].get(head, {}).get(level):
                values = [cell(entries[metric]) for metric in _FEW]
                rows.append((f"{title}, {word}", entries["auc"]["n"], *values))
    columns = ("Score", "n", *(METRIC_WORDS[metric] for metric in _FEW))
    note = "Each part against its own label: a file with a fake voice over a real picture is real for the picture."
    return Table("heads", "Picture, sound, and both", columns, tuple(rows), note)


def _parts(key: str, title: str, what: str, parts: Mapping[str, Metrics]) -> Iterator[Table]:
    if not parts:
        return
    rows: list[tuple[Cell, ...]] = [
        (name, part["n_fake"], part["n_real"], part["n_scored"], *(cell(part[metric]) for metric in _FEW))
        for name, part in parts.items()
    ]
    compared = sorted({str(part["reals"]) for part in parts.values()})
    note = f"Fakes against real files: {'; '.join(compared)}. Files, intervals by video; dashed line: guessing."
    columns = (what, "Fake", "Real", "Scored", *(METRIC_WORDS[metric] for metric in _FEW))
    yield Table(key, title, columns, tuple(rows), note, bars=4, reference=0.5)


def _four_ways(ways: Mapping[str, Metrics]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, part in ways.items():
        metrics = [cell(part[metric]) if metric in part else None for metric in _FEW]
        rows.append(
            (f"{name}: {_WAYS.get(name, name)}", part["n_files"], part["n_scored"], part["mean_score"],
             part["share_called_fake"], *metrics)
        )  # fmt: skip
    columns = ("Kind", "Files", "Scored", "Mean score", "Called fake", *(METRIC_WORDS[metric] for metric in _FEW))
    return Table("four_ways", "Real or fake, video and audio", columns, tuple(rows), "Each kind of fake against RVRA.")


def _single(key: str, title: str, entries: Metrics, note: str) -> Iterator[Table]:
    rows: list[tuple[Cell, ...]] = []
    for name, entry in entries.items():
        n = entry["n"] if isinstance(entry, Mapping) else None
        rows.append((METRIC_WORDS.get(name, _words(name)), n, cell(entry)))
    if rows:
        yield Table(key, title, ("Metric", "n", "Value"), tuple(rows), note)


def _compared(compared: Metrics | None) -> Iterator[Table]:
    if compared is None:
        return
    exact, other = compared["video_auc"], compared["other"]["name"]
    gap = Interval(exact["difference"], exact["low"], exact["high"], exact["n"], exact["reason"])
    rows: list[tuple[Cell, ...]] = [
        ("AUC here", exact["auc_a"]),
        (f"AUC of {other}", exact["auc_b"]),
        ("Difference, by video (DeLong)", gap),
        ("p of no difference (DeLong)", exact["p_value"]),
        ("Difference, by person (bootstrap)", cell(compared["video_auc_difference_by_identity"])),
    ]
    yield Table("compared", f"Compared with {other}", ("What", "Value"), tuple(rows), "On files that both scored.")


def _thresholds(fitted: Metrics | None) -> Iterator[Table]:
    rates = [(name, part) for name, part in (fitted or {}).items() if name.startswith("fpr_")]
    if fitted is None or not rates:
        return
    rows = [(f"{name.removeprefix('fpr_')} %", part["threshold"], part["tpr"]) for name, part in rates]
    note = f"From {fitted['n']} real files, {fitted['fitted_on']}: use them on other files than these."
    columns = ("False alarms", "Threshold", "Fakes found here")
    yield Table("thresholds", "Thresholds for a rate of false alarms", columns, tuple(rows), note)


def _coverage(coverage: Metrics) -> Iterator[Table]:
    counts: list[tuple[Cell, ...]] = [
        (name, part["n_files"], part["n_scored"], part["n_files"] - part["n_scored"])
        for name, part in [*coverage["by_label"].items(), *coverage["methods_not_covered"].items()]
    ]
    note = "Metrics are of files that gave a score. Labels first, then methods of which not every file did."
    yield Table("coverage", "Coverage", ("Files", "In all", "Scored", "Without a score"), tuple(counts), note)
    reasons: list[tuple[Cell, ...]] = [
        (reason or "no reason kept", _words(status), number)
        for status in ("cannot_tell", "error")
        for reason, number in coverage["reasons"][status].items()
    ]
    if reasons:
        yield Table("no_score", "Why files gave no score", ("Reason", "Status", "Files"), tuple(reasons))


def _words(name: str) -> str:
    known = {"error": "could not be read", "fake_scores_higher": "The fake scores higher", "n_pairs": "Pairs"}
    if name in known:
        return known[name]
    if name[:3] in {"ap_", "ar_"}:
        return f"{name[:2].upper()}@{name[3:]}"
    return name.replace("_", " ")
