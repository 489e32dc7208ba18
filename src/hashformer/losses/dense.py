"""Losses of forged clips beside their labels: where the forgery is, and that it ranks above what it was made of."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from hashformer.losses.gather import total_over_devices, world_size

FORGED_SHARE = 0.25
"""Share of a place from which on it counts as forged."""


def where_loss(logits: Tensor, masks: Tensor, present: Tensor, grid: tuple[int, int, int]) -> Tensor:
    """Binary cross-entropy of each video token against the share of it that is forged; both classes weigh alike.

    Most tokens are genuine. So that they do not drown the rest, the forged mass and the genuine mass of the batch each
    count for a half. In distributed training the mean of what the devices return is the loss of the joined batch.

    Args:
        logits: One for each token, in order time, row, column, (B, N).
        masks: Share of each cell that is forged, 0–1, NaN where not known, (B, T, g, g).
        present: Tokens that are there, (B, N) bool.
        grid: Tokens in time, rows and columns; N is their product.

    Returns:
        A scalar, 0 if nothing is known of any token.
    """
    wanted = functional.adaptive_avg_pool3d(masks.float()[:, None], grid)[:, 0].flatten(1)  # (B, N)
    known = present & ~wanted.isnan()
    wanted = torch.where(known, wanted, 0.0)
    scores = torch.where(known, logits.float(), 0.0)
    forged = (wanted * functional.softplus(-scores)).sum()
    genuine = (torch.where(known, 1 - wanted, 0.0) * functional.softplus(scores)).sum()
    masses = total_over_devices(torch.stack([wanted.sum(), torch.where(known, 1 - wanted, 0.0).sum()]))
    parts = torch.stack([forged, genuine]) / torch.where(masses > 0, masses, 1.0)
    return parts.mean() * world_size()


def pair_parts(
    logits: Mapping[str, Tensor],
    valid: Mapping[str, Tensor],
    labels: Mapping[str, Tensor],
    pairs: Tensor,
    *,
    margin: float = 1.0,
) -> dict[str, Tensor]:
    """For each head, how far forgeries fall short of a margin above the clips they were made of.

    A pair counts for a head if the head can judge both clips, and the first is real to it and the second fake: a
    vocoder's for `audio`, a shifted sound's for `sync`, each also for `overall`.

    Args:
        logits: Of each head, (B,).
        valid: Which clips each head can judge, (B,) bool.
        labels: As `classification.head_labels` gives them, (B,).
        pairs: Rows of the batch: a real clip and its forgery, (n, 2) int64.
        margin: Between the two logits.

    Returns:
        A scalar for each head for which a pair counts on any device: mean of softplus(margin − (fake − real)). In
        distributed training the mean of what the devices return is that of the joined batch.
    """
    real, fake = pairs[:, 0], pairs[:, 1]
    heads = list(logits)
    counted, sums = [], []
    for head in heads:
        counts = valid[head][real] & valid[head][fake] & (labels[head][real] == 0) & (labels[head][fake] == 1)
        short = functional.softplus(margin - (logits[head][fake] - logits[head][real]).float())
        counted.append(counts.sum().float())
        sums.append(torch.where(counts, short, 0.0).sum())
    totals = total_over_devices(torch.stack(counted))
    return {
        head: value * world_size() / total for head, value, total in zip(heads, sums, totals, strict=True) if total > 0
    }
