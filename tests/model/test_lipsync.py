"""Lips against sound: lag 0 stands out where they move together, another where the sound is late."""

import math

import pytest
import torch

from hashformer.config import ModelConfig, load_config
from hashformer.model import HashFormer
from hashformer.model.inputs import Stream, stream_specs
from hashformer.model.lipsync import LipSync, lag_loss
from model_batches import make_batch

TINY = load_config("tiny").model
CONFIG = TINY.model_copy(update={"lip_sync": 16, "lip_sync_lags": 4})


def talking(n, *, lag=0, seed=0):
    """Lips that open by chance, and sound that is loud whenever they are open, `lag` frames later."""
    generator = torch.Generator().manual_seed(seed)
    opening = torch.rand(n, 40, generator=generator)
    lips = opening[:, 12:28]
    loud = opening[:, 12 - lag : 28 - lag]
    specs = stream_specs(CONFIG)
    landmarks = torch.zeros(n, 16, *specs["landmarks"].shape)
    landmarks[:, :, :40, 0, 0] = 0.1 * lips[..., None]
    audio = torch.zeros(n, 100, *specs["audio"].shape)
    frame = ((torch.arange(100) + 0.5) * 16 / 100).long()
    audio[..., 0, :32, 0] = loud[:, frame][..., None]
    return Stream(audio, None), Stream(landmarks, None)


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(0)
    specs = stream_specs(CONFIG)
    module = LipSync(specs["audio"], specs["landmarks"], width=16, reach=4, motion=8.0)
    optimiser = torch.optim.AdamW(module.parameters(), lr=5e-3)
    for step in range(60):
        lags = module(*talking(16, seed=step)).lags
        loss = lag_loss(lags, torch.ones(16, dtype=torch.bool)) / 16
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return module.eval()


def test_before_it_learns_no_lag_stands_out_by_much():
    specs = stream_specs(CONFIG)
    module = LipSync(specs["audio"], specs["landmarks"], width=16, reach=4, motion=8.0)
    loss = lag_loss(module(*talking(8)).lags, torch.ones(8, dtype=torch.bool)) / 8
    assert float(loss.detach()) == pytest.approx(math.log(9), abs=1.5)


@pytest.mark.parametrize("lag", [-3, 0, 2])
def test_the_lag_of_people_never_heard_is_found(trained, lag):
    found = trained(*talking(32, lag=lag, seed=1_000 + lag)).lags.argmax(1) - 4
    assert float((found == lag).float().mean()) > 0.8


def test_the_ends_of_a_clip_tell_no_time():
    """Trained on sound of other clips, no lag can stand out: what is alike in all clips is their ends."""
    torch.manual_seed(0)
    specs = stream_specs(CONFIG)
    module = LipSync(specs["audio"], specs["landmarks"], width=16, reach=4, motion=8.0)
    optimiser = torch.optim.AdamW(module.parameters(), lr=5e-3)
    for step in range(60):
        audio, landmarks = talking(16, seed=step)[0], talking(16, seed=step + 10_000)[1]
        loss = lag_loss(module(audio, landmarks).lags, torch.ones(16, dtype=torch.bool)) / 16
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) > 0.9 * math.log(9)


def test_gaps_in_the_face_count_for_nothing(trained):
    audio, landmarks = talking(4)
    present = torch.ones(4, 16, dtype=torch.bool)
    present[:, 5:9] = False
    spoiled = landmarks.values.clone()
    spoiled[:, 5:9] = 7.0
    held = trained(audio, Stream(torch.where(present[:, :, None, None, None], spoiled, 0.0), present)).lags
    assert torch.isfinite(held).all()
    nobody = trained(audio, Stream(torch.zeros_like(landmarks.values), torch.zeros_like(present))).lags
    assert nobody.abs().max() == 0


def test_the_network_reads_it_for_sync_alone():
    torch.manual_seed(0)
    model = HashFormer(CONFIG).eval()
    batch = make_batch(2)
    before = model(batch)
    with torch.no_grad():
        model.lip_sync.judge[-1].bias += 2.0
    after = model(batch)
    torch.testing.assert_close(after.logits["sync"], before.logits["sync"] + 2.0)
    for head in ("audio", "video"):
        torch.testing.assert_close(after.logits[head], before.logits[head])
    assert before.lags.shape == (2, 9)
    assert model(video=batch.video).lags is None


def test_too_short_a_clip_tells_of_no_lag():
    batch = make_batch(2)
    found = HashFormer(CONFIG)(audio=batch.audio[:, :20], landmarks=batch.landmarks[:, :4]).lags
    assert found.abs().max() == 0


def test_only_clips_that_are_known_to_fit_are_learnt_from():
    lags = torch.zeros(3, 9)
    assert float(lag_loss(lags, torch.tensor([True, False, True]))) == pytest.approx(2 * math.log(9))
    assert float(lag_loss(lags, torch.zeros(3, dtype=torch.bool))) == 0


def test_it_needs_both():
    with pytest.raises(ValueError, match="lip_sync=8 needs the modalities audio and landmarks"):
        ModelConfig(modalities=("audio", "video"), lip_sync=8)
