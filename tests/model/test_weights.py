"""Weight files: whole, self-describing, and refused in one line when they are not."""

import copy
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, safe_open, save_file

import hashformer.model.weights as weights_module
from hashformer.config import Config, load_config
from hashformer.errors import ConfigError, WeightsError
from hashformer.model import Calibration, HashFormer, HeadCalibration, load_model, save_model
from hashformer.model.weights import read_checkpoint
from model_batches import make_batch


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HASHFORMER_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def config():
    return load_config("tiny")


@pytest.fixture
def saved(tmp_path, config):
    torch.manual_seed(0)
    model = HashFormer(config.model).eval()
    path = tmp_path / "mine.safetensors"
    save_model(path, model, config=config, trained=True, extra={"data": "none"})
    return path, model


def rewrite(path, *, tensors=None, **metadata):
    with safe_open(path, framework="pt") as file:
        old = file.metadata()
    notes = json.dumps({**json.loads(old["hashformer"]), **metadata})
    save_file(load_file(path) if tensors is None else tensors, path, {"hashformer": notes})


def test_a_file_needs_nothing_else(saved, config):
    path, model = saved
    loaded = load_model(path)
    assert loaded.config == config
    assert (loaded.info.name, loaded.info.trained, loaded.extra) == ("mine", True, {"data": "none"})
    assert len(loaded.info.sha256) == 64
    assert not loaded.model.training
    batch = make_batch(2)
    assert torch.equal(loaded.model(batch).logits["overall"], model(batch).logits["overall"])


def test_half_precision_halves_the_file(saved, tmp_path, config):
    path, model = saved
    small = tmp_path / "half.safetensors"
    save_model(small, copy.deepcopy(model).half(), config=config, trained=True)
    assert small.stat().st_size < 0.6 * path.stat().st_size
    logits = load_model(small).model(make_batch(2)).logits["overall"]
    torch.testing.assert_close(logits, model(make_batch(2)).logits["overall"], atol=0.01, rtol=0)


def test_scores_are_calibrated_and_nan_where_not_valid(tmp_path, saved, config):
    _, model = saved
    path = tmp_path / "calibrated.safetensors"
    fit = Calibration(audio=HeadCalibration(scale=2.0, bias=0.5))
    save_model(path, model, config=config, trained=True, calibration=fit)
    loaded = load_model(path)
    output = loaded.model(audio=make_batch(2).audio)
    scores = loaded.scores(output)
    torch.testing.assert_close(scores["audio"], torch.sigmoid(2 * output.logits["audio"] + 0.5))
    assert scores["video"].isnan().all()


def test_the_initialisation_can_be_had_where_released_weights_bear_the_name():
    plain = load_model("untrained:tiny")
    assert plain.info == load_model("tiny").info
    assert not plain.info.trained
    with pytest.raises(WeightsError, match="untrained:huge: no such weight file"):
        load_model("untrained:huge")


def test_a_preset_is_made_once_and_the_same_everywhere(tmp_path, monkeypatch):
    first = load_model("tiny")
    assert not first.info.trained
    path = next((tmp_path / "cache" / "weights").iterdir())
    made = path.stat().st_mtime_ns
    assert load_model("tiny").info == first.info
    assert path.stat().st_mtime_ns == made
    monkeypatch.setenv("HASHFORMER_CACHE", str(tmp_path / "other"))
    torch.manual_seed(77)
    assert load_model("tiny").info == first.info
    state = torch.random.get_rng_state()
    monkeypatch.setenv("HASHFORMER_CACHE", str(tmp_path / "third"))
    load_model("tiny")
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty"])
def test_a_damaged_cache_is_made_again(tmp_path, damage):
    sha256 = load_model("tiny").info.sha256
    path = next((tmp_path / "cache" / "weights").iterdir())
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes({"truncate": content[:1000], "flip": content, "empty": b""}[damage])
    assert load_model("tiny").info.sha256 == sha256


