"""Where a token stands: sines and cosines over picture or spectrum, rotations over seconds."""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Rotary(NamedTuple):
    """Cosines and sines of the angles by which each token's pairs of values are turned.

    Attributes:
        cos: (N, head_dim / 2), or (B, 1, N, head_dim / 2) where the items of a batch differ.
        sin: Likewise.
    """

    cos: Tensor
    sin: Tensor


def sincos(positions: Tensor, width: int) -> Tensor:
    """Fixed positions along one axis.

    Args:
        positions: Where each token stands, any unit, (N,).
        width: Values to give each token; an odd last one is zero.

    Returns:
        Sines, then cosines, of the position at wavelengths from 2π to 2π · 10 000, (N, width).

    Source: Vaswani et al. 2017, section 3.5.
    """
    half = width // 2
    frequencies = torch.exp(torch.arange(half) * (-math.log(10_000.0) / max(half, 1)))
    angles = positions.float()[:, None] * frequencies  # (N, half)
    flat = torch.cat([angles.sin(), angles.cos()], dim=1)
    return torch.nn.functional.pad(flat, (0, width - 2 * half))


def grid_positions(axes: list[Tensor], width: int) -> Tensor:
    """Fixed positions on a grid: each axis has an equal share of the width.

    Args:
        axes: Positions along each axis, each (n_i,); the first axis varies slowest.
        width: Values to give each token.

    Returns:
        (n_1 · n_2 · …, width); zeros if there is no axis to tell apart.
    """
    n_tokens = math.prod(len(axis) for axis in axes)
    told = [(place, axis) for place, axis in enumerate(axes) if len(axis) > 1]
    if not told:
        return torch.zeros(n_tokens, width)
    share = width // len(told) // 2 * 2
    parts = []
    for place, axis in told:
        shape = [len(other) if i == place else 1 for i, other in enumerate(axes)]
        table = sincos(axis, share).reshape(*shape, share)
        parts.append(table.expand(*[len(other) for other in axes], share).reshape(n_tokens, share))
    flat = torch.cat(parts, dim=1)
    return torch.nn.functional.pad(flat, (0, width - flat.shape[1]))


def rotary(time_s: Tensor, head_dim: int, *, min_period_s: float, max_period_s: float) -> Rotary:
    """Angles for tokens at given times, at periods spaced evenly in their logarithm.

    Args:
        time_s: Time of each token in seconds, (N,) or (B, N).
        head_dim: Width of one attention head, even.
        min_period_s: Period of the fastest pair, seconds.
        max_period_s: Period of the slowest pair, seconds.

    Source: Su et al. 2021 (RoFormer), section 3.2.2, with seconds in place of token indices.
    """
    steps = torch.linspace(0, 1, head_dim // 2, device=time_s.device)
    periods = min_period_s * (max_period_s / min_period_s) ** steps
    angles = time_s.float()[..., None] * (2 * math.pi / periods)  # (N, d/2) or (B, N, d/2)
    if time_s.dim() == 2:
        angles = angles[:, None]  # (B, 1, N, d/2): the same for every head
    return Rotary(angles.cos(), angles.sin())


def rotate(x: Tensor, angles: Rotary) -> Tensor:
    """Turn each pair of values of queries or keys by its token's angle; their norm stays as it is.

    Args:
        x: Queries or keys, (B, heads, N, head_dim).
        angles: Of the same N tokens.

    Returns:
        (B, heads, N, head_dim); the product of two such depends on their time difference only.
    """
    first, second = x.chunk(2, dim=-1)
    cos, sin = angles.cos.to(x.dtype), angles.sin.to(x.dtype)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
