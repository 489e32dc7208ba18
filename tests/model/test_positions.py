"""Positions: fixed on the grid, rotations in seconds."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hashformer.model.positions import grid_positions, rotary, rotate, sincos
from reference import positions as slow

PERIODS = {"min_period_s": 0.125, "max_period_s": 60.0}


def vectors(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("width", [8, 9])
def test_sincos_equals_the_loop(width):
    table = sincos(torch.tensor([0.0, 1.0, 3.5]), width)
    expected = torch.tensor([slow.sincos(position, width) for position in (0.0, 1.0, 3.5)])
    torch.testing.assert_close(table, expected)


def test_a_grid_tells_all_places_apart_and_costs_no_more_than_its_rows():
    table = grid_positions([torch.arange(14), torch.arange(14)], 512)
    assert table.shape == (196, 512)
    assert torch.cdist(table, table).fill_diagonal_(1.0).min() > 0.1


def test_rotation_equals_the_loop():
    x, time_s = vectors(1, 1, 5, 8), torch.tensor([0.0, 0.05, 0.3, 1.0, 7.0])
    expected = [slow.rotate(x[0, 0, i].tolist(), float(time_s[i]), 0.125, 60.0) for i in range(5)]
    torch.testing.assert_close(rotate(x, rotary(time_s, 8, **PERIODS))[0, 0], torch.tensor(expected), atol=1e-4, rtol=0)


@given(time_s=st.floats(0, 100), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_norms_are_kept(time_s, seed):
    x = vectors(1, 1, 1, 64, seed=seed)
    turned = rotate(x, rotary(torch.tensor([time_s]), 64, **PERIODS))
    assert abs(float(turned.norm() - x.norm())) < 1e-5


@given(first=st.floats(0, 4), gap=st.floats(-2, 2), shift=st.floats(0, 8), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_scores_depend_on_the_time_difference_only(first, gap, shift, seed):
    q, k = vectors(2, 1, 1, 1, 64, seed=seed)

    def score(start):
        turned = [rotate(x, rotary(torch.tensor([t]), 64, **PERIODS)) for x, t in ((q, start), (k, start + gap))]
        return float((turned[0] * turned[1]).sum())

    assert score(first) == pytest.approx(score(first + shift), abs=2e-3)


def test_every_item_may_have_its_own_times():
    x, time_s = vectors(2, 3, 4, 8), torch.rand(2, 4)
    whole = rotate(x, rotary(time_s, 8, **PERIODS))
    for b in range(2):
        torch.testing.assert_close(whole[b], rotate(x[b : b + 1], rotary(time_s[b], 8, **PERIODS))[0])
