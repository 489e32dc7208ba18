"""The terms of the loss, each from what the network made of a batch."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from hashformer.config import LossConfig
from hashformer.losses.classification import binary_loss, head_labels, method_loss
from hashformer.losses.contrastive import AlignmentSettings, alignment_loss, balance_loss
from hashformer.losses.distillation import embedding_loss
from hashformer.losses.gather import View, total_over_devices
from hashformer.losses.reconstruction import reconstruction_loss
from hashformer.model import HashFormer
from hashformer.model.encoder import Encoded
from hashformer.model.inputs import Stream
from hashformer.model.tokens import Segment, kept_index, patch_present, patches
from hashformer.types import ModelOutput

INTER_PAIRS = (("audio", "video"), ("landmarks", "video"), ("audio", "landmarks"))
"""Streams of one clip that are aligned."""


class Term(NamedTuple):
    """One term of the loss.

    Attributes:
        value: A scalar, before its weight.
        parts: What it is made of, by name, without gradient.
        skipped: Parts that could not be computed for this batch, and why.
    """

    value: Tensor
    parts: dict[str, Tensor]
    skipped: dict[str, str]


def views_of(model: HashFormer, streams: Mapping[str, Segment], pooled: Mapping[str, Tensor]) -> dict[str, View]:
    """Every stream that the model reads as the contrastive loss sees it; one that the batch lacks is absent.

    Args:
        model: Gives the codes.
        streams: Encoded tokens.
        pooled: Of the same streams, (B, D).
    """
    codes = model.codes(pooled) or {name: functional.normalize(vector, dim=-1) for name, vector in pooled.items()}
    like = next(iter(pooled.values()))
    views = {}
    for name in model.specs:
        if name not in streams:
            # All devices take part in every gather, forward and backward, whatever their own batch lacks.
            nothing = torch.zeros(len(like), 1, dtype=torch.bool, device=like.device)
            vectors = torch.zeros_like(next(iter(codes.values()))) + like.sum() * 0
            views[name] = View(like.new_zeros(len(like), 1, like.shape[1]), nothing, vectors, nothing[:, 0])
            continue
        tokens, present = streams[name].tokens, streams[name].present
        here = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device) if present is None else present
        views[name] = View(tokens, here, codes[name], here.any(1))
    return views


def contrast_term(
    config: LossConfig, hash_bits: int | None, first: Mapping[str, View], second: Mapping[str, View] | None
) -> Term:
    """Alignment of two views of each stream, of the streams of each clip, and balance of the bits.

    Args:
        config: How it is computed.
        hash_bits: Bits Q of a code; None with hashing off.
        first: Streams of the batch.
        second: Streams of its second view; None leaves intra pairs out.
    """
    settings = AlignmentSettings(
        logit_scale=1 / (config.logit_temperature * (hash_bits or 1)),
        weight_temperature=config.weight_temperature,
        attention_temperature=config.attention_temperature if config.mutual_attention else None,
        weighted=config.contrast_targets == "weighted",
    )
    pairs: dict[str, tuple[View, View]] = {}
    if second is not None:
        pairs |= {f"intra_{name}": (view, second[name]) for name, view in first.items()}
    if config.contrast_inter:
        pairs |= {f"inter_{a}_{b}": (first[a], first[b]) for a, b in INTER_PAIRS if a in first and b in first}
    found = {name: alignment_loss(x, y, settings) for name, (x, y) in pairs.items()}
    parts = {name: loss for name, loss in found.items() if loss is not None}
    reason = "fewer than two clips of the whole batch have both"
    skipped = {name: reason for name, loss in found.items() if loss is None}
    # A skipped pair leaves its codes in the graph, so that distributed training finds every gradient.
    value = sum(view.vectors.sum() * 0 for view in (*first.values(), *(second or {}).values()))
    for kind in ("intra", "inter"):
        losses = [loss for name, loss in parts.items() if name.startswith(kind)]
        value = value + torch.stack(losses).mean() if losses else value
    if hash_bits and config.balance_weight:
        parts["balance"] = torch.stack([balance_loss(view) for view in first.values()]).mean()
        value = value + config.balance_weight * parts["balance"]
    return term(torch.as_tensor(value), parts, skipped)


def masked_embedding_parts(
    predicted: Mapping[str, Tensor], targets: Mapping[str, Segment], weights: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """For each stream, how well its embedding was told from itself masked.

    Args:
        predicted: (B, N, D) of each stream.
        targets: The teacher's tokens.
        weights: How much each token counts, (B, N), for streams where they differ.
    """
    return {
        f"masked_{name}": embedding_loss(answer, targets[name].tokens, targets[name].present, weights.get(name))
        for name, answer in predicted.items()
    }


def cross_embedding_parts(
    predicted: Mapping[tuple[str, str], Tensor], targets: Mapping[str, Segment], weights: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """For each pair of streams, how well one's embedding was told from the other's, where clips have both."""
    parts = {}
    for (source, target), answer in predicted.items():
        present = targets[target].present
        if targets[source].present is not None:
            has_source = targets[source].present.any(1, keepdim=True)  # type: ignore[union-attr]
            present = has_source.expand(answer.shape[:2]) if present is None else present & has_source
        parts[f"cross_{source}_{target}"] = embedding_loss(answer, targets[target].tokens, present, weights.get(target))
    return parts


def distill_term(masked: Mapping[str, Tensor], cross: Mapping[str, Tensor], clean: Encoded) -> Term:
    """Mean of the masked parts plus mean of the parts across streams; `clean` keeps an empty sum in the graph."""
    parts = {**masked, **cross}
    means = [torch.stack(list(group.values())).mean() for group in (masked, cross) if group]
    skipped = {} if cross else {"cross": "no two streams in the batch of which one is told from the other"}
    return term(torch.stack([_nothing(clean), *means]).sum(), parts, skipped)


def mae_term(
    predicted: Mapping[str, Tensor],
    hidden: Mapping[str, Tensor],
    streams: Mapping[str, Stream],
    model: HashFormer,
    visible: Encoded,
) -> Term:
    """Mean over streams of the error of their hidden patches.

    Args:
        predicted: Of each stream with a decoder, its hidden patches, (B, n, P).
        hidden: Which they were, (B, N) bool.
        streams: The streams as they came.
        model: Knows how they are cut.
        visible: Keeps an empty sum in the graph.
    """
    parts = {}
    for name, answer in predicted.items():
        index = kept_index(hidden[name])  # (B, n)
        cut = patches(streams[name].values, model.specs[name].patch)
        target = cut.gather(1, index[..., None].expand(-1, -1, cut.shape[-1]))
        given, spec = streams[name].present, model.specs[name]
        present = None if given is None else patch_present(given, spec)
        parts[name] = reconstruction_loss(answer, target, None if present is None else present.gather(1, index))
    skipped: dict[str, str] = {
        name: "not in the batch" for name in ("audio", "video") if name in model.specs and name not in parts
    }
    value = torch.stack(list(parts.values())).mean() if parts else _nothing(visible)
    return term(value, parts, skipped)


def cls_term(config: LossConfig, output: ModelOutput, labels: Mapping[str, Tensor]) -> Term:
    """Mean over the heads that have something to learn from this batch.

    Args:
        config: Smoothing and focus.
        output: Of the model.
        labels: As for `head_labels`, and `method` as for `method_loss`.
    """
    here = {name: mask.any(1) for name, mask in output.token_present.items()}
    wanted = head_labels(labels, here)
    parts, skipped = {}, {}
    value = sum(logit.sum() * 0 for logit in output.logits.values())
    for head, logit in output.logits.items():
        if total_over_devices((output.valid[head] & ~wanted[head].isnan()).sum()) > 0:
            parts[head] = binary_loss(
                logit,
                wanted[head],
                output.valid[head],
                smoothing=config.label_smoothing,
                focal_gamma=config.focal_gamma,
            )
        else:
            skipped[head] = "no clip of the whole batch has both its streams and its label"
    if output.method_logits is not None and "method" in labels:
        parts["method"] = method_loss(
            output.method_logits, labels["method"], output.valid["overall"], smoothing=config.label_smoothing
        )
    if parts:
        value = value + torch.stack(list(parts.values())).mean()
    return term(torch.as_tensor(value), parts, skipped)


def clean_encoding(model: HashFormer, streams: Mapping[str, Stream], *, with_fusion: bool) -> Encoded:
    """Encode whole streams; with dense attention fusion tokens always take part, for all tokens see them."""
    return model.encode(streams, with_fusion=with_fusion or model.config.attention == "dense")


def _nothing(encoded: Encoded) -> Tensor:
    return torch.stack([part.tokens.sum() for part in encoded.streams.values()]).sum() * 0


def term(value: Tensor, parts: Mapping[str, Tensor], skipped: dict[str, str]) -> Term:
    """A term, its parts without gradient."""
    return Term(value, {name: part.detach() for name, part in parts.items()}, skipped)
