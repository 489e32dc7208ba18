"""Selective attention against the masked matrix, feed-forward, pooling and heads against loops."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from hashformer.model.attention import Attention, FeedForward, GroupPool
from hashformer.model.heads import GroupHead, masked_mean
from hashformer.model.positions import rotary
from reference import attention as slow

SIZES = {"audio": 5, "video": 9, "landmarks": 4, "fusion": 6}


def segments(n_items=2, width=16, seed=0, sizes=SIZES):
    generator = torch.Generator().manual_seed(seed)
    tokens = {name: torch.randn(n_items, size, width, generator=generator) for name, size in sizes.items()}
    angles = {
        name: rotary(torch.linspace(0, 1, size), 8, min_period_s=0.1, max_period_s=9.0) for name, size in sizes.items()
    }
    return tokens, angles, dict.fromkeys(sizes)


@pytest.mark.parametrize("selective", [True, False])
@pytest.mark.parametrize("gaps", [False, True])
def test_attention_equals_the_masked_matrix(selective, gaps):
    torch.manual_seed(0)
    module = Attention(16, 2, 8, selective=selective)
    tokens, angles, present = segments()
    if gaps:
        generator = torch.Generator().manual_seed(4)
        present = {name: torch.rand(2, size, generator=generator) < 0.6 for name, size in SIZES.items()}
        present["landmarks"] = None
        for mask in (present["audio"], present["video"], present["fusion"]):
            mask[:, 0] = True
    with torch.no_grad():
        ours, expected = (
            module(tokens, angles, present),
            slow.masked_attention(module, tokens, angles, present, selective),
        )
    for name in tokens:
        torch.testing.assert_close(ours[name], expected[name], atol=1e-5, rtol=0)


def test_a_stream_that_an_item_lacks_stays_finite():
    module = Attention(16, 2, 8)
    tokens, angles, present = segments()
    present["video"] = torch.tensor([[True] * 9, [False] * 9])
    assert all(x.isfinite().all() for x in module(tokens, angles, present).values())


def test_selective_attention_costs_less_than_the_masked_matrix():
    sizes = {"audio": 80, "video": 784, "landmarks": 16, "fusion": 48}
    tokens, angles, present = segments(1, sizes=sizes)
    counts = {}
    for selective in (True, False):
        module = Attention(16, 2, 8, selective=selective).requires_grad_(False)
        with (
            FlopCounterMode(display=False) as counter,
            torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
        ):
            module(tokens, angles, present)
        counts[selective] = sum(
            count for kind, count in counter.get_flop_counts()["Global"].items() if "bmm" in str(kind)
        )
    n = sum(sizes.values())
    pairs = sum(size**2 for name, size in sizes.items() if name != "fusion") + sizes["fusion"] * n
    assert counts[True] == pytest.approx(counts[False] * pairs / n**2, rel=1e-6)
    assert counts[True] < 0.8 * counts[False]


def test_feedforward_equals_the_loop():
    module = FeedForward(6, 5)
    x = torch.randn(2, 3, 6)
    expected = [[slow.feedforward(module, token.tolist()) for token in item] for item in x]
    torch.testing.assert_close(module(x), torch.tensor(expected), atol=1e-5, rtol=1e-4)


def test_pooling_equals_the_loop():
    module = GroupPool(("a", "b"), 16, 2, 8).requires_grad_(False)
    tokens, present = torch.randn(2, 7, 16), torch.rand(2, 7) < 0.6
    present[:, 0] = True
    pooled = module(tokens, present, "b")
    for b in range(2):
        torch.testing.assert_close(pooled[b], slow.pool(module, tokens[b], present[b], "b"), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("n_groups", [1, 4])
def test_a_head_equals_the_loop(n_groups):
    module = GroupHead(n_groups, 16, 2, 8).requires_grad_(False)
    groups = torch.randn(3, n_groups, 16)
    present = torch.rand(3, n_groups) < 0.5
    present[:, 0] = True
    logits = module(groups, present)
    for b in range(3):
        torch.testing.assert_close(logits[b], slow.group_head(module, groups[b], present[b]), atol=1e-5, rtol=1e-4)


def test_a_mean_reads_nothing_that_is_absent():
    x = torch.tensor([[[1.0], [3.0], [float("nan")]], [[float("nan")]] * 3])
    present = torch.tensor([[True, True, False], [False] * 3])
    assert masked_mean(x, present).tolist() == [[2.0], [0.0]]
