"""The detector with either backend, the verb, and what is refused."""

import pytest
import torch
import typer
from typer.testing import CliRunner

from hashformer.cli.export import export
from hashformer.detector import Detector, backend
from hashformer.errors import ConfigError
from hashformer.evidence import BLIND, explain
from hashformer.export import file
from hashformer.media.writer import write_audio
from make_faces import film, speech_like


@pytest.fixture(scope="module")
def talking(tmp_path_factory, man, finder):
    return film(tmp_path_factory.mktemp("films") / "talking.mp4", man[:24])


@pytest.fixture(scope="module")
def by_torch(weights, finder):
    with Detector(weights) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def by_onnx(exported, finder):
    with Detector(exported[0], backend="onnxruntime") as loaded:
        yield loaded


def leaves(value, path=""):
    """What a detection says, by its place; how long it took is left out."""
    if isinstance(value, dict):
        parts = {key: part for key, part in value.items() if key != "timings_s"}
    elif isinstance(value, list):
        parts = dict(enumerate(value))
    else:
        return {path: value}
    return {place: leaf for key, part in parts.items() for place, leaf in leaves(part, f"{path}.{key}").items()}


@pytest.mark.parametrize("source", ["sample_clip", "talking"])
def test_both_backends_give_the_same_detection(request, by_torch, by_onnx, source):
    path = request.getfixturevalue(source)
    ours, theirs = (leaves(loaded.detect(path).model_dump()) for loaded in (by_torch, by_onnx))
    assert ours[".status"] == "scored"
    for place in ours.keys() | theirs.keys():
        wanted = pytest.approx(ours[place], abs=1e-3) if isinstance(ours[place], float) else ours[place]
        assert theirs[place] == wanted, place


def test_both_backends_give_the_same_logits_and_validity(by_torch, by_onnx, talking):
    ours, theirs = (loaded.examine(talking).clips for loaded in (by_torch, by_onnx))
    assert len(ours) == len(theirs) > 0
    for one, other in zip(ours, theirs, strict=True):
        assert dict(other.logits) == pytest.approx(dict(one.logits), abs=1e-4)
        assert (one.window, one.track_id, one.reason) == (other.window, other.track_id, other.reason)


def test_sound_alone(by_torch, by_onnx, tmp_path):
    write_audio(tmp_path / "voice.wav", speech_like(2.0), sample_rate_hz=16_000)
    ours, theirs = (loaded.detect(tmp_path / "voice.wav") for loaded in (by_torch, by_onnx))
    assert theirs.scores.audio == pytest.approx(ours.scores.audio, abs=1e-3)
    assert theirs.scores.video is None


def test_a_weight_file_is_exported_into_the_cache(exported, weights, talking, by_torch, monkeypatch):
    monkeypatch.setattr(backend, "cached_graph", lambda loaded: file.load_graph(exported[0]))
    with Detector(weights, backend="onnxruntime") as loaded:
        assert loaded.weights == by_torch.weights
        assert loaded.loaded.network is not None
        assert explain(loaded, talking).suspect_clips


def test_a_graph_alone_cannot_be_looked_into(by_onnx, talking):
    found = explain(by_onnx, talking)
    assert not found.suspect_clips
    assert BLIND in found.warnings
    assert found.card is not None


def test_threads_are_those_of_pytorch(exported):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        session = file.load_graph(exported[0]).model._session
        assert session.get_session_options().intra_op_num_threads == 2
    finally:
        torch.set_num_threads(before)
    assert file.load_graph(exported[0], threads=3).model._session.get_session_options().intra_op_num_threads == 3


def test_what_cannot_be_is_refused(exported):
    with pytest.raises(ConfigError, match=r"every_head\.onnx: an ONNX file.*Choose backend onnxruntime"):
        Detector(exported[0])
    with pytest.raises(ConfigError, match="must be one of torch, onnxruntime, got 'tensorrt'"):
        Detector("tiny", backend="tensorrt")
    with pytest.raises(ConfigError, match="runs on the CPU, got device 'meta'"):
        Detector("tiny", backend="onnxruntime", device="meta")


def test_the_verb_writes_checks_and_says_so(traced, weights, exported, talking, tmp_path):
    app = typer.Typer()
    app.command()(export)
    done = CliRunner().invoke(
        app, ["--checkpoint", str(weights), "--out", str(tmp_path / "m.onnx"), "--clips", str(talking)]
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "m.onnx").is_file()
    n_generated = exported[1].n_clips
    n_judged = int(done.stdout.split(" clips judged by both")[0].split()[-1])
    assert n_judged > n_generated
    assert "logits differ by at most overall" in done.stdout
