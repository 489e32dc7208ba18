"""A baseline that learns nothing: how far the opening of the mouth and the loudness of the sound are apart."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from hashformer.errors import StoreError
from hashformer.evaluate.record import FileScores
from hashformer.media.wav import read_wav
from hashformer.preprocess.parts import LANDMARKS_NAME, mask_of
from hashformer.preprocess.record import SampleRecord, TrackRecord
from hashformer.preprocess.store import read_record
from hashformer.types import Floats

MAX_LAG_S = 1.0
MIN_SHARED_S = 1.0
"""Fewer seconds of face and sound together correlate by chance."""
FLOOR = 1e-3
"""Sound below 60 dB under full scale is all as silent."""
LIP_UPPER, LIP_LOWER, EYE_RIGHT, EYE_LEFT = 13, 14, 33, 263


@dataclass(frozen=True)
class Offset:
    """Where mouth and sound fit best.

    Attributes:
        lag_s: By how much the sound comes after the mouth.
        peak: Correlation there, −1 to 1.
    """

    lag_s: float
    peak: float

    @property
    def score(self) -> float:
        """0 for a full correlation at no lag, 1 for none at the largest: the mean of both faults."""
        return (abs(self.lag_s) / MAX_LAG_S + 1 - max(self.peak, 0.0)) / 2


def offset_score(path: str, prepared: Path) -> FileScores:
    """Score a prepared file by the face that fits its sound best: the one who speaks.

    Args:
        path: As the manifest has it.
        prepared: Folder of `hashformer preprocess`.

    Raises:
        StoreError: If its landmarks are missing or damaged.
        MediaError: If its sound cannot be read.
    """
    folder = prepared / path
    record = read_record(folder)
    if record.waveform is None or not record.tracks:
        missing = "no sound" if record.waveform is None else "no face"
        return FileScores(path=path, status="cannot_tell", reason=f"{missing}: nothing to compare")
    loudness = _loudness(folder, record)
    fps = record.settings.fps
    found = [best_offset(opening, loudness, fps=fps) for opening in _openings(folder, record).values()]
    fitting = [offset for offset in found if offset is not None]
    if not fitting:
        why = f"less than {MIN_SHARED_S:g} s of face and sound together, or nothing that moves"
        return FileScores(path=path, status="cannot_tell", reason=why)
    return FileScores(path=path, status="scored", scores={"overall": min(offset.score for offset in fitting)})


def best_offset(opening: Floats, loudness: Floats, *, fps: int) -> Offset | None:
    """The lag at which the two correlate most.

    Args:
        opening: Of the mouth, one for each frame, NaN where it is not seen, (T,).
        loudness: Of the sound of the same frames, NaN where there is none, (T,).
        fps: Frames a second.

    Returns:
        None if at no lag a second of both is there and moves.
    """
    best = None
    longest = min(round(MAX_LAG_S * fps), len(opening) - round(MIN_SHARED_S * fps))
    for lag in sorted(range(-longest, longest + 1), key=abs):
        mouth = opening[max(0, -lag) : len(opening) - max(0, lag)]
        sound = loudness[max(0, lag) : len(loudness) - max(0, -lag)]
        both = np.isfinite(mouth) & np.isfinite(sound)
        if both.sum() < MIN_SHARED_S * fps or np.ptp(mouth[both]) < 1e-6 or np.ptp(sound[both]) < 1e-6:
            continue
        peak = float(np.corrcoef(mouth[both], sound[both])[0, 1])
        if best is None or peak > best.peak:
            best = Offset(lag / fps, peak)
    return best


def mouth_opening(landmarks: Floats) -> Floats:
    """Gap between the inner lips in distances of the outer eye corners, NaN in gaps.

    Args:
        landmarks: Pixels, (T, 478, 2).

    Returns:
        (T,) float32.
    """
    gap = np.linalg.norm(landmarks[:, LIP_UPPER] - landmarks[:, LIP_LOWER], axis=-1)
    return np.asarray(gap / np.linalg.norm(landmarks[:, EYE_RIGHT] - landmarks[:, EYE_LEFT], axis=-1), np.float32)


def _openings(folder: Path, record: SampleRecord) -> dict[int, Floats]:
    """Of every face, one for each frame of the file, NaN where it is not seen."""
    found: dict[int, Floats] = {}
    for track in record.tracks:
        whole = found.setdefault(track.track_id, np.full(record.n_frames, np.nan, np.float32))
        opening = mouth_opening(_landmarks(folder, track))
        whole[track.first_frame : track.first_frame + track.n_frames] = opening
    return found


def _landmarks(folder: Path, track: TrackRecord) -> Floats:
    path = folder / track.folder / LANDMARKS_NAME
    try:
        landmarks: Floats = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: cannot be read ({error}). Prepare the source again.") from error
    if landmarks.shape[0] != track.n_frames:
        raise StoreError(f"{path}: holds {len(landmarks)} frames, {track.n_frames} are due. Prepare the source again.")
    return landmarks


def _loudness(folder: Path, record: SampleRecord) -> Floats:
    """Logarithm of the sound's level in each frame, NaN where the file has no sound, (T,)."""
    rate_hz, fps = record.settings.sample_rate_hz, record.settings.fps
    edges = np.round(np.arange(record.n_frames + 1) * rate_hz / fps).astype(int)
    waveform = read_wav(folder / str(record.waveform), 0, int(edges[-1])).astype(np.float64)
    present = mask_of(record.sound_present, 0, len(waveform))
    levels = np.full(record.n_frames, np.nan, np.float32)
    for frame, (first, last) in enumerate(pairwise(edges.tolist())):
        if last <= len(waveform) and present[first:last].all():
            levels[frame] = np.log10(max(FLOOR, float(np.sqrt(np.mean(waveform[first:last] ** 2)))))
    return levels
