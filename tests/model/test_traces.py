"""Traces in single frames: what counts, what does not, and that they can be learnt."""

import pytest
import torch

from hashformer.config import LossConfig, load_config
from hashformer.errors import ConfigError
from hashformer.losses import Objective
from hashformer.losses.dense import places_loss
from hashformer.model import HashFormer
from hashformer.model.inputs import read_streams
from hashformer.types import Batch
from model_batches import make_batch

TINY = load_config("tiny").model
CONFIG = TINY.model_copy(update={"traces": (4, 8, 8), "trace_frames": 2, "evidence": True})
ALONE = LossConfig(cls_loss_weight=0, contrast_loss_weight=0, distill_loss_weight=0, trace_loss_weight=1)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return HashFormer(CONFIG)


def test_every_looked_at_frame_has_a_map_and_the_clip_a_logit(model):
    batch = make_batch(2)
    seen = model.eval()(batch).seen
    n_frames = batch.video.shape[1] // CONFIG.video_patch_frames * 2
    side = CONFIG.video_size_px // 8
    assert seen.places.shape == (2, n_frames, side, side)
    assert seen.present.all()
    assert seen.logit.shape == (2,)


def test_it_is_added_to_the_answer_for_the_picture_alone(model):
    batch = make_batch(2)
    before = model.eval()(batch).logits
    with torch.no_grad():
        model.traces.frame[-1].bias += 2.0
    after = model(batch).logits
    torch.testing.assert_close(after["video"], before["video"] + 2)
    for head in ("audio", "sync"):
        torch.testing.assert_close(after[head], before[head])


@pytest.mark.parametrize("training", [False, True])
def test_frames_that_are_not_there_count_for_nothing(model, training):
    model.train(training)
    batch = make_batch(2)
    there = torch.ones(batch.video.shape[:2], dtype=torch.bool)
    there[0, CONFIG.video_patch_frames :] = False
    broken = batch.video.clone()
    broken[0, CONFIG.video_patch_frames :] = float("nan")
    cut = model(video=batch.video[:, : CONFIG.video_patch_frames]).seen
    seen = model(video=broken, present={"video": there}).seen
    assert torch.isfinite(seen.logit).all()
    assert seen.present.sum(1).tolist() == [2, seen.present.shape[1]]
    if not training:  # in training the rest of the batch has a part in the norms
        torch.testing.assert_close(seen.logit[0], cut.logit[0])


def test_a_clip_without_any_frame_gives_zero(model):
    batch = make_batch(2)
    there = torch.ones(batch.video.shape[:2], dtype=torch.bool)
    there[0] = False
    for training in (False, True):
        assert float(model.train(training)(video=batch.video, present={"video": there}).seen.logit[0].detach()) == 0


def test_frozen_it_keeps_its_statistics(model):
    model.traces.requires_grad_(False)
    before = {name: x.clone() for name, x in model.traces.state_dict().items()}
    model.train()(make_batch(2))
    for name, x in model.traces.state_dict().items():
        torch.testing.assert_close(x, before[name])


def test_crops_that_cannot_be_halved_so_often_are_refused():
    with pytest.raises(ConfigError, match="halves the crop"):
        type(TINY).parse(TINY.model_dump() | {"traces": [4] * 9}, source="model")


def test_places_are_judged_by_their_share():
    logits = torch.tensor([[[[2.0, -1.0]]]])
    masks = torch.tensor([[[[0.3, 0.2]]]])
    wanted = (torch.nn.functional.softplus(torch.tensor(-2.0)) + torch.nn.functional.softplus(torch.tensor(-1.0))) / 2
    torch.testing.assert_close(places_loss(logits, masks, torch.ones(1, 1, dtype=torch.bool)), wanted)
    unknown = torch.full((1, 1, 1, 2), float("nan"))
    assert float(places_loss(logits, unknown, torch.ones(1, 1, dtype=torch.bool))) == 0


