"""Every loss against its slow version."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hashformer.config import load_config
from hashformer.losses.classification import binary_loss, head_labels, method_loss
from hashformer.losses.contrastive import AlignmentSettings, alignment_loss, balance_loss
from hashformer.losses.distillation import embedding_loss
from hashformer.losses.gather import View
from hashformer.losses.reconstruction import normalise_patches, reconstruction_loss
from hashformer.model.distill import landmark_weights
from hashformer.model.inputs import stream_specs
from reference import alignment as slow_alignment
from reference import losses as slow

NAN = float("nan")


def random_view(n_items, n_tokens, *, seed, width=6, bits=16, gaps=True):
    generator = torch.Generator().manual_seed(seed)
    present = torch.rand(n_items, n_tokens, generator=generator) < (0.7 if gaps else 2.0)
    present[:, 0] = True
    codes = torch.randint(0, 2, (n_items, bits), generator=generator).float() * 2 - 1
    return View(torch.randn(n_items, n_tokens, width, generator=generator), present, codes, present.any(1))


def listed(view):
    return [
        (view.tokens[i], view.token_present[i], view.vectors[i]) if view.valid[i] else None
        for i in range(len(view.valid))
    ]


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("attention", [0.2, None])
@pytest.mark.parametrize("missing", [False, True])
def test_alignment_equals_the_loop(weighted, attention, missing):
    x, y = random_view(5, 4, seed=0), random_view(5, 7, seed=1)
    if missing:
        x.valid[1] = y.valid[3] = False
        x.tokens[1] = NAN
    options = {
        "logit_scale": 1 / (16 * 0.3),
        "weight_temperature": 0.2,
        "attention_temperature": attention,
        "weighted": weighted,
    }
    ours = alignment_loss(x, y, AlignmentSettings(**options))
    assert float(ours) == pytest.approx(slow_alignment.alignment_loss(listed(x), listed(y), **options), rel=1e-4)


def test_alignment_does_not_depend_on_which_stream_comes_first():
    x, y = random_view(5, 4, seed=2), random_view(5, 7, seed=3)
    settings_ = AlignmentSettings(1 / 4.8)
    torch.testing.assert_close(alignment_loss(x, y, settings_), alignment_loss(y, x, settings_))


def test_targets_carry_no_gradient():
    x, y = random_view(4, 5, seed=4), random_view(4, 5, seed=5)
    for view in (x, y):
        view.tokens.requires_grad_()
        view.vectors.requires_grad_()
    alignment_loss(x, y, AlignmentSettings(1 / 4.8)).backward()
    assert x.tokens.grad is None
    assert y.tokens.grad is None
    assert x.vectors.grad.abs().sum() > 0


def test_collapsed_codes_cost_more_than_separated_ones():
    x = random_view(4, 8, seed=6, width=32, gaps=False)
    y = x._replace(tokens=x.tokens + 0.1 * torch.randn(x.tokens.shape, generator=torch.Generator().manual_seed(0)))
    separated = torch.tensor([[(-1.0) ** (i * (q + 1) // 4 + q * (i % 2)) for q in range(16)] for i in range(4)])
    collapsed = torch.ones(4, 16)
    costs = {
        name: float(alignment_loss(x._replace(vectors=codes), y._replace(vectors=codes), AlignmentSettings(1 / 4.8)))
        for name, codes in (("separated", separated), ("collapsed", collapsed))
    }
    assert costs["collapsed"] == pytest.approx(math.log(4), rel=1e-4)
    assert costs["separated"] < costs["collapsed"] - 0.3
    assert float(balance_loss(x._replace(vectors=collapsed))) == 1.0


@pytest.mark.parametrize("valid", [[True], [True, False, False]])
def test_one_clip_alone_is_no_contrast(valid):
    view = random_view(len(valid), 3, seed=0)._replace(valid=torch.tensor(valid))
    assert alignment_loss(view, view, AlignmentSettings(1.0)) is None


def test_balance_equals_the_loop():
    view = random_view(5, 3, seed=7)
    view.valid[2] = False
    expected = slow.balance(view.vectors[view.valid].tolist())
    assert float(balance_loss(view)) == pytest.approx(expected, rel=1e-5)


def test_embedding_distance_equals_the_loop():
    generator = torch.Generator().manual_seed(0)
    predicted, target = torch.randn(2, 2, 4, 6, generator=generator)
    present, weights = torch.rand(2, 4, generator=generator) < 0.7, torch.rand(2, 4, generator=generator)
    target.requires_grad_()
    predicted.requires_grad_()
    loss = embedding_loss(predicted, target, present, weights)
    loss.backward()
    expected = slow.embedding(predicted.detach(), target.detach(), present, weights)
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-4)
    assert target.grad is None
    assert (predicted.grad[~present] == 0).all()


def test_reconstruction_equals_the_loop():
    generator = torch.Generator().manual_seed(1)
    predicted, patches = torch.randn(2, 2, 4, 12, generator=generator)
    present = torch.rand(2, 4, generator=generator) < 0.7
    loss = reconstruction_loss(predicted, patches, present)
    assert float(loss) == pytest.approx(slow.reconstruction(predicted, patches, present), rel=1e-4)
    assert (normalise_patches(torch.full((1, 1, 5), 0.3)).abs() < 1e-3).all()


@given(seed=st.integers(0, 999), smoothing=st.sampled_from([0.0, 0.1]), gamma=st.sampled_from([0.0, 2.0]))
@settings(max_examples=25, deadline=None)
def test_binary_loss_equals_the_loop(seed, smoothing, gamma):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(8, generator=generator) * 3
    labels = torch.randint(0, 2, (8,), generator=generator).float()
    labels[2] = NAN
    valid = torch.rand(8, generator=generator) < 0.7
    valid[0] = True
    ours = binary_loss(logits, labels, valid, smoothing=smoothing, focal_gamma=gamma)
    expected = slow.binary(logits.tolist(), labels.tolist(), valid.tolist(), smoothing, gamma)
    assert float(ours) == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_method_loss_equals_the_loop():
    logits, labels = torch.randn(4, 3), torch.tensor([0, 2, -1, 1])
    valid = torch.tensor([True, True, True, False])
    expected = slow.method(logits.tolist(), labels.tolist(), valid.tolist(), 0.1)
    assert float(method_loss(logits, labels, valid, smoothing=0.1)) == pytest.approx(expected, rel=1e-4)


def test_nothing_known_costs_nothing():
    logits = torch.randn(3, requires_grad=True)
    loss = binary_loss(logits, torch.full((3,), NAN), torch.tensor([True] * 3))
    loss.backward()
    assert float(loss.detach()) == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize(
    ("video", "audio", "sync", "overall", "here", "expected"),
    [
        (1, 0, 0, 1, "av", 1),
        (1, 0, 0, 1, "a", 0),
        (1, 0, 0, 1, "l", 1),
        (0, 1, 0, 1, "v", 0),
        (0, 0, 1, 1, "av", 1),
        (0, 0, 1, 1, "v", 0),
        (NAN, NAN, NAN, 1, "av", 1),
        (NAN, NAN, NAN, 1, "v", NAN),
        (NAN, NAN, NAN, 0, "a", 0),
        (1, NAN, NAN, NAN, "av", 1),
        (0, NAN, NAN, NAN, "av", NAN),
        (0, NAN, NAN, NAN, "v", 0),
        (0, 0, NAN, NAN, "av", 0),
        (0, 0, NAN, 0, "", 0),
    ],
)
def test_the_overall_label_is_that_of_what_is_left(video, audio, sync, overall, here, expected):
    labels = {
        name: torch.tensor([float(value)])
        for name, value in (("video", video), ("audio", audio), ("sync", sync), ("overall", overall))
    }
    there = {name: torch.tensor([name[0] in here]) for name in ("audio", "video", "landmarks")}
    assert head_labels(labels, there)["overall"].tolist() == pytest.approx([expected], nan_ok=True)


def test_landmark_weights_equal_the_loop_and_average_one():
    spec = stream_specs(load_config("tiny").model)["video"]
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(2, 16, 10, 2, generator=generator) * 1.4 - 0.2
    present = torch.rand(2, 16, generator=generator) < 0.6
    present[1] = False
    weights = landmark_weights(points.flatten(2), present, 16.0, spec, 16)
    for b in range(2):
        expected = slow.landmark_weights(points[b].tolist(), present[b].tolist(), 16.0, 4, (2, 2), 16.0, 16)
        assert weights[b].tolist() == pytest.approx(expected, rel=1e-4)
    torch.testing.assert_close(weights.mean(1), torch.ones(2))
