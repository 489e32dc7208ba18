"""Selective forgery alignment as one dense attention with an N × N mask; pooling and heads one item at a time."""

import math

import torch

from hashformer.model.positions import Rotary, rotate


def visible(names, sizes, present, selective=True):
    """Which token may look at which: (B, N, N)."""
    kind = [name for name, size in zip(names, sizes, strict=True) for _ in range(size)]
    n_items = len(present)
    mask = torch.zeros(n_items, len(kind), len(kind), dtype=torch.bool)
    for b in range(n_items):
        for i, query in enumerate(kind):
            for j, key in enumerate(kind):
                allowed = not selective or query in (key, "fusion")
                mask[b, i, j] = allowed and bool(present[b, j])
    return mask


def masked_attention(module, tokens, angles, present, selective=True):
    """What `Attention` gives, by an N × N mask over all tokens; NaN where a token may look at nothing."""
    names = list(tokens)
    x = torch.cat(list(tokens.values()), 1)
    joined = Rotary(
        torch.cat([angles[name].cos for name in names], -2), torch.cat([angles[name].sin for name in names], -2)
    )
    here = torch.cat(
        [torch.ones(tokens[n].shape[:2], dtype=torch.bool) if present[n] is None else present[n] for n in names], 1
    )
    mask = visible(names, [tokens[name].shape[1] for name in names], here, selective)
    heads = module.heads
    inner = module.to_out.weight.shape[1]
    out = torch.zeros(*x.shape[:2], inner)
    q, k, v = (x @ w.T for w in module.to_qkv.weight.chunk(3))
    size = inner // heads
    for h in range(heads):
        part = slice(h * size, (h + 1) * size)
        qh, kh = rotate(q[:, None, :, part], joined)[:, 0], rotate(k[:, None, :, part], joined)[:, 0]
        scores = qh @ kh.transpose(1, 2) / math.sqrt(size)
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        out[:, :, part] = weights @ v[:, :, part]
    whole = out @ module.to_out.weight.T
    return dict(zip(names, whole.split([tokens[n].shape[1] for n in names], 1), strict=True))


def gelu(value):
    return 0.5 * value * (1 + math.erf(value / math.sqrt(2)))


def feedforward(module, x):
    """GEGLU of one token, value by value."""
    wide = [sum(w * value for w, value in zip(row, x, strict=True)) for row in module.widen.weight.tolist()]
    inner = len(wide) // 2
    gated = [wide[i] * gelu(wide[inner + i]) for i in range(inner)]
    return [sum(w * value for w, value in zip(row, gated, strict=True)) for row in module.narrow.weight.tolist()]


def pool(module, tokens, present, group):
    """One item: its tokens (N, D) of which those present count."""
    rows = [module.norm(token) for token, here in zip(tokens, present, strict=True) if here]
    query = module.to_q.weight @ module.queries[module.index[group]]
    keys, values = module.to_kv.weight.chunk(2)
    size = len(query) // module.heads
    parts = []
    for h in range(module.heads):
        part = slice(h * size, (h + 1) * size)
        scores = torch.stack([query[part] @ (keys @ row)[part] for row in rows]) / math.sqrt(size)
        weights = scores.exp() / scores.exp().sum()
        parts.append(sum(w * (values @ row)[part] for w, row in zip(weights, rows, strict=True)))
    return module.to_out.weight @ torch.cat(parts)


def group_head(module, groups, present):
    """One item: its groups (G, D) of which those present count."""
    rows = [group for group, here in zip(groups, present, strict=True) if here]
    if module.mixes:
        q, k, v = ([w @ row for row in rows] for w in module.to_qkv.weight.chunk(3))
        size = len(q[0]) // module.heads
        mixed = []
        for i, row in enumerate(rows):
            parts = []
            for h in range(module.heads):
                part = slice(h * size, (h + 1) * size)
                scores = torch.stack([q[i][part] @ key[part] for key in k]) / math.sqrt(size)
                weights = scores.exp() / scores.exp().sum()
                parts.append(sum(w * value[part] for w, value in zip(weights, v, strict=True)))
            mixed.append(row + module.to_out.weight @ torch.cat(parts))
        rows = mixed
    mean = sum(module.norm(row) for row in rows) / len(rows)
    hidden = module.hidden(mean)
    return module.out(torch.tensor([gelu(value) for value in hidden.tolist()]))
