"""Labelled clips for training and evaluation, from prepared files."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from hashformer.config import ClipConfig, QualityConfig
from hashformer.config.views import ViewConfig
from hashformer.data.augment import augment
from hashformer.data.batch import collate
from hashformer.data.clips import cut
from hashformer.data.features import SoundFeatures
from hashformer.data.labels import clip_labels
from hashformer.data.manifest import Row
from hashformer.data.quality import judge
from hashformer.data.sampling import balanced_weights
from hashformer.errors import StoreError
from hashformer.preprocess.store import read_samples
from hashformer.timebase import Window
from hashformer.types import Batch, Clip

_BUFFER_CLIPS = 32
"""Clips that wait to be drawn, so that those of one file do not come in a row; about 80 MB."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One labelled clip.

    Attributes:
        clip: The clip, augmented if the dataset does so.
        second: The same clip in another view; None unless two views are drawn.
        labels: As `labels.clip_labels` gives them.
        row_idx: Which row of the manifest it comes from.
    """

    clip: Clip
    second: Clip | None
    labels: dict[str, float]
    row_idx: int


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A batch with what is true of it.

    Attributes:
        batch: What the model reads.
        second: The second view of the same clips, or None.
        labels: `video`, `audio`, `sync`, `overall`: (B,) float32, NaN where not known.
        row_idx: Row of the manifest of each clip.
        windows: Seconds of each clip.
        track_ids: Face of each clip; None for sound alone.
    """

    batch: Batch
    second: Batch | None
    labels: dict[str, Tensor]
    row_idx: list[int]
    windows: list[Window]
    track_ids: list[int | None]


def prepared_rows(rows: Sequence[Row], root: Path) -> tuple[list[Row], list[Row]]:
    """Split rows into those whose file was prepared under `root` and those that are missing there."""
    done: list[Row] = []
    missing: list[Row] = []
    for row in rows:
        (done if (root / row.path / "sample.json").is_file() else missing).append(row)
    return done, missing


class PreparedClips(IterableDataset[Example]):
    """Clips of prepared files.

    `draw="every"` gives every clip of every file once, in order: for evaluation. `draw="balanced"` draws
    as many files as there are rows, with the chances of `balanced_weights`, and a few clips of each:
    for training; an epoch then is a fixed amount of work, and differs from the next.

    Workers and distributed ranks share the files out; each file goes to one of them.

    Args:
        rows: The manifest's rows.
        root: Where `hashformer preprocess` put them: row `a/b.mp4` is the folder `root/a/b.mp4`.
        clip: Length, stride and rates, as the model's config has them.
        context_samples: Of the features that will be computed.
        quality: Streams below it are taken out, as in detection; clips with nothing left are passed over.
        draw: See above.
        clips_per_file: Most clips of one drawn file.
        views: None for clips as they are; one for augmented clips; two for pairs of views.
        seed: Decides every draw.

    Raises:
        StoreError: If there is no row, or a row's file was not prepared.
    """

    def __init__(  # noqa: PLR0913 -- each is a plain property of the stream of clips
        self,
        rows: Sequence[Row],
        root: Path,
        *,
        clip: ClipConfig,
        context_samples: int,
        quality: QualityConfig,
        draw: Literal["every", "balanced"] = "every",
        clips_per_file: int = 4,
        views: Sequence[ViewConfig] = (),
        seed: int = 0,
    ) -> None:
        if not rows:
            raise StoreError(f"{root}: no rows to load. Is the manifest empty, or its split misspelt?")
        if missing := prepared_rows(rows, root)[1]:
            raise StoreError(
                f"{root}: {len(missing)} of {len(rows)} files were not prepared, {missing[0].path} for one. "
                "Prepare them, or leave them out with prepared_rows."
            )
        self.rows, self.root, self.clip, self.quality = list(rows), root, clip, quality
        self.context_samples, self.draw, self.clips_per_file = context_samples, draw, clips_per_file
        self.views, self.seed, self.epoch = tuple(views), seed, 0
        self._weights = balanced_weights(rows) if draw == "balanced" else None

    def __iter__(self) -> Iterator[Example]:
        share, n_shares = _share_of_this_process()
        order = self._order()[share::n_shares]
        if self._weights is None:
            for row_idx in order:
                yield from self._examples(row_idx, np.random.default_rng((self.seed, self.epoch, row_idx)))
            return
        rng = np.random.default_rng((self.seed, self.epoch, share))
        waiting: deque[Example] = deque()
        for row_idx in order:
            for example in self._examples(row_idx, rng):
                waiting.append(example)
                if len(waiting) > _BUFFER_CLIPS:
                    yield _take(waiting, rng)
        while waiting:
            yield _take(waiting, rng)

    def _order(self) -> list[int]:
        if self._weights is None:
            return list(range(len(self.rows)))
        rng = np.random.default_rng((self.seed, self.epoch))
        chances = self._weights.astype(np.float64)
        return [int(row) for row in rng.choice(len(self.rows), len(self.rows), p=chances / chances.sum())]

    def _examples(self, row_idx: int, rng: np.random.Generator) -> Iterator[Example]:
        row = self.rows[row_idx]
        clips: Iterable[Clip] = cut(read_samples(self.root / row.path), self.clip, context_samples=self.context_samples)
        if self._weights is not None:
            clips = _some(clips, self.clips_per_file, rng)
        for clip in clips:
            judged = judge(clip, self.quality)
            if not judged.empty:
                yield self._example(row_idx, judged.clip, rng)

    def _example(self, row_idx: int, clip: Clip, rng: np.random.Generator) -> Example:
        views = [augment(clip, view, rng=rng, sample_rate_hz=self.clip.sample_rate_hz) for view in self.views]
        return Example(
            clip=views[0] if views else clip,
            second=views[1] if len(views) > 1 else None,
            labels=clip_labels(self.rows[row_idx], clip.window),
            row_idx=row_idx,
        )


