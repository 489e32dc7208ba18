"""Labelled clips from WebDataset shards: the counterpart of `PreparedClips`, for a cluster's disks."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from torch.utils.data import IterableDataset

from hashformer.config import ClipConfig, QualityConfig
from hashformer.config.views import ViewConfig
from hashformer.data.clips import cut
from hashformer.data.dataset import labelled
from hashformer.data.loaded import Example
from hashformer.data.quality import judge
from hashformer.data.shards import entries_of, packed_row, unpacked
from hashformer.preprocess.store import read_samples


class ShardClips(IterableDataset[Example]):
    """Every clip of every packed file once, in the order of the shards: what `PreparedClips` gives of the folders.

    Shards are read from front to back, so that files are drawn by shuffling when they are packed
    (`pack_folders(seed=…)`). Workers and distributed ranks each read their own part of the shards; there should be at
    least as many shards as processes.

    Args:
        shards: The folder that `pack_folders` made with a manifest's rows, or addresses of shards.
        clip: Length, stride and rates, as the model's config has them.
        context_samples: Of the features that will be computed.
        quality: Streams below it are taken out; clips with nothing left are passed over.
        views: None for clips as they are; one for augmented clips; two for pairs of views.
        seed: Decides the views.
    """

    def __init__(
        self,
        shards: Path | Sequence[str],
        *,
        clip: ClipConfig,
        context_samples: int,
        quality: QualityConfig,
        views: Sequence[ViewConfig] = (),
        seed: int = 0,
    ) -> None:
        self.shards, self.clip, self.quality = shards, clip, quality
        self.context_samples, self.views, self.seed, self.epoch = context_samples, tuple(views), seed, 0

    def __iter__(self) -> Iterator[Example]:
        """The clips of this process's part of the shards.

        Raises:
            SetupError: If WebDataset is not installed.
            StoreError: If there are no shards, a packed file is damaged, or it was packed without its row.
            MediaError: If crops or sound cannot be decoded.
        """
        for entry in entries_of(self.shards):
            row, row_idx = packed_row(entry)
            rng = np.random.default_rng((self.seed, self.epoch, row_idx))
            with unpacked(entry) as folder:
                for clip in cut(read_samples(folder), self.clip, context_samples=self.context_samples):
                    judged = judge(clip, self.quality)
                    if not judged.empty:
                        rate_hz = self.clip.sample_rate_hz
                        yield labelled(judged.clip, row, row_idx, views=self.views, rng=rng, sample_rate_hz=rate_hz)
