"""Traces in sound: what counts, what does not, and that they can be learnt."""

import numpy as np
import pytest
import torch

from hashformer.config import load_config
from hashformer.errors import ConfigError
from hashformer.model import HashFormer
from hashformer.model.inputs import Stream
from hashformer.train.linear import put_answers
from hashformer.train.logistic import Samples
from model_batches import make_batch

TINY = load_config("tiny").model
CONFIG = TINY.model_copy(update={"sound_trace_stride": 8})


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = HashFormer(CONFIG).eval()
    torch.nn.init.normal_(model.sound_traces.answer.weight, std=0.1)
    return model


def audio_logits(model, audio, there=None):
    return model(audio=audio, present={} if there is None else {"audio": there}).logits["audio"]


def heard(model, audio, there=None):
    values = (audio - CONFIG.audio_mean) / CONFIG.audio_std
    return model.sound_traces(Stream(values[:, :, None, :, None], there))


def test_it_is_the_answer_for_the_sound_and_for_nothing_else(model):
    batch = make_batch(2)
    before = model(batch).logits
    torch.testing.assert_close(before["audio"], heard(model, batch.audio).logit)
    with torch.no_grad():
        model.sound_traces.answer.bias += 2.0
    after = model(batch).logits
    torch.testing.assert_close(after["audio"], before["audio"] + 2)
    for head in ("video", "sync"):
        torch.testing.assert_close(after[head], before[head])


def test_what_places_add_and_the_bias_is_the_answer(model):
    audio = make_batch(3).audio
    there = torch.ones(audio.shape[:2], dtype=torch.bool)
    there[1, 50:] = False
    there[2] = False
    with torch.no_grad():
        model.sound_traces.answer.bias += 0.3
        model.sound_traces.middle.normal_()
    stream = Stream(((audio - CONFIG.audio_mean) / CONFIG.audio_std)[:, :, None, :, None], there)
    found, added = model.sound_traces(stream), model.sound_traces.places(stream)
    assert added.shape[1:] == (CONFIG.audio_bins * 2 // 8, audio.shape[1] * 2 // 8)
    torch.testing.assert_close(added.sum((1, 2))[:2] + 0.3, found.logit[:2], rtol=1e-4, atol=1e-4)
    assert (added[2] == 0).all()


def test_the_colour_of_a_microphone_changes_nothing(model):
    audio = make_batch(2).audio
    tilt = torch.linspace(-3, 3, audio.shape[2])
    torch.testing.assert_close(heard(model, audio).logit, heard(model, audio + tilt).logit, rtol=1e-4, atol=1e-4)


def test_the_order_of_bands_matters(model):
    audio = make_batch(2).audio
    assert not torch.allclose(heard(model, audio).logit, heard(model, audio.flip(2)).logit, atol=1e-4)


def test_a_clip_without_sound_gives_zero_and_is_told(model):
    audio = make_batch(2).audio
    there = torch.ones(audio.shape[:2], dtype=torch.bool)
    there[0] = False
    found = heard(model, audio, there)
    assert float(found.logit[0]) == 0
    assert found.present.tolist() == [False, True]


def test_what_stands_in_a_gap_is_not_heard(model):
    audio = make_batch(2).audio
    there = torch.ones(audio.shape[:2], dtype=torch.bool)
    there[0, : TINY.audio_patch_frames] = False
    broken = audio.clone()
    broken[0, : TINY.audio_patch_frames] = float("nan")
    torch.testing.assert_close(audio_logits(model, broken, there), audio_logits(model, audio, there))


def test_it_needs_sound():
    with pytest.raises(ConfigError, match="needs the modalities audio"):
        type(TINY).parse(
            TINY.model_dump() | {"modalities": ("video",), "lip_sync": 0, "sound_trace_stride": 8}, source="model"
        )


def test_a_buzz_in_single_bands_is_learnt_and_placed(model):
    generator = torch.Generator().manual_seed(1)
    frames, bins = 4 * TINY.audio_patch_frames, TINY.audio_bins
    buzz = torch.zeros(bins)
    buzz[bins // 2 :: 4] = 3.0

    def draw(n, *, start=0):
        real = torch.randn(n, frames, bins, generator=generator) - 10
        moments = torch.arange(frames)
        on_and_off = ((moments % 4 < 2) & (moments >= start)).float()[:, None]
        return torch.cat([real, real + buzz * on_and_off])

    values = (draw(64) - CONFIG.audio_mean) / CONFIG.audio_std
    found = model.sound_traces.find(Stream(values[:, :, None, :, None], None))
    forged = (torch.arange(128) >= 64).float()
    put_answers(
        model.sound_traces, Samples(found.summary.numpy(), forged.numpy()), Samples(np.empty(0), np.empty(0)), 0.01
    )
    logits = heard(model, draw(16)).logit
    assert logits[16:].min() > logits[:16].max()
    late = (draw(16, start=frames // 2) - CONFIG.audio_mean) / CONFIG.audio_std
    added = model.sound_traces.places(Stream(late[16:, :, None, :, None], None))
    rows, columns = added.shape[1] // 2, added.shape[2] // 2
    buzzing = added[:, :rows, columns:].sum((1, 2))  # high bands are on top
    for rest in (added[:, :rows, :columns], added[:, rows:, :columns], added[:, rows:, columns:]):
        assert (buzzing > rest.sum((1, 2))).all()


def test_only_kept_sound_is_heard(model):
    audio = make_batch(2).audio
    whole = heard(model, audio)
    n_bands = model.specs["audio"].grid[0]
    keep = torch.ones(2, audio.shape[1] // TINY.audio_patch_frames * n_bands, dtype=torch.bool)
    values = (audio - CONFIG.audio_mean) / CONFIG.audio_std
    stream = Stream(values[:, :, None, :, None], None)
    torch.testing.assert_close(model.sound_traces(stream, keep).logit, whole.logit)
    keep[0, : keep.shape[1] // 2] = False
    half = model.sound_traces(stream, keep)
    assert not torch.isclose(half.logit[0], whole.logit[0])
    torch.testing.assert_close(half.logit[1], whole.logit[1])
    keep[0] = False
    nothing = model.sound_traces(stream, keep)
    assert float(nothing.logit[0]) == 0
    assert nothing.present.tolist() == [False, True]
