"""Frames at the wrong time: a cut within the talk, and frames that stand still or run again."""

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hashformer.data.forge.base import MIN_OVERLAP_S, Forged, ForgeryKind, Span, Truth
from hashformer.data.forge.lips import MIN_MISFIT, misfit
from hashformer.data.forge.pose import moved, moved_picture, similarity
from hashformer.data.forge.regions import RIGID
from hashformer.data.forge.shown import Shown, shown
from hashformer.errors import ForgeryError
from hashformer.types import Clip, Floats, Frames

MIN_OFFSET_S = 0.2
"""A picture that is shown less than this too early or too late still looks in sync."""
MIN_SPLICE_S = 0.5
SETTLE_FRAMES = 5
"""Frames after a cut in which the crop comes to rest."""
REPEAT_S = (0.2, 1.0)
"""Shortest and longest stretch of repeated frames."""
MIN_CHANGE = 0.8
"""Mean change of a repeated stretch in levels of 255: less cannot be seen."""
_TRIES = 12


class _Splice(NamedTuple):
    """Frames `first` to `last` of the clip are replaced by the partner's from `other` on."""

    first: int
    last: int
    other: int


def temporal_splice(clip: Clip, partner: Clip | None, *, rng: np.random.Generator, sample_rate_hz: int) -> Forged:
    """Let the picture go on with another moment from a drawn frame on, or for a while.

    The partner's first frames are moved so that the head stands where it stood at the cut; of all
    places to go on from, one of those is taken where the face jumps least.

    Args:
        clip: Left as it is.
        partner: Another moment of the file, or another file.
        rng: The only source of chance.
        sample_rate_hz: Not used; the sound stays.

    Raises:
        ForgeryError: If there is no face or no partner, or no stretch of both in which lips do not fit.
    """
    del sample_rate_hz
    picture, source = shown(clip, name="clip"), shown(partner, name="partner")
    moments = (partner or clip).window.first_frame
    splice = _draw_splice(clip, moments, picture, source, rng)
    frames, landmarks = _continued(picture, source, splice)
    boxes = _moved_boxes(clip, partner or clip, splice)
    weights = _fades(splice, len(picture.frames), int(rng.integers(1, 4)) if rng.random() < 0.4 else 0)
    keep = picture.present[splice.first : splice.last]
    made = _Stretch(frames, landmarks, boxes, weights * keep)
    return _forged(clip, picture, made, splice.first, kind="temporal_splice")


def frame_repeat(clip: Clip, partner: Clip | None, *, rng: np.random.Generator, sample_rate_hz: int) -> Forged:
    """Let a stretch stand still, run slower, run in a loop, or to and fro.

    Args:
        clip: Left as it is.
        partner: Not used.
        rng: The only source of chance.
        sample_rate_hz: Not used; the sound stays.

    Raises:
        ForgeryError: If there is no face, or nothing moves, so that no stretch would look different.
    """
    del partner, sample_rate_hz
    picture = shown(clip, name="clip")
    fps, n_frames = clip.window.fps, len(picture.frames)
    best = (0.0, 0.0)
    for _ in range(_TRIES):
        length = min(round(rng.uniform(*REPEAT_S) * fps), n_frames - 1)
        first = int(rng.integers(1, n_frames - length + 1))
        order = first + _draw_order(length, fps, rng)
        stretch = slice(first, first + length)
        if not (picture.present[stretch].all() and picture.present[order].all()):
            continue
        change = float(np.abs(picture.frames[order].astype(np.int16) - picture.frames[stretch]).mean())
        lips = misfit(picture.landmarks[stretch], picture.landmarks[order])
        if change >= MIN_CHANGE and (clip.waveform is None or lips >= MIN_MISFIT):
            weights = (order != np.arange(first, first + length)).astype(np.float32)
            boxes = _boxes(clip)[order]
            made = _Stretch(picture.frames[order], picture.landmarks[order], boxes, weights)
            return _forged(clip, picture, made, first, kind="frame_repeat")
        best = max(best, (change, lips))
    raise ForgeryError(
        f"frame_repeat: no stretch in which it shows (the best: {best[0]:.1f} levels, {best[1]:.3f} face heights; "
        f"{MIN_CHANGE:g} and {MIN_MISFIT} are needed). Draw another kind"
    )


