"""The check of a map: it knows a map that means something from one that does not."""

from statistics import median

import torch

from evidence.conftest import loaded_of, small_model
from hashformer.config import load_config
from hashformer.evidence.attention import look
from hashformer.evidence.occlusion import HIDDEN_SHARE, occlude
from hashformer.evidence.places import Places
from hashformer.model import HashFormer
from hashformer.model.inputs import read_streams
from hashformer.model.tokens import spread_mask
from model_batches import make_batch


def places_of(taught):
    return Places(taught.loaded.model.specs[taught.name], 32 if taught.name == "video" else 40)


def check(taught, heat):
    return occlude(taught.loaded, taught.streams, taught.name, heat=heat, places=places_of(taught))


def test_a_map_of_what_the_model_looks_at_explains_its_score(taught):
    looked, places = look(taught.loaded.model, taught.streams), places_of(taught)
    heat = places.gather(looked.relevance[taught.name], looked.output.token_present[taught.name][0])
    found = check(taught, heat)
    assert found.explains
    assert found.score > 0.9
    assert found.score_marked_hidden < 0.5 < median(found.scores_elsewhere_hidden)
    assert len(found.scores_elsewhere_hidden) == 8
    assert abs(found.hidden_share - HIDDEN_SHARE) < 0.02


def test_a_map_that_points_elsewhere_explains_nothing(taught):
    found = check(taught, (~taught.mark).float())
    assert not found.explains
    assert found.score_marked_hidden > 0.5


def test_a_flat_map_explains_nothing(taught):
    heat = torch.zeros(taught.mark.shape)
    heat[taught.mark] = -1e-9  # otherwise the order of the places would decide
    assert not check(taught, heat).explains


def test_hidden_patches_never_reach_the_model(taught):
    plain = check(taught, taught.mark.float())
    other = occlude(
        taught.loaded, spoiled(taught.streams, taught.name, taught.mark, taught.loaded), taught.name,
        heat=taught.mark.float(), places=places_of(taught),
    )  # fmt: skip
    assert other.score_marked_hidden == plain.score_marked_hidden
    assert other.scores_elsewhere_hidden != plain.scores_elsewhere_hidden


def test_hidden_sound_does_not_reach_the_comparison_with_the_lips_either():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        config = load_config("tiny").model.model_copy(update={"lip_sync": 16, "evidence": True})
        loaded = loaded_of(HashFormer(config))
    streams = read_streams(make_batch(1), loaded.model.specs)
    mark = torch.zeros(5, 8, dtype=torch.bool)
    mark[2] = True
    options = {"heat": mark.float(), "places": Places(loaded.model.specs["audio"], 40)}
    plain = occlude(loaded, streams, "audio", **options)
    other = occlude(loaded, spoiled(streams, "audio", mark, loaded), "audio", **options)
    assert other.score != plain.score
    assert other.score_marked_hidden == plain.score_marked_hidden


def spoiled(streams, name, mark, loaded):
    """The streams with noise at the marked places of one of them."""
    spec, values = loaded.model.specs[name], streams[name].values
    hidden = Places(spec, values.shape[1] // spec.patch[0] * spec.grid[0] * spec.grid[1]).spread(mark[None])
    noise = 3 * torch.randn(values.shape, generator=torch.Generator().manual_seed(5))
    changed = torch.where(spread_mask(hidden, values.shape[1], spec), noise, values)
    return {**streams, name: streams[name]._replace(values=changed)}


def test_the_check_is_the_same_each_time(taught):
    assert check(taught, taught.mark.float()) == check(taught, taught.mark.float())


def test_a_model_that_looks_at_nothing_has_no_map_that_explains():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        loaded = loaded_of(small_model("audio"))
    streams = read_streams(make_batch(1), loaded.model.specs)
    places = Places(loaded.model.specs["audio"], 40)
    heat = torch.rand(5, 8, generator=torch.Generator().manual_seed(0))
    assert not occlude(loaded, streams, "audio", heat=heat, places=places).explains
