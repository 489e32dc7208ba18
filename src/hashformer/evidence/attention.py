"""Which tokens a score rests on: the encoder's attention, weighted by how far the logit moves with it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from hashformer.model import HashFormer
from hashformer.model.attention import Attention, key_mask
from hashformer.model.inputs import Stream
from hashformer.types import ModelOutput

Weights = list[Tensor]
"""Attention weights of one layer, (B, heads, n, m) each: of every stream over itself and, last, of fusion over all;
with dense attention, one of all over all."""


class Looked(NamedTuple):
    """What the network looked at in one clip.

    Attributes:
        output: Its answer.
        relevance: For each stream, how far the logit moves with each token, (N,), at least 0.
    """

    output: ModelOutput
    relevance: dict[str, Tensor]


def look(model: HashFormer, streams: Mapping[str, Stream], head: str = "overall") -> Looked:
    """Judge one clip and trace the logit of a head back to the tokens that came in.

    Each encoded token starts with how steeply the logit depends on it. Layer by layer, last to first, it passes that
    on to the tokens that it attended to, by how far that attention moves the logit. So the fusion tokens hand on to
    picture and sound what they gathered there. What the comparison of lips and sound adds has no place on a map, nor
    have traces in single frames and in sound, which have maps of their own.

    Args:
        model: In eval mode.
        streams: Of one clip, from `read_streams`.
        head: One of `types.HEADS`.

    Returns:
        The answer, equal to that of `model.forward`, and the relevance of each stream's tokens.

    Source: Chefer et al. 2021, arXiv 2103.15679, eqs. (5) and (6), of which two things are changed. Slopes count by
    their size, not only where positive: a network that saw a forgery has an even chance to be saturated, and then
    the slope at the very place has the other sign. And the start is the slope at all encoded tokens, since heads read
    tokens of the streams beside those of fusion. On small networks that were taught one mark, this found it in 8 of 8
    and the original rule in 5 of 8 (tests/evidence).
    """
    with torch.enable_grad(), recorded(model) as layers:
        encoded = model.encode(streams)
        tokens = [part.tokens for part in (*encoded.streams.values(), *encoded.fusion.values())]
        output = model.answer(encoded, model.look(streams))
        weights = [block for layer in layers for block in layer]
        logit, inputs = output.logits[head].sum(), [*tokens, *weights]
        # What single frames and sound show is told without tokens.
        slopes = torch.autograd.grad(logit, inputs, allow_unused=True) if logit.requires_grad else [None] * len(inputs)
    slope_of = {id(x): slope for x, slope in zip([*tokens, *weights], slopes, strict=True) if slope is not None}
    flow = torch.cat([_steepness(x, slope_of.get(id(x))) for x in tokens])  # (all N,)
    for layer in reversed(layers):
        flow = flow + flow @ _moved(layer, slope_of, len(flow))
    sizes = [part.tokens.shape[1] for part in encoded.streams.values()]
    parts = torch.split(flow[: sum(sizes)], sizes)
    relevance = {
        name: torch.where(output.token_present[name][0], part, 0.0)
        for name, part in zip(encoded.streams, parts, strict=True)
    }
    return Looked(_detached(output), relevance)


@contextmanager
def recorded(model: HashFormer) -> Iterator[list[Weights]]:
    """Keep the encoder's attention weights, with their gradients, of what the model judges within the block.

    The fast kernels never hold these weights, so they are computed in the open, here and nowhere else. No other
    thread may use the model meanwhile.

    Yields:
        One list for each layer, filled as the model runs.
    """
    attentions: list[Attention] = [layer.attention for layer in model.encoder.layers]  # type: ignore[misc]
    layers: list[Weights] = [[] for _ in attentions]
    for attention, kept in zip(attentions, layers, strict=True):
        attention._merge = partial(_merge, attention, kept)  # type: ignore[method-assign]
    try:
        yield layers
    finally:
        for attention in attentions:
            del attention._merge


def _merge(attention: Attention, kept: Weights, q: Tensor, k: Tensor, v: Tensor, present: Tensor | None) -> Tensor:
    """`Attention._merge` with its weights in the open."""
    likeness = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])  # (B, heads, n, m)
    mask = key_mask(present)
    if mask is not None:
        likeness = likeness.masked_fill(~mask, -math.inf)
    weights = likeness.softmax(-1)
    if not weights.requires_grad:
        weights.requires_grad_()  # the first layer's: nothing before them has a gradient
    kept.append(weights)
    return attention.dropout(attention.to_out((weights @ v).transpose(1, 2).flatten(2)))  # type: ignore[no-any-return]


def _steepness(tokens: Tensor, slope: Tensor | None) -> Tensor:
    return tokens.new_zeros(tokens.shape[1]) if slope is None else slope.norm(dim=-1)[0]


def _moved(layer: Sequence[Tensor], slope_of: Mapping[int, Tensor], n_tokens: int) -> Tensor:
    """How far each token's attention to each other moves the logit, mean over heads, (N, N)."""
    whole = layer[0].new_zeros(n_tokens, n_tokens)
    row = 0
    for weights in layer:
        n, m = weights.shape[2:]
        column = 0 if m == n_tokens else row
        slope = slope_of.get(id(weights))
        if slope is not None:
            whole[row : row + n, column : column + m] = (weights.detach() * slope).abs().mean(1)[0]
        row += n
    return whole


def _detached(output: ModelOutput) -> ModelOutput:
    where = None if output.where is None else output.where.detach()
    return output._replace(logits={name: logit.detach() for name, logit in output.logits.items()}, where=where)
