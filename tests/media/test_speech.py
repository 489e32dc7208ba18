"""Speech and other sound: what share is speech, from any thread, at any length."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from hashformer.media import speech
from hashformer.media.speech import speech_share
from make_speech import voice


@pytest.mark.parametrize("duration_s", [0.25, 1.0, 4.0])
def test_made_speech_is_speech_and_noise_is_not(duration_s):
    noise = 0.1 * np.random.default_rng(0).standard_normal(round(duration_s * 16_000)).astype(np.float32)
    assert speech_share(voice(duration_s, seed=5)) > 0.5
    assert speech_share(noise) == 0


def test_half_of_it_is_half():
    spoken = voice(4, seed=5)
    spoken[32_000:] = 0
    assert speech_share(spoken) == pytest.approx(speech_share(spoken[:32_000]) / 2, abs=0.05)


@pytest.mark.parametrize("n_samples", [0, 1, 511, 513])
def test_scraps_are_no_speech(n_samples):
    assert speech_share(np.full(n_samples, 0.1, np.float32)) == 0


def test_what_was_heard_before_changes_nothing():
    sound = voice(1, seed=1)
    first = speech_share(sound)
    assert speech_share(np.full(16_000, np.nan, np.float32)) == 0
    speech_share(voice(1, seed=6))
    assert speech_share(sound) == first


def test_threads_get_the_answers_of_one():
    sounds = [voice(duration_s, seed=seed) for seed in range(6) for duration_s in (0.5, 1)]
    alone = [speech_share(sound) for sound in sounds]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(speech_share, sounds * 3)) == alone * 3
    assert len(set(alone)) > 3


def test_loading_leaves_the_number_of_threads(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "silero_vad"]:
        monkeypatch.delitem(sys.modules, name)
    speech._network.cache_clear()
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        speech_share(voice(0.25, seed=5))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
