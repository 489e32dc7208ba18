"""Losses, value by value."""

import math


def normalised(values, epsilon, *, unbiased):
    mean = sum(values) / len(values)
    variance = sum((v - mean) ** 2 for v in values) / (len(values) - unbiased)
    return [(v - mean) / math.sqrt(variance + epsilon) for v in values]


def squared_error(predicted, target):
    return sum((p - t) ** 2 for p, t in zip(predicted, target, strict=True)) / len(target)


def embedding(predicted, target, present, weights):
    total = share = 0.0
    for b in range(len(predicted)):
        for n in range(len(predicted[b])):
            if present[b][n]:
                wanted = normalised(target[b][n].tolist(), 1e-5, unbiased=False)
                total += float(weights[b][n]) * squared_error(predicted[b][n].tolist(), wanted)
                share += float(weights[b][n])
    return total / share


def reconstruction(predicted, patches, present):
    errors = [
        squared_error(predicted[b][n].tolist(), normalised(patches[b][n].tolist(), 1e-6, unbiased=True))
        for b in range(len(predicted))
        for n in range(len(predicted[b]))
        if present[b][n]
    ]
    return sum(errors) / len(errors)


def binary(logits, labels, valid, smoothing, focal_gamma):
    losses = []
    for logit, label, counts in zip(logits, labels, valid, strict=True):
        if counts and not math.isnan(label):
            p = 1 / (1 + math.exp(-logit))
            soft = label * (1 - smoothing) + 0.5 * smoothing
            loss = -(soft * math.log(p) + (1 - soft) * math.log(1 - p))
            right = p if label == 1 else 1 - p
            losses.append(loss * (1 - right) ** focal_gamma)
    return sum(losses) / len(losses)


def method(logits, labels, valid, smoothing):
    losses = []
    for row, label, counts in zip(logits, labels, valid, strict=True):
        if counts and label >= 0:
            log_sum = math.log(sum(math.exp(v) for v in row))
            soft = [smoothing / len(row) + (1 - smoothing) * (i == label) for i in range(len(row))]
            losses.append(-sum(s * (v - log_sum) for s, v in zip(soft, row, strict=True)))
    return sum(losses) / len(losses)


def balance(codes):
    bits = len(codes[0])
    return sum((sum(code[q] for code in codes) / len(codes)) ** 2 for q in range(bits)) / bits


def landmark_weights(points, present, rate_hz, patch, grid, video_rate_hz, n_frames):
    """One clip: points (T, K, 2) in 0–1."""
    steps, (rows, columns) = n_frames // patch, grid
    counts = [0.0] * (steps * rows * columns)
    for t, frame in enumerate(points):
        if present[t]:
            step = min(int((t + 0.5) / rate_hz * video_rate_hz / patch), steps - 1)
            for x, y in frame:
                column = min(max(int(x * columns), 0), columns - 1)
                row = min(max(int(y * rows), 0), rows - 1)
                counts[(step * rows + row) * columns + column] += 1
    mean = sum(counts) / len(counts)
    return [0.5 + 0.5 * c / mean if mean else 1.0 for c in counts]
