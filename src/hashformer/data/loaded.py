"""A batch with what is true of it, and how it goes from the process that reads to the one that trains.

Pictures travel as bytes, a quarter of what floats would take. Between processes there are arrays only, no tensor:
torch gives the interpreter's lock away while it shares or frees one, in the thread that feeds the queue, and a worker
that is told to leave at that moment is aborted ("terminate called without an active exception").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hashformer.data.batch import PackedBatch, Stacked, packed_from, stack
from hashformer.data.features import SoundFeatures
from hashformer.timebase import Window
from hashformer.types import Batch, Clip, Floats

MASK_CELLS = 28
"""Rows and columns of `Example.mask`: tokens of 8 px on a crop of 224 px."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One labelled clip.

    Attributes:
        clip: The clip, augmented if the dataset does so.
        second: The same clip in another view; None unless two views are drawn.
        labels: As `labels.clip_labels` gives them.
        row_idx: Which row of the manifest it comes from.
        kind: Name of the forgery that was made of the clip; "" for one as it is in the corpus.
        method: What the manifest says made the file; the forgery's name if one was made of the clip.
        corpus: Name of the corpus.
        mask: Share of each cell that was forged, (T, MASK_CELLS, MASK_CELLS) float32, 0–1; None if not known.
        refused: Names of the forgeries that this clip did not allow, before `kind` was made.
        blind: Whether the picture is not to be shown; so for all clips of a batch or none.
    """

    clip: Clip
    second: Clip | None
    labels: dict[str, float]
    row_idx: int
    kind: str = ""
    method: str = ""
    corpus: str = ""
    mask: Floats | None = None
    refused: tuple[str, ...] = ()
    blind: bool = False


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A batch with what is true of it.

    Attributes:
        packed: The clips, pictures as bytes; `batch` is what the model reads.
        packed_second: The second view of the same clips, or None.
        labels: `video`, `audio`, `sync`, `overall`: (B,) float32, NaN where not known.
        row_idx: Row of the manifest of each clip.
        windows: Seconds of each clip.
        track_ids: Face of each clip; None for sound alone.
        kinds: Forgery made of each clip; "" for a clip as it is in the corpus.
        methods: What the manifest says made each file, or the forgery's name.
        corpora: Name of each clip's corpus.
        masks: Share of each cell that is forged, (B, T, MASK_CELLS, MASK_CELLS) float32, 0–1, NaN where not
            known; None if it is known of no clip.
        pairs: Rows of the batch that belong together: (real, its forgery), (n, 2) int64.
        refused: How often a forgery was tried in vain, by name.
    """

    packed: PackedBatch
    packed_second: PackedBatch | None
    labels: dict[str, Tensor]
    row_idx: list[int]
    windows: list[Window]
    track_ids: list[int | None]
    kinds: list[str]
    methods: list[str]
    corpora: list[str]
    masks: Tensor | None
    pairs: Tensor
    refused: dict[str, int] = field(default_factory=dict)

    @cached_property
    def batch(self) -> Batch:
        """What the model reads; made of `packed` when first asked for, on the device where that is."""
        return self.packed.unpack()

    @cached_property
    def second(self) -> Batch | None:
        """The second view of the same clips, or None."""
        return None if self.packed_second is None else self.packed_second.unpack()

    def to(self, device: torch.device) -> Self:
        """The same batch on another device; pictures move as bytes."""
        second = self.packed_second
        return replace(
            self,
            packed=self.packed.to(device),
            packed_second=None if second is None else second.to(device),
            labels={name: values.to(device) for name, values in self.labels.items()},
            masks=None if self.masks is None else self.masks.to(device),
            pairs=self.pairs.to(device),
        )


@dataclass(frozen=True)
class Parcel:
    """A `Loaded` on its way between processes.

    Attributes:
        content: The fields of `Loaded`: arrays that own their memory for tensors, `Stacked` for packed batches.
            Nothing if there is no example.
    """

    content: dict[str, Any]

    def open(self) -> Loaded | None:
        """The batch; None if nothing of it could be judged."""
        if not self.content:
            return None
        return Loaded(**{name: _opened(value) for name, value in self.content.items()})


def _opened(value: Any) -> Any:
    if isinstance(value, Stacked):
        return packed_from(value)
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    return {name: _opened(part) for name, part in value.items()} if isinstance(value, dict) else value


@dataclass(frozen=True)
class CollateGroups:
    """Joins groups of Examples, each a real clip and what was made of it, or a single clip, into one batch.

    Attributes:
        features: How sound is read.
    """

    features: SoundFeatures

    def __call__(self, groups: Sequence[Sequence[Example]]) -> Parcel:
        """Join them; groups stay in order, and the first of a group is what the others of it were made of."""
        examples = [example for group in groups for example in group]
        seconds = [example.second for example in examples if example.second is not None]
        if not examples:
            return Parcel({})
        names: Mapping[str, float] = examples[0].labels
        refused = [name for example in examples for name in example.refused]
        content: dict[str, Any] = {
            "packed": self._stacked([example.clip for example in examples], blind=examples[0].blind),
            "packed_second": self._stacked(seconds, blind=examples[0].blind) if seconds else None,
            "labels": {name: np.array([example.labels[name] for example in examples], np.float32) for name in names},
            "row_idx": [example.row_idx for example in examples],
            "windows": [example.clip.window for example in examples],
            "track_ids": [example.clip.track_id for example in examples],
            "kinds": [example.kind for example in examples],
            "methods": [example.method for example in examples],
            "corpora": [example.corpus for example in examples],
            "masks": _masks(examples),
            "pairs": _pairs(groups),
            "refused": {name: refused.count(name) for name in sorted(set(refused))},
        }
        return Parcel(content)

    def _stacked(self, clips: Sequence[Clip], *, blind: bool) -> Stacked:
        stacked = stack(clips, self.features)
        if not blind:
            return stacked
        present = {name: mask for name, mask in stacked.present.items() if name != "video"}
        return Stacked(streams={**stacked.streams, "frames": None}, present=present)


@dataclass(frozen=True)
class CollateExamples:
    """Joins single Examples into one batch.

    Attributes:
        features: How sound is read.
    """

    features: SoundFeatures

    def __call__(self, examples: Sequence[Example]) -> Parcel:
        """Join them, in order."""
        return CollateGroups(self.features)([[example] for example in examples])


def _masks(examples: Sequence[Example]) -> Floats | None:
    known = next((example.mask for example in examples if example.mask is not None), None)
    if known is None:
        return None
    unknown = np.full_like(known, np.nan)
    return np.stack([unknown if example.mask is None else example.mask for example in examples])


def _pairs(groups: Sequence[Sequence[Example]]) -> NDArray[np.int64]:
    pairs, first = [], 0
    for group in groups:
        pairs += [
            (first, first + k)
            for k, example in enumerate(group)
            if example.kind and example.clip.window == group[0].clip.window
        ]
        first += len(group)
    return np.asarray(pairs, np.int64).reshape(-1, 2)
