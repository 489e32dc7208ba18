"""Small transformers of training: from some tokens, tell what stands at other places."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from hashformer.model.attention import join_present
from hashformer.model.encoder import EncoderLayer
from hashformer.model.inputs import StreamSpec
from hashformer.model.positions import grid_positions, rotary
from hashformer.model.tokens import Segment, patch_times


class TokenDecoder(nn.Module):
    """Predicts values at asked places of one stream from tokens of any streams.

    Each asked place starts as one learned vector plus its fixed position; it and the context pass
    through dense attention, with rotary positions on seconds as in the encoder. Only asked places
    are computed: with masked training those are the hidden ones.

    Source: He et al. 2021 (MAE), arXiv 2111.06377; docs/method.md, "Masked autoencoding", "Self-distillation".

    Args:
        spec: Of the stream whose places are asked.
        widths: Of the context, of the decoder, and of the answer.
        depth: Layers.
        heads: Attention heads; they share the decoder's width.
        periods: Shortest and longest rotary period, seconds.
    """

    grid_table: Tensor

    def __init__(
        self, spec: StreamSpec, widths: tuple[int, int, int], *, depth: int, heads: int, periods: tuple[float, float]
    ) -> None:
        super().__init__()
        context, width, answer = widths
        self.spec, self.periods, self.head_dim = spec, periods, width // heads
        self.read = nn.Linear(context, width)
        self.ask = nn.Parameter(0.02 * torch.randn(width))
        self.layers = nn.ModuleList(
            EncoderLayer(width, heads, width // heads, 2 * width, selective=False) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width, bias=False)
        self.write = nn.Linear(width, answer)
        table = grid_positions([torch.arange(size) for size in spec.grid], width)
        self.register_buffer("grid_table", table, persistent=False)

    def forward(self, context: Sequence[Segment], n_frames: int, index: Tensor | None = None) -> Tensor:
        """Answer.

        Args:
            context: Encoded tokens to read, (B, N, D) each.
            n_frames: Frames of the asked stream.
            index: Which of its patches are asked, (B, n); None for all, N.

        Returns:
            (B, n, answer).
        """
        steps = n_frames // self.spec.patch[0]
        places = self.ask + self.grid_table.repeat(steps, 1)  # (N, width)
        times = patch_times(n_frames, self.spec).to(places.device)
        n_items = len(context[0].tokens)
        asked = places.expand(n_items, -1, -1) if index is None else places[index]  # (B, n, width)
        asked_s = times.expand(n_items, -1) if index is None else times[index]
        tokens = torch.cat([asked, *(self.read(part.tokens) for part in context)], 1)
        time_s = torch.cat([asked_s, *(part.time_s.expand(n_items, -1) for part in context)], 1)
        present = join_present([(asked, None), *((part.tokens, part.present) for part in context)])
        angles = rotary(time_s, self.head_dim, min_period_s=self.periods[0], max_period_s=self.periods[1])
        whole = {"all": tokens}
        for layer in self.layers:
            whole = layer(whole, {"all": angles}, {"all": present})
        return self.write(self.norm(whole["all"][:, : asked.shape[1]]))  # type: ignore[no-any-return]


def context_of(streams: Mapping[str, Segment], *names: str) -> list[Segment]:
    """Segments of those of the named streams that are there."""
    return [streams[name] for name in names if name in streams]
