"""Positions, value by value."""

import math


def sincos(position, width):
    half = width // 2
    values = [math.sin(position * 10_000 ** (-i / max(half, 1))) for i in range(half)]
    values += [math.cos(position * 10_000 ** (-i / max(half, 1))) for i in range(half)]
    return values + [0.0] * (width - 2 * half)


def rotate(x, time_s, min_period_s, max_period_s):
    """One vector (list of an even number of values) turned pair by pair: value i goes with value i + half."""
    half = len(x) // 2
    turned = [0.0] * len(x)
    for i in range(half):
        period = min_period_s * (max_period_s / min_period_s) ** (i / (half - 1))
        angle = 2 * math.pi * time_s / period
        turned[i] = x[i] * math.cos(angle) - x[i + half] * math.sin(angle)
        turned[i + half] = x[i] * math.sin(angle) + x[i + half] * math.cos(angle)
    return turned
