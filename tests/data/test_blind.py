"""Steps without a picture: decided by the draw's number, sound forged alone, landmarks as they would be."""

import numpy as np
import pytest

from hashformer.config.degrade import DegradeConfig
from hashformer.config.forge import ForgeConfig
from hashformer.data.features import SoundFeatures
from hashformer.data.loaded import CollateGroups
from hashformer.data.training import TrainingClips
from make_corpus import CONFIG, make_corpus

PLAIN = DegradeConfig(untouched=1.0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("prepared")
    return [row for row in make_corpus(root) if row.label == 0], root


def clips(corpus, blind, *, step_draws=1):
    forge = ForgeConfig(blind=blind, degrade=PLAIN, corpora_share=0.0, span_s=1.0)
    return TrainingClips(*corpus, config=CONFIG, forge=forge, seed=3, step_draws=step_draws)


def test_the_share_of_steps_is_blind_and_a_step_is_of_one_kind(corpus):
    data = clips(corpus, 0.4, step_draws=3)
    steps = [{data.is_blind(3 * step + k) for k in range(3)} for step in range(100)]
    assert all(len(step) == 1 for step in steps)
    assert sum(step.pop() for step in steps) == 40


def test_a_blind_batch_holds_sound_and_landmarks_but_no_picture(corpus):
    data = clips(corpus, 1.0)
    groups = [data[k] for k in range(6)]
    loaded = CollateGroups(SoundFeatures(CONFIG.features, sample_rate_hz=CONFIG.clip.sample_rate_hz))(groups).open()
    assert loaded.batch.video is None
    assert "video" not in loaded.batch.present
    assert loaded.batch.audio is not None
    assert loaded.masks is None
    assert float(loaded.batch.landmarks.abs().sum()) > 0
    assert {kind for kind in loaded.kinds if kind} <= {
        "sound_shift", "sound_swap_person", "sound_swap_other", "sound_splice", "vocoder_world", "vocoder_griffin_lim",
    }  # fmt: skip


def test_landmarks_are_those_of_the_picture_that_is_not_shown(corpus):
    blind, seeing = clips(corpus, 1.0), clips(corpus, 0.0)
    features = SoundFeatures(CONFIG.features, sample_rate_hz=CONFIG.clip.sample_rate_hz)
    found = 0
    for draw in range(12):
        pair = [CollateGroups(features)([data[draw][:1]]).open().batch for data in (blind, seeing)]
        if all(batch.landmarks is not None for batch in pair) and pair[0].landmarks.shape == pair[1].landmarks.shape:
            same = np.allclose(pair[0].landmarks, pair[1].landmarks, atol=1e-5)
            found += same
    assert found > 0


def test_nothing_is_blind_by_default(corpus):
    data = clips(corpus, 0.0)
    assert not any(data.is_blind(k) for k in range(50))