def test_without_a_picture_there_is_nothing_to_learn_but_a_gradient(model):
    batch = make_batch(2)
    labels = {"video": torch.zeros(2), "audio": torch.zeros(2)}
    losses = Objective(model, ALONE).train()(Batch(audio=batch.audio, present={}), labels=labels)
    assert float(losses.total.detach()) == 0
    assert losses.skipped == {"trace/clips": "no clip of the batch has what is looked at"}
    losses.total.backward()


def test_a_fine_pattern_in_one_place_is_learnt_and_found(model):
    generator = torch.Generator().manual_seed(1)
    objective = Objective(model, ALONE.model_copy(update={"pair_loss_weight": 0.5})).train()
    optimiser = torch.optim.AdamW(model.traces.parameters(), lr=1e-2)
    side, frames = CONFIG.video_size_px, CONFIG.video_patch_frames
    chess = (torch.arange(side)[:, None] + torch.arange(side)[None]) % 2 * 0.3 - 0.15
    spot = torch.zeros(side, side)
    spot[: side // 2, : side // 2] = 1

    def draw(n):
        real = torch.rand(n, frames, 3, side, side, generator=generator) * 0.1 + 0.4
        video = torch.cat([real, real + chess * spot])
        masks = torch.cat([torch.zeros(n, 1, 2, 2), torch.tensor([[1.0, 0], [0, 0]]).expand(n, 1, 2, 2)])
        labels = torch.cat([torch.zeros(n), torch.ones(n)])
        return Batch(video=video, present={}), masks, {"video": labels}

    pairs = torch.stack([torch.arange(4), torch.arange(4, 8)], 1)
    for _ in range(60):
        batch, masks, labels = draw(4)
        optimiser.zero_grad()
        objective(batch, labels=labels, masks=masks, pairs=pairs).total.backward()
        optimiser.step()
    seen = model.eval()(draw(4)[0]).seen
    assert float(seen.logit[4:].min()) > float(seen.logit[:4].max())
    half = seen.places.shape[-1] // 2
    corner = seen.places[4:, :, :half, :half].mean()
    assert float(corner) > float(seen.places[4:, :, half:, half:].mean()) + 1


def test_with_every_patch_kept_nothing_changes():
    torch.manual_seed(0)
    model = HashFormer(CONFIG.model_copy(update={"sound_traces": (4, 8), "lip_sync": 8})).eval()
    streams = read_streams(make_batch(2), model.specs)
    whole = model.look(streams)
    every = {name: torch.ones(2, n_patches(streams, model, name), dtype=torch.bool) for name in ("video", "audio")}
    kept = model.look(streams, every)
    torch.testing.assert_close(kept.seen.logit, whole.seen.logit)
    torch.testing.assert_close(kept.heard.logit, whole.heard.logit)
    torch.testing.assert_close(kept.lags.logit, whole.lags.logit)


def test_traces_are_sought_in_what_is_kept_alone(model):
    model.eval()
    streams = read_streams(make_batch(2), model.specs)
    whole = model.look(streams).seen
    rows, columns = model.specs["video"].grid
    steps = n_patches(streams, model, "video") // (rows * columns)
    keep = torch.ones(2, steps, rows, columns, dtype=torch.bool)
    keep[:, 0] = False  # a moment of which nothing is kept is not looked at
    keep[:, :, 0] = False
    seen = model.look(streams, {"video": keep.flatten(1)}).seen
    torch.testing.assert_close(seen.places, whole.places)
    frames = len(model.traces.chosen)
    assert not seen.present[:, :frames].any()
    assert seen.present[:, frames:].all()
    with torch.no_grad():  # with the features silenced, the logit is the soft maximum over the kept places
        for weight in model.traces.frame.parameters():
            weight.zero_()
    seen = model.look(streams, {"video": keep.flatten(1)}).seen
    side = seen.places.shape[2]
    kept = seen.places[:, frames:, side // rows :].flatten(2)
    wanted = ((2 * kept).exp().mean(2).log() / 2).mean(1)
    torch.testing.assert_close(seen.logit, wanted)


def n_patches(streams, model, name):
    spec, n_frames = model.specs[name], streams[name].values.shape[1]
    return n_frames // spec.patch[0] * spec.grid[0] * spec.grid[1]
