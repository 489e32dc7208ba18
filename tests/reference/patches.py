"""Patches by loops."""


def patches(values, patch):
    """(T, C, rows, columns) of one item to a list of patches, each a flat list, channels fastest."""
    frames, channels, rows, columns = values.shape
    t, h, w = patch
    return [
        [
            float(values[i + a, c, y + b, x + d])
            for a in range(t)
            for b in range(h)
            for d in range(w)
            for c in range(channels)
        ]
        for i in range(0, frames, t)
        for y in range(0, rows, h)
        for x in range(0, columns, w)
    ]
