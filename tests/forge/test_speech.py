"""A synthetic voice in place of the person's: as long, as loud, over the same room; refused where none can speak."""

import shutil
import stat
from dataclasses import replace

import numpy as np
import pytest

from hashformer.data.forge import speech, waves
from hashformer.errors import ForgeryError
from hashformer.timebase import Window
from make_speech import RATE_HZ, speaking

CONTEXT = 120


@pytest.fixture
def program():
    found = next(filter(None, map(shutil.which, speech.PROGRAMS)), None)
    if found is None:
        pytest.skip("neither espeak-ng nor espeak is installed")
    return found


def forge(clip, *, seed=0):
    return speech.text_to_speech(clip, None, rng=np.random.default_rng(seed), sample_rate_hz=RATE_HZ)


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("seed", range(4))
def test_the_voice_fills_the_clip_at_its_level_without_digital_silence(seed):
    clip = speaking(40, seed=seed)
    made = forge(clip, seed=seed)
    assert made.clip.window == clip.window
    assert made.clip.waveform.shape == clip.waveform.shape
    assert made.clip.waveform.dtype == np.float32
    assert np.array_equal(made.clip.frames, clip.frames)
    assert abs(waves.level_dbfs(made.clip.waveform) - waves.level_dbfs(clip.waveform)) < 1
    assert np.mean(made.clip.waveform == 0) < 0.001
    span = (clip.window.start_s, clip.window.end_s)
    assert made.spans == {"video": (), "audio": (span,), "sync": (span,)}
    for first in range(clip.window.first_frame, clip.window.last_frame - 1):
        assert made.labels(Window(first, 2, 16)) == {"video": 0.0, "audio": 1.0, "sync": 1.0, "overall": 1.0}


@pytest.mark.usefixtures("program")
def test_the_same_seed_says_the_same_another_says_something_else():
    clip = speaking(20, seed=1)
    before = clip.waveform.copy()
    one, again, other = (forge(clip, seed=seed).clip.waveform for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert np.array_equal(clip.waveform, before)


@pytest.mark.usefixtures("program")
def test_the_pauses_of_the_voice_hold_the_clips_own_background():
    clip = speaking(64, seed=2)
    made = forge(clip, seed=2)
    floors = [
        np.sqrt(np.quantile(np.mean(np.square(one[: len(one) // 160 * 160].reshape(-1, 160)), axis=1), 0.02))
        for one in (clip.waveform, made.clip.waveform)
    ]
    assert 0.4 < floors[1] / floors[0] < 2.5


@pytest.mark.usefixtures("program")
def test_sound_alone_can_be_replaced():
    made = forge(speaking(20, seed=3, picture=False))
    assert set(made.spans) == {"audio"}
    assert made.mask is None


def test_every_voice_says_every_kind_of_sentence_and_is_remembered(program):
    speech.speak.cache_clear()
    for voice in speech.VOICES:
        said = speech.speak(
            speech.SENTENCES[0], program=program, voice=voice, pace=160, pitch=45, sample_rate_hz=RATE_HZ
        )
        assert 2 * RATE_HZ < len(said) < 8 * RATE_HZ
        assert np.abs(said).max() > 0.05
    assert speech.speak.cache_info().misses == len(speech.VOICES)
    speech.speak(speech.SENTENCES[0], program=program, voice="de", pace=160, pitch=45, sample_rate_hz=RATE_HZ)
    assert speech.speak.cache_info().hits == 1


def test_a_voice_that_does_not_exist_is_named_as_the_program_names_it(program):
    with pytest.raises(ForgeryError, match="does not speak"):
        speech.speak("Good day.", program=program, voice="xx-none", pace=160, pitch=45, sample_rate_hz=RATE_HZ)


def test_without_a_program_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ForgeryError, match="Install espeak-ng"):
        forge(speaking(20, seed=0))


def test_a_program_that_fails_is_reported_with_its_own_words(monkeypatch, tmp_path):
    broken = tmp_path / "espeak-ng"
    broken.write_text("#!/bin/sh\necho 'no voices here' >&2\nexit 3\n")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(ForgeryError, match="no voices here"):
        forge(speaking(20, seed=0))


@pytest.mark.usefixtures("program")
def test_silence_and_what_is_too_long_are_refused():
    clip = speaking(20, seed=0)
    with pytest.raises(ForgeryError, match="is silent"):
        forge(replace(clip, waveform=(clip.waveform * 0.001).astype(np.float32)))
    hours = replace(clip, waveform=np.tile(clip.waveform, 100))
    with pytest.raises(ForgeryError, match="Cut shorter clips"):
        forge(hours)
