"""The objective: every loss falls, gradients go where they belong, and what is off costs nothing."""

from dataclasses import replace

import pytest
import torch

from hashformer.config import LossConfig, load_config
from hashformer.losses import Objective, freeze_unused, unused_parameters
from hashformer.model import HashFormer
from model_batches import everywhere, make_batch

NAMES = ("contrast", "distill", "mae", "cls")
TINY = load_config("tiny").model


def loss_config(*names, **settings):
    weights = {f"{name}_loss_weight": float(name in names) for name in NAMES}
    size = {"decoder_width": 32, "decoder_depth": 1, "decoder_heads": 2, "modality_dropout": 0.0}
    return LossConfig(**{**weights, **size, **settings})


def objective(*names, model=TINY, **settings):
    torch.manual_seed(0)
    return Objective(HashFormer(model), loss_config(*names, **settings))


def labels(n_clips=4):
    video, audio = torch.arange(n_clips) % 2.0, torch.arange(n_clips) // 2 % 2.0
    return {"video": video, "audio": audio, "sync": video * audio, "method": (torch.arange(n_clips) % 2).long()}


def run(objective_, seed=0, batch=None, **changes):
    batch = batch or make_batch(4, seed=1)
    second = make_batch(4, seed=1)
    second = replace(
        second, video=second.video * 0.9 + 0.02, audio=second.audio + 0.3, landmarks=second.landmarks * 0.98
    )
    given = {"second": second, "labels": labels(), "generator": torch.Generator().manual_seed(seed), **changes}
    return objective_(batch, **given)


@pytest.mark.parametrize("names", [(name,) for name in NAMES] + [NAMES])
def test_sixty_steps_bring_every_loss_down(names):
    trained = objective(*names)
    optimiser = torch.optim.AdamW(trained.parameters(), lr=2e-3)
    history = []
    for _ in range(60):
        losses = run(trained)
        optimiser.zero_grad()
        losses.total.backward()
        optimiser.step()
        history.append({name: float(value) for name, value in losses.named.items()})
    assert set(history[0]) == set(names)
    for name in names:
        assert history[-1][name] < 0.97 * history[0][name], (name, history[0][name], history[-1][name])


