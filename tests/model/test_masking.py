"""Masks: exact shares, the shapes of the modes; modality dropout."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hashformer.model.masking import drop_modalities, sample_mask, steps_and_rows
from model_batches import STREAMS, everywhere, make_batch


@given(
    grid=st.tuples(st.integers(2, 9), st.integers(2, 9), st.integers(1, 5)),
    ratio=st.floats(0.05, 0.95),
    mode=st.sampled_from(["unstructured", "time", "frame", "freq", "tube", "time_freq"]),
    seed=st.integers(0, 99),
)
@settings(max_examples=80, deadline=None)
def test_shares_are_exact_and_modes_have_their_shape(grid, ratio, mode, seed):
    mask = sample_mask(4, grid, ratio=ratio, mode=mode, generator=torch.Generator().manual_seed(seed))
    steps, rows, columns = grid
    cells = mask.reshape(4, *grid)
    by_step, by_row = cells.all(3).all(2), cells.all(3).all(1)

    def nearest(size):
        return min(max(round(ratio * size), 1), size - 1)

    expected = {
        "unstructured": nearest(steps * rows * columns),
        "time": nearest(steps) * rows * columns,
        "frame": nearest(steps) * rows * columns,
        "freq": nearest(rows) * steps * columns,
        "tube": nearest(rows * columns) * steps,
    }
    if mode == "time_freq":
        a, b = steps_and_rows(steps, rows, ratio)
        expected[mode] = (steps * rows - (steps - a) * (rows - b)) * columns
    assert mask.sum(1).tolist() == [expected[mode]] * 4
    if mode in ("time", "frame"):
        assert torch.equal(cells, by_step[:, :, None, None].expand_as(cells))
    if mode == "freq":
        assert torch.equal(cells, by_row[:, None, :, None].expand_as(cells))
    if mode == "tube":
        assert torch.equal(cells, cells[:, :1].expand_as(cells))
    if mode == "time_freq":
        assert torch.equal(cells, (by_step[:, :, None, None] | by_row[:, None, :, None]).expand_as(cells))


def test_time_freq_comes_near_the_ratio_on_a_real_spectrogram():
    for ratio in (0.3, 0.5, 0.6, 0.75):
        a, b = steps_and_rows(10, 8, ratio)
        assert 1 - (1 - a / 10) * (1 - b / 8) == pytest.approx(ratio, abs=0.06)
        assert abs(a / 10 - b / 8) < 0.2


def test_items_are_masked_differently_and_a_seed_repeats_them():
    draws = [sample_mask(2, (4, 4, 4), ratio=0.5, generator=torch.Generator().manual_seed(5)) for _ in range(2)]
    assert torch.equal(*draws)
    assert not torch.equal(draws[0][0], draws[0][1])


def test_what_cannot_be_hidden_is_refused():
    with pytest.raises(ValueError, match="unknown mask mode 'circle'"):
        sample_mask(1, (2, 2, 2), ratio=0.5, mode="circle")
    with pytest.raises(ValueError, match="at least one must be hidden and one left"):
        sample_mask(1, (1, 4, 4), ratio=0.5, mode="time")


def test_dropout_takes_whole_streams_and_leaves_one():
    batch = make_batch(64)
    present = everywhere(batch)
    present["audio"][:8] = False
    dropped = drop_modalities(replace(batch, present=present), 0.9, generator=torch.Generator().manual_seed(0))
    kept = torch.stack([dropped.present[name].any(1) for name in STREAMS], 1)
    assert all(torch.equal(dropped.present[name].any(1), dropped.present[name].all(1)) for name in STREAMS)
    assert kept.any(1).all()
    assert not kept[:8, 0].any()
    assert all(0 < int(column.sum()) < 64 for column in kept.T)
    assert dropped.video is batch.video


def test_no_dropout_leaves_all():
    batch = make_batch(4)
    assert all(mask.all() for mask in drop_modalities(batch, 0.0).present.values())
