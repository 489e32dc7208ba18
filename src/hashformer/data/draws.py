"""Which draws a step takes, and the loaders over them: what makes a run resumable and the same on many devices."""

import math
from collections.abc import Iterator

from torch.utils.data import Sampler

from hashformer.data.dataset import ClipLoader, loader_of
from hashformer.data.features import SoundFeatures
from hashformer.data.loaded import CollateGroups
from hashformer.data.training import ForgedValidation, TrainingClips


class DrawSampler(Sampler[list[int]]):
    """Draws `first` to `first + n`, step by step; the ranks of a step take neighbouring shares of it.

    A step of `world` devices thus takes the draws that one device with `world` times as many a step would, and a run
    that did `k` steps goes on with `first = k · batch_draws · world`.

    Args:
        first: Number of the first draw.
        n: Draws of all devices together, a multiple of `batch_draws · world`.
        batch_draws: Draws of a step on each device.
        rank: This device.
        world: Devices.

    Raises:
        ValueError: If `n` is no such multiple, or a number is out of range.
    """

    def __init__(self, first: int, n: int, *, batch_draws: int, rank: int = 0, world: int = 1) -> None:
        if first < 0 or batch_draws < 1 or not 0 <= rank < world:
            raise ValueError(f"no such draws: first={first}, batch_draws={batch_draws}, rank={rank}, world={world}")
        if n < 1 or n % (batch_draws * world):
            raise ValueError(f"n={n} must be a multiple of batch_draws · world = {batch_draws * world}")
        self.first, self.n, self.batch_draws, self.rank, self.world = first, n, batch_draws, rank, world

    def __len__(self) -> int:
        return self.n // (self.batch_draws * self.world)

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(len(self)):
            start = self.first + (step * self.world + self.rank) * self.batch_draws
            yield list(range(start, start + self.batch_draws))


class _RowSampler(Sampler[list[int]]):
    def __init__(self, n_rows: int, *, batch_rows: int, rank: int, world: int) -> None:
        self._batch_rows, self._rows = batch_rows, list(range(rank, n_rows, world))

    def __len__(self) -> int:
        return math.ceil(len(self._rows) / self._batch_rows)

    def __iter__(self) -> Iterator[list[int]]:
        for start in range(0, len(self._rows), self._batch_rows):
            yield self._rows[start : start + self._batch_rows]


def training_loader(
    data: TrainingClips, features: SoundFeatures, sampler: DrawSampler, *, workers: int = 0
) -> ClipLoader:
    """A loader of training draws; a batch holds the clips of `sampler.batch_draws` draws.

    Args:
        data: The draws.
        features: How sound is read, of the same config as the data's.
        sampler: Which draws.
        workers: Processes that read beside this one; what is read does not depend on them.
    """
    return loader_of(data, CollateGroups(features), batch_sampler=sampler, workers=workers)


def validation_loader(
    data: ForgedValidation,
    features: SoundFeatures,
    *,
    batch_rows: int,
    rank: int = 0,
    world: int = 1,
    workers: int = 0,
) -> ClipLoader:
    """A loader of every row of the validation set, once over all devices; one may get a row more than another.

    Args:
        data: The rows.
        features: How sound is read, of the same config as the data's.
        batch_rows: Files in a batch; each gives a clip for every kind of forgery, and one as it is.
        rank: This device.
        world: Devices.
        workers: Processes that read beside this one.
    """
    sampler = _RowSampler(len(data), batch_rows=batch_rows, rank=rank, world=world)
    return loader_of(data, CollateGroups(features), batch_sampler=sampler, workers=workers)
