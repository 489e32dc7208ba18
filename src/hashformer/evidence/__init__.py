"""What an answer rests on: heat maps over the most suspect clips, each checked by hiding what it marks."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from hashformer.data.features import SoundFeatures
from hashformer.detector import Detector
from hashformer.evidence.card import card_of
from hashformer.evidence.clips import suspect_clip
from hashformer.evidence.keep import SuspectKeeper
from hashformer.results import Detection

__all__ = ["SuspectKeeper", "explain", "explain_all"]

N_CLIPS = 3
"""Most suspect clips of a file that are looked at more closely."""
BLIND = "what the scores rest on is not shown: an ONNX file cannot be looked into, its weight file could be"


def explain(
    detector: Detector,
    path: str | Path,
    *,
    progress: Callable[[float, float | None], None] | None = None,
    n_clips: int = N_CLIPS,
) -> Detection:
    """Score one file as `Detector.detect` does, and say what the score rests on.

    Memory grows by `n_clips` clips, whatever the length of the file. The scores are those of `detect`.

    Args:
        detector: Loaded once for many files.
        path: A video or sound file.
        progress: As in `Detector.detect`.
        n_clips: Most suspect clips to look at; 0 for none.

    Returns:
        The answer with `suspect_clips` and `card`; `timings_s` counts the extra work as `evidence`.

    Raises:
        MediaError: If the file cannot be read or decoded.
    """
    keeper = SuspectKeeper(n_clips)
    return _with_evidence(detector, detector.detect(path, progress=progress, watch=keeper), keeper)


def explain_all(
    detector: Detector,
    paths: Iterable[str | Path],
    *,
    progress: Callable[[float, float | None], None] | None = None,
    n_clips: int = N_CLIPS,
) -> Iterator[Detection]:
    """Explain files one after another; one that cannot be read is an answer with `status` `error`."""
    for path in paths:
        keeper = SuspectKeeper(n_clips)
        for detection in detector.detect_all([path], progress=progress, watch=keeper):
            yield _with_evidence(detector, detection, keeper)


def _with_evidence(detector: Detector, detection: Detection, keeper: SuspectKeeper) -> Detection:
    if detection.status == "error":
        return detection
    start = time.perf_counter()
    features = SoundFeatures(detector.config.features, sample_rate_hz=detector.config.clip.sample_rate_hz)
    network = detector.loaded.network
    found = [] if network is None else [suspect_clip(network, clip, features) for clip in keeper.clips]
    blind = [BLIND] if network is None and keeper.clips else []
    spent = {"evidence": round(time.perf_counter() - start, 4)} if found else {}
    return detection.model_copy(
        update={
            "suspect_clips": found,
            "card": card_of(detector.loaded.judge, detection),
            "warnings": [*detection.warnings, *blind],
            "timings_s": {**detection.timings_s, **spent},
        }
    )