def clip_loader(
    dataset: PreparedClips, features: SoundFeatures, *, batch_size: int, workers: int = 0
) -> DataLoader[Loaded]:
    """A loader of `Loaded` batches.

    Args:
        dataset: The clips.
        features: How sound is read; the dataset's `context_samples` must be its own.
        batch_size: Clips in a batch; the last may be smaller, and is not dropped.
        workers: Processes that read beside this one.

    Raises:
        ValueError: If the context of dataset and features differ.
    """
    if dataset.context_samples != features.context_samples:
        raise ValueError(
            f"context_samples: {dataset.context_samples} in the dataset, {features.context_samples} needed"
        )
    return DataLoader(
        dataset,  # type: ignore[arg-type]  # it gives Examples; collate_fn makes Loaded of them
        batch_size=batch_size,
        num_workers=workers,
        collate_fn=_Collate(features),
        persistent_workers=False,
        multiprocessing_context="spawn" if workers else None,
    )


@dataclass(frozen=True)
class _Collate:
    features: SoundFeatures

    def __call__(self, examples: Sequence[Example]) -> Loaded:
        seconds = [example.second for example in examples if example.second is not None]
        names: Mapping[str, float] = examples[0].labels
        return Loaded(
            batch=collate([example.clip for example in examples], self.features),
            second=collate(seconds, self.features) if seconds else None,
            labels={name: torch.tensor([example.labels[name] for example in examples]) for name in names},
            row_idx=[example.row_idx for example in examples],
            windows=[example.clip.window for example in examples],
            track_ids=[example.clip.track_id for example in examples],
        )


def _share_of_this_process() -> tuple[int, int]:
    """Which share of the files this loader process reads, and how many shares there are."""
    worker = get_worker_info()
    worker_idx, n_workers = (worker.id, worker.num_workers) if worker else (0, 1)
    is_distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    rank, n_ranks = (torch.distributed.get_rank(), torch.distributed.get_world_size()) if is_distributed else (0, 1)
    return rank * n_workers + worker_idx, n_ranks * n_workers


def _some(clips: Iterable[Clip], n: int, rng: np.random.Generator) -> list[Clip]:
    """At most `n` of the clips, each as likely as any other; no more than `n` are held."""
    kept: list[Clip] = []
    for count, clip in enumerate(clips):
        if count < n:
            kept.append(clip)
        elif (place := int(rng.integers(count + 1))) < n:
            kept[place] = clip
    return kept


def _take(waiting: deque[Example], rng: np.random.Generator) -> Example:
    waiting.rotate(int(rng.integers(len(waiting))))
    return waiting.popleft()
