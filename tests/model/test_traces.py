"""Traces in single frames: what counts, what does not, and that they can be learnt."""

import pytest
import torch

from hashformer.config import load_config
from hashformer.errors import ConfigError
from hashformer.model import HashFormer
from hashformer.model.inputs import read_streams
from hashformer.model.tokens import of_tubelets
from hashformer.train.linear import put_answers
from hashformer.train.logistic import Samples
from hashformer.types import Batch
from model_batches import make_batch

TINY = load_config("tiny").model
CONFIG = TINY.model_copy(update={"trace_stride": 8, "trace_frames": 2, "evidence": True})


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = HashFormer(CONFIG)
    torch.nn.init.normal_(model.traces.answer.weight)
    return model


def test_every_looked_at_frame_has_a_map_and_the_clip_a_logit(model):
    batch = make_batch(2)
    seen = model.eval()(batch).seen
    n_frames = batch.video.shape[1] // CONFIG.video_patch_frames * 2
    side = CONFIG.video_size_px // 8
    assert seen.places.shape == (2, n_frames, side, side)
    assert seen.present.all()
    assert seen.logit.shape == (2,)


def test_it_is_the_answer_for_the_picture_and_for_nothing_else(model):
    batch = make_batch(2)
    before = model.eval()(batch)
    torch.testing.assert_close(before.logits["video"], before.seen.logit)
    with torch.no_grad():
        model.traces.answer.bias += 2.0
    after = model(batch).logits
    torch.testing.assert_close(after["video"], before.logits["video"] + 2)
    for head in ("audio", "sync"):
        torch.testing.assert_close(after[head], before.logits[head])


def test_frames_that_are_not_there_count_for_nothing(model):
    batch = make_batch(2)
    there = torch.ones(batch.video.shape[:2], dtype=torch.bool)
    there[0, CONFIG.video_patch_frames :] = False
    broken = batch.video.clone()
    broken[0, CONFIG.video_patch_frames :] = float("nan")
    cut = model(video=batch.video[:, : CONFIG.video_patch_frames]).seen
    seen = model(video=broken, present={"video": there}).seen
    assert torch.isfinite(seen.logit).all()
    assert seen.present.sum(1).tolist() == [2, seen.present.shape[1]]
    torch.testing.assert_close(seen.logit[0], cut.logit[0])


def test_a_clip_without_any_frame_gives_zero(model):
    batch = make_batch(2)
    there = torch.ones(batch.video.shape[:2], dtype=torch.bool)
    there[0] = False
    assert float(model(video=batch.video, present={"video": there}).seen.logit[0]) == 0


def test_nothing_of_it_is_trained_step_by_step(model):
    assert not any(weight.requires_grad for weight in model.traces.parameters())


def test_crops_that_the_stride_does_not_divide_are_refused():
    with pytest.raises(ConfigError, match=r"trace_stride=32 .* must divide video_size_px=48"):
        type(TINY).parse(TINY.model_dump() | {"trace_stride": 32, "video_size_px": 48}, source="model")


def test_a_fine_pattern_in_one_place_is_learnt_and_found(model):
    generator = torch.Generator().manual_seed(1)
    side, frames = CONFIG.video_size_px, CONFIG.video_patch_frames
    chess = (torch.arange(side)[:, None] + torch.arange(side)[None]) % 2 * 0.3 - 0.15
    spot = torch.zeros(side, side)
    spot[: side // 2, : side // 2] = 1

    def draw(n):
        real = torch.rand(n, frames, 3, side, side, generator=generator) * 0.1 + 0.4
        return torch.cat([real, real + chess * spot])

    found = model.traces.find(read_streams(Batch(video=draw(24), present={}), model.specs)["video"])
    n, channels, rows, columns = found.features.shape
    forged = torch.arange(n) >= n // 2
    where = torch.zeros(n, rows, columns)
    where[n // 2 :, : rows // 2, : columns // 2] = 1
    places = found.features.permute(0, 2, 3, 1).reshape(-1, channels)
    put_answers(
        model.traces,
        Samples(found.summary.numpy(), forged.float().numpy()),
        Samples(places.numpy(), where.flatten().numpy()),
        0.01,
    )
    seen = model.eval()(Batch(video=draw(4), present={})).seen
    assert float(seen.logit[4:].min()) > float(seen.logit[:4].max())
    corner = seen.places[4:, :, : rows // 2, : columns // 2].mean()
    assert float(corner) > float(seen.places[4:, :, rows // 2 :, columns // 2 :].mean()) + 1


def test_with_every_patch_kept_nothing_changes():
    torch.manual_seed(0)
    model = HashFormer(CONFIG.model_copy(update={"sound_trace_stride": 8, "lip_sync": 8})).eval()
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
    side = seen.places.shape[2]
    with torch.inference_mode():  # what is hidden has no part in the mean and the spread
        later = streams["video"].values[:, model.traces.tubelet :]
        images = of_tubelets(later, model.traces.tubelet, model.traces.chosen).flatten(0, 1)
        features = model.traces.features(images)
        first = side // rows
        face = features[:, :, max(first, 1) : 3, 1:3].flatten(2)
        summary = torch.cat([face.mean(2), (face.var(2, correction=0) + 1e-4).sqrt()], 1)
        wanted = model.traces.answer(summary)[:, 0].reshape(2, -1).mean(1)
    torch.testing.assert_close(seen.logit, wanted, atol=1e-4, rtol=1e-4)


def n_patches(streams, model, name):
    spec, n_frames = model.specs[name], streams[name].values.shape[1]
    return n_frames // spec.patch[0] * spec.grid[0] * spec.grid[1]
