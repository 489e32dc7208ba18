"""The detector: load once, then any media file in, a Detection out."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch

from hashformer.clock import Stopwatch
from hashformer.data.batch import collate
from hashformer.data.clips import cut
from hashformer.data.features import SoundFeatures
from hashformer.data.quality import Judged, judge
from hashformer.detector.backend import Backend, Loaded, load_backend
from hashformer.detector.tally import ClipAnswer, Tally, Watch, why
from hashformer.detector.verdict import verdict
from hashformer.errors import ConfigError, MediaError
from hashformer.faces.follow import FaceFinder
from hashformer.media import probe
from hashformer.perturb import Perturbation
from hashformer.preprocess.ahead import ahead
from hashformer.preprocess.extract import extract
from hashformer.preprocess.record import PrepareSettings
from hashformer.preprocess.store import read_record, read_samples
from hashformer.results import Detection, MediaInfo
from hashformer.timeline import SCORES, ClipScore
from hashformer.types import Sample

__all__ = ["ClipAnswer", "Detector", "Examined"]

STRETCH_S = 1
"""Seconds of media that go from the faces to the model at once."""
SAMPLES_AHEAD = 1
"""Stretches that wait for the model while faces are looked for in the next."""
CPU_BATCH = 1
"""Clips at once on a CPU: eight take a third longer for each, and 0.6 GB more. Measured: docs/performance.md."""
DEVICE_BATCH = 32
"""Clips at once on anything else."""
UNTRAINED = "the weights are not trained: these scores mean nothing"


@dataclass(frozen=True)
class Examined:
    """The answer for a file, and for each of its clips in order of time, then of face."""

    detection: Detection
    clips: list[ClipAnswer]


class Detector:
    """Scores media files. A context manager; without one, call `close` when done.

    ```python
    with Detector() as detector:
        detection = detector.detect("clip.mp4")
    print(detection.status, detection.score, detection.segments)
    ```

    Args:
        weights: A weight file, or the name of a released one or of a preset; an ONNX file for onnxruntime.
        device: Where the model runs, as PyTorch names it.
        batch_size: Clips that the model sees at once; None for what suits the device.
        backend: What runs the model; see `backend.load_backend`.

    Raises:
        ConfigError: If there is no such device, or the backend does not run there.
        SetupError: If the packages of the backend are missing.
        WeightsError: If there are no such weights, or they are broken.
        AssetError: If a face model file is missing, broken or cannot be fetched.
    """

    def __init__(
        self,
        weights: str | Path = "small",
        *,
        device: str = "cpu",
        batch_size: int | None = None,
        backend: Backend = "torch",
    ) -> None:
        self._device = _device(device)
        self._loaded = load_backend(weights, backend=backend, device=self._device)
        self._judge = self._loaded.judge
        self._batch_size = batch_size or (CPU_BATCH if self._device.type == "cpu" else DEVICE_BATCH)
        self.config = self._judge.config
        self.weights = self._judge.info
        self._reads = frozenset(self.config.model.modalities)
        self._features = SoundFeatures(self.config.features, sample_rate_hz=self.config.clip.sample_rate_hz)
        self._finder = FaceFinder(self.config.faces)

    @property
    def loaded(self) -> Loaded:
        """What judges, its config and what its file says of it; and the network to look into, if there is one."""
        return self._loaded

    def detect(
        self,
        path: str | Path,
        *,
        progress: Callable[[float, float | None], None] | None = None,
        watch: Watch | None = None,
    ) -> Detection:
        """Score one file.

        Args:
            path: A video or sound file.
            progress: Called now and then with the seconds of media done, and all of them if known.
            watch: Shown each clip that was scored, with its answer; what it does not keep is freed.

        Returns:
            The answer; `status` is `scored` or `cannot_tell`.

        Raises:
            MediaError: If the file cannot be read or decoded.
        """
        return self.examine(path, progress=progress, watch=watch).detection

    def examine(
        self,
        path: str | Path,
        *,
        progress: Callable[[float, float | None], None] | None = None,
        perturbation: Perturbation | None = None,
        watch: Watch | None = None,
    ) -> Examined:
        """Score one file, spoiled by a perturbation or as it is, and say what became of each of its clips.

        Otherwise as `detect`.
        """
        path = Path(path)
        stopwatch, problems = Stopwatch(), list[str]()
        info = probe(path)
        sha256 = _sha256(path)
        samples = extract(
            path,
            info,
            self.config,
            self._finder,
            stopwatch=stopwatch,
            problems=problems,
            perturbation=perturbation,
            stretch_s=STRETCH_S,
        )
        tally = Tally(watch)
        self._score(samples, stopwatch, tally, lambda done_s: progress(done_s, info.duration_s) if progress else None)
        return self._examined(tally, stopwatch, path=_text(path), sha256=sha256, media=info, warnings=problems)

    def examine_prepared(self, folder: Path) -> Examined:
        """Score a file that `hashformer preprocess` prepared: faces are not looked for again.

        Args:
            folder: Of the one file.

        Raises:
            StoreError: If it is not there or damaged.
            MediaError: If its crops or sound cannot be decoded.
            ConfigError: If it was prepared at other rates, or with other faces, than these weights read.
        """
        record, stopwatch = read_record(folder), Stopwatch()
        wanted = PrepareSettings.of(self.config)
        for name in ("fps", "sample_rate_hz", "faces"):
            made, needed = getattr(record.settings, name), getattr(wanted, name)
            if made != needed:
                raise ConfigError(
                    f"{folder}: was prepared with {name} {made}, the weights {self.weights.name} read {needed}. "
                    "Prepare the files with the config of these weights."
                )
        tally = self._score(stopwatch.each("decode", read_samples(folder)), stopwatch, Tally(), lambda _: None)
        source = record.source
        return self._examined(
            tally, stopwatch, path=source.path, sha256=source.sha256, media=source.media, warnings=record.problems
        )

    def _examined(
        self, tally: Tally, stopwatch: Stopwatch, *, path: str, sha256: str, media: MediaInfo, warnings: list[str]
    ) -> Examined:
        detection = verdict(
            tally,
            self.config,
            path=path,
            sha256=sha256,
            media=media,
            weights=self.weights,
            warnings=([] if self.weights.trained else [UNTRAINED]) + warnings,
            timings_s={
                name: round(seconds, 4)
                for name, seconds in {**stopwatch.seconds, "elapsed": stopwatch.elapsed_s}.items()
            },
        )
        return Examined(detection, tally.answers)

    def detect_all(
        self,
        paths: Iterable[str | Path],
        *,
        progress: Callable[[float, float | None], None] | None = None,
        watch: Watch | None = None,
    ) -> Iterator[Detection]:
        """Score files one after another; one that cannot be read is an answer with `status` `error`."""
        for path in paths:
            try:
                yield self.detect(path, progress=progress, watch=watch)
            except MediaError as error:
                yield Detection(path=_text(path), status="error", reason=str(error), weights=self.weights)

    def score_samples(self, samples: Iterable[Sample]) -> list[ClipScore]:
        """Score prepared Samples of one file, as `preprocess.extract` gives them.

        Returns:
            The scores of every clip with a face that could be judged, then those of the sound.
        """
        return self._score(samples, Stopwatch(), Tally(), lambda _: None).scores

    def _score(
        self, samples: Iterable[Sample], stopwatch: Stopwatch, tally: Tally, progress: Callable[[float], None]
    ) -> Tally:
        waiting: list[Judged] = []
        # Closed on the way out, whatever happens: the face models must be free for the next file.
        with closing(ahead(samples, n=SAMPLES_AHEAD)) as coming:
            for clip in cut(tally.watch(coming), self.config.clip, context_samples=self._features.context_samples):
                judged = self._readable(judge(clip, self.config.quality))
                tally.note(judged)
                if not judged.empty:
                    waiting.append(judged)
                if len(waiting) == self._batch_size:
                    self._score_batch(waiting, tally, stopwatch)
                    waiting = []
                progress(clip.window.start_s)
        if waiting:
            self._score_batch(waiting, tally, stopwatch)
        return tally

    def _readable(self, judged: Judged) -> Judged:
        """Without the streams that this model has no eyes or ears for."""
        clip = judged.clip
        if clip.waveform is not None and "audio" not in self._reads:
            judged = replace(judged, clip=replace(clip, waveform=None), no_audio="these weights read no sound")
        if clip.frames is not None and self._reads <= {"audio"}:
            blind = replace(judged.clip, frames=None, landmarks=None, boxes=None)
            judged = replace(judged, clip=blind, no_video="these weights read no picture")
        return judged

    def _score_batch(self, judged: Sequence[Judged], tally: Tally, stopwatch: Stopwatch) -> None:
        with stopwatch.stage("features"):
            batch = collate([entry.clip for entry in judged], self._features).to(self._device)
        with stopwatch.stage("model"), torch.inference_mode():
            output = self._judge.model(batch)
            scores = {name: score.tolist() for name, score in self._judge.scores(output).items()}
            logits = {name: logit.float().tolist() for name, logit in output.logits.items()}
            valid = {name: mask.tolist() for name, mask in output.valid.items()}
        for row, entry in enumerate(judged):
            heads = [name for name in SCORES if valid[name][row]]
            answer = ClipAnswer(
                window=entry.clip.window,
                track_id=None if entry.clip.frames is None else entry.clip.track_id,
                scores={name: scores[name][row] for name in heads},
                logits={name: logits[name][row] for name in heads},
                reason=why(entry),
            )
            tally.add(entry, answer)

    def close(self) -> None:
        """Free the face models."""
        self._finder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:  # which of them depends on how PyTorch was built
        raise ConfigError(f"device {name!r} cannot be used: {str(error).splitlines()[0]}") from error
    return device


def _text(path: str | Path) -> str:
    """The path as text that can be written; bytes of a name that are no UTF-8 become escapes."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MediaError(f"{path}: cannot be read: {error.strerror}") from error
