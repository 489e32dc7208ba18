"""Genuine sound that is not of this picture: shifted, of another moment or person, or spliced.

Sound is never padded: zeros at the ends would tell where a clip was shifted to, and so give the label away. What
is returned covers only the seconds in which both the real and the forged sound exist, so that a real clip cut to
the same window is its equal in everything but the forgery.
"""

import math
from dataclasses import replace

import numpy as np
from scipy import fft

from hashformer.data.forge import waves
from hashformer.data.forge.base import Forged, ForgeryKind, Stream
from hashformer.data.forge.narrow import narrow
from hashformer.errors import ForgeryError
from hashformer.timebase import Window
from hashformer.types import Clip, Floats

MIN_SHIFT_S, MAX_SHIFT_S = 0.08, 1.0
"""Less is not noticed; more is no worse than this."""
MIN_SPLICE_S, MAX_SPLICE_S = 0.3, 1.0
MAX_SWAP_GAIN_DB = 20.0
"""Sound of another recording is made as loud as the clip's, but its noise not more audible than this makes it."""
_UNTOUCHED_S = 0.2
_SAME_RECORDING = 0.5
_DRAWS = 12
_LIKE_DB = 2.0


def sound_shift(clip: Clip, partner: Clip | None, *, rng: np.random.Generator, sample_rate_hz: int) -> Forged:
    """Move the sound by ±80 ms to ±1 s, log-uniformly, as far as at least a second of both remains.

    See `Forgery` for arguments and errors; `partner` is not used.
    """
    waveform = waves.heard(clip)
    usable = waves.extent(waveform, context_samples=clip.context_samples)
    first_frame, last_frame = _frames_within(clip, usable, sample_rate_hz)
    spare_frames = last_frame - first_frame - math.ceil(waves.MIN_WINDOW_S * clip.window.fps)
    longest_s = min(MAX_SHIFT_S, spare_frames / clip.window.fps)
    if longest_s < MIN_SHIFT_S:
        raise ForgeryError(
            f"{(last_frame - first_frame) / clip.window.fps:.2f} s of sound leave less than {waves.MIN_WINDOW_S:g} s "
            f"after a shift of {MIN_SHIFT_S:g} s. Cut clips of at least {waves.MIN_WINDOW_S + 2 * MIN_SHIFT_S:g} s."
        )
    later_s = math.exp(rng.uniform(math.log(MIN_SHIFT_S), math.log(longest_s))) * rng.choice([-1, 1])
    later = round(later_s * sample_rate_hz)
    gap_frames = math.ceil(abs(later) * clip.window.fps / sample_rate_hz)
    start = first_frame + (gap_frames if later > 0 else 0)
    window = Window(start, last_frame - first_frame - gap_frames, clip.window.fps)
    offset, n_samples = _place(clip, window, sample_rate_hz)
    source = min(max(offset - later, 0), len(waveform) - n_samples)  # rounding may be a sample out
    moved = waveform[source : source + n_samples].copy()
    return _not_of_this_picture(clip, window, moved, kind="sound_shift", sample_rate_hz=sample_rate_hz)


def sound_swap_person(clip: Clip, partner: Clip | None, *, rng: np.random.Generator, sample_rate_hz: int) -> Forged:
    """Give the picture the sound of another file or moment of the same person, as loud as its own was.

    See `Forgery` for arguments and errors.
    """
    return _swap(clip, partner, kind="sound_swap_person", rng=rng, sample_rate_hz=sample_rate_hz)


def sound_swap_other(clip: Clip, partner: Clip | None, *, rng: np.random.Generator, sample_rate_hz: int) -> Forged:
    """Give the picture the sound of another person, as loud as its own was.

    See `Forgery` for arguments and errors.
    """
    return _swap(clip, partner, kind="sound_swap_other", rng=rng, sample_rate_hz=sample_rate_hz)


