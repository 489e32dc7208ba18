"""Mutual attention and pair weights against loops; memory stays within the bound stated."""

import pytest
import torch

from hashformer.model.alignment import mutual_attention, pair_similarity, pair_weights
from reference import alignment as slow


@pytest.fixture
def clips():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(4, 5, 6, generator=generator), torch.randn(3, 7, 6, generator=generator)
    x_here, y_here = torch.rand(4, 5, generator=generator) < 0.6, torch.rand(3, 7, generator=generator) < 0.6
    x_here[:, 0] = y_here[:, 0] = True
    return x, y, x_here, y_here


def test_mutual_attention_equals_the_loop(clips):
    x, y, _, here = clips
    ours = mutual_attention(x[:3], y, here, temperature=0.3)
    for b in range(3):
        torch.testing.assert_close(ours[b], torch.stack(slow.mutual_attention(x[b], y[b], here[b], 0.3)))


@pytest.mark.parametrize("max_values", [1, 40, 100, 2**24])
def test_similarity_equals_the_loop_in_blocks_of_any_size(clips, max_values):
    x, y, x_here, y_here = clips
    ours = pair_similarity(x, y, x_here, y_here, max_values=max_values)
    expected = [[slow.pair_similarity(x[i], y[j], x_here[i], y_here[j]) for j in range(3)] for i in range(4)]
    torch.testing.assert_close(ours, torch.tensor(expected))


def test_no_block_exceeds_the_bound(monkeypatch):
    seen = []
    plain = torch.einsum
    monkeypatch.setattr(torch, "einsum", lambda *args: seen.append(plain(*args)) or seen[-1])
    x = torch.randn(16, 20, 4)
    pair_similarity(x, x, max_values=5000)
    assert max(block.numel() for block in seen) <= 5000
    assert sum(block.numel() for block in seen) == 16 * 16 * 20 * 20


def test_rows_of_weights_sum_to_one_and_carry_no_gradient(clips):
    x, y, x_here, y_here = clips
    x.requires_grad_()
    valid = torch.tensor([True, False, True])
    weights = pair_weights(pair_similarity(x, y, x_here, y_here), valid)
    torch.testing.assert_close(weights.sum(1), torch.ones(4))
    assert not weights.requires_grad
    assert (weights[:, 1] == 0).all()
    expected = slow.softmax([float(v) for v in pair_similarity(x, y, x_here, y_here)[0][valid]], 0.2)
    torch.testing.assert_close(weights[0][valid], torch.tensor(expected))


def test_a_clip_is_its_own_best_partner():
    x = torch.randn(6, 8, 16, generator=torch.Generator().manual_seed(1))
    weights = pair_weights(pair_similarity(mutual_attention(x, x), x))
    assert (weights.argmax(1) == torch.arange(6)).all()


def test_a_wrong_temperature_is_refused():
    with pytest.raises(ValueError, match="must be positive, got 0"):
        pair_weights(torch.zeros(2, 2), temperature=0)
