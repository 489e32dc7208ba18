"""Means over what counts."""

import torch
from torch import Tensor

from hashformer.losses.gather import total_over_devices, world_size


def weighted_mean(values: Tensor, present: Tensor | None = None, weights: Tensor | None = None) -> Tensor:
    """Mean over the values that count; what stands elsewhere, even NaN, has no part and no gradient.

    In distributed training, the mean of what the devices return is the mean over the joined batch: a
    device on which little counts, such as few clips with a known label, has as little to say. Every device
    must therefore call this equally often and in the same order, also where nothing counts.

    Args:
        values: Any shape.
        present: Which count, of that shape, bool; None if all.
        weights: How much each counts, of that shape; None if alike.

    Returns:
        A scalar, 0 if nothing counts on any device.
    """
    share = torch.ones_like(values) if weights is None else weights.to(values.dtype)
    if present is not None:
        values, share = torch.where(present, values, 0.0), torch.where(present, share, 0.0)
    total = total_over_devices(share.sum())
    return (values * share).sum() * world_size() / torch.where(total > 0, total, 1.0)
