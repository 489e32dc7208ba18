"""Embeddings of all devices in one batch, with gradients back to each."""

from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional


class View(NamedTuple):
    """One stream of a batch as the contrastive loss sees it.

    Attributes:
        tokens: (B, N, D).
        token_present: (B, N).
        vectors: Hash codes, or unit vectors with hashing off, (B, Q).
        valid: Clips that have the stream, (B,).
    """

    tokens: Tensor
    token_present: Tensor
    vectors: Tensor
    valid: Tensor


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        parts = [torch.empty_like(x) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, x.contiguous())
        ctx.n_items = len(x)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> Tensor:
        whole = grad[0].contiguous().clone()
        dist.all_reduce(whole)
        start = dist.get_rank() * ctx.n_items
        return whole[start : start + ctx.n_items]


def world_size() -> int:
    """Devices that train together; 1 outside distributed training."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def gather(x: Tensor) -> Tensor:
    """Join the tensors of all devices along the first axis, in the order of their ranks.

    Args:
        x: (B, …), of one shape on every device.

    Returns:
        (devices · B, …). In the backward pass each device receives the gradient that all of them
        have for its part.
    """
    if world_size() == 1:
        return x
    if not x.is_floating_point():
        return _Gather.apply(x.to(torch.uint8)).to(x.dtype)  # type: ignore[no-any-return,no-untyped-call]
    return _Gather.apply(x)  # type: ignore[no-any-return,no-untyped-call]


def gather_view(view: View) -> tuple[View, Tensor]:
    """Join a stream of all devices; one that lacks it, or has fewer clips or tokens, is filled up with absent ones.

    Args:
        view: Of this device.

    Returns:
        The joined view, and where in it this device's clips stand, (B,).
    """
    own = torch.arange(len(view.valid), device=view.valid.device)
    if world_size() == 1:
        return view, own
    size = torch.tensor(view.tokens.shape[:2], device=view.valid.device)
    dist.all_reduce(size, op=dist.ReduceOp.MAX)
    items, tokens = int(size[0]) - view.tokens.shape[0], int(size[1]) - view.tokens.shape[1]
    filled = View(
        functional.pad(view.tokens.detach(), (0, 0, 0, tokens, 0, items)),
        functional.pad(view.token_present, (0, tokens, 0, items)),
        functional.pad(view.vectors, (0, 0, 0, items)),
        functional.pad(view.valid, (0, items)),
    )
    return View(*(gather(part) for part in filled)), own + dist.get_rank() * int(size[0])


def total_over_devices(count: Tensor) -> Tensor:
    """Sum of a number over all devices; it carries no gradient."""
    count = count.detach().clone()
    if world_size() > 1:
        dist.all_reduce(count)
    return count
