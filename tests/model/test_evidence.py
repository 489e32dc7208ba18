"""What the heads read of each other: the map lifts the picture's answer, any part lifts the whole's."""

import math

import pytest
import torch

from hashformer.config import load_config
from hashformer.model import HashFormer
from hashformer.model.heads import soft_maximum
from model_batches import make_batch

TINY = load_config("tiny").model


@pytest.fixture
def model():
    torch.manual_seed(0)
    return HashFormer(TINY.model_copy(update={"evidence": True, "where_head": True})).eval()


def test_the_soft_maximum_reads_what_is_present_alone():
    values = torch.tensor([[1.0, 9.0, -2.0], [3.0, 3.0, 100.0], [5.0, 5.0, 5.0]])
    present = torch.tensor([[True, True, True], [True, True, False], [False, False, False]])
    found = soft_maximum(values, present)
    assert float(found[0]) == pytest.approx(9 - math.log(3), abs=1e-3)
    assert found[1:].tolist() == pytest.approx([3.0, 0.0])


def test_one_forged_place_lifts_picture_and_whole_but_neither_sound_nor_sync(model):
    batch = make_batch(2)
    before = model(batch).logits
    with torch.no_grad():
        model.where_head.bias += 5.0
    after = model(batch).logits
    for head in ("video", "overall"):
        assert (after[head] > before[head] + 1).all()
    for head in ("audio", "sync"):
        torch.testing.assert_close(after[head], before[head])


def test_the_whole_follows_the_sound_without_a_picture(model):
    batch = make_batch(2)
    before = model(audio=batch.audio).logits["overall"]
    with torch.no_grad():
        model.heads.judges["audio"].out.bias += 3.0
    after = model(audio=batch.audio).logits["overall"]
    torch.testing.assert_close(after, before + 3.0)


def test_the_answer_for_the_whole_does_not_teach_the_parts_but_can_be_traced_back_to_them(model):
    assert not model.train()(make_batch(2)).logits["overall"].requires_grad
    model.eval()(make_batch(2)).logits["overall"].sum().backward()
    assert any(weight.grad is not None for weight in model.heads.judges["audio"].parameters())


def test_the_whole_does_not_read_which_streams_are_there(model):
    assert "overall" not in model.heads.judges
    batch = make_batch(2)
    whole, alone = model(batch), model(audio=batch.audio)
    torch.testing.assert_close(alone.logits["overall"], whole.logits["audio"])


def test_without_any_map_the_picture_is_still_judged():
    model = HashFormer(TINY.model_copy(update={"evidence": True}))
    assert torch.isfinite(model(make_batch(2)).logits["video"]).all()
