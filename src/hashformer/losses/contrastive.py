"""The contrastive loss of weighted forgery alignment, and the balance of hash bits."""

from typing import NamedTuple

import torch
from torch import Tensor

from hashformer.losses.gather import View, gather_view, total_over_devices, world_size
from hashformer.model.alignment import mutual_attention, pair_similarity, pair_weights


class AlignmentSettings(NamedTuple):
    """How pairs are weighed.

    Attributes:
        logit_scale: Multiplies the products of codes: 1 / (Q · 0.3) for codes in −1 and 1.
        weight_temperature: Of the softmax that makes weights.
        attention_temperature: Of mutual attention; None leaves it out.
        weighted: False: each clip is its own only positive.
    """

    logit_scale: float
    weight_temperature: float = 0.2
    attention_temperature: float | None = 0.2
    weighted: bool = True


def alignment_loss(x: View, y: View, settings: AlignmentSettings) -> Tensor | None:
    """Weighted contrastive loss between two streams, or two views of one; the mean of both directions.

    Row i of the logits says how much the code of clip i of `x` agrees with each code of `y`; its target
    is how much their tokens agree. In distributed training, the mean of what the devices return is the
    loss of the joined batch.

    Args:
        x: One stream, B clips.
        y: The other stream of the same clips.
        settings: How pairs are weighed.

    Returns:
        A scalar; None if fewer than two clips (on all devices) have both streams, for a contrast needs
        a second clip.

    Source: docs/method.md, "WFA" (3) and (4).
    """
    both = x.valid & y.valid
    n_pairs = int(total_over_devices(both.sum()))
    if n_pairs < 2:
        return None
    x, y = x._replace(valid=both), y._replace(valid=both)
    total = _directed(x, y, settings) + _directed(y, x, settings)
    return total * (world_size() / (2 * n_pairs))


def _directed(x: View, y: View, settings: AlignmentSettings) -> Tensor:
    every, own = gather_view(y)
    logits = (x.vectors.float() @ every.vectors.float().T) * settings.logit_scale  # (B, C)
    if settings.weighted:
        weights = _weights(x, y, every, settings)
    else:
        weights = torch.nn.functional.one_hot(own, len(every.valid)).to(logits.dtype)
    return soft_cross_entropy(logits, weights, rows=x.valid, columns=every.valid)


def _weights(x: View, y: View, every: View, settings: AlignmentSettings) -> Tensor:
    with torch.no_grad():
        tokens = x.tokens.float()
        if settings.attention_temperature is not None:
            tokens = mutual_attention(
                tokens, y.tokens.float(), y.token_present, temperature=settings.attention_temperature
            )
        similarity = pair_similarity(tokens, every.tokens.float(), x.token_present, every.token_present)
        return pair_weights(similarity, every.valid, temperature=settings.weight_temperature)


def soft_cross_entropy(logits: Tensor, targets: Tensor, *, rows: Tensor, columns: Tensor) -> Tensor:
    """Cross-entropy against soft targets, summed over the rows that count.

    Args:
        logits: (B, C).
        targets: (B, C), each row summing to 1 over `columns`.
        rows: Rows that count, (B,) bool.
        columns: Columns that take part, (C,) bool, at least one.

    Returns:
        A scalar.
    """
    log_p = logits.masked_fill(~columns[None, :], float("-inf")).log_softmax(-1)
    each = -(targets * log_p.masked_fill(~columns[None, :], 0.0)).sum(-1)  # (B,)
    return torch.where(rows, each, 0.0).sum()


def balance_loss(view: View) -> Tensor:
    """How far hash bits are from being 1 in half of the clips.

    Args:
        view: Codes in −1 and 1, (B, Q); joined over devices.

    Returns:
        The squared mean of each bit over the clips that have the stream, averaged over bits: 0 when
        balanced, 1 when all codes are equal. 0 without a clip.
    """
    every, _ = gather_view(view)
    weight = every.valid.to(every.vectors.dtype)[:, None]
    mean = (every.vectors * weight).sum(0) / weight.sum().clamp(min=1)  # (Q,)
    return mean.square().mean()
