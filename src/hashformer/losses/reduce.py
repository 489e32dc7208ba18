"""Means over what counts."""

import torch
from torch import Tensor


def weighted_mean(values: Tensor, present: Tensor | None = None, weights: Tensor | None = None) -> Tensor:
    """Mean over the values that count; what stands elsewhere, even NaN, has no part and no gradient.

    Args:
        values: Any shape.
        present: Which count, of that shape, bool; None if all.
        weights: How much each counts, of that shape; None if alike.

    Returns:
        A scalar, 0 if nothing counts.
    """
    share = torch.ones_like(values) if weights is None else weights.to(values.dtype)
    if present is not None:
        values, share = torch.where(present, values, 0.0), torch.where(present, share, 0.0)
    total = share.sum()
    return (values * share).sum() / torch.where(total > 0, total, 1.0)