class _Stretch(NamedTuple):
    """What is shown instead, from one frame on, and how far: 0–1 for each frame."""

    frames: NDArray[np.uint8]
    landmarks: Floats
    boxes: Floats
    weights: NDArray[np.float32]


def _draw_splice(clip: Clip, moments: int, picture: Shown, source: Shown, rng: np.random.Generator) -> _Splice:
    fps, n_frames, n_source = clip.window.fps, len(picture.frames), len(source.frames)
    shortest = round(MIN_SPLICE_S * fps)
    for _ in range(_TRIES):
        if min(n_frames - 2, n_source) < shortest:
            break
        first = int(rng.integers(1, n_frames - shortest))
        longest = min(n_frames - first, n_source)
        length = longest if rng.random() < 0.6 else int(rng.integers(shortest, longest + 1))
        if not picture.present[first]:
            continue
        jumps = _jumps(picture.landmarks[first], source, length)
        jumps[np.abs(moments + np.arange(len(jumps)) - clip.window.first_frame - first) < MIN_OFFSET_S * fps] = np.inf
        if not np.isfinite(jumps).any():
            continue
        nearest = np.argsort(jumps)[: min(3, int(np.isfinite(jumps).sum()))]
        other = int(rng.choice(nearest))
        own, shown_now = picture.landmarks[first : first + length], source.landmarks[other : other + length]
        if clip.waveform is None or misfit(own, shown_now) >= MIN_MISFIT:
            return _Splice(first, first + length, other)
    raise ForgeryError(
        f"temporal_splice: no {MIN_SPLICE_S} s of the partner's {n_source} frames that show a face throughout, lie "
        f"{MIN_OFFSET_S} s away and have other lips. Draw another partner"
    )


def _jumps(own: Floats, source: Shown, length: int) -> NDArray[np.float64]:
    """How far the face's points jump if the picture goes on from each frame of the source, pixels."""
    gaps = np.concatenate([[0], np.cumsum(~source.present)])
    n_starts = len(source.frames) - length + 1
    jumps: NDArray[np.float64] = np.full(n_starts, np.inf)
    for other in np.flatnonzero(gaps[length:] == gaps[:n_starts]):
        matrix = similarity(source.landmarks[other, RIGID], own[RIGID])
        # A head that would have to be enlarged much is another camera's.
        stretch = abs(np.log(np.hypot(matrix[0, 0], matrix[1, 0])))
        jumps[other] = np.linalg.norm(moved(source.landmarks[other], matrix) - own, axis=-1).mean() + 50 * stretch
    return jumps


def _continued(picture: Shown, source: Shown, splice: _Splice) -> tuple[NDArray[np.uint8], Floats]:
    """The partner's frames and landmarks, brought to where the head stood at the cuts.

    A crop follows the mean of some frames, so that it has forgotten the cut soon after: the move fades out.
    """
    frames = source.frames[splice.other : splice.other + splice.last - splice.first].copy()
    landmarks = source.landmarks[splice.other : splice.other + len(frames)].copy()
    into = similarity(landmarks[0, RIGID], picture.landmarks[splice.first, RIGID])
    moves = [(np.arange(len(frames)), into)]
    if splice.last < len(picture.frames) and picture.present[splice.last]:
        back = similarity(landmarks[-1, RIGID], picture.landmarks[splice.last, RIGID])
        moves.append((np.arange(len(frames))[::-1], back))
    for steps, matrix in moves:
        for index in np.flatnonzero(steps < SETTLE_FRAMES):
            share = 1 - steps[index] / SETTLE_FRAMES
            partly = share * matrix + (1 - share) * np.eye(2, 3)
            frames[index] = moved_picture(frames[index], partly)
            landmarks[index] = moved(landmarks[index], partly)
    return frames, landmarks


