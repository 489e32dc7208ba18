"""A media file in, the pooled tokens and hash codes of its windows out."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np
import torch

from hashformer.data.batch import collate
from hashformer.data.clips import cut
from hashformer.data.features import SoundFeatures
from hashformer.data.quality import judge
from hashformer.errors import WeightsError
from hashformer.faces.follow import FaceFinder
from hashformer.media import probe
from hashformer.model.hashing import pack_codes
from hashformer.model.weights import load_model
from hashformer.preprocess.extract import extract
from hashformer.preprocess.prepare import sha256_of
from hashformer.preprocess.store import read_record, read_samples
from hashformer.search.codes import NO_TRACK, FileVectors, StreamVectors
from hashformer.types import Clip, ModelOutput, Sample

BATCH_SIZE = 8


class Coder:
    """Loads a model once and codes files with it. A context manager.

    Args:
        weights: A weight file, the name of a released one or of a preset.
        device: Where the model runs, as PyTorch names it.

    Raises:
        WeightsError: If there are no such weights, or they give no hash codes.
        AssetError: If a face model file is missing, broken or cannot be fetched.
    """

    def __init__(self, weights: str | Path = "small", *, device: str = "cpu") -> None:
        self._loaded = load_model(weights)
        self.config, self.weights, self.extra = self._loaded.config, self._loaded.info, self._loaded.extra
        if self._loaded.model.hash_head is None:
            raise WeightsError(f"{weights}: gives no hash codes (model.hashing is false). Name weights that do.")
        self._device = torch.device(device)
        self._loaded.model.to(self._device)
        self._features = SoundFeatures(self.config.features, sample_rate_hz=self.config.clip.sample_rate_hz)
        self._stack = ExitStack()
        self._finder: FaceFinder | None = None

    def code(self, path: Path, *, progress: Callable[[float, float | None], None] | None = None) -> FileVectors:
        """Code a media file.

        Args:
            path: A video or sound file.
            progress: Called now and then with the seconds done, and all of them if known.

        Returns:
            Its windows; no stream at all if nothing in it could be judged.

        Raises:
            MediaError: If it cannot be read or decoded.
        """
        info, sha256 = probe(path), sha256_of(path)
        if self._finder is None:
            self._finder = self._stack.enter_context(FaceFinder(self.config.faces))
        samples = extract(path, info, self.config, self._finder)
        name = os.fsencode(path.name).decode(errors="backslashreplace")
        return self._code(samples, name, sha256, lambda done_s: progress(done_s, info.duration_s) if progress else None)

    def code_prepared(self, folder: Path) -> FileVectors:
        """Code a file that `hashformer preprocess` prepared.

        Raises:
            StoreError: If it is not there or damaged.
        """
        source = read_record(folder).source
        return self._code(read_samples(folder), Path(source.path).name, source.sha256, lambda _: None)

    def _code(
        self, samples: Iterable[Sample], name: str, sha256: str, progress: Callable[[float], None]
    ) -> FileVectors:
        end_s = [0.0]
        clips = cut(_watched(samples, end_s), self.config.clip, context_samples=self._features.context_samples)
        judged = (judge(clip, self.config.quality) for clip in clips)
        readable = (entry.clip for entry in judged if not entry.empty)
        rows: dict[str, _Rows] = defaultdict(_Rows)
        while batch := list(islice(readable, BATCH_SIZE)):
            with torch.inference_mode():
                output = self._loaded.model(collate(batch, self._features).to(self._device))
            _gather(batch, output, rows)
            progress(batch[-1].window.start_s)
        return FileVectors(
            sha256=sha256,
            name=name,
            duration_s=end_s[0],
            window_s=self.config.clip.duration_s,
            streams={stream: rows[stream].finish() for stream in sorted(rows)},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


@dataclass
class _Rows:
    starts_s: list[float] = field(default_factory=list)
    tracks: list[int] = field(default_factory=list)
    vectors: list[np.ndarray] = field(default_factory=list)
    codes: list[np.ndarray] = field(default_factory=list)

    def finish(self) -> StreamVectors:
        return StreamVectors(
            starts_s=np.array(self.starts_s, np.float32),
            tracks=np.array(self.tracks, np.int32),
            vectors=np.stack(self.vectors),
            own_codes=np.stack(self.codes),
        )


def _watched(samples: Iterable[Sample], end_s: list[float]) -> Iterator[Sample]:
    for sample in samples:
        end_s[0] = sample.window.end_s
        yield sample


def _gather(clips: list[Clip], output: ModelOutput, rows: dict[str, _Rows]) -> None:
    """Add what the model said of a batch; the sound of a window counts once, however many faces carry it."""
    for stream, pooled in output.pooled.items():
        here = output.token_present[stream].any(1).tolist()
        vectors = pooled.float().cpu().numpy()
        packed = pack_codes(output.codes[stream]).cpu().numpy()
        kept = rows[stream] if any(here) else _Rows()
        for row, clip in enumerate(clips):
            track = NO_TRACK if stream == "audio" or clip.track_id is None else clip.track_id
            start_s = clip.window.start_s
            heard = stream == "audio" and kept.starts_s and kept.starts_s[-1] == start_s
            if here[row] and not heard:
                kept.starts_s.append(start_s)
                kept.tracks.append(track)
                kept.vectors.append(vectors[row])
                kept.codes.append(packed[row])
