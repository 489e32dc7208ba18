"""A flash and a beep at one moment stay at one moment, whatever the rate and the container."""

import subprocess
import sys

import numpy as np
import pytest

from hashformer.media.audio import blocks
from hashformer.media.video import frames
from make_media import NTSC, RATE_HZ, flash_and_beep, make_long, remux, variable_times

FPS = 16
MOMENTS_S = (1.0, 2.5)


def lit_moments(path, fps=FPS):
    levels = [0.0 if f.rgb is None else float(f.rgb.mean()) for f in frames(path, fps=fps)]
    return [i for i in range(1, len(levels)) if levels[i] > 128 >= levels[i - 1]]


def heard_moments(path, fps=FPS):
    samples = np.concatenate([b.samples for b in blocks(path, sample_rate_hz=RATE_HZ)])
    loud = np.flatnonzero(np.abs(samples) > 0.3)
    return [start / RATE_HZ * fps for start in loud[np.diff(loud, prepend=-RATE_HZ) > RATE_HZ // 10]]


def assert_in_step(path, delay_s=0.0):
    lit, heard = lit_moments(path), heard_moments(path)
    assert len(lit) == len(heard) == len(MOMENTS_S)
    for seen, sounded, moment in zip(lit, heard, MOMENTS_S, strict=True):
        assert abs(seen - sounded) <= 1.0
        assert sounded / FPS == pytest.approx(moment + delay_s, abs=0.005)


@pytest.mark.parametrize("fps", [8, 25, NTSC, 60])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_in_step_at_every_rate(tmp_path, fps, suffix):
    assert_in_step(flash_and_beep(tmp_path / f"a{suffix}", fps=fps, at_s=MOMENTS_S))


@pytest.mark.parametrize("seed", range(3))
def test_in_step_at_a_variable_rate(tmp_path, seed):
    times = [t for t in variable_times(4.0, seed) if all(abs(t - m) > 0.03 for m in MOMENTS_S)]
    times = sorted([*times, *MOMENTS_S])
    assert_in_step(flash_and_beep(tmp_path / "a.mp4", times_s=times, at_s=MOMENTS_S))


def test_in_step_in_webm(tmp_path):
    assert_in_step(flash_and_beep(tmp_path / "a.webm", at_s=MOMENTS_S, codec="libvpx"))


def test_in_step_when_the_file_starts_late(tmp_path):
    # A transport stream starts at 1.4 s or so, and keeps the 64 ms of the AAC encoder's priming.
    path = remux(flash_and_beep(tmp_path / "a.mp4", at_s=MOMENTS_S), tmp_path / "a.ts")
    assert_in_step(path, delay_s=0.064)


def test_a_delay_of_one_stream_is_kept(tmp_path):
    source = flash_and_beep(tmp_path / "a.mp4", at_s=MOMENTS_S)
    for delays in ({"video_delay_s": 0.4}, {"audio_delay_s": 0.4}):
        path = remux(source, tmp_path / "b.mp4", **delays)
        lag = np.mean(np.array(lit_moments(path)) - np.array(heard_moments(path))) / FPS
        assert lag == pytest.approx(0.4 if "video_delay_s" in delays else -0.4, abs=1 / FPS)


@pytest.mark.parametrize("sound_s", [1.5, 7.0])
def test_sound_and_picture_may_differ_in_length(tmp_path, sound_s):
    path = flash_and_beep(tmp_path / "a.mp4", sound_s=sound_s)
    n_samples = sum(len(b.samples) for b in blocks(path, sample_rate_hz=RATE_HZ))
    assert sum(1 for _ in frames(path, fps=FPS)) == pytest.approx(4.0 * FPS, abs=1)
    assert n_samples / RATE_HZ == pytest.approx(sound_s, abs=0.07)


def test_in_step_after_an_hour(tmp_path):
    path = make_long(tmp_path / "long.mp4", 3600.0)
    heard = heard_moments(path, fps=2)
    lit = lit_moments(path, fps=2)
    assert len(lit) == len(heard) == 720
    assert np.abs(np.array(lit) - np.array(heard)).max() <= 1.0
    assert heard[-1] / 2 == pytest.approx(3596.0, abs=0.07)


PEAK = """
import resource, sys
from pathlib import Path
from hashformer.media.audio import blocks
from hashformer.media.video import frames
path = Path(sys.argv[1])
n = sum(1 for _ in frames(path, fps=2)) + sum(1 for _ in blocks(path, sample_rate_hz=16000))
print(n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def peak_mb(path):
    done = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[1])


def test_memory_does_not_grow_with_length(tmp_path):
    short, long = make_long(tmp_path / "short.mp4", 60.0), make_long(tmp_path / "long.mp4", 6000.0)
    # The index of an MP4 is held whole; it is what little may grow.
    assert peak_mb(long) - peak_mb(short) < 60
