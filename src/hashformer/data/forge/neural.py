"""The neural resynthesis by the file of its autoencoder: what workers that read clips can be sent."""

from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from hashformer.data.forge.autoencoder import Autoencoder
from hashformer.data.forge.base import Forged, ForgeryKind
from hashformer.data.forge.resynthesis import neural_kind
from hashformer.types import Clip


def neural_kind_from(path: str) -> ForgeryKind:
    """`neural_resynthesis` with an autoencoder of a file, which each process reads once.

    Args:
        path: File that `Autoencoder.save` wrote.

    Raises:
        WeightsError: If the file cannot be read.
    """
    absolute = str(Path(path).absolute())
    loaded = _loaded(absolute)  # here, so that a wrong file is told before the first clip
    # The path goes to other processes, not the network: tensors that are sent live in shared memory of their sender.
    return ForgeryKind(name=loaded.name, make=partial(_forge, path=absolute), needs=loaded.needs)


def _forge(clip: Clip, partner: Clip | None, *, rng: np.random.Generator, sample_rate_hz: int, path: str) -> Forged:
    return _loaded(path).make(clip, partner, rng=rng, sample_rate_hz=sample_rate_hz)


@lru_cache(maxsize=2)
def _loaded(path: str) -> ForgeryKind:
    return neural_kind(Autoencoder.load(path))