def sound_splice(clip: Clip, partner: Clip | None, *, rng: np.random.Generator, sample_rate_hz: int) -> Forged:
    """Replace 0.3 to 1 s of the sound by another moment of the same voice, cut at quiet places and cross-faded.

    See `Forgery` for arguments and errors.
    """
    waveform = waves.heard(clip)
    voice = waves.heard(_needed(partner, "sound_splice"), whose="the partner")
    ours = waves.extent(waveform, context_samples=clip.context_samples)
    theirs = waves.extent(voice, context_samples=0)
    longest_s = min(ours[1] - ours[0], theirs[1] - theirs[0] + round(_UNTOUCHED_S * sample_rate_hz)) / sample_rate_hz
    longest_s = min(MAX_SPLICE_S, longest_s - _UNTOUCHED_S)
    if longest_s < MIN_SPLICE_S:
        raise ForgeryError(
            f"{(ours[1] - ours[0]) / sample_rate_hz:.2f} s of sound and {(theirs[1] - theirs[0]) / sample_rate_hz:.2f} "
            f"s of the partner's are too short to splice {MIN_SPLICE_S:g} s. Cut longer clips."
        )
    n_longest = round(longest_s * sample_rate_hz)
    piece, first = _piece(waveform, voice, n_longest, between=(ours, theirs), rng=rng, sample_rate_hz=sample_rate_hz)
    spliced = waves.joined(waveform, piece, first, fade_samples=round(waves.FADE_S * sample_rate_hz), alike=False)
    spans = (waves.seconds(clip, first, first + len(piece), sample_rate_hz=sample_rate_hz),)
    return waves.forged_sound(replace(clip, waveform=spliced), "sound_splice", audio=(), sync=spans)


def _piece(
    waveform: Floats,
    voice: Floats,
    n_longest: int,
    *,
    between: tuple[tuple[int, int], tuple[int, int]],
    rng: np.random.Generator,
    sample_rate_hz: int,
) -> tuple[Floats, int]:
    """Draw a piece of a voice and where it goes: of several, the first about as loud as what it replaces.

    Levels are matched by choice, not by gain: bringing a moment to the level of another raised the peaks of the
    result, and peaks alone then told spliced from real clips with an AUC of 0.6.
    """
    best: tuple[Floats, int] | None = None
    least_db = math.inf
    for _ in range(_DRAWS):
        n_samples = round(rng.uniform(MIN_SPLICE_S * sample_rate_hz, n_longest))
        first = waves.quiet_start(waveform, n_samples, between=between[0], rng=rng, sample_rate_hz=sample_rate_hz)
        source = waves.quiet_start(voice, n_samples, between=between[1], rng=rng, sample_rate_hz=sample_rate_hz)
        piece, replaced = voice[source : source + n_samples], waveform[first : first + n_samples]
        levels = waves.level_dbfs(piece), waves.level_dbfs(replaced)
        if max(levels) < waves.SILENCE_DBFS or _in_step(replaced, piece, sample_rate_hz):
            continue
        if abs(levels[0] - levels[1]) < least_db:
            best, least_db = (piece, first), abs(levels[0] - levels[1])
        if least_db <= _LIKE_DB:
            break
    if best is None:
        raise ForgeryError(f"no other speech to splice in {_DRAWS} draws of the partner's. Draw another moment.")
    return best


