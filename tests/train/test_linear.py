"""Linear answers to frozen features are solved for, and an interrupted run goes on."""

import numpy as np
import pytest
import torch

from hashformer.errors import ConfigError, TrainError
from hashformer.model.inputs import Stream, read_streams
from hashformer.model.weights import load_model, save_model
from hashformer.train.linear import _batch, _smaller
from hashformer.train.logistic import Samples, logistic
from noise_data import NoiseData, noise_batch, noise_run

STEPS = ("run.steps=8", "run.steps_per_epoch=4", "config.model.evidence=true")
BOTH = ("config.model.trace_stride=8", "config.model.sound_trace_stride=8", "optimiser.solve=[traces, sound_traces]")


def drawn(n=4000):
    rng = np.random.default_rng(0)
    values = rng.normal([5, -3, 0], [1, 10, 0], (n, 3)).astype(np.float32)
    chance = 1 / (1 + np.exp(-(2 * (values[:, 0] - 5) - 0.1 * (values[:, 1] + 3) - 1)))
    return Samples(values, (rng.random(n) < chance).astype(np.float32))


def test_the_answer_that_made_the_samples_is_found():
    weight, bias, middle = logistic(drawn(), 1e-6)
    np.testing.assert_allclose(weight, [2, -0.1, 0], atol=0.2)
    assert bias == pytest.approx(-1, abs=0.15)
    np.testing.assert_allclose(middle, [5, -3, 0], atol=0.5)


def test_a_penalty_makes_weights_smaller():
    free, held = (np.linalg.norm(logistic(drawn(), l2)[0]) for l2 in (1e-6, 1.0))
    assert held < free / 2


def test_one_class_alone_is_refused():
    samples = drawn(10)
    with pytest.raises(TrainError, match="needs real and forged samples, got 10, 0 forged"):
        logistic(samples._replace(forged=np.zeros(10, np.float32)), 0.01)


def test_bright_pictures_and_loud_sounds_are_told(tmp_path):
    finished = noise_run(tmp_path, *STEPS, *BOTH)
    assert finished.metrics["val/auc_video"] > 0.95
    model = load_model(finished.weights).model
    with torch.inference_mode():
        told = model(noise_batch(range(10_000, 10_016)).batch)
    forged = torch.arange(16) % 2 == 1
    assert float(told.seen.logit[forged].min()) > float(told.seen.logit[~forged].max())
    assert finished.checkpoint is None
    assert finished.facts["steps"] == "8"


def test_nothing_else_of_the_network_changes(tmp_path):
    before = load_model(
        noise_run(tmp_path / "a", "run.steps=1", "run.steps_per_epoch=1", *STEPS[2:], *BOTH[:2]).weights
    )
    weights = tmp_path / "a" / "weights.safetensors"
    after = load_model(noise_run(tmp_path / "b", *STEPS, *BOTH, load_from=weights).weights)
    changed = {
        name.rsplit(".", 1)[0]
        for name, x in after.model.state_dict().items()
        if not torch.equal(x, before.model.state_dict()[name])
    }
    assert changed == {"traces.answer", "traces", "sound_traces.answer", "sound_traces"}


def test_an_interrupted_run_goes_on_and_ends_the_same(tmp_path, monkeypatch):
    whole = noise_run(tmp_path / "whole", *STEPS, *BOTH)
    drawn_epochs = []
    epoch = NoiseData.epoch

    def interrupted(self, number):
        drawn_epochs.append(number)
        if drawn_epochs == [0, 1]:
            raise KeyboardInterrupt
        return epoch(self, number)

    monkeypatch.setattr(NoiseData, "epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        noise_run(tmp_path / "cut", *STEPS, *BOTH)
    again = noise_run(tmp_path / "cut", *STEPS, *BOTH, resume=True)
    assert drawn_epochs == [0, 1, 1, 0, 1]  # the first part's second epoch anew, then the second part's
    for name, x in load_model(whole.weights).model.state_dict().items():
        assert torch.equal(x, load_model(again.weights).model.state_dict()[name]), name


def test_a_run_that_was_begun_is_not_mixed_with_another(tmp_path):
    noise_run(tmp_path, *STEPS, *BOTH)
    with pytest.raises(TrainError, match="holds a run already"):
        noise_run(tmp_path, *STEPS, *BOTH)


def test_a_run_does_not_go_on_with_other_settings(tmp_path):
    noise_run(tmp_path, *STEPS, *BOTH)
    with pytest.raises(TrainError, match="was made with other settings or features, or of other data"):
        noise_run(tmp_path, *STEPS, *BOTH, "run.seed=3", resume=True)


def test_a_run_does_not_go_on_with_other_features(tmp_path):
    begun = noise_run(tmp_path / "a", *STEPS, *BOTH)
    noise_run(tmp_path / "b", *STEPS, *BOTH, load_from=begun.weights)
    other = load_model(begun.weights)
    other.model.traces.features[0].bias.data += 1
    save_model(tmp_path / "other.safetensors", other.model, config=other.config, trained=True)
    with pytest.raises(TrainError, match="was made with other settings or features"):
        noise_run(tmp_path / "b", *STEPS, *BOTH, load_from=tmp_path / "other.safetensors", resume=True)


def test_each_frame_is_seen_as_it_is_and_drawn_smaller(tmp_path):
    model = load_model(noise_run(tmp_path, *STEPS, *BOTH).weights).model
    batch = noise_batch(range(4))
    images, _ = _batch("traces", model, batch, torch.Generator().manual_seed(0))
    with torch.inference_mode():
        wanted = model.traces.find(read_streams(batch.batch, model.specs)["video"]).summary.numpy()
    as_it_is, smaller = np.split(images.values, 2)
    np.testing.assert_allclose(as_it_is, wanted)
    assert smaller.shape == wanted.shape
    assert np.abs(smaller - wanted).max() > 0.1
    np.testing.assert_array_equal(*np.split(images.forged, 2))


def test_what_is_drawn_smaller_has_lost_its_fine_detail_alone():
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(2, 3, 3, 32, 32, generator=generator) + torch.linspace(0, 8, 32)
    drawn = _smaller(Stream(frames, None), torch.Generator().manual_seed(1)).values
    again = _smaller(Stream(frames, None), torch.Generator().manual_seed(2)).values
    assert drawn.shape == frames.shape
    assert not torch.equal(drawn, again)
    torch.testing.assert_close(drawn.mean((2, 3, 4)), frames.mean((2, 3, 4)), atol=0.1, rtol=0)
    assert float(drawn.diff(dim=3).std()) < 0.7 * float(frames.diff(dim=3).std())


def test_several_processes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=r"optimiser\.solve runs in one process"):
        noise_run(tmp_path, *STEPS, *BOTH)


def test_a_part_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"optimiser\.solve=traces: the network has no such part"):
        noise_run(tmp_path, *STEPS, "optimiser.solve=[traces]")
