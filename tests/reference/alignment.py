"""Weighted forgery alignment, pair by pair and token by token."""

import math


def cosine(a, b):
    return float(a @ b / (a.norm() * b.norm()))


def mutual_attention(x, y, y_present, temperature):
    """One clip: tokens x (N, D) by tokens y (M, D)."""
    rows = [row for row, here in zip(y, y_present, strict=True) if here]
    result = []
    for token in x:
        powers = [math.exp(cosine(token, row) / temperature) for row in rows]
        result.append(sum(power / sum(powers) * row for power, row in zip(powers, rows, strict=True)))
    return result


def pair_similarity(x, y, x_present, y_present):
    """Two clips: mean over the tokens of x of the best cosine with a token of y."""
    best = [
        max(cosine(a, b) for b, there in zip(y, y_present, strict=True) if there)
        for a, here in zip(x, x_present, strict=True)
        if here
    ]
    return sum(best) / len(best)


def softmax(values, temperature):
    powers = [math.exp(value / temperature) for value in values]
    return [power / sum(powers) for power in powers]


def alignment_loss(x, y, *, logit_scale, weight_temperature, attention_temperature, weighted):
    """Two lists of clips, each (tokens, token_present, code), or None where the stream is absent."""
    pairs = [i for i in range(len(x)) if x[i] is not None and y[i] is not None]
    total = 0.0
    for first, other in ((x, y), (y, x)):
        for i in pairs:
            tokens = first[i][0]
            if attention_temperature is not None:
                tokens = mutual_attention(tokens, other[i][0], other[i][1], attention_temperature)
            similar = [pair_similarity(tokens, other[j][0], first[i][1], other[j][1]) for j in pairs]
            target = softmax(similar, weight_temperature) if weighted else [float(i == j) for j in pairs]
            logits = [float(first[i][2] @ other[j][2]) * logit_scale for j in pairs]
            log_sum = math.log(sum(math.exp(logit) for logit in logits))
            total -= sum(t * (logit - log_sum) for t, logit in zip(target, logits, strict=True))
    return total / (2 * len(pairs))
