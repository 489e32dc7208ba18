"""Real clips to compare a graph with its network on."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from hashformer.config import Config
from hashformer.data.batch import collate
from hashformer.data.clips import cut
from hashformer.data.features import SoundFeatures
from hashformer.faces.follow import FaceFinder
from hashformer.media import probe
from hashformer.preprocess.extract import extract
from hashformer.types import Batch, Clip

N_CLIPS = 16
"""Clips of each file: its first eight seconds or so."""
_BATCH = 4


def real_batches(paths: Iterable[Path], config: Config, *, n_clips: int = N_CLIPS) -> Iterator[Batch]:
    """Clips of media files, as a detector sees them.

    Args:
        paths: Video or sound files.
        config: Of the detector.
        n_clips: At most so many of each file.

    Raises:
        MediaError: If a file cannot be read or decoded.
        AssetError: If a face model file is missing, broken or cannot be fetched.
    """
    features = SoundFeatures(config.features, sample_rate_hz=config.clip.sample_rate_hz)
    with FaceFinder(config.faces) as finder:
        for path in paths:
            clips = cut(
                extract(path, probe(path), config, finder), config.clip, context_samples=features.context_samples
            )
            some = islice((clip for clip in clips if _shows_something(clip)), n_clips)
            while group := list(islice(some, _BATCH)):
                yield collate(group, features)


def _shows_something(clip: Clip) -> bool:
    return clip.frames is not None or clip.waveform is not None
