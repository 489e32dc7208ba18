"""Attention with selective forgery alignment, the gated feed-forward, and pooling by learned queries."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from hashformer.model.positions import Rotary, rotate

FUSION = "fusion"
"""Name of the segment whose tokens attend to everything."""


def key_mask(present: Tensor | None) -> Tensor | None:
    """Which keys each item may look at, for scaled_dot_product_attention.

    Args:
        present: (B, N); None if all.

    Returns:
        (B, 1, 1, N), or None if there is nothing to mask. An item with no key at all may look at every
        one: a softmax over nothing is NaN, and what such an item says is never read.
    """
    if present is None:
        return None
    return (present | ~present.any(1, keepdim=True))[:, None, None, :]


def join_present(parts: list[tuple[Tensor, Tensor | None]]) -> Tensor | None:
    """Presence of segments laid end to end.

    Args:
        parts: Tokens (B, N, …) and their presence (B, N) or None.

    Returns:
        (B, sum of N), or None if all are present.
    """
    if all(present is None for _, present in parts):
        return None
    whole = [
        present if present is not None else torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        for tokens, present in parts
    ]
    return torch.cat(whole, dim=1)


class Attention(nn.Module):
    """Multi-head attention over segments, selective or dense.

    Selective: tokens of a stream attend to their own stream, fusion tokens to everything. Since no
    token of a stream ever sees another stream, this is one attention for each stream and one for the
    fusion queries over all keys; the N × N mask of the whole is never made.

    Source: docs/method.md, "SFA". The masked form that it equals: tests/reference/attention.py.
    """

    def __init__(self, width: int, heads: int, head_dim: int, *, selective: bool = True, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.selective = selective
        self.to_qkv = nn.Linear(width, 3 * heads * head_dim, bias=False)
        self.to_out = nn.Linear(heads * head_dim, width, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, tokens: Mapping[str, Tensor], angles: Mapping[str, Rotary], present: Mapping[str, Tensor | None]
    ) -> dict[str, Tensor]:
        """Attend.

        Args:
            tokens: Segments by name, (B, N, D) each; that named `fusion` sees the others.
            angles: Rotary positions of each segment.
            present: Real tokens of each segment, (B, N); None if all.

        Returns:
            Segments of the same names and shapes.
        """
        qkv = {name: self._project(x, angles[name]) for name, x in tokens.items()}
        if not self.selective:
            return self._dense(tokens, qkv, present)
        out = {}
        for name, (q, k, v) in qkv.items():
            if name != FUSION:
                out[name] = self._merge(q, k, v, present[name])
        if FUSION in qkv:
            every_k = torch.cat([k for _, k, _ in qkv.values()], dim=2)
            every_v = torch.cat([v for _, _, v in qkv.values()], dim=2)
            joined = join_present([(x, present[name]) for name, x in tokens.items()])
            out[FUSION] = self._merge(qkv[FUSION][0], every_k, every_v, joined)
        return out

    def _project(self, x: Tensor, angles: Rotary) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = self.to_qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (B, heads, N, d) each
        return rotate(q, angles), rotate(k, angles), v

    def _merge(self, q: Tensor, k: Tensor, v: Tensor, present: Tensor | None) -> Tensor:
        seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=key_mask(present))
        return self.dropout(self.to_out(seen.transpose(1, 2).flatten(2)))  # type: ignore[no-any-return]

    def _dense(
        self,
        tokens: Mapping[str, Tensor],
        qkv: Mapping[str, tuple[Tensor, Tensor, Tensor]],
        present: Mapping[str, Tensor | None],
    ) -> dict[str, Tensor]:
        q, k, v = (torch.cat([parts[i] for parts in qkv.values()], dim=2) for i in range(3))
        joined = join_present([(x, present[name]) for name, x in tokens.items()])
        whole = self._merge(q, k, v, joined)
        return dict(zip(tokens, torch.split(whole, [x.shape[1] for x in tokens.values()], dim=1), strict=True))


class FeedForward(nn.Module):
    """Gated feed-forward: half of the inner values are scaled by the GELU of the other half.

    Source: Shazeer 2020 (GEGLU), arXiv 2002.05202.
    """

    def __init__(self, width: int, inner: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.widen = nn.Linear(width, 2 * inner, bias=False)
        self.narrow = nn.Linear(inner, width, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Take (B, N, D) to (B, N, D), each token by itself."""
        value, gate = self.widen(x).chunk(2, dim=-1)
        return self.dropout(self.narrow(value * functional.gelu(gate)))  # type: ignore[no-any-return]


class GroupPool(nn.Module):
    """One learned query for each group of tokens, which attends to its own group only."""

    def __init__(self, groups: tuple[str, ...], width: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.index = {name: i for i, name in enumerate(groups)}
        self.queries = nn.Parameter(torch.randn(len(groups), width))
        self.norm = nn.LayerNorm(width, bias=False)
        self.to_q = nn.Linear(width, heads * head_dim, bias=False)
        self.to_kv = nn.Linear(width, 2 * heads * head_dim, bias=False)
        self.to_out = nn.Linear(heads * head_dim, width, bias=False)

    def forward(self, tokens: Tensor, present: Tensor | None, group: str) -> Tensor:
        """Sum up the tokens of one group.

        Args:
            tokens: (B, N, D).
            present: Real ones, (B, N); None if all.
            group: Its name, one of those given at construction.

        Returns:
            (B, D).
        """
        k, v = self.to_kv(self.norm(tokens)).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query = self.to_q(self.queries[self.index[group]]).unflatten(-1, (self.heads, 1, -1))  # (heads, 1, d)
        seen = functional.scaled_dot_product_attention(
            query.expand(len(tokens), -1, -1, -1), k, v, attn_mask=key_mask(present)
        )
        return self.to_out(seen.transpose(1, 2).flatten(1))  # type: ignore[no-any-return]
