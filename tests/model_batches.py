"""Batches of noise in the shape that preset `tiny` reads."""

import torch

from hashformer.types import Batch

STREAMS = ("audio", "video", "landmarks")


def make_batch(n_clips, *, seed=0, side=32, streams=STREAMS):
    """Noise; every stream there, everywhere."""
    generator = torch.Generator().manual_seed(seed)
    made = {
        "audio": torch.randn(n_clips, 100, 128, generator=generator) * 4 - 10,
        "video": torch.rand(n_clips, 16, 3, side, side, generator=generator),
        "landmarks": torch.rand(n_clips, 16, 956, generator=generator),
    }
    return Batch(**{name: made[name] for name in streams}, present={})


def everywhere(batch):
    """Presence masks that say that all is there."""
    named = {name: getattr(batch, name) for name in STREAMS}
    return {name: torch.ones(x.shape[:2], dtype=torch.bool) for name, x in named.items() if x is not None}