def test_several_at_once_make_one_good_file():
    with ThreadPoolExecutor(4) as pool:
        assert len({info.sha256 for info in pool.map(lambda _: load_model("tiny").info, range(4))}) == 1


def test_a_mismatch_names_the_keys(saved):
    path, _ = saved
    tensors = load_file(path)
    tensors["stranger"] = tensors.pop("pool.queries")
    tensors["encoder.norm.weight"] = torch.ones(5)
    rewrite(path, tensors=tensors)
    with pytest.raises(
        WeightsError,
        match=r"missing: pool\.queries; unknown: stranger; .*encoder\.norm\.weight \(5,\), expected \(32,\)",
    ):
        load_model(path)


@pytest.mark.parametrize("content", [b"", b"no safetensors at all", b"\xff" * 100, b"\x00" * 8])
def test_what_is_no_safetensors_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="not a readable safetensors file") as error:
        load_model(path)
    assert "\n" not in str(error.value)


def test_a_truncated_file_is_refused(saved):
    path, _ = saved
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="not a readable safetensors file"):
        load_model(path)


def test_changed_tensors_are_noticed(saved):
    path, _ = saved
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="damaged"):
        load_model(path)


def test_a_setting_of_a_newer_version_is_named(saved):
    path, _ = saved
    config = json.loads(load_model(path).config.model_dump_json())
    config["model"]["tomorrow"] = 1
    rewrite(path, config=config, hashformer_version="9.0.0")
    with pytest.raises(WeightsError, match=r"written by hashformer 9\.0\.0.*model\.tomorrow: unknown key") as error:
        load_model(path)
    assert "\n" not in str(error.value)


def test_foreign_safetensors_are_refused(tmp_path):
    path = tmp_path / "foreign.safetensors"
    save_file({"x": torch.ones(2)}, path)
    with pytest.raises(WeightsError, match="not a HashFormer weight file: no 'hashformer' in its metadata"):
        load_model(path)


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(WeightsError, match=r"nothing: no such weight file.*\(base, small, tiny\)"):
        load_model("nothing")


def test_a_released_file_must_have_its_pinned_digest(saved, tmp_path, monkeypatch):
    path, _ = saved
    monkeypatch.setattr(weights_module.resources, "files", lambda _: tmp_path)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "first.safetensors").write_bytes(path.read_bytes())
    monkeypatch.setitem(weights_module.RELEASED, "first", load_model(path).info.sha256)
    assert load_model("first").info.name == "first"
    monkeypatch.setitem(weights_module.RELEASED, "first", "0" * 64)
    with pytest.raises(WeightsError, match="expected 0000"):
        load_model("first")


def test_the_config_saved_must_be_the_models(saved, tmp_path):
    _, model = saved
    with pytest.raises(ConfigError, match="not the config of the model"):
        save_model(tmp_path / "x.safetensors", model, config=Config(), trained=True)


class Trap:
    def __reduce__(self):
        return (Path.touch, (Path("trapped"),))


def test_a_checkpoint_cannot_run_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"x": Trap()}, "evil.pt")
    Path("plain.pth").write_bytes(pickle.dumps(Trap()))
    Path("noise.pt").write_bytes(b"noise")
    with pytest.raises(WeightsError, match="read_checkpoint"):
        load_model("evil.pt")
    for name in ("evil.pt", "plain.pth", "noise.pt", "missing.pt"):
        with pytest.raises(WeightsError) as error:
            read_checkpoint(name)
        assert "\n" not in str(error.value)
    assert not Path("trapped").exists()


def test_tensors_of_a_checkpoint_are_read(tmp_path, saved):
    _, model = saved
    for wrapped in (model.state_dict(), {"state_dict": model.state_dict(), "epoch": 3}, {"model": model.state_dict()}):
        torch.save(wrapped, tmp_path / "ours.pt")
        assert read_checkpoint(tmp_path / "ours.pt").keys() == model.state_dict().keys()
    torch.save({"epoch": 3}, tmp_path / "ours.pt")
    with pytest.raises(WeightsError, match="no tensors by name"):
        read_checkpoint(tmp_path / "ours.pt")
