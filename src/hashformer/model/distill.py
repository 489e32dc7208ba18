"""Predictors of self-distillation, and where landmarks say that a picture matters."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hashformer.model.decoders import TokenDecoder, context_of
from hashformer.model.inputs import StreamSpec
from hashformer.model.tokens import Segment

CROSS_PAIRS = (("audio", "video"), ("video", "audio"), ("landmarks", "video"))
"""Source and target of each prediction across streams. Landmarks are a source, and the guide of the others."""


class EmbeddingPredictors(nn.Module):
    """For each stream a predictor from itself masked, and one from other streams.

    Args:
        specs: Streams of the model.
        widths: Of tokens, of the predictors, and of tokens again.
        depth: Layers of each predictor.
        heads: Attention heads of each.
        periods: Shortest and longest rotary period, seconds.
        which: Any of `masked` and `cross`.
    """

    def __init__(
        self,
        specs: Mapping[str, StreamSpec],
        widths: tuple[int, int, int],
        *,
        depth: int,
        heads: int,
        periods: tuple[float, float],
        which: tuple[str, ...] = ("masked", "cross"),
    ) -> None:
        super().__init__()
        self.pairs = tuple(pair for pair in CROSS_PAIRS if set(pair) <= set(specs))
        targets = {"masked": list(specs), "cross": sorted({target for _, target in self.pairs})}
        self.predictors = nn.ModuleDict(
            {
                f"{kind}_{name}": TokenDecoder(specs[name], widths, depth=depth, heads=heads, periods=periods)
                for kind in which
                for name in targets[kind]
            }
        )

    def masked(self, visible: Mapping[str, Segment], n_frames: Mapping[str, int]) -> dict[str, Tensor]:
        """From each stream's visible tokens, all its tokens, (B, N, D)."""
        return {name: self.predictors[f"masked_{name}"]([part], n_frames[name]) for name, part in visible.items()}

    def cross(
        self, streams: Mapping[str, Segment], n_frames: Mapping[str, int], *, guide: bool
    ) -> dict[tuple[str, str], Tensor]:
        """From each source's tokens, those of its target, (B, N, D).

        Args:
            streams: Encoded tokens.
            n_frames: Frames of each stream.
            guide: Whether landmark tokens are read beside the source.
        """
        answers = {}
        for source, target in self.pairs:
            if source in streams and target in streams:
                names = (source, "landmarks") if guide and source != "landmarks" else (source,)
                predictor = self.predictors[f"cross_{target}"]
                answers[source, target] = predictor(context_of(streams, *names), n_frames[target])
        return answers


def landmark_weights(
    points: Tensor, present: Tensor | None, rate_hz: float, video: StreamSpec, n_frames: int
) -> Tensor:
    """How much each video token counts: half evenly, half by how many landmarks fall into its patch.

    Args:
        points: x and y by turns, 0–1 of the crop, (B, T, 2K); those outside count at the edge.
        present: Where there are landmarks, (B, T); None if everywhere.
        rate_hz: Rows of landmarks a second.
        video: Of the video stream.
        n_frames: Its frames.

    Returns:
        (B, N), mean 1 over the tokens of a clip; all 1 in a clip without landmarks.

    Source: docs/method.md, "Self-distillation": landmarks as the guide of where to look.
    """
    rows, columns = video.grid
    steps = n_frames // video.patch[0]
    xy = points.reshape(*points.shape[:2], -1, 2)  # (B, T, K, 2)
    limit = torch.tensor([columns, rows], device=points.device)
    cell = (xy.nan_to_num() * limit).long().clamp(min=0).minimum(limit - 1)
    time_s = (torch.arange(points.shape[1], device=points.device) + 0.5) / rate_hz
    step = (time_s * video.rate_hz / video.patch[0]).long().clamp(max=steps - 1)  # (T,)
    index = (step[None, :, None] * rows + cell[..., 1]) * columns + cell[..., 0]  # (B, T, K)
    ones = torch.ones_like(xy[..., 0]) if present is None else present[..., None].to(xy.dtype).expand_as(xy[..., 0])
    counts = xy.new_zeros(len(xy), steps * rows * columns)
    counts.scatter_add_(1, index.flatten(1), ones.flatten(1))
    mean = counts.mean(1, keepdim=True)
    return torch.where(mean > 0, 0.5 + 0.5 * counts / mean.clamp(min=1e-6), 1.0)
