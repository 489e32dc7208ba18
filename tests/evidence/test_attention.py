"""What the network looked at: true weights, the same answer as ever, and the mark that it was taught to see."""

from dataclasses import replace

import pytest
import torch

from evidence.conftest import small_model
from hashformer.config import load_config
from hashformer.evidence.attention import look, recorded
from hashformer.model import HashFormer
from hashformer.model.inputs import read_streams
from model_batches import make_batch


def tiny(**changes):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = HashFormer(load_config("tiny").model.model_copy(update=changes))
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize(
    "changes", [{"attention": "selective"}, {"attention": "dense"}, {"lip_sync": 16, "evidence": True}], ids=str
)
def test_the_answer_is_that_of_the_fast_path(changes):
    model, batch = tiny(**changes, where_head=True), make_batch(1)
    with torch.inference_mode():
        expected = model(batch)
    output = look(model, read_streams(batch, model.specs)).output
    for head, logit in expected.logits.items():
        torch.testing.assert_close(output.logits[head], logit, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(output.where, expected.where, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("attention", ["selective", "dense"])
def test_attention_of_each_token_sums_to_one_over_what_it_may_see(attention):
    model, batch = tiny(attention=attention), make_batch(1)
    with torch.enable_grad(), recorded(model) as layers:
        model(batch)
    n_audio, n_video, n_landmarks, n_fusion = 40, 16, 16, 6
    n_all = n_audio + n_video + n_landmarks + n_fusion
    wanted = [(n_audio, n_audio), (n_video, n_video), (n_landmarks, n_landmarks), (n_fusion, n_all)]
    assert len(layers) == model.config.depth
    for layer in layers:
        assert [tuple(block.shape[2:]) for block in layer] == (wanted if attention == "selective" else [(n_all, n_all)])
        for block in layer:
            torch.testing.assert_close(block.sum(-1), torch.ones(block.shape[:3]))


def test_the_model_is_left_as_it_was():
    model, batch = tiny(), make_batch(1)
    with torch.inference_mode():
        before = model(batch).logits["overall"]
    look(model, read_streams(batch, model.specs))
    with pytest.raises(RuntimeError), recorded(model):
        raise RuntimeError
    assert not any("_merge" in vars(layer.attention) for layer in model.encoder.layers)
    with torch.inference_mode():
        assert torch.equal(model(batch).logits["overall"], before)


def test_every_stream_has_a_value_for_each_token_and_none_where_nothing_is():
    model, batch = tiny(), make_batch(1)
    present = {"video": torch.ones(1, 16, dtype=torch.bool)}
    present["video"][:, 4:8] = False
    batch = replace(batch, present=present)
    looked = look(model, read_streams(batch, model.specs))
    shapes = {name: tuple(flow.shape) for name, flow in looked.relevance.items()}
    assert shapes == {"audio": (40,), "video": (16,), "landmarks": (16,)}
    assert all((flow >= 0).all() and flow.sum() > 0 for flow in looked.relevance.values())
    assert (looked.relevance["video"][4:8] == 0).all()


def test_one_stream_alone_is_enough():
    model = small_model("audio").eval().requires_grad_(False)
    looked = look(model, read_streams(make_batch(1), model.specs))
    assert set(looked.relevance) == {"audio"}


def test_a_model_that_was_taught_a_mark_looks_at_it(taught):
    from hashformer.evidence.places import Places

    looked = look(taught.loaded.model, taught.streams)
    places = Places(taught.loaded.model.specs[taught.name], looked.relevance[taught.name].numel())
    heat = places.gather(looked.relevance[taught.name], looked.output.token_present[taught.name][0])
    assert bool(taught.mark.flatten()[heat.flatten().argmax()])
    assert heat[taught.mark].mean() > 2 * heat[~taught.mark].mean()
