"""An epoch may be left half-way: no worker is aborted, whatever its threads are doing at that moment."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hashformer.config import FeatureConfig
from hashformer.data.features import SoundFeatures
from hashformer.data.loaded import CollateExamples, Example
from hashformer.timebase import Window
from hashformer.types import Clip


def leave(*words):
    """Run the script; ends once its workers ended too, for they hold the pipes that are read here."""
    words = [sys.executable, str(Path(__file__).with_name("leave_half_way.py")), *words]
    return subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_leaving_an_epoch_aborts_no_worker():
    run = leave("3")
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.slow
def test_workers_end_with_a_parent_that_is_killed():
    assert leave("1", "killed").returncode == -signal.SIGKILL


def arrays_in(value):
    if isinstance(value, np.ndarray):
        yield value
    parts = value.values() if isinstance(value, dict) else getattr(value, "__dict__", {}).values()
    for part in parts:
        yield from arrays_in(part)


def test_nothing_between_processes_borrows_from_a_tensor():
    """What does is freed by the thread that feeds the queue, and torch then lets go of the interpreter's lock."""
    features = SoundFeatures(FeatureConfig(), sample_rate_hz=16_000)
    clip = Clip(
        window=Window(0, 16, 16),
        track_id=0,
        frames=np.zeros((16, 3, 8, 8), np.uint8),
        landmarks=np.zeros((16, 478, 2), np.float32),
        boxes=np.zeros((16, 4), np.float32),
        waveform=np.zeros(16_240, np.float32),
        context_samples=features.context_samples,
    )
    mask = np.zeros((16, 28, 28), np.float32)
    example = Example(clip=clip, second=clip, labels={"overall": 0.0}, row_idx=0, mask=mask)
    arrays = list(arrays_in(CollateExamples(features)([example]).content))
    assert len(arrays) == 2 * 6 + 3
    for array in arrays:
        base = array
        while isinstance(base.base, np.ndarray):
            base = base.base
        assert base.base is None
