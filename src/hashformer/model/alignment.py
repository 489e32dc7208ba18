"""Weighted forgery alignment: how far each clip of a batch is a positive for each other one."""

import torch
from torch import Tensor
from torch.nn import functional

MAX_VALUES = 2**24
"""Token similarities held at once by default: 64 MB of float32."""


def mutual_attention(x: Tensor, y: Tensor, y_present: Tensor | None = None, *, temperature: float = 0.2) -> Tensor:
    """Re-express the tokens of a stream by those of its partner in the same clip.

    Args:
        x: Tokens of one stream, (B, N, D).
        y: Tokens of the other, (B, M, D).
        y_present: Real tokens of `y`, (B, M); None if all.
        temperature: Of the softmax, > 0.

    Returns:
        For each token of `x`, the mean of the tokens of `y` weighted by the softmax of their cosine
        similarities, (B, N, D). One (B, N, M) tensor is made on the way.

    Source: docs/method.md, "WFA" (1); after Yu et al. 2022, arXiv 2209.14099.
    """
    cosine = functional.normalize(x, dim=-1) @ functional.normalize(y, dim=-1).transpose(1, 2)  # (B, N, M)
    if y_present is not None:
        seen = y_present | ~y_present.any(1, keepdim=True)
        cosine = cosine.masked_fill(~seen[:, None, :], float("-inf"))
    return (cosine / temperature).softmax(-1) @ y


def pair_similarity(
    x: Tensor,
    y: Tensor,
    x_present: Tensor | None = None,
    y_present: Tensor | None = None,
    *,
    max_values: int = MAX_VALUES,
) -> Tensor:
    """Mean over the tokens of one clip of the highest cosine similarity to a token of another.

    The similarities of all tokens of all pairs, B · C · N · M values, never exist at once: clips are
    taken in blocks of at most max(`max_values`, N · M) of them. Beside those, memory is the (B, C)
    result and a normalised copy of the tokens.

    Args:
        x: Tokens of B clips, (B, N, D).
        y: Tokens of C clips, (C, M, D).
        x_present: Real tokens of `x`, (B, N); None if all.
        y_present: Real tokens of `y`, (C, M); None if all.
        max_values: Token similarities held at once.

    Returns:
        (B, C), −1 to 1, without gradient. Where a clip has no token the value means nothing.

    Source: docs/method.md, "WFA" (2), before the softmax.
    """
    x, y = functional.normalize(x.detach(), dim=-1), functional.normalize(y.detach(), dim=-1)
    n, m = x.shape[1], y.shape[1]
    columns = max(1, min(len(y), max_values // (n * m)))
    rows = max(1, min(len(x), max_values // (n * m * columns)))
    result = x.new_empty(len(x), len(y))
    for i in range(0, len(x), rows):
        share = _share(x_present, i, rows, n, x)  # (r, N)
        for j in range(0, len(y), columns):
            block = torch.einsum("ind,jmd->ijnm", x[i : i + rows], y[j : j + columns])
            if y_present is not None:
                block.masked_fill_(~y_present[None, j : j + columns, None, :], -1.0)
            result[i : i + rows, j : j + columns] = (block.amax(-1) * share[:, None, :]).sum(-1)
    return result


def _share(present: Tensor | None, start: int, rows: int, n: int, like: Tensor) -> Tensor:
    if present is None:
        return torch.full((1, n), 1 / n, dtype=like.dtype, device=like.device)
    here = present[start : start + rows].to(like.dtype)
    return here / here.sum(1, keepdim=True).clamp(min=1)


def pair_weights(similarity: Tensor, valid: Tensor | None = None, *, temperature: float = 0.2) -> Tensor:
    """Turn similarities of clips into targets.

    Args:
        similarity: From `pair_similarity`, (B, C).
        valid: Clips that may be a target, (C,) bool, at least one; None if all.
        temperature: Softmax temperature, > 0; lower is sharper.

    Returns:
        Weights, (B, C). Each row sums to 1. Carries no gradient: it is a target.

    Raises:
        ValueError: If `temperature` is not positive.

    Source: docs/method.md, "WFA" (2).
    """
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    similarity = similarity.detach()
    if valid is not None:
        similarity = similarity.masked_fill(~valid[None, :], float("-inf"))
    return (similarity / temperature).softmax(-1)