def _boxes(clip: Clip) -> Floats:
    n_frames = clip.window.n_frames
    return np.full((n_frames, 4), np.nan, np.float32) if clip.boxes is None else clip.boxes


def _moved_boxes(clip: Clip, partner: Clip, splice: _Splice) -> Floats:
    """The partner's boxes, shifted to where the face was at the cut."""
    boxes = _boxes(partner)[splice.other : splice.other + splice.last - splice.first]
    own, first = _boxes(clip)[splice.first].reshape(2, 2).mean(0), boxes[0].reshape(2, 2).mean(0)
    return np.asarray(boxes + np.tile(own - first, 2), np.float32)


def _fades(splice: _Splice, n_frames: int, n_fade: int) -> NDArray[np.float32]:
    """1 for each spliced frame, rising from 0 over `n_fade` frames, and falling if the clip goes on after it."""
    length = splice.last - splice.first
    rising = (np.arange(length) + 1) / (n_fade + 1)
    falling = rising[::-1] if splice.last < n_frames else np.ones(length)
    return np.minimum(np.minimum(rising, falling), 1).astype(np.float32)


def _draw_order(length: int, fps: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Which frame is shown at each of `length` frames, counted from the first."""
    steps = np.arange(length)
    how = rng.choice(["still", "slow", "loop", "to_and_fro"])
    if how == "still":
        return np.zeros(length, np.intp)
    if how == "slow":
        return np.asarray(np.floor(steps * rng.uniform(0.25, 0.6)), np.intp)
    period = int(rng.integers(2, max(3, min(length, round(0.35 * fps)) + 1)))
    if how == "loop":
        return np.asarray(steps % period, np.intp)
    return np.asarray(period - np.abs(steps % (2 * period) - period), np.intp)


def _forged(clip: Clip, picture: Shown, made: _Stretch, first: int, *, kind: str) -> Forged:
    """Show a stretch in place of the clip's own frames."""
    frames, landmarks, boxes = picture.frames, picture.landmarks.copy(), _boxes(clip).copy()
    mask = np.zeros(frames.shape[:3], np.uint8)
    for step in np.flatnonzero(made.weights):
        index, weight = first + step, float(made.weights[step])
        mixed = cv2.addWeighted(made.frames[step], weight, frames[index], 1 - weight, 0)
        frames[index], mask[index] = mixed, round(255 * weight)
        landmarks[index] += weight * (made.landmarks[step] - landmarks[index])
        boxes[index] += weight * (made.boxes[step] - boxes[index])
    changed = first + np.flatnonzero(made.weights)
    start_s = clip.window.start_s + int(changed[0]) / clip.window.fps
    span = Span(start_s, clip.window.start_s + int(changed[-1] + 1) / clip.window.fps)
    if span.end_s - span.start_s < MIN_OVERLAP_S:
        raise ForgeryError(f"{kind}: only {span.end_s - span.start_s:.2f} s would change. Draw again")
    spans: dict[Truth, tuple[Span, ...]] = {"video": (span,)}
    if clip.waveform is not None:
        spans |= {"audio": (), "sync": (span,)}
    planes: Frames = np.ascontiguousarray(np.moveaxis(frames, -1, 1))
    made_clip = replace(clip, frames=planes, landmarks=landmarks, boxes=None if clip.boxes is None else boxes)
    return Forged(clip=made_clip, kind=kind, spans=spans, mask=mask)


KINDS: tuple[ForgeryKind, ...] = (
    ForgeryKind(name="temporal_splice", make=temporal_splice, needs=frozenset({"picture"}), partner="moment"),
    ForgeryKind(name="frame_repeat", make=frame_repeat, needs=frozenset({"picture"})),
)
