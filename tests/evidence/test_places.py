"""From tokens to places and back."""

import pytest
import torch

from hashformer.config import load_config
from hashformer.evidence.places import Places, hottest, moved
from hashformer.model.inputs import stream_specs

SPECS = stream_specs(load_config("tiny").model.model_copy(update={"video_patch_px": 8}))


@pytest.mark.parametrize(("name", "n_tokens", "shape"), [("video", 64, (4, 4)), ("audio", 40, (5, 8))])
def test_what_is_spread_is_gathered_again(name, n_tokens, shape):
    places = Places(SPECS[name], n_tokens)
    chosen = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0)) > 0.5
    tokens = places.spread(chosen)
    assert tokens.shape == (3, n_tokens)
    everywhere = torch.ones(n_tokens, dtype=torch.bool)
    for row, wanted in zip(tokens, chosen, strict=True):
        assert torch.equal(places.gather(row.float(), everywhere), wanted.float())


def test_a_place_on_the_face_is_the_mean_of_the_moments_that_are_there():
    places = Places(SPECS["video"], 64)
    values = torch.arange(4.0).repeat_interleave(16)
    present = (values != 3) & (values != 0)
    assert torch.equal(places.gather(values, present), torch.full((4, 4), 1.5))
    assert torch.equal(places.gather(values, torch.zeros(64, dtype=torch.bool)), torch.zeros(4, 4))


def test_sound_is_seen_with_time_to_the_right_and_high_pitch_above():
    values = torch.zeros(5, 8)
    values[1, 0] = 1  # early, the lowest band
    seen = Places(SPECS["audio"], 40).seen(values)
    assert seen.shape == (8, 5)
    assert seen[7, 1] == 1


def test_the_hottest_are_as_many_as_asked_and_none_is_cooler():
    heat = torch.rand(6, 7, generator=torch.Generator().manual_seed(0))
    marked = hottest(heat, 0.2)
    assert int(marked.sum()) == 8
    assert heat[marked].min() > heat[~marked].max()
    assert int(hottest(heat, 0.001).sum()) == 1


def test_the_shape_moves_whole_and_off_itself_first():
    marked = torch.zeros(4, 6, dtype=torch.bool)
    marked[1, 1:4] = True
    others = moved(marked, 8, torch.Generator().manual_seed(0))
    assert len(others) == 8
    assert len({tuple(other.flatten().tolist()) for other in others}) == 8
    for other in others:
        assert int(other.sum()) == 3
        assert not bool((other & marked).any())
    assert len(moved(torch.tensor([[True, False], [False, False]]), 8, torch.Generator().manual_seed(0))) == 3
