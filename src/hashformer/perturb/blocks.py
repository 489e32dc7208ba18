"""A change of sound over a stream of blocks: in chunks that overlap, so that no seam is heard."""

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from hashformer.media.audio import AudioBlock
from hashformer.perturb.sound import SoundChange, Stretch
from hashformer.types import Floats, Mask

CHUNK_S = 16
"""Seconds that are changed at once. What is measured of the sound (the power, for noise) is measured over these
and the context; a shorter file is changed as a whole."""
CONTEXT_S = 2
"""Seconds on both sides that a change sees and does not give: more than a room rings or an encoder remembers."""
FADE_S = 0.02
"""From one chunk to the next."""


def changed_blocks(
    blocks: Iterable[AudioBlock], change: SoundChange, parameter: float, *, sample_rate_hz: int, seed: int
) -> Iterator[AudioBlock]:
    """Change sound as it comes. Holds 20 s of it, whatever its length.

    Args:
        blocks: Sound from sample 0, without a gap between the blocks.
        change: What to do.
        parameter: Of the level.
        sample_rate_hz: Rate of the sound.
        seed: Of the chance that the change uses.

    Yields:
        Blocks of the same places and lengths. Where the file has no sound it stays so.
    """
    chunks = _Chunks(change, parameter, sample_rate_hz, seed)
    waiting: deque[AudioBlock] = deque()
    for block in blocks:
        waiting.append(block)
        chunks.add(block)
        while waiting and (samples := chunks.take(len(waiting[0].samples))) is not None:
            yield _like(waiting.popleft(), samples)
    chunks.finish()
    while waiting and (samples := chunks.take(len(waiting[0].samples))) is not None:
        yield _like(waiting.popleft(), samples)


def _like(block: AudioBlock, samples: Floats) -> AudioBlock:
    silenced = np.where(block.present, np.clip(samples, -1, 1), np.float32(0))
    return AudioBlock(block.first_sample, silenced.astype(np.float32, copy=False), block.present)


class _Chunks:
    """Takes sound, changes it chunk by chunk, and gives it out in any portions."""

    def __init__(self, change: SoundChange, parameter: float, rate_hz: int, seed: int) -> None:
        self._change, self._parameter, self._rate_hz, self._seed = change, parameter, rate_hz, seed
        self._chunk, self._context, self._fade = CHUNK_S * rate_hz, CONTEXT_S * rate_hz, round(FADE_S * rate_hz)
        self._samples: Floats = np.zeros(0, np.float32)
        self._present: Mask = np.zeros(0, np.bool_)
        self._first = 0  # of the sound kept, counted from the start of the file
        self._next = 0  # of the next chunk
        self._over: Floats = np.zeros(0, np.float32)  # how the last chunk would go on
        self._ready: Floats = np.zeros(0, np.float32)

    def add(self, block: AudioBlock) -> None:
        """Append sound."""
        self._samples = np.concatenate([self._samples, block.samples])
        self._present = np.concatenate([self._present, block.present])
        while self._first + len(self._samples) >= self._next + self._chunk + self._context:
            self._step(self._next + self._chunk)

    def finish(self) -> None:
        """Change what is left."""
        end = self._first + len(self._samples)
        while self._next < end:
            self._step(min(end, self._next + self._chunk))

    def take(self, n: int) -> Floats | None:
        """The next `n` samples, if there are so many."""
        if len(self._ready) < n:
            return None
        taken, self._ready = self._ready[:n], self._ready[n:]
        return taken

    def _step(self, until: int) -> None:
        # No more than the context, though more may be there: the length of the blocks must decide nothing.
        n = until - self._first + self._context
        stretch = Stretch(self._first, self._samples[:n], self._present[:n], self._rate_hz, self._seed)
        changed = self._change(stretch, self._parameter)
        core = changed[self._next - self._first : until - self._first].copy()
        n = min(len(core), len(self._over))
        weights = np.linspace(0, 1, self._fade, dtype=np.float32)[:n]
        core[:n] = weights * core[:n] + (1 - weights) * self._over[:n]
        self._over = changed[until - self._first :][: self._fade]
        self._ready = np.concatenate([self._ready, core])
        self._next = until
        dropped = max(0, until - self._context - self._first)
        self._samples, self._present = self._samples[dropped:], self._present[dropped:]
        self._first += dropped
