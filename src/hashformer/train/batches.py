"""Batches made alike on every device."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from hashformer.errors import TrainError
from hashformer.model.inputs import StreamSpec
from hashformer.types import Batch


def complete(batch: Batch, specs: Mapping[str, StreamSpec]) -> Batch:
    """The batch with every stream that the model reads: one that no clip has is there, and absent everywhere.

    All devices then compute the same parts of the loss, and every weight gets a gradient on each of them.

    Args:
        batch: Left as it is.
        specs: Streams of the model.

    Raises:
        TrainError: If the batch holds none of them.
    """
    given: dict[str, Tensor] = {name: x for name in specs if (x := getattr(batch, name)) is not None}
    if not given:
        raise TrainError(f"a batch holds none of the streams that the model reads: {', '.join(specs)}")
    name, like = next(iter(given.items()))
    seconds = like.shape[1] / specs[name].rate_hz
    filled, present = {}, dict(batch.present)
    for name, spec in specs.items():
        if name not in given:
            n_frames = round(seconds * spec.rate_hz)
            shape = {"audio": spec.shape[1:2], "video": spec.shape, "landmarks": spec.shape[:1]}[name]
            filled[name] = like.new_zeros(len(like), n_frames, *shape)
            present[name] = torch.zeros(len(like), n_frames, dtype=torch.bool, device=like.device)
    return replace(batch, **filled, present=present)
