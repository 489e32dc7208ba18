"""Put decoded sound where its time stamps say, at the rate that is asked for."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from hashformer.timebase import sample_index
from hashformer.types import Floats

STEP_S = 0.015
"""A time stamp that is off the count of samples by more than this is a gap or an overlap; the shortest loss
that happens, one lost packet, is 20 ms. Less is jitter or a clock that drifts."""
DRIFT_S = 0.002
"""The drift from which on the sound is stretched to follow its stamps."""
SMOOTHING_S = 1.0
"""Jitter is averaged over about this long before it counts as drift."""
MAX_STRETCH = 0.02
"""The most by which a stretch of sound is lengthened or shortened to follow a drift."""
SILENCE_SAMPLES = 16_000


class Placement:
    """Makes one unbroken row of samples of frames that have times: gaps filled, overlaps left out.

    A run is sound without a gap; within it samples are counted, so that the jitter of stamps does no harm.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._position = 0
        self._skip = 0
        self._resampler: _Resampler | None = None
        self._expected_s = 0.0
        self._drift_s = 0.0

    def add(self, samples: Floats, sample_rate_hz: int, start_s: float) -> Iterator[tuple[Floats, bool]]:
        """Take sound that begins at `start_s`.

        Args:
            samples: Mono sound, (S,).
            sample_rate_hz: Its rate.
            start_s: Time of its first sample, from the start of the file.

        Yields:
            Stretches of the row in order, (S,), and whether each is sound or a gap.
        """
        duration_s = len(samples) / sample_rate_hz
        off_s = start_s - self._expected_s
        resampler = self._resampler
        if resampler is None or resampler.rate_in_hz != sample_rate_hz or abs(off_s) > STEP_S:
            yield from self.finish()
            resampler = self._resampler = _Resampler(sample_rate_hz, self._rate_hz)
            yield from self._go_to(start_s)
        else:
            self._drift_s += (off_s - self._drift_s) * min(1.0, duration_s / SMOOTHING_S)
        self._expected_s += duration_s
        yield from self._sound(self._follow_drift(resampler.push(samples)))

    def finish(self) -> Iterator[tuple[Floats, bool]]:
        """Give the end of the run that the resampler still holds."""
        if self._resampler is not None:
            yield from self._sound(self._resampler.rest())
            self._resampler = None

    def _go_to(self, start_s: float) -> Iterator[tuple[Floats, bool]]:
        target = sample_index(start_s, self._rate_hz)
        self._skip = max(0, self._position - target)
        self._expected_s, self._drift_s = start_s, 0.0
        while self._position < target:
            n = min(target - self._position, SILENCE_SAMPLES)
            self._position += n
            yield np.zeros(n, np.float32), False

    def _sound(self, samples: Floats) -> Iterator[tuple[Floats, bool]]:
        skipped = min(self._skip, len(samples))
        self._skip -= skipped
        if len(samples) > skipped:
            self._position += len(samples) - skipped
            yield samples[skipped:], True

    def _follow_drift(self, samples: Floats) -> Floats:
        if abs(self._drift_s) < DRIFT_S or len(samples) == 0:
            return samples
        limit = int(len(samples) * MAX_STRETCH)
        extra = int(np.clip(round(self._drift_s * self._rate_hz), -limit, limit))
        self._drift_s -= extra / self._rate_hz
        self._expected_s += extra / self._rate_hz
        places = np.linspace(0, len(samples) - 1, len(samples) + extra)
        return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)


class _Resampler:
    """PyAV's resampler with arrays in and out."""

    def __init__(self, rate_in_hz: int, rate_out_hz: int) -> None:
        self.rate_in_hz = rate_in_hz
        self._resampler = AudioResampler(format="fltp", layout="mono", rate=rate_out_hz)
        self._n_in = 0

    def push(self, samples: Floats) -> Floats:
        """Resample (S,) and give what is ready."""
        frame = AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = self.rate_in_hz
        frame.time_base = Fraction(1, self.rate_in_hz)
        frame.pts = self._n_in
        self._n_in += len(samples)
        return self._give(frame)

    def rest(self) -> Floats:
        """What is left when no more comes."""
        return self._give(None)

    def _give(self, frame: AudioFrame | None) -> Floats:
        # With equal rates PyAV hands back what it is given, even None.
        given = [out.to_ndarray()[0] for out in self._resampler.resample(frame) if out is not None]
        return np.concatenate([np.zeros(0, np.float32), *given]).astype(np.float32, copy=False)
