"""The graph answers as the network, whatever it is given."""

import pytest
import torch

from hashformer.errors import ExportError, ShapeError
from hashformer.export import TOLERANCE, Agreement, compare, export_model, generated_batches, load_graph
from hashformer.model.weights import load_model
from hashformer.types import HEADS, Batch

SETS = {
    "all": ("audio", "video", "landmarks"),
    "face": ("video", "landmarks"),
    "video": ("video",),
    "sound": ("audio",),
}


def clips(config, names, n_items, duration_s, *, gaps=False, seed=3):
    chance = torch.Generator().manual_seed(seed)
    n_frames, n_rows = round(config.video_rate_hz * duration_s), round(config.audio_rate_hz * duration_s)
    side = config.video_size_px
    streams = {
        "audio": torch.randn(n_items, n_rows, config.audio_bins, generator=chance) * 4 - 10,
        "video": torch.rand(n_items, n_frames, 3, side, side, generator=chance),
        "landmarks": torch.rand(n_items, n_frames, 2 * config.n_landmarks, generator=chance),
    }
    streams = {name: streams[name] for name in names}
    masks = {name: torch.rand(values.shape[:2], generator=chance) > 0.3 for name, values in streams.items()}
    return Batch(**streams, present=masks if gaps else {})


def same_answers(network, graph, batch):
    with torch.inference_mode():
        ours, theirs = network.model(batch), graph.model(batch)
    for head in HEADS:
        valid = ours.valid[head]
        assert torch.equal(valid, theirs.valid[head])
        torch.testing.assert_close(theirs.logits[head][valid], ours.logits[head][valid], atol=TOLERANCE, rtol=0)
    for field in ("tokens", "token_present", "pooled", "codes"):
        assert getattr(ours, field).keys() == getattr(theirs, field).keys()
    for name, code in ours.codes.items():
        assert set(theirs.codes[name].unique().tolist()) <= {-1.0, 1.0}
        assert (code == theirs.codes[name]).float().mean() > 0.99
    torch.testing.assert_close(theirs.method_logits, ours.method_logits, atol=TOLERANCE, rtol=0)
    assert (ours.where is None) == (theirs.where is None)
    if ours.where is not None:
        torch.testing.assert_close(theirs.where, ours.where, atol=TOLERANCE, rtol=0)
    return ours


@pytest.mark.parametrize("names", SETS.values(), ids=SETS)
@pytest.mark.parametrize(("n_items", "duration_s"), [(1, 1.0), (3, 1.0), (1, 2.0), (3, 3.0)])
def test_logits_and_codes_agree(network, graph, names, n_items, duration_s):
    same_answers(network, graph, clips(network.config.model, names, n_items, duration_s))
    ours = same_answers(network, graph, clips(network.config.model, names, n_items, duration_s, gaps=True))
    assert ours.valid["overall"].all()


def test_what_is_absent_is_not_read(network, graph):
    batch = clips(network.config.model, SETS["all"], 2, 1.0)
    silent = torch.zeros(batch.audio.shape[:2], dtype=torch.bool)
    spoiled = Batch(audio=batch.audio * torch.nan, video=batch.video, landmarks=batch.landmarks, present={})
    without = Batch(video=batch.video, landmarks=batch.landmarks, present={})
    masked = graph.model(Batch(**{name: getattr(spoiled, name) for name in SETS["all"]}, present={"audio": silent}))
    assert not masked.valid["audio"].any()
    torch.testing.assert_close(masked.logits["overall"], graph.model(without).logits["overall"])


def test_scores_are_calibrated_as_those_of_the_network(network, graph):
    batch = clips(network.config.model, SETS["face"], 2, 1.0)
    ours, theirs = network.scores(network.model(batch)), graph.scores(graph.model(batch))
    for head in HEADS:
        torch.testing.assert_close(theirs[head], ours[head], atol=1e-5, rtol=0, equal_nan=True)
    assert theirs["audio"].isnan().all()


def test_a_wrong_shape_is_refused_as_by_the_network(network, graph):
    batch = clips(network.config.model, SETS["video"], 1, 1.0)
    for wrong in (
        Batch(video=batch.video[:, :3], present={}),
        Batch(video=batch.video[..., :-1], present={}),
        Batch(present={}),
    ):
        with pytest.raises(ShapeError) as theirs:
            graph.model(wrong)
        with pytest.raises(ShapeError) as ours:
            network.model(wrong)
        assert str(theirs.value) == str(ours.value)
    with pytest.raises(ShapeError, match="present"):
        graph.model(Batch(video=batch.video, present={"video": torch.ones(1, 3, dtype=torch.bool)}))


def test_the_check_after_writing_covers_every_head(exported):
    _, agreement = exported
    assert agreement.n_clips == 16
    assert set(agreement.largest) == set(HEADS)
    assert all(0 <= difference <= TOLERANCE for difference in agreement.largest.values())
    assert agreement.differing_bits < 0.01


def test_another_network_is_told_apart(weights, network, graph):
    other = load_model(weights)
    with torch.no_grad():
        other.model.heads.judges["sync"].out.bias += 0.01
    agreement = compare(other.model, graph.model, generated_batches(network.config.model))
    assert agreement.largest["sync"] == pytest.approx(0.01, rel=0.01)
    assert agreement.largest["audio"] < TOLERANCE
    with pytest.raises(ExportError, match=r"sync differ by up to 0\.01, at most 0\.0001"):
        agreement.check()


def test_hash_codes_that_differ_are_refused():
    with pytest.raises(ExportError, match=r"2\.0% of the bits"):
        Agreement(largest={}, differing_bits=0.02, n_clips=1).check()


@pytest.mark.slow
def test_small_agrees(tmp_path):
    small = load_model("small")
    agreement = export_model(small, tmp_path / "small.onnx")
    assert max(agreement.largest.values()) <= TOLERANCE
    graph = load_graph(tmp_path / "small.onnx")
    for names in SETS.values():
        batch = clips(small.config.model, names, 2, 2.0, gaps=True)
        compare(small.model, graph.model, [batch]).check()
