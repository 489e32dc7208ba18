"""Cut a clip down to fewer seconds: picture, landmarks, boxes and sound alike."""

from dataclasses import replace

from hashformer.errors import ForgeryError
from hashformer.timebase import Window
from hashformer.types import Clip, Floats


def narrow(clip: Clip, window: Window, *, sample_rate_hz: int) -> Clip:
    """Keep a stretch of a clip.

    Args:
        clip: Left as it is.
        window: Frames to keep, on the same grid; within the clip's window.
        sample_rate_hz: Rate of the sound.

    Returns:
        A clip of just these seconds. Its sound has as much context on both sides as before. All arrays are copies.

    Raises:
        ForgeryError: If the window is empty, not within the clip's, or of another rate.
    """
    whole = clip.window
    inside = whole.first_frame <= window.first_frame < window.last_frame <= whole.last_frame
    if not inside or window.fps != whole.fps:
        raise ForgeryError(
            f"frames {window.first_frame}–{window.last_frame} at {window.fps} fps do not lie within a clip of frames "
            f"{whole.first_frame}–{whole.last_frame} at {whole.fps} fps. Narrow to a window within the clip's."
        )
    first = window.first_frame - whole.first_frame
    kept = slice(first, first + window.n_frames)
    return replace(
        clip,
        window=window,
        frames=None if clip.frames is None else clip.frames[kept].copy(),
        landmarks=None if clip.landmarks is None else clip.landmarks[kept].copy(),
        boxes=None if clip.boxes is None else clip.boxes[kept].copy(),
        waveform=None if clip.waveform is None else _sound(clip, clip.waveform, window, sample_rate_hz),
    )


def _sound(clip: Clip, waveform: Floats, window: Window, sample_rate_hz: int) -> Floats:
    """The sound of a window with the clip's context on both sides."""
    first, last = window.samples(sample_rate_hz)
    n_samples = last - first + 2 * clip.context_samples
    # Where a frame is no whole number of samples, rounding can put the end one sample past that of the clip.
    offset = min(first - clip.window.samples(sample_rate_hz)[0], len(waveform) - n_samples)
    return waveform[offset : offset + n_samples].copy()