CASES = {
    **{name: ((name,), {}, {}) for name in NAMES},
    "all": (NAMES, {}, {}),
    "inter only": (("contrast",), {"contrast_intra": False}, {}),
    "masked only": (("distill",), {"distill_cross": False}, {}),
    "cross only": (("distill",), {"distill_masked": False, "landmark_guide": False}, {}),
    "no hashing": (("contrast", "cls"), {}, {"hashing": False}),
    "dense": (("contrast",), {}, {"attention": "dense"}),
    "conv": (NAMES, {}, {"stem": "conv"}),
    "methods": (("cls",), {}, {"methods": ("a", "b")}),
    "no landmarks": (NAMES, {}, {"modalities": ("audio", "video")}),
    "no sound": (NAMES, {}, {"modalities": ("video", "landmarks")}),
    "sound alone": (NAMES, {"contrast_inter": False, "distill_cross": False}, {"modalities": ("audio",)}),
    "traces": (("cls",), {}, {"trace_stride": 8, "sound_trace_stride": 8}),
    "ema": (("distill",), {"distill_teacher": "ema"}, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_gradients_reach_every_parameter_in_use_and_no_other(case):
    names, settings, shape = CASES[case]
    trained = objective(*names, model=TINY.model_copy(update=shape), **settings)
    run(trained).total.backward()
    reached = {name for name, p in trained.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    wanted = {name for name, p in trained.named_parameters() if p.requires_grad}
    assert reached == wanted - unused_parameters(trained)
    freeze_unused(trained)
    assert {name for name, p in trained.named_parameters() if p.requires_grad} == reached


def test_what_is_off_is_not_built_and_not_run():
    plain = objective("cls")
    assert not list(plain.decoders)
    assert plain.predictors is None
    calls = []
    plain.model.encoder.register_forward_hook(lambda *_: calls.append(1))
    losses = run(plain, second=None)
    assert len(calls) == 1
    assert set(losses.named) == {"cls"}
    heads = []
    pretrained = objective("mae")
    pretrained.model.heads.register_forward_hook(lambda *_: heads.append(1))
    assert run(pretrained, labels=None, second=None).output is None
    assert not heads


def test_the_network_knows_no_loss():
    state = HashFormer(TINY).state_dict()
    assert state.keys() == objective(*NAMES).model.state_dict().keys()
    assert not any("decoder" in key or "predictor" in key or "teacher" in key for key in state)


def test_weights_weigh():
    single = {name: float(run(objective(name)).named[name]) for name in ("cls", "contrast")}
    both = objective("cls", "contrast", cls_loss_weight=0.9, contrast_loss_weight=0.1)
    losses = run(both)
    assert float(losses.total) == pytest.approx(0.9 * single["cls"] + 0.1 * single["contrast"], rel=1e-4)


def test_one_clip_is_skipped_openly_and_still_trains_the_rest():
    one = make_batch(1)
    trained = objective("contrast", "cls")
    losses = trained(one, second=one, labels=labels(1))
    assert len([name for name in losses.skipped if name.startswith("contrast/")]) == 6
    assert all("fewer than two clips" in why for name, why in losses.skipped.items() if name.startswith("contrast/"))
    losses.total.backward()
    assert all(p.grad is not None for p in trained.model.hash_head.parameters())


def test_missing_streams_are_skipped_openly():
    losses = run(objective(*NAMES), batch=make_batch(4, streams=("audio",)), second=make_batch(4, streams=("audio",)))
    assert losses.total.isfinite()
    assert {"mae/video", "cls/video", "cls/sync", "contrast/inter_audio_video"} <= losses.skipped.keys()


def test_absent_content_reaches_no_loss():
    batch = make_batch(4, seed=1)
    present = everywhere(batch)
    present["video"][0] = False
    present["video"][1, :4] = False
    present["landmarks"][2] = False
    poisoned = {name: getattr(batch, name).clone() for name in present}
    for name, values in poisoned.items():
        values[~present[name]] = float("nan")
    trained = objective(*NAMES)
    first = run(trained, batch=replace(batch, present=present))
    second = run(trained, batch=replace(batch, present=present, **poisoned))
    assert torch.equal(first.total, second.total)
    second.total.backward()
    assert all(p.grad.isfinite().all() for p in trained.parameters() if p.grad is not None)


@pytest.mark.parametrize(
    ("audio_mode", "video_mode"), [("time", "tube"), ("freq", "frame"), ("time_freq", "unstructured")]
)
def test_every_mask_mode_trains(audio_mode, video_mode):
    losses = run(objective("mae", audio_mask_mode=audio_mode, video_mask_mode=video_mode))
    assert {name: float(value) for name, value in losses.parts.items()} == pytest.approx(
        {"mae/audio": 1.4, "mae/video": 1.4}, abs=0.5
    )


def test_hidden_patches_are_dropped_before_the_encoder():
    trained = objective("mae", video_mask_ratio=0.75, audio_mask_ratio=0.6)
    sizes = []
    trained.model.encoder.register_forward_hook(
        lambda _, args, __: sizes.append({name: part.tokens.shape[1] for name, part in args[0].items()})
    )
    run(trained)
    assert sizes == [{"audio": 16, "video": 4, "landmarks": 16}]


def test_the_teacher_follows_slowly():
    trained = objective("distill", distill_teacher="ema", ema_decay=0.9)
    before = [p.clone() for p in trained.teacher.parameters()]
    with torch.no_grad():
        for p in trained.model.parameters():
            p.add_(1.0)
    trained.update_teacher()
    for old, new in zip(before, trained.teacher.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.1, atol=1e-5, rtol=1e-4)


def test_modality_dropout_acts_in_training_only():
    trained = objective("cls", modality_dropout=0.9)
    assert not all(mask.all() for mask in run(trained).output.token_present.values())
    trained.eval()
    assert all(mask.all() for mask in run(trained).output.token_present.values())


def test_what_is_missing_is_asked_for():
    with pytest.raises(ValueError, match="pass second="):
        run(objective("contrast"), second=None)
    with pytest.raises(ValueError, match="needs labels="):
        run(objective("cls"), labels=None)
    with pytest.raises(ValueError, match="nothing to train"):
        run(objective())


def test_switches_of_alignment_change_the_loss():
    values = {
        float(run(objective("contrast", **settings)).named["contrast"])
        for settings in (
            {},
            {"contrast_targets": "identity"},
            {"mutual_attention": False},
            {"contrast_intra": False},
            {"contrast_inter": False},
            {"balance_weight": 0.0},
        )
    }
    assert len(values) == 6
