"""Draws: decided by seed and number, real and forged alike but for the forgery, shared out without loss."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from hashformer.config import LossConfig
from hashformer.config.forge import ForgeConfig, ForgeryChances
from hashformer.config.views import STRONG, WEAK
from hashformer.data.draws import DrawSampler, training_loader, validation_loader
from hashformer.data.features import SoundFeatures
from hashformer.data.forge import FORGERIES, draw_forgery
from hashformer.data.training import ForgedValidation, TrainingClips
from hashformer.errors import ConfigError, ForgeryError, StoreError
from hashformer.losses import Objective
from hashformer.model import HashFormer
from make_corpus import CONFIG, make_corpus

FEATURES = SoundFeatures(CONFIG.features, sample_rate_hz=CONFIG.clip.sample_rate_hz)
NONE = dict.fromkeys(ForgeryChances.model_fields, 0.0)


def kinds(*names, **settings):
    return ForgeConfig(chances=ForgeryChances(**(NONE | dict.fromkeys(names, 1.0))), **settings)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("prepared")
    return make_corpus(root), root


def draws(corpus, forge=None, **settings):
    rows, root = corpus
    return TrainingClips(rows, root, config=CONFIG, forge=forge or kinds("sound_shift", "resynthesis"), **settings)


def test_the_kinds_of_the_config_are_those_that_there_are():
    assert set(ForgeryChances.model_fields) == {*FORGERIES, "neural_resynthesis"}
    assert all(name == kind.name for name, kind in FORGERIES.items())


def test_a_draw_is_decided_by_seed_and_number(corpus):
    one, other = draws(corpus, views=(WEAK, STRONG), seed=3), draws(corpus, views=(WEAK, STRONG), seed=3)
    for k in (7, 0, 3):  # in any order
        mine, yours = one[k], other[k]
        assert [e.labels.keys() for e in mine] == [e.labels.keys() for e in yours]
        for a, b in zip(mine, yours, strict=True):
            assert (a.kind, a.row_idx, a.clip.window) == (b.kind, b.row_idx, b.clip.window)
            np.testing.assert_array_equal(a.clip.frames, b.clip.frames)
            np.testing.assert_array_equal(a.clip.waveform, b.clip.waveform)
            np.testing.assert_array_equal(a.mask, b.mask)
    windows = {(e.row_idx, e.clip.window.first_frame) for k in range(8) for e in one[k]}
    assert len(windows) > 4


def test_a_group_is_a_real_clip_and_its_forgery_of_the_same_seconds(corpus):
    data = draws(corpus, kinds("sound_shift", corpora_share=0.0))
    for k in range(10):
        real, *forged = data[k]
        assert (real.kind, real.method, real.corpus, real.labels["overall"]) == ("", "real", "small", 0)
        has_both = real.clip.frames is not None and real.clip.waveform is not None
        assert [e.kind for e in forged] == (["sound_shift"] if has_both else [])
        for example in forged:
            assert example.clip.window == real.clip.window
            assert (example.labels["sync"], example.labels["video"], example.labels["overall"]) == (1, 0, 1)
            np.testing.assert_array_equal(example.clip.frames, real.clip.frames)  # the same degradation
            assert not np.array_equal(example.clip.waveform, real.clip.waveform)
            assert example.mask.max() == 0


def test_real_and_forged_get_the_same_view(corpus):
    flip = WEAK.model_copy(update=dict.fromkeys(("flip", "affine", "jitter", "noise", "gain"), 0.5))
    data = draws(corpus, kinds("sound_shift", corpora_share=0.0), views=(flip, STRONG), seed=1)
    seen = 0
    for k in range(8):
        real, *forged = data[k]
        for example in forged:
            seen += 1
            np.testing.assert_array_equal(example.clip.frames, real.clip.frames)
            np.testing.assert_array_equal(example.second.frames, real.second.frames)
            assert not np.array_equal(real.second.frames, real.clip.frames)
    assert seen > 2


def test_what_cannot_be_forged_is_counted_and_stays_real(corpus, monkeypatch):
    def refuse(clip, partner, *, rng, sample_rate_hz):
        raise ForgeryError("not this one")

    monkeypatch.setitem(FORGERIES, "sound_shift", replace(FORGERIES["sound_shift"], make=refuse))
    groups = [draws(corpus, kinds("sound_shift", corpora_share=0.0))[k] for k in range(6)]
    assert all(len(group) == 1 for group in groups)
    both = [group[0] for group in groups if group[0].clip.frames is not None and group[0].clip.waveform is not None]
    assert both
    assert all(example.refused == ("sound_shift",) for example in both)


def test_shares_are_kept(corpus):
    rows, root = corpus
    data = TrainingClips(rows, root, config=CONFIG, forge=kinds("sound_shift", per_clip=0, corpora_share=0.5))
    drawn = Counter(data[k][0].row_idx for k in range(60))
    assert drawn[5] / 60 == pytest.approx(0.5, abs=0.2)  # the only fake
    # Two of the five real files are of one person, who is drawn as often as the others.
    assert drawn[0] + drawn[1] < drawn[2] + drawn[3] + drawn[4]
    reals = TrainingClips(rows[:5], root, config=CONFIG, forge=kinds("sound_shift", untouched=1.0, corpora_share=1.0))
    assert all([e.kind for e in reals[k]] == [""] for k in range(5))


@pytest.mark.parametrize("world", [1, 2, 4])
def test_ranks_share_the_draws_of_one_device(world):
    whole = [draw for step in DrawSampler(16, 32, batch_draws=8) for draw in step]
    assert whole == list(range(16, 48))
    shares = [list(DrawSampler(16, 32, batch_draws=8 // world, rank=r, world=world)) for r in range(world)]
    for step, joined in enumerate(DrawSampler(16, 32, batch_draws=8)):
        assert [draw for share in shares for draw in share[step]] == joined
    resumed = DrawSampler(16 + 2 * 8, 16, batch_draws=8)
    assert [*resumed] == [*DrawSampler(16, 32, batch_draws=8)][2:]


def test_draws_that_do_not_fill_a_step_are_refused():
    with pytest.raises(ValueError, match="multiple of batch_draws · world = 8"):
        DrawSampler(0, 12, batch_draws=4, world=2)
    with pytest.raises(ValueError, match="no such draws"):
        DrawSampler(0, 8, batch_draws=4, rank=2, world=2)


def test_a_batch_knows_its_pairs_masks_and_kinds_and_trains_the_model(corpus):
    data = draws(corpus, kinds("resynthesis", "sound_swap_other", corpora_share=0.3), views=(WEAK, STRONG), seed=5)
    (loaded,) = training_loader(data, FEATURES, DrawSampler(0, 8, batch_draws=8))
    assert len(loaded.pairs) >= 2
    for real, fake in loaded.pairs.tolist():
        assert loaded.kinds[real] == ""
        assert loaded.kinds[fake] in {"resynthesis", "sound_swap_other"}
        assert loaded.row_idx[real] == loaded.row_idx[fake]
        assert loaded.windows[real] == loaded.windows[fake]
        assert (loaded.labels["overall"][real], loaded.labels["overall"][fake]) == (0, 1)
    assert loaded.masks.shape == (len(loaded.kinds), 16, 28, 28)
    for row, kind in enumerate(loaded.kinds):
        if kind == "resynthesis":
            assert loaded.masks[row].max() > 0
        elif loaded.methods[row] == "swap":
            assert loaded.masks[row].isnan().all()
    model = HashFormer(CONFIG.model.model_copy(update={"where_head": True}))
    objective = Objective(model, LossConfig(where_loss_weight=1, pair_loss_weight=1, modality_dropout=0))
    losses = objective(loaded.batch, second=loaded.second, labels=loaded.labels, masks=loaded.masks, pairs=loaded.pairs)
    losses.total.backward()
    assert math.isfinite(losses.total.item())
    assert {"where", "pair"} <= losses.named.keys()
    assert torch.equal(loaded.to(torch.device("cpu")).batch.video, loaded.batch.video)


@pytest.mark.slow
def test_workers_read_what_one_process_reads(corpus):
    data = draws(corpus, views=(WEAK,), seed=2)
    alone = list(training_loader(data, FEATURES, DrawSampler(0, 8, batch_draws=2)))
    helped = list(training_loader(data, FEATURES, DrawSampler(0, 8, batch_draws=2), workers=2))
    for mine, yours in zip(alone, helped, strict=True):
        assert (mine.kinds, mine.windows, mine.row_idx) == (yours.kinds, yours.windows, yours.row_idx)
        for name in ("frames", "audio", "landmarks"):
            one, other = getattr(mine.packed, name), getattr(yours.packed, name)
            assert one is other is None or torch.equal(one, other)


def test_validation_shows_every_row_once_and_with_every_kind(corpus):
    rows, root = corpus
    forge = kinds("sound_shift", "resynthesis", "vocoder_griffin_lim")
    data = ForgedValidation(rows, root, config=CONFIG, forge=forge)
    assert len(data) == len(rows)
    shown = {row: [e.kind for e in data[row]] for row in range(len(rows))}
    picture, sound, both = {"resynthesis"}, {"vocoder_griffin_lim"}, {"sound_shift"}
    fitting = {0: picture | sound | both, 1: picture | sound | both, 2: picture | sound | both}
    fitting |= {3: picture, 4: sound, 5: set()}
    for row, names in shown.items():
        assert names[0] == ""
        assert sorted([*names[1:], *data[row][0].refused]) == sorted(fitting[row])
    assert {name for names in shown.values() for name in names} == {"", *picture, *sound, *both}
    again = ForgedValidation(rows, root, config=CONFIG, forge=forge)
    for mine, yours in zip(data[0], again[0], strict=True):
        np.testing.assert_array_equal(mine.clip.frames, yours.clip.frames)
        np.testing.assert_array_equal(mine.clip.waveform, yours.clip.waveform)
    loaders = [validation_loader(data, FEATURES, batch_rows=2, rank=rank, world=2) for rank in range(2)]
    seen = Counter(
        (row, kind) for loader in loaders for b in loader for row, kind in zip(b.row_idx, b.kinds, strict=True)
    )
    assert seen == Counter((row, kind) for row, names in shown.items() for kind in names)


def test_a_drawn_kind_fits_the_streams():
    rng = np.random.default_rng(0)
    alike = dict.fromkeys(FORGERIES, 1.0)
    for _ in range(50):
        assert draw_forgery(alike, {"sound"}, rng).needs <= {"sound"}
    assert draw_forgery({"sound_shift": 1.0}, {"sound"}, rng) is None
    assert draw_forgery({"sound_shift": 1.0}, {"sound", "picture"}, rng, without=["sound_shift"]) is None
    with pytest.raises(ConfigError, match="'swap' is no forgery"):
        draw_forgery({"swap": 1.0}, {"sound"}, rng)


def test_nothing_to_draw_is_told(corpus):
    with pytest.raises(StoreError, match="no rows"):
        draws(([], corpus[1]))
    with pytest.raises(ConfigError, match="nothing to draw"):
        ForgeConfig.parse({"chances": NONE})
