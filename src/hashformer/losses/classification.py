"""What the heads should have said: labels for the streams that are there, and binary cross-entropy."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from hashformer.losses.reduce import weighted_mean

UNKNOWN_METHOD = -1
"""Label of a clip whose generator is not known, or that is real."""


def head_labels(labels: Mapping[str, Tensor], here: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Labels of the heads, given what each clip has left after streams were taken from it.

    Args:
        labels: `video`, `audio`, `sync` and `overall`, as far as they are known: (B,) float, 1 = fake,
            0 = real, NaN = unknown.
        here: `video`, `audio` and `landmarks`: which clips have the stream, (B,) bool.

    Returns:
        For each head, (B,) float, NaN where it cannot be known. `overall` is 1 if a part that can be
        seen is fake, and 0 if all that can be seen are real: a clip with fake sound, shown without
        its sound, is real. Only where the parts do not tell does the given `overall` count, and then a
        1 only for clips with both picture and sound.
    """
    like = next(iter(here.values()))
    unknown = torch.full(like.shape, float("nan"), device=like.device)
    nowhere = torch.zeros_like(like)
    known = {head: labels.get(head, unknown).to(unknown) for head in ("video", "audio", "sync", "overall")}
    picture = here.get("video", nowhere) | here.get("landmarks", nowhere)
    sound = here.get("audio", nowhere)
    both = here.get("video", nowhere) & sound
    fake = (picture & (known["video"] == 1)) | (sound & (known["audio"] == 1)) | (both & (known["sync"] == 1))
    real = (~picture | (known["video"] == 0)) & (~sound | (known["audio"] == 0)) & (picture | sound)
    stated = torch.where((known["overall"] == 0) | both, known["overall"], float("nan"))
    overall = torch.where(fake, 1.0, torch.where(real, 0.0, stated))
    return {**known, "overall": overall}


def binary_loss(
    logits: Tensor, labels: Tensor, valid: Tensor, *, smoothing: float = 0.0, focal_gamma: float = 0.0
) -> Tensor:
    """Binary cross-entropy over the clips that can be judged and whose label is known.

    Args:
        logits: (B,).
        labels: 1 = fake, 0 = real, NaN = unknown, (B,).
        valid: Clips that the head can judge, (B,) bool.
        smoothing: How far labels move towards one half, 0 to 1.
        focal_gamma: 0 for plain cross-entropy; above it, what is already right counts less.

    Returns:
        A scalar, 0 if there is no such clip.

    Source: docs/method.md, "Loss"; focal: Lin et al. 2017, arXiv 1708.02002, eq. (4) without the class weight.
    """
    counts = valid & ~labels.isnan()
    truth = torch.where(counts, labels, 0.0)
    soft = truth * (1 - smoothing) + 0.5 * smoothing
    loss = functional.binary_cross_entropy_with_logits(logits.float(), soft, reduction="none")
    if focal_gamma > 0:
        right = torch.sigmoid(torch.where(truth == 1, logits, -logits).float())
        loss = loss * (1 - right) ** focal_gamma
    return weighted_mean(loss, counts)


def method_loss(logits: Tensor, labels: Tensor, valid: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of the generator over the clips whose generator is known.

    Args:
        logits: (B, methods).
        labels: Index of the generator, −1 where unknown, (B,) int64.
        valid: Clips that can be judged, (B,) bool.
        smoothing: Share of the label spread over all generators.

    Returns:
        A scalar, 0 if there is no such clip.
    """
    counts = valid & (labels != UNKNOWN_METHOD)
    loss = functional.cross_entropy(
        logits.float(), torch.where(counts, labels, 0), reduction="none", label_smoothing=smoothing
    )
    return weighted_mean(loss, counts)
