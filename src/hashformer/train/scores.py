"""What validation makes of judged clips: one score for each file, and metrics over files."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.distributed as dist

from hashformer.data.loaded import Loaded
from hashformer.evaluate.metrics import log_loss, roc_auc
from hashformer.losses.classification import head_labels
from hashformer.losses.gather import world_size
from hashformer.model.calibration import Calibration, calibrated_logits
from hashformer.timebase import Window
from hashformer.timeline import ClipScore, file_scores
from hashformer.types import HEADS, ModelOutput

REAL = "real"


class JudgedClip(NamedTuple):
    """One clip of a validation.

    Attributes:
        row_idx: Row of the manifest.
        kind: Forgery made of it; "" for a clip as it is in the corpus.
        window: Its seconds.
        track_id: Its face; None where it has none.
        method: What the manifest says made the file, or the forgery.
        logits: Of the heads that could judge it, before calibration.
        labels: Of each head, 1, 0, or NaN where not known.
    """

    row_idx: int
    kind: str
    window: Window
    track_id: int | None
    method: str
    logits: dict[str, float]
    labels: dict[str, float]

    @property
    def key(self) -> tuple[int, str, int, int, int]:
        """By which a clip that two devices judged is known, and clips are put in order."""
        track = -1 if self.track_id is None else self.track_id
        return self.row_idx, self.kind, self.window.first_frame, self.window.n_frames, track


class JudgedFile(NamedTuple):
    """One file, or one forgery made of it.

    Attributes:
        row_idx: Row of the manifest.
        kind: As of its clips.
        method: As of its clips.
        scores: P(fake) of each head that could judge it.
        labels: Of each head: 1 if a clip of it is fake, 0 if all are real, else NaN.
    """

    row_idx: int
    kind: str
    method: str
    scores: dict[str, float]
    labels: dict[str, float]


def judged_clips(output: ModelOutput, loaded: Loaded) -> list[JudgedClip]:
    """The clips of a batch with what the model said of them."""
    here = {name: mask.any(1) for name, mask in output.token_present.items()}
    truth = {name: values.tolist() for name, values in head_labels(loaded.labels, here).items()}
    logits = {name: values.float().tolist() for name, values in output.logits.items()}
    valid = {name: mask.tolist() for name, mask in output.valid.items()}
    return [
        JudgedClip(
            row_idx=loaded.row_idx[i],
            kind=loaded.kinds[i],
            window=loaded.windows[i],
            track_id=loaded.track_ids[i] if valid["video"][i] else None,
            method=loaded.methods[i],
            logits={head: logits[head][i] for head in HEADS if valid[head][i]},
            labels={head: truth[head][i] for head in HEADS},
        )
        for i in range(len(loaded.row_idx))
    ]


def gathered(clips: Sequence[JudgedClip]) -> list[JudgedClip]:
    """The clips that all devices judged, each once, in an order that does not depend on the devices."""
    if world_size() > 1:
        parts: list[list[JudgedClip]] = [[] for _ in range(world_size())]
        dist.all_gather_object(parts, list(clips))
        clips = [clip for part in parts for clip in part]
    return sorted({clip.key: clip for clip in clips}.values(), key=lambda clip: clip.key)


def file_table(
    clips: Iterable[JudgedClip], pool_fraction: float, calibration: Calibration | None = None
) -> list[JudgedFile]:
    """One row for each file and for each forgery made of it.

    Args:
        clips: In any order.
        pool_fraction: Share of a file's highest clips that its score averages, as in detection.
        calibration: From logits to P(fake); the identity if left out.
    """
    clips = list(clips)
    scores = _scored(clips, calibration or Calibration())
    groups: dict[tuple[int, str], list[int]] = defaultdict(list)
    for i, clip in enumerate(clips):
        groups[clip.row_idx, clip.kind].append(i)
    return [
        JudgedFile(
            row_idx=row_idx,
            kind=kind,
            method=clips[members[0]].method,
            scores={str(head): x for head, x in file_scores([scores[i] for i in members], pool_fraction).items()},
            labels={head: file_label([clips[i].labels[head] for i in members]) for head in HEADS},
        )
        for (row_idx, kind), members in sorted(groups.items())
    ]


def _scored(clips: Sequence[JudgedClip], calibration: Calibration) -> list[ClipScore]:
    logits = {head: torch.tensor([clip.logits.get(head, 0.0) for clip in clips]) for head in HEADS}
    valid = {head: torch.tensor([head in clip.logits for clip in clips]) for head in HEADS}
    scores = {head: values.tolist() for head, values in calibrated_logits(logits, valid, calibration).items()}
    return [
        ClipScore(
            window=clip.window,
            track_id=clip.track_id,
            scores={head: scores[head][i] for head in HEADS if head in clip.logits},  # type: ignore[misc]
        )
        for i, clip in enumerate(clips)
    ]


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def file_label(labels: Sequence[float]) -> float:
    """1 if one of them is, 0 if all are, else NaN."""
    if 1.0 in labels:
        return 1.0
    return 0.0 if all(label == 0.0 for label in labels) else math.nan


def known(files: Iterable[JudgedFile], head: str) -> tuple[list[int], list[float]]:
    """Labels and scores of one head, of the files that have both."""
    pairs = [(file.labels[head], file.scores[head]) for file in files if head in file.scores]
    pairs = [(label, score) for label, score in pairs if not math.isnan(label)]
    return [int(label) for label, _ in pairs], [score for _, score in pairs]


def known_clips(clips: Iterable[JudgedClip], head: str) -> tuple[list[int], list[float]]:
    """Labels and logits of one head, of the clips that have both."""
    pairs = [(clip.labels[head], clip.logits[head]) for clip in clips if head in clip.logits]
    pairs = [(label, logit) for label, logit in pairs if not math.isnan(label)]
    return [int(label) for label, _ in pairs], [logit for _, logit in pairs]


def validation_metrics(clips: Sequence[JudgedClip], files: Sequence[JudgedFile]) -> dict[str, float]:
    """What is logged: AUC over files of all heads, and of `overall` for each way of making a fake; loss over clips.

    A metric that is undefined, such as an AUC without a real file, is left out.

    Returns:
        `val/auc` (overall), `val/auc_<head>`, `val/auc_of/<method>`, `val/loss`.
    """
    found = {"val/auc": roc_auc(*known(files, "overall"))}
    found |= {f"val/auc_{head}": roc_auc(*known(files, head)) for head in HEADS if head != "overall"}
    reals = [file for file in files if file.labels["overall"] == 0]
    for method in sorted({file.method for file in files if file.labels["overall"] == 1}):
        fakes = [file for file in files if file.method == method and file.labels["overall"] == 1]
        found[f"val/auc_of/{method}"] = roc_auc(*known([*reals, *fakes], "overall"))
    metrics = {name: value.value for name, value in found.items() if value.value is not None}
    losses = []
    for head in HEADS:
        labels, logits = known_clips(clips, head)
        if labels and (loss := log_loss(labels, _probabilities(logits)).value) is not None:
            losses.append(loss)
    if losses:
        metrics["val/loss"] = float(np.mean(losses))
    return metrics


def _probabilities(logits: Sequence[float]) -> list[float]:
    return [_sigmoid(logit) for logit in logits]
