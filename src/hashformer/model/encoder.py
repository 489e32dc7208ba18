"""The encoder: layers of selective attention and feed-forward over the streams and the fusion tokens."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hashformer.config import ModelConfig
from hashformer.model.attention import FUSION, Attention, FeedForward
from hashformer.model.positions import Rotary, rotary
from hashformer.model.tokens import Segment


class Encoded(NamedTuple):
    """What the encoder gives.

    Attributes:
        streams: Encoded tokens of each stream.
        fusion: For each stream, the fusion tokens that belong to it; they have seen every stream.
    """

    streams: dict[str, Segment]
    fusion: dict[str, Segment]


class EncoderLayer(nn.Module):
    """Attention, then feed-forward, each after a norm and added to its input; one set of weights for all streams."""

    def __init__(
        self, width: int, heads: int, head_dim: int, feedforward: int, *, selective: bool, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width, bias=False)
        self.attention = Attention(width, heads, head_dim, selective=selective, dropout=dropout)
        self.feedforward_norm = nn.LayerNorm(width, bias=False)
        self.feedforward = FeedForward(width, feedforward, dropout=dropout)

    def forward(
        self, tokens: Mapping[str, Tensor], angles: Mapping[str, Rotary], present: Mapping[str, Tensor | None]
    ) -> dict[str, Tensor]:
        """Take segments (B, N, D) to segments of the same shapes."""
        normed = {name: self.attention_norm(x) for name, x in tokens.items()}
        seen = self.attention(normed, angles, present)
        mixed = {name: x + seen[name] for name, x in tokens.items()}
        return {name: x + self.feedforward(self.feedforward_norm(x)) for name, x in mixed.items()}


class Encoder(nn.Module):
    """All layers, and the fusion tokens that go through them beside the streams."""

    def __init__(self, config: ModelConfig, names: tuple[str, ...]) -> None:
        super().__init__()
        self.periods = {"min_period_s": config.rotary_min_period_s, "max_period_s": config.rotary_max_period_s}
        self.head_dim = config.head_dim
        self.fusion = nn.ParameterDict(
            {name: nn.Parameter(0.02 * torch.randn(config.fusion_tokens, config.width)) for name in names}
        )
        self.layers = nn.ModuleList(
            EncoderLayer(
                config.width,
                config.heads,
                config.head_dim,
                config.feedforward,
                selective=config.attention == "selective",
                dropout=config.dropout,
            )
            for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(config.width, bias=False)

    def forward(
        self,
        segments: Mapping[str, Segment],
        durations_s: Mapping[str, float],
        *,
        here: Mapping[str, Tensor] | None = None,
        with_fusion: bool = True,
    ) -> Encoded:
        """Encode.

        Args:
            segments: Tokens of each stream, (B, N, D).
            durations_s: Seconds that each stream covers: its fusion tokens are spread over them.
            here: For each stream that some items lack, which items have it, (B,) bool. An item's fusion
                tokens for a stream that it lacks are absent too.
            with_fusion: False leaves the fusion tokens out, where nothing reads them.

        Returns:
            Tokens of the streams and of fusion. With selective attention the former do not depend
            on the other streams.
        """
        whole = dict(segments)
        if with_fusion:
            whole[FUSION] = self._fusion(segments, durations_s, here or {})
        angles = {name: rotary(part.time_s, self.head_dim, **self.periods) for name, part in whole.items()}
        present = {name: part.present for name, part in whole.items()}
        tokens = {name: part.tokens for name, part in whole.items()}
        for layer in self.layers:
            tokens = layer(tokens, angles, present)
        done = {name: part._replace(tokens=self.norm(tokens[name])) for name, part in whole.items()}
        streams = {name: done[name] for name in segments}
        return Encoded(streams, _split(done[FUSION], list(segments)) if with_fusion else {})

    def _fusion(
        self, segments: Mapping[str, Segment], durations_s: Mapping[str, float], here: Mapping[str, Tensor]
    ) -> Segment:
        first = next(iter(segments.values())).tokens
        rows = torch.cat([self.fusion[name] for name in segments])
        per = len(rows) // len(segments)
        slots = (torch.arange(per, device=first.device) + 0.5) / per
        time_s = torch.cat([slots * durations_s[name] for name in segments])
        present = None
        if here:
            all_items = torch.ones(len(first), dtype=torch.bool, device=first.device)
            present = torch.stack([here.get(name, all_items) for name in segments], 1).repeat_interleave(per, 1)
        return Segment(rows.expand(len(first), -1, -1), present, time_s)


def _split(fusion: Segment, names: list[str]) -> dict[str, Segment]:
    tokens = fusion.tokens.chunk(len(names), dim=1)
    times = fusion.time_s.chunk(len(names))
    present = [None] * len(names) if fusion.present is None else fusion.present.chunk(len(names), dim=1)
    return {name: Segment(tokens[i], present[i], times[i]) for i, name in enumerate(names)}
