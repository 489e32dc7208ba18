"""Labelled clips for training and evaluation, from prepared files."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler, get_worker_info

from hashformer.config import ClipConfig, QualityConfig
from hashformer.config.views import ViewConfig
from hashformer.data.augment import augment
from hashformer.data.clips import cut
from hashformer.data.features import SoundFeatures
from hashformer.data.labels import clip_labels
from hashformer.data.loaded import CollateExamples, Example, Loaded, Parcel
from hashformer.data.manifest import Row
from hashformer.data.prepared import check_prepared, prepared_rows
from hashformer.data.quality import judge
from hashformer.data.sampling import balanced_weights
from hashformer.preprocess.processes import end_with_parent
from hashformer.preprocess.store import read_samples
from hashformer.types import Clip

__all__ = ["ClipLoader", "Example", "Loaded", "PreparedClips", "clip_loader", "loader_of", "prepared_rows"]

_BUFFER_CLIPS = 32
"""Clips that wait to be drawn, so that those of one file do not come in a row; about 80 MB."""


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
        check_prepared(rows, root)
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
        return labelled(
            clip, self.rows[row_idx], row_idx, views=self.views, rng=rng, sample_rate_hz=self.clip.sample_rate_hz
        )


def labelled(
    clip: Clip,
    row: Row,
    row_idx: int,
    *,
    views: Sequence[ViewConfig],
    rng: np.random.Generator,
    sample_rate_hz: int,
) -> Example:
    """An Example of a clip as it was cut: its views, and what the manifest says of these seconds."""
    drawn = [augment(clip, view, rng=rng, sample_rate_hz=sample_rate_hz) for view in views]
    return Example(
        clip=drawn[0] if drawn else clip,
        second=drawn[1] if len(drawn) > 1 else None,
        labels=clip_labels(row, clip.window),
        row_idx=row_idx,
        method=row.method,
        corpus=row.corpus,
    )


class Clips(Protocol):
    """A stream of Examples that says how much sound its clips have around them."""

    context_samples: int

    def __iter__(self) -> Iterator[Example]: ...


class ClipLoader:
    """Gives `Loaded` batches; any number of times, and each time may be left half-way.

    Args:
        loader: Gives Parcels.
    """

    def __init__(self, loader: DataLoader[Parcel]) -> None:
        self._loader = loader

    def __iter__(self) -> Iterator[Loaded]:
        for parcel in self._loader:
            if (loaded := parcel.open()) is not None:
                yield loaded

    def __len__(self) -> int:
        return len(self._loader)


def clip_loader(dataset: Clips, features: SoundFeatures, *, batch_size: int, workers: int = 0) -> ClipLoader:
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
    collate = CollateExamples(features)
    return loader_of(dataset, collate, batch_size=batch_size, workers=workers)


def loader_of(
    dataset: Dataset[Any] | Clips,
    collate: Callable[[Sequence[Any]], Parcel],
    *,
    batch_size: int | None = 1,
    batch_sampler: Sampler[list[int]] | None = None,
    workers: int = 0,
) -> ClipLoader:
    """A loader over any dataset whose items `collate` makes Parcels of.

    Args:
        dataset: Map-style or iterable.
        collate: Makes a Parcel of a list of items.
        batch_size: Items in a batch.
        batch_sampler: Which items come together, for a map-style dataset; `batch_size` then does not count.
        workers: Processes that read beside this one.
    """
    chosen: dict[str, Any] = {"batch_size": batch_size} if batch_sampler is None else {"batch_sampler": batch_sampler}
    return ClipLoader(
        DataLoader(
            dataset,  # type: ignore[arg-type]  # a Clips is an IterableDataset
            num_workers=workers,
            collate_fn=collate,
            multiprocessing_context="spawn" if workers else None,
            worker_init_fn=begin_worker,
            **chosen,
        )
    )


def begin_worker(_: int) -> None:
    """Let a worker use one thread, as there are as many workers as cores, and end with its parent.

    By itself it would not: what it was about to hand on to a parent that was killed keeps it waiting for ever.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    threading.Thread(target=end_with_parent, daemon=True).start()


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
