"""Hash codes: a head that gives them, their distance, and their packing into bytes."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class _StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> Tensor:
        return grad[0]


def sign(x: Tensor) -> Tensor:
    """−1 below zero, else 1; in the backward pass as if it were the identity.

    Source: Bengio et al. 2013, arXiv 1308.3432. Zero is 1, so that every code has Q bits.
    """
    return _StraightThroughSign.apply(x)  # type: ignore[no-any-return,no-untyped-call]


class HashHead(nn.Module):
    """relu(Linear), tanh(Linear to Q bits), sign with straight-through gradient. Source: docs/method.md."""

    def __init__(self, width: int, bits: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.out = nn.Linear(width, bits)

    def forward(self, pooled: Tensor) -> Tensor:
        """Take pooled streams (B, D) to codes in −1 and 1, (B, Q)."""
        return sign(torch.tanh(self.out(functional.relu(self.hidden(pooled)))))


def hamming_distance(a: Tensor, b: Tensor) -> Tensor:
    """Bits in which codes differ.

    Args:
        a: Codes in −1 and 1, (N, Q).
        b: Codes in −1 and 1, (M, Q).

    Returns:
        (N, M) int64.
    """
    return ((a.shape[1] - a.float() @ b.float().T) / 2).round().long()


def pack_codes(codes: Tensor) -> Tensor:
    """Codes as bytes, eight bits to each, the first bit highest.

    Args:
        codes: In −1 and 1, (N, Q), Q a multiple of 8.

    Returns:
        (N, Q / 8) uint8.

    Raises:
        ValueError: If Q is no multiple of 8.
    """
    if codes.shape[1] % 8:
        raise ValueError(f"the number of bits must be a multiple of 8, got {codes.shape[1]}")
    bits = (codes > 0).long().reshape(len(codes), -1, 8)
    return (bits << torch.arange(7, -1, -1, device=codes.device)).sum(-1).to(torch.uint8)


def unpack_codes(packed: Tensor) -> Tensor:
    """Codes from bytes: the inverse of `pack_codes`, (N, Q / 8) uint8 to (N, Q) float in −1 and 1."""
    bits = (packed.long()[..., None] >> torch.arange(7, -1, -1, device=packed.device)) & 1  # (N, Q / 8, 8)
    return bits.reshape(len(packed), -1).float() * 2 - 1