def _swap(clip: Clip, partner: Clip | None, *, kind: str, rng: np.random.Generator, sample_rate_hz: int) -> Forged:
    waveform = waves.heard(clip)
    other = waves.heard(_needed(partner, kind), whose="the partner")
    fps, context = clip.window.fps, clip.context_samples
    first_frame, last_frame = _frames_within(clip, waves.extent(waveform, context_samples=context), sample_rate_hz)
    theirs = waves.extent(other, context_samples=context)
    n_frames = min(last_frame - first_frame, (theirs[1] - theirs[0]) * fps // sample_rate_hz)
    if n_frames < waves.MIN_WINDOW_S * fps:
        raise ForgeryError(
            f"the clip has {(last_frame - first_frame) / fps:.2f} s of sound and the partner "
            f"{(theirs[1] - theirs[0]) / sample_rate_hz:.2f} s; {waves.MIN_WINDOW_S:g} s of both are needed. "
            "Cut longer clips."
        )
    for _ in range(_DRAWS):
        window = Window(int(rng.integers(first_frame, last_frame - n_frames + 1)), n_frames, fps)
        offset, n_samples = _place(clip, window, sample_rate_hz)
        # Rounding to samples may ask for one more than the partner's last.
        latest = min(theirs[1] + context, len(other)) - n_samples
        source = int(rng.integers(min(theirs[0] - context, latest), latest + 1))
        own, taken = waveform[offset : offset + n_samples], other[source : source + n_samples]
        if waves.level_dbfs(taken) >= waves.SILENCE_DBFS and not _in_step(own, taken, sample_rate_hz):
            taken = waves.matched(taken, waves.level_dbfs(own), max_gain_db=MAX_SWAP_GAIN_DB)
            return _not_of_this_picture(clip, window, taken, kind=kind, sample_rate_hz=sample_rate_hz)
    raise ForgeryError(f"no other speech in {_DRAWS} draws of the partner's sound. Draw another partner.")


def _not_of_this_picture(clip: Clip, window: Window, sound: Floats, *, kind: str, sample_rate_hz: int) -> Forged:
    """The clip cut to a window, with other sound of just that length."""
    kept = narrow(clip, window, sample_rate_hz=sample_rate_hz)
    if kept.waveform is not None:
        waves.require_heard(kept.waveform, whose="the clip's remaining window")
    waves.require_heard(sound, whose="the forged window")
    return waves.forged_sound(replace(kept, waveform=sound), kind, audio=(), sync=waves.whole(window))


def _needed(partner: Clip | None, kind: str) -> Clip:
    if partner is None:
        raise ForgeryError(f"{kind} needs a second clip. Pass the partner that its ForgeryKind asks for.")
    return partner


def _frames_within(clip: Clip, usable: tuple[int, int], sample_rate_hz: int) -> tuple[int, int]:
    """The frames, first and one past the last, that lie wholly within these samples of the clip's waveform."""
    window = clip.window
    zero = window.samples(sample_rate_hz)[0] - clip.context_samples
    first = -(-(zero + usable[0]) * window.fps // sample_rate_hz)
    last = (zero + usable[1]) * window.fps // sample_rate_hz
    if zero + usable[1] >= window.samples(sample_rate_hz)[1]:
        last = window.last_frame
    return max(first, window.first_frame), min(last, window.last_frame)


def _place(clip: Clip, window: Window, sample_rate_hz: int) -> tuple[int, int]:
    """Where the sound of a window, with its context, starts in the clip's waveform, and how long it is."""
    first, last = window.samples(sample_rate_hz)
    return first - clip.window.samples(sample_rate_hz)[0], last - first + 2 * clip.context_samples


def _in_step(own: Floats, other: Floats, sample_rate_hz: int) -> bool:
    """Whether two pieces of one length are the same recording, less than the least shift apart."""
    n_fft = fft.next_fast_len(2 * len(own), real=True)
    product = fft.rfft(own, n_fft) * np.conj(fft.rfft(other, n_fft))
    alike = np.abs(fft.irfft(product, n_fft))
    reach = round(MIN_SHIFT_S * sample_rate_hz)
    nearest = max(float(alike[:reach].max()), float(alike[-reach:].max()))
    norm = float(np.linalg.norm(own)) * float(np.linalg.norm(other))
    return nearest > _SAME_RECORDING * norm


_BOTH: frozenset[Stream] = frozenset({"picture", "sound"})
KINDS = (
    ForgeryKind(name="sound_shift", make=sound_shift, needs=_BOTH),
    ForgeryKind(name="sound_swap_person", make=sound_swap_person, needs=_BOTH, partner="person"),
    ForgeryKind(name="sound_swap_other", make=sound_swap_other, needs=_BOTH, partner="other"),
    ForgeryKind(name="sound_splice", make=sound_splice, needs=_BOTH, partner="moment"),
)
