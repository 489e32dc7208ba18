"""Train the face autoencoder on prepared files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from hashformer.data.forge.autoencoder import Autoencoder, AutoencoderSettings, train_autoencoder
from hashformer.data.manifest import Row
from hashformer.data.prepared import check_prepared
from hashformer.preprocess.store import read_samples
from hashformer.types import Frames

FRAMES_PER_FILE = 8
"""Neighbouring frames teach the same; few of many files teach more."""


def learn_autoencoder(
    rows: Sequence[Row], root: Path, *, steps: int = 1200, seed: int = 0, settings: AutoencoderSettings | None = None
) -> Autoencoder:
    """Train the autoencoder of `neural_resynthesis` on the faces of prepared real files.

    Pass rows of the training split alone: with faces of people who validate, its forgeries of them would be better
    than of anybody else.

    Args:
        rows: Of the manifest; fakes and files without a face teach nothing and are passed over.
        root: Where they were prepared.
        steps: Of the optimiser.
        seed: Decides the frames, the weights and everything drawn.
        settings: Shape of the network; the default one if left out.

    Raises:
        StoreError: If there is no real row, or a row's file was not prepared.
        TrainError: If no file shows a face, or the loss is not finite.
    """
    reals = [row for row in rows if row.label == 0]
    check_prepared(reals, root)
    return train_autoencoder(_faces(reals, root, seed), steps=steps, seed=seed, settings=settings)


def _faces(rows: Sequence[Row], root: Path, seed: int) -> Iterator[Frames]:
    """A few crops of each file, (T, 3, H, W) each, evenly drawn from its first stretch with a face."""
    for row_idx, row in enumerate(rows):
        for sample in read_samples(root / row.path):
            crops = [track.crops[track.present] for track in sample.tracks]
            if crops:
                found = np.concatenate(crops)
                rng = np.random.default_rng((seed, row_idx))
                yield found[np.sort(rng.permutation(len(found))[:FRAMES_PER_FILE])]
                break
